"""Every benchmark runs as a program, takes `--json`, and prints one object and nothing else on stdout."""

import importlib
import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from orcamath.student import logprobs
from orcamath.student.head import holds

FOLDER = Path(__file__).parents[2] / "benchmarks"
TEXTS = {p.stem: p.read_text(encoding="utf-8") for p in FOLDER.glob("*.py")}
BENCHMARKS = sorted(name for name, text in TEXTS.items() if "__all__ = " not in text)
"""The others are what several share, and say by `__all__` what."""
slow = pytest.mark.slow


def run(name: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one as `python benchmarks/NAME.py …` would, in this process: torch is imported once for all of them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_says_what_it_is_and_takes_json(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(name, ["--help"], monkeypatch)
    said = capfd.readouterr().out
    assert ended.value.code == 0
    assert "--json" in said
    assert len(said.splitlines()) > 5


TINY: list[Any] = [
    ("against", ["--pairs", "1", "{here}", "answers_per_cpu_second", "judging.py", "{answers}"], "ratio"),
    ("cap", ["--trials", "2"], "overspend"),
    pytest.param("contamination", ["--rows", "300"], "same_neighbours", marks=slow),
    ("duplicates", ["--n", "100", "--show", "1"], "thresholds"),
    ("faults", ["--seeds", "4"], "equal_to_fault_free"),
    ("judging", ["{answers}"], "pooled"),
    ("judging", ["{answers}", "--rows"], "pooled"),
    ("judging", ["{answers}", "--hostile", "50"], "exceptions"),
    ("mistakes", ["--n", "40"], "arithmetic slip"),
    ("licences", [], "packages"),
    ("quick", ["--only", "minhash"], "figures"),
    ("minhash", ["--n", "50", "--rounds", "1"], "cpu_us"),
    pytest.param("rows", ["--n", "60", "--rounds", "1"], "collect", marks=slow),
    pytest.param("seeds_rss", ["--few", "3", "--many", "6"], "extra_mb", marks=slow),
    ("scale", ["--sizes", "4", "8", "--only", "preferences", "--workers"], "preferences"),
    pytest.param("scale", ["--sizes", "4", "8", "12", "--replay", "6", "--workers"], "replay", marks=slow),
    ("sources_at_size", ["200"], "near"),
    pytest.param("verification", ["--seeds", "6"], "methods", marks=slow),
    pytest.param("client_overhead", ["--calls", "20", "--repeats", "1"], "cpu_ratio", marks=slow),
    pytest.param("kill_resume", ["--kills", "1", "--only", "seeds"], "kills", marks=slow),
    ("gpu", ["--device", "cpu", "--tiny", "--minutes", "1", "--only", "sampling"], "stages"),
    pytest.param("sft", ["--lessons", "16", "--repeats", "1"], "sft_speedup", marks=slow),
    pytest.param("bitrot", ["--flips", "20"], "silent", marks=slow),
    pytest.param("view", ["--n", "30"], "index_mb", marks=slow),
    pytest.param("training_memory", ["--hidden", "64", "--layers", "1", "--only", "full"], "cases", marks=slow),
]
BY_HAND = {
    "beginnings",
    "clusters",
    "contamination_recall",
    "real_agents",
    "labels",
    "forged_verdicts",
    "online",
    "preference_training",
    "ray_data_fill",
    "sampling",
    "vllm_side",
}
"""Run by hand only: the first six need the real problem sets or a real model, the others train for minutes at any size, the
last is run by an environment that has vLLM. `ray_data_fill` begins a cluster: tests/cluster/test_ray_data.py tries it."""


@pytest.mark.parametrize(("name", "arguments", "figure"), TINY)
def test_it_prints_one_object_and_nothing_else(
    name: str,
    arguments: list[str],
    figure: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("ORCAMATH_TEST_DATA", raising=False)  # its figures on made-up texts, which are always here
    rows = [{"question": "2+2?", "gold": "4", "response": r, "label": r == "4"} for r in ("4", "5", "perhaps")]
    (tmp_path / "some.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    run(name, ["--json", *(a.format(answers=tmp_path, here=FOLDER.parent) for a in arguments)], monkeypatch)
    (line,) = capfd.readouterr().out.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    assert figure in found


def test_labels_are_held_against_marks_and_a_rule_against_what_solvers_were_asked(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def problem(name: str, answer: str | None, origin: str, rule: str | None) -> dict[str, Any]:
        known = {"answer": answer, "answer_from": "hidden_number"} if answer else {}
        return {
            "writer": "w",
            "rule": rule,
            "id": name,
            "question": f"{name}?",
            "origin": origin,
            "source": "s",
        } | known

    ask, edit = "ask_me_anything", "suggester_editor"
    rows = [
        problem("right", "4", ask, None),
        problem("wrong", "5", ask, None),
        problem("unsolved", "6", ask, None),
        problem("edit", None, edit, None),
        problem("rejected", "7", ask, "kind"),
        problem("rejected and never solved", "8", ask, "kind"),
    ]
    answers = {
        "right": ["3", "4", "4"],
        "wrong": ["5", "5"],
        "unsolved": [None, "1"],
        "edit": ["9", "9"],
        "rejected": ["7"],
    }
    truths = {"right": "4", "wrong": None, "unsolved": "6", "edit": "9", "rejected": "2"}
    marks = [{"id": row["id"], "truth": truths.get(row["id"]), "harder": row["id"] == "edit"} for row in rows]
    solved = [{"id": name, "answers": found} for name, found in answers.items()]
    for name, lines in (("results-w", rows), ("answers-s", solved), ("marks", marks)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    run("labels", ["score", "--out", str(tmp_path), "--marks", str(tmp_path / "marks.jsonl"), "--json"], monkeypatch)
    found = json.loads(capfd.readouterr().out)

    def counts(share: dict[str, str]) -> list[str]:
        return [text.partition(":")[0] for text in share.values()]

    assert found["marked"] == 4
    assert {name: counts(share) for name, share in found["verified"].items()} == {
        f"{ask}, s, k = 1": ["1 of 3", "0 of 1"],
        f"{ask}, s, k = 2": ["1 of 3", "0 of 1"],
        f"{ask}, s, k = 3": ["2 of 3", "1 of 2"],
        f"{edit}, s, k = 1": ["0 of 1", "0 of 0"],
        f"{edit}, s, k = 2": ["1 of 1", "1 of 1"],
    }
    assert counts(found["rules"][f"{ask}, kind"]) == ["0 of 2", "1 of 1"]
    assert counts(found["writers"][f"w, {edit}"]) == ["1 of 1", "1 of 1"]


@slow
def test_kills_that_were_broken_off_go_on_and_only_with_the_same_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for kills in (1, 2):
        run(
            "kill_resume",
            ["--kills", str(kills), "--only", "seeds", "--work", str(tmp_path / "work"), "--json"],
            monkeypatch,
        )
        done = capfd.readouterr()
        assert json.loads(done.out)["kills"] == kills
        assert done.err.count("seeds killed") == 1
    (tmp_path / "work/code.txt").write_text("another")
    with pytest.raises(SystemExit, match="begun with other code"):
        run("kill_resume", ["--work", str(tmp_path / "work")], monkeypatch)


@pytest.mark.filterwarnings("default")  # peers' own, which would be errors here
@pytest.mark.parametrize(
    ("minutes", "more", "said"),
    [("0", [], {"skipped"}), pytest.param("5", ["--repeats", "1"], {"wall_s"}, marks=slow)],
)
def test_every_stage_for_a_gpu_is_written_to_the_file_as_it_ends(
    minutes: str,
    more: list[str],
    said: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "gpu.json"
    run("gpu", ["--device", "cpu", "--tiny", "--minutes", minutes, "--out", str(out), "--json", *more], monkeypatch)
    printed = json.loads(capfd.readouterr().out)
    assert printed == json.loads(out.read_text())
    assert len(printed["stages"]) == 6
    assert all(said <= set(stage) for stage in printed["stages"].values())
    assert '"error"' not in out.read_text()


@pytest.mark.parametrize("way", ["whole", "in slices", "by TRL"])
def test_a_meter_counts_the_head_once_however_it_is_run(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    shape = importlib.import_module("pupil_shape")
    meter, model = shape.Meter(), shape.make_model()
    body = sum(p.numel() for p in model.parameters()) - 820 * 128  # tied
    if way == "by TRL":
        pytest.importorskip("trl.trainer.utils").add_fused_lm_head(model)
    meter.count(model)
    ids = torch.arange(3, 33).reshape(2, 15)
    monkeypatch.setattr(logprobs, "MAX_LOGITS", 820 * 4)

    def forward() -> torch.Tensor:
        made: torch.Tensor
        if way == "whole":
            made = model(ids).logits
        elif way == "by TRL":
            made = model(ids, labels=ids, fused_lm_head=True).log_probs
        else:
            rows = [(row[:5], row[5:]) for row in ids.tolist()]
            made = logprobs.score_rows(model, rows)
        return made.sum()

    holds(model)  # asked once a model, which is no work of the training's
    meter.tokens = meter.passes = meter.flops = 0
    forward().backward()
    read, predicted = {"whole": (30, 30), "in slices": (28, 20), "by TRL": (30, 28)}[way]
    assert meter.took()["flops"] == 6 * (read * body + predicted * 820 * 128)
    with torch.no_grad():
        forward()
    assert meter.took()["flops"] == 8 * (read * body + predicted * 820 * 128)
    assert (meter.tokens, meter.passes) == (2 * read, 4 * read)


def test_each_is_tried_here_or_named_as_one_to_run_by_hand() -> None:
    tried = {getattr(case, "values", case)[0] for case in TINY}
    assert tried | BY_HAND == set(BENCHMARKS)
    assert not tried & BY_HAND


def test_what_libraries_and_children_print_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "loud.py").write_text(
        '"""Loud."""\nimport os, subprocess, sys\nfrom figures import report\n'
        "def measure(args):\n    print('a line')\n    os.write(1, b'from C\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n    return {'x': 1}\n"
        "report(__doc__, lambda parser: None, measure)\n"
    )
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", ["loud.py", "--json"])
    runpy.run_path(str(tmp_path / "loud.py"), run_name="__main__")
    said = capfd.readouterr()
    assert said.out == '{"x": 1}\n'
    assert said.err.splitlines() == ["a line", "from C", "1"]
