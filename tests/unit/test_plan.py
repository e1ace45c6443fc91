"""The plan: exact where calls are remembered, a wide range where they are not, nothing to pay when all is there."""

import json
import shutil
import struct
from importlib.resources import files
from pathlib import Path

import pytest

from commanding import call
from orcamath.assemble import Assembled, size_of
from orcamath.classroom import textbook
from orcamath.commands.asked import RunAsked
from orcamath.commands.costs import confirm_paying_again, plan_of, planned
from orcamath.commands.runs import run_in_folder
from orcamath.errors import BatchWaiting, DataError, ModelError, PaysAgain, UsageError
from orcamath.plan import Plan, Range, StagePlan, paid_before, plan
from orcamath.plan.expected import counted_with
from orcamath.plan.sizes import ModelSize, size_by_name, size_on_disk
from orcamath.plan.training import Lengths, exercises, memory_gb, training_plans
from orcamath.ports import Silent
from orcamath.recipe_file import dump, load
from orcamath.recipe_settings import ExpectedSettings, Iteration, Recipe
from orcamath.running import run_recipe
from orcamath.settings import ModelSettings, StudentSettings
from orcamath.store.artifacts import Store
from orcamath.store.history import History
from orcamath.store.ledger import Ledger
from orcamath.store.run_folder import RunFolder
from orcamath.student.settings import AdapterSettings, SftSettings
from orcamath.testing import of_chat, serve
from orcamath.testing.batches import BatchDesk
from orcamath.workshop import UntilReached

SEEDS = {"sources": [{"name": "classroom", "options": {"n": 40}}]}
TEACHER = {"backend": "textbook", "options": {"price": [2.5, 10]}}
SEVEN_B = ModelSize(7.2e9, 4096, 32, 32_000, tied=False)


def recipe(**more: object) -> Recipe:
    found = {"name": "r", "seeds": SEEDS, "benchmarks": SEEDS_TEST, "teacher": TEACHER, "suggester_editor": None}
    return Recipe.model_validate(found | more)


SEEDS_TEST = {"sources": [{"name": "classroom", "split": "test", "options": {"n": 10}}]}


def of(r: Recipe, root: Path) -> Plan:
    store = Store(root)
    tools = Assembled(store)
    try:
        return plan(r, store, tools, size_of, Silent())
    finally:
        tools.ledger.close()


def run(r: Recipe, root: Path, until: str) -> None:
    with RunFolder(root / "run") as folder, pytest.raises(UntilReached):
        run_recipe(r, folder, Store(root), until=until, quiet=True)


