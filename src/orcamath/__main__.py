"""`python -m orcamath` is the command line."""

from orcamath.cli import main

if __name__ == "__main__":
    main()
