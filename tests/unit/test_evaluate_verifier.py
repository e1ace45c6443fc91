"""verifier@k: scores read strictly, the best answer chosen, every distinct answer asked about once."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from orcamath.commands.models import pose_as_chat
from orcamath.ports import Reply, Request
from orcamath.records import Problem, Rejected, Scored
from orcamath.stages.verifier import VerifierSettings, best_of, read_score, verified_at_k
from orcamath.store.artifacts import Output, Store
from orcamath.store.ledger import Ledger, Remembered
from scripted import writing


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Score: 87", 87),
        ("I worked it out.\n**Score: 100**", 100),
        ("score: 40/100", 40),
        ("Score: 20\nScore: 70", 70),
        ("Score: 101", None),
        ("Score: 7 of 10", None),
        ("The score is 80", None),
        ("Score: -5", None),
        ("", None),
        ("Score: " + "9" * 100_000, None),
    ],
)
def test_scores_are_read_strictly(text: str, score: int | None) -> None:
    assert read_score(text) == score


def test_the_first_of_the_best_is_chosen_and_unreadable_scores_come_last() -> None:
    assert best_of([10, 90, 90]) == 1
    assert best_of([None, 0]) == 1
    assert best_of([None, None]) == 0


class Verifier:
    """Scores an answer by a table: part of the answer's text → what it says."""

    fingerprint = "verifier"
    chunk = None

    def __init__(self, says: dict[str, str]) -> None:
        self.says = says
        self.asked: list[str] = []

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        for request in requests:
            shown = request.messages[0].content
            self.asked.append(shown)
            reply = next(text for part, text in self.says.items() if part in shown)
            yield Reply(request.key(self.fingerprint), reply)


def test_verifier_at_k(tmp_path: Path) -> None:
    problems = [Problem.make(f"Question {i}?", "seed", "bench", split="test", answer=a) for i, a in enumerate("45")]
    said = {0: ["is 9", "is 4", "is 4", "is 8"], 1: ["is 5", "is 1", "is 2", "is 3"]}
    rows = [
        Scored(
            problem_id=problems[i].id,
            benchmark="bench",
            draw=d + 1,
            text=text,
            final_answer=text[-1],
            gold=problems[i].answer or "",
            outcome="agrees" if text[-1] == problems[i].answer else "disagrees",
            by="rules",
            finish_reason="stop",
            n_tokens=2,
        )
        for i, texts in said.items()
        for d, text in enumerate(texts)
    ]
    store = Store(tmp_path)
    read = store.stage("benchmarks", 1, None, [], writing({"problems": problems}))
    scored = store.stage("evaluate", 1, None, [], writing({"scored": rows}))
    model = Verifier(
        {"is 9": "Score: 30", "is 4": "Score: 90", "is 5": "Score: 60", "is 1": "no idea", "is": "Score: 70"}
    )
    remembered = Remembered(model, Ledger(tmp_path / "ledger"))

    def make(out: Output) -> object:
        return verified_at_k(out, VerifierSettings(), scored, read, remembered, pose_as_chat)

    made = store.stage("verifier", 1, None, [], make)
    found = made.facts["benchmarks"]["bench"]
    assert found["n"] == 2
    # k = 1: the first samples, 9 and 5; k = 2: 4 beats 9, 5 beats what cannot be read; k = 4: 2 and 3 beat 5
    assert {k: v["score"] for k, v in found["verifier"].items()} == {"1": 0.5, "2": 1.0, "4": 0.5}
    assert found["verifier"]["4"]["calls_per_answer"] == 8
    assert len(model.asked) == 7  # `is 4` was said twice
    assert "Question 0?" in model.asked[0]
    assert (made.balance["asked"], made.balance["parsed"], made.balance["failed"]) == (7, 6, 1)
    assert [r.reason for r in made.read(Rejected)] == ["no_score"]
