"""Preferences as rows that TRL reads: pairs (`dpo`), or unpaired and shuffled responses (`kto`). Pure: records in, rows out.

TRL's KTOTrainer estimates its KL from the neighbouring row of a batch. Rows of one problem that stand together would give it
responses to the *same* question, silently; so the unpaired set is shuffled, by hash, and keeps equal problems apart.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from orcamath.records import Preference, digest

__all__ = ["paired_rows", "turn", "unpaired_rows"]


def turn(role: str, text: str) -> list[dict[str, str]]:
    """Return one turn of a conversation, as the conversational columns of TRL and the hub hold it."""
    return [{"role": role, "content": text}]


def paired_rows(preferences: Iterable[Preference]) -> Iterator[dict[str, object]]:
    """Yield one row a pair: `prompt`, `chosen`, `rejected`; the pairs that are chosen, or the whole product."""
    for p in preferences:
        chosen = p.pairs
        if chosen is None:
            chosen = tuple((i, j) for i in range(len(p.positives)) for j in range(len(p.negatives)))
        for i, j in chosen:
            yield {
                "prompt": turn("user", p.question),
                "chosen": turn("assistant", p.positives[i].text),
                "rejected": turn("assistant", p.negatives[j].text),
            }


def unpaired_rows(preferences: Iterable[Preference], seed: int = 0) -> list[dict[str, object]]:
    """Return one row a response, `prompt`, `completion`, `label`, shuffled so that neighbours are of different problems.

    Where one problem has most of the rows that cannot be, and its last rows stand together.
    """
    rows = []
    for p in preferences:
        for label, side in ((True, p.positives), (False, p.negatives)):
            for i, r in enumerate(side):
                row = {"prompt": turn("user", p.question), "completion": turn("assistant", r.text), "label": label}
                rows.append((digest(seed, p.problem_id, label, i), p.problem_id, row))
    rows.sort(key=lambda entry: entry[0])
    return _apart([(problem, row) for _, problem, row in rows])


def _apart(rows: Iterable[tuple[str, dict[str, object]]]) -> list[dict[str, object]]:
    """Take rows in order, but hold back one that would follow another of its problem until a row of another problem has come."""
    out: list[dict[str, object]] = []
    last, held = "", deque[dict[str, object]]()  # all of the problem `last`
    for problem, row in rows:
        if problem == last:
            held.append(row)
            continue
        out.append(row)
        if held:
            out.append(held.popleft())
        else:
            last = problem
    return [*out, *held]