def unseal(root: Path, stage: str) -> None:
    for path in (root / "artifacts").glob(f"{stage}-*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def stages(found: Plan) -> dict[str, StagePlan]:
    return {s.stage: s for s in found.stages}


def test_nothing_remembered_gives_the_papers_growth_and_a_wide_range(tmp_path: Path) -> None:
    found = of(recipe(), tmp_path)
    ask, teach = found.stages
    assert ask.calls == Range(40, 40) == ask.to_pay
    assert ask.remembered == 0
    assert teach.calls == Range(40 + 100 * 0.8, 40 + 180)
    assert 0 < found.usd.low < found.usd.high
    expected = (ask.prompt_tokens.high * 2.5 + ask.completion_tokens.high * 10) / 1e6
    assert ask.usd.high == pytest.approx(expected)


def test_planning_sends_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    of(recipe(), tmp_path)
    assert of(recipe(), tmp_path) == of(recipe(), tmp_path)
    assert {p.name.split("-")[0] for p in (tmp_path / "artifacts").iterdir() if p.is_dir()} == {"seeds", "benchmarks"}
    assert not list((tmp_path / "scratch").glob("plan-*"))
    assert Ledger(tmp_path / "ledger").counts() == {}


@pytest.mark.parametrize("more", [{}, {"suggester_editor": {"rounds": 2}}])
def test_once_everything_was_asked_the_plan_is_exact_and_free_sealed_or_not(tmp_path: Path, more: dict) -> None:
    r = recipe(**more)
    run(r, tmp_path, "teach")
    calls = sum(json.loads(p.read_text())["balance"]["asked"] for p in (tmp_path / "artifacts").glob("*/manifest.json"))
    sealed = of(r, tmp_path)
    assert sealed.usd == Range(0, 0)
    assert sum(s.remembered for s in sealed.stages) == calls
    for stage in ("ask", "edit", "collect", "teach"):
        unseal(tmp_path, stage)
    found = of(r, tmp_path)
    assert found.usd == Range(0, 0)
    assert sum(s.remembered for s in found.stages) == calls  # second rounds and all
    assert all(s.to_pay == Range(0, 0) for s in found.stages)
    assert found.stages[0].remembered_usd > 0


def made(root: Path) -> dict[str, bytes]:
    files = [p for p in (root / "artifacts").rglob("*") if p.is_file() and not p.name.endswith(".made.json")]
    return {str(p.relative_to(root)): p.read_bytes() for p in files}


MADE = ("ask", "edit", "collect", "teach", "confirm")


@pytest.mark.parametrize("more", [{}, {"suggester_editor": {"rounds": 2}, "confirm": {"solutions": 2}}])
def test_what_a_plan_had_to_make_and_is_whole_is_what_the_run_would_make_and_is_not_made_twice(
    tmp_path: Path, more: dict
) -> None:
    r = recipe(teach={"max_problems": 60}, **more)
    until = "confirm" if more else "teach"
    run(r, tmp_path, until)
    by_the_run = made(tmp_path)
    for stage in MADE:
        unseal(tmp_path, stage)
    store = Store(tmp_path)
    planned(r, store, Silent())
    assert made(tmp_path) == by_the_run
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "artifacts").glob("*/manifest.json")}
    with RunFolder(tmp_path / "again") as folder, pytest.raises(UntilReached):
        run_recipe(r, folder, store, until=until, quiet=True)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "artifacts").glob("*/manifest.json")} == times
    told = json.loads((tmp_path / "again" / "stages.json").read_text())["stages"]
    assert {s["label"] for s in told if s["reused"]} == {"benchmarks", "seeds"}  # the others are this run's


def test_what_a_plan_could_make_in_part_only_is_not_kept(tmp_path: Path) -> None:
    r = recipe(suggester_editor={"rounds": 1})
    run(r, tmp_path, "edit")
    for stage in MADE:
        unseal(tmp_path, stage)
    arms = {"fewer": {"teach": {"max_problems": 5}}, "more": {"teach": {"max_problems": 50}}}
    of(recipe(suggester_editor={"rounds": 1}, variants=arms), tmp_path)
    kept = {p.name.split("-")[0] for p in (tmp_path / "artifacts").iterdir() if p.is_dir()}
    assert kept == {"seeds", "benchmarks", "ask", "edit", "collect"}  # no lesson is there yet, for none of the arms
    for stage in MADE:
        unseal(tmp_path, stage)
    other = r.model_copy(update={"teacher": ModelSettings(backend="textbook", options={"styles": 2})})
    of(other.model_copy(update={"variants": arms}), tmp_path)  # nothing of this one is remembered
    assert {p.name.split("-")[0] for p in (tmp_path / "artifacts").iterdir() if p.is_dir()} == {"seeds", "benchmarks"}


def test_what_is_remembered_calibrates_the_rest(tmp_path: Path) -> None:
    before = stages(of(recipe(), tmp_path))["teach"]
    run(recipe(), tmp_path, "ask")
    unseal(tmp_path, "ask")
    found = stages(of(recipe(), tmp_path))
    assert found["ask"].remembered == 40
    assert found["ask"].usd == Range(0, 0)
    assert found["teach"].calls.low == found["teach"].calls.high < before.calls.high
    more = Recipe.model_validate(
        recipe().model_dump() | {"seeds": {"sources": [{"name": "classroom", "options": {"n": 80}}]}}
    )
    wider = stages(of(more, tmp_path))  # forty seeds known, forty not: the forty's own growth, ± 15 %
    assert wider["ask"].remembered == 40
    low, high = wider["teach"].calls
    assert low < 2 * found["teach"].calls.low < high
    assert high < before.calls.high * 2


