"""Nothing that servers, files, recipes or templates wrote steers the terminal, or lies raw in a log; a fault is one message."""

import io
import json
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.table import Table

from commanding import call
from orcamath.commands.ending import ended
from orcamath.store.run_folder import RunFolder
from orcamath.terminal import clear_line, console, guarded
from orcamath.testing import MisbehavingServer, serve, stub
from orcamath.testing.http import HttpAnswer, Incoming
from tiny_student import tiny_folder

HOSTILE = {
    "colour": "\x1b[31mred",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "link": "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "title": "\x1b]0;root@host\x07",
    "one byte": "\x9b2J",
    "overwrite": "done\rerror",
    "backspace": "no\x08\x08yes",
    "right to left": "\u202egnp.exe",
    "hidden": "pay\u200bpal\U000e0041",
    "half a letter": "a\ud800b",
    "delete": "a\x7fb",
}
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff\U000e0000-\U000e0fff]")


def logged(text: str) -> None:
    """As a message reaches the terminal where nobody set logging up, as in our commands."""
    assert logging.lastResort is not None
    logging.lastResort.handle(logging.LogRecord("anybody", logging.WARNING, "", 1, "said %s", (text,), None))


def tabled(text: str) -> None:
    made = Table(title=text)
    made.add_column(text)
    made.add_row(text)
    console(width=60).print(made)


WAYS: dict[str, Callable[[str], object]] = {
    "stdout": lambda text: sys.stdout.write(text),
    "stderr": lambda text: sys.stderr.write(text),
    "echo": typer.echo,
    "lines": lambda text: sys.stdout.writelines([text, text]),
    "a log": logged,
    "a table": tabled,
    "a live line": clear_line,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_it_comes_it_is_seen_and_not_obeyed(way: str, text: str, capsys) -> None:
    with guarded():
        WAYS[way](text)
    out = "".join(capsys.readouterr())
    assert len(out) > 2
    assert not RAW.search(out)
    assert "⟨U+" in out or way in {"echo", "a table"}  # click and rich take some out themselves


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_only_our_own_sequences_are_left(monkeypatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    with guarded():
        shown = console(width=60, force_terminal=True)
        for text in HOSTILE.values():
            made = Table(title=text)
            made.add_row(text)
            shown.print(made)
    ours = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert ours != screen.getvalue()
    assert not RAW.search(ours)
    assert "[31mred" in ours


def test_a_terminal_of_few_letters_is_no_traceback(monkeypatch) -> None:
    few = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", few)
    with guarded():
        sys.stdout.write("zwölf ⟨\x1b⟩\n")
    few.flush()
    assert few.buffer.getvalue() == rb"zw\xf6lf \u27e8\u27e8U+001B\u27e9\u27e9" + b"\n"  # type: ignore[attr-defined]


class Rude(MisbehavingServer):
    def __call__(self, incoming: Incoming) -> HttpAnswer:
        return HttpAnswer(400, "".join(HOSTILE.values()).encode("utf-8", "surrogatepass"))


def recipe_key(tmp_path: Path) -> list[str]:
    (tmp_path / "r.yaml").write_text('name: r\n"tea\\u202ech": 1\n')
    return ["plan", str(tmp_path / "r.yaml")]


def file_name(tmp_path: Path) -> list[str]:
    path = tmp_path / "an\x1b[31m\u202eswers.jsonl"
    path.write_text("{\n")
    return ["judge", str(path), "--judge", "rules", "--store", str(tmp_path / "store")]


def template(tmp_path: Path) -> list[str]:
    folder = tiny_folder(tmp_path / "m").path
    said = "".join(HOSTILE.values()).replace("\ud800", "")
    (folder / "chat_template.jinja").write_text("{{ raise_exception(" + json.dumps(said, ensure_ascii=False) + ") }}")
    return ["ask", str(folder), "How many?", "--store", str(tmp_path / "store")]


def an_argument(_: Path) -> list[str]:
    return ["plan", "r.yaml", "--no\x1b[31m\u202esuch"]


@pytest.mark.parametrize("whose", [recipe_key, file_name, template, an_argument])
def test_no_command_repeats_it_raw(whose: Callable[[Path], list[str]], tmp_path: Path) -> None:
    done = call(*whose(tmp_path))
    assert done.code in (1, 2)
    assert "⟨U+202E⟩" in done.err
    assert not RAW.search(done.out + done.err)
    assert "fault of orcamath" not in done.err


def test_what_a_server_says_is_neither_printed_nor_logged_raw(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    with serve(stub(), kind=Rude) as server:
        (tmp_path / "r.yaml").write_text(
            f"name: r\nseeds: {{sources: [{{name: file, path: '{tmp_path / 'p.jsonl'}'}}]}}\n"
            f"teacher: {{model: m, base_url: '{server.base_url}', max_tries: 1}}\n"
            "ask_me_anything: null\nsuggester_editor: null\n"
        )
        places = ["--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]
        done = call("run", str(tmp_path / "r.yaml"), "--until", "teach", *places)
    assert done.code != 0
    assert "⟨U+001B⟩" in done.err
    assert not RAW.search(done.out + done.err)
    logs = [p.read_text() for p in (tmp_path / "runs").rglob("*") if p.suffix in {".txt", ".json", ".jsonl", ".yaml"}]
    assert len(logs) >= 4
    assert not any(RAW.search(text) for text in logs)


def test_a_line_of_a_log_cannot_pass_for_another(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "r") as folder:
        folder.log("said\n2026-11-27 09:00:00 all is well\x1b[2J")
    lines = (tmp_path / "r" / "log.txt").read_text().splitlines()
    assert [bool(re.match(r"\d{4}-", line)) for line in lines] == [True, False]
    assert "⟨U+001B⟩" in lines[1]


@pytest.mark.parametrize(
    "fault", [KeyError("x"), RecursionError("deep"), MemoryError(), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")]
)
def test_an_exception_that_is_not_ours_is_one_message_and_a_file(fault: Exception, capsys, monkeypatch) -> None:
    key = "sk-" + "canary-0123456789"
    monkeypatch.setenv("SOME_API_KEY", key)

    def app() -> None:
        raise fault from ValueError(f"of \x1b[31m with {key}")

    with pytest.raises(SystemExit) as e:
        ended(app)
    said = capsys.readouterr().err
    assert e.value.code == 1
    assert said.count("\n") == 1
    assert type(fault).__name__ in said
    assert "Traceback" not in said
    log = Path(re.search(r"`([^`]+\.log)`", said)[1])  # type: ignore[index]
    kept = log.read_text()
    log.unlink()
    assert "Traceback (most recent call last)" in kept
    assert "with ***" in kept
    assert not RAW.search(kept)
    assert log.name.startswith("orcamath-")


def test_a_reader_who_leaves_is_no_error(capsys) -> None:
    def app() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    before = sys.stdout
    try:
        with pytest.raises(SystemExit):
            ended(app)
    finally:
        sys.stdout = before
    assert capsys.readouterr().err == ""
