"""`orcamath check`: files in many forms against files, by origin, with clear errors."""

import gzip
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from orcamath.contamination import SearchSettings, check_files
from orcamath.contamination.check import questions
from orcamath.errors import DataError, UsageError

TEST = "Nadia plants 12 rows of tulips with 8 bulbs in each row; a storm ruins 20 bulbs. How many bulbs survive?"
CLEAN = "A bakery sells 40 loaves a day at 3 dollars each and pays 25 dollars rent. What is its profit after 5 days?"


def jsonl(path: Path, *rows: dict[str, object]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_counts_pairs_and_where_they_are(tmp_path: Path) -> None:
    first = jsonl(tmp_path / "a.jsonl.gz", {"question": CLEAN})
    second = jsonl(tmp_path / "b.jsonl", {"problem": CLEAN + " And after 6?"}, {"problem": TEST})
    tests = jsonl(tmp_path / "test.jsonl", {"question": "Two and two?"}, {"question": TEST})
    found = check_files([first, second], [tests]).plain()
    assert (found["n_training"], found["n_tests"]) == (3, 2)
    assert found["flagged"]["1"] == {"ge": 1, "gt": 1}
    assert found["stop_words"] == "NLTK's 179"
    (pair,) = found["pairs"]
    assert (pair["file"], pair["row"], pair["test_file"], pair["test"]) == ("b.jsonl", 2, "test.jsonl", 2)
    assert "".join(t for t, _ in pair["texts"]["test"]) == TEST
    assert json.dumps(json.loads(json.dumps(found))) == json.dumps(found)


def test_by_origin_seeds_come_first_and_each_is_searched_alone(tmp_path: Path) -> None:
    rows = [("ask_me_anything", TEST), ("seed", CLEAN), ("suggester_editor", CLEAN + " In euros?")]
    training = jsonl(tmp_path / "train.jsonl", *({"origin": o, "question": q} for o, q in rows))
    tests = jsonl(tmp_path / "test.jsonl", {"question": TEST})
    found = check_files([training], [tests], by="origin").plain()["by"]
    assert list(found) == ["seed", "ask_me_anything", "suggester_editor"]
    assert found["seed"] == {"n_training": 1, "flagged": {n: {"ge": 0, "gt": 0} for n in "123"}}
    assert found["ask_me_anything"]["flagged"]["3"] == {"ge": 1, "gt": 1}


def test_threshold_and_n_are_settings(tmp_path: Path) -> None:
    training = jsonl(tmp_path / "train.jsonl", {"question": TEST.replace("tulips", "roses").replace("20", "9")})
    tests = jsonl(tmp_path / "test.jsonl", {"question": TEST})
    # 13 distinct words without stop words on each side, two of them different: 11 / 15
    strict = check_files([training], [tests], SearchSettings(threshold=0.74, ngrams=(1, 4)))
    loose = check_files([training], [tests], SearchSettings(threshold=0.73, ngrams=(1, 4)))
    assert strict.flagged["1"] == {"ge": 0, "gt": 0}
    assert loose.flagged["1"] == {"ge": 1, "gt": 1}
    assert set(loose.flagged) == {"1", "4"}


def test_csv_svamps_two_columns_and_a_column_by_name(tmp_path: Path) -> None:
    table = tmp_path / "train.csv"
    table.write_text(f'id,my words\n1,"{TEST}"\n')
    svamp = tmp_path / "SVAMP.json"
    body, _, question = TEST.partition("; ")
    svamp.write_text(json.dumps([{"Body": body, "Question": question}]))
    assert check_files([svamp], [jsonl(tmp_path / "t.jsonl", {"question": TEST})]).flagged["3"]["ge"] == 1
    with pytest.raises(UsageError, match=r"train.csv.*--column"):
        check_files([table], [svamp])
    both = jsonl(tmp_path / "t2.jsonl", {"my words": TEST})
    assert check_files([table], [both], columns={"": "my words"}).flagged["1"]["ge"] == 1
    tests = jsonl(tmp_path / "t3.jsonl", {"question": TEST, "my words": "something else"})
    for name in ("train.csv", str(table)):  # a column of one file leaves the other alone
        assert check_files([table], [tests], columns={name: "my words"}).flagged["1"]["ge"] == 1


def test_errors_name_the_place(tmp_path: Path) -> None:
    good = jsonl(tmp_path / "good.jsonl", {"question": TEST})
    (tmp_path / "bad.jsonl").write_text('{"question": "a"}\n{"question": \n')
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match=r"bad.jsonl:2"):
        check_files([tmp_path / "bad.jsonl"], [good])
    with pytest.raises(DataError, match=r"no file .*gone.jsonl"):
        check_files([tmp_path / "gone.jsonl"], [good])
    with pytest.raises(UsageError, match="no training problems"):
        check_files([tmp_path / "empty.jsonl"], [good])
    with pytest.raises(UsageError, match="no test questions"):
        check_files([good], [tmp_path / "empty.jsonl"])
    with pytest.raises(UsageError, match="no column `origin`"):
        check_files([good], [good], by="origin")
    many = jsonl(tmp_path / "many.jsonl", *({"question": TEST, "id": i} for i in range(51)))
    with pytest.raises(UsageError, match=r"`id` has more than 50 values.*such as origin"):
        check_files([many], [good], by="id")