def test_a_limit_on_lessons_limits_the_bill(tmp_path: Path) -> None:
    (teach,) = of(recipe(ask_me_anything=None, teach={"max_problems": 10}), tmp_path).stages
    assert teach.calls == Range(10, 10)


def test_editing_takes_two_calls_a_problem_and_round(tmp_path: Path) -> None:
    edit, _ = of(recipe(ask_me_anything=None, suggester_editor={"rounds": 2}), tmp_path).stages
    assert edit.calls == Range(2 * (40 + 16), 2 * (40 + 40))


def test_a_call_for_every_number_is_planned_for_statements_not_yet_written(tmp_path: Path) -> None:
    ask, _ = of(recipe(ask_me_anything={"calls": "each"}), tmp_path).stages
    assert ask.calls == Range(40 + 40 * 2, 40 + 40 * 6)
    assert ask.completion_tokens == Range(ask.calls.low * 10, ask.calls.high * 40)


def test_two_calls_a_seed_are_planned_before_the_first_and_after_it(tmp_path: Path) -> None:
    ask, teach = of(recipe(ask_me_anything={"calls": "two"}), tmp_path).stages
    assert ask.calls == Range(80, 80)
    assert ask.completion_tokens == Range(80 * 80, 80 * 450)
    assert teach.calls == Range(40 + 100 * 0.8, 40 + 180)


@pytest.mark.parametrize(("name", "usd"), [("paper", True), ("paper-open", False)])
def test_the_paper_is_planned_without_key_hub_or_data(tmp_path: Path, monkeypatch, name: str, usd: bool) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = planned(load(name), Store(tmp_path), Silent())
    stages = {s.stage: s for s in found.stages}
    taught = 36_217 + 7_943 + 120_445 + 37_157
    assert stages["ask"].calls == Range(36_217, 36_217)
    assert stages["teach"].calls == Range(taught, taught).times(load(name).teach.solutions)
    assert stages["edit"].calls.low > 2 * 36_217
    assert all(s.prompt_tokens.low >= 100 * s.calls.low for s in found.stages)
    assert (found.usd.low > 1000, found.usd.high > found.usd.low) == (usd, usd)
    assert [t.stage for t in found.training] == [
        "imitate",
        "practice 2",
        "learn 2",
        "practice 3",
        "learn 3",
        "evaluate",
    ]
    assert found.gpu_hours.low > 10
    tokens = sum(s.prompt_tokens.low + s.completion_tokens.low for s in found.stages)
    served = 0 if usd else 2 * 72e9 * tokens / (312e12 * 0.4) / 3600
    assert found.served_gpu_hours.low == pytest.approx(served)


def test_a_hub_that_is_not_reached_leaves_what_to_count_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub = recipe(seeds={"sources": [{"name": "gsm8k", "split": "train"}]})
    with pytest.raises(
        DataError, match=r"give a `path`|your own copy as `path`.*or say what to count with, such as `expected:"
    ):
        of(hub, tmp_path)
    told = hub.model_copy(update={"expected": ExpectedSettings(seeds=7473, ask=14_946, edit=0, question_chars=235)})
    assert next(s for s in of(told, tmp_path).stages if s.stage == "ask").calls.low >= 7473


def test_a_plan_counts_what_a_limit_lets_in_of_what_is_expected() -> None:
    told = counted_with(load("paper", limit=100))
    whole = load("paper").expected
    assert told is not None
    assert whole is not None
    assert (told.seeds, told.as_they_are) == (100, 100)
    assert told.ask == round(whole.ask * 100 / whole.seeds)
    assert told.edit == round(whole.edit * 100 / whole.seeds)
    assert counted_with(load("paper")) == whole
    assert counted_with(load("classroom")) is None


