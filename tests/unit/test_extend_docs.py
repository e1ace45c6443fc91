"""docs/extend.md: every example is a whole file that keeps its family's contract, and they run together in one recipe."""

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from installed import install
from orcamath.assemble import Assembled
from orcamath.errors import OthersFailed, RecipeError
from orcamath.extend import FAMILIES, group_of
from orcamath.families import boundary, find, members
from orcamath.outline import outline
from orcamath.plan import Range, plan
from orcamath.ports import Silent
from orcamath.recipe_file import load
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem
from orcamath.running import run_recipe
from orcamath.store.artifacts import Store
from orcamath.store.run_folder import RunFolder
from orcamath.store.tables import read_table
from orcamath.workshop import UntilReached

TEXT = (Path(__file__).parents[2] / "docs/extend.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+) (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = {name: body for language, name, body in BLOCKS if language == "python" and name != "check"}
CHECKS = [body for _, name, body in BLOCKS if name == "check"]


def written(folder: Path) -> dict[str, str]:
    """Write the examples; returns the path of each, by family."""
    for name, body in FILES.items():
        (folder / name).write_text(body, encoding="utf-8")
    return {name.removeprefix("my_").removesuffix(".py"): str(folder / name) for name in FILES}


def test_there_is_one_example_a_family_and_each_is_short() -> None:
    assert {n.removeprefix("my_").removesuffix(".py") for n in FILES} == set(FAMILIES) - {"base", "recipe"}
    assert len(CHECKS) == len(FILES)
    assert {n: len(b.splitlines()) for n, b in FILES.items() if len(b.splitlines()) > 40} == {}
    for family, contract in FAMILIES.items():
        assert family == "recipe" or contract.contract.partition(":")[0].split("(")[0] in TEXT
        assert group_of(family).removeprefix("orcamath") in TEXT


@pytest.mark.parametrize("name", FILES)
def test_an_example_keeps_its_familys_contract(name: str, tmp_path: Path) -> None:
    family = name.removeprefix("my_").removesuffix(".py")
    written(tmp_path)
    module = find(family, str(tmp_path / name))
    (check,) = [body for body in CHECKS if f"my_{family}." in body]
    assert re.search(rf"^ *check_{'chat' if family == 'backend' else family}\(.*my_{family}\.", check, re.MULTILINE)
    exec(
        compile(check, f"the check of {name}", "exec"), {f"my_{family}": module}
    )  # raises where the contract is broken


def test_the_screen_of_the_page_takes_whole_words(tmp_path: Path) -> None:
    (screen,) = find("screen", written(tmp_path)["screen"]).make()
    asked = ["Ann has 3 pens.", "A Pen costs $2.", "It happens that Ann has 3 eggs.", "He opens 3 boxes."]
    assert [screen(question) for question in asked] == ["pens", "pens", None, None]


def own_recipe(folder: Path, extra: str = "") -> Recipe:
    """A recipe of nothing but the examples."""
    own = written(folder)
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: own\nseeds: {{sources: [{{name: {own['source']}, options: {{most: 4}}}}]}}\n"
        f"benchmarks: {{sources: [{{name: classroom, split: test, options: {{n: 3}}}}]}}\n"
        f"teacher: {{backend: {own['backend']}, model: one}}\nask_me_anything: null\nsuggester_editor: null\n"
        f"agents: [{{name: {own['agent']}, called: again}}]\nscreens: [{own['screen']}]\ngate: {{policy: report}}\n{extra}"
    )
    return load(str(path))


