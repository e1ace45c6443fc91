"""Stage `edit`, Suggester & Editor: two agents in turn make a problem harder, for two rounds (paper, section 2.3).

In: seeds. Out: the problems of every round with their lineage; `keep: last` leaves out a problem from which a later round
made another. A round starts when the one before is whole; its problems wait in the stage's scratch folder, not in memory.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from orcamath.agents import editor as editors
from orcamath.agents import suggester as suggesters
from orcamath.agents.driver import drive, fill, fold_replies
from orcamath.agents.editor import EditorSettings
from orcamath.agents.few_kept import with_few_told
from orcamath.agents.suggester import Suggested, SuggesterSettings
from orcamath.records import Problem, Rejected, Settings
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage
from orcamath.store.tables import read_table, write_table

__all__ = ["EditFacts", "EditSettings", "edit"]


class EditSettings(Settings):
    """Settings of Suggester & Editor."""

    rounds: int = Field(default=2, ge=1)
    keep: Literal["all", "last"] = "all"
    """`last` keeps of every line of problems only the one of the latest round."""
    suggester: SuggesterSettings = SuggesterSettings()
    editor: EditorSettings = EditorSettings()

    def contents(self) -> list[str]:
        """Return the hashes of both prompts' texts, which enter the digest of the stage."""
        return [*self.suggester.contents(), *self.editor.contents()]


class EditFacts(Facts):
    """What the rounds brought."""

    rounds: dict[str, int] = Field({})
    """Number of the round → problems it made."""


@stage("edit", version=5, settings=EditSettings, facts=EditFacts)
def edit(out: Output, settings: EditSettings, seeds: Artifact, writer: Remembered) -> EditFacts:
    """Write the problems of all rounds."""
    rounds: dict[Path, int] = {}
    before, n_before = None, seeds.count("problems")
    for n in range(1, settings.rounds + 1):
        path = out.scratch / f"round-{n}.parquet"
        made = _round(out, settings, n, seeds, before, n_before, writer)
        before, n_before = path, write_table(path, "problems", made)
        rounds[before] = n_before
        if out.calls.failures:
            break  # the next round would start from a part only
    out.write("problems", _kept(out, settings, list(rounds)))
    facts = EditFacts(rounds={str(n): made for n, made in enumerate(rounds.values(), start=1)})
    return with_few_told(facts, out)


def _round(
    out: Output,
    settings: EditSettings,
    n: int,
    seeds: Artifact,
    before: Path | None,
    n_before: int,
    writer: Remembered,
) -> Iterator[Problem]:
    """Run both agents over the `n_before` problems of the round before (the seeds in the first)."""
    suggester, editor = suggesters.make(settings.suggester), editors.make(settings.editor)
    suggester.name, editor.name = f"suggester_{n}", f"editor_{n}"

    def problems() -> Iterable[Problem]:
        return seeds.read(Problem) if before is None else read_table(before, Problem)

    def suggested(book: Output | None = None) -> Iterator[Suggested]:
        folded = fold_replies(suggester, problems, writer, book, tries=settings.suggester.tries, final=False)
        return (made for _, made in folded)

    fill(suggester, problems, writer, out.progress, tries=settings.suggester.tries, total=n_before)
    n_suggested = sum(1 for _ in suggested(out))  # the books are kept in this pass only
    for _, problem in drive(editor, suggested, writer, out, tries=settings.editor.tries, total=n_suggested):
        yield problem


def _kept(out: Output, settings: EditSettings, rounds: list[Path]) -> Iterator[Problem]:
    """Hand out every round's problems in order, without those that were edited once more where only the last is kept."""
    superseded: dict[str, str] = {}
    if settings.keep == "last":
        for path in rounds[1:]:
            superseded |= {p.parents[0]: p.id for p in read_table(path, Problem)}
    for path in rounds:
        for problem in read_table(path, Problem):
            if problem.id in superseded:
                became = f"became {superseded[problem.id]}"
                out.reject(Rejected(item=problem.id, reason="edited_again", detail=became), owed=True)
            else:
                out.keep(owed=True)
                yield problem
