"""TRL's side of preference training: our groups as its rows, its trainers with a meter on them."""

import logging
import math
import tempfile
from typing import Any
from uuid import uuid4

import torch

from orcamath.student.groups import Group
from pupil_shape import PUPIL, Meter, Setting, make_model, make_tokenizer, text_of

__all__ = ["BATCH", "BETA", "dpo_rows", "kto_rows", "theirs", "trl_trainer"]

BATCH = 8
"""Problems a step, where nobody says otherwise."""
BETA = 0.1


def dpo_rows(groups: list[Group]) -> list[dict[str, str]]:
    """Return TRL's preference format: every pair a row."""
    return [
        {
            "prompt": text_of(g.prompt),
            "chosen": " " + text_of(g.responses[w]),
            "rejected": " " + text_of(g.responses[b]),
        }
        for g in groups
        for w, b, _ in g.pairs
    ]


def kto_rows(groups: list[Group], *, pairs: bool) -> list[dict[str, Any]]:
    """Return TRL's unpaired format, shuffled: both sides of every pair, or each response once."""
    rows = []
    for g in groups:
        sides = [i for w, b, _ in g.pairs for i in (w, b)] if pairs else range(len(g.responses))
        rows += [
            {"prompt": text_of(g.prompt), "completion": " " + text_of(g.responses[i]), "label": g.desirable[i]}
            for i in sides
        ]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
    return [rows[i] for i in order]


def trl_trainer(
    rows: list[dict[str, Any]],
    kind: str,
    n_steps: int,
    batch: int,
    precompute: bool,
    meter: Meter,
    out: str,
    setting: Setting = PUPIL,
) -> Any:
    """Build TRL's trainer; of what it does in building, the clock counts the reference's log-probs alone."""
    from datasets import Dataset
    from datasets.utils.logging import disable_progress_bar
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    disable_progress_bar()
    settings = {
        "output_dir": out,
        "per_device_train_batch_size": batch,
        "learning_rate": 1e-5,
        "num_train_epochs": 1,
        "beta": BETA,
        "gradient_accumulation_steps": max(1, round(len(rows) / n_steps / batch)),
        "activation_checkpointing": False,
        "bf16": setting.dtype == "bfloat16",
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "max_length": None,
        "use_cpu": setting.device == "cpu",
        "precompute_ref_log_probs": precompute,
        "optim": "adamw_torch_fused",
    }
    trainer_class, config = (DPOTrainer, DPOConfig) if kind == "dpo" else (KTOTrainer, KTOConfig)

    class Trainer(trainer_class):  # type: ignore[misc, valid-type]
        def _precompute_ref_logps(self, *args: Any, **kwargs: Any) -> Any:
            self._precompute_model_hash = str(uuid4())  # else a second run of a process reads the first one's file
            with meter:
                return super()._precompute_ref_logps(*args, **kwargs)

    reference = None if precompute else meter.count(make_model(setting=setting))
    trainer = Trainer(
        meter.count(make_model(setting=setting)),
        reference,
        config(**settings),
        train_dataset=Dataset.from_list(rows),
        processing_class=make_tokenizer(setting.shape),
    )
    assert trainer.accelerator.mixed_precision == (
        "bf16" if settings["bf16"] else "no"
    )  # accelerate keeps it by process
    return trainer


def theirs(
    groups: list[Group], kind: str, batch: int, precompute: bool, setting: Setting = PUPIL, problems: int = BATCH
) -> dict[str, float]:
    """Train with TRL on `dpo` pairs, or on `kto_pairs` or `kto_unique` rows: as many steps as `problems` a step make."""
    logging.disable(logging.WARNING)
    rows = dpo_rows(groups) if kind == "dpo" else kto_rows(groups, pairs=kind == "kto_pairs")
    meter = Meter(setting.device)
    with tempfile.TemporaryDirectory() as out:
        trainer = trl_trainer(rows, kind[:3], math.ceil(len(groups) / problems), batch, precompute, meter, out, setting)
        with meter:
            trainer.train()
    return meter.took()