def test_an_agent_of_ones_own_writes_problems_that_say_whose_they_are(tmp_path: Path) -> None:
    recipe, store = own_recipe(tmp_path), Store(tmp_path / "store")
    assert outline(recipe)[1:4] == ["seeds", "agent again", "collect"]
    with RunFolder(tmp_path / "run") as folder:
        with pytest.raises(UntilReached):
            run_recipe(recipe, folder, store, until="agent again", quiet=True)
        made = {s["label"]: s["artifact"] for s in folder.read_json("stages.json")["stages"]}["agent again"]
        seeds = {s["label"]: s["artifact"] for s in folder.read_json("stages.json")["stages"]}["seeds"]
    problems = list(read_table(store.artifacts / made / "problems.parquet", Problem))
    assert len(problems) == 4
    clusters = {p.id: p.cluster for p in read_table(store.artifacts / seeds / "problems.parquet", Problem)}
    assert [p.cluster for p in problems] == [clusters[p.parents[0]] for p in problems]
    assert None not in clusters.values()
    assert {(p.origin, p.source, p.licence, p.round, len(p.parents)) for p in problems} == {
        ("again", "my_source", "CC0-1.0", 1, 1)
    }


def test_the_plan_counts_the_calls_of_an_agent_of_ones_own(tmp_path: Path) -> None:
    recipe, store = (
        own_recipe(tmp_path, "writer: {backend: textbook, options: {price: [1, 2]}}\n"),
        Store(tmp_path / "store"),
    )
    tools = Assembled(store)
    planned = plan(recipe, store, tools, lambda _: None, Silent())
    tools.close()
    row = next(s for s in planned.stages if s.stage == "agent again")
    assert (row.calls, row.to_pay) == (Range(4, 4), Range(4, 4))
    assert 0 < row.usd.low < row.usd.high < 4 * 2 * 300 / 1e6 * 1.5


def test_two_agents_of_one_name_and_the_names_of_ours_are_refused(tmp_path: Path) -> None:
    for name in ("seed", "ask_me_anything", "suggester_editor"):
        with pytest.raises(RecipeError, match="another origin"):
            load(str(_recipe(tmp_path, f"[{{name: ./a.py, called: {name}}}]")))
    with pytest.raises(RecipeError, match="`a` is the name of another origin"):
        load(str(_recipe(tmp_path, "[{name: ./a.py}, {name: ./b/a.py}]")))


def _recipe(folder: Path, agents: str) -> Path:
    (folder / "r.yaml").write_text(f"name: r\nagents: {agents}\n")
    return folder / "r.yaml"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("def request(self, item, draw):\n        return 'ask'", "`request` returned str .* it must return a Request"),
        ("def parse(self, reply, item):\n        return reply.text", "`parse` returned str .* it must return a list"),
        ("def parse(self, reply, item):\n        return None", "`parse` returned NoneType"),
        ("def parse(self, reply, item):\n        return [reply]", "`parse` returned list"),
        ("def parse(self, reply, item):\n        return item.nothing", "line 15: AttributeError.*code of an agent"),
    ],
)
def test_an_agent_that_breaks_its_contract_ends_the_run_with_one_message(body: str, says: str, tmp_path: Path) -> None:
    recipe, store = own_recipe(tmp_path), Store(tmp_path / "store")
    (tmp_path / "my_agent.py").write_text(
        "from orcamath.ports import Message, Request\n\nclass Own:\n    name = 'own'\n\n"
        "    def request(self, item, draw):\n        return Request((Message('user', item.question),), draw=draw)\n\n"
        f"    def parse(self, reply, item):\n        return []\n\n\nclass Wrong(Own):\n    {body}\n\n\n"
        "def agent(settings):\n    return Wrong()\n"
    )
    with RunFolder(tmp_path / "run") as folder, pytest.raises(OthersFailed, match=says), boundary():
        run_recipe(recipe, folder, store, until="agent again", quiet=True)


def test_a_package_offers_them_by_the_lines_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (toml,) = [body for language, _, body in BLOCKS if language == "toml"]
    offers: dict[str, Any] = tomllib.loads(toml)["project"]["entry-points"]
    install(tmp_path, monkeypatch, "my_things", {**FILES, "mine.yaml": "name: mine\n"}, offers)
    assert "last_word" in members("judge")
    assert find("judge", "last_word") is importlib.import_module("my_things.my_judge")
    assert load("mine").name == "mine"