def test_of_what_is_expected_no_more_is_taught_than_the_recipe_lets(tmp_path: Path) -> None:
    told = {"seeds": 7473, "ask": 100, "question_chars": 235}
    hub = {"sources": [{"name": "gsm8k", "split": "train"}]}
    rows = stages(
        of(recipe(seeds=hub, expected=told, teach={"max_problems": 50, "solutions": 2, "temperature": 1}), tmp_path)
    )
    assert rows["teach"].calls == Range(100, 100)


@pytest.mark.parametrize("name", ["gsm8k-7b-24gb", "gsm8k-7b-80gb", "paper"])
def test_a_cap_that_ships_is_above_what_the_whole_run_may_cost(name: str, tmp_path: Path) -> None:
    done = call("plan", name, "--json", "--store", str(tmp_path))
    assert done.code == 0, done.err
    may_cost = sum(row["usd"][1] for row in json.loads(done.out)["stages"])
    cap = load(name).budget.cap_usd
    assert cap is not None
    assert 100 < may_cost < cap < 1.5 * may_cost


def test_own_agents_and_confirming_are_planned_of_what_is_expected_too(tmp_path: Path) -> None:
    agent = tmp_path / "mine.py"
    agent.write_text(
        "from orcamath.ports import Message, Request, Sampling\n"
        "class Mine:\n"
        "    name = 'mine'\n"
        "    def request(self, item, draw):\n"
        "        return Request((Message('user', item.question),), sampling=Sampling(0.7, 1.0, 300), draw=draw)\n"
        "    def parse(self, reply, item):\n"
        "        return []\n"
        "def agent(settings):\n"
        "    return Mine()\n"
    )
    r = recipe(
        seeds={"sources": [{"name": "gsm8k", "split": "train"}]},
        expected=ExpectedSettings(seeds=100, question_chars=200),
        ask_me_anything=None,
        agents=[{"name": str(agent)}],
        teach={"max_problems": 50},
        confirm={"solutions": 3},
    )
    rows = stages(of(r, tmp_path))
    assert rows["agent mine"].calls == Range(100, 100)
    assert 0 < rows["agent mine"].completion_tokens.high <= 100 * 300
    assert rows["confirm"].calls.low >= 3 * 50


@pytest.mark.parametrize(("calls", "at_most"), [("one", 10), ("two", 20), ("each", 70)])
def test_growing_later_is_planned_by_the_calls_that_its_agent_makes(calls: str, at_most: int, tmp_path: Path) -> None:
    r = recipe(ask_me_anything={"calls": calls}, iterations=[{}, {"grow": {"max_problems": 10}}])
    assert stages(of(r, tmp_path))["ask (grown later)"].calls == Range(0, at_most)


def test_confirming_labels_is_planned_for_what_is_not_taught(tmp_path: Path) -> None:
    asked = recipe(teach={"max_problems": 20}, confirm={"solutions": 3})
    rows = {s.stage: s for s in of(asked, tmp_path).stages}
    left = rows["ask"].calls.low + 40 - 20  # every seed and at least a problem of each, less those taught
    assert rows["confirm"].calls.high > 3 * left
    assert rows["confirm"].usd.high > 0
    run(asked, tmp_path, "confirm")
    after = {s.stage: s for s in of(asked, tmp_path).stages}
    assert after["confirm"].to_pay == Range(0, 0)
    assert after["confirm"].remembered > 0


