"""What a GPU should show first: the same laws in bfloat16, on the device."""

import pytest
import torch

from orcamath.student.logprobs import Posed, score, score_rows
from orcamath.student.sampling import Asked, sample_chunk
from tiny_student import tiny_model

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
