"""Before the first call is paid: every kind of mistake in a recipe is told by place, value and fix, and nothing is sent."""

import json
import shutil
import sys
from contextlib import suppress
from importlib import resources
from importlib.metadata import metadata
from pathlib import Path

import pytest

from orcamath.checks.models import models_asked
from orcamath.checks.trouble import Checked
from orcamath.checks.whole import LEAST_FREE, check
from orcamath.classroom.pupil import pupil, tokenizer
from orcamath.cli import main
from orcamath.commands.costs import planned
from orcamath.commands.disk import Disk, disk_of
from orcamath.commands.doctor import check_up
from orcamath.errors import RecipeError
from orcamath.ports import Silent
from orcamath.recipe_file import load, shipped
from orcamath.sources.hub_rows import is_remote
from orcamath.store.artifacts import Store
from orcamath.testing import serve, stub

ROWS = "".join(
    json.dumps({"question": f"Tom has {i} apples and 4 pears. How many?", "answer": str(i + 4)}) + "\n"
    for i in range(5)
)
BASE = """\
name: mine
seeds: {sources: [{name: file, path: seeds.jsonl, split: train}]}
benchmarks: {sources: [{name: file, path: test.jsonl, split: test, called: held-out}]}
teacher: {model: gpt-4.1-mini, base_url: "http://127.0.0.1:1/v1", api_key_env: null}
student: {base: classroom}
iterations: [{}]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / "seeds.jsonl").write_text(ROWS)
    (tmp_path / "test.jsonl").write_text(ROWS)
    (tmp_path / "r.yaml").write_text(BASE)
    (tmp_path / "no_loss.py").write_text("x = 1\n")
    (tmp_path / "bare").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text('{"model_type": "lama"}')
    (tmp_path / "odd" / "model.safetensors").write_bytes(b"")
    (tmp_path / "noquestion.csv").write_text("text,solution\nTom,3\n")
    (tmp_path / "nogold.jsonl").write_text('{"question": "How many?"}\n')
    (tmp_path / "empty.jsonl").write_text("")
    return tmp_path


def test_a_recipe_without_a_mistake_has_no_trouble(here: Path) -> None:
    assert check(load("r.yaml"), here / "store") == ((), (), ())


@pytest.mark.parametrize("name", shipped())
def test_recipes_that_ship_need_only_their_data_keys_and_models(here: Path, name: str) -> None:
    found = check(load(name), here / "store", everything=False)
    assert not [t for t in found.troubles if not t.where.startswith(("seeds", "benchmarks", "student"))], found


# override → (where, words that must be there): what is wrong and what to do
MISTAKES: dict[str, tuple[str, ...]] = {
    "learn.loss=ppo": ("iterations.0.learn.loss", "no loss `ppo`", "did you mean", "known"),
    "learn.loss=./no_loss.py": ("iterations.0.learn.loss", "no_loss.py", "defines no `loss`"),
    "learn.loss=./gone.py": ("gone.py", "does not exist"),
    "judge.name=rule": ("judge.name", "did you mean `rules`"),
    "teacher.backend=openai": ("teacher.backend", "no backend `openai`"),
    "teacher.api_key_env=MY_KEY": ("teacher", "`MY_KEY`", "export MY_KEY="),
    "teacher.base_url=https://example.org/v1": ("teacher", "price", "options"),
    "seeds.sources.0.name=gsm9k": ("seeds.sources.0.name", "did you mean `gsm8k`"),
    "seeds.sources.0.path=gone.jsonl": ("seeds.sources.0", "gone.jsonl", "does not exist"),
    "seeds.sources.0.path=noquestion.csv": ("seeds.sources.0", "noquestion.csv", "columns"),
    "seeds.sources.0.path=empty.jsonl": ("seeds.sources.0", "holds no problem"),
    "benchmarks.sources.0.path=nogold.jsonl": ("benchmarks.sources.0", "known answer", "columns"),
    "benchmarks.sources.0={name: file, path: test.jsonl, split: test, limit: 2}": (),
    "student.base=./bare": ("student.base", "no config.json", "name the folder"),
    "student.base=./gone": ("student.base", "no model at `./gone`"),
    "student.base=./odd": ("student.base", "model_type: lama", "did you mean `llama`"),
    "imitate.max_tokens=8": ("imitate.max_tokens", "do not hold one example", "raise it"),
    "learn.max_tokens=8": ("iterations.0.learn.max_tokens", "do not hold one example"),
    "learn.adapter={quantize: 4bit}": ("adapter.quantize", "bitsandbytes", "pip install"),
    "budget.stages_usd={tech: 3}": ("budget.stages_usd.tech", "did you mean `teach`"),
    "budget.stages_usd={confirm: 1, agent: 1}": (),
    "screens=[clasroom]": ("screens.0", "no screen `clasroom`", "did you mean `classroom`"),
    "agents=[{name: ./gone.py}]": ("agents.0.name", "gone.py", "does not exist"),
    "solver={backend: nosuch, model: m}": ("solver.backend", "no backend `nosuch`"),
    "as_they_are={sources: [{name: file, path: gone.jsonl}]}": (
        "as_they_are.sources.0",
        "gone.jsonl",
        "does not exist",
    ),
    "judge.prompt=gone.txt": ("judge.prompt", "gone.txt"),
    "budget.stages_usd={teach: -1}": ("budget.stages_usd.teach", "no amount"),
    "practice.server={command: no-such-server --model x}": ("practice.server", "no-such-server", "PATH"),
    "practice.server={command: python serve.py}": ("practice.server", "lacks {model}, {name}, {port}"),
    "practice.server={engine: vllm}": ("iterations.0.practice.server", "the program `vllm`", "in `command`"),
    "seeds.sources.0.split=test": ("seeds.sources.0.split", "asks for its test split", "allow_test: [file]"),
    "imitate.adapter={quantize: 4bit}": ("imitate.adapter.quantize", "4bit needs a GPU", "train elsewhere"),
    "teach.prompt=gone.md": ("teach.prompt", "gone.md"),
    "teach.examples=gone.md": ("teach.examples", "gone.md"),
    "suggester_editor.editor.examples=test.jsonl": ("suggester_editor.editor.examples", "one line `---`"),
    "budget.stages_usd={online: 1}": (),
    "practice={problems: fresh}": ("iterations.0.practice.label", "no teacher's answer", "`known_answer`"),
    "practice={problems: fresh, label: known_answer}": (
        "iterations.0.practice.unconfirmed",
        "nothing confirms the known answers",
        "`confirm: {solutions: 2}`",
    ),
    "practice={problems: fresh, label: known_answer, unconfirmed: [gold]}": (),
    "judge.name=model": ("judge", "needs a model", "name a `judge_model`"),
    "student.options={chunks: 3}": ("student.options", "unknown option `chunks`", "did you mean `chunk`"),
    "unspoilt=cleen": ("unspoilt", "no arm `cleen`", "known"),
    "hypotheses={test: [{id: a, statement: s, student: M2, against: M9}]}": (
        "hypotheses.test.0.against",
        "no student `M9`",
        "known: `M1`, `M2`",
    ),
    "hypotheses={test: [{id: a, statement: s, student: M2, against: M1}]}": (),
}


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_told_with_place_value_and_fix(here: Path, override: str) -> None:
    found = check(load("r.yaml", [override]), here / "store")
    said = "\n".join(t.line() for t in found.troubles)
    assert bool(said) == bool(MISTAKES[override]), said
    words = MISTAKES[override]
    missing = [w for w in words if w not in said]
    # of the alternatives `did you mean` and `known` one is enough
    assert not missing or set(missing) < {"did you mean", "known"} & set(words), said


def test_a_toy_that_would_be_trained_on_problems_of_ones_own_is_told(here: Path) -> None:
    (here / "r.yaml").write_text(BASE.replace("student: {base: classroom}\n", ""))
    (warned,) = check(load("r.yaml"), here / "store").warnings
    assert "none is named, so `classroom` would be trained" in warned
    assert check(load("r.yaml"), here / "store", until="gate").warnings == ()


def test_a_start_from_verdicts_is_one_round_of_preferences(here: Path) -> None:
    (here / "v.jsonl").write_text('{"question": "1 + 1?", "response": "2", "label": true}\n')
    start = "start_from={stage: verdicts, path: v.jsonl}"

    def said(rounds: str) -> list[str]:
        found = check(load("r.yaml", [start, "ask_me_anything=null", f"iterations={rounds}"]), here / "store")
        return [t.where for t in found.troubles if t.where.startswith("iterations")]

    assert said("[{}]") == []
    assert said("[{more_sft: {}}]") == ["iterations.0.more_sft"]
    assert said("[{}, {}]") == ["iterations"]


def test_the_models_that_grow_again_are_asked(here: Path) -> None:
    """Lessons of one's own need no teacher, until a round grows from them."""
    (here / "lessons.jsonl").write_text('{"question": "1 + 1?", "solution": "#### 2", "answer": "2"}\n')
    ways = ["start_from={stage: lessons, path: lessons.jsonl}", "teacher.api_key_env=NOT_SET"]
    assert "teacher" not in models_asked(load("r.yaml", ways))
    grown = load("r.yaml", [*ways, "iterations=[{}, {grow: {}}]"])
    assert "teacher" in models_asked(grown)
    assert any("NOT_SET" in t.line() for t in check(grown, here / "store").troubles)


