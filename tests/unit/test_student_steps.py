"""A step's loss and gradient: the same however the batch is cut, ordered, padded or packed, and as a naive loop has them."""

import random
from collections.abc import Callable
from itertools import product

import pytest
import torch
import torch.nn.functional as F

from orcamath.student.attention import Segments, attend
from orcamath.student.groups import Group, mismatches
from orcamath.student.head import holds
from orcamath.student.logprobs import Posed, score, score_rows
from orcamath.student.losses import dpo, kto, nll
from orcamath.student.model import Loaded
from orcamath.student.packing import can_pack, pack
from orcamath.student.prepare import prepared
from orcamath.student.processes import World
from orcamath.student.settings import AdapterSettings, LearnSettings
from orcamath.student.steps import Objective, Referenced, cut, gradients, score_all, step_slices, z0
from tiny_student import tiny_model, tiny_tokenizer

BETA = 0.3


def ids(r: random.Random, n: int) -> tuple[int, ...]:
    return tuple(r.randrange(3, 30) for _ in range(n))


def some_groups(seed: int, n: int = 5) -> list[Referenced]:
    r = random.Random(seed)
    out = []
    for i in range(n):
        good, bad = r.randint(1, 3), r.randint(1, 3)
        responses = tuple(ids(r, r.randint(1, 9)) for _ in range(good + bad))
        pairs = tuple((w, good + b, 1.0) for w, b in product(range(good), range(bad)))
        group = Group(
            f"p{i}",
            ids(r, r.randint(1, 12)),
            responses,
            (True,) * good + (False,) * bad,
            (1.0,) * (good + bad),
            pairs,
            (False,) * (good + bad),
        )
        out.append(Referenced(group, tuple(r.uniform(-30, -5) for _ in responses)))
    return out


def one_by_one(model: torch.nn.Module, prompt: tuple[int, ...], answer: tuple[int, ...]) -> torch.Tensor:
    """Score one answer in the plainest way there is: whole logits, a Python loop over tokens."""
    whole = torch.tensor([[*prompt, *answer]])
    logits = model(whole).logits[0]
    logps = [F.log_softmax(logits[len(prompt) - 1 + k], -1)[t] for k, t in enumerate(answer)]
    return torch.stack(logps).sum()


