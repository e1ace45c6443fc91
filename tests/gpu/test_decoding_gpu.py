"""Captured decoding steps answer what the same steps answer kernel by kernel, for every architecture sampled in slots."""

from typing import Any

import pytest
import torch

from orcamath.student import decoding, sampling
from orcamath.student.sampling import Asked, sample_chunk
from tiny_architectures import FAMILIES, family

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

UNCAPTURED = {"gpt_oss"}
"""Their forward makes tensors on the host in its midst."""


@pytest.mark.parametrize("name", [name for name in FAMILIES if "plain" not in name])
def test_captured_and_plain_steps_answer_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = family(name).cuda()
    asked = [Asked(tuple(range(5, 10 + i % 9)), 30 + i % 7, 0.8 * (i % 2), 0.95, i) for i in range(24)]

    def sampled() -> Any:
        return sample_chunk(model, asked, frozenset({2, 3, 4}), str, 8)

    captured, again = sampled(), sampled()
    assert captured == again
    kept = model.orcamath_decoder
    assert kept.fails == (name in UNCAPTURED)
    assert bool(kept.graphs) == (name not in UNCAPTURED)
    monkeypatch.setattr(sampling, "decoder", decoding.Decoder)
    assert sampled() == captured