def test_answers_that_the_students_context_would_cut_are_told(here: Path) -> None:
    shutil.copytree(Path(str(resources.files("orcamath.classroom") / "base")), here / "short")
    config = here / "short" / "config.json"
    told = json.loads(config.read_text())

    def found(context: int) -> Checked:
        config.write_text(json.dumps(told | {"max_position_embeddings": context}))
        return check(load("r.yaml", ["student.base=./short", "evaluate.max_new_tokens=120"]), here / "store")

    assert found(4096).warnings == found(1024).warnings
    (cut,) = [w for w in found(128).warnings if w.startswith("evaluate.max_new_tokens")]
    assert "context of 128: answers are cut at" in cut
    (none,) = [t.line() for t in found(20).troubles]
    assert none.startswith("student.base: its context of 20 tokens holds no answer")


@pytest.mark.parametrize("key", ["teacher.model", "student.base"])
def test_a_local_model_whose_answers_could_not_end_is_found_before_it_is_asked(here: Path, key: str) -> None:
    shutil.copytree(Path(str(resources.files("orcamath.classroom") / "base")), here / "endless")
    for name in ("tokenizer_config.json", "config.json", "generation_config.json"):
        told = json.loads((here / "endless" / name).read_text())
        kept = {k: v for k, v in told.items() if k not in ("eos_token", "eos_token_id")}
        (here / "endless" / name).write_text(json.dumps(kept))
    local = (
        "teacher={backend: transformers_local, model: ./endless}"
        if key == "teacher.model"
        else "student.base=./endless"
    )
    found = check(
        load("r.yaml", [local]), here / "store", until="teach" if key == "teacher.model" else None, everything=False
    )
    (told,) = found.troubles
    assert told.where == key
    assert "no eos_token" in told.what


