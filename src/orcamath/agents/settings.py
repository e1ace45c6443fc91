"""What a recipe says of an agent that is not one of the paper's two: whose code it is, and what that is told."""

from pathlib import Path
from typing import Any

from pydantic import Field

from orcamath.records import Settings, member

__all__ = ["AgentSettings"]


class AgentSettings(Settings):
    """One agent beside, or instead of, Ask-Me-Anything and Suggester & Editor."""

    name: str = member("agent")
    """The path of a `.py` file with an `agent`, or the name under which an installed package offers one."""
    called: str | None = None
    """What its stage and its problems' `origin` say; the file's name where left out."""
    tries: int = Field(default=2, ge=1)
    """How often a call is asked at most, where the reply could not be read."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What only this agent knows: its prompt, its temperature, …"""

    @property
    def title(self) -> str:
        """What its stage and its problems' `origin` say."""
        return self.called or Path(self.name).stem
