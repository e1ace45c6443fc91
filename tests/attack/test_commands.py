"""What commands promise before anything is sent or paid: where keys go, what a cap needs to know, whose book it is."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from orcamath.checks.whole import check
from orcamath.cli import main
from orcamath.commands.promises import check_prices, leaving
from orcamath.commands.purse import purse_of
from orcamath.errors import RecipeError, UsageError
from orcamath.extend import FAMILIES
from orcamath.recipe_file import load
from orcamath.settings import ModelSettings
from orcamath.store.prices import price_of
from orcamath.testing import serve, stub


def call(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr(sys, "argv", ["orcamath", *args])
    try:
        main()
    except SystemExit as e:
        return int(e.code or 0)
    return 0


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\n{text}")
    return path


def test_what_leaves_is_listed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    text = """
teacher: {model: gpt-4o}
writer: {model: m, base_url: "https://gateway.example/v1?key=${GATEWAY}", headers: {X-Org: "${ORG}"}, api_key_env: THEIR_KEY}
judge_model: {backend: textbook}
practice: {server: {command: "serve {model} {name} {port}"}}
iterations: [{}]
"""
    lines = leaving(load(str(recipe(tmp_path, text))))
    assert lines == [
        "writer: prompts go to gateway.example, with ${GATEWAY}, ${ORG}, ${THEIR_KEY}",
        "teacher: prompts go to api.openai.com, with ${OPENAI_API_KEY}",
        "practice: this command is started: serve {model} {name} {port}",
    ]
    assert "sk-canary" not in "".join(lines)
    alone = "teach: {by: seeds}\nask_me_anything: null\nsuggester_editor: null\npractice: {server: {engine: vllm}}"
    (only,) = leaving(load(str(recipe(tmp_path, alone))))  # nobody asks the teacher that no line names
    assert only.startswith("practice: this command is started: vllm serve {model}")


def test_whatever_code_a_recipe_or_an_arm_of_it_names_is_listed(tmp_path: Path) -> None:
    named = {
        "backend": ("teacher: {{backend: {0}}}", "writer: {{backend: {0}}}", "ladder: [{{backend: {0}}}]"),
        "source": (
            "seeds: [{{name: {0}}}]",
            "benchmarks: [{{name: {0}}}]",
            "as_they_are: [{{name: {0}}}]",
        ),
        "agent": ("agents: [{{name: {0}}}]",),
        "judge": ("judge: {{name: {0}}}",),
        "loss": (
            "learn: {{loss: {0}}}",
            "iterations: [{{online: {{loss: {0}}}}}]",
            "iterations: [{{learn: {{loss: {0}}}}}]",
        ),
        "screen": ("screens: [{0}]",),
        "tracker": ("trackers: [{0}]",),
        "base": ("student: {0}", "student: {{base: {0}}}"),
    }
    assert set(named) == set(FAMILIES) - {"recipe"}
    for family, places in named.items():
        for place in places:
            told = place.format("./mine.py")
            for text in (told, f"variants: {{arm: {{{told}}}}}"):
                assert f"{family}: code of this file is run: ./mine.py" in leaving(load(str(recipe(tmp_path, text)))), (
                    text
                )


def test_the_hosts_and_commands_of_an_arm_are_listed(tmp_path: Path) -> None:
    text = """
variants:
  other:
    teacher: {model: m, base_url: "https://other.example/v1", api_key_env: OTHER}
    practice: {server: {command: "serve {model} {name} {port}"}}
