"""The YAML reader: what a recipe has no use for is refused by its line, at once; the rest is read as YAML 1.2 has it."""

import math
import time
from pathlib import Path
from typing import Any

import pytest

from commanding import call
from orcamath.errors import RecipeError
from orcamath.recipe_file import load, shipped
from orcamath.yaml_reader import read_yaml
from pace import within

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
REFUSED: dict[str, tuple[str, str]] = {
    "alias bomb": (BOMB, ":5: more than 20,000 values"),
    "an alias of itself": ("name: r\nlearn: &l [*l]\n", ":2: `.l` stands within `&l` itself"),
    "a circle of keys": ("a: &a\n  b: {c: *a}\n", ":2: `.a` stands within"),
    "an alias of nothing": ("a: *b\n", "`*b`|undefined alias"),
    "python's tag": ("a: 1\nb: !!python/object/apply:os.system ['true']\n", ":2: the tag"),
    "an own tag": ("a: !secret x\n", ":1: the tag `!secret`"),
    "a number by tag": ("a: !!int nonsense\n", ":1: the tag"),
    "binary": ("a: !!binary '@@'\n", ":1: the tag"),
    "a set": ("a: !!set {b}\n", ":1: the tag"),
    "a date by tag": ("a: !!timestamp 2024-13-45\n", ":1: the tag"),
    "merging": ("a: &a {b: 1}\nc:\n  <<: *a\n", ":3: `<<`"),
    "NUL": ("a: 1\nb: x\0y\n", r":2: not YAML: the character U\+0000"),
    "escape": ("a: 1\nb: x\x1b[31my\n", r":2: not YAML: the character U\+001B"),
    "escape, spelled": ('a: 1\nb: "x\\e[31my"\n', r":2: the character U\+001B"),
    "NUL in a key": ('a: 1\n"b\\0": y\n', r":2: the character U\+0000"),
    "half a letter": ('a: "\\ud800"\n', r":1: |not YAML"),
    "nested lists": ("a: " + "[" * 100_000, ":1: nested more than 40 deep"),
    "nested mappings": ("{a: " * 50_000, ":1: nested more than 40 deep"),
    "nested blocks": ("\n".join(" " * i + "a:" for i in range(500)), ":4[12]: nested more than 40 deep"),
    "many values": ("a:\n" + "- x\n" * 30_000, r":\d+: more than 20,000 values"),
    "long": ("a: " + "x" * 10_000_000, "a recipe has 300,000 at most|too much to be read in one piece"),
    "a huge number": ("a: 1\nb: " + "1" * 5_000, ":2: `1+` is no number"),
    "twice": ("a: 1\nb: 2\na: 3\n", ":3: the key `a` stands twice"),
    "a list as key": ("? [a, b]\n: c\n", ":1: a key that is no plain word"),
    "two documents": ("a: 1\n---\nb: 2\n", ":2: a second document"),
    "another YAML": ("%YAML 1.1\n---\na: yes\n", "`%YAML`"),
    "torn": ("a: [1,\n", ":2: not YAML"),
    "tabs": ("a:\n\tb: 1\n", ":2: not YAML"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_by_its_line_and_soon(kind: str, tmp_path: Path) -> None:
    text, says = REFUSED[kind]
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    began = time.process_time()
    with pytest.raises(RecipeError, match=rf"r\.yaml.*(?:{says})"):
        load(str(path))
    assert within(time.process_time() - began, 10.0)  # 1.3 s to the 20,000th value; a bomb unfolds for ever
    if kind in {"alias bomb", "NUL", "torn"}:
        done = call("plan", str(path))
        assert (done.code, done.err.count("\n")) == (2, 2)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("1e-6", 1e-6),
        ("017", 17),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", 1000),
        ("-3", -3),
        ("~", None),
        ("", None),
        ("null", None),
        ("True", True),
        ("false", False),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("'1'", "1"),
        ('"<<"', "<<"),
        ("2024-01-02", "2024-01-02"),
        ("2024-13-45", "2024-13-45"),
        ("12:30", "12:30"),
        ("=", "="),
        ("1.5", 1.5),
        ("+.5", 0.5),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[1, {b: 2}]", [1, {"b": 2}]),
        ("{a: 1, 2: b}", {"a": 1, 2: "b"}),
    ],
)
def test_the_rest_is_read_as_yaml_1_2_has_it(text: str, value: Any) -> None:
    assert read_yaml(text, "x").value == value


def test_every_value_has_its_line_and_an_alias_is_a_copy() -> None:
    value, lines = read_yaml("a: &x\n  b: [1,\n    2]\nc: *x\n", "x")
    assert lines[("a", "b", "1")] == 3
    assert lines[("c",)] == 4
    value["c"]["b"].append(3)
    assert value["a"] == {"b": [1, 2]}


@pytest.mark.parametrize("name", shipped())
def test_what_ships_is_read_as_a_full_reader_of_yaml_reads_it(name: str) -> None:
    from ruamel.yaml import YAML

    text = shipped()[name].read_text(encoding="utf-8")
    assert read_yaml(text, name).value == YAML(typ="safe", pure=True).load(text)


K = "0123456789abcdefABCDEF_" * 2
KEYS = [
    f"sk-{K}",
    f"sk-ant-api03-{K}",
    f"hf_{K}",
    f"ghp_{K}",
    f"github_pat_{K}",
    f"glpat-{K}",
    f"gsk_{K}",
    f"xoxb-{K}",
    f"AKIA{K[:16].upper()}",
    f"AIza{K}",
    f"Bearer {K}",
    f"eyJ{K}.eyJ{K}.x",
    f"https://me:{K}@host.example/v1",
    "https://me:" + K + "${X}@host.example/v1",
    "https://me:" + "${X}" + K + "@host.example/v1",
    f"postgres://me:{K}@db/x",
    "-----BEGIN RSA PRIVATE " + "KEY-----",
]
PLACES = [
    "about: 'see {key}'",
    "seeds: {{sources: [{{name: file, path: '{key}'}}]}}",
    "'{key}': 1",
    "teacher: {{model: m, options: {{x: ['{key}']}}}}",
    "variants: {{a: {{learn: {{loss: '{key}'}}}}}}",
    "practice: {{server: {{command: 'serve --key {key}'}}}}",
    "teacher: '{key}'",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("place", PLACES)
def test_a_key_anywhere_is_refused_before_anything_is_written(
    key: str, place: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(f"name: r\n{place.format(key=key)}\n")
    done = call("run", "r.yaml")
    assert done.code == 2
    assert "${NAME}" in done.err
    assert key not in done.err
    assert K[:16] not in done.err
    assert [p.name for p in tmp_path.iterdir()] == ["r.yaml"]


def test_a_key_in_an_override_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("run", "classroom", "--set", f"teacher.headers.X=sk-{K}")
    assert done.code == 2
    assert K not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn",
        "task-of-the-week-number-one-thousand",
        "hf_hub",
        "https://h:8000/v1",
        "https://${U}:${P}@host/",
        "https://u:${P}${Q}@host/",
        "me@host",
    ],
)
def test_words_are_no_keys(text: str) -> None:
    from orcamath.store.literals import refuse_keys

    refuse_keys({"a": [text]}, "r.yaml")
    with pytest.raises(RecipeError) as refused:  # and what is one is found beside it
        refuse_keys({"a": [text], "b": f"sk-{K}"}, "r.yaml")
    assert "`b`" in str(refused.value)
