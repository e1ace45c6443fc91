"""Training runs: they learn, resume to the same weights, stop with a reason, and remember reference log-probs."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, current_thread
from typing import Any

import pytest
import torch
import torch.distributed as dist
from pydantic import ValidationError
from safetensors.torch import load_file
from torch.testing._internal.distributed.fake_pg import FakeStore

from orcamath.errors import ModelError, TooManyRejects, TrainingDiverged
from orcamath.families import find
from orcamath.ports import Silent
from orcamath.records import Preference, Response
from orcamath.stages.imitate import imitate
from orcamath.stages.learn import learn
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.sqlite_errors import connect
from orcamath.store.under_way import Calls
from orcamath.student.checkpoint import discard_after, resume, save_checkpoint
from orcamath.student.facts import ImitateFacts, LearnFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.launch import loss_name
from orcamath.student.logprobs import Posed
from orcamath.student.loop import learning_rate, planned_steps
from orcamath.student.losses import dpo, ipo, kto, needs
from orcamath.student.model import load_model, open_folder
from orcamath.student.prepare import prepared
from orcamath.student.processes import ALONE, World, deal, shards
from orcamath.student.reference import reference_logprobs
from orcamath.student.room import Room, at_once
from orcamath.student.settings import AdapterSettings, LearnSettings, OnlineSettings, SftSettings, TrainSettings
from scripted import sealed
from tiny_student import tiny_folder, tiny_lessons, tiny_model


class Killed(Exception):
    pass


class Metrics:
    """Keeps what a run says; may end it after so many steps, as a crash would."""

    def __init__(self, die_after: int | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.die_after = die_after

    def __call__(self, **numbers: Any) -> None:
        self.rows.append(numbers)
        if len(self.rows) == self.die_after:
            raise Killed


def told(out: Output, metric: Callable[..., None]) -> Output:
    """Return the output, its training told to `metric`."""
    out.metric = metric
    return out


def output(path: Path) -> Output:
    for name in ("folder", "scratch"):
        (path / name).mkdir(parents=True, exist_ok=True)
    return Output(path / "folder", path / "scratch", Calls("train"))


def weights(out: Output) -> dict[str, torch.Tensor]:
    return load_file(out.folder / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_folder(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture
def lessons(tmp_path: Path) -> Artifact:
    return tiny_lessons(tmp_path)


@pytest.fixture
def preferences(tmp_path: Path) -> Artifact:
    made = [
        Preference(
            problem_id=f"p{i}",
            question=f"Tom has {i} apples .",
            positives=(Response(text=f"#### {i}", origin="teacher"),),
            negatives=(Response(text=f"#### {i + 1}", origin="sample"), Response(text="how", origin="off_topic")),
        )
        for i in range(12)
    ]
    return sealed(tmp_path, "preferences", preferences=made)


SFT = SftSettings(learning_rate=3e-3, epochs=2, batch_size=4, max_tokens=64, checkpoint_steps=2)
LEARN = LearnSettings(learning_rate=1e-3, epochs=2, batch_size=4, max_tokens=64, checkpoint_steps=2)


def test_imitation_lowers_the_loss_and_leaves_a_folder_anyone_can_load(
    tmp_path: Path, base: ModelFolder, lessons: Artifact
) -> None:
    out, metrics = output(tmp_path), Metrics()
    said = imitate(told(out, metrics), SFT.model_copy(update={"epochs": 6}), lessons, base)
    assert isinstance(said, ImitateFacts)
    assert metrics.rows[-1]["loss"] < 0.7 * metrics.rows[0]["loss"]
    assert said.n_steps == len(metrics.rows) == 18
    config = json.loads((out.folder / "model" / "config.json").read_text())
    assert "orcamath" not in json.dumps(config)
    trained = open_folder(str(out.folder / "model"))
    assert trained.fingerprint != base.fingerprint
    assert "ASSISTANT" in load_model(trained).tokenizer.chat_template


def test_a_run_killed_in_mid_epoch_resumes_to_the_same_weights(
    tmp_path: Path, base: ModelFolder, lessons: Artifact
) -> None:
    whole = output(tmp_path / "whole")
    said = imitate(told(whole, Metrics()), SFT, lessons, base)
    broken = output(tmp_path / "broken")
    with pytest.raises(Killed):
        imitate(told(broken, Metrics(die_after=5)), SFT, lessons, base)
    assert len(list((broken.scratch / "steps").glob("step-*"))) == 2
    metrics = Metrics()
    assert imitate(told(broken, metrics), SFT, lessons, base) == said
    assert metrics.rows[0]["step"] == 4
    assert all(torch.equal(weights(whole)[k], w) for k, w in weights(broken).items())


def test_train_tokens_stop_a_control_run(tmp_path: Path, base: ModelFolder, lessons: Artifact) -> None:
    out = output(tmp_path)
    said = imitate(told(out, Metrics()), SFT.model_copy(update={"train_tokens": 700}), lessons, base)
    assert isinstance(said, ImitateFacts)
    assert 700 <= said.n_tokens < 800
    assert 0 < said.n_answer_tokens < said.n_tokens


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_train_steps_stop_after_so_many_whatever_an_epoch_takes(
    tmp_path: Path, base: ModelFolder, lessons: Artifact, steps: int
) -> None:
    out = output(tmp_path)
    said = imitate(out, SFT.model_copy(update={"train_steps": steps}), lessons, base)
    assert isinstance(said, ImitateFacts)
    assert said.n_steps == steps


def test_dpo_widens_the_margin_and_kto_reports_its_baseline(
    tmp_path: Path, base: ModelFolder, preferences: Artifact
) -> None:
    for name, loss in (("dpo", dpo.loss), ("kto", kto.loss)):
        out, metrics = output(tmp_path / name), Metrics()
        changed = LEARN.model_copy(update={"loss": name, "epochs": 8})
        said = learn(told(out, metrics), changed, preferences, base, base, loss)
        assert isinstance(said, LearnFacts)
        assert metrics.rows[0]["margin"] == pytest.approx(0, abs=1e-5)
        assert metrics.rows[-1]["margin"] > 0.1
        assert metrics.rows[0]["off_topic_share"] == pytest.approx(1 / 3)
        assert ("z0" in metrics.rows[0]) == (name == "kto")
        assert (said.n_problems, said.n_responses, said.n_pairs) == (12, 36, 24)
        if name == "dpo":  # the reference has every answer once, training in each of eight epochs
            assert 8 * said.n_tokens_without_gradient == said.n_tokens
        out.balance.check(name)


def test_ktos_baseline_of_own_answers_is_the_steps_mean_log_ratio(
    tmp_path: Path, base: ModelFolder, preferences: Artifact
) -> None:
    baselines = {}
    for z0 in ("own", "mismatched"):
        chosen = LEARN.model_copy(update={"loss": "kto", "epochs": 4, "z0": z0, "nll_weight": 3.0, "batch_size": 12})
        out, metrics = output(tmp_path / z0), Metrics()
        said = learn(told(out, metrics), chosen, preferences, base, base, kto.loss)
        assert isinstance(said, LearnFacts)
        baselines[z0] = [row["z0"] for row in metrics.rows]
        if z0 == "own":  # each problem has one right answer and two wrong ones
            row = metrics.rows[-1]
            right, wrong = (row[k] / chosen.beta for k in ("reward_chosen", "reward_rejected"))
            assert row["z0"] == pytest.approx((right + 2 * wrong) / 3, abs=1e-4)
        # 4 epochs, one step each: the reference has the answers once, and strangers' too; the student its baseline's at each step
        for_baselines = said.n_tokens_without_gradient - said.n_tokens // 4
        assert for_baselines == said.n_tokens if z0 == "own" else for_baselines % 5 == 0 < for_baselines
    assert baselines["own"][0] == baselines["mismatched"][0] == 0
    assert baselines["own"][-1] > 0
    assert baselines["own"] != baselines["mismatched"]


def test_reference_logprobs_are_remembered_and_reused_after_a_reshuffle(
    tmp_path: Path, base: ModelFolder, preferences: Artifact
) -> None:
    store = tmp_path / "reference"

    def scored(name: str, loss: Any = dpo.loss, **settings: Any) -> int:
        """Train, and count the problems that the reference scored for it."""
        n: list[int | None] = []

        class Bars(Silent):
            def begin(self, what: str, total: int | None) -> None:
                n.extend([total] if what == "reference" else [])

        chosen = LEARN.model_copy(update={"loss": "dpo"} | settings)
        out = output(tmp_path / name)
        out.progress, out.shared = Bars(), store
        learn(told(out, Metrics()), chosen, preferences, base, base, loss)
        return sum(x or 0 for x in n)

    assert scored("first", seed=1) == 12
    assert scored("reshuffled", seed=2) == 0
    assert scored("another beta", beta=0.7) == 0
    assert scored("another loss", loss=ipo.loss) == 0
    assert 0 < scored("kto", loss=kto.loss, epochs=1) <= 12  # its mismatched answers only
    assert scored("kto again", loss=kto.loss, epochs=1, beta=0.7) == 0


class Meeting(World):
    """A process's part in a meeting of two, each a thread."""

    both = Barrier(2, timeout=60)
    brought: tuple[list[float], list[float]] = ([], [])

    def total(self, *values: float) -> list[float]:
        self.brought[self.rank][:] = values
        self.both.wait()
        summed = [a + b for a, b in zip(*self.brought, strict=True)]
        self.both.wait()
        return summed


