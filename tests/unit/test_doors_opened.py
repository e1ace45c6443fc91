"""What is exported opens elsewhere, unchanged: a student in transformers' pipeline and lm-eval, its lessons in TRL.

Preferences in TRL's DPO and KTO are in `test_export_pairs`. Slow: the libraries take long to import.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orcamath.export.student import export_student
from orcamath.export.whole import export_table
from orcamath.records import Lesson, Problem
from orcamath.scoring.harness import local_task
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.student.encode import Encoder
from orcamath.student.model import save
from tiny_student import tiny_model, tiny_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """An exported student of a tiny shape."""
    tokenizer = tiny_tokenizer()
    Encoder(tokenizer)  # gives it the template
    save(tiny_model(), tokenizer, tmp_path / "sealed")
    return export_student(tmp_path / "sealed", tmp_path / "student", title="tiny", base="none", rows=[]).path


def taught(root: Path) -> Artifact:
    def make(out: Output) -> None:
        problems = [Problem.make(f"Tom has {i} apples and {i} pears", "seed", "own", licence="MIT") for i in range(8)]
        out.write(
            "lessons", (Lesson.make(p, f"the answer is #### {i}", str(i), "teacher") for i, p in enumerate(problems))
        )
        out.balance.results = out.balance.kept = 8

    return Store(root / "store").stage("teach", 1, None, [], make)


def test_an_exported_student_answers_in_transformers_pipeline(student: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra `student` is not installed")
    ask = transformers.pipeline("text-generation", model=os.fspath(student), device="cpu")
    turns = [{"role": "user", "content": "Tom has 3 apples and Ann gives 4"}]
    (said,) = ask(turns, max_new_tokens=6, do_sample=False)
    assert said["generated_text"][:1] == turns
    assert said["generated_text"][1]["role"] == "assistant"


def test_the_exported_student_and_hub_folder_train_in_trls_sft_trainer(student: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl", reason="trl is not installed")
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = export_table({"teach": taught(tmp_path)}, "lessons", "hub", tmp_path / "hub")
    chat = export_table({"teach": taught(tmp_path)}, "lessons", "chat", tmp_path / "chat.jsonl")
    for path, assistant_only in ((made.path, False), (chat.path, True)):
        where: dict[str, Any] = {"data_files": os.fspath(path)} if path.is_file() else {}
        loaded = datasets.load_dataset("json" if where else os.fspath(path), split="train", **where)
        config = trl.SFTConfig(
            output_dir=os.fspath(tmp_path / "trained"),
            max_steps=2,
            per_device_train_batch_size=4,
            report_to="none",
            bf16=False,
            use_cpu=True,
            save_strategy="no",
            activation_checkpointing=False,
            assistant_only_loss=assistant_only,
        )
        trainer = trl.SFTTrainer(
            AutoModelForCausalLM.from_pretrained(student),
            args=config,
            train_dataset=loaded,
            processing_class=AutoTokenizer.from_pretrained(student),
        )
        assert trainer.train().training_loss > 0
        assert trainer.state.global_step == 2


def test_lm_eval_measures_an_exported_student_on_a_local_file(student: Path, tmp_path: Path) -> None:
    lm_eval = pytest.importorskip("lm_eval", reason="lm-eval is not installed")
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    rows = [{"question": f"Tom has {i} apples and {i} pears", "answer": f"#### {2 * i}"} for i in range(4)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.yaml").write_text(local_task("orca_gsm8k", tmp_path / "mine.jsonl"))
    model = HFLM(pretrained=os.fspath(student), device="cpu", batch_size=2, max_length=256)
    found = lm_eval.simple_evaluate(
        model,
        tasks=["mine"],
        task_manager=TaskManager(include_path=os.fspath(tmp_path), include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
        gen_kwargs="max_gen_toks=8",
    )
    scores = found["results"]["mine"]
    assert {"judged,none", "strict,none", "flexible,none", "unjudged,none"} <= set(scores)
    said = [sample["resps"][0][0] for sample in found["samples"]["mine"]]
    assert len(said) == 4
    assert "USER: Tom has" in found["samples"]["mine"][0]["arguments"][0][0]  # the student's own template
