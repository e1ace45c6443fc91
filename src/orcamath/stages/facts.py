"""Which record a sealed stage's facts are, by the stage's name: for readers that go through all stages of a run."""

from orcamath.stages.agent import invent
from orcamath.stages.ask import ask
from orcamath.stages.benchmarks import benchmarks
from orcamath.stages.collect import collect
from orcamath.stages.confirm import confirm
from orcamath.stages.edit import edit
from orcamath.stages.evaluate import evaluate
from orcamath.stages.gate import gate
from orcamath.stages.grow import grown, pick
from orcamath.stages.imitate import imitate
from orcamath.stages.judge import judge
from orcamath.stages.learn import learn
from orcamath.stages.online import online
from orcamath.stages.practice import practise
from orcamath.stages.preferences import prefer
from orcamath.stages.readiness import readiness
from orcamath.stages.reask import reask
from orcamath.stages.review import review
from orcamath.stages.seeds import gather
from orcamath.stages.start_from import lessons_from, problems_from, verdicts_from
from orcamath.stages.teach import teach
from orcamath.stages.unseen import unseen
from orcamath.stages.verifier import verified_at_k
from orcamath.store.artifacts import Artifact
from orcamath.store.facts import Facts

__all__ = ["facts_of"]

_STAGES = (
    ask,
    benchmarks,
    collect,
    confirm,
    edit,
    evaluate,
    gate,
    gather,
    grown,
    imitate,
    invent,
    judge,
    learn,
    lessons_from,
    online,
    pick,
    practise,
    prefer,
    problems_from,
    readiness,
    reask,
    review,
    teach,
    unseen,
    verdicts_from,
    verified_at_k,
)
_RECORDS = {stage.name: stage.facts for stage in _STAGES}


def facts_of(artifact: Artifact) -> Facts:
    """Read what a sealed stage says; of one that is not ours all is under `others`. Raises DataError (see `Fact.of`)."""
    return artifact.said(_RECORDS.get(artifact.stage, Facts))
