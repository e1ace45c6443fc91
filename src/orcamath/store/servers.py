"""Who answered so far: what each server said of itself, beside the ledger, per model (the name that enters keys) and server.

In: a model's fingerprint, a server (`host:port`) and what it says (`backends.wire_says`). Out: why it may not be the model whose
replies are remembered under that name, or None. Keys of calls stay model + `revision:`; this only says when they may lie.
"""

import re
from pathlib import Path
from typing import Any

from orcamath.store.locks import wait_for
from orcamath.store.seals import read_sealed, write_sealed

__all__ = ["FILE", "Servers", "is_bare"]

FILE = "servers.json"
_TELLING = re.compile(r"[/\d]")


def is_bare(name: str) -> bool:
    """Tell whether a name says neither whose model it is nor which (`default`, `local-model`): any server may have such a one."""
    return not _TELLING.search(name)


class Servers:
    """`servers.json` of one store."""

    def __init__(self, store: Path) -> None:
        self.path = store / FILE

    def doubt(self, fingerprint: str, name: str, server: str, says: dict[str, Any]) -> str | None:
        """Say what is new about who answers; None where nothing is, or nothing is known of before.

        A bare name on a new server is in doubt unless that says what a known one said. `fingerprint` holds `revision:`, so a
        revision of its own begins anew.
        """
        known = self._read().get(fingerprint, {})
        if (before := known.get(server)) is not None:
            return (
                None
                if not says or not before or says == before
                else f"says {_short(says)} now, and said {_short(before)}"
            )
        telling = says.keys() - {"owned_by"} - ({"id"} if is_bare(str(says.get("id", ""))) else set())
        if not known or not is_bare(name) or (telling and says in known.values()):
            return None
        return f"is new: so far `{name}` was answered by {', '.join(f'`{s}`' for s in sorted(known))}"

    def keep(self, fingerprint: str, server: str, says: dict[str, object]) -> None:
        """Write down what a server says; one that says nothing today keeps what it said."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with wait_for(self.path.with_suffix(".lock"), f"write `{self.path}`"):
            known = self._read()
            before = known.setdefault(fingerprint, {})
            if server not in before or (says and before[server] != says):
                before[server] = says
                write_sealed(self.path, known)

    def _read(self) -> dict[str, dict[str, Any]]:
        return read_sealed(self.path) or {}


def _short(says: dict[str, object]) -> str:
    return "`" + ", ".join(f"{key}: {value}" for key, value in sorted(says.items()))[:160] + "`"
