"""A run as its user lives it: to the report, again in no time, killed and resumed, stopped early, told what is wrong."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from commanding import Done, call, call_in
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import read_state
from orcamath.testing import serve, stub
from orcamath.testing.batches import BatchDesk
from pace import within

STAGES = [
    "benchmarks",
    "seeds",
    "ask",
    "edit",
    "collect",
    "teach",
    "gate",
    "unseen",
    "evaluate base 0",
    "imitate",
    "evaluate M1",
    "practice 2",
    "judge 2",
    "preferences 2",
    "learn 2",
    "evaluate M2",
]


@pytest.fixture
def orcamath(tmp_path: Path) -> Callable[..., Done]:
    """The command line in this process, in an empty folder: as a user calls it, without paying for torch each time."""

    def called(*args: str, cwd: Path = tmp_path) -> Done:
        return call_in(cwd, *args)

    return called


def flags(overrides: list[str]) -> list[str]:
    return [part for o in overrides for part in ("--set", o)]


def begun(store: Path, stage: str, run: "subprocess.Popen[str]") -> None:
    """Wait until a run is making a stage: its unsealed folder is there."""
    while not list((store / "artifacts").glob(f".{stage.split(' ')[0]}-*.making")):
        assert run.poll() is None, f"the run ended before it made `{stage}`"
        time.sleep(0.001)


def sealed_data(store: Path) -> dict[str, str]:
    """Hash of every sealed table, by stage and digest (weights are left out: training is the same to rounding)."""
    return {
        str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted((store / "artifacts").glob("[a-z]*/*.parquet"))
    }


def foretold(run: Path) -> tuple[str, list[str]]:
    """How a run says it ended, and the stages it said would come."""
    state = read_state(run)
    assert state is not None
    return state.ending, list(state.expected)


def test_seeds_to_report_and_again_in_no_time(orcamath, tmp_path: Path, small: list[str]) -> None:
    done = orcamath("run", "classroom", *flags(small))
    assert done.code == 0, done.err
    assert "report: runs/classroom/report.html" in done.out
    assert "ask_me_anything" in done.out
    assert (tmp_path / "runs/classroom/report.html").stat().st_size > 10_000
    pointers = json.loads((tmp_path / "runs/classroom/stages.json").read_text())
    assert [s["label"] for s in pointers["stages"]] == STAGES
    assert [s["name"] for s in pointers["students"]] == ["M0", "M1", "M2"]
    assert foretold(tmp_path / "runs/classroom") == ("done", STAGES)

    before = sealed_data(tmp_path / "store")
    again = orcamath("run", "classroom", *flags(small))
    assert again.code == 0
    assert again.err.splitlines() == [f"{len(STAGES)} stages reused: {', '.join(STAGES)}"]
    assert sealed_data(tmp_path / "store") == before

    # another beta is another training, but the reference's log-probs are those remembered in the store
    remembered = tmp_path / "store/reference/reference.sqlite"
    known = remembered.stat().st_size
    own = [*small, "learn.beta=0.7", "trackers=[tensorboard]"]
    other = orcamath("run", "classroom", *flags(own), "--name", "other", "--until", "learn")
    assert "learn 2" in other.err
    assert remembered.stat().st_size == known
    assert [p.name for p in (tmp_path / "runs/other/tensorboard").iterdir()] == [
        "learn-2"
    ]  # what was trained, not reused

    status = orcamath("status", "classroom", "--json")
    told = json.loads(status.out)
    assert told["stands"] == "done"
    assert [s["label"] for s in told["arms"][0]["stages"]] == STAGES
    answer = orcamath("ask", "classroom/M2", "At the start Ada had 18 beads. How many?")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    "stage", ["teach", *(pytest.param(s, marks=pytest.mark.slow) for s in ("ask", "imitate", "practice 2", "learn 2"))]
)
def test_killed_in_a_stage_the_same_command_ends_with_the_same_data(
    orcamath, tmp_path: Path, small: list[str], stage: str
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert orcamath("run", "classroom", *flags(small), "--until", "teach", cwd=whole).code == 0
    command = [sys.executable, "-m", "orcamath", "run", "classroom", *flags(small)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        begun(tmp_path / "store", stage, run)
        run.send_signal(signal.SIGKILL)
        assert run.wait(30) == -signal.SIGKILL
    resumed = orcamath("run", "classroom", *flags(small))
    assert resumed.code == 0, resumed.err
    uninterrupted = sealed_data(whole / "store")
    assert uninterrupted.items() <= sealed_data(tmp_path / "store").items()


@pytest.mark.parametrize("by", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_interrupt_leaves_a_resumable_run(orcamath, tmp_path: Path, small: list[str], by: signal.Signals) -> None:
    command = [sys.executable, "-m", "orcamath", "run", "classroom", *flags(small)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        assert run.stderr is not None
        begun(tmp_path / "store", "imitate", run)
        run.send_signal(by)
        rest = run.stderr.read()
        assert run.wait(30) == 130, rest
    assert "the same command goes on" in rest
    assert "Traceback" not in rest
    assert orcamath("run", "classroom", *flags(small), "--until", "imitate").code == 0


def test_until_and_limit_stop_where_they_say(orcamath, tmp_path: Path, small: list[str]) -> None:
    done = orcamath("run", "classroom", *flags(small), "--until", "teach", "--limit", "7")
    assert done.code == 0
    labels = [s["label"] for s in json.loads((tmp_path / "runs/classroom/stages.json").read_text())["stages"]]
    assert labels[-1] == "teach"
    assert "seeds: 7 problems" in done.err


def test_arms_share_stages_and_the_control_matches_tokens(orcamath, tmp_path: Path, small: list[str]) -> None:
    """The untrained base, plain and after two lessons, stands in the tables once, and no control is matched to it."""
    arms = "{KTO: {iterations: [{}]}, more: {match_tokens_of: KTO, iterations: [{more_sft: {}}]}}"
    overrides = [o for o in small if not o.startswith(("variants", "iterations"))] + [
        f"variants={arms}",
        "unspoilt=null",
    ]
    done = orcamath("run", "classroom", *flags([*overrides, "base_shown=[0, 2]"]))
    assert done.code == 0, done.err
    tokens = {}
    for arm in ("kto", "more"):
        students = json.loads((tmp_path / f"runs/classroom/arms/{arm}/stages.json").read_text())["students"]
        assert [s["name"] for s in students] == ["M0", "M0, 2 shown", "M1", "M2"]
        tokens[arm] = students[3]["trained_tokens"] - students[2]["trained_tokens"]
    assert tokens["more"] >= tokens["KTO".lower()]
    assert tokens["more"] - tokens["kto"] < 2_000  # at most one step over
    assert "more" in done.out
    rows = json.loads(orcamath("report", "classroom", "--json").out)["rows"]
    assert [r["model"] for r in rows] == ["M0", "M0, 2 shown", "M1", "M2", "M2"]
    imitated = list((tmp_path / "store/artifacts").glob("imitate-*[0-9a-f]"))
    assert len(imitated) == 2  # M1 once for both arms, and the control's second


def test_several_seeds_train_everything_again_and_the_report_averages_them(
    orcamath, tmp_path: Path, small: list[str]
) -> None:
    overrides = [o for o in small if not o.startswith(("variants", "iterations"))]
    overrides += ["variants={KTO: {iterations: [{}]}}", "repeat=[0, 1]"]
    done = orcamath("run", "classroom", *flags(overrides))
    assert done.code == 0, done.err
    assert "seeds 0, 1" in done.out
    made = {
        stage: len(list((tmp_path / "store/artifacts").glob(f"{stage}-*[0-9a-f]")))
        for stage in ("teach", "imitate", "learn")
    }
    assert made == {"teach": 1, "imitate": 2, "learn": 2}
    shown = json.loads(orcamath("report", "classroom", "--json").out)
    assert [(row["arm"], row["model"], set(row["seeds"])) for row in shown["rows"]] == [
        ("", "M0", {"0", "1"}),
        ("", "M1", {"0", "1"}),
        ("KTO", "M2", {"0", "1"}),
    ]
    m1 = shown["rows"][1]
    assert m1["score"][0] == pytest.approx(sum(m1["seeds"].values()) / 2)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["run", "clasroom"], 2, "did you mean `classroom`?"),
        (["run", "classroom", "--set", "learn.betta=1"], 2, "unknown key `learn.betta`; did you mean `beta`?"),
        (["run", "classroom", "--set", "teach"], 2, "has no `=`"),
        (["run", "missing.yaml"], 2, "`missing.yaml` does not exist"),
        (["run", "classroom", "--set", "student.base=nowhere/at/all"], 2, "nowhere/at/all"),
        (["run", "classroom", "--set", "teacher.backend=textbok"], 2, "did you mean `textbook`?"),
        (["run", "classroom", "--set", "seeds.sources.0.name=nosuch"], 2, "no source `nosuch`"),
        (["report", "never-run"], 2, "there is no run `never-run`"),
    ],
)
def test_bad_input_is_one_clear_message(
    orcamath, tmp_path: Path, small: list[str], args: list[str], code: int, said: str
) -> None:
    shrink = flags([s for s in small if "student.base" not in s]) if args[1] == "classroom" else []
    done = orcamath(*args[:2], *shrink, *args[2:])
    assert done.code == code, done.err
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_malformed_seed_line_is_named_and_nothing_is_lost(orcamath, tmp_path: Path, small: list[str]) -> None:
    (tmp_path / "mine.jsonl").write_text('{"question": "What is 1 + 1?", "answer": "2"}\n{"question": oops}\n')
    own = "seeds.sources=[{name: file, path: mine.jsonl, split: train}]"
    done = orcamath("run", "classroom", *flags([*small, own, "screens=[]"]), "--until", "seeds")
    assert done.code == 2
    assert "mine.jsonl:2" in done.err
    skip = "seeds.sources=[{name: file, path: mine.jsonl, split: train, on_bad_line: skip}]"
    done = orcamath("run", "classroom", *flags([*small, skip, "screens=[]"]), "--until", "seeds")
    assert done.code == 0, done.err
    assert "1 rejected" in done.err


def test_a_second_run_in_the_same_folder_is_told_who_holds_it(orcamath, tmp_path: Path, small: list[str]) -> None:
    with RunFolder(tmp_path / "runs" / "classroom"):
        done = orcamath("run", "classroom", *flags(small))
    assert done.code == 1
    assert f"process {os.getpid()}" in done.err
    assert "--wait" in done.err


def test_a_full_disk_stops_resumably(orcamath, tmp_path: Path, small: list[str]) -> None:
    limited = f"ulimit -f 40; exec {sys.executable} -m orcamath run classroom --until teach " + " ".join(
        f"--set '{o}'" for o in small
    )
    done = subprocess.run(["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert "run" in done.stderr.splitlines()[-2]
    assert orcamath("run", "classroom", *flags(small), "--until", "teach").code == 0


def test_detached_no_arm_waits_for_its_batch_and_the_recipe_kept_says_nothing_of_it(
    orcamath, tmp_path: Path, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with serve(stub(), batches=BatchDesk(polls=1_000_000)) as server:
        where = f"base_url: '{server.base_url}', options: {{price: [0, 0], first_backoff_s: 0.001}}"
        own = f"{{backend: openai_batch, model: m, {where}}}"
        small = [*small, "teacher.options={}"]
        settings = [*small, f"variants={{batch: {{teacher: {own}}}}}", "iterations=[]", "workers=1"]
        assert orcamath("run", "classroom", *flags([*small, "variants={}"]), "--detach").code == 2
        done = orcamath("run", "classroom", *flags(settings), "--detach")
        assert done.code == 4, done.err
        assert "Run the same command again later" in done.err
    assert "detach" not in (tmp_path / "runs/classroom/recipe.yaml").read_text()
    assert "ORCAMATH_DETACH" not in os.environ


def test_help_is_quick() -> None:
    began = time.process_time()
    done = call("--help")
    assert done.code == 0
    assert within(time.process_time() - began, 3.0)  # 0.6 s
    assert "doctor" in done.out


def test_data_can_be_grown_without_torch(tmp_path: Path, small: list[str]) -> None:
    args = ["run", "classroom", *flags([o for o in small if "student.base" not in o]), "--until", "gate"]
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'tokenizers', 'safetensors'): sys.modules[name] = None\n"
        f"sys.argv = ['orcamath', *{args!r}]\n"
        "from orcamath.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gate:" in done.stderr


def test_starting_from_lessons_of_ones_own(orcamath, tmp_path: Path, small: list[str]) -> None:
    rows = [
        {"question": f"Ada had {i} beads. She got 2 more. How many?", "answer": f"{i} + 2\n#### {i + 2}"}
        for i in range(20)
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    own = ["start_from={stage: lessons, path: mine.jsonl}", "screens=[]", "iterations=[]"]
    done = orcamath("run", "classroom", *flags([*small, *own]))
    assert done.code == 0, done.err
    labels = [s["label"] for s in json.loads((tmp_path / "runs/classroom/stages.json").read_text())["stages"]]
    assert labels == ["benchmarks", "lessons", "gate", "unseen", "evaluate base 0", "imitate", "evaluate M1"]
    assert foretold(tmp_path / "runs/classroom") == ("done", labels)


def test_starting_from_judged_answers_of_ones_own(orcamath, tmp_path: Path, small: list[str]) -> None:
    rows = [
        {
            "question": f"Ada had {i} beads. She got 2 more.",
            "response": f"#### {i + k}",
            "label": "yes" if k == 2 else "no",
        }
        for i in range(8)
        for k in (2, 3)
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    own = ["start_from={stage: verdicts, path: mine.jsonl}"]
    done = orcamath("run", "classroom", *flags([*small, *own]))
    assert done.code == 0, done.err
    labels = [s["label"] for s in json.loads((tmp_path / "runs/classroom/stages.json").read_text())["stages"]]
    assert labels == ["benchmarks", "verdicts", "preferences 2", "learn 2", "evaluate M2"]
    assert foretold(tmp_path / "runs/classroom") == ("done", labels)
