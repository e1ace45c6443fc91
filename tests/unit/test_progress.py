"""Every stage that asks a model tells beforehand how many calls there will be, so a bar can say how long is left."""

from pathlib import Path

from orcamath.agents.ask_me_anything import AskSettings
from orcamath.classroom import seeds as classroom
from orcamath.classroom import textbook
from orcamath.settings import ModelSettings
from orcamath.sources.source import SourceSettings
from orcamath.stages.ask import ask
from orcamath.stages.edit import EditSettings, edit
from orcamath.stages.teach import TeachSettings, teach
from orcamath.store.artifacts import Output, Store
from orcamath.store.ledger import Ledger, Remembered


class Watched:
    """Counts what is said to be coming and what came."""

    def __init__(self) -> None:
        self.bars: list[list[object]] = []

    def begin(self, what: str, total: int | None) -> None:
        self.bars.append([what, total, 0])

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        self.bars[-1][2] += n  # type: ignore[operator]

    def end(self) -> None:
        pass


def test_the_totals_of_all_agents_come_true(tmp_path: Path) -> None:
    store, watched = Store(tmp_path), Watched()
    model = Remembered(textbook.open_chat(ModelSettings(backend="textbook")), Ledger(tmp_path / "ledger"))

    def gather(out: Output) -> None:
        out.balance.results = out.balance.kept = out.write(
            "problems", classroom.read(SourceSettings(name="classroom", options={"n": 12}))
        )

    seeds = store.stage("seeds", 1, None, [], gather)
    asked, edited, taught = (
        AskSettings(),
        EditSettings(rounds=2),
        TeachSettings(max_problems=5, solutions=2, temperature=0.7),
    )
    store.stage("ask", 1, asked, [seeds], lambda out: ask(out, asked, seeds, model), progress=watched)
    store.stage("edit", 1, edited, [seeds], lambda out: edit(out, edited, seeds, model), progress=watched)
    store.stage("teach", 1, taught, [seeds], lambda out: teach(out, taught, seeds, model), progress=watched)
    assert [bar[0] for bar in watched.bars] == [
        "ask_me_anything",
        "suggester_1",
        "editor_1",
        "suggester_2",
        "editor_2",
        "teacher",
    ]
    assert [bar[1] for bar in watched.bars] == [bar[2] for bar in watched.bars] == [12, 12, 12, 12, 12, 10]
