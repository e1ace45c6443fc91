"""The command `evaluate`, against a real server: scores by every protocol with their price, two models, resuming."""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from commanding import call_in
from orcamath.commands.files import mapped_columns
from orcamath.commands.measuring import Wanted, evaluate_models
from orcamath.errors import DataError, UsageError
from orcamath.ports import Sampling
from orcamath.report.measured import Measurement, measured_text
from orcamath.scoring.facts import EvaluateFacts
from orcamath.scoring.published import published
from orcamath.stages.evaluate import EvaluateSettings
from orcamath.testing import MisbehavingServer, serve
from orcamath.testing.server import Call

ANSWERS = {"two and two": "4", "ten less three": "7", "six times seven": "42"}
SAMPLED = {  # by question, in the order of draws 1 to 4
    "two and two": ["5", "5", "4", "5"],
    "ten less three": ["7", "7", "3", "7"],
    "six times seven": ["42", "9", "8", "42"],
}


def respond(call: Call) -> str:
    """A strong and a weak model, a verifier that knows the answers, and a judge, told apart by what they are asked."""
    text = "\n".join(m.content for m in call.messages)
    question = next(q for q in ANSWERS if q in text)
    if text.startswith("Task: verifier"):
        return "Score: 95" if f"#### {ANSWERS[question]}" in text else "Score: 5"
    if text.startswith("Task: judge_extract"):
        return f"<answer>{ANSWERS[question]}</answer>"
    if call.temperature == 0:
        return f"So it is {ANSWERS[question]}."
    return f"#### {SAMPLED[question][draw_of(text, call.seed)]}"


def draw_of(text: str, seed: int | None) -> int:
    """Find the draw again through the seed that it gave, and count from 0."""
    from orcamath.commands.models import pose_as_chat

    sampling = Sampling(0.7, 0.95, 64)
    return next(d for d in range(1, 5) if pose_as_chat(text, sampling, d).seed() & 0x7FFF_FFFF == seed) - 1


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MisbehavingServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with serve(respond) as running:
        yield running


@pytest.fixture
def mine(tmp_path: Path) -> str:
    rows = [{"question": f"What is {q}?", "answer": a} for q, a in ANSWERS.items()]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"mine={path}"


def measured(model: str, wanted: Wanted, tmp_path: Path) -> dict[str, object]:
    shown = evaluate_models(model, wanted, runs=tmp_path / "runs", store=tmp_path / "store", as_json=True)
    found: dict[str, object] = json.loads(shown)
    return found


