"""Our online losses against TRL's trainers: the same completions, rewards and sampling log-probs, the same loss and gradient."""

from pathlib import Path
from typing import Any

import pytest
import torch

from orcamath.student.encode import Encoder
from orcamath.student.logprobs import Posed
from orcamath.student.losses import dr_grpo, grpo, rloo
from orcamath.student.settings import OnlineSettings
from orcamath.student.tried import Tried, step_on
from tiny_student import tiny_model, tiny_tokenizer

LONGEST, GROUP = 10, 4
LOSSES = {"grpo": grpo, "dr_grpo": dr_grpo, "rloo": rloo}


def likes_digits(completions: list[str], **_: Any) -> list[float]:
    """A verdict as ours are: 0 or 1, by what the completion says."""
    return [float(any(c.isdigit() for c in text[:6])) for text in completions]


def trainer_of(name: str, folder: Path) -> Any:
    trl = pytest.importorskip("trl", reason="trl is not installed")
    from datasets import Dataset

    tokenizer = tiny_tokenizer()
    Encoder(tokenizer)  # gives it the template
    shared = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 3 * GROUP,
        "num_generations": GROUP,
        "report_to": "none",
        "max_completion_length": LONGEST,
        "bf16": False,
        "use_cpu": True,
        "beta": 0.0,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "save_strategy": "no",
        "gradient_checkpointing": False,
        "num_iterations": 2,
        "disable_dropout": True,
    }
    rows = Dataset.from_list([{"prompt": f"USER: Tom has {i} apples\nASSISTANT:"} for i in range(3)])
    if name == "rloo":
        return trl.RLOOTrainer(
            tiny_model(), likes_digits, args=trl.RLOOConfig(**shared), train_dataset=rows, processing_class=tokenizer
        )
    scale = "none" if name == "dr_grpo" else "group"
    config = trl.GRPOConfig(**shared, loss_type=name, scale_rewards=scale)
    return trl.GRPOTrainer(tiny_model(), likes_digits, args=config, train_dataset=rows, processing_class=tokenizer)


def moved(model: Any) -> None:
    """Step away from the policy that sampled, so that some ratios are clipped."""
    dice = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.02 * torch.randn(p.shape, generator=dice))


def as_ours(inputs: dict[str, Any], rewards: list[float], old: torch.Tensor) -> list[Tried]:
    """Return TRL's generated batch as our groups; `old`: log-probs of its completions' tokens when they were sampled."""
    found = []
    for g in range(0, len(rewards), GROUP):
        prompt = inputs["prompt_ids"][g][inputs["prompt_mask"][g].bool()].tolist()
        rows = range(g, g + GROUP)
        masks = [inputs["completion_mask"][i].bool() for i in rows]
        answers = tuple(tuple(inputs["completion_ids"][i][m].tolist()) for i, m in zip(rows, masks, strict=True))
        sampled = tuple(tuple(old[i][m].tolist()) for i, m in zip(rows, masks, strict=True))
        found.append(Tried(f"p{g}", Posed(tuple(prompt), answers), sampled, tuple(rewards[g : g + GROUP])))
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # TRL's own
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradient_are_trls(name: str, tmp_path: Path) -> None:
    trainer = trainer_of(name, tmp_path)
    torch.manual_seed(11)
    rows = [row for row in trainer.train_dataset for _ in range(GROUP)]
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    inputs = trainer._generate_and_score_completions(rows)
    texts = trainer.processing_class.batch_decode(inputs["completion_ids"], skip_special_tokens=True)
    rewards = likes_digits(texts)
    assert 0 < sum(rewards) < len(rewards)
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
    with torch.no_grad():
        old = trainer._get_per_token_logps_and_entropies(trainer.model, ids, mask, inputs["completion_ids"].size(1))[0]
    if name == "rloo":
        inputs["old_logps"] = (old * inputs["completion_mask"]).sum(1)
    else:
        inputs["old_per_token_logps"] = old
    moved(trainer.model)
    trainer.model.zero_grad()
    theirs = trainer._compute_loss(trainer.model, inputs)
    theirs.backward()
    wanted = {n: p.grad.clone() for n, p in trainer.model.named_parameters()}

    model = tiny_model().train()
    moved(model)
    settings = OnlineSettings(max_new_tokens=LONGEST, dtype="float32", clip=0.2)
    numbers = step_on(model, as_ours(inputs, rewards, old), LOSSES[name].loss, settings, float(len(rewards)))
    loss_diff = abs(numbers["loss"] - float(theirs.detach()))
    assert loss_diff <= 5e-5, (numbers["loss"], float(theirs.detach()))
    assert 0 < numbers["clip_share"] < 1
    for n, p in model.named_parameters():
        torch.testing.assert_close(p.grad, wanted[n], rtol=1e-3, atol=5e-6, msg=n)
