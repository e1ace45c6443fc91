"""What a recipe says of the judge. It is read by the judges themselves and by the stage `judge`."""

from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from orcamath.records import Settings, member, outside_digest

__all__ = ["JudgeSettings"]


class JudgeSettings(Settings):
    """Who judges, and how."""

    name: str = member("judge", "cascade")
    """`rules`, `model`, `cascade` (rules, then math-verify, then the model where one is given), or your own file."""
    form: Literal["verdict", "extract"] = "verdict"
    """How a model is asked: for a verdict on the whole answer, or to extract the short answer that rules compare."""
    math_verify: bool = True
    """Ask math-verify, in a process of its own, before the model."""
    timeout_s: PositiveFloat = 5.0
    """Seconds math-verify gets for one pair before its process is killed."""
    max_tokens: PositiveInt = 300
    """Token limit of the model's verdict."""
    prompt: str | None = outside_digest(None)
    """A prompt file of your own in place of the one that ships; its text enters the judge's name."""
