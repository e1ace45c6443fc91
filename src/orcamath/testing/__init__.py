"""For those who build on this house: a misbehaving model server, and a contract suite for every family.

`check_chat`, `check_judge`, `check_source`, `check_loss`, `check_agent`, `check_screen` and `check_tracker` hold a member of your
own against the laws of its family; ours pass the same.
"""

from orcamath.testing.contracts import check_chat
from orcamath.testing.faults import Faults
from orcamath.testing.members import check_agent, check_judge, check_loss, check_screen, check_source, check_tracker
from orcamath.testing.server import Call, MisbehavingServer, Responder, of_chat, serve, stub

__all__ = [
    "Call",
    "Faults",
    "MisbehavingServer",
    "Responder",
    "check_agent",
    "check_chat",
    "check_judge",
    "check_loss",
    "check_screen",
    "check_source",
    "check_tracker",
    "of_chat",
    "serve",
    "stub",
]
