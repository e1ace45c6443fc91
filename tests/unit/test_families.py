"""Members of every family, found by name here, in an installed package, and by path; and whose fault an exception is."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from installed import install
from orcamath.assemble import Assembled
from orcamath.errors import DataError, OthersFailed, RecipeError
from orcamath.extend import FAMILIES, code_of, group_of
from orcamath.families import attributed, boundary, find, members
from orcamath.held import held
from orcamath.judges.settings import JudgeSettings
from orcamath.recipe_file import load
from orcamath.records import Lesson
from orcamath.settings import StudentSettings
from orcamath.sources.source import SourceSettings
from orcamath.store.artifacts import Store
from orcamath.store.tables import read_table

ROOT = Path(__file__).parents[2]
JUDGE = "def make(settings, model):\n    return 'a judge'\n"
OFFERS = {
    "orcamath.sources": {"mine": "my_package.source"},
    "orcamath.agents": {"mine": "my_package.agent"},
    "orcamath.judges": {"mine": "my_package.judge"},
    "orcamath.losses": {"mine": "my_package.loss"},
    "orcamath.backends": {"mine": "my_package.backend"},
    "orcamath.screens": {"mine": "my_package.screen"},
    "orcamath.trackers": {"mine": "my_package.tracker"},
    "orcamath.bases": {"mine": "my_package.base"},
    "orcamath.recipes": {"mine": "my_package"},
}
FILES = {
    "source.py": "def read(settings):\n    yield from ()\n",
    "agent.py": "def agent(settings):\n    return 'an agent'\n",
    "judge.py": JUDGE,
    "loss.py": "def loss(batch, settings):\n    return 0\n",
    "backend.py": "def open_chat(settings):\n    return 'a model'\n",
    "screen.py": "class Own:\n    fingerprint = reason = 'own'\n    def __call__(self, question):\n        pass\n"
    "def make():\n    return [Own(), Own()]\n",
    "tracker.py": "def open_tracker(run):\n    return 'a tracker'\n",
    "base.py": "from pathlib import Path\ndef folder():\n    return Path(__file__).parent\n",
    "mine.yaml": "name: mine\nteacher: {backend: mine}\n",
}


def test_every_family_finds_its_members_here() -> None:
    assert members("judge") == ["cascade", "model", "rules"]
    assert {"kto", "dpo", "nll"} <= set(members("loss"))
    assert {"gsm8k", "classroom"} <= set(members("source"))
    assert {"textbook", "openai_compatible"} <= set(members("backend"))
    assert members("screen") == members("base") == ["classroom"]


def test_an_installed_package_offers_members_of_every_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "my_package", FILES, OFFERS)
    assert set(OFFERS) == {group_of(family) for family in FAMILIES}
    for family, contract in FAMILIES.items():
        assert "mine" in members(family)
        if contract.entry:
            assert callable(getattr(find(family, "mine"), contract.entry))
    assert load("mine").teacher.backend == "mine"
    tools = Assembled(Store(tmp_path / "store"))
    assert [screen.reason for screen in tools.screens(["mine"])] == ["own", "own"]


WHOLE = FILES | {
    "source.py": "from orcamath.records import Problem\ndef read(settings):\n"
    "    yield Problem.make('How many are 1 + 1?', 'seed', 'mine', answer='2', split='train')\n",
    "backend.py": "from orcamath.ports import Reply\nclass Own:\n    fingerprint, chunk = 'own', None\n"
    "    def __call__(self, requests):\n        yield from (Reply(r.key('own'), '1 + 1 = 2\\n#### 2') for r in requests)\n"
    "def open_chat(settings):\n    return Own()\n",
    "mine.yaml": "name: mine\nseeds: mine\nask_me_anything: null\nsuggester_editor: null\nteacher: {backend: mine}\n",
}
"""The same, with all that a run takes until it has lessons."""


def test_the_command_line_runs_an_installed_package_s_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "my_package", WHOLE, OFFERS)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    def run(name: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "orcamath", "run", name, "--until", "teach"]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": path, "PATH": ""}
        )

    ran = run("mine")
    assert ran.returncode == 0, ran.stderr
    (table,) = (tmp_path / "store" / "artifacts").glob("teach-*/lessons.parquet")
    assert [(x.question, x.final_answer, x.teacher) for x in read_table(table, Lesson)] == [
        ("How many are 1 + 1?", "2", "own")
    ]
    wrong = run("miine")
    assert (wrong.returncode, "did you mean `mine`?" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("family", "name", "says"),
    [
        ("judge", "cascad", "did you mean `cascade`?"),
        ("judge", "mines", "did you mean `mine`?"),
        ("screen", "clasroom", "did you mean `classroom`?"),
        ("loss", "xyz", "known: `apo_zero`"),
        ("agent", "xyz", "known: `mine`"),
        ("judge", "./nowhere.py", "judge file `nowhere.py` does not exist"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest(
    family: str, name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "my_package", FILES, OFFERS)
    with pytest.raises(RecipeError, match=r"there is no|does not exist") as told:
        find(family, name)
    assert says in str(told.value)


def test_a_name_that_two_offer_is_an_error_that_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"orcamath.judges": {"mine": "other_package.judge", "rules": "other_package.judge"}}
    install(tmp_path / "a", monkeypatch, "my_package", FILES, OFFERS)
    install(tmp_path / "b", monkeypatch, "other_package", {"judge.py": JUDGE}, rules, "3.0")
    with pytest.raises(RecipeError, match=r"`mine` is offered by `other_package 3.0`, `my_package 1.2`"):
        find("judge", "mine")
    with pytest.raises(RecipeError, match=r"other_package 3.0` offers a judge `rules`, which ships here too"):
        find("judge", "rules")


def test_a_member_without_its_entry_is_told_the_contract(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    for family, contract in FAMILIES.items():
        with pytest.raises(RecipeError) as told:
            find(family, str(tmp_path / "empty.py"))
        assert contract.contract in str(told.value)


def test_others_code_enters_digests_by_what_it_says_not_by_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name_of(path: Path) -> Any:
        return JudgeSettings(name=str(path)).identity()["name"]

    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "my.py").write_text(JUDGE)
    one, two = name_of(tmp_path / "a/my.py"), name_of(tmp_path / "b/my.py")
    (tmp_path / "b/my.py").write_text(JUDGE + "# mended\n")
    assert one == two != name_of(tmp_path / "b/my.py")
    assert JudgeSettings().identity()["name"] == "cascade"
    assert code_of("source", "classroom") is code_of("judge", "rules") is None

    home = install(tmp_path / "site", monkeypatch, "my_package", FILES, OFFERS)
    before = JudgeSettings(name="mine").identity()["name"]
    assert "my_package 1.2" in before
    (home / "judge.py").write_text(JUDGE + "# mended\n")
    assert JudgeSettings(name="mine").identity()["name"] != before


def test_a_base_is_a_member_or_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Assembled(Store(tmp_path / "store"))
    shipped = tools.base(StudentSettings())
    own = tmp_path / "my_base.py"
    own.write_text(f"from pathlib import Path\ndef folder():\n    return Path({str(shipped.path)!r})\n")
    assert tools.base(StudentSettings(base=str(own))).fingerprint == shipped.fingerprint
    assert tools.base(StudentSettings(base=str(shipped.path))).fingerprint == shipped.fingerprint


def judged(module: Any) -> object:
    return list(module.make(JudgeSettings(), None)(["one"]))


def read(module: Any) -> object:
    return list(module.read(SourceSettings(name="x.py")))


FAULTS: dict[str, tuple[str, str, Callable[[Any], object], int, str]] = {
    "at import": ("judge", "import os\nx = 1 / 0\n", judged, 2, "ZeroDivisionError: division by zero"),
    "not Python": ("judge", "def make(settings model):\n    pass\n", judged, 1, "SyntaxError"),
    "a package that is not here": ("loss", "\nimport no_such_package_xyz\n", judged, 2, "No module named"),
    "at make": ("judge", "def make(settings, model):\n    return {}['key']\n", judged, 2, "KeyError: 'key'"),
    "while judging": (
        "judge",
        "def make(settings, model):\n    def judge(items):\n        for item in items:\n            yield item.nothing\n"
        "    return judge\n",
        judged,
        4,
        "AttributeError: 'str' object has no attribute 'nothing'",
    ),
    "while reading": ("source", "def read(settings):\n    yield 1\n    raise ValueError\n", read, 3, "ValueError"),
    "inside a library": (
        "source",
        "import json\ndef read(settings):\n    yield json.loads('{')\n",
        read,
        3,
        "JSONDecodeError",
    ),
    "a stray StopIteration": (
        "source",
        "def read(settings):\n    yield 1\n    next(iter(()))\n",
        read,
        3,
        "StopIteration",
    ),
    "an exit": (
        "source",
        "import sys\ndef read(settings):\n    yield 1\n    sys.exit(0)\n",
        read,
        4,
        "SystemExit: 0",
    ),
    "an exit at import": ("judge", "raise SystemExit\n", judged, 1, "SystemExit"),
    "in a line that calls ours wrongly": (
        "source",
        "from orcamath.records import Problem\ndef read(settings):\n    yield Problem.make('1+1?')\n",
        read,
        3,
        "TypeError",
    ),
}


@pytest.mark.parametrize("when", FAULTS)
def test_an_exception_is_one_message_with_file_line_and_contract(when: str, tmp_path: Path) -> None:
    family, text, use, line, raised = FAULTS[when]
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(OthersFailed) as told, boundary():
        use(find(family, str(path)))
    message = str(told.value)
    assert f"`{path}`, line {line}: " in message
    assert raised in message
    assert message.endswith(FAMILIES[family].contract)
    assert "\n" not in message
    assert told.value.exit_code == 1
    assert told.value.__cause__ is not None


def test_an_installed_package_s_exception_is_named_in_whichever_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "judge.py": "from my_faulty.inner import work\ndef make(settings, model):\n    return work\n",
        "inner.py": "def work(items):\n    return 1 / 0\n",
    }
    home = install(tmp_path, monkeypatch, "my_faulty", files, {"orcamath.judges": {"faulty": "my_faulty.judge"}})
    with pytest.raises(OthersFailed, match=r"inner.py`, line 2: ZeroDivisionError") as told, boundary():
        find("judge", "faulty").make(None, None)([])
    assert str(home) in str(told.value)


FAMILIES_OF_ONE = {"orcamath.judges": "judge", "orcamath.sources": "source", "orcamath.bases": "base"}


@pytest.mark.parametrize("family", FAMILIES_OF_ONE.values())
def test_of_a_package_with_several_families_the_contract_of_the_member_at_work_is_told(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = FAMILIES[family].entry
    files = {f"{name}.py": "from my_several.inner import work\n" for name in FAMILIES_OF_ONE.values()}
    files[f"{family}.py"] += f"def {entry}(*given):\n    return work()\n"
    files["inner.py"] = "def work():\n    return 1 / 0\n"
    offers = {group: {"several": f"my_several.{name}"} for group, name in FAMILIES_OF_ONE.items()}
    offers["orcamath.recipes"] = {"several": "my_several"}
    install(tmp_path, monkeypatch, "my_several", files, offers)
    with pytest.raises(OthersFailed, match=r"inner.py`, line 2: ZeroDivisionError") as told, boundary():
        getattr(find(family, "several"), entry)(None, None)
    assert str(told.value).endswith(FAMILIES[family].contract)


def test_code_beside_a_member_is_of_the_member_with_the_longest_name_in_common(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = {"orcamath.sources": {"one": "my_deep.sources.one"}, "orcamath.screens": {"one": "my_deep.screens.one"}}
    home = install(tmp_path, monkeypatch, "my_deep", {}, offers)
    for name in ("sources", "screens"):
        (home / name).mkdir()
        (home / name / "__init__.py").touch()
        (home / name / "inner.py").write_text("def work():\n    return 1 / 0\n")
    for name in ("sources", "screens"):
        inner = importlib.import_module(f"my_deep.{name}.inner")  # as a callback of theirs is called
        with pytest.raises(OthersFailed) as told, boundary():
            inner.work()
        assert str(told.value).endswith(FAMILIES[name[:-1]].contract)


def test_an_entry_point_to_a_module_that_is_missing_is_told_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = {"orcamath.judges": {"gone": "my_gone.judge", "further": "no_such_place.judge"}}
    install(tmp_path, monkeypatch, "my_gone", {}, offers)
    for name, module in offers["orcamath.judges"].items():
        with pytest.raises(OthersFailed) as told, boundary():
            held("judge", name)  # type: ignore[call-overload]
        said = str(told.value)
        assert said.startswith(
            f"the entry point `{name}` in `orcamath.judges` of my_gone 1.2, which names `{module}`: "
        )
        assert "ModuleNotFoundError: No module named" in said
        assert "frozen" not in said
        assert JudgeSettings(name=name).identity()["name"] is not None


def test_an_interrupt_in_others_code_stays_one(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("def read(settings):\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt), boundary():
        find("source", str(tmp_path / "slow.py")).read(None)
    with pytest.raises(SystemExit), boundary():
        sys.exit(3)  # ours


def test_what_is_raised_on_purpose_and_what_is_ours_passes_the_boundary(tmp_path: Path) -> None:
    (tmp_path / "strict.py").write_text(
        "from orcamath.errors import DataError\ndef read(settings):\n    raise DataError('line 3 of mine.csv is no number')\n"
    )
    with pytest.raises(DataError, match="line 3"), boundary():
        find("source", str(tmp_path / "strict.py")).read(None)
    with pytest.raises(ZeroDivisionError), boundary():
        _ = 1 / 0
    (tmp_path / "full.py").write_text("import errno\ndef read(settings):\n    raise OSError(errno.ENOSPC, 'full')\n")
    with pytest.raises(OSError, match="full"), boundary():
        find("source", str(tmp_path / "full.py")).read(None)


def test_an_iterator_of_theirs_that_we_stop_drawing_from_is_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "fine.py").write_text("def read(settings):\n    yield 1\n    yield 2\n")

    def ours(items: Iterator[int]) -> None:
        next(items)
        raise KeyError("ours")

    with pytest.raises(KeyError) as told:
        ours(find("source", str(tmp_path / "fine.py")).read(None))
    assert attributed(told.value) is None


def test_the_command_line_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"question": "2+2?", "gold": "4", "response": "4"}\n')
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    fingerprint = 'mine'\n    def __call__(self, comparisons):\n        raise RuntimeError('not today')\n"
        "def make(settings, model):\n    return Mine()\n"
    )
    said = subprocess.run(
        [sys.executable, "-m", "orcamath", "judge", "rows.jsonl", "--judge", "./mine.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert said.returncode == 1
    assert said.stdout == ""
    line, where = said.stderr.strip().splitlines()
    assert line.startswith(f"error: `{tmp_path}/mine.py`, line 4: RuntimeError: not today")
    assert line.endswith(FAMILIES["judge"].contract)
    assert where == f"help: {OthersFailed.help()}"
