"""Preferences as rows that TRL reads: pairs (`dpo`), or unpaired and shuffled responses (`kto`). Pure: records in, rows out.

TRL's KTOTrainer estimates its KL from the neighbouring row of a batch. Rows of one problem that stand together would give it
responses to the *same* question, silently; so the unpaired set is shuffled, by hash, and keeps equal problems apart.

TRL writes a chat template's end behind every response, also behind a sample that ran into its token limit, of which no end is
trained here. Columns that trainers pass by say which are `finished`, so that whoever wants to can leave the others out.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from orcamath.records import Preference, digest

__all__ = ["paired_rows", "turn", "unpaired_rows"]

AT_ONCE = 1 << 17
"""Unpaired rows in memory, about 2 kB each."""


def turn(role: str, text: str) -> list[dict[str, str]]:
    """Return one turn of a conversation, as the conversational columns of TRL and the hub hold it."""
    return [{"role": role, "content": text}]


def paired_rows(preferences: Iterable[Preference]) -> Iterator[dict[str, object]]:
    """Yield one row a pair: `prompt`, `chosen`, `rejected`, and which are finished; the pairs that are chosen, or all."""
    for p in preferences:
        chosen = p.pairs
        if chosen is None:
            chosen = tuple((i, j) for i in range(len(p.positives)) for j in range(len(p.negatives)))
        for i, j in chosen:
            yield {
                "prompt": turn("user", p.question),
                "chosen": turn("assistant", p.positives[i].text),
                "rejected": turn("assistant", p.negatives[j].text),
                "chosen_finished": p.positives[i].finished,
                "rejected_finished": p.negatives[j].finished,
            }


def unpaired_rows(
    preferences: Callable[[], Iterable[Preference]], seed: int = 0, at_once: int = AT_ONCE
) -> Iterator[dict[str, object]]:
    """Yield one row a response, `prompt`, `completion`, `label`, `finished`, shuffled: neighbours are of different problems.

    Where one problem has most of the rows that cannot be, and its last rows stand together. `preferences()` starts over from
    the first: once to draw the order, with 16 bytes a row in memory, and once for every `at_once` rows.
    """
    drawn = np.fromiter((_drawn(seed, *place) for p in preferences() for place in _places(p)), np.uint64)
    order = np.argsort(drawn, kind="stable")
    return _apart(
        chain.from_iterable(_taken(preferences, order[i : i + at_once]) for i in range(0, len(order), at_once))
    )


def _places(p: Preference) -> Iterator[tuple[str, bool, int]]:
    """Yield (problem, right or wrong, place on that side) of every response."""
    for label, side in ((True, p.positives), (False, p.negatives)):
        yield from ((p.problem_id, label, i) for i in range(len(side)))


def _drawn(*of: object) -> int:
    return int(digest(*of)[:16], 16)


def _taken(
    preferences: Callable[[], Iterable[Preference]], wanted: npt.NDArray[np.int64]
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (problem, row) of the responses wanted, numbered as they are read, in the order given."""
    rows: dict[int, tuple[str, dict[str, object]]] = {}
    numbers, chosen = count(), set(wanted.tolist())
    for p in preferences():
        for problem, label, i in _places(p):
            if (number := next(numbers)) in chosen:
                said = (p.positives if label else p.negatives)[i]
                asked, answered = turn("user", p.question), turn("assistant", said.text)
                row = {"prompt": asked, "completion": answered, "label": label, "finished": said.finished}
                rows[number] = problem, row
    return (rows[number] for number in wanted.tolist())


def _apart(rows: Iterable[tuple[str, dict[str, object]]]) -> Iterator[dict[str, object]]:
    """Take rows in order, but hold back one that would follow another of its problem until a row of another problem has come."""
    last, held = "", deque[dict[str, object]]()  # all of the problem `last`
    for problem, row in rows:
        if problem == last:
            held.append(row)
            continue
        yield row
        if held:
            yield held.popleft()
        else:
            last = problem
    yield from held
