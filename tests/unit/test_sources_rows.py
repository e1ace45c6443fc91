"""Files of rows and spellings of answers: whatever the bytes, a rejection or a DataError, never another exception."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orcamath.errors import DataError
from orcamath.records import Problem, Rejected
from orcamath.sources.asdiv import answer_of
from orcamath.sources.choosing import contents_of
from orcamath.sources.clusters import Sketches, hashed_split, near_pairs
from orcamath.sources.file import read as read_own
from orcamath.sources.mathqa import options_of
from orcamath.sources.rows import Writing, files_of, rows
from orcamath.sources.source import Row, SourceSettings, gold_kind, number_text, split_named
from orcamath.sources.svamp import joined_text
from orcamath.sources.written import how_written
from pace import within
from scripted import seed

FORMS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".jsonl.gz")


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(content=b"\xff\xfe{")
@example(content=b"[" * 5_000)
@example(content=b'{"a": ' * 5_000)
@example(content=b'"open quote\n' * 3)
@example(content=b"question\n" + b"x" * 200_000)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_rows_rejections_or_one_error(form: str, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"x{form}"
    path.write_bytes(content)
    try:
        found = list(rows(path))
    except DataError as e:
        found, said = [], str(e)
    else:
        said = path.name
    assert path.name in said
    assert all(isinstance(f, Row | Rejected) for f in found)


def test_a_column_that_is_named_twice_is_refused_and_blanks_around_names_are_none(tmp_path: Path) -> None:
    twice, blank = tmp_path / "twice.csv", tmp_path / "blank.csv"
    twice.write_text("question,answer,answer\nHow many?,3,4\n")
    blank.write_text("question , answer\nHow many?,3\n")
    with pytest.raises(DataError, match=r"twice\.csv:1` names the column `answer` twice"):
        list(rows(twice))
    (row,) = rows(blank)
    assert isinstance(row, Row)
    assert dict(row.values) == {"question": "How many?", "answer": "3"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.dictionaries(
        st.sampled_from(["question", "answer", "options", "split", "kind", "solution", "licence"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), st.lists, max_leaves=5
        ),
    )
)
def test_any_record_is_one_problem_or_one_rejection(tmp_path: Path, row: dict[str, Any]) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert len(list(read_own(SourceSettings(name="file", path=os.fspath(path))))) == 1


def test_a_file_called_json_may_hold_lines_a_list_or_numbered_records(tmp_path: Path) -> None:
    records = [{"q": 1}, {"q": 2}]
    texts = [
        "\n".join(map(json.dumps, records)),
        json.dumps(records),
        json.dumps({"version": 1, "data": records}),
        json.dumps({"1": records[0], "2": records[1]}),
        "\ufeff" + json.dumps(records),
    ]
    for text in texts:
        (tmp_path / "x.json").write_text(text, encoding="utf-8")
        assert [r.values for r in rows(tmp_path / "x.json") if isinstance(r, Row)] == records


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (51.0, "51"),
        (2.5, "2.5"),
        (0.1, "0.1"),
        ("39.0", "39"),
        (" 43 ", "43"),
        ("0.50", "0.5"),
        ("-0.0", "0"),
        (-3, "-3"),
        ([12.0, 22.0], "12, 22"),
        (["3"], "3"),
        ("1,319", "1,319"),
        ("3/4", "3/4"),
        ("$18.00", "$18.00"),
        (1e22, "1e+22"),
        (None, None),
        ("", None),
        ([], None),
        ([1, None], None),
        (True, "true"),
        ([True, False], "true, false"),
        (float("nan"), None),
        ({"a": 1}, None),
        (2.14285714286, "2.14285714286"),
        ("1.10.2", "1.10.2"),
    ],
)
def test_answers_are_spelt_one_way(value: object, text: str | None) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("question", "answer", "gold", "kind"),
    [
        ("Wie weit ist es?", "1.250", "1.250", "number"),  # 1250 to a German, 1.25 to a program: the judge reads both
        ("Wie weit ist es?", "39.0", "39", "number"),
        ("Wie weit ist es?", "2,5 km", "2,5 km", "number"),
        ("Wie viele sind es?", "3, 5", "3, 5", "set"),
        ("How far is it?", "1.250", "1.25", "number"),
        ("How many are they?", "2,5", "2,5", "set"),
    ],
)
def test_a_gold_answer_of_a_file_is_read_in_its_questions_writing(
    tmp_path: Path, question: str, answer: str, gold: str, kind: str
) -> None:
    (tmp_path / "own.jsonl").write_text(json.dumps({"question": question, "answer": answer}))
    (problem,) = read_own(SourceSettings(name="file", path=str(tmp_path / "own.jsonl")))
    assert isinstance(problem, Problem)
    assert (problem.answer, problem.answer_kind) == (gold, kind)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("9", "number"),
        ("2.5", "number"),
        ("17, 12", "set"),
        ("Mrs. Hilt", "text"),
        ("Yes", "text"),
        (None, "number"),
        ("6th", "text"),
    ],
)
def test_kinds_of_gold(answer: str | None, kind: str) -> None:
    assert gold_kind(answer) == kind


def test_tsv_has_no_quoting_but_for_whole_cells(tmp_path: Path) -> None:
    said = ['"Hello" said Ann. 1 + 1?', '"Wait, Cy has 6?', "2 + 2?", '5" and 3"', 'Say "hi" 2 times?']
    path = tmp_path / "own.tsv"
    path.write_text('"question"\tanswer\n' + "".join(f"{q}\t2\n" for q in said[:-1]) + '"Say ""hi"" 2 times?"\t2\n')
    assert [row.values for row in rows(path) if isinstance(row, Row)] == [{"question": q, "answer": "2"} for q in said]
    assert how_written(path) == Writing()


def test_a_bad_record_is_placed_where_it_began_and_a_long_cell_is_none(tmp_path: Path) -> None:
    path, long = tmp_path / "own.csv", "1 + " * 50_000
    path.write_text(f'question,answer\n"1\n+\n1?",2\n\n"2\n+ 2?" or,4\n{long}1?,50001\n"3\n+ 3?\n')
    good, bad, whole, open_ended = rows(path)
    assert isinstance(good, Row)
    assert (good.place, good.values["question"]) == ("own.csv:2", "1\n+\n1?")
    assert isinstance(bad, Rejected)
    assert bad.item == "own.csv:6"
    assert isinstance(whole, Row)
    assert whole.values["question"] == f"{long}1?"
    assert isinstance(open_ended, Rejected)
    assert open_ended.item == "own.csv:9"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("gsm8k_train", "train"),
        ("valid", "dev"),
        ("validation-00000-of-00001", "dev"),
        ("Test", "test"),
        ("eval", "test"),
        ("gsm8k_evaluation", "test"),
        ("eval_dev", "dev"),
        ("lm_eval_train", "train"),
        ("evaluated", None),
        ("testmini", None),
        ("train_test", None),
        ("restrained", None),
        ("", None),
    ],
)
def test_splits_are_read_from_whole_words_only(name: str, split: str | None) -> None:
    assert split_named(name) == split


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a ) 24 , b ) 120 , c ) 1,024", ("24", "120", "1,024")),
        ("['a ) 4', 'b ) 4 π']", ("4", "4 π")),
        ("a ) a ) 2 , b ) b ) 5", ("2", "5")),
        ("a ) 1 : 5 , b ) rs . 600", ("1 : 5", "rs . 600")),
        ("b ) 1 , a ) 2", ()),
        ("none", ()),
        ("", ()),
    ],
)
def test_options_of_mathqa(text: str, options: tuple[str, ...]) -> None:
    assert options_of(text) == options


def test_units_are_dropped_from_asdivs_answers() -> None:
    assert answer_of("9 (apples)") == "9"
    assert answer_of("17 (years old); 12 (years old)") == "17, 12"
    assert answer_of("8 (ft); 128 (sq. ft)") == "8, 128"
    assert answer_of("-(1/3)") == "-(1/3)"
    assert answer_of("Mrs. Hilt") == "Mrs. Hilt"


def test_stories_and_questions_are_joined_by_a_full_stop_only_where_one_is_missing() -> None:
    assert joined_text("Dan had 4 dollars", "How many?") == "Dan had 4 dollars. How many?"
    assert joined_text("Dan had 4. ", " How many?") == "Dan had 4. How many?"
    assert joined_text('He read "Facts."', "How many?") == 'He read "Facts." How many?'
    assert joined_text("", "How many?") == "How many?"
    assert joined_text("Dan", None) is None


def test_drawn_splits_are_fixed_for_ever_and_near_their_shares() -> None:
    drawn = [hashed_split(f"{i:016x}") for i in range(5_000)]
    assert drawn[:12] == [
        "train",
        "dev",
        "train",
        "dev",
        "train",
        "train",
        "test",
        "test",
        "train",
        "test",
        "train",
        "train",
    ]  # golden: a change here moves problems across splits
    assert 0.18 < drawn.count("test") / 5_000 < 0.22
    assert 0.08 < drawn.count("dev") / 5_000 < 0.12


def test_half_a_character_is_refused_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "fine 😀"}\n{"question": "broken \\ud83d"}\n', encoding="utf-8")
    fine, broken = rows(file)
    assert isinstance(fine, Row)
    assert isinstance(broken, Rejected)
    assert (broken.item, broken.reason) == ("mine.jsonl:2", "bad_line")
    assert "lone surrogate" in broken.detail


def sketched(texts: list[str]) -> Sketches:
    sketches = Sketches()
    for text in texts:
        sketches.add(seed(text), None)
    return sketches


WORDS = st.sampled_from(["Ann", "sells", "red", "apples", "and", "then", "buys", "some", "more", "at", "the", "shop"])


@given(st.lists(st.lists(WORDS, min_size=4, max_size=12).map(" ".join), min_size=2, max_size=25, unique=True))
def test_clusters_are_what_hangs_together_by_near_pairs(texts: list[str]) -> None:
    sketches = sketched(texts)
    names = sketches.cluster().names.tolist()
    home = list(range(len(texts)))
    for left, right in near_pairs(sketches):
        home = [home[left] if h == home[right] else h for h in home]
    assert [names.index(n) for n in names] == [home.index(h) for h in home]


def test_texts_without_blanks_are_compared_character_by_character() -> None:
    first = "小明有12个苹果，每个苹果3元，他卖掉了其中的5个，又送给了小红两个。他一共收了多少钱？"
    texts = [
        first,
        first.replace("12", "40").replace("收", "得"),
        "一列火车每小时行驶八十公里，三小时一共行驶了多少公里？",
    ]
    a, b, c = sketched(texts).cluster().names.tolist()
    assert a == b != c


def spelt(n: int) -> str:
    """Return a word for a number, without a digit in it: those are masked."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{n:05}")


