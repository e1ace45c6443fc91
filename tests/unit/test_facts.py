"""What stages say of themselves: what is said is what is written and read, whatever version said it."""

from pathlib import Path

import pytest

from orcamath.errors import DataError
from orcamath.scoring.facts import BenchmarkFacts, EvaluateFacts
from orcamath.stages.facts import facts_of
from orcamath.stages.gate import GateFacts
from orcamath.stages.teach import TeachFacts
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.facts import Facts
from orcamath.student.facts import ImitateFacts, TrainedFacts

SAID = [
    {},
    {"verified": {"gold": 2}, "checks": {}, "disagreeing": ["a"], "failed_calls": {"cut_off": 1}},
    {"verified": {"gold": 2}, "of_another_version": {"kept": [1, None, "x"]}},
]


@pytest.mark.parametrize("said", SAID)
def test_what_was_said_is_read_and_written_as_it_was(said: dict[str, object]) -> None:
    assert TeachFacts.of(said).plain() == said


def test_parts_keep_what_another_version_said_too() -> None:
    pair = {"id": "a", "scores": {"paper": 0.5}, "texts": {"test": [["Ada has", False]]}, "later": 1}
    facts = GateFacts.of({"pairs": [pair]})
    assert facts.pairs[0].text("test") == "Ada has"
    assert facts.plain() == {"pairs": [pair]}


def test_a_field_whose_key_is_a_word_of_python_is_written_under_that_key() -> None:
    found = EvaluateFacts(benchmarks={"b": BenchmarkFacts(n=2, passed={})})
    assert found.plain() == {"benchmarks": {"b": {"n": 2, "pass": {}}}}
    assert EvaluateFacts.of(found.plain()) == found


def sealed(root: Path, stage: str, said: Facts | None) -> Artifact:
    def make(out: Output) -> Facts | None:
        out.agents["asker"] = out.agents.get("asker", type(out.failed_calls)())
        out.agents["asker"]["prompt_tokens"] += 7
        return said

    return Store(root).stage(stage, 1, None, [], make)


def test_a_sealed_stage_is_read_by_its_own_record_with_what_its_output_booked(tmp_path: Path) -> None:
    facts = facts_of(sealed(tmp_path, "imitate", ImitateFacts(n_tokens=5, warnings=("odd",))))
    assert isinstance(facts, ImitateFacts)
    assert (facts.n_tokens, facts.warnings, facts.contents) == (5, ("odd",), None)
    assert facts.tokens() == {"n_tokens": 5, "prompt_tokens": 7}
    assert facts_of(sealed(tmp_path, "gate", None)).tokens() == {"prompt_tokens": 7}


def test_a_stage_that_is_not_ours_says_what_it_likes(tmp_path: Path) -> None:
    made = sealed(tmp_path, "theirs", Facts.of({"anything": [1, {"at": "all"}]}))
    assert facts_of(made).others == {"anything": [1, {"at": "all"}]}


def test_a_fact_of_another_kind_is_named_with_its_place(tmp_path: Path) -> None:
    made = sealed(tmp_path, "imitate", Facts.of({"n_tokens": "many"}))
    with pytest.raises(
        DataError, match=r"imitate-\w+`: the fact `n_tokens` reads 'many', which this version cannot use"
    ):
        made.said(TrainedFacts)
