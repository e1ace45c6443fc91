"""Contamination: no benchmark question may be among what a student is taught (paper, section 4.4 of the arXiv text).

`search` is the procedure, `gate` the recipe's stage, `check_files` what `orcamath check` calls.
"""

from orcamath.contamination.check import Checked, check_files
from orcamath.contamination.search import SearchSettings, search
from orcamath.contamination.stage import VERSION, GateSettings, gate

__all__ = ["VERSION", "Checked", "GateSettings", "SearchSettings", "check_files", "gate", "search"]
