"""Files for TRL: the right rows, shuffled where it matters, and TRL's trainers run on them."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from orcamath.records import Preference, Response
from orcamath.student.encode import Encoder
from orcamath.student.pair_files import paired_rows, unpaired_rows, write_pairs
from tiny_student import tiny_model, tiny_tokenizer


def some(n: int = 8) -> list[Preference]:
    def said(text: str) -> Response:
        return Response(text=text, origin="sample")

    return [
        Preference(
            problem_id=f"p{i}", question=f"Tom has {i} apples", positives=(said(f"#### {i}"), said(f"is {i}")),
            negatives=(said(f"#### {i + 1}"), said("how")), pairs=((0, 1), (1, 0)) if i % 2 else None,
        )
        for i in range(n)
    ]  # fmt: skip


def test_pairs_are_the_chosen_ones_or_the_product() -> None:
    rows = list(paired_rows(some(2)))
    assert len(rows) == 4 + 2
    assert rows[4]["chosen"][0]["content"] == "#### 1"
    assert rows[4]["rejected"][0]["content"] == "how"


def test_unpaired_rows_are_each_response_once_and_neighbours_are_strangers() -> None:
    rows = unpaired_rows(some())
    assert len(rows) == 32
    assert sum(r["label"] for r in rows) == 16
    assert all(a["prompt"] != b["prompt"] for a, b in pairwise(rows))
    assert rows == unpaired_rows(some()[::-1])
    assert rows != unpaired_rows(some(), seed=1)


def test_files_are_json_lines(tmp_path: Path) -> None:
    assert write_pairs(tmp_path / "pairs.jsonl", some(), "paired") == 24
    assert write_pairs(tmp_path / "rows.jsonl", some(), "unpaired") == 32
    assert json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])["completion"][0]["role"] == "assistant"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("form", ["paired", "unpaired"])
def test_trls_trainers_run_on_them(tmp_path: Path, form: str) -> None:
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    write_pairs(tmp_path / "set.jsonl", some(), form)  # type: ignore[arg-type]
    rows = [json.loads(line) for line in (tmp_path / "set.jsonl").read_text().splitlines()]
    tokenizer = tiny_tokenizer()
    Encoder(tokenizer)  # gives it the template
    trainer_class, config = (trl.DPOTrainer, trl.DPOConfig) if form == "paired" else (trl.KTOTrainer, trl.KTOConfig)
    arguments = config(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=4, report_to="none", bf16=False, use_cpu=True,
        save_strategy="no", gradient_checkpointing=False,
    )  # fmt: skip
    trainer = trainer_class(
        tiny_model(), tiny_model(), arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    assert trainer.train().training_loss > 0
