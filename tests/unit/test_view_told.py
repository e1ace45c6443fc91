"""What the viewer tells of a problem that was sampled, judged and doubted often: counts are whole, texts are the right ones."""

from pathlib import Path

import pytest

from orcamath.records import Attempt, Preference, Response, Verdict
from orcamath.stages.preferences import PreferFacts
from orcamath.store.artifacts import Output, Store
from orcamath.store.seals import read_sealed, write_sealed
from orcamath.view.doubts import doubts
from orcamath.view.kinds import RECORD_KINDS
from orcamath.view.opened import Opened
from orcamath.view.tree import story
from report_run import make_run, seal


class Trial:
    """A run to which stages are added by hand."""

    def __init__(self, root: Path) -> None:
        self.folder, self.store = make_run(root)

    def add(self, label: str, *tables: tuple[str, list[object]], facts: PreferFacts | None = None) -> None:
        def make(out: Output) -> PreferFacts | None:
            for name, rows in tables:
                out.write(name, rows)  # type: ignore[arg-type]
            return facts

        stage = label.split()[0]
        made = seal(self.store, stage, make, label)
        pointers = read_sealed(self.folder / "stages.json") or {}
        pointers["stages"].append({"label": label, "artifact": made.path.name, "seconds": 0.0, "reused": False})
        write_sealed(self.folder / "stages.json", pointers)

    def opened(self) -> Opened:
        run = Opened(self.folder, Store(self.store.root))
        run.update()
        return run


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def tries(n: int, text: str, student: str) -> list[Attempt]:
    return [Attempt.make("p0", d, f"{text} ({d})", student, token_ids=None, finish_reason="stop") for d in range(n)]


def said(attempts: list[Attempt], outcome: str, by: str = "rules") -> list[object]:
    return [Verdict.of({"attempt_id": a.id, "problem_id": "p0", "outcome": outcome, "by": by}) for a in attempts]


def test_a_story_counts_all_samples_and_verdicts_of_a_problem_however_many(trial: Trial) -> None:
    for number in (7, 8, 9):
        some = tries(90, "It is 7.", f"student-{number}")
        trial.add(f"practice {number}", ("attempts", [*some]))
        trial.add(f"judge {number}", ("verdicts", said(some, "agrees")))
    run = trial.opened()
    with run.reading() as db:
        found = story(db, some[0].id, run.spelling())
    assert [len(r["attempts"]) for r in found["rounds"]] == [90, 90, 90]
    assert all(a["verdicts"] for r in found["rounds"] for a in r["attempts"])
    run.index.close()


def test_a_doubted_teacher_stands_beside_a_sample_of_the_round_that_doubts_it(trial: Trial) -> None:
    for number, text, outcome in (
        (7, "It is 1.", "agrees"),
        (8, "It is 2.", "disagrees"),
        (9, "It is 3.", "disagrees"),
    ):
        some = tries(2, text, f"student-{number}")
        trial.add(f"practice {number}", ("attempts", [*some]))
        trial.add(f"judge {number}", ("verdicts", said(some, outcome)))
    trial.add("preferences 9", facts=PreferFacts(teacher_doubted=1, teacher_doubted_ids=("p0",)))
    run = trial.opened()
    with run.reading() as db:
        (item,) = doubts("teacher", run.sources(db))
    assert item["texts"] == [["every sample", "It is 3. (0)"]]
    run.index.close()


def test_judges_that_disagree_are_shown_with_what_they_disagree_about(trial: Trial) -> None:
    (one,) = some = tries(1, "It is 7.", "student-7")
    trial.add("practice 7", ("attempts", [one]))
    for label, outcome in (("judge 7", "agrees"), ("judge 8", "disagrees"), ("judge 9", "agrees")):
        trial.add(label, ("verdicts", said(some, outcome, by=label)))
    run = trial.opened()
    with run.reading() as db:
        item = next(i for i in doubts("judges", run.sources(db)) if i["id"] == one.id)
    assert sorted(text.split()[0] for who, text in item["texts"] if who.startswith("judge")) == ["agrees", "disagrees"]
    run.index.close()


TEACHER = Response(text="So 3.", origin="teacher")
WRONG = Response(text="So 4.", origin="sample", multiplicity=2)
RIGHT = Response(text="It is 3.", origin="sample")


@pytest.mark.parametrize(
    ("positives", "negatives", "agree"),
    [
        ((TEACHER,), (WRONG,), "none"),
        ((TEACHER.model_copy(update={"multiplicity": 3}),), (WRONG,), "some"),  # two samples in the teacher's words
        ((TEACHER.model_copy(update={"multiplicity": 5}),), (), "all"),
        ((TEACHER, RIGHT), (WRONG,), "some"),
        ((RIGHT,), (), "all"),
        ((), (WRONG,), "none"),
    ],
)
def test_samples_in_the_teachers_own_words_count_as_samples(
    positives: tuple[Response, ...], negatives: tuple[Response, ...], agree: str
) -> None:
    row = Preference(problem_id="p", question="1 + 2?", positives=positives, negatives=negatives).row()
    assert RECORD_KINDS["pairs"].entry(row).facets["agreement"] == agree