def test_processes_score_the_reference_together_and_the_first_alone_opens_the_file(
    tmp_path: Path, base: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's log ahead of writing is not for a file system that several machines share."""
    opened = []

    def noted(*given: Any, **settings: Any) -> Any:
        opened.append(current_thread().name)
        return connect(*given, **settings)

    monkeypatch.setattr("orcamath.student.reference.connect", noted)
    monkeypatch.setattr("orcamath.student.reference.PIECE", 2)  # several meetings
    asked = [Posed((3, 4 + n), ((5, 2), (6 + n, 7, 2))[: 1 + n % 2]) for n in range(11)]

    of_each = [load_model(base).model for _ in range(2)]

    def scored(posed: list[Posed], folder: str, world: World) -> dict[Posed, tuple[float, ...]]:
        model = of_each[world.rank]
        return reference_logprobs(posed, base, base, model, LEARN, tmp_path / folder, Silent(), world)

    alone = scored(asked, "alone", ALONE)
    scored(asked[:3], "together", ALONE)
    opened.clear()
    with ThreadPoolExecutor(2, thread_name_prefix="process") as pool:
        found = list(pool.map(lambda rank: scored(asked, "together", Meeting(rank, 2)), range(2)))
    assert len(opened) == 1
    for one in found:
        assert one.keys() == alone.keys()
        for posed, values in alone.items():
            assert one[posed] == pytest.approx(values, abs=1e-5)
    assert scored(asked, "together", ALONE) == found[0] == found[1]  # all of it is remembered


def test_another_reference_than_the_student_is_used(tmp_path: Path, base: ModelFolder, preferences: Artifact) -> None:
    other = tiny_folder(tmp_path / "other", seed=7)
    metrics = Metrics()
    settings = LEARN.model_copy(update={"loss": "dpo"})
    learn(told(output(tmp_path), metrics), settings, preferences, base, other, dpo.loss)
    assert abs(metrics.rows[0]["margin"]) > 0.01


def test_an_adapter_is_trained_and_merged(tmp_path: Path, base: ModelFolder, preferences: Artifact) -> None:
    out, metrics = output(tmp_path), Metrics()
    settings = LEARN.model_copy(
        update={"adapter": AdapterSettings(rank=4), "epochs": 6, "gradient_checkpointing": True}
    )
    learn(told(out, metrics), settings, preferences, base, base, kto.loss)
    assert metrics.rows[0]["margin"] == pytest.approx(0, abs=1e-5)
    assert metrics.rows[-1]["margin"] > 0.01
    before, after = load_model(base).model.state_dict(), weights(out)
    assert set(after) <= set(before)
    assert not torch.equal(before["model.layers.0.mlp.up_proj.weight"], after["model.layers.0.mlp.up_proj.weight"])


def test_divergence_stops_with_step_and_ids(tmp_path: Path, base: ModelFolder, lessons: Artifact) -> None:
    settings = SFT.model_copy(update={"learning_rate": 1e30, "schedule": "constant"})
    with pytest.raises(TrainingDiverged, match=r"step [12]: .*Problems of the step: \w{32}.*smaller learning_rate"):
        imitate(told(output(tmp_path), Metrics()), settings, lessons, base)


def test_nothing_to_learn_from_says_why(tmp_path: Path, base: ModelFolder) -> None:
    only_bad = Preference(
        problem_id="p", question="how", positives=(), negatives=(Response(text="#### 1", origin="sample"),)
    )
    found = sealed(tmp_path, "preferences", preferences=[only_bad])
    with pytest.raises(TooManyRejects, match="no_right_answer"):
        learn(told(output(tmp_path), Metrics()), LEARN, found, base, base, kto.loss)


def test_out_of_memory_halves_the_budget_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    room, undone = Room(1000), []

    def work(tokens: int) -> int:
        if tokens > 300:
            raise torch.OutOfMemoryError
        return tokens

    assert room.within(work, lambda: undone.append(1)) == 250
    assert (room.tokens, len(undone)) == (250, 2)
    assert "250 tokens" in caplog.text

    def never(tokens: int) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(ModelError, match="gradient_checkpointing"):
        room.within(never)


def test_a_step_that_ran_out_of_memory_is_repeated_and_changes_nothing(
    tmp_path: Path, base: ModelFolder, preferences: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    sizes: list[int] = []

    @needs("pairs", "reference")
    def tight(batch: Any, settings: Any) -> Any:
        sizes.append(len(batch.logp))
        if len(sizes) == 4:
            raise torch.OutOfMemoryError
        return dpo.loss(batch, settings)

    rows = {}
    for name, loss in (("roomy", dpo.loss), ("tight", tight)):
        metrics = Metrics()
        settings = LEARN.model_copy(update={"batch_tokens": 80, "epochs": 1})
        learn(told(output(tmp_path / name), metrics), settings, preferences, base, base, loss)
        rows[name] = [(r["loss"], r["grad_norm"]) for r in metrics.rows]
    assert len(sizes) > 4
    assert "out of memory: going on with 40 tokens at once" in caplog.text
    for a, b in zip(rows["roomy"], rows["tight"], strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_the_plan_covers_every_problem_once_an_epoch() -> None:
    steps = planned_steps(10, TrainSettings(batch_size=4, epochs=2))
    assert [len(s) for s in steps] == [4, 4, 2, 4, 4, 2]
    assert sorted(k for s in steps[:3] for k in s) == list(range(10))
    assert steps[:3] != steps[3:]
    assert len(planned_steps(10, TrainSettings(batch_size=4, epochs=0.5))) == 2
    assert len(planned_steps(50, TrainSettings(batch_size=1, epochs=1.1))) == 55


def test_schedules() -> None:
    def rates(**settings: Any) -> list[float]:
        return [round(learning_rate(i, 8, TrainSettings(learning_rate=1.0, **settings)), 3) for i in range(8)]

    assert rates(warmup=0.25) == [0.333, 0.667, 1.0, 0.833, 0.667, 0.5, 0.333, 0.167]
    assert rates(warmup=0, schedule="constant") == [1.0] * 8
    assert rates(warmup=0, schedule="cosine")[4] == 0.5
    assert rates(warmup=0.1)[:2] == [0.5, 1.0]  # no step at the full rate first


@pytest.mark.parametrize(
    ("warmup", "steps", "warm"), [(0.29, 100, 29), (0.07, 100, 7), (0.1, 15, 1), (0.1, 6, 1), (0, 9, 0)]
)
def test_warm_up_takes_whole_steps(warmup: float, steps: int, warm: int) -> None:
    told = TrainSettings(learning_rate=1.0, warmup=warmup, schedule="constant")
    assert sum(learning_rate(i, steps, told) < 1 for i in range(steps)) == warm


def test_settings_that_only_change_speed_stay_out_of_the_digest() -> None:
    fast = LEARN.model_copy(update={"batch_tokens": 7, "share_prompt": False, "gradient_checkpointing": True})
    assert fast.identity() == LEARN.identity()
    assert LEARN.model_copy(update={"beta": 0.7}).identity() != LEARN.identity()


def test_work_is_dealt_out_evenly() -> None:
    sizes = [90, 10, 30, 30, 20, 60, 50, 10]
    hands = deal(sizes, 3)
    assert sorted(i for hand in hands for i in hand) == list(range(8))
    assert [sum(sizes[i] for i in hand) for hand in hands] == [100, 100, 100]


def test_a_wrong_number_of_processes_is_noticed() -> None:
    with pytest.raises(ModelError, match="2 training processes were asked for and 1 are here"):
        World.join(2)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sharding"), [("sft", "none"), ("kto", "none"), ("kto", "fsdp2")])
def test_two_processes_train_what_one_trains(
    tmp_path: Path, base: ModelFolder, preferences: Artifact, lessons: Artifact, name: str, sharding: str
) -> None:
    found = {}
    for n in (1, 2):
        out, metrics = output(tmp_path / str(n)), Metrics()
        # few tokens at once: the two run unequal numbers of forwards, and slice what does not fit
        options = {"processes": n, "sharding": sharding, "batch_tokens": 64 if n == 2 else 16_384}
        if name == "sft":
            said = imitate(told(out, metrics), SFT.model_copy(update=options), lessons, base)
        else:
            said = learn(told(out, metrics), LEARN.model_copy(update=options), preferences, base, base, kto.loss)
        found[n] = (weights(out), metrics.rows, said.plain())
    for key in found[1][1][0].keys() - {"tokens_per_s"}:
        assert [r[key] for r in found[2][1]] == pytest.approx([r[key] for r in found[1][1]], abs=1e-5, rel=1e-5), key
    assert found[1][0].keys() == found[2][0].keys()
    assert all(torch.allclose(found[1][0][k], w, atol=1e-3) for k, w in found[2][0].items())
    assert found[2][2]["n_tokens"] == found[1][2]["n_tokens"]


@pytest.mark.slow
def test_a_sharded_step_is_the_whole_step_and_resumes_from_its_checkpoint(
    tmp_path: Path, base: ModelFolder, lessons: Artifact
) -> None:
    # a rate at which AdamW's first steps are no larger than what is compared
    settings = SFT.model_copy(update={"learning_rate": 1e-5, "epochs": 1, "gradient_checkpointing": True})
    alone, sharded = output(tmp_path / "1"), output(tmp_path / "2")
    two = settings.model_copy(update={"processes": 2, "sharding": "fsdp2"})
    one_metrics, two_metrics = Metrics(), Metrics()
    imitate(told(alone, one_metrics), settings, lessons, base)
    imitate(told(sharded, two_metrics), two, lessons, base)
    for key in ("loss", "grad_norm", "logp_chosen"):
        ours = [r[key] for r in two_metrics.rows]
        assert ours == pytest.approx([r[key] for r in one_metrics.rows], rel=1e-6), key
    assert all(torch.allclose(weights(alone)[k], w, rtol=0, atol=1e-6) for k, w in weights(sharded).items())
    # the checkpoint at step 2 of 3 is still there: a second attempt goes on from it, as the first went on
    again = Metrics()
    imitate(told(sharded, again), two, lessons, base)
    assert [(r["step"], r["loss"]) for r in again.rows] == [(2, pytest.approx(two_metrics.rows[2]["loss"], abs=1e-6))]
    assert all(torch.allclose(weights(alone)[k], w, rtol=0, atol=1e-6) for k, w in weights(sharded).items())


def test_adapters_are_not_sharded() -> None:
    with pytest.raises(ValidationError, match="adapters are not sharded"):
        TrainSettings(processes=2, sharding="fsdp2", adapter=AdapterSettings())
    assert not shards(TrainSettings(processes=2, adapter=AdapterSettings()), World(0, 2))
    assert not shards(TrainSettings(sharding="fsdp2"), World())


@pytest.fixture
def first_of_two() -> Iterator[World]:
    """The first of two processes, whose other one torch's own double plays: it says what this one says."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield World(0, 2)
    dist.destroy_process_group()


def test_the_last_epochs_checkpoint_outlives_the_last_two(tmp_path: Path, first_of_two: World) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for step in range(1, 9):
        with torch.no_grad():
            model.weight.fill_(step)
        save_checkpoint(tmp_path, step, model, optimizer, {}, first_of_two, epoch_ends=step % 3 == 0)
    kept = [p.name for p in sorted(tmp_path.iterdir())]
    assert kept == ["step-00000006-epoch", "step-00000007", "step-00000008"]

    with pytest.raises(
        ModelError, match=r"by 2 processes and this run has 1.*processes: 2.*resume: epoch.*step 6, the end"
    ):
        resume(tmp_path, model, optimizer, 1)
    same = resume(tmp_path, model, optimizer, 2, how="epoch")
    assert (same.step, float(model.weight.detach()[0, 0])) == (8, 8.0)  # type: ignore[union-attr]
    other = resume(tmp_path, model, optimizer, 1, how="epoch")
    assert (other.step, float(model.weight.detach()[0, 0])) == (6, 6.0)  # type: ignore[union-attr]
    discard_after(tmp_path, 6)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000006-epoch"]


def test_where_no_epoch_ended_another_number_of_processes_begins_anew(tmp_path: Path, first_of_two: World) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    save_checkpoint(tmp_path, 5, model, optimizer, {}, first_of_two)
    with pytest.raises(ModelError, match=r"resume: epoch.*the beginning"):
        resume(tmp_path, model, optimizer, 4)
    assert resume(tmp_path, model, optimizer, 4, how="epoch") is None


OWN_LOSS = """
from orcamath.student.losses import Loss, needs

@needs("pairs", "reference")
def loss(batch, settings):
    winner, loser = batch.pairs.T
    ratio = batch.logp - batch.reference
    gain = settings.beta * (ratio[winner] - ratio[loser])
    return Loss(((1 - gain).relu() * batch.pair_weight).sum() / batch.totals.pairs)
"""


def test_a_loss_is_known_to_other_processes_by_name_or_by_file(tmp_path: Path) -> None:
    assert loss_name(dpo.loss) == "dpo"
    (tmp_path / "hinge.py").write_text(OWN_LOSS)
    assert loss_name(find("loss", str(tmp_path / "hinge.py")).loss) == str(tmp_path / "hinge.py")
    with pytest.raises(ModelError, match="processes: 1"):
        loss_name(lambda batch, settings: None)


@pytest.mark.slow
def test_a_loss_from_a_users_file_trains_in_two_processes_and_tells_its_steps_as_they_come(
    tmp_path: Path, base: ModelFolder, preferences: Artifact
) -> None:
    (tmp_path / "hinge.py").write_text(OWN_LOSS)
    loss = find("loss", str(tmp_path / "hinge.py")).loss
    found = {}
    for n in (1, 2):
        out, metrics = output(tmp_path / str(n)), Metrics()
        settings = LEARN.model_copy(update={"loss": str(tmp_path / "hinge.py"), "processes": n})
        learn(told(out, metrics), settings, preferences, base, base, loss)
        found[n] = metrics.rows
    for key in ("loss", "margin", "logp_chosen", "off_topic_pairs", "kl"):
        assert [r[key] for r in found[2]] == pytest.approx([r[key] for r in found[1]], abs=1e-4)

    out = output(tmp_path / "broken")
    with pytest.raises(Killed):  # the process that launched the others ends in mid-run, and they with it
        learn(told(out, Metrics(die_after=5)), settings, preferences, base, base, loss)
    metrics = Metrics()
    learn(told(out, metrics), settings, preferences, base, base, loss)
    assert metrics.rows[0]["step"] == 4
    assert [r["loss"] for r in metrics.rows] == pytest.approx(
        [r["loss"] for r in found[2][-len(metrics.rows) :]], abs=1e-5
    )


def test_fresh_adapters_follow_from_the_seed_alone(base: ModelFolder) -> None:
    def drawn(seed: int) -> list[torch.Tensor]:
        torch.seed()  # whatever was drawn in this process before
        model = prepared(load_model(base), SFT.model_copy(update={"seed": seed, "adapter": AdapterSettings(rank=4)}))
        return [p.detach() for name, p in model.named_parameters() if "lora_A" in name]

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert first
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))


@pytest.mark.slow
def test_two_processes_that_go_on_drop_out_what_they_would_have(
    tmp_path: Path, base: ModelFolder, lessons: Artifact
) -> None:
    options = {"processes": 2, "adapter": AdapterSettings(rank=4, dropout=0.5), "learning_rate": 1e-2}
    settings, found = SFT.model_copy(update=options), {}
    for die_after in (None, 5):
        out, metrics = output(tmp_path / str(die_after)), Metrics()
        if die_after is not None:
            with pytest.raises(Killed):
                imitate(told(out, Metrics(die_after)), settings, lessons, base)
        imitate(told(out, metrics), settings, lessons, base)
        found[die_after] = {row["step"]: row["loss"] for row in metrics.rows}
    assert 0 < len(found[5]) < len(found[None])
    assert found[5] == {step: found[None][step] for step in found[5]}


@pytest.mark.slow
def test_two_processes_go_on_as_one_from_the_last_epoch(tmp_path: Path, base: ModelFolder, lessons: Artifact) -> None:
    settings = SFT.model_copy(update={"epochs": 3})
    out = output(tmp_path / "broken")
    two = Metrics()
    imitate(told(out, two), settings.model_copy(update={"processes": 2}), lessons, base)  # leaves its checkpoints
    with pytest.raises(ModelError, match="written by 2 processes and this run has 1"):
        imitate(told(out, Metrics()), settings, lessons, base)
    metrics = Metrics()
    said = imitate(told(out, metrics), settings.model_copy(update={"resume": "epoch"}), lessons, base)
    assert [row["step"] for row in metrics.rows] == [6, 7, 8]
    assert [row["loss"] for row in metrics.rows] == pytest.approx([row["loss"] for row in two.rows[6:]], abs=1e-4)
    assert isinstance(said, ImitateFacts)
    assert said.n_steps == 9


def test_tokens_at_once_are_as_set_or_the_usual_number_on_a_cpu() -> None:
    assert at_once(tiny_model(), SftSettings(batch_tokens=7)) == 7
    assert at_once(tiny_model(), SftSettings()) == 16_384


@pytest.mark.parametrize(
    ("settings", "more", "says"),
    [
        (SftSettings, {"processes": 2}, "one process"),
        (LearnSettings, {"processes": 2}, "one process"),
        (OnlineSettings, {}, "sample"),
    ],
)
def test_compiled_blocks_are_trained_in_one_process_and_not_sampled(
    settings: type[TrainSettings], more: dict[str, int], says: str
) -> None:
    with pytest.raises(ValueError, match=f"{says}.*leave `compile`"):
        settings(compile=True, **more)  # type: ignore[arg-type]
