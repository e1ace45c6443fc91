"""Online rounds: losses by hand and against TRL's own, cut any way the same step, resumed at a round, better round by round."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from orcamath.checks.whole import check
from orcamath.errors import ModelError, RecipeError
from orcamath.outline import outline
from orcamath.ports import Comparison, Finding
from orcamath.recipe_file import load
from orcamath.records import Exercise, Outcome, Preference, Problem, Response, Rollout
from orcamath.report.fold import fold
from orcamath.report.page import render_page
from orcamath.running import run_recipe
from orcamath.stages.learn import LearnSettings, learn
from orcamath.stages.online import OnlineFacts, RoundsSettings, online
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.run_folder import RunFolder
from orcamath.student import sampling
from orcamath.student.draws import Sampled
from orcamath.student.encode import Encoder
from orcamath.student.facts import RoundFacts
from orcamath.student.logprobs import Posed, score, score_tokens
from orcamath.student.losses import Batch, Samples, Totals, dr_grpo, grpo, kto, rloo
from orcamath.student.online import rounds_of
from orcamath.student.room import Room
from orcamath.student.sampling import Asked, sample_chunk
from orcamath.student.settings import LossSettings, OnlineSettings
from orcamath.student.tried import Tried, step_on, told_before, tried_of
from orcamath.view.kinds import RECORD_KINDS
from scripted import sealed
from tiny_student import tiny_folder, tiny_model, tiny_tokenizer

LOSSES = {"grpo": grpo, "dr_grpo": dr_grpo, "rloo": rloo}
# three answers to one problem, of 2, 1 and 1 tokens, one of them right: log π now, and when they were sampled
NOW, THEN = ((-0.5, -1.0), (-2.0,), (-0.7,)), ((-1.0, -1.0), (-1.0,), (-0.7,))
REWARDS = (1.0, 0.0, 0.0)


def batch(longest: int = 4) -> Batch:
    def flat(values: Sequence[Sequence[float]]) -> torch.Tensor:
        return torch.tensor([x for row in values for x in row], dtype=torch.float64)

    reward = torch.tensor(REWARDS, dtype=torch.float64)
    owner = torch.tensor([i for i, row in enumerate(NOW) for _ in row])
    some = Samples(
        flat(NOW).requires_grad_(),
        flat(THEN),
        owner,
        reward,
        reward.mean().expand(3),
        reward.std().expand(3),
        torch.full((3,), 3.0),
        longest,
    )
    none = torch.zeros(0, dtype=torch.float64)
    return Batch(
        torch.zeros(3, dtype=torch.float64).index_add(0, owner, some.logp),
        none,
        torch.tensor([2.0, 1.0, 1.0]),
        reward > 0,
        torch.ones(3, dtype=torch.float64),
        none,
        none,
        none,
        Totals(3.0, 0.0, 0.0),
        some,
    )


def test_values_by_hand() -> None:
    sd = math.sqrt(((2 / 3) ** 2 + 2 * (1 / 3) ** 2) / 2) + 1e-4
    up, down = (2 / 3) / sd, (-1 / 3) / sd
    # the first token's ratio e^0.5 is held at 1.2, the wrong answer's e^-1 at 0.8
    by_hand = {
        "grpo": -((1.2 * up + up) / 2 + 0.8 * down + down) / 3,
        "dr_grpo": -(1.2 * 2 / 3 + 2 / 3 - 0.8 / 3 - 1 / 3) / (3 * 4),
        "rloo": -(1.2 * 1 - 0.8 / 2 - 1 / 2) / 3,  # the whole answer's ratio e^0.5; baselines 0, 1/2, 1/2
    }
    for name, member in LOSSES.items():
        assert float(member.loss(batch(), LossSettings()).total.detach()) == pytest.approx(by_hand[name], abs=1e-12), (
            name
        )


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_clipped_pulls_no_further(name: str) -> None:
    made = batch()
    LOSSES[name].loss(made, LossSettings()).total.backward()
    first, second, wrong, same = made.online.logp.grad.tolist()  # type: ignore[union-attr]
    assert first == wrong == 0  # up although it is up already, down although it is down
    assert same > 0
    assert (second < 0) is (name != "rloo")  # there the whole answer is one action, and it is clipped


def test_without_a_spread_every_advantage_is_zero() -> None:
    s = batch().online._replace(
        reward=torch.ones(3), mean=torch.ones(3), deviation=torch.zeros(3), n=torch.full((3,), 3.0)
    )
    assert all(member.advantage(s).tolist() == [0, 0, 0] for member in LOSSES.values())
    assert rloo.advantage(s._replace(reward=torch.ones(3) * 2, n=torch.ones(3))).tolist() == [
        1,
        1,
        1,
    ]  # alone: no division by 0


def settings(**more: Any) -> RoundsSettings:
    told = {
        "rounds": 3,
        "problems": 4,
        "samples": 4,
        "max_new_tokens": 6,
        "learning_rate": 1e-3,
        "dtype": "float32",
        "practice": {"problems": "fresh", "label": "known_answer", "unconfirmed": ["gold"]},
    }
    return RoundsSettings.model_validate(told | more)


def tried(seed: int = 0) -> list[Tried]:
    dice = torch.Generator().manual_seed(seed)

    def ids(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(5, 30, (n,), generator=dice).tolist())

    found = []
    for i in range(3):
        answers = tuple(ids(2 + j) for j in range(4))
        sampled = tuple(tuple((-3 + torch.rand(len(a), generator=dice)).tolist()) for a in answers)
        found.append(Tried(f"p{i}", Posed(ids(5 + i), answers), sampled, (1.0, 0.0, 0.0, float(i % 2))))
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_is_the_same_however_it_is_cut(name: str) -> None:
    grads = []
    for tokens, share in ((10_000, True), (12, True), (1, False)):
        model = tiny_model().double().train()
        told = settings(batch_tokens=tokens, share_prompt=share)
        numbers = step_on(model, tried(), LOSSES[name].loss, told, 12.0)
        grads.append((numbers, torch.cat([p.grad.flatten() for p in model.parameters()])))
    assert 0 < grads[0][0]["clip_share"] < 1
    assert grads[0][0]["kl"] > 0
    for numbers, grad in grads[1:]:
        assert numbers == pytest.approx(grads[0][0], rel=1e-6)
        torch.testing.assert_close(grad, grads[0][1], rtol=1e-6, atol=1e-9)


def test_a_step_that_runs_out_of_memory_is_scored_again_in_smaller_parts() -> None:
    said, grads = [], []
    for most in (12, 6):

        def tight(batch: Batch, told: LossSettings, most: int = most) -> Any:
            if len(batch.logp) > most:
                raise torch.OutOfMemoryError
            return grpo.loss(batch, told)

        model, room = tiny_model(), Room(4096)
        said.append(step_on(model, tried(), tight, settings(), 12.0, room))
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        assert (room.tokens < 4096) == (most == 6)
    assert said[0] == pytest.approx(said[1], abs=1e-5)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-3, atol=1e-5)


def test_token_log_probs_add_up_to_those_of_answers() -> None:
    model, posed = tiny_model(), [t.posed for t in tried()]
    for share in (True, False):
        tokens, owner = score_tokens(model, posed, share=share)
        summed = torch.zeros(12).index_add(0, owner, tokens)
        torch.testing.assert_close(summed, score(model, posed, share=share), rtol=1e-5, atol=1e-5)
        assert owner.tolist() == sorted(owner.tolist())


def test_the_samplers_log_probs_are_kept_and_are_the_trainers() -> None:
    model, encoder = tiny_model(), Encoder(tiny_tokenizer())
    prompts = [encoder.prompt(f"Tom has {i} apples") for i in range(3)]
    asked = [Asked(p, 8, 1.0, 1.0, seed=10 * i + d) for i, p in enumerate(prompts) for d in range(3)]
    plain = sample_chunk(model, asked, encoder.stop_ids, encoder.decode, n_rows=4)
    kept = sample_chunk(model, asked, encoder.stop_ids, encoder.decode, n_rows=4, logp=True)
    assert [s._replace(logp=None) for s in kept] == plain
    for a, s in zip(asked, kept, strict=True):
        scored, _ = score_tokens(model, [Posed(a.prompt, (s.ids,))])
        assert s.logp == pytest.approx(scored.tolist(), abs=2e-4)


def test_where_the_sampler_does_not_tell_the_policy_says_it_before_its_first_step() -> None:
    model, told = tiny_model(), settings(batch_tokens=20)
    silent = [tried()[0], *(t._replace(sampled=None) for t in tried()[1:])]
    found = told_before(model, silent, told)
    assert found[0] == silent[0]
    for t in found[1:]:
        for answer, said in zip(t.posed.answers, t.sampled or (), strict=True):
            scored, _ = score_tokens(model, [Posed(t.posed.prompt, (answer,))])
            assert said == pytest.approx(scored.tolist(), abs=1e-5)


def test_a_student_that_is_sampled_the_plain_way_learns_as_one_in_slots(tmp_path: Path, monkeypatch) -> None:
    kept = sampling.sample_chunk
    how: dict[str, Any] = {"rounds": 2, "problems": 9, "samples": 8, "steps": 2, "learning_rate": 1e-2}
    in_slots = made(tmp_path / "slots", Likes("3"), **how).said(OnlineFacts)

    def silent(*args: Any, **named: Any) -> list[Sampled]:
        return [s._replace(logp=None) for s in kept(*args, **named)]

    monkeypatch.setattr("orcamath.student.online.sample_chunk", silent)
    plain = made(tmp_path / "plain", Likes("3"), **how).said(OnlineFacts)
    assert any(r.kl > 1e-6 for r in in_slots.rounds)
    for a, b in zip(in_slots.rounds, plain.rounds, strict=True):
        assert (b.kl, b.loss, b.clip_share) == pytest.approx((a.kl, a.loss, a.clip_share), rel=1e-2, abs=1e-6)


def test_rounds_take_every_problem_before_any_comes_again() -> None:
    plan = rounds_of(10, settings(rounds=5, problems=4))
    flat = [i for r in plan for i in r]
    assert [len(r) for r in plan] == [4] * 5
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10))
    assert rounds_of(3, settings(rounds=2, problems=64)) == [
        [*r] for r in rounds_of(3, settings(rounds=2, problems=64))
    ]
    assert all(len(r) == 3 for r in rounds_of(3, settings(rounds=2, problems=64)))


@pytest.mark.parametrize(("n", "problems"), [(1, 1), (3, 2), (5, 4), (7, 3), (9, 8), (3, 64)])
def test_no_problem_comes_twice_in_a_round_and_none_is_forgotten(n: int, problems: int) -> None:
    for seed in range(20):
        plan = rounds_of(n, settings(rounds=3 * n, problems=problems, seed=seed))
        assert all(len(set(r)) == len(r) == min(n, problems) for r in plan)
        flat = [i for r in plan for i in r]
        assert all(sorted(flat[k : k + n]) == list(range(n)) for k in range(0, len(flat), n))


class Likes:
    """A judge that calls right what begins with a word; may stop after so many answers, or leave some open."""

    fingerprint = "likes"

    def __init__(self, word: str, stop_after: int | None = None) -> None:
        self.word, self.left = word, stop_after

    def __call__(self, comparisons: Iterable[Comparison]) -> Iterator[Finding]:
        for i, c in enumerate(comparisons):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise KeyboardInterrupt
            right: Outcome = "agrees" if c.response.startswith(self.word) else "disagrees"
            yield Finding("unjudged" if i % 7 == 6 else right, "likes")


PROBLEMS = [
    Problem.make(f"Tom has {i} apples and {j} pears ?", "seed", "t", answer=str(i + j), answer_from="gold")
    for i in range(3)
    for j in range(3)
]


def made(root: Path, judge: Likes, **more: Any) -> Artifact:
    told, store = settings(**more), Store(root / "store")
    gated, student = sealed(root, "gate", problems=PROBLEMS), tiny_folder(root / "student")
    loss = LOSSES[told.loss].loss
    return store.stage("online", 1, told, [gated, student], lambda out: online(out, told, gated, student, judge, loss))


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_liked_becomes_likelier(tmp_path: Path, name: str) -> None:
    rounds = (
        made(tmp_path, Likes("3"), loss=name, rounds=12, problems=9, samples=8, learning_rate=1e-2, steps=2)
        .said(OnlineFacts)
        .rounds
    )
    first, last = ([r.right / r.judged for r in part] for part in (rounds[:3], rounds[-3:]))
    assert sum(last) / 3 > sum(first) / 3 + 0.3, (first, last)
    assert all(r.kl > -1e-7 and 0 <= r.clip_share <= 1 for r in rounds)
    assert any(r.kl > 1e-6 for r in rounds)  # the second step of a round is off-policy


def test_samples_are_a_table_with_log_probs_and_verdicts(tmp_path: Path) -> None:
    found = made(tmp_path, Likes("3"))
    rows = list(found.read(Rollout))
    assert len(rows) == 3 * 4 * 4 == found.said(OnlineFacts).n_samples == found.balance["kept"]
    assert [r.round for r in rows] == sorted(r.round for r in rows)
    assert all(len(r.logp or ()) == len(r.token_ids) for r in rows)
    assert {r.outcome for r in rows} >= {"unjudged"}
    told = [RECORD_KINDS["rollouts"].entry(row.row()) for row in rows]
    assert {e.facets["round"] for e in told} == {"1 (online)", "2 (online)", "3 (online)"}
    assert [e.facets["outcome"] for e in told] == [row.outcome for row in rows]
    facts = found.said(OnlineFacts)
    assert (facts.n_problems, len(facts.rounds), facts.n_sampled_tokens) == (9, 3, sum(len(r.token_ids) for r in rows))


def test_a_broken_off_run_goes_on_from_its_last_round(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", Likes("3"))
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "torn", Likes("3", stop_after=2 * 16 + 5))  # within the third round
    again = Likes("3", stop_after=16)  # no more than that round's answers are judged anew
    torn = made(tmp_path / "torn", again)
    assert list(torn.read(Rollout)) == list(whole.read(Rollout))
    assert torn.said(OnlineFacts).contents == whole.said(OnlineFacts).contents


def test_answers_that_nobody_could_judge_are_in_no_group() -> None:
    encoder = Encoder(tiny_tokenizer())
    exercise = Exercise(problem_id="p", question="Tom", reference="1", label="known_answer")
    rows = [
        Rollout.make(
            0, "p", d, "x", token_ids=ids, logp=(-1.0,) * len(ids), finish_reason="stop", outcome=outcome, by="r"
        )
        for d, (ids, outcome) in enumerate(
            [((5, 2), "agrees"), ((6, 2), "unjudged"), ((), "agrees"), ((7, 2), "disagrees")]
        )
    ]
    (found,) = tried_of([exercise], rows, encoder)
    assert found.rewards == (1.0, 0.0)
    assert found.informative
    assert not tried_of([exercise], rows[:1], encoder)[0].informative


def test_losses_are_used_where_their_samples_are(tmp_path: Path) -> None:
    gated, student = sealed(tmp_path, "gate", problems=PROBLEMS), tiny_folder(tmp_path / "student")
    with pytest.raises(RecipeError, match="reads no samples"):
        Store(tmp_path).stage(
            "online", 1, None, [], lambda out: online(out, settings(), gated, student, Likes("3"), kto.loss)
        )
    answer = Response(text="#### 1", origin="sample")
    given = sealed(
        tmp_path,
        "preferences",
        preferences=[Preference(problem_id="p", question="q", positives=(answer,), negatives=())],
    )
    with pytest.raises(ModelError, match="samples of online rounds"):
        Store(tmp_path).stage(
            "learn", 1, None, [], lambda out: learn(out, LearnSettings(), given, student, student, grpo.loss)
        )


def test_a_loss_in_the_wrong_place_is_said_before_anything_is_paid(tmp_path: Path) -> None:
    for step in ("{learn: {loss: grpo}}", "{online: {loss: kto}}"):
        recipe = load("classroom", ["variants={}", "unspoilt=null", f"iterations=[{step}]"])
        found = [t.line() for t in check(recipe, tmp_path, everything=False).troubles]
        assert len(found) == 1, found
        assert "is no loss for a stage" in found[0]
    right = load(
        "classroom", ["variants={}", "unspoilt=null", "iterations=[{online: {loss: rloo}}, {learn: {loss: dpo}}]"]
    )
    assert not check(right, tmp_path, everything=False).troubles


def test_limits() -> None:
    for more in ({"problems": 65}, {"steps": 5}, {"samples": 1}, {"clip": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(more))}\n  Input should be (greater|less) than"):
            OnlineSettings.model_validate(more)
    with pytest.raises(ValueError, match="online rounds run in one process"):
        OnlineSettings.model_validate({"processes": 2})
    assert "clip" not in LearnSettings().identity()


def test_a_run_learns_online_and_says_how(tmp_path: Path) -> None:
    small = [
        "variants={}",
        "unspoilt=null",
        "base_shown=[]",
        "seeds.sources.0.options.n=20",
        "benchmarks.sources.0.options.n=4",
        "teach.max_problems=10",
        "imitate.train_steps=1",
        "evaluate.max_new_tokens=4",
        "evaluate.samples=1",
        "iterations=[{online: {rounds: 2, problems: 4, samples: 2, max_new_tokens: 8}}]",
    ]
    recipe, store = load("classroom", small), Store(tmp_path / "store")
    with RunFolder(tmp_path / "runs" / "r") as run:
        run_recipe(recipe, run, store, quiet=True)
        stages = (run.read_json("stages.json") or {})["stages"]
    assert [s["label"] for s in stages] == outline(recipe)
    assert "online 2" in outline(recipe)
    results = fold(tmp_path / "runs" / "r", store)
    assert results.rows[-1].training.method == "GRPO, online"
    shown = render_page(
        results._replace(
            facts={"online 2": OnlineFacts(rounds=(RoundFacts(right=5, judged=16, informative=3, steps=2),))}
        )
    )
    assert "Online rounds" in shown
    assert "31.2" in shown  # 5 of 16, in percent
    assert isinstance(results.facts["online 2"], OnlineFacts)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("{online: {loss: grpo}, more_sft: {}}", "an iteration has one"),
        ("{online: {loss: grpo}, practice: {until: {more: 2, alike: 16}}}", "`practice.until` is not read by `online`"),
        ("{online: {loss: grpo}, practice: {aim: {low: 0.2, high: 0.8}}}", "`practice.aim` is not read by `online`"),
    ],
)
def test_what_an_online_iteration_would_not_read_is_refused(step: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load("classroom", ["variants={}", f"iterations=[{step}]"])