def test_starting_from_lessons_asks_nobody(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text('{"question": "Ann has 2 apples and 3 pears. How many fruits?", "answer": "2 + 3 = 5\\n#### 5"}\n')
    r = recipe(start_from={"stage": "lessons", "path": str(own)})
    found = of(r, tmp_path)
    assert found.stages == ()
    assert [t.stage for t in found.training] == ["imitate", "evaluate"]
    assert 28 < found.training[0].tokens.low < 40  # one lesson: 62 bytes, and 16 tokens of template


def test_calls_about_students_answers_are_counted_and_said_to_be_unknown(tmp_path: Path) -> None:
    r = recipe(
        ask_me_anything=None, judge_model=TEACHER, reask={"solutions": 5}, iterations=[{"practice": {"samples": 4}}]
    )
    found = stages(of(r, tmp_path))
    assert found["judge"].calls == Range(0, (160 + 2 * 10) * 0.05)  # rules come first; M1 and M2 on ten problems each
    alone = r.model_copy(update={"judge": r.judge.model_copy(update={"name": "model"})})
    assert stages(of(alone, tmp_path))["judge"].calls == Range(0, 180)
    assert found["reask"].calls == Range(0, 40 * 0.1 * 5)
    assert not found["judge"].rehearsed


def test_arms_share_what_is_the_same(tmp_path: Path) -> None:
    round_of = {"practice": {"samples": 2}, "learn": {"loss": "kto"}}
    r = recipe(
        ask_me_anything=None,
        iterations=[round_of],
        variants={
            "dpo": {"iterations": [round_of | {"learn": {"loss": "dpo"}}]},
            "longer": {"teach": {"max_new_tokens": 99}},
        },
    )
    found = of(r, tmp_path)
    assert [(s.arm, s.stage) for s in found.stages] == [("", "teach"), ("longer", "teach")]
    assert [(t.arm, t.stage) for t in found.training] == [
        ("", "imitate"),
        ("", "practice 2"),
        ("", "learn 2"),
        ("", "evaluate"),
        ("dpo", "learn 2"),
        ("dpo", "evaluate"),
        ("longer", "imitate"),
        ("longer", "practice 2"),
        ("longer", "learn 2"),
        ("longer", "evaluate"),
    ]


def test_an_arm_is_planned_beside_others_as_it_is_alone(tmp_path: Path) -> None:
    """What two recipes share is gone through once; calls that a later stage repeats are counted once all the same."""
    run(recipe(), tmp_path, "ask")
    unseal(tmp_path, "ask")
    confirm = {"confirm": {"solutions": 2}}
    ways = {
        "longer": {"teach": {"max_new_tokens": 99}},
        "sure": confirm,
        "both": {"teach": {"max_new_tokens": 99}} | confirm,
    }
    together = of(recipe(variants=ways), tmp_path)
    for arm, way in ways.items():
        unseal(tmp_path, "ask")  # a plan that finds all its calls seals it
        alone = [row._replace(arm=arm) for row in of(recipe(**way), tmp_path).stages]
        assert [row for row in together.stages if row.arm == arm] == alone


def test_training_rows_follow_from_tokens_and_size(tmp_path: Path) -> None:
    found = of(recipe(ask_me_anything=None, imitate={"epochs": 3, "train_tokens": 5000}), tmp_path)
    row, measured = found.training
    assert row.tokens == Range(5000, 5000)
    n = size_on_disk(Path("src/orcamath/classroom/base")).n_params
    assert row.gpu_hours is not None
    assert row.gpu_hours.low == pytest.approx(6 * n * 5000 / (312e12 * 3600) / 0.5)
    assert 800_000 < n < 1_000_000
    assert measured.gpu_hours is not None
    assert measured.gpu_hours.low == pytest.approx(2 * n * measured.tokens.low / (312e12 * 3600) / 0.1)
    unknown = of(recipe(ask_me_anything=None, student={"base": "owner/nameless"}), tmp_path).training[0]
    assert unknown.memory_gb is None


def test_measuring_counts_every_answer_of_every_student_and_of_the_base(tmp_path: Path) -> None:
    def tokens(**more: object) -> Range:
        return of(recipe(ask_me_anything=None, **more), tmp_path).training[-1].tokens

    one = tokens()  # M1 on ten problems
    three = {"iterations": [{}, {}], "evaluate": {"max_new_tokens": 512}}
    assert tokens(**three) == Range(one.low * 3, one.high * 3)
    sampled = {"evaluate": {"samples": 4, "temperature": 0.7, "sample_limit": 5}, "base_shown": [0]}
    assert tokens(**sampled) == Range(one.low * 4, one.high * 4)  # 10 + 4 × 5, and ten of the base
    cut = tokens(evaluate={"max_new_tokens": 3})
    assert cut == Range(30, 30)


def test_so_many_steps_read_so_many_lessons_whatever_there_are(tmp_path: Path) -> None:
    def tokens(**imitate: int) -> Range:
        return of(recipe(ask_me_anything=None, imitate={"batch_size": 8, **imitate}), tmp_path).training[0].tokens

    ten, twenty = tokens(train_steps=10), tokens(train_steps=20, epochs=3)
    assert 0 < ten.low <= ten.high
    assert (twenty.low, twenty.high) == (pytest.approx(2 * ten.low), pytest.approx(2 * ten.high))


def test_a_7b_model_needs_more_than_one_gpu_and_adapters_less() -> None:
    full = memory_gb(SftSettings(dtype="bfloat16", gradient_checkpointing=True), SEVEN_B)
    lora = memory_gb(SftSettings(dtype="bfloat16", adapter=AdapterSettings(), gradient_checkpointing=True), SEVEN_B)
    small = SftSettings(
        dtype="bfloat16", adapter=AdapterSettings(quantize="4bit"), gradient_checkpointing=True, batch_tokens=4096
    )
    quantized = memory_gb(small, SEVEN_B)
    assert full is not None
    assert lora is not None
    assert quantized is not None
    assert full.low > 100  # 18 bytes a parameter
    eight = SftSettings(dtype="bfloat16", gradient_checkpointing=True, processes=8)
    shared, whole = memory_gb(eight, SEVEN_B), memory_gb(eight.model_copy(update={"sharding": "none"}), SEVEN_B)
    assert shared is not None
    assert full.low - shared.low == pytest.approx(0.8 * 18 * 7.2 * 7 / 8, rel=0.01)
    assert whole == full
    assert 14.4 < lora.high < 40
    assert quantized.high < 12


def test_a_merged_adapter_takes_the_disk_of_float32_weights() -> None:
    some = Range(100, 100)
    rows = training_plans("", load("gsm8k-7b-24gb"), Lengths(some, some, some, some), SEVEN_B, 312, set(), "")
    disks = {row.stage: row.disk_mb for row in rows}
    for stage in ("imitate", "learn 2"):
        assert disks[stage] is not None
        assert disks[stage].low == pytest.approx(4 * 7200)


def test_sizes_are_read_from_headers_or_names(tmp_path: Path) -> None:
    assert size_by_name("owner/Some-Model-7B-v0.1").n_params == 7e9  # type: ignore[union-attr]
    assert size_by_name("SmolLM2-135M-Instruct").n_params == 135e6  # type: ignore[union-attr]
    assert size_by_name("Qwen2.5-Coder-0.5B").n_params == 0.5e9  # type: ignore[union-attr]
    assert size_by_name("owner/gpt2") is None
    assert abs(size_by_name("m-7b").hidden - 4096) < 300  # type: ignore[union-attr]
    (tmp_path / "config.json").write_text('{"hidden_size": 8, "num_hidden_layers": 2, "vocab_size": 10}')
    header = json.dumps({"a": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}, "__metadata__": {}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(48))
    assert size_on_disk(tmp_path) == ModelSize(12, 8, 2, 10, tied=True)  # there is no head
    said = {"n_embd": 8, "n_layer": 2, "n_positions": 64, "vocab_size": 10, "tie_word_embeddings": False}
    (tmp_path / "config.json").write_text(json.dumps(said))  # GPT-2's names
    assert size_on_disk(tmp_path) == ModelSize(12, 8, 2, 10, tied=False, context=64)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    named = {"peft_type": "LORA", "base_model_name_or_path": str(tmp_path)}
    (adapter / "adapter_config.json").write_text(json.dumps(named))
    assert size_on_disk(adapter) == size_on_disk(tmp_path)
    (adapter / "adapter_config.json").write_text(json.dumps(named | {"base_model_name_or_path": "owner/m-7B"}))
    assert size_on_disk(adapter) == size_by_name("m-7B")
    (adapter / "adapter_config.json").write_text(json.dumps(named | {"base_model_name_or_path": "owner/m"}))
    with pytest.raises(ModelError, match="its name tells no size"):
        size_on_disk(adapter)
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60))
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        size_on_disk(tmp_path)
    assert size_of(StudentSettings()).hidden == 128  # type: ignore[union-attr]


