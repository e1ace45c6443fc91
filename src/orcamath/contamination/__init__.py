"""Contamination: no benchmark question may be among what a student is taught (paper, section 4.4 of the arXiv text).

`search` is the procedure, `check_files` what `orcamath check` calls; the recipe's stage is `stages.gate`.
"""

from orcamath.contamination.check import Searched, check_files
from orcamath.contamination.search import SearchSettings, search

__all__ = ["SearchSettings", "Searched", "check_files", "search"]
