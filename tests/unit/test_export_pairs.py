"""Files for TRL: the right rows, shuffled where it matters, and TRL's trainers run on them."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from orcamath.export.lessons import chat_row, hub_row, sft_row
from orcamath.export.pairs import paired_rows, unpaired_rows
from orcamath.export.places import write_lines
from orcamath.export.student import marked
from orcamath.records import Lesson, Preference, Problem, Response
from orcamath.student.encode import Encoder
from tiny_student import tiny_model, tiny_tokenizer


def some(n: int = 8) -> list[Preference]:
    def said(text: str) -> Response:
        return Response(text=text, origin="sample")

    return [
        Preference(
            problem_id=f"p{i}",
            question=f"Tom has {i} apples",
            positives=(said(f"#### {i}"), said(f"is {i}")),
            negatives=(said(f"#### {i + 1}"), said("how").model_copy(update={"finished": False})),
            pairs=((0, 1), (1, 0)) if i % 2 else None,
        )
        for i in range(n)
    ]


def test_pairs_are_the_chosen_ones_or_the_product() -> None:
    rows = list(paired_rows(some(2)))
    assert len(rows) == 4 + 2
    assert rows[4]["chosen"][0]["content"] == "#### 1"
    assert rows[4]["rejected"][0]["content"] == "how"


def test_what_was_cut_off_says_so_since_a_template_ends_it() -> None:
    pairs = list(paired_rows(some()))
    assert all(r["chosen_finished"] for r in pairs)
    assert {r["rejected"][0]["content"] for r in pairs if not r["rejected_finished"]} == {"how"}
    assert {r["completion"][0]["content"] for r in unpaired_rows(some) if not r["finished"]} == {"how"}


def test_unpaired_rows_are_each_response_once_and_neighbours_are_strangers() -> None:
    rows = list(unpaired_rows(some))
    assert len(rows) == 32
    assert sum(r["label"] for r in rows) == 16
    assert all(a["prompt"] != b["prompt"] for a, b in pairwise(rows))
    assert rows == list(unpaired_rows(lambda: some()[::-1]))
    assert rows != list(unpaired_rows(some, seed=1))


@pytest.mark.parametrize("at_once", [1, 5, 31, 32])
def test_unpaired_rows_are_the_same_however_many_are_held(at_once: int) -> None:
    assert list(unpaired_rows(some, at_once=at_once)) == list(unpaired_rows(some))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings(
    "default:.*is_gradient_checkpointing.*:FutureWarning"
)  # these trainers of TRL still ask for it
@pytest.mark.parametrize("form", ["paired", "unpaired"])
def test_trls_trainers_run_on_them(tmp_path: Path, form: str) -> None:
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    write_lines(paired_rows(some()) if form == "paired" else unpaired_rows(some), tmp_path / "set.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "set.jsonl").read_text().splitlines()]
    tokenizer = tiny_tokenizer()
    Encoder(tokenizer)  # gives it the template
    trainer_class, config = (trl.DPOTrainer, trl.DPOConfig) if form == "paired" else (trl.KTOTrainer, trl.KTOConfig)
    arguments = config(
        output_dir=str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=4,
        report_to="none",
        bf16=False,
        use_cpu=True,
        save_strategy="no",
        activation_checkpointing=False,
    )
    trainer = trainer_class(
        tiny_model(), tiny_model(), arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    assert trainer.train().training_loss > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("form", ["hub", "sft", "chat"])
def test_trls_sft_trainer_counts_the_answers_of_exported_lessons_alone(tmp_path: Path, form: str) -> None:
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    problems = [Problem.make(f"Tom has {i} apples", "seed", "x") for i in range(8)]
    lessons = [Lesson.make(p, f"#### {i}", str(i), "teacher") for i, p in enumerate(problems)]
    rows = [{"hub": hub_row, "sft": sft_row, "chat": chat_row}[form](lesson) for lesson in lessons]
    tokenizer = tiny_tokenizer()
    Encoder(tokenizer)
    tokenizer.chat_template = marked(tokenizer.chat_template)  # as an exported student has it
    config = trl.SFTConfig(
        output_dir=str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=4,
        report_to="none",
        bf16=False,
        use_cpu=True,
        save_strategy="no",
        activation_checkpointing=False,
        assistant_only_loss=form == "chat",
    )
    trainer = trl.SFTTrainer(
        tiny_model(), args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    batch = next(iter(trainer.get_train_dataloader()))
    counted = [tokenizer.decode(row[row != -100]) for row in batch["labels"]]
    assert all("####" in text and "apples" not in text for text in counted), counted
    assert trainer.train().training_loss > 0