@pytest.mark.parametrize(
    ("shared", "own", "least", "most"), [(90, 5, 0.99, 1), (80, 10, 0.93, 1), (60, 20, 0, 0.15), (40, 30, 0, 0.01)]
)
def test_pairs_of_texts_are_near_as_often_as_the_formula_says(shared: int, own: int, least: float, most: float) -> None:
    """Of a hundred word pairs in all two texts share so many: Jaccard 0.9, 0.8, 0.6 and 0.4; 0.7 is near, by 64 hashes."""
    texts = []
    for n in range(200):
        words = [spelt(150 * n + i) for i in range(shared + 1 + 2 * own)]
        begun = words[: shared + 1]
        texts += [" ".join([*begun, *words[shared + 1 :][:own]]), " ".join([*begun, *words[-own:]])]
    names = sketched(texts).cluster().names.tolist()
    joined = sum(a == b for a, b in zip(names[::2], names[1::2], strict=True))
    assert least <= joined / 200 <= most
    assert len(set(names)) == 400 - joined  # and nothing else is


def test_thousands_of_fillings_of_one_template_are_one_cluster_in_no_time() -> None:
    texts = [
        f"Ann has {i} apples and buys {i % 7} more at the shop on the corner. How many has she now?"
        for i in range(6_000)
    ]
    sketches = sketched(texts)
    began = time.process_time()
    assert len(set(sketches.cluster().names.tolist())) == 1
    assert within(time.process_time() - began, 5.0)  # 0.1 s; every pair of them takes half a minute


