"""A run whose lessons are all rejected: it ends with code 3 wherever it was told to stop, and says what to change."""

import json
import pickle
import re
from pathlib import Path

import pytest

from commanding import call
from orcamath.commands.runs import commands_of
from orcamath.errors import TooManyRejects
from orcamath.recipe_file import load
from orcamath.running import _ArmRunner, _named
from orcamath.testing import serve, stub

SEEDS = "".join(
    json.dumps({"question": f"Tom has {n} pens and buys 4 pens. How many pens has he?", "answer": str(n + 4)}) + "\n"
    for n in range(2, 14)
)
RECIPE = """
name: mine
seeds: {{sources: [{{name: file, path: seeds.jsonl, split: train}}]}}
benchmarks: {{sources: [{{name: file, path: tests.jsonl, split: test}}]}}
teacher: {{model: m, base_url: '{url}', options: {{price: [0, 0]}}}}
ask_me_anything: null
suggester_editor: null
student: classroom
"""


@pytest.mark.parametrize(
    ("reply", "changed", "until", "reason", "key"),
    [
        ("Pens are nice.", [], ["--until", "teach"], "no_final_answer", "teach.prompt"),
        ("Pens are nice.", [], [], "no_final_answer", "teach.prompt"),
        ("#### 99", ["teach.verify.gold=drop"], ["--until", "teach"], "disagrees_with_gold", "teach.verify.gold"),
        ("#### 99", ["gate.threshold=0.1"], ["--until", "gate"], "contaminated", "gate.policy"),
    ],
)
def test_a_run_without_a_lesson_ends_with_3_and_says_what_to_change(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reply: str,
    changed: list[str],
    until: list[str],
    reason: str,
    key: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seeds.jsonl").write_text(SEEDS)
    Path("tests.jsonl").write_text(SEEDS.replace("Tom", "Ann"))
    with serve(stub(reply)) as server:
        Path("mine.yaml").write_text(RECIPE.format(url=server.base_url))
        typed = ["mine.yaml", *until, *(part for o in changed for part in ("--set", o))]
        done = call("run", *typed)
    assert done.code == 3, done.err
    assert "no lesson is left" in done.err
    assert f"rejected 12 (12 as `{reason}`)" in done.err
    shown = re.search(r"`orcamath (re\w+ mine)` shows some of each reason", done.err)
    assert shown is not None
    assert reason in call(*shown[1].split()).out
    stands = json.loads(call("status", "mine", "--json").out)
    assert (stands["stands"], stands["command"].rpartition(" --set ")[2]) == ("failed", f"{key}=…")


def test_of_an_arm_its_own_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seeds.jsonl").write_text(SEEDS)
    Path("tests.jsonl").write_text(SEEDS.replace("Tom", "Ann"))
    with serve(stub("Pens are nice.")) as server:
        Path("mine.yaml").write_text(RECIPE.format(url=server.base_url))
        run = _ArmRunner(tmp_path / "runs" / "mine", tmp_path / "store", "0" * 16, None)
        with pytest.raises(TooManyRejects, match="arm `two words`: no lesson is left") as raised:
            run("two words", load("mine.yaml"))
    assert raised.value.key == "variants.two words.teach.prompt"
    again = pickle.loads(pickle.dumps(raised.value))  # it comes out of another process
    assert again.key == raised.value.key
    went_on = commands_of(["orcamath", "run", "mine.yaml"]).changed(again.key)
    assert went_on == "orcamath run mine.yaml --set 'variants.two words.teach.prompt'=…"


@pytest.mark.parametrize(
    ("arm", "key"),
    [
        ("dear", "variants.dear.teach.prompt"),
        ("dear · seed 2", "variants.dear.teach.prompt"),
        ("seed 2", "teach.prompt"),
    ],
)
def test_of_another_seed_the_setting_is_that_of_its_arm(arm: str, key: str) -> None:
    with pytest.raises(TooManyRejects) as told, _named(arm):
        raise TooManyRejects("no lesson", key="teach.prompt")
    assert told.value.key == key
