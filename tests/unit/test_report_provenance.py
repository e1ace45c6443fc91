"""What the page says of sources, models, money, and the rows behind its figures."""

import html
from collections import Counter
from pathlib import Path

import pytest

from orcamath.ports import Message, Request, Sampling, Usage
from orcamath.records import Attempt, Exercise, Rejected
from orcamath.report.fold import Results, fold
from orcamath.report.page import render_page
from orcamath.report.provenance import models, origins, spent
from orcamath.report.samples import Excerpt, doubted
from orcamath.sources import mixture
from orcamath.sources.passes import ReadingFacts
from orcamath.stages.imitate import ImitateFacts
from orcamath.stages.preferences import PreferFacts
from orcamath.stages.review import to_read
from orcamath.store.artifacts import Output, Store
from orcamath.store.budget import Budget, Price
from orcamath.store.leases import account_of
from report_run import make_run, seal


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return fold(*make_run(tmp_path_factory.mktemp("run"), n=60))


FACTS = {
    key: ReadingFacts.of(said)
    for key, said in {
        "seeds": {
            "by_source": {"addsub": 300, "singleeq": 400},
            "read": {"addsub": {"test": 90, "train": 305}, "singleeq": {"train": 508}},
            "licences": {"addsub": {"none stated": 300}, "singleeq": {"": 400}},
            "overlap": {
                "texts": {"addsub": 390, "singleeq": 508},
                "same_text": {"addsub ∩ singleeq": 111},
                "near": {"addsub ∩ singleeq": 118},
            },
            "mixture": mixture.note({"addsub": 300, "singleeq": 400}),
        },
        "benchmarks": {
            "by_source": {"gsm8k": 1319},
            "read": {"gsm8k": {"test": 1319}},
            "licences": {"gsm8k": {"MIT": 1319}},
            "overlap": None,
        },
    }.items()
}


def test_sources_are_told_with_what_was_read_kept_and_shared() -> None:
    found = origins(FACTS)
    assert found.rows == (
        ("seeds", "addsub", "test 90, train 305", 300, "none stated"),
        ("seeds", "singleeq", "train 508", 400, "not stated"),
        ("benchmarks", "gsm8k", "test 1,319", 1319, "MIT"),
    )
    assert found.overlap == (("seeds", "addsub ∩ singleeq", 111, 118),)
    assert found.mixture is not None
    assert found.mixture.paper == 36_217
    assert origins({}) == ((), (), (), None)


def test_the_page_shows_overlap_mixture_and_licences(results: Results) -> None:
    page = html.unescape(render_page(results._replace(facts={**results.facts, **FACTS})))
    assert "addsub ∩ singleeq</th><td>111</td><td>118</td>" in page
    assert "The paper took 36,217 seeds from these sets; here they are 700 (-35,517)" in page
    for choice in mixture.OURS:
        assert choice in page
    assert "test 1,319" in page


def test_models_are_named_with_their_backend_and_the_base_with_its_fingerprint() -> None:
    recipe = {
        "writer": None,
        "teacher": {"backend": "openai_compatible", "model": "gpt-4.1", "base_url": "https://x/v1"},
        "judge": {"name": "cascade"},
        "judge_model": None,
        "student": {"base": "mistral-7b"},
    }
    assert models(recipe, {"imitate": ImitateFacts(base="abc")}) == [
        ("teacher", "openai_compatible · gpt-4.1 · https://x/v1"),
        ("judge", "cascade"),
        ("student’s base", "mistral-7b, fingerprint abc"),
    ]
    assert models({}, {}) == []


def test_money_is_what_the_budget_booked_by_stage(tmp_path: Path, results: Results) -> None:
    assert spent(account_of(None), ["teach"]) == {}
    budget = Budget(book := tmp_path / "budget.sqlite", 10.0)
    lease = budget.meter("teach", Price(1.0, 2.0))
    held = lease.reserve(Request((Message("user", "How many?"),), sampling=Sampling(max_tokens=100)))
    assert held is not None
    lease.settle(held, Usage(1_000_000, 250_000), sent=True)
    budget.close()
    assert spent(account_of(book), ["ask", "teach", "judge 2", "judge 3"]) == {"teach": pytest.approx(1.5)}
    page = render_page(results._replace(spent=(("teach", 1.5),)))
    assert "<strong>$1.50</strong> teach" in page
    assert "No model of this run was paid for" in render_page(results)


