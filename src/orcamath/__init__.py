"""Orca-Math (arXiv 2402.14830) as software: grow word problems from seeds, teach, practise, judge, learn, report.

Importing this package does no work; the command line is `orcamath`, the Python surface is in the modules named in
`docs/story.md`.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