def test_svamps_two_columns_are_joined_as_its_source_joins_them_in_any_case(tmp_path: Path) -> None:
    """The hub's ASDiv spells them `body` and `question`."""
    for names in (("Body", "Question"), ("body", "question")):
        path = jsonl(tmp_path / "set.jsonl", dict(zip(names, ("Ann has 3 pens", "How many?"), strict=True)))
        assert [asked.text for asked in questions([path])] == ["Ann has 3 pens. How many?"]
    with pytest.raises(DataError, match=r"set.jsonl:1 has no text in `Question`"):
        list(questions([jsonl(path, {"Body": 1, "Question": 2})]))


@pytest.mark.parametrize(
    ("row", "text", "taken"),
    [
        ({"instruction": TEST, "input": "", "output": "76"}, TEST, "instruction"),
        ({"instruction": "Solve.", "input": TEST, "output": "76"}, f"Solve.\n{TEST}", "instruction + input"),
        ({"instruction": TEST, "input": None, "text": f"Below is a task. {TEST} 76"}, TEST, "instruction"),
        ({"instruction": "", "input": TEST}, TEST, "input"),
        ({"text": TEST, "instruction": "Solve."}, TEST, "text"),
        ({"question": " ", "problem": TEST}, TEST, "problem"),
        ({"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": TEST}]}, TEST, "prompt"),
        (
            {"messages": [{"role": r, "content": c} for r, c in (("user", "a?"), ("assistant", "b"), ("user", "c?"))]},
            "a?\nc?",
            "messages",
        ),
        (
            {"conversations": [{"from": "human", "value": TEST}, {"from": "gpt", "value": "76"}]},
            TEST,
            "conversations",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": TEST}]}]}, TEST, "messages"),
    ],
)
def test_the_question_is_in_the_first_known_column_that_holds_text(
    row: dict[str, object], text: str, taken: str, tmp_path: Path
) -> None:
    path = jsonl(tmp_path / "rows.jsonl", row)
    assert [asked.text for asked in questions([path])] == [text]
    tests = jsonl(tmp_path / "tests.jsonl", {"question": TEST}, {"problem": TEST})
    found = check_files([path], [tests]).plain()
    assert found["columns"] == {str(path): {taken: 1}, str(tests): {"problem": 1, "question": 1}}


@pytest.mark.parametrize("value", ["", None, 7, ["a?"], {"role": "user"}, [{"role": "assistant", "content": "76"}]])
def test_a_row_whose_column_holds_no_question_is_refused(value: object, tmp_path: Path) -> None:
    good = jsonl(tmp_path / "good.jsonl", {"prompt": TEST})
    bad = jsonl(tmp_path / "bad.jsonl", {"prompt": TEST}, {"prompt": value, "output": "76"})
    for columns in ({}, {"": "prompt"}):
        with pytest.raises(DataError, match=r"bad.jsonl:2 has no text in `prompt`; .*--column"):
            check_files([bad], [good], columns=columns)


def test_asdivs_xml(tmp_path: Path) -> None:
    body, _, question = TEST.partition("; ")
    problem = (
        f'<Problem ID="nluds-0001" Grade="1" Source="x"><Body>{body}.</Body><Question>{question}</Question>'
        "<Solution-Type>Subtraction</Solution-Type><Answer>76 (bulbs)</Answer><Formula>12*8-20=76</Formula></Problem>"
    )
    (tmp_path / "ASDiv.xml").write_text(
        f"<Machine-Reading-Corpus-File><ProblemSet>{problem}</ProblemSet></Machine-Reading-Corpus-File>"
    )
    tests = jsonl(tmp_path / "t.jsonl", {"question": TEST})
    assert check_files([tmp_path / "ASDiv.xml"], [tests]).flagged["2"]["ge"] == 1


def test_asdivs_xml_is_known_by_its_ending_and_a_torn_or_bottomless_one_is_told(tmp_path: Path) -> None:
    whole = "<ProblemSet>" + "<Problem><Body>B.</Body><Question>Q?</Question><Answer>1</Answer></Problem>" * 2
    packed = gzip.compress(f"{whole}</ProblemSet>".encode())
    (tmp_path / "A.XML").write_text(f"{whole}</ProblemSet>")
    (tmp_path / "b.xml.gz").write_bytes(packed)
    assert [len(list(questions([tmp_path / name]))) for name in ("A.XML", "b.xml.gz")] == [2, 2]
    for name, content, said in (
        ("torn.xml.gz", packed[:-9], "cannot be read to its end"),
        ("bottomless.xml.gz", gzip.compress(b" " * 70_000_000), "holds more than"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=said):
            list(questions([tmp_path / name]))


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"ngrams": ()}, {"ngrams": (0,)}, {"threshold": 0}, {"threshold": 1.5}, {"top": 0}):
        with pytest.raises(ValidationError, match=rf"\n{next(iter(wrong))}\S*\n  .*(at least|greater|less) "):
            SearchSettings(**wrong)  # type: ignore[arg-type]
