"""The data card of an exported set: what is in it, where it came from, under which licences, and what was thrown away.

In → counts of the rows and the sealed stages they came through; out → Markdown with the YAML header that the hub reads.
Everything in it is counted or copied from manifests. Names and licences come from data, so they are shown as text: no
markup of theirs takes effect.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orcamath.export.terms import terms_of
from orcamath.sources.passes import ReadingFacts
from orcamath.stages.facts import facts_of
from orcamath.store.artifacts import Artifact
from orcamath.store.facts import Facts
from orcamath.visible import one_line, visible

__all__ = ["card", "plain_cell"]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MARKUP = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>#|!&"})


def plain_cell(text: object, limit: int = 300) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return one_line(str(text), limit).translate(_MARKUP)


def card(title: str, n: int, by: Mapping[str, Mapping[str, int]], stages: Sequence[Artifact]) -> str:
    """Write the card of a set of `n` lessons with the counts `by` origin, source, licence, verified, teacher."""
    parts = [
        _header(title, n, by.get("language", {})),
        f"# {plain_cell(title)}",
        f"{n:,} math word problems with worked solutions, made with orcamath after Orca-Math (arXiv 2402.14830): problems "
        "grown from seeds by language models and solved by a teacher model. The columns `question` and `answer` are those of "
        "microsoft/orca-math-word-problems-200k.",
        "## Licences",
        "Every row carries the licence of the data set its seed came from; what was grown from a seed inherits it.",
        _licences(by.get("source and licence", {})),
        *_warnings(by.get("licence", {})),
        "## The teacher's terms",
        _teachers(by.get("teacher", {})),
        "## What is in it",
        _table(("origin", "rows"), by.get("origin", {}).items()),
        _table(("checked", "rows"), ((_VERIFIED.get(k, k), v) for k, v in by.get("verified", {}).items())),
        _table(("split of the seed", "rows"), by.get("split", {}).items()),
        _table(
            ("language of the question, by its commonest words", "rows"),
            ((k or "not told", v) for k, v in by.get("language", {}).items()),
        ),
        "All rows are in the split `train`; the column `split` says which split of its own data set a seed was in.",
        *_history(stages),
        "## Columns",
        _COLUMNS,
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


LEAST = 0.01
"""Share of the rows that a language must have to be named in the header: of a few names in some text, none is."""


def _header(title: str, n: int, languages: Mapping[str, int]) -> str:
    found = [
        name for name, rows in sorted(languages.items(), key=lambda x: (-x[1], x[0])) if name and rows >= LEAST * n
    ]
    size = next((name for limit, name in _SIZES if n < limit), "1M<n<10M")
    lines = [
        "---",
        f"pretty_name: {json.dumps(visible(title), ensure_ascii=False)}",
        "license: other",
        "license_name: by-row",
        "task_categories: [question-answering, text-generation]",
        *([f"language: [{', '.join(found)}]"] if found else []),
        "tags: [math, word-problems, synthetic]",
        f"size_categories: ['{size}']",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path: data/train-*",
        "---",
    ]
    return "\n".join(lines)


def _licences(counts: Mapping[str, int]) -> str:
    rows = sorted((source, -n, licence) for key, n in counts.items() for source, licence in [key.split("\0", 1)])
    return _table(("source", "licence", "rows"), ((source, licence, -n) for source, n, licence in rows))


def _warnings(licences: Mapping[str, int]) -> list[str]:
    def rows(*words: str) -> int:
        return sum(n for name, n in licences.items() if any(w in name.lower() for w in words))

    found = []
    if n := rows("by-nc", "noncommercial", "non-commercial"):
        found.append(f"{n:,} rows come from sources that allow no commercial use.")
    if n := rows("by-sa", "share"):
        found.append(f"{n:,} rows come from sources that ask for the same licence on what is made from them.")
    if n := sum(n for name, n in licences.items() if not name) + rows(
        "no licence", "not stated", "none found", "states none"
    ):
        found.append(
            f"{n:,} rows come from sources that state no licence: ask their authors before you publish these rows."
        )
    return found


def _teachers(counts: Mapping[str, int]) -> str:
    found = {name: terms_of(name) for name in counts}
    names = _table(
        ("teacher (fingerprint)", "rows", "terms of its output"),
        ((name, n, t.said if (t := found[name]) is not None else "not known here") for name, n in counts.items()),
    )
    dated = next((f" They are as we know them on {t.as_of}." for t in found.values() if t is not None), "")
    return (
        f"{names}\n\nThe solutions are output of these models. Where a model belongs to a provider, the provider's terms apply "
        f"to its output besides the licences above; several forbid training models that compete with theirs.{dated} Whoever uses "
        "or publishes this set has to read the terms that held when it was made; orcamath cannot."
    )


_VERIFIED = {
    "gold": "agrees with a known answer (gold)",
    "hidden_number": "agrees with the number an agent hid (hidden_number)",
    "agreement": "several solutions agree (agreement)",
    "unverified": "not confirmed: not checked, or against a known answer (unverified)",
}


def _history(stages: Sequence[Artifact]) -> Iterable[str]:
    if not stages:
        return
    yield "## How it was made"
    yield "Calls that came back unusable, and results that were thrown away, by stage and reason."
    rows = []
    for stage in stages:
        b: dict[str, Any] = stage.balance
        reasons = {**stage.said(Facts).failed_calls, **b["rejected"]}
        thrown = (
            ", ".join(f"{reason} {n:,}" for reason, n in sorted(reasons.items(), key=lambda r: (-r[1], r[0]))) or "none"
        )
        rows.append((f"{stage.stage} {stage.digest[:8]}", b["asked"], b["failed"], b["results"], b["kept"], thrown))
    yield _table(("stage", "calls", "of these failed", "results", "kept", "thrown away"), rows)
    for stage in stages:
        said = facts_of(stage)
        if isinstance(said, ReadingFacts) and (mixture := said.mixture) is not None:
            yield (
                f"Seeds: {mixture.here:,} beside the paper's {mixture.paper:,}. Our choices: "
                + "; ".join(plain_cell(c) for c in mixture.our_choice)
                + "."
            )


_COLUMNS = """| column | what it holds |
|---|---|
| `question`, `answer` | the problem, and the teacher's worked solution |
| `id`, `problem_id` | hashes of content: of the row, and of the problem, which several rows may share |
| `final_answer` | the short answer found in the solution; null where none could be read |
| `kind`, `options` | what sort of answer it is; the choices, in order, where there are any |
| `origin`, `round`, `target` | `seed` or the agent that wrote the problem; its round; the number it hid, where it hid one |
| `source`, `split`, `licence` | of the data set that the seed came from |
| `parents` | `problem_id` of the problems it was made from |
| `verified` | `gold`, `hidden_number`, `agreement` or `unverified` |
| `teacher` | fingerprint of the model that wrote the solution |"""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        return f"{value:,}" if isinstance(value, int) else plain_cell(value) if value != "" else "not stated"

    found = list(rows)
    if not found:
        return ""
    align = "|".join("---:" if isinstance(v, int) else "---" for v in found[0])
    body = [f"| {' | '.join(cell(v) for v in row)} |" for row in found]
    return "\n".join([f"| {' | '.join(head)} |", f"|{align}|", *body])
