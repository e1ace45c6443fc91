"""What a GPU should show first: the same laws in bfloat16, on the device."""

from pathlib import Path

import pytest
import torch

from orcamath.records import Lesson, Problem
from orcamath.stages.imitate import imitate
from orcamath.store.artifacts import Output
from orcamath.store.under_way import Calls
from orcamath.student.logprobs import Posed, score, score_rows
from orcamath.student.sampling import Asked, sample_chunk
from orcamath.student.settings import SftSettings
from tiny_student import sealed, tiny_folder, tiny_model

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


def test_samples_do_not_depend_on_their_neighbours() -> None:
    model = tiny_model().cuda()
    asked = [Asked((3, 4, 5 + i % 3), 12, 0.7, 0.95, i) for i in range(8)]
    together = sample_chunk(model, asked, frozenset({2}), str, 8)
    alone = [sample_chunk(model, [a], frozenset({2}), str, 1)[0] for a in asked]
    assert together == alone


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_two_gpus_share_the_weights_and_train_what_one_trains(tmp_path: Path, dtype: str) -> None:
    problems = [Problem.make(f"Tom has {i} apples .", "seed", "t", answer=str(i)) for i in range(12)]
    lessons = sealed(tmp_path, "gate", lessons=[Lesson.make(p, f"#### {p.answer}", "1", "teacher") for p in problems])
    base = tiny_folder(tmp_path / "base")
    losses: dict[int, list[float]] = {}
    for n in (1, 2):  # `sharding: auto` is fsdp2 here
        out = Output(tmp_path / f"{n}/folder", tmp_path / f"{n}/scratch", Calls("train"))
        out.folder.mkdir(parents=True)
        out.scratch.mkdir()
        losses[n] = []
        settings = SftSettings(learning_rate=1e-4, epochs=2, batch_size=4, dtype=dtype, processes=n)  # type: ignore[arg-type]
        out.metric = lambda n=n, **numbers: losses[n].append(numbers["loss"])
        imitate(out, settings, lessons, base)
        assert (out.folder / "model" / "model.safetensors").exists()
    assert losses[2] == pytest.approx(losses[1], rel=1e-4 if dtype == "float32" else 0.05)