def test_a_source_of_its_own_on_every_row_is_no_data_set(tmp_path: Path) -> None:
    """Rows that name the page they came from as their source: more of these than a table of two by two has room for."""
    sketches = Sketches()
    rows = [Problem.make(f"Tom has {i} pens. How many?", "seed", f"page {i}") for i in range(300)]
    for problem in rows:
        sketches.add(problem, None)
    assert sketches.parts.itemsize == 4  # 65,536 sources were too many once
    found = sketches.cluster()
    assert len(found.splits) == 300
    assert (found.overlap.texts, found.overlap.near) == ({}, {})


def test_all_folders_below_a_path_are_read_and_may_say_the_split(tmp_path: Path) -> None:
    """The layouts that sets come in: a folder a split, a folder a subject, shards."""
    names = [
        "train/0000.jsonl",
        "test/0000.jsonl",
        "algebra/problems.jsonl",
        "geometry/problems.jsonl",
        "geometry/problems.jsonl.gz",
        "train/0000.JSONL",
        "train/0000.json",
    ]
    for i, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"question": f"q{i}"}) + "\n")
    files = files_of(SourceSettings(name="file", path=str(tmp_path)), None)
    assert [str(f.relative_to(tmp_path)) for f in files] == sorted({*names} - {"geometry/problems.jsonl.gz"})
    found = [row for f in files for row in rows(f, below=tmp_path) if isinstance(row, Row)]
    assert {row.values["question"]: row.split for row in found} == {
        "q0": "train",
        "q1": "test",
        "q2": None,
        "q3": None,
        "q5": "train",
        "q6": "train",
    }