@pytest.mark.parametrize("override", ["teacher.backend=openai", "seeds.sources.0.split=test"])
def test_a_mistake_is_told_once(here: Path, override: str) -> None:
    assert len(check(load("r.yaml", [override]), here / "store").troubles) == 1


def test_a_plan_for_another_machine_warns_of_what_this_one_lacks(here: Path) -> None:
    found = check(
        load("r.yaml", ["imitate.processes=4", "imitate.adapter={rank: 8}"]), here / "store", everything=False
    )
    assert found.troubles == ()
    found = check(load("r.yaml", ["imitate.adapter={quantize: 4bit}"]), here / "store", everything=False)
    assert any(w.startswith("imitate.adapter.quantize: 4bit needs a GPU") for w in found.warnings)


def test_tries_that_will_not_be_made_are_told_and_stop_no_older_run(here: Path) -> None:
    asked = load("r.yaml", ["teach.tries=3", "ask_me_anything={statement: {tries: 4, temperature: 0}}"])
    found = check(asked, here / "store", everything=False)
    assert found.troubles == ()
    told = [w for w in found.warnings if "would bring the same text" in w]
    assert [w.partition(": ")[0] for w in told] == ["ask_me_anything.statement.tries", "teach.tries"]


def test_more_processes_than_gpus_are_refused_here_and_left_to_a_cluster(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    asked = load("r.yaml", ["imitate.processes=4"])
    (told,) = check(asked, here / "store").troubles
    assert (told.where, "2 GPUs" in told.what) == ("imitate.processes", True)
    assert check(asked, here / "store", on_cluster=True).troubles == ()


def test_a_model_that_this_machine_serves_has_no_gpu_of_the_student(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    asked = load("paper-open", ["student.base=classroom"])

    def told(**how: bool) -> list[str]:
        return [w for w in check(asked, here / "store", everything=False, **how).warnings if "CUDA_VISIBLE" in w]

    (warned,) = told()  # the judge is the same model at the same server
    assert "serves `Qwen/Qwen2.5-72B-Instruct`" in warned
    assert "they want at least 10 GPUs, and torch sees 8" in warned
    monkeypatch.setattr("torch.cuda.device_count", lambda: 12)
    (warned,) = told()
    assert "at least" not in warned
    assert told(on_cluster=True) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7,8,9,10,11")
    assert told() == []


def test_on_a_cluster_a_students_server_is_not_looked_for_here(here: Path) -> None:
    asked = load("r.yaml", ["practice.server={command: 'no-such-server {model} {name} {port}'}"])
    assert check(asked, here / "store", on_cluster=True).troubles == ()
    (told,) = check(asked, here / "store").troubles
    assert "no-such-server" in told.what


def test_that_nothing_will_be_measured_is_said_and_stops_nobody(here: Path) -> None:
    found = check(load("r.yaml", ["benchmarks.sources=[]"]), here / "store")
    assert found.troubles == ()
    assert found.warnings == (
        "benchmarks.sources: none is named, so no student will be measured; `orcamath init` proposes one",
    )
    assert check(load("r.yaml", ["benchmarks.sources=[]"]), here / "store", until="teach").warnings == ()


def test_an_arms_mistake_is_found_too_and_told_once(here: Path) -> None:
    (here / "r.yaml").write_text(BASE + "variants: {a: {learn: {loss: ppo}}, b: {learn: {loss: ppo}}}\n")
    found = check(load("r.yaml"), here / "store")
    assert len([t for t in found.troubles if "ppo" in t.what]) == 1


def test_data_and_prompts_that_only_an_arm_names_are_looked_at(here: Path) -> None:
    own = "{a: {judge: {prompt: gone.md}}, b: {seeds: {sources: [{name: file, path: gone.csv, split: train}]}}}"
    (here / "r.yaml").write_text(f"{BASE}variants: {own}\n")
    told = [t.line() for t in check(load("r.yaml"), here / "store").troubles]
    assert ["gone.md" in t for t in told] == [True, False], told
    assert "gone.csv" in told[1]


def test_what_needs_network_or_key_is_listed_where_they_are_not_used(here: Path) -> None:
    own = ["student.base=owner/model", "seeds.sources.0={name: gsm8k}", "teacher.api_key_env=MY_KEY"]
    found = check(load("r.yaml", own), here / "store", everything=False)
    assert found.troubles == ()
    assert [u.split(":")[0] for u in found.unchecked] == ["seeds.sources.0", "teacher", "student.base"]


@pytest.mark.parametrize("command", ["run", "plan", "doctor"])
def test_commands_say_all_of_it_before_anything_is_paid(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with serve(stub()) as server:
        text = BASE.replace("http://127.0.0.1:1/v1", server.base_url).replace(
            "iterations: [{}]", "iterations: [{learn: {loss: ppo}}]"
        )
        (here / "r.yaml").write_text(text.replace("base: classroom", "base: ./gone"))
        monkeypatch.setattr(sys, "argv", ["orcamath", command, "r.yaml"])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert ended.value.code in {1, 2}
        assert "ppo" in out + err
        assert "no model at `./gone`" in out + err
        assert server.stats.get("calls", 0) == (command == "doctor")  # its one call, whatever else is wrong
    assert not (here / "runs").exists()


def test_until_names_a_stage_that_is_made(here: Path) -> None:
    found = check(load("r.yaml"), here / "store", until="techa")
    assert [t.line() for t in found.troubles] == ["--until: `mine` makes no stage `techa`; did you mean `teach`?"]
    with pytest.raises(RecipeError, match="1 thing to mend"):
        found.require("mine")
    for stage in ("teach", "practice", "practice 2", "evaluate M2"):
        assert check(load("r.yaml"), here / "store", until=stage).troubles == ()


def test_a_run_that_stops_before_its_student_needs_none(here: Path) -> None:
    own = ["student.base=./gone", "learn.loss=ppo"]
    for until in ("ask", "teach", "gate"):
        assert check(load("r.yaml", own), here / "store", until=until).troubles == ()
    for until in ("imitate", "practice 2", None):
        assert len(check(load("r.yaml", own), here / "store", until=until).troubles) == 2


def test_a_local_folder_of_a_known_kind_is_no_trouble(here: Path) -> None:
    from orcamath.student.model import save

    words = tokenizer()
    save(pupil(words, 0, width=32, layers=1), words, here / "pupil")
    assert check(load("r.yaml", ["student.base=./pupil"]), here / "store").troubles == ()


def disk(here: Path, *own: str, until: str | None = None) -> Disk:
    recipe = load("r.yaml", own)
    return disk_of(recipe, planned(recipe, Store(here / "store"), Silent()), here / "run", here / "store", until=until)


def test_what_the_disk_cannot_hold_is_told_with_both_sizes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(here)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3_000_000_000))
    (told,) = disk(here, "student.base=owner/model-7b").checked().troubles
    assert told.where == "disk"
    assert told.what.startswith("56,000 – ")
    assert "3,000 MB free, which is too little where" in told.what
    assert "make room, or name another place with --store" in told.what
    assert disk(here, "student.base=owner/model-7b", until="teach").checked() == ((), (), ())
    assert disk(here, "student.base=owner/model-7b", until="imitate").needed_mb.low == pytest.approx(28_000, rel=0.01)
    assert disk(here).checked() == ((), (), ())
    (warned,) = (
        disk(here, "student.base=owner/model-0.3b").checked().warnings
    )  # its weights fit, its checkpoints may not
    assert warned.endswith("which may be too little")


def test_the_most_room_is_for_the_checkpoints_of_those_trained_at_the_same_time(here: Path) -> None:
    weights, checkpoints = (
        28_000,
        4 * 84_000,
    )  # of 7 billion numbers, with both moments: three are kept while one is written
    alone = disk(here, "student.base=owner/model-7b").needed_mb
    assert alone.high - alone.low == pytest.approx(checkpoints, rel=0.01)
    arms = [
        "student.base=owner/model-7b",
        *(f"variants.{a}={{learn: {{beta: 0.{a[-1]}}}}}" for a in ("b2", "b3", "b4")),
    ]
    for workers in (1, 2, 9):
        many = disk(here, *arms, f"workers={workers}").needed_mb
        assert many.low == pytest.approx(alone.low + 3 * weights, rel=0.01)
        assert many.high - many.low == pytest.approx(min(workers, 4) * checkpoints, rel=0.01)


def test_students_that_are_there_already_take_no_more_room(here: Path) -> None:
    whole = disk(here, "student.base=owner/model-7b")
    (here / "store" / "artifacts" / "imitate-0").mkdir()
    (here / "run").mkdir()
    made = {"label": "imitate", "artifact": "imitate-0", "seconds": 1.0, "reused": False}
    gone = {"label": "learn 2", "artifact": "learn-0", "seconds": 1.0, "reused": False}
    (here / "run" / "stages.json").write_text(json.dumps({"stages": [made, gone], "students": [], "recipe": None}))
    left = disk(here, "student.base=owner/model-7b")
    assert whole.needed_mb.low - left.needed_mb.low == pytest.approx(28_000, rel=0.01)


@pytest.mark.parametrize("command", ["run", "plan", "doctor"])
def test_every_command_says_that_the_disk_is_too_small_before_the_first_call(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    usage = shutil.disk_usage(here)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=LEAST_FREE + 1))
    with serve(stub()) as server:
        text = BASE.replace("http://127.0.0.1:1/v1", server.base_url).replace("[{}]", f"[{', '.join(['{}'] * 250)}]")
        (here / "r.yaml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["orcamath", command, "r.yaml"])
        with suppress(SystemExit):
            main()
        said = "".join(capsys.readouterr())
        assert "500 MB free, which is too little where `store` lies: make room" in said
        assert server.stats.get("calls", 0) == (command == "doctor")


def test_what_a_run_elsewhere_has_already_is_not_planned_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, run = here / "there" / "store", here / "there" / "runs" / load("r.yaml").name
    made = {"label": "imitate", "artifact": "imitate-0", "seconds": 1.0, "reused": False}
    (store / "artifacts" / "imitate-0").mkdir(parents=True)
    run.mkdir(parents=True)
    (run / "stages.json").write_text(json.dumps({"stages": [made], "students": [], "recipe": None}))
    (here / "r.yaml").write_text(BASE.replace("base: classroom", "base: owner/model-7b"))
    monkeypatch.setattr(sys, "argv", ["orcamath", "plan", "r.yaml", "--runs", str(run.parent), "--store", str(store)])
    with suppress(SystemExit):
        main()
    assert "disk: 28,0" in capsys.readouterr().out


def test_doctor_lists_every_extra_and_how_to_get_what_is_missing() -> None:
    said, _ = check_up(None)
    lines = {line.split(":")[0]: line for line in said.splitlines()}
    assert "pydantic 2" in lines["needed"]
    assert "torch 2" in lines["extra student"]
    for extra in set(metadata("orcamath").get_all("Provides-Extra", ())) - {"dev", "docs", "browser"}:
        told = lines[f"extra {extra}"]
        assert "not installed" not in told or f"pip install 'orcamath[{extra}]'" in told
    assert not {"extra dev", "extra docs", "extra browser"} & set(lines)


def test_a_plan_of_hub_sets_that_are_not_here_needs_no_hub(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["orcamath", "plan", "gsm8k-small", "--json"])
    with suppress(SystemExit):
        main()
    told = json.loads(capsys.readouterr().out)
    assert {s["stage"] for s in told["stages"]} >= {"ask", "edit", "teach"}
    assert told["disk_mb"][1] > told["disk_mb"][0] > 0
    assert any("comes from the hub" in u for u in told["not_checked"])
    own = load("gsm8k-small", [f"{k}.sources.0={{name: file, path: {k}.jsonl}}" for k in ("seeds", "benchmarks")])
    assert not [s for s in (*own.seeds.sources, *own.benchmarks.sources) if is_remote(s)]


@pytest.mark.parametrize(
    ("wrong", "calls", "says"),
    [
        ("student: {base: no-such/model}", 1, "problem: student.base"),
        ("student: {base: classroom}\nlearn: {loss: ppo}", 1, "problem: iterations.0.learn.loss"),
        ("student: {base: classroom}\nbudget: {cap_usd: 0}", 0, "was not asked: mend first"),
        ("student: {base: classroom}\nstart_from: {stage: lessons, path: test.jsonl}", 0, "the recipe asks no teacher"),
    ],
)
def test_doctor_asks_the_teacher_whatever_else_is_wrong(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: str,
    calls: int,
    says: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with serve(stub()) as server:
        text = BASE.replace("http://127.0.0.1:1/v1", server.base_url).replace("student: {base: classroom}", wrong)
        (here / "r.yaml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["orcamath", "doctor", "r.yaml"])
        with suppress(SystemExit):
            main()
        said = capsys.readouterr().out
        assert says in said
        assert server.stats.get("calls", 0) == calls
        assert ("answered with" in said) == bool(calls)


def test_doctor_says_whom_it_waits_for_and_how_long(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(stub()) as server:
        (here / "r.yaml").write_text(BASE.replace("http://127.0.0.1:1/v1", server.base_url))
        monkeypatch.setattr(sys, "argv", ["orcamath", "doctor", "r.yaml"])
        with pytest.raises(SystemExit):
            main()
        assert server.stats["calls"] == 1
    assert (
        "waiting for the teacher `gpt-4.1-mini` to answer one question: up to 120 s a try, 6 tries"
        in capsys.readouterr().err
    )
