"""A run's student as a folder that anything can load: merged weights, tokenizer, and a card of what was measured.

In → the sealed model folder of a training stage and the rows of the score table; out → the same files beside a `README.md` whose
every figure is copied from the run. The chat template marks the assistant's turn with `{% generation %}`, so that trainers can
count the answer alone; what the template renders stays the same.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from orcamath.errors import UsageError
from orcamath.export.card import plain_cell
from orcamath.export.places import export_place
from orcamath.export.whole import Exported
from orcamath.report.rows import ResultRow

__all__ = ["export_student", "marked"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_ANSWER = "ASSISTANT: {{ m['content'] }}{{ eos_token }}"
"""The assistant's turn as the paper's template of ours spells it (`student.encode.BASE_TEMPLATE`)."""


def marked(template: str) -> str:
    """Mark the assistant's turn of our own template; another one stays as its authors wrote it."""
    if "{% generation %}" in template:
        return template
    answer = _ANSWER.removeprefix("ASSISTANT:")
    return template.replace(_ANSWER, "ASSISTANT:{% generation %}" + answer + "{% endgeneration %}")


def export_student(
    folder: Path, target: Path, *, title: str, base: str, rows: Sequence[ResultRow], replace: bool = False
) -> Exported:
    """Copy a student's sealed folder to `target`, with its card. Raises UsageError where the target may not be written."""
    if not folder.is_dir():
        raise UsageError(f"the student's weights are no longer at `{folder}`; run the recipe again to train it")
    with export_place(target, folder=True, replace=replace, what="student") as new:
        for file in sorted(folder.iterdir()):
            if file.is_file():
                shutil.copyfile(file, new / file.name)
        _mark_template(new)
        (new / "README.md").write_text(_card(title, base, rows), encoding="utf-8")
    return Exported(target, sum(1 for f in target.iterdir() if f.is_file()))


def _mark_template(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    if path.exists():
        path.write_text(marked(path.read_text(encoding="utf-8")), encoding="utf-8")


def _card(title: str, base: str, rows: Sequence[ResultRow]) -> str:
    on_hub = _HUB_NAME.fullmatch(base) is not None and not Path(base).exists()
    # the hub refuses a card whose `base_model` is none of its own, and a place on this machine tells nobody anything
    header = [f"base_model: {base}"] if on_hub else []
    called = plain_cell(base if on_hub else Path(base).name)
    table = ["| benchmark | right, % | 95 % interval | problems | cut off |", "|---|---:|---|---:|---:|"]
    for r in rows:
        score = f"{100 * r.score.point:.1f} | [{100 * r.score.low:.1f}, {100 * r.score.high:.1f}]"
        table.append(f"| {plain_cell(r.benchmark)} | {score} | {r.n:,} | {r.cut_off:,} |")
    measured = "\n".join(table) if rows else "Not measured yet."
    method = rows[0].training.method if rows else ""
    how = f" The last round was trained with {plain_cell(method)}." if method else ""
    paragraphs = [
        "\n".join(["---", "tags: [math, word-problems, orca-math]", *header, "---"]),
        f"# {plain_cell(title)}",
        f"A student of `{called}`, trained with orcamath after Orca-Math (arXiv 2402.14830).{how}",
        "## What it scored",
        "Greedy answers, one model call each, on problems that were held out of training.",
        measured,
        "## How to ask it",
        "Load it with `AutoModelForCausalLM.from_pretrained` and put the question as the only user turn of the chat "
        "template; the answer ends with the token that `generation_config.json` names.",
        "## Licence",
        "The base model's licence holds, and the licences of the data it learned from: see the data card of the same run "
        "(`orcamath export RUN lessons --as hub`). Where a provider's model was the teacher, its terms apply too.",
    ]
    return "\n\n".join(paragraphs) + "\n"
