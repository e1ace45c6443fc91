"""What a recipe will cost before it is run: calls, tokens, dollars, hours and disk of every stage, as a range.

`rehearsal` runs the recipe itself, up to the lessons, with models that send nothing: what is already remembered is counted
call by call, and calibrates the rest. `calls` puts numbers on what would be sent, `training` on the GPU's part, `again` tells
whether a run is about to pay for something a second time.
"""

from orcamath.plan.again import paid_before
from orcamath.plan.calls import StagePlan
from orcamath.plan.ranges import Range
from orcamath.plan.rehearsal import rehearsal
from orcamath.plan.training import TrainingPlan
from orcamath.plan.whole import Plan, plan

__all__ = ["Plan", "Range", "StagePlan", "TrainingPlan", "paid_before", "plan", "rehearsal"]