def test_bills_that_could_not_be_are_named(tmp_path: Path, results: Results) -> None:
    assert account_of(None)[:2] == ({}, {})
    budget = Budget(book := tmp_path / "budget.sqlite", 10.0)
    lease = budget.meter("teach", Price(1.0, 2.0))
    for replaced, tokens in ((True, 3), (False, 10**6), (False, 3)):
        held = lease.reserve(Request((Message("user", "How many?"),), sampling=Sampling(max_tokens=100)))
        assert held is not None
        lease.settle(held, Usage(1, tokens), sent=True, replaced=replaced)
    budget.close()
    assert account_of(book).doubts == {"teach": (1, 1)}
    page = render_page(results._replace(spent=(("teach", 1.5),), doubts=(("teach", 12, 3),)))
    assert "could not be true for 12 calls" in page
    assert "3 calls claimed more than was reserved" in page


def test_samples_are_what_there_is_to_read_and_answers_of_each_verdict(results: Results) -> None:
    groups = Counter(s.group for s in results.samples)
    lessons = {g: n for g, n in groups.items() if g.startswith("lesson from ")}
    assert set(lessons) == {f"lesson from {o}" for o in ("seed", "ask_me_anything", "suggester_editor")}
    assert sum(lessons.values()) == 20
    assert groups["lesson against a known answer"] == 0  # half of them were held against nothing, and all are right
    assert {g for g in groups if g.startswith("rejected by ")} == {
        "rejected by ask",
        "rejected by edit",
        "rejected by collect",
    }
    assert {g for g in groups if g.startswith("classroom: ")} == {
        f"classroom: M3 of KTO + NLL, {outcome}" for outcome in ("agrees", "disagrees")
    }
    lesson = next(s for s in results.samples if s.question.startswith("Chen has 2 apples"))
    assert lesson.text == "Add them.\n#### 6"
    assert lesson.note == "unverified, known answer 6"
    page = render_page(results)
    assert "Chen has 2 apples" in page
    assert "gold 3, read 3, agrees by rules" in page


def test_rejects_that_say_the_same_are_shown_once(tmp_path: Path) -> None:
    def refused(out: Output) -> None:
        for i, text in enumerate(["I cannot.", "I cannot.", "Ask me another."]):
            out.reject(Rejected(item=f"p{i}", reason="refused", detail="", text=text), of_call=True)

    found = to_read({"ask": seal(Store(tmp_path), "ask", refused)})
    assert sorted(r.rejected.text for r in found.rejects) == ["Ask me another.", "I cannot."]
    assert found.n_rejects == 3


def test_problems_whose_teacher_is_doubted_are_shown_with_what_the_samples_say(tmp_path: Path) -> None:
    store = Store(tmp_path)
    exercise = Exercise(problem_id="p7", question="5 + 5?", reference="9", label="teacher")
    attempts = [
        Attempt.make("p7", d, f"Way {d}.\n#### 10", "s", token_ids=None, finish_reason="stop") for d in range(4)
    ]

    def practised(out: Output) -> None:
        out.write("exercises", [exercise])
        out.write("attempts", attempts)

    def preferred(_: Output) -> PreferFacts:
        return PreferFacts(teacher_doubted_ids=("p7",))

    made = {"practice 2": seal(store, "practice", practised), "preferences 2": seal(store, "preferences", preferred)}
    (found,) = doubted("KTO", made)
    assert found == Excerpt(
        "KTO: preferences 2, the teacher is doubted",
        "5 + 5?",
        "Way 0.\n#### 10",
        "the teacher’s answer: 9",
        "p7",
    )
    assert list(doubted("", {"preferences 2": made["preferences 2"]})) == []
