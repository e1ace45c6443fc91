"""What a GPU should show first: the same laws in bfloat16, on the device."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from orcamath.records import Lesson, Problem
from orcamath.stages.imitate import imitate
from orcamath.store.artifacts import Output
from orcamath.store.under_way import Calls
from orcamath.student.attention import Segments, takes_segments
from orcamath.student.conformance import held_against
from orcamath.student.folder import ModelFolder
from orcamath.student.logprobs import Posed, score, score_rows, score_tokens
from orcamath.student.model import Loaded
from orcamath.student.packing import pack
from orcamath.student.room import Room, at_once
from orcamath.student.sampling import Asked, sample_chunk
from orcamath.student.settings import SftSettings
from scripted import sealed
from tiny_architectures import FAMILIES, TOKENIZER, family
from tiny_student import tiny_folder, tiny_model

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

PROBLEMS = [Posed((3, 4, 5), ((6, 7), (8, 9, 10, 2))), Posed((4, 9), ((5, 2), (11, 12, 13)))]


def test_packed_and_padded_rows_agree_on_the_device() -> None:
    model = tiny_model().cuda()
    rows = [(p.prompt, a) for p in PROBLEMS for a in p.answers]
    assert torch.allclose(score(model, PROBLEMS), score_rows(model, rows), atol=1e-4)


def test_bfloat16_is_near_float32() -> None:
    model = tiny_model().cuda()
    with torch.autocast("cuda", torch.bfloat16):
        low = score(model, PROBLEMS)
    assert low.dtype == torch.float32
    assert torch.allclose(low, score(model, PROBLEMS), rtol=0.05, atol=0.5)


@pytest.mark.parametrize("share", [True, False])
def test_segments_score_and_learn_what_padded_rows_do(share: bool) -> None:
    model = tiny_model().cuda()
    assert takes_segments(model, torch.bfloat16)
    line = pack(PROBLEMS, share=share, device=model.device, dtype=torch.bfloat16, segments=True)
    assert isinstance(line.layout, Segments)
    rows = [(p.prompt, a) for p in PROBLEMS for a in p.answers]
    weights = [p for p in model.parameters() if p.requires_grad]

    def learnt(value: torch.Tensor) -> torch.Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(value.sum(), weights)])

    exact = score_rows(model, rows)
    with torch.autocast("cuda", torch.bfloat16):
        ours, padded = score(model, PROBLEMS, share=share), score_rows(model, rows)
    off, padded_off = float((ours - exact).abs().max()), float((padded - exact).abs().max())
    assert off <= 2 * padded_off + 0.05  # both are roundings of the same numbers
    gradients = [learnt(value) for value in (exact, ours, padded)]
    wrong, padded_wrong = (float((g - gradients[0]).norm() / gradients[0].norm()) for g in gradients[1:])
    assert wrong <= 2 * padded_wrong + 0.01


def test_compiled_blocks_learn_what_others_do(tmp_path: Path) -> None:
    base = tiny_folder(tmp_path / "base")
    plain, compiled = (trained(tmp_path, str(c), base, dtype="bfloat16", compile=c) for c in (False, True))
    assert compiled == pytest.approx(plain, rel=0.02)


def test_what_the_sampler_says_of_its_tokens_is_what_the_scorer_says() -> None:
    model = tiny_model().cuda().to(torch.bfloat16)
    asked = [Asked((3, 4, 5 + i % 3), 12, 1.0, 1.0, i) for i in range(8)]
    sampled = sample_chunk(model, asked, frozenset({2}), str, 8, logp=True)
    with torch.no_grad():
        scored, owner = score_tokens(model, [Posed(a.prompt, (s.ids,)) for a, s in zip(asked, sampled, strict=True)])
    assert owner.tolist() == [i for i, s in enumerate(sampled) for _ in s.ids]
    told = torch.tensor([x for s in sampled for x in s.logp or ()])
    assert float((scored.float().cpu() - told).abs().mean()) < 0.1


@pytest.mark.parametrize("name", FAMILIES)
def test_every_architecture_holds_on_the_device(name: str) -> None:
    findings = held_against(
        Loaded(family(name).cuda(), TOKENIZER), ["how many?", "Tom has 12 apples.", "Ann has 3."], max_new=12
    )
    assert [f"{f.check}: {f.seen}" for f in findings if not f.holds] == []


def test_tokens_at_once_follow_from_the_memory_that_is_free() -> None:
    model = tiny_model().cuda()
    assert at_once(model, SftSettings(batch_tokens=7)) == 7
    many = at_once(model, SftSettings())
    model.config.num_hidden_layers = 1 << 24  # as if each token took that much more
    assert at_once(model, SftSettings()) == 1024 < many == 65_536


def test_where_memory_runs_out_half_as_much_is_tried() -> None:
    free, _ = torch.cuda.mem_get_info()
    room = Room(free // 1024)

    def work(tokens: int) -> int:
        return torch.empty(tokens * 3 * 1024, dtype=torch.uint8, device="cuda").numel()

    assert room.within(work) <= free
    assert room.tokens == free // 1024 // 4


def trained(tmp_path: Path, name: str, base: ModelFolder, ends_after: int | None = None, **more: Any) -> list[float]:
    """Train on twelve lessons, or until a metric has been told so often; return the losses told."""
    problems = [Problem.make(f"Tom has {i} apples .", "seed", "t", answer=str(i)) for i in range(12)]
    lessons = sealed(tmp_path, "gate", lessons=[Lesson.make(p, f"#### {p.answer}", "1", "teacher") for p in problems])
    out = Output(tmp_path / name / "folder", tmp_path / name / "scratch", Calls("train"))
    for folder in (out.folder, out.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    losses: list[float] = []

    def told(**numbers: Any) -> None:
        losses.append(numbers["loss"])
        if len(losses) == ends_after:
            raise KeyboardInterrupt

    out.metric = told
    settings = SftSettings(**{"learning_rate": 1e-3, "epochs": 2, "batch_size": 4, "checkpoint_steps": 1, **more})
    try:
        imitate(out, settings, lessons, base)
    except KeyboardInterrupt:
        assert ends_after is not None
    return losses


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_training_broken_off_goes_on_where_it_was(tmp_path: Path, dtype: str) -> None:
    base = tiny_folder(tmp_path / "base")
    straight = trained(tmp_path, "straight", base, dtype=dtype)
    begun = trained(tmp_path, "broken", base, ends_after=4, dtype=dtype)
    rest = trained(tmp_path, "broken", base, dtype=dtype)
    assert len(straight) == 6
    assert len(rest) == 3  # the step whose checkpoint was not written is done again
    assert [*begun[:3], *rest] == pytest.approx(straight, rel=1e-5 if dtype == "float32" else 1e-3)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="needs bitsandbytes")
def test_adapters_over_4_bit_weights_learn_and_are_merged(tmp_path: Path) -> None:
    base = tiny_folder(tmp_path / "base")
    losses = trained(
        tmp_path, "qlora", base, epochs=6, learning_rate=3e-2, adapter={"rank": 8, "quantize": "4bit"}, dtype="bfloat16"
    )
    assert losses[-1] < 0.8 * losses[0]
    assert (tmp_path / "qlora" / "folder" / "model" / "model.safetensors").exists()


def test_samples_do_not_depend_on_their_neighbours() -> None:
    model = tiny_model().cuda()
    asked = [Asked((3, 4, 5 + i % 3), 12, 0.7, 0.95, i) for i in range(8)]
    together = sample_chunk(model, asked, frozenset({2}), str, 8)
    alone = [sample_chunk(model, [a], frozenset({2}), str, 1)[0] for a in asked]
    assert together == alone


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_two_gpus_share_the_weights_and_train_what_one_trains(tmp_path: Path, dtype: str) -> None:
    base = tiny_folder(tmp_path / "base")
    losses = {n: trained(tmp_path, str(n), base, dtype=dtype, processes=n, learning_rate=1e-4) for n in (1, 2)}
    assert all(
        (tmp_path / f"{n}/folder/model/model.safetensors").exists() for n in losses
    )  # `sharding: auto` is fsdp2 here
    assert losses[2] == pytest.approx(losses[1], rel=1e-4 if dtype == "float32" else 0.05)