def ran(
    model: torch.nn.Module, groups: list[Referenced], loss: Callable, budget: int = 10_000, **options: object
) -> tuple:
    model.zero_grad()
    settings = LearnSettings(beta=BETA)
    objective = Objective(loss, settings, options.pop("nll_weight", 0.0))  # type: ignore[arg-type]
    report = gradients(model, groups, objective, options.pop("z0", 0.4), budget, **options)  # type: ignore[arg-type]
    return report, torch.cat([p.grad.flatten().clone() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_packed_shared_and_padded_rows_score_alike(kv_heads: int) -> None:
    model = tiny_model(kv_heads=kv_heads).double()
    problems = [Posed(g.group.prompt, g.group.responses) for g in some_groups(kv_heads)]
    rows = [(p.prompt, a) for p in problems for a in p.answers]
    naive = torch.stack([one_by_one(model, p, a) for p, a in rows])
    for scored in (score_rows(model, rows), score(model, problems), score(model, problems, share=False)):
        assert scored.tolist() == pytest.approx(naive.tolist(), abs=1e-9)


def test_dpo_is_the_naive_loop_over_pairs_in_float64() -> None:
    model, groups = tiny_model().double(), some_groups(1)
    total = torch.zeros((), dtype=torch.float64)
    n_pairs = 0
    for g in groups:
        for w, b, _ in g.group.pairs:
            won = one_by_one(model, g.group.prompt, g.group.responses[w]) - g.reference[w]
            lost = one_by_one(model, g.group.prompt, g.group.responses[b]) - g.reference[b]
            total = total - F.logsigmoid(BETA * (won - lost))
            n_pairs += 1
    naive = total / n_pairs
    report, gradient = ran(model, groups, dpo.loss)
    assert report.loss == pytest.approx(naive.item(), abs=1e-9)
    model.zero_grad()
    naive.backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert float((gradient - expected).norm() / expected.norm()) < 1e-6  # the model's norms compute in float32


def test_kto_is_the_naive_loop_with_z0_from_other_problems() -> None:
    model, groups = tiny_model().double(), some_groups(2)
    strangers = mismatches([g.group for g in groups])
    other = [Posed(g.group.prompt, strangers[g.group.problem_id]) for g in groups]
    reference = [tuple(-20.0 for _ in p.answers) for p in other]
    ratios = [float(one_by_one(model, p.prompt, a).detach()) + 20.0 for p in other for a in p.answers]
    baseline = z0(score_all(model, other, 200), reference)
    assert baseline == pytest.approx(max(0.0, sum(ratios) / len(ratios)), abs=1e-9)
    terms = []
    for g in groups:
        for response, desirable, ref in zip(g.group.responses, g.group.desirable, g.reference, strict=True):
            r = float(one_by_one(model, g.group.prompt, response).detach()) - ref
            gain = BETA * (r - baseline)
            terms.append(1 - torch.sigmoid(torch.tensor(gain if desirable else -gain, dtype=torch.float64)).item())
    report, _ = ran(model, groups, kto.loss, z0=baseline)
    assert report.loss == pytest.approx(sum(terms) / len(terms), abs=1e-9)


@pytest.mark.parametrize("loss", [dpo.loss, kto.loss, nll.loss])
def test_neither_cutting_nor_order_nor_packing_changes_a_step(loss: Callable) -> None:
    model, groups = tiny_model(), some_groups(3)
    report, gradient = ran(model, groups, loss, nll_weight=0.5)
    assert report.loss > 0
    for budget, order, share in [(10_000, -1, True), (60, 1, True), (60, -1, False), (1, 1, True), (1, -1, False)]:
        again, other = ran(model, groups[::order], loss, budget, share=share, nll_weight=0.5)
        assert again.loss == pytest.approx(report.loss, abs=2e-6)
        assert float((other - gradient).norm() / gradient.norm()) < 1e-5


@pytest.mark.parametrize("share", [True, False])
def test_a_group_that_does_not_fit_is_cut_into_slices_of_its_answers(share: bool) -> None:
    posed = Posed((3, 4), ((5, 6), (7,), (8, 9, 10)))
    assert [p.answers for p in step_slices(posed, 7, share=share)] == [((5, 6), (7,)), ((8, 9, 10),)]
    assert [len(p.answers) for p in step_slices(posed, 8, share=share)] == ([3] if share else [2, 1])
    assert [len(p.answers) for p in step_slices(posed, 1, share=share)] == [1, 1, 1]
    assert cut([posed, posed], 16, share=share) == ([[0, 1]] if share else [[0], [1]])


@pytest.mark.parametrize(("loss", "passes"), [(kto.loss, 1), (nll.loss, 1), (dpo.loss, 2)])
def test_only_a_loss_that_reads_pairs_passes_twice_over_a_problem_in_slices(loss: Callable, passes: int) -> None:
    model, (group, *_) = tiny_model(), some_groups(3)
    holds(model)  # looked up once a model, by forwards of its own
    forwards: list[bool] = []
    model.base_model.register_forward_hook(lambda *_: forwards.append(torch.is_grad_enabled()))
    ran(model, [group], loss, budget=1)
    assert len(forwards) == passes * len(group.group.responses)


def test_gradient_checkpointing_changes_nothing() -> None:
    model, groups = tiny_model(), some_groups(4)
    _, gradient = ran(model.train(), groups, dpo.loss)
    model.activation_checkpointing_enable({"use_reentrant": False})
    _, again = ran(model, groups, dpo.loss)
    assert torch.allclose(again, gradient, atol=1e-6)


def test_a_short_window_is_not_packed() -> None:
    model = tiny_model()
    assert can_pack(model, 100)
    model.config.sliding_window = 50
    assert not can_pack(model, 100)
    assert can_pack(model, 50)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_segments_see_what_padded_rows_see(share: bool, kv_heads: int) -> None:
    posed = [
        Posed((3, 4, 5), ((6, 7), (8, 9, 10, 2), (2,))),
        Posed((4,), ((5, 2),)),
        Posed((4, 9), ((2,), (11, 12, 13))),
    ]
    device = torch.device("cpu")
    rows, runs = (pack(posed, share=share, device=device, dtype=torch.float32, segments=s) for s in (False, True))
    assert isinstance(runs.layout, Segments)
    assert torch.equal(rows.ids, runs.ids)
    generator, n = torch.Generator().manual_seed(0), rows.ids.shape[1]
    q, k, v = (torch.randn(1, heads, n, 8, generator=generator) for heads in (4, kv_heads, kv_heads))
    padded, _ = attend(torch.nn.Identity(), q, k, v, None, layout=rows.layout)
    assert torch.allclose(run_by_run(q, k, v, runs.layout), padded, atol=1e-6)


def test_where_rows_are_padded_each_prompt_counts_with_every_answer() -> None:
    """A budget of tokens is of those that are forwarded: with padded rows no prompt is shared, whatever the settings say."""
    model = tiny_model()
    model.config.sliding_window = 16  # shorter than the rows below
    seen: list[int] = []
    model.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True)
    r = random.Random(3)
    posed = [Posed(ids(r, 30), tuple(ids(r, 5) for _ in range(8)))]
    assert not can_pack(model, 35)
    score_all(model, posed, 100)
    assert seen
    assert max(seen) <= 100


def run_by_run(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, layout: Segments) -> torch.Tensor:
    """Attend as flash attention is defined for runs of different lengths: the last query of a run sees its last key."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    if layout.keys is not None:
        k, v = k[:, :, layout.keys], v[:, :, layout.keys]
    out = []
    for start, end, first, last in zip(
        layout.query_ends, layout.query_ends[1:], layout.key_ends, layout.key_ends[1:], strict=False
    ):
        n, n_keys = int(end - start), int(last - first)
        assert n <= layout.longest
        assert n_keys <= layout.most_keys
        seen = torch.ones(n, n_keys, dtype=torch.bool).tril(n_keys - n)
        some = [x[:, :, a:b] for x, a, b in ((q, start, end), (k, first, last), (v, first, last))]
        out.append(F.scaled_dot_product_attention(*some, attn_mask=seen).transpose(1, 2))
    return torch.cat(out, 1)


def test_large_vocabularies_are_scored_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    model, groups = tiny_model(), some_groups(5)
    _, gradient = ran(model, groups, dpo.loss)
    monkeypatch.setattr("orcamath.student.logprobs.MAX_LOGITS", 64)
    _, again = ran(model, groups, dpo.loss)
    assert torch.allclose(again, gradient, atol=1e-6)
    scored = score_all(model, [Posed(g.group.prompt, g.group.responses) for g in groups], 100)
    assert all(len(s) == len(g.group.responses) for s, g in zip(scored, groups, strict=True))


def test_z0_is_never_negative_and_0_without_mismatches() -> None:
    assert z0([(-3.0,)], [(-1.0,)]) == 0.0
    assert z0([(-1.0, -3.0)], [(-2.0, -3.0)]) == 0.5
    assert z0([()], [()]) == 0.0


def test_z0_is_the_mean_over_the_answers_of_all_processes() -> None:
    class Beside(World):
        """Another process has three answers whose log-ratios add up to 3.5."""

        def total(self, *values: float) -> list[float]:
            return [mine + other for mine, other in zip(values, (3.5, 3), strict=True)]

    assert z0([(-1.0, -3.0)], [(-2.0, -3.0)], Beside()) == (1.0 + 3.5) / 5
    assert z0([()], [()], Beside()) == 3.5 / 3
    assert z0([(-9.0,)], [(-1.0,)], Beside()) == 0.0


def test_a_problem_in_slices_drops_out_the_same_both_times() -> None:
    torch.manual_seed(0)
    settings = LearnSettings(adapter=AdapterSettings(rank=4, dropout=0.5))
    base = tiny_model()
    holds(base)  # looked at as it is loaded, not while something is drawn
    model = prepared(Loaded(base, tiny_tokenizer()), settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    (large,) = some_groups(4, 1)
    posed = Posed(large.group.prompt, large.group.responses)
    pieces = step_slices(posed, 1)
    assert len(pieces) > 2

    def gradient() -> torch.Tensor:
        found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        model.zero_grad()
        return found

    torch.manual_seed(1)
    logp = torch.cat([score(model, [piece]) for piece in pieces])  # drawn once, and the loss taken of just that
    ratio = logp - torch.tensor(large.reference)
    margins = torch.stack([settings.beta * (ratio[w] - ratio[loser]) for w, loser, _ in large.group.pairs])
    (-F.logsigmoid(margins).mean()).backward()
    wanted, drawn = gradient(), torch.rand(1)
    torch.manual_seed(1)
    gradients(model, [large], Objective(dpo.loss, settings), 0.0, 1)
    torch.testing.assert_close(gradient(), wanted, rtol=1e-4, atol=1e-6)
    assert torch.rand(1) == drawn  # nothing is drawn twice
