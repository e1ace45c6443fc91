"""Measuring a model on benchmarks: what it scores, how sure that is, what it costs, and what others published.

`stage.evaluate` asks and judges; `scores` is the arithmetic; `published` is the paper's table of others' results.
"""

from orcamath.evaluate.stage import VERSION, EvaluateSettings, evaluate

__all__ = ["VERSION", "EvaluateSettings", "evaluate"]