def test_all_shards_of_a_known_set_are_read(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / f"train-0000{i}-of-00002.jsonl").write_text("{}\n")
    (tmp_path / "test-00000-of-00001-c8073a2fad9a7d3c.jsonl").write_text("{}\n")  # as the hub once named them
    files = files_of(SourceSettings(name="gsm8k", path=str(tmp_path)), ["*"], [".jsonl"])
    names = ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"]
    assert [f.name for f in files] == ["test-00000-of-00001-c8073a2fad9a7d3c.jsonl", *names]
    assert [row.split for row in rows(files[0]) if isinstance(row, Row)] == ["test"]


def test_two_configurations_of_a_known_set_are_not_mixed(tmp_path: Path) -> None:
    for name in ("main/train-00000-of-00001", "socratic/train-00000-of-00002", "socratic/train-00001-of-00002"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.jsonl").write_text("{}\n")
    (only,) = files_of(SourceSettings(name="gsm8k", path=str(tmp_path)), ["*"], [".jsonl"])
    assert only.parent.name == "main"


def test_what_a_folder_says_of_its_rows_enters_the_digest(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "0.jsonl").write_text("{}\n")
    own, known = SourceSettings(name="file", path=str(tmp_path)), SourceSettings(name="gsm8k", path=str(tmp_path))
    before = contents_of([own]), contents_of([known])
    (tmp_path / "train").rename(tmp_path / "test")
    assert contents_of([own]) != before[0]
    assert contents_of([known]) == before[1]
