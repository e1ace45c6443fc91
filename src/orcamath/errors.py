"""What can stop a run, as one tree. The failure of one item is data (`records.Rejected`) and never raised.

OrcamathError                 exit 1   anything this software raises on purpose
├── UsageError                exit 2   a command or its arguments
│   └── RecipeError           exit 2   an unknown key, a wrong value, a name that resolves to nothing
├── DataError                 exit 1   a file or line that cannot be read
├── ModelError                exit 1   weights, tokenizer or template that cannot be loaded
├── OthersFailed              exit 1   the user's own file, or an installed package's, broke its contract
├── TeacherRefused            exit 1   401, unknown model, out of quota: asking again cannot help
├── RunBusy                   exit 1   another process holds the run folder or the last free ledger shard
├── SchemaTooNew              exit 1   written by a newer version of this software
├── TrainingDiverged          exit 1   a loss or gradient that is not finite
├── BrokenBalance             exit 1   the books of a stage do not add up: a bug of ours
├── TooManyRejects            exit 3   the run ended, but a stage kept too little
└── Stopped                   exit 4   resumable: run the same command again
    ├── CapReached            exit 4   the money set aside is spent
    ├── WireDown              exit 4   the endpoint does not answer
    ├── DiskFull              exit 4   no room to remember what would be paid for
    ├── Damaged               exit 4   something kept on disk is not what was written; the next run makes or asks it anew
    │   └── RepliesDamaged    exit 4   these were remembered replies: asking again costs what they cost
    ├── BatchWaiting          exit 4   the provider is still working on a batch
    ├── PaysAgain             exit 4   going on would pay a second time, and nobody said so
    ├── ToReview              exit 4   the recipe says that a person reads the lessons before anything is trained on them
    ├── NotReady              exit 4   the recipe says to stop where practice has nothing to find yet
    └── AnotherModel          exit 4   another model seems to answer under a name whose replies are remembered

Every message says what happened, the value, where (file:line, key, record id), and what to do instead; the command
line adds where the troubleshooting page has its kind.
"""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

__all__ = [
    "NO_ROOM",
    "AnotherModel",
    "BatchWaiting",
    "BrokenBalance",
    "CapReached",
    "Damaged",
    "DataError",
    "DiskFull",
    "ModelError",
    "NotReady",
    "OrcamathError",
    "OthersFailed",
    "PaysAgain",
    "RecipeError",
    "RepliesDamaged",
    "RunBusy",
    "SchemaTooNew",
    "Stopped",
    "TeacherRefused",
    "ToReview",
    "TooManyRejects",
    "TrainingDiverged",
    "UsageError",
    "WireDown",
    "nearest",
]

NO_ROOM = frozenset({28, 122, 27})
"""What the system says of a full disk: no space left, quota used up, file size limit."""


class OrcamathError(Exception):
    """Base of everything raised on purpose; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1

    @classmethod
    def help(cls) -> str:
        """Return where docs/troubleshooting.md (a wheel has a copy) has this kind: `docs/troubleshooting.md#cap-reached`."""
        known = next(kind.__name__ for kind in cls.__mro__ if kind.__module__ == __name__)
        copy = Path(__file__).with_name("troubleshooting.md")
        page = copy if copy.exists() else "docs/troubleshooting.md"
        return f"{page}#" + re.sub(r"(?<!^)(?=[A-Z])", "-", known).lower()


class UsageError(OrcamathError):
    """The command or its arguments make no sense."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe has an unknown key, a wrong value, or a name that resolves to nothing."""


class DataError(OrcamathError):
    """A file, a line of it or a record cannot be read; the message has file and line."""


class ModelError(OrcamathError):
    """A model folder, hub name or GGUF file cannot be loaded."""


class OthersFailed(OrcamathError):
    """Code that is not ours raised something, or returned what it may not; the message has its place and its contract."""


class TeacherRefused(OrcamathError):
    """The endpoint refuses every call (key, model name, quota); repeating would only cost time."""


class RunBusy(OrcamathError):
    """Another process works here; the message names it."""


class SchemaTooNew(OrcamathError):
    """A file was written by a newer version; it is left untouched."""


class TrainingDiverged(OrcamathError):
    """Loss or gradient is not finite; the message has the step and the ids of its batch."""


class BrokenBalance(OrcamathError):
    """A stage's books do not add up: please report it."""


class TooManyRejects(OrcamathError):
    """The stage ran to its end but kept less than the recipe demands; `key` is the setting to change first, where one helps."""

    exit_code = 3

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class Stopped(OrcamathError):
    """The run stopped on purpose and goes on where it was when started again."""

    exit_code = 4


class CapReached(Stopped):
    """The spending cap leaves no room for the next call; `cap` is the setting that is in the way."""

    def __init__(self, message: str, *, cap: str = "budget.cap_usd") -> None:
        super().__init__(message)
        self.cap = cap


class WireDown(Stopped):
    """The endpoint failed too often in a row."""


class DiskFull(Stopped):
    """The store cannot be written, so nothing more is sent."""


class Damaged(Stopped):
    """Something kept on disk is no longer what was written; it is out of the way, and the next run makes it anew."""


class RepliesDamaged(Damaged):
    """Remembered replies were damaged and are forgotten: the calls are asked again."""


class BatchWaiting(Stopped):
    """A provider's batch is still open."""


class PaysAgain(Stopped):
    """Going on would pay again for what was paid for; it has to be confirmed."""


class ToReview(Stopped):
    """The lessons are there, and wait for somebody to read them."""


class NotReady(Stopped):
    """Practice has nothing to find yet, and the recipe says to stop then."""


class AnotherModel(Stopped):
    """A server says other things of a model than before, or is a new one: whether it is the same has to be said."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say what exists instead of `name`: the closest spelling first, else the whole list."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return "known: " + (", ".join(f"`{option}`" for option in options) or "none")