# --- paying again ------------------------------------------------------------------------------------------------------


def paid(to_pay_usd: float, remembered_usd: float, stage: str = "teach") -> StagePlan:
    zero = Range(0, 0)
    return StagePlan("", stage, "m", zero, 0, remembered_usd, zero, zero, zero, Range(0, to_pay_usd), zero, zero)


@pytest.mark.parametrize(
    ("to_pay", "remembered", "spent", "again"),
    [
        (90.0, 0.0, 10.0, 10.0),  # the prompt was edited: all that was spent is spent again
        (4.0, 0.0, 50.0, None),  # at most 4 are paid again
        (90.0, 10.0, 10.0, None),  # a crash: what was spent is remembered
        (90.0, 7.0, 13.0, 6.0),  # a part of it is
        (0.0, 0.0, 50.0, None),  # sealed: nothing to pay
    ],
)
def test_paying_again_is_noticed(to_pay: float, remembered: float, spent: float, again: float | None) -> None:
    now = Plan((paid(to_pay, remembered),), ())
    found = paid_before(now, lambda _: spent, 100.0)
    assert (None if found is None else found.usd) == again
    assert paid_before(now, lambda _: spent, None) is None


def test_an_edited_prompt_asks_first_and_a_plain_resume_does_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    store = Store(tmp_path)
    book = History(tmp_path, RunFolder(tmp_path / "run").id).book
    with serve(of_chat(textbook.open_chat(ModelSettings(**TEACHER)))) as server:
        teacher = {"model": "m", "base_url": server.base_url, "options": {"price": [100, 100]}}
        r = recipe(ask_me_anything=None, teacher=teacher, budget={"cap_usd": 10})
        confirm_paying_again(r, book, planned(r, store, Silent()), None)  # a first run
        run(r, tmp_path, "teach")
        unseal(tmp_path, "teach")
        confirm_paying_again(
            r, book, planned(r, store, Silent()), None
        )  # a crash before the stage was sealed: all is remembered
        mine = tmp_path / "solver.md"
        mine.write_text(
            (files("orcamath.prompts") / "solver.md").read_text("utf-8").replace("solve", "work out"), "utf-8"
        )
        edited = recipe(ask_me_anything=None, teacher=teacher, budget={"cap_usd": 10}, teach={"prompt": str(mine)})
        sent, asked = server.stats, []
        with pytest.raises(PaysAgain, match=r"`teach`.*--pay-again"):
            confirm_paying_again(edited, book, planned(edited, store, Silent()), None)
        with pytest.raises(PaysAgain):
            confirm_paying_again(
                edited, book, planned(edited, store, Silent()), lambda question: bool(asked.append(question))
            )
        confirm_paying_again(edited, book, planned(edited, store, Silent()), lambda _: True)
        assert server.stats == sent
    assert len(asked) == 1
    assert "would pay that again" in asked[0]