"""
    lines = leaving(load(str(recipe(tmp_path, text))))
    assert "teacher: prompts go to other.example, with ${OTHER}" in lines
    assert "practice: this command is started: serve {model} {name} {port}" in lines


@pytest.mark.parametrize(
    ("base_url", "set_to", "host", "key"),
    [
        ("${WHERE}/v1", None, "${WHERE}", False),
        ("https://${WHERE}:8000/v1", None, "${WHERE}:8000", False),
        ("${WHERE}/v1", "https://Models.example", "models.example", False),
        ("https://${WHERE}/v1", "models.example", "models.example", False),
        ("${WHERE}/v1", "https://api.openai.com", "api.openai.com", True),
    ],
)
def test_a_host_behind_a_variable_is_named_and_priced_as_what_it_is(
    tmp_path: Path, monkeypatch, base_url: str, set_to: str | None, host: str, key: bool
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.delenv("WHERE", raising=False)
    if set_to is not None:
        monkeypatch.setenv("WHERE", set_to)
    loaded = load(str(recipe(tmp_path, f"teacher: {{model: gpt-4o, base_url: '{base_url}'}}")))
    names = "${WHERE}, ${OPENAI_API_KEY}" if key else "${WHERE}"
    assert leaving(loaded) == [f"teacher: prompts go to {host}, with {names}"]
    if key:
        assert price_of(loaded.teacher) == price_of(ModelSettings(model="gpt-4o"))
    else:
        with pytest.raises(RecipeError, match=f"`gpt-4o` at {re.escape(host)} is not known"):
            price_of(loaded.teacher)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("budget: {cap_usd: 1}", True),
        ("budget: {stages_usd: {teach: 1}}", True),
        ("", False),
        ("budget: {cap_usd: 1}", False),
    ],
)
def test_a_cap_wants_a_price_for_what_is_on_this_machine(tmp_path: Path, text: str, refused: bool) -> None:
    price = "" if refused or not text else ", options: {price: [0, 0]}"
    made = load(str(recipe(tmp_path, f"teacher: {{model: m, base_url: 'http://localhost:1/v1'{price}}}\n{text}")))
    if refused:
        with pytest.raises(RecipeError, match=r"`teacher`.*price: \[0, 0\]"):
            check_prices(made)
    else:
        check_prices(made)


def test_a_cap_wants_a_price_for_what_an_arm_asks_on_this_machine(tmp_path: Path) -> None:
    arm = "variants: {own: {teacher: {backend: openai_compatible, model: m, base_url: 'http://localhost:1/v1'}}}"
    made = load(str(recipe(tmp_path, f"teacher: {{backend: textbook}}\nbudget: {{cap_usd: 1}}\n{arm}")))
    with pytest.raises(RecipeError, match=r"`variants\.own\.teacher`.*price: \[0, 0\]"):
        check_prices(made)


@pytest.mark.parametrize(
    "budget",
    [
        "{cap_usd: .inf}",
        "{cap_usd: .nan}",
        "{cap_usd: -1}",
        "{stages_usd: {teech: 1}}",
        "{stages_usd: {teach: -1}}",
        "{stages_usd: {teach: .inf}}",
        "{stages_usd: {teach: .nan}}",
    ],
)
def test_caps_are_numbers_of_stages_that_exist(tmp_path: Path, budget: str) -> None:
    with pytest.raises(RecipeError, match="budget"):
        check(load(str(recipe(tmp_path, f"budget: {budget}"))), tmp_path).require("r")


@pytest.mark.parametrize("price", ["", "1", "1,2,3", "a,b", "-1,2", "inf,1", "nan,1"])
def test_a_price_is_two_numbers(price: str) -> None:
    with pytest.raises(UsageError, match="two numbers"):
        purse_of(1.0, price)


@pytest.mark.parametrize("command", ["ask", "judge", "evaluate", "doctor"])
def test_every_command_that_asks_holds_a_cap(command: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"question": f"{i} + 1?", "gold": str(i + 1), "response": "well, four or five", "answer": "4"}
        for i in range(30)
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    with serve(stub("It is four. " * 9), price=(1000.0, 1000.0)) as server:
        seeds = "seeds: {sources: [{name: classroom, split: train, options: {n: 4, seed: 0}}]}"
        recipe(tmp_path, f"teacher: {{model: m, base_url: '{server.base_url}'}}\n{seeds}")
        args = {
            "ask": ["m", "How many?", "--base-url", server.base_url],
            "judge": ["rows.jsonl", "--judge", "model", "--model", "m", "--base-url", server.base_url],
            "evaluate": [f"m@{server.base_url}", "--on", "own=rows.jsonl", "--judge", "rules"],
            "doctor": ["r.yaml"],
        }[command]
        assert call(monkeypatch, command, *args, "--cap-usd", "0.0001") != 0
        assert "--price" in "".join(capsys.readouterr())
        assert call(monkeypatch, command, *args, "--cap-usd", "0.0001", "--price", "1000,1000") in (1, 4)
        assert "`budget.cap_usd` is $0.0001" in "".join(capsys.readouterr())
        assert server.billed_usd <= 0.0001
        assert call(monkeypatch, command, *args, "--cap-usd", "90", "--price", "1000,1000") == 0
        assert 0 < server.billed_usd <= 90


RUN = """
seeds: {{sources: [{{name: classroom, split: train, options: {{n: 4, seed: 0}}}}]}}
teacher: {{model: m, base_url: '{url}', options: {{price: [1, 1]}}}}
ask_me_anything: null
suggester_editor: null
collect: {{near: false}}
budget: {{cap_usd: 5}}
"""


def test_a_run_with_a_cap_that_has_lost_its_book_stops(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with serve(stub("#### 4")) as server:
        recipe(tmp_path, RUN.format(url=server.base_url))
        go = ["run", "r.yaml", "--until", "teach"]
        assert call(monkeypatch, *go) == 0
        assert "teacher: prompts go to 127.0.0.1, with no variable" in capsys.readouterr().err
        assert call(monkeypatch, *go) == 0
        shutil.rmtree("store/runs")
        assert call(monkeypatch, *go) == 4
        assert "--new-book" in capsys.readouterr().err
        assert call(monkeypatch, *go, "--new-book") == 0
        assert call(monkeypatch, *go) == 0


def test_a_starter_says_what_a_server_of_ones_own_costs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seeds.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    args = ["--seeds", "seeds.jsonl", "--teacher", "m", "--base-url", "http://localhost:8000/v1", "--out", "mine.yaml"]
    assert call(monkeypatch, "init", *args) == 0
    assert load("mine.yaml").teacher.options == {"price": [0, 0]}
