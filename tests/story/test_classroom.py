"""The embedded default keeps its promises: the textbook sees messages only, and held-out structures stay out."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from orcamath.assemble import Assembled
from orcamath.classroom import seeds, textbook
from orcamath.classroom.held_out import HeldOut, UnreadableScreen
from orcamath.ports import Silent
from orcamath.recipe import run
from orcamath.recipe_file import load, shipped
from orcamath.records import Lesson, Problem, Rejected, Settings
from orcamath.sources.source import SourceSettings
from orcamath.stages.gate import GateSettings, gate
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.run_folder import RunFolder
from orcamath.testing import of_chat, serve
from orcamath.workshop import UntilReached, Workshop


def grown(root: Path, overrides: Iterable[str]) -> dict[str, Artifact]:
    """Run the classroom until the gate and return its stages."""
    recipe = load("classroom", [*overrides])
    store = Store(root / "store")
    tools = Assembled(store)
    with RunFolder(root / "run") as folder:
        shop = Workshop(store, folder, tools, Silent(), until="gate")
        with pytest.raises(UntilReached):
            run(recipe, shop)
    tools.ledger.close()
    return {d.label: d.artifact for d in shop.done}


def test_the_textbook_served_over_http_gives_the_same_data(tmp_path: Path, small: list[str]) -> None:
    here = grown(tmp_path / "here", small)
    with serve(of_chat(textbook.open_chat(load("classroom").teacher))) as server:
        there = grown(
            tmp_path / "there",
            [
                *small,
                f"teacher={{backend: openai_compatible, model: textbook, base_url: '{server.base_url}', api_key_env: null}}",
            ],
        )
        assert server.stats["distinct"] > 100
    for label, table in [("ask", "problems"), ("edit", "problems"), ("collect", "problems"), ("teach", "problems")]:
        name = f"{table}.parquet"
        assert (here[label].path / name).read_bytes() == (there[label].path / name).read_bytes(), label
    own = [x.model_dump(exclude={"id", "teacher"}) for x in here["gate"].read(Lesson)]
    assert own == [x.model_dump(exclude={"id", "teacher"}) for x in there["gate"].read(Lesson)]
    assert len(own) > 20


def test_a_held_out_problem_planted_among_the_agents_is_dropped_and_counted(tmp_path: Path) -> None:
    held_out = list(seeds.read(SourceSettings(name="classroom", split="test", options={"n": 3})))
    allowed = list(seeds.read(SourceSettings(name="classroom", split="train", options={"n": 4})))
    foreign = Problem.make("How much wood would a woodchuck chuck?", "suggester_editor", "classroom")

    def plant(out: Output) -> None:
        # as if Ask-Me-Anything had written them
        planted = [p.model_copy(update={"origin": "ask_me_anything", "split": "train"}) for p in held_out]
        lessons = [
            Lesson.make(p, f"So it is {p.answer}.\n#### {p.answer}", p.answer, "t") for p in [*planted[:1], *allowed]
        ]
        out.balance.results = out.balance.kept = out.write("lessons", lessons) + out.write(
            "problems", [*planted[1:], foreign]
        )

    store = Store(tmp_path)
    taught = store.stage("teach", 1, Settings(), [], plant)
    tests = store.stage("benchmarks", 1, Settings(), [], lambda out: _write(out, held_out))
    settings = GateSettings(policy="report")
    screens = [UnreadableScreen(), HeldOut()]
    gated = store.stage(
        "gate",
        1,
        settings,
        [taught, tests],
        lambda out: gate(out, settings, taught, tests, screens),
    )
    assert [x.question for x in gated.read(Lesson)] == [p.question for p in allowed]
    assert list(gated.read(Problem)) == []
    assert gated.balance["rejected"] == {"held_out_structure": 3, "unreadable": 1}
    dropped = {r.item for r in gated.read(Rejected)}
    assert {p.id for p in held_out[1:]} | {foreign.id} <= dropped


def _write(out: Output, problems: list[Problem]) -> None:
    out.balance.results = out.balance.kept = out.write("problems", problems)


@pytest.mark.parametrize("name", shipped())
def test_every_line_with_a_number_says_where_it_comes_from(name: str) -> None:
    text = shipped()[name].read_text(encoding="utf-8")
    _, _, body = text.partition("\nseeds:")
    numbers = [x for x in body.splitlines() if any(c.isdigit() for c in x.split("#")[0].partition(":")[2])]
    assert len(numbers) > 10
    assert [x for x in numbers if "source:" not in x and "our choice" not in x] == []
