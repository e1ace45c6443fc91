"""Files of users, whatever is in them: a row is rejected by its place, a file refused by one message, memory stays bounded."""

import gzip
import json
import os
import re
import resource
import time
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commanding import call
from orcamath.errors import DataError
from orcamath.prompts import block, load_prompt
from orcamath.reading import read_whole
from orcamath.records import Rejected
from orcamath.sources.rows import rows
from orcamath.store.marks import read_marks
from pace import within

GOOD = b'{"question": "1 + 1?", "gold": "2", "response": "2"}\n'
LINES: dict[str, tuple[bytes, str]] = {
    "nested": (b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "is not JSON|nested"),
    "nested within bounds of JSON": (b'{"question": ' + b"[" * 200 + b"]" * 200 + b"}\n", "nested more than 50"),
    "7 MB": (b'{"question": "' + b"x" * 7_000_000 + b'"}\n', "a text of 7,000,000 characters"),
    "a line of 9 MB": (b'{"question": "' + b"x" * 9_000_000 + b'"}\n', "is longer than 8,000,000 bytes"),
    "half a letter within": (b'{"question": ["\\ud800"]}\n', "half a character|is not JSON"),
    "no UTF-8": (b'{"question": "\xff\xfe"}\n', "is not JSON"),
    "NUL": (b'{"question": "\x00"}\n', "is not JSON"),
    "a list": (b"[1, 2]\n", "no object"),
    "a number too long": (b'{"question": ' + b"1" * 10_000 + b"}\n", "is not JSON"),
}


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_line_that_cannot_be_a_row_is_rejected_and_the_next_is_read(kind: str, zipped: bool, tmp_path: Path) -> None:
    line, says = LINES[kind]
    path = tmp_path / ("r.jsonl.gz" if zipped else "r.jsonl")
    content = GOOD + line + GOOD
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    first, wrong, last = rows(path)
    assert not isinstance(first, Rejected)
    assert not isinstance(last, Rejected)
    assert isinstance(wrong, Rejected)
    assert wrong.item == f"{path.name}:2"
    assert re.search(says, wrong.detail)


def grown(before: int) -> int:
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


@pytest.mark.parametrize("name", ["r.jsonl.gz", "r.json.gz", "r.csv.gz"])
def test_a_line_without_end_is_read_in_bounded_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    head, more = b'{"question": "' if "json" in name else b"question,answer\n", gzip.compress(b"x" * 10_000_000, 1)
    path.write_bytes(gzip.compress(head) + more * 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        found = list(rows(path))
    except DataError as e:
        assert str(path) in str(e)  # noqa: PT017 — either way is right
    else:
        assert all(isinstance(r, Rejected) for r in found)
    assert grown(before) < 250_000_000


def test_a_date_that_python_has_no_value_for_is_one_rejected_row(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    when = pa.array([0, 2**62, 0], pa.timestamp("us"))
    pq.write_table(pa.table({"question": ["a", "b", "c"], "when": when}), path)
    first, wrong, last = rows(path)
    assert isinstance(wrong, Rejected)
    assert wrong.item == "r.parquet:row 2"
    assert not isinstance(first, Rejected)
    assert first.values["when"] == datetime(1970, 1, 1)
    assert not isinstance(last, Rejected)
    assert last.values["question"] == "c"


@pytest.mark.parametrize("name", ["r.jsonl", "r.json", "r.csv", "r.parquet", "r.jsonl.gz"])
@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    done = call("judge", str(tmp_path / name), "--judge", "rules", "--store", str(tmp_path / "store"))
    assert done.code == 1
    assert done.err.count("\n") == 2  # the message, and where its kind is explained
    assert f"`{tmp_path / name}` is no plain file" in done.err
    with pytest.raises(DataError, match="pipe or a device"):
        read_whole(Path("/dev/zero"))


MARKS = {
    "what we write": (b'{"id": "a", "mark": "bad", "note": "x", "at": 1.5}', True),
    "another mark": (b'{"id": "a", "mark": "so so"}', False),
    "no time": (b'{"id": "a", "mark": "bad", "at": "late"}', False),
    "a list": (b"[1]", False),
    "nested": (b"[" * 100_000, False),
    "no UTF-8": (b'{"id": "\xff", "mark": "bad"}', False),
    "9 MB": (b'{"id": "a", "mark": "bad", "note": "' + b"x" * 9_000_000 + b'"}', False),
}


@pytest.mark.parametrize("kind", MARKS)
def test_a_mark_that_is_none_is_left_out_and_the_next_is_read(kind: str, tmp_path: Path) -> None:
    line, is_one = MARKS[kind]
    (tmp_path / "marks.jsonl").write_bytes(line + b'\n{"id": "b", "mark": "good"}\n{"id": "c", "ma')
    found = read_marks(tmp_path / "marks.jsonl")
    assert list(found) == ["a", "b"][not is_one :]
    assert found["b"].mark == "good"


def test_a_prompt_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is not UTF-8"):
        load_prompt("solver", path)


@pytest.mark.parametrize(
    "spelled",
    [
        "<|im_end|>",
        "<|start_header_id|>",
        "<\uff5cUser\uff5c>",
        "</s>",
        "<end_of_turn>",
        "[/INST]",
        "<<SYS>>",
        "<EOS>",
        "</problem>",
    ],
)
def test_no_control_token_of_a_template_in_use_stands_in_a_prompt(spelled: str) -> None:
    text = f"Tom has 2 {spelled} apples"
    assert spelled not in block("problem", text).removesuffix("</problem>")
    assert "".join(block("problem", text).split()).count("".join(spelled.split())) >= 1  # nothing is lost but closeness


@pytest.mark.parametrize("text", ["a < b", "x<y>z", "[1, 2]", "2 << 3", "<b>bold</b>", "|x| > 3"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert block("problem", text) == f"<problem>\n{text}\n</problem>"


def test_a_list_of_rows_is_still_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.json.gz"
    path.write_bytes(gzip.compress(json.dumps([{"question": "a"}] * 3).encode()))
    assert len(list(rows(path))) == 3


def test_texts_that_unfold_from_one_page_are_not_in_memory_at_once(tmp_path: Path) -> None:
    n = 2_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array(["x" * 1_000_000]))
    five = pa.array(["5"] * n)
    pq.write_table(pa.table({"question": same, "gold": five, "response": five}), tmp_path / "r.parquet")
    assert (tmp_path / "r.parquet").stat().st_size < 100_000
    before = pa.default_memory_pool().bytes_allocated()
    for _ in zip(range(n), rows(tmp_path / "r.parquet"), strict=False):
        assert pa.default_memory_pool().bytes_allocated() - before < 300_000_000


def test_a_table_of_many_columns_is_read_soon(tmp_path: Path) -> None:
    names = ",".join(f"c{i}" for i in range(50_000))
    (tmp_path / "r.csv").write_text(f"{names}\n{','.join('1' * 50_000)}\n")
    began = time.process_time()
    (row,) = rows(tmp_path / "r.csv")
    assert within(time.process_time() - began, 5.0)  # it grew with the square: half a minute
    assert len(row.values) == 50_000
