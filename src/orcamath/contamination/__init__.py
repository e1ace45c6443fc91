"""Contamination: no benchmark question may be among what a student is taught (paper, section 4.4 of the arXiv text).

`search` is the procedure, `stage.gate` the recipe's gate, `check.check_files` what `orcamath check` calls.
"""

from orcamath.contamination.search import SearchSettings, search
from orcamath.contamination.stage import VERSION, GateSettings, gate

__all__ = ["VERSION", "GateSettings", "SearchSettings", "gate", "search"]
