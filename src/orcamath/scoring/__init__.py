"""Measuring a model on benchmarks: what it scores, how sure that is, and what others published.

`scores` is the arithmetic, `published` the paper's table of others' results, `harness` the way into lm-eval; the stages that
ask and judge are `stages.evaluate` and `stages.verifier`.
"""