def test_a_run_counts_what_is_remembered_and_not_what_a_plan_expects_of_sets_that_are_elsewhere(tmp_path: Path) -> None:
    judge = {"backend": "transformers_local", "model": "owner/not-here"}
    told = ExpectedSettings(seeds=9, ask=0, edit=0, question_chars=200)
    r = recipe(ask_me_anything=None, judge_model=judge, expected=told)
    run(r.model_copy(update={"judge_model": None}), tmp_path, "teach")
    expected, read = (planned(r, Store(tmp_path), Silent(), fetches=fetches) for fetches in (False, True))
    (guessed,) = (s for s in expected.stages if s.stage == "teach")
    (known,) = (s for s in read.stages if s.stage == "teach")
    assert (guessed.remembered, guessed.to_pay.low > 0) == (0, True)
    assert (known.remembered > 0, known.to_pay) == (True, (0, 0))


def test_a_detached_batch_is_neither_paid_for_again_nor_asked_about(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    file = tmp_path / "r.yaml"
    with serve(of_chat(textbook.open_chat(ModelSettings(**TEACHER))), batches=BatchDesk(polls=2)) as server:
        options = {"price": [100, 100], "poll_s": 0.001, "first_backoff_s": 0.001}
        teacher = {"backend": "openai_batch", "model": "m", "base_url": server.base_url, "options": options}
        file.write_text(dump(recipe(ask_me_anything=None, teacher=teacher, budget={"cap_usd": 10})))

        def once(*, detach: bool = True) -> None:
            run_in_folder(str(file), RunAsked(tmp_path / "runs", tmp_path, until="teach"), detach=detach)

        with pytest.raises(BatchWaiting):
            once()
        planned = json.loads(
            plan_of(
                str(file), overrides=(), limit=None, runs=tmp_path / "runs", store=tmp_path, tflops=312, as_json=True
            )
        )
        assert planned["stages"][0]["waiting"] == 40
        assert planned["usd"] == [0, 0]
        with pytest.raises(UntilReached):
            once()
        assert server.stats["completions"] == 40
    file.write_text(dump(recipe()))
    with pytest.raises(UsageError, match="--detach"):
        once()


def test_no_rung_of_a_ladder_is_waited_for_where_the_run_is_detached(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with serve(of_chat(textbook.open_chat(ModelSettings(**TEACHER))), batches=BatchDesk(polls=2)) as server:
        options = {"price": [1, 1], "poll_s": 0.001, "first_backoff_s": 0.001}
        rung = {"backend": "openai_batch", "model": "m", "base_url": server.base_url, "options": options}
        teacher = {**TEACHER, "options": {"price": [2, 2]}}
        (tmp_path / "r.yaml").write_text(dump(recipe(ask_me_anything=None, ladder=[rung], teacher=teacher)))
        asked = RunAsked(tmp_path / "runs", tmp_path, until="teach", limit=5)
        with pytest.raises(BatchWaiting):
            run_in_folder(str(tmp_path / "r.yaml"), asked, detach=True)


def test_the_command_shows_both_tables(tmp_path: Path) -> None:
    few = [f"{part}.sources.0.options.n=20" for part in ("seeds", "benchmarks")]
    shown = plan_of(
        "classroom", overrides=few, limit=None, runs=tmp_path / "runs", store=tmp_path, tflops=312, as_json=False
    )
    assert "GB a process" in shown
    assert "NLL on right samples: learn 2" in shown
    assert "in all: $0.00 to $0.00" in shown
    plain = json.loads(
        plan_of(
            "classroom", overrides=few, limit=None, runs=tmp_path / "runs", store=tmp_path, tflops=312, as_json=True
        )
    )
    assert plain["gpu_hours"][1] > 0


def test_a_judge_is_asked_about_every_answer_that_is_measured(tmp_path: Path) -> None:
    measured = {"samples": 8, "temperature": 1, "sample_limit": 4}
    r = recipe(
        ask_me_anything=None,
        judge_model=TEACHER,
        judge={"name": "model"},
        evaluate=measured,
        base_shown=[0],
        iterations=[],
    )
    assert stages(of(r, tmp_path))["judge"].calls == Range(0, 10 + 10 + 8 * 4)  # the base greedily, M1 and its samples


def test_practice_takes_each_problem_once_and_the_judge_what_is_practised() -> None:
    lengths = Lengths(Range(400, 400), Range(900, 900), Range(10, 10), Range(20, 20), solutions=4)
    step = Iteration()
    assert exercises(step, lengths) == Range(100, 100)
    fresh = Iteration.model_validate({"practice": {"problems": "fresh"}})
    assert exercises(fresh, lengths) == Range(900, 900)
