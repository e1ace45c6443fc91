"""Settings of training. They need no torch, so a recipe can be read and planned without it."""

from typing import Literal, Self

from pydantic import Field, model_validator

from orcamath.records import Settings, later, member, outside_digest

__all__ = [
    "KEPT_A_LAYER",
    "TOKENS_AT_ONCE",
    "AdapterSettings",
    "Dtype",
    "LearnSettings",
    "LossSettings",
    "OnlineSettings",
    "SftSettings",
    "TrainSettings",
]

Dtype = Literal["auto", "float32", "bfloat16"]
KEPT_A_LAYER = 24
"""Numbers kept a token, layer and hidden unit for the backward pass."""
TOKENS_AT_ONCE = 16_384
"""What is forwarded together where nobody says otherwise."""


class LossSettings(Settings):
    """What the losses read."""

    beta: float = Field(default=0.1, gt=0)
    """How far the student may move from the reference: larger is nearer (for IPO its τ)."""
    desirable_weight: float = Field(default=1.0, ge=0)
    """KTO's λ_D."""
    undesirable_weight: float = Field(default=1.0, ge=0)
    """KTO's λ_U."""
    rpo_alpha: float = Field(default=1.0, ge=0)
    """Weight of RPO's NLL on each pair's winner."""
    ipo_per_token: bool = True
    """Divide IPO's log-ratios by the responses' lengths."""
    clip: float = later(0.2, gt=0, lt=1)
    """Online losses: how far a ratio to the policy that sampled may go from 1 before it pulls no further."""


class AdapterSettings(Settings):
    """Train low-rank adapters instead of all weights; they are merged when training is done."""

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str = "all-linear"
    """Names of the modules to adapt, with commas between; each must fit one. `all-linear`: all but embeddings and head."""
    quantize: Literal["none", "4bit"] = "none"
    """`4bit` holds the frozen weights in NF4 (needs a GPU and the package `bitsandbytes`)."""


class TrainSettings(Settings):
    """What every training shares."""

    learning_rate: float = Field(default=1e-6, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from 0: whole steps, one at least where this is above 0."""
    epochs: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=32, ge=1)
    """Problems in an optimizer step."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's; norms and biases do not decay."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_tokens: int = Field(default=2048, ge=2)
    """Prompt + answer; a longer answer is cut and then trained without EOS."""
    dtype: Dtype = "auto"
    """bfloat16 computes in it and keeps float32 weights; `auto` is bfloat16 where the GPU has it."""
    seed: int = 0
    """Order of the problems, fresh adapters, and dropout."""
    batch_tokens: int | None = outside_digest(None, ge=1)
    """Tokens forwarded at once: what fits in memory. Does not change the result, unless dropout is on (what is drawn follows the
    cut). None: 16,384, or what one GPU should hold."""
    adapter: AdapterSettings | None = None
    """LoRA or QLoRA; all weights are trained where left out."""
    share_prompt: bool = outside_digest(True)
    """Compute a prompt's keys and values once for all its answers."""
    gradient_checkpointing: bool = outside_digest(False)
    """Keep fewer activations and compute them again: about a third slower, much less memory."""
    compile: bool = outside_digest(False)
    """Compile the model's blocks (`torch.compile`), for a GPU: minutes before the first step, fewer and larger kernels after."""
    processes: int = outside_digest(1, ge=1)
    """Training processes, started by torchrun: one a GPU, or several on one CPU."""
    sharding: Literal["auto", "none", "fsdp2"] = outside_digest("auto")
    """With several processes: `fsdp2` deals weights and moments out over them, `none` lets each hold all; `auto` is `fsdp2`
    on GPUs where all weights are trained."""
    checkpoint_steps: int = outside_digest(200, ge=1)
    """Steps between checkpoints; one more at every epoch's end."""
    resume: Literal["exact", "epoch"] = outside_digest("exact")
    """A broken-off training that is continued with another number of processes is refused (`exact`), or goes back to the end
    of its last finished epoch (`epoch`). With the same number it always goes on where it was."""

    @model_validator(mode="after")
    def _compiled_alone(self) -> Self:
        if self.compile and self.processes > 1:
            raise ValueError("compiled blocks are trained in one process; leave `compile` or `processes` out")
        return self

    @model_validator(mode="after")
    def _sharded_whole(self) -> Self:
        if self.sharding == "fsdp2" and self.adapter is not None:
            raise ValueError("adapters are not sharded: leave `sharding` out, or train all weights without `adapter`")
        return self


class SftSettings(TrainSettings):
    """How the student imitates."""

    train_tokens: int | None = Field(default=None, ge=1)
    """Stop after this many forwarded tokens instead of after `epochs`: a control gets the tokens another run had."""
    train_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps instead of after `epochs`: so many lessons in all, however few there are to repeat."""

    @model_validator(mode="after")
    def _one_end(self) -> "SftSettings":
        if self.train_tokens is not None and self.train_steps is not None:
            raise ValueError("train_tokens and train_steps both say where to stop; keep one")
        return self


class LearnSettings(TrainSettings, LossSettings):
    """How the student learns from preferences."""

    loss: str = member("loss", "kto")
    """`kto`, `dpo`, `rpo`, `ipo`, `apo_zero`, `nll` (right answers only), or the path of your own file."""
    nll_weight: float = Field(default=0.0, ge=0)
    """Adds this much of the right answers' NLL (mean per answer token) to any loss."""
    negative_only: bool = False
    """KTO: keep problems that have wrong answers only."""
    multiplicity: bool = False
    """Weigh a response by how often it was sampled, instead of each once."""
    per_problem: bool = False
    """Let a problem's answers of one label weigh one together, instead of one (or their multiplicity) each."""
    z0: Literal["mismatched", "own"] = "mismatched"
    """KTO: what the baseline is the mean log-ratio of: answers to other problems (KTO's paper), or the step's own answers."""
    z0_per_problem: int | None = Field(default=None, ge=1)
    """KTO: mismatched answers a problem for the baseline; None: as many as it has responses."""


class OnlineSettings(TrainSettings, LossSettings):
    """How the student learns online. Samples are drawn at temperature 1 and top-p 1: the losses need the policy's own odds."""

    loss: str = member("loss", "grpo")
    """`grpo`, `dr_grpo`, `rloo`, or the path of your own file whose loss declares `needs("samples")`."""
    rounds: int = Field(default=20, ge=1)
    problems: int = Field(default=64, ge=1, le=64)
    """Of each round."""
    samples: int = Field(default=8, ge=2)
    """Of each problem."""
    steps: int = Field(default=1, ge=1, le=4)
    """Optimizer steps a round, each on its share of the round's problems; with more than one the later ones are off-policy."""
    max_new_tokens: int = Field(default=512, ge=1)
    schedule: Literal["linear", "cosine", "constant"] = "constant"

    @model_validator(mode="after")
    def _one_process(self) -> "OnlineSettings":
        if self.processes > 1:
            raise ValueError("online rounds run in one process; leave `processes` out")
        if self.adapter is not None:
            raise ValueError("online rounds train all weights; leave `adapter` out")
        if self.compile:
            raise ValueError(
                "online rounds sample from the model they train, whose blocks are not compiled; leave `compile` out"
            )
        return self
