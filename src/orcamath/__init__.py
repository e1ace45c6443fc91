"""Orca-Math (arXiv 2402.14830) as software: grow word problems from seeds, teach, practise, judge, learn, report.

    import orcamath as om
    om.run(recipe); om.judge(rows); om.check(train, test); om.evaluate(model, on)

Importing this package does no work and loads nothing heavy; its functions (see `notebook`) are loaded when they are first named.
The command line is `orcamath`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orcamath.notebook import Result, check, evaluate, judge, run

__all__ = ["Result", "__version__", "check", "evaluate", "judge", "run"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module `orcamath` has no attribute `{name}`")
    from orcamath import notebook

    return getattr(notebook, name)


def __dir__() -> list[str]:
    return __all__