def test_bad_lines_of_a_file_are_left_out_where_one_says_so_and_counted(
    server: MisbehavingServer, mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path(mine.removeprefix("mine=")).open("a") as file:
        file.write('no json\n{"question": "What is nine?"}\n')
    model, wanted = f"student@{server.base_url}", Wanted([mine], EvaluateSettings(max_new_tokens=64))
    with pytest.raises(DataError, match=r"mine.jsonl:4` is not JSON.*--skip-bad"):
        measured(model, wanted, tmp_path)
    found = measured(model, wanted._replace(skip_bad=True), tmp_path)
    assert found["benchmarks"]["mine"]["n"] == 3  # type: ignore[index]
    said = capsys.readouterr().err
    assert "1 row is not measured on: `bad_line`" in said
    assert "1 row is not measured on: `no_gold`" in said


def four(on: str, **more: str | None) -> Wanted:
    return Wanted([on], EvaluateSettings(max_new_tokens=64, samples=4, temperature=0.7), **more)  # type: ignore[arg-type]


def test_every_protocol_has_its_score_and_its_price(server: MisbehavingServer, mine: str, tmp_path: Path) -> None:
    at = f"@{server.base_url}"
    found = measured(f"student{at}", four(mine, verifier=f"verifier{at}"), tmp_path)
    facts = found["benchmarks"]["mine"]  # type: ignore[index]
    assert (facts["n"], facts["score"], facts["strict"]["score"], facts["flexible"]["score"]) == (3, 1.0, 0.0, 1.0)
    assert facts["maj"]["4"]["score"] == pytest.approx(2 / 3)  # 5 outvotes 4
    assert facts["verifier"]["4"]["score"] == 1.0  # a right one is among the four, and it is chosen
    assert facts["verifier"]["1"]["score"] == pytest.approx(2 / 3)  # of one sample there is nothing to choose
    assert facts["pass"]["4"]["score"] == 1.0
    calls = {what: facts[what]["4"]["calls_per_answer"] for what in ("maj", "pass", "verifier")}
    assert calls == {"maj": 4, "pass": 4, "verifier": 8}
    # the server bills a token for every four characters, and one more: `#### 5` is 2 tokens, `Score: 5` is 3
    assert facts["maj"]["4"]["tokens_per_answer"] == pytest.approx(4 * 2)
    assert facts["verifier"]["4"]["tokens_per_answer"] == pytest.approx(4 * 2 + 4 * 3)
    # 15 answers, and a score for each of the distinct sampled answers: 2 + 2 + 3
    assert server.stats["distinct"] == 15 + 7


@pytest.mark.parametrize("name", ["dev.jsonl", "my_train.jsonl", "validation.jsonl"])
def test_a_file_that_is_named_is_measured_on_whatever_it_is_called(
    name: str, server: MisbehavingServer, mine: str, tmp_path: Path
) -> None:
    file = Path(mine.partition("=")[2]).rename(tmp_path / name)
    found = measured(f"m@{server.base_url}", Wanted([f"mine={file}"], EvaluateSettings()), tmp_path)
    assert found["benchmarks"]["mine"]["n"] == len(ANSWERS)


def test_columns_of_a_file_of_ones_own_are_named(server: MisbehavingServer, mine: str, tmp_path: Path) -> None:
    rows = [{"frage": f"What is {q}?", "ergebnis": a} for q, a in ANSWERS.items()]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = f"mine={tmp_path / 'own.jsonl'}"
    with pytest.raises(DataError, match="--column question="):
        measured(f"m@{server.base_url}", Wanted([own], EvaluateSettings()), tmp_path)
    named = Wanted([own], EvaluateSettings(), columns=mapped_columns(["question=frage", "answer=ergebnis"], ""))
    usual = Wanted([mine], EvaluateSettings())
    one, other = (measured(f"m@{server.base_url}", wanted, tmp_path) for wanted in (named, usual))
    assert one["benchmarks"] == other["benchmarks"]


def test_asking_again_asks_nothing_and_more_samples_ask_only_for_these(
    server: MisbehavingServer, mine: str, tmp_path: Path
) -> None:
    model = f"student@{server.base_url}"
    measured(model, Wanted([mine], EvaluateSettings(max_new_tokens=64)), tmp_path)
    assert server.stats["distinct"] == 3
    first = measured(model, four(mine), tmp_path)
    assert server.stats["distinct"] == 15
    assert measured(model, four(mine), tmp_path) == first
    assert server.stats["calls"] == 15


def test_two_models_are_compared_on_the_same_problems(server: MisbehavingServer, mine: str, tmp_path: Path) -> None:
    with serve(lambda call: "#### 4") as weak:
        wanted = Wanted([mine], EvaluateSettings(max_new_tokens=64), compare=f"weak@{weak.base_url}")
        found = measured(f"strong@{server.base_url}", wanted, tmp_path)
        shown = evaluate_models(
            f"strong@{server.base_url}", wanted, runs=tmp_path, store=tmp_path / "store", as_json=False
        )
    compared = found["compared"]
    assert compared["benchmarks"]["mine"]["score"] == pytest.approx(1 / 3)  # type: ignore[index]
    difference = compared["differences"]["mine"]  # type: ignore[index]
    assert difference["difference"]["point"] == pytest.approx(-2 / 3)
    assert (difference["n"], difference["first_only"], difference["second_only"], difference["p"]) == (3, 2, 0, 0.5)
    line = next(line for line in shown.splitlines() if "0 / 2" in line)
    assert "-66.7" in line
    assert "0.500" in line


def test_a_model_extracts_where_the_rules_are_unsure(
    mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    doubtful = "It is either 4 or 7 or 42."
    with serve(lambda call: doubtful if not call.messages[0].content.startswith("Task:") else respond(call)) as server:
        at = f"@{server.base_url}"
        without = measured(f"unsure{at}", Wanted([mine], EvaluateSettings(max_new_tokens=64)), tmp_path)
        assert without["benchmarks"]["mine"]["unjudged"] > 0  # type: ignore[index]
        wanted = Wanted([mine], EvaluateSettings(max_new_tokens=64), judge_model=f"judge{at}")
        asked = measured(f"unsure{at}", wanted, tmp_path)
    assert asked["benchmarks"]["mine"]["unjudged"] == 0  # type: ignore[index]
    assert asked["judge_calls"] == without["benchmarks"]["mine"]["unjudged"]  # type: ignore[index]


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.parquet"])
def test_every_answer_is_written_out(server: MisbehavingServer, mine: str, tmp_path: Path, name: str) -> None:
    wanted = four(mine)._replace(out=tmp_path / name, compare=f"other@{server.base_url}")
    measured(f"student@{server.base_url}", wanted, tmp_path)
    rows = rows_of(tmp_path / name)
    assert len(rows) == 2 * 15
    assert {r["model"].partition("@")[0] for r in rows} == {"student", "other"}
    first = rows[0]
    assert (first["question"], first["gold"], first["draw"]) == ("What is two and two?", "4", 0)
    assert first["options"] == []
    assert (first["response"], first["outcome"]) == ("So it is 4.", "agrees")
    with pytest.raises(UsageError, match="exists already"):
        measured(f"student@{server.base_url}", wanted, tmp_path)
    measured(f"student@{server.base_url}", wanted._replace(replace=True), tmp_path)


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_worked_examples_come_before_each_question_and_are_another_measurement(mine: str, tmp_path: Path) -> None:
    shots = tmp_path / "shots.jsonl"
    rows = [{"question": f"How many are {i} and 1?", "solution": f"{i} + 1 = {i + 1}"} for i in range(5)]
    rows.append({"question": "What is two and two?", "solution": "a test's own"})
    shots.write_text("".join(json.dumps(r) + "\n" for r in rows))
    asked: list[Call] = []

    def answer(call: Call) -> str:
        asked.append(call)
        return "#### 4"

    with serve(answer) as server:
        model = f"m@{server.base_url}"
        plain = Wanted([mine], EvaluateSettings(max_new_tokens=64))
        shown = plain._replace(few_shot=5, shots=str(shots), transport={"concurrency": 1, "timeout_s": 9.0})
        measured(model, plain, tmp_path)
        found = measured(model, shown, tmp_path)
        assert found["few_shot"] == 5
        assert len(asked) == 6
        turns = [m.role for m in asked[-1].messages]
        assert turns == ["user", "assistant"] * 5 + ["user"]
        texts = [m.content for m in asked[-1].messages[:-1]]
        assert "How many are 3 and 1?" in texts
        assert "What is two and two?" not in texts  # a tested problem is never shown
        with pytest.raises(UsageError, match=r"needs as many worked problems.*has 5"):
            measured(model, shown._replace(few_shot=6), tmp_path)
        with pytest.raises(UsageError, match=r"mine\.jsonl` has 0"):
            measured(model, plain._replace(few_shot=1), tmp_path)


def test_only_problems_of_a_single_number_as_in_the_papers_six(server: MisbehavingServer, tmp_path: Path) -> None:
    rows = [{"question": f"What is {q}?", "answer": a} for q, a in ANSWERS.items()]
    rows[1]["answer"] = "7 and 3"
    (tmp_path / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    counts = []
    for answers in ("any", "number"):
        wanted = Wanted([f"mixed={tmp_path / 'mixed.jsonl'}"], EvaluateSettings(max_new_tokens=64), answers=answers)  # type: ignore[arg-type]
        counts.append(measured(f"s@{server.base_url}", wanted, tmp_path)["benchmarks"]["mixed"]["n"])  # type: ignore[index]
    assert counts == [3, 2]


def test_a_set_without_official_splits_is_measured_whole_or_in_its_drawn_part(tmp_path: Path) -> None:
    dice = random.Random(3)
    stories = [" ".join("".join(dice.choices("abcdeiou", k=5)) for _ in range(12)) for _ in range(48)]
    rows = [
        {"ID": f"chal-{i}", "Body": story, "Question": "How many are left?", "Answer": 3.0, "Equation": "( 6.0 - 3.0 )"}
        for i, story in enumerate(stories)
    ]  # no two of them near each other
    (tmp_path / "SVAMP.json").write_text(json.dumps(rows))
    sizes = []
    with serve(lambda call: "#### 3") as server:
        for held_out in (False, True):
            settings = EvaluateSettings(max_new_tokens=64)
            wanted = Wanted(["svamp"], settings, data=tmp_path, held_out=held_out, base_url=server.base_url)
            found = measured("m", wanted, tmp_path)
            sizes.append(found["benchmarks"]["svamp"]["n"])  # type: ignore[index]
    assert sizes[0] == 48
    assert 0 < sizes[1] < 48


def test_a_verifier_needs_samples(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --samples 4"):
        evaluate_models(
            "m", Wanted(["gsm8k"], EvaluateSettings(), verifier="v"), runs=tmp_path, store=tmp_path, as_json=True
        )


def test_published_scores_stand_beside_the_whole_benchmark_only() -> None:
    share = {"score": 0.8, "low": 0.7, "high": 0.9}
    price = {"calls_per_answer": 1, "tokens_per_answer": 90.0}
    for n, there in ((1319, True), (1318, False)):
        facts = {**share, **price, "n": n, "strict": share, "flexible": share, "unjudged": 0, "truncated": 0.0}
        shown = measured_text(
            [Measurement("mine", EvaluateFacts.of({"samples": 1, "benchmarks": {"gsm8k": facts}}))], {}
        )
        assert ("Beside published scores: GSM8K, 1,319 items, pass@1" in shown) is there
        assert (published("GSM8K")[0].model in shown) is there


@pytest.mark.parametrize(
    "line",
    [("check-model", "x"), ("evaluate", "x", "--on", "own=own.csv"), ("ask", "x", "2 + 2?"), ("judge", "own.csv")],
)
def test_a_model_of_this_machine_without_torch_is_told_what_to_install(
    line: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.csv").write_text("question,answer,response\n2 + 2?,4,4\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    done = call_in(tmp_path, *line, *(["--model", "x"] if line[0] == "judge" else []))
    assert done.code == 2
    assert "needs the package `torch`, which is not installed: pip install 'orcamath[student]'" in done.err
    assert "fault" not in done.err
