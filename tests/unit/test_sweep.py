"""The mistakes of a new user, over every command: each ends with its exit code and says where it is and what to do instead.

A row is a command line, its exit code, words that name the place (the value, the file and line, the key), and words of the way
out. A row without a way out says so by an empty text; the last test counts these.
"""

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from orcamath.cli import app, main
from orcamath.testing import serve, stub
from report_run import make_run
from sweep_files import write_files


class Row(NamedTuple):
    """One command line and what it must come to."""

    line: str
    code: int
    place: str
    """Words that say what is wrong and where, parted by ` … `."""
    fix: str
    """Words of what to do instead; empty where it does not say."""


def rows() -> Iterator[Row]:
    """Read the table: `exit | command line | place | fix (`-`: none)`, a line each."""
    for line in (Path(__file__).parents[1] / "sweep.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            code, command, place, fix = line.split(" | ")
            yield Row(command, int(code), place, fix if fix != "-" else "")


ROWS = list(rows())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with a finished run, files of every wrong kind, and a server that knows no key and one model."""
    home = tmp_path_factory.mktemp("sweep")
    make_run(home, n=20)
    write_files(home)
    with serve(stub("It is four."), models=("m",)) as server:
        yield home, server.base_url


def called(monkeypatch: pytest.MonkeyPatch, line: str) -> int:
    monkeypatch.setattr(sys, "argv", ["orcamath", *shlex.split(line)])
    try:
        main()
    except SystemExit as e:
        return int(e.code or 0)
    return 0


@pytest.mark.parametrize("row", ROWS, ids=[row.line for row in ROWS])
def test_a_mistake_says_where_it_is_and_what_to_do(
    row: Row,
    prepared: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    home, url = prepared
    monkeypatch.chdir(home)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    before = sorted(p for p in home.iterdir())
    code = called(monkeypatch, row.line.replace("URL", url))  # any other exception than SystemExit fails the test
    said = caplog.text + "".join(capsys.readouterr())
    told = " ".join(said.translate(str.maketrans("│╭╰─╮╯", "      ")).split())
    for new in set(home.iterdir()) - set(before):
        shutil.rmtree(new) if new.is_dir() else new.unlink()
    assert "Traceback" not in said
    assert "fault of orcamath" not in told
    assert code == row.code, told
    for words in [*row.place.split(" … "), row.fix]:
        assert words in told, f"{words!r} is not in: {told}"


def test_the_sweep_is_wide_and_nearly_all_of_it_names_place_and_fix() -> None:
    from typer.main import get_command

    used = {shlex.split(row.line)[0] for row in ROWS if row.line}
    assert set(get_command(app).commands) <= used  # type: ignore[attr-defined]
    helpful = sum(bool(row.place and row.fix) for row in ROWS)
    assert len(ROWS) >= 160
    assert len({row.line for row in ROWS}) == len(ROWS)
    assert helpful / len(ROWS) >= 0.95, f"{helpful} of {len(ROWS)}"
