"""For those who build on this house: a misbehaving model server, and contract suites for backends and other parts."""

from orcamath.testing.faults import Faults
from orcamath.testing.server import Call, MisbehavingServer, Responder, of_chat, serve, stub

__all__ = ["Call", "Faults", "MisbehavingServer", "Responder", "of_chat", "serve", "stub"]
