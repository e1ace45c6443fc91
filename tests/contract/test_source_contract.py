"""What every source promises, tried on a small file in its own form. A new source adds a sample here and is covered."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orcamath.errors import DataError
from orcamath.families import find, members
from orcamath.records import Problem, Rejected
from orcamath.sources.source import Found, SourceSettings, Unsplit
from orcamath.testing import check_source


class Sample(NamedTuple):
    """A file in a source's own form: its name, its records, and the answers they come to."""

    name: str
    records: Any
    answers: tuple[str | None, ...]
    kind: str = "number"
    splits: bool = True
    """Whether the set has official splits."""


_MAWPS = [
    {
        "iIndex": 1,
        "sQuestion": " Joan found 70 shells and gave 27 away . How many are left ? ",
        "lEquations": ["X = 70 - 27"],
        "lSolutions": ["43"],
    },
    {"iIndex": 2, "sQuestion": "Tim has 2.5 and buys 4 . How many ?", "lEquations": ["X=2.5+4"], "lSolutions": [6.5]},
]
_EQUATIONS = [
    {
        "sQuestion": "The sum of two numbers is 62 . Their difference is 36 . Find them .",
        "lSolutions": [13.0, 49.0],
        "lEquations": ["a+b=62", "b-a=36"],
    },
    {"sQuestion": "Half a number is 7 . Find it .", "lSolutions": [14.0], "lEquations": ["0.5*m=7"]},
]
TEST_SETS = ("gsm_hard", "gsm_plus", "gsm_symbolic", "gsm8k_platinum", "gsm8k_backward")
SAMPLES: dict[str, Sample] = {
    "gsm8k": Sample(
        "gsm8k_train.jsonl",
        [
            {"question": "Mia has 3 boxes of 4 pens. How many pens?", "answer": "3*4 = <<3*4=12>>12\n#### 12"},
            {"question": "A car costs $1,300 less $20. What is left?", "answer": "1300-20\n#### 1,280"},
        ],
        ("12", "1280"),
    ),
    "svamp": Sample(
        "SVAMP.json",
        [
            {
                "ID": "chal-1",
                "Body": "Each pack costs 76 dollars",
                "Question": "What do 2 packs cost?",
                "Answer": 152.0,
                "Equation": "( 76.0 * 2.0 )",
                "Type": "Multiplication",
            },
            {
                "ID": "chal-2",
                "Body": "Dan had 4 dollars.",
                "Question": "What has he after spending 1.5?",
                "Answer": 2.5,
                "Equation": "( 4.0 - 1.5 )",
                "Type": "Subtraction",
            },
        ],
        ("152", "2.5"),
        splits=False,
    ),
    "asdiv": Sample(
        "ASDiv.xml",
        """<?xml version="1.0" encoding="UTF-8" ?>
<Machine-Reading-Corpus-File><ProblemSet>
<Problem ID="nluds-0001" Grade="1" Source="x"><Body>Seven red apples &amp; two green ones.</Body>
<Question>How many apples?</Question><Solution-Type>Addition</Solution-Type><Answer>9 (apples)</Answer>
<Formula>7+2=9</Formula></Problem>
<Problem ID="nluds-0002" Grade="1" Source="x"><Body>Ann is 17, Bo 5 less.</Body><Question>How old are they?</Question>
<Solution-Type>Set</Solution-Type><Answer>17 (years old); 12 (years old)</Answer><Formula>17-5=12</Formula></Problem>
</ProblemSet></Machine-Reading-Corpus-File>""",
        ("9", "17, 12"),
        splits=False,
    ),
    "addsub": Sample("AddSub.json", _MAWPS, ("43", "6.5"), splits=False),
    "multiarith": Sample("MultiArith.json", _MAWPS, ("43", "6.5"), splits=False),
    "singleeq": Sample("SingleEq.json", _MAWPS, ("43", "6.5"), splits=False),
    "singleop": Sample(
        "SingleOp.jsonl",
        [{"input": "There are 4 cards and 3 more. How many?", "target": 7.0}, {"input": "2 * 4 eggs?", "target": 8}],
        ("7", "8"),
        splits=False,
    ),
    "draw": Sample(
        "draw_dev.jsonl", [{"original": e, "text": e["sQuestion"]} for e in _EQUATIONS], ("13, 49", "14"), kind="set"
    ),
    "alg514": Sample(
        "alg514_valid.json",
        [
            {"id": i, "original_text": e["sQuestion"], "equation": " ; ".join(e["lEquations"]), "ans": e["lSolutions"]}
            for i, e in enumerate(_EQUATIONS)
        ],
        ("13, 49", "14"),
        kind="set",
    ),
    "mathqa": Sample(
        "mathqa_dev.json",
        [
            {
                "Problem": "what is 5 ^ 4 ?",
                "Rationale": "answer : c",
                "options": "a ) 24 , b ) 120 , c ) 625 , d ) 7 , e ) 1,024",
                "correct": "c",
                "category": "general",
            },
            {
                "Problem": "the arc ?",
                "Rationale": "ans : b",
                "options": "['a ) 4', 'b ) 4 π', 'c ) 16', 'd ) 8 π', 'e ) 16']",
                "correct": "b",
                "category": "geometry",
            },
        ],
        ("625", "4 π"),
        kind="choice",
    ),
    "numglue": Sample(
        "NumGLUE_train.json",
        [
            {"question": "Ali has 3 dogs. How many legs have they?", "answer": "12", "type": "Type_1"},
            {"question": "A block of 2 kg moves 5 m. ____", "answer": 10, "type": "Type_4"},
            {"question": "ignored", "passage": "long", "answer": {"number": "3", "spans": []}, "type": "Type_5"},
        ],
        ("12", "10"),
    ),
    "dmath": Sample(
        "train.json",
        {
            "1": {
                "category": "Geometry",
                "question_ko": "길이는?",
                "question_en": "Length?",
                "answer_ko": "14.5",
                "answer_en": "14.5",
                "solution_abst_en": "29 2 [OP_DIV]",
            },
            "2": {
                "category": "Comparison",
                "question_ko": "누구?",
                "question_en": "Who is taller?",
                "answer_ko": "민수",
                "answer_en": "Minsu",
                "solution_abst_en": "x",
            },
        },
        ("14.5", "Minsu"),
    ),
    "gsm_hard": Sample(
        "gsmhardv2.jsonl",
        [
            {
                "input": "Kim sells 5600000 eggs at $2. What does she get?",
                "code": "def solution(): ...",
                "target": 11200000.0,
            },
            {"input": "Half of 7?", "code": "", "target": 3.5},
        ],
        ("11200000", "3.5"),
    ),
    "gsm_symbolic": Sample(
        "gsm_symbolic.jsonl",
        [
            {"id": 0, "instance": 1, "question": "Kim has 9 eggs at $2?", "answer": "9 * 2 = <<9*2=18>>18\n#### 18"},
            {"id": 0, "instance": 2, "question": "Kim has 1000 eggs at $2?", "answer": "It is 2,000.\n#### 2,000"},
        ],
        ("18", "2000"),
    ),
    "gsm8k_platinum": Sample(
        "gsm8k_platinum.jsonl",
        [
            {"question": "9 eggs at $2?", "answer": "9 * 2 = 18\n#### 18", "cleaning_status": "consensus"},
            {"question": "1000 eggs at $2?", "answer": "2000\n#### 2,000", "cleaning_status": "revised"},
        ],
        ("18", "2000"),
    ),
    "gsm8k_backward": Sample(
        "GSM8K_Backward.jsonl",
        [
            {
                "question": "x eggs at $2 make $18. What is x?",
                "answer": "9",
                "original_question": "?",
                "original_answer": "18",
            },
            {"question": "x eggs at $2 make $2,000. What is x?", "answer": "1,000", "original_answer": "?"},
        ],
        ("9", "1000"),
    ),
    "gsm_plus": Sample(
        "gsm_plus_test.jsonl",
        [
            {"question": "9 eggs at $2?", "solution": "18", "answer": "18", "perturbation_type": "digit expansion"},
            {"question": "Eggs at $2?", "solution": "?", "answer": "None", "perturbation_type": "critical thinking"},
            {
                "question": "1000 eggs at $2. Total?",
                "solution": "2,000",
                "answer": "2,000",
                "perturbation_type": "rephrasing",
            },
        ],
        ("18", "2000"),
    ),
    "lila": Sample(
        "lila.jsonl",
        [
            {
                "input": "Joan has 70, gives 27?",
                "output_program": "70-27",
                "output_answer": "43",
                "split": "train",
                "dataset": "addsub.json",
            },
            {
                "input": "Sum 62, difference 36?",
                "output_program": "",
                "output_answer": "[13.0, 49.0]",
                "split": "dev",
                "dataset": "draw_structured",
            },
            {
                "input": "integrate",
                "output_program": "...",
                "output_answer": "x",
                "split": "train",
                "dataset": "amps_calculus",
            },
        ],
        ("43", "13, 49"),
    ),
    "file": Sample(
        "mine_train.jsonl",
        [{"question": "2+2?", "answer": 4}, {"question": "Which colour is it?", "answer": "red"}, {"question": "Why?"}],
        ("4", "red", None),
    ),
}
ELSEWHERE = {"hub", "classroom"}
"""Sources that read no file of the user's: `hub` (tests/unit/test_sources_hub.py), `classroom` (its own tests)."""


def written(sample: Sample, folder: Path, name: str | None = None) -> Path:
    path = folder / (name or sample.name)
    text = sample.records
    if not isinstance(text, str):
        lines = path.suffix == ".jsonl" or sample.name.startswith("NumGLUE")  # JSON Lines called .json, as published
        text = "\n".join(json.dumps(r) for r in text) if lines else json.dumps(text, indent=1)
    path.write_text(text, encoding="utf-8")
    return path


def reading(source: str, path: Path, **settings: Any) -> Iterator[Found]:
    read = find("source", source).read(SourceSettings(name=source, path=str(path), **settings))
    assert isinstance(read, Iterator)
    return read


def problem(found: Found) -> Problem:
    assert not isinstance(found, Rejected), found
    return found.problem if isinstance(found, Unsplit) else found


def test_every_source_has_a_sample_here() -> None:
    assert set(members("source")) - ELSEWHERE == set(SAMPLES)


@pytest.mark.parametrize("source", SAMPLES)
def test_it_keeps_the_contract_and_reads_its_own_form(source: str, tmp_path: Path) -> None:
    sample = SAMPLES[source]
    path = written(sample, tmp_path)
    check_source(find("source", source).read, SourceSettings(name=source, path=str(path)))
    found = list(reading(source, path))
    assert [problem(f).answer for f in found] == list(sample.answers)
    assert {isinstance(f, Unsplit) for f in found} == {not sample.splits}
    assert problem(found[0]).answer_kind == sample.kind


@pytest.mark.parametrize("source", SAMPLES)
def test_twice_the_same_and_gzip_changes_nothing(source: str, tmp_path: Path) -> None:
    path = written(SAMPLES[source], tmp_path)
    zipped = tmp_path / "z" / f"{path.name}.gz"
    zipped.parent.mkdir()
    with gzip.GzipFile(zipped, "wb", mtime=0) as file:
        file.write(path.read_bytes())
    once, again, unzipped = (list(reading(source, p)) for p in (path, path, zipped))
    assert once == again == unzipped


@pytest.mark.parametrize("source", [s for s in SAMPLES if s != "file"])
def test_a_folder_is_searched_for_the_sets_own_file(source: str, tmp_path: Path) -> None:
    path = written(SAMPLES[source], tmp_path)
    (tmp_path / "unrelated_notes.jsonl").write_text("not even JSON")
    assert list(reading(source, tmp_path)) == list(reading(source, path))


def test_a_folder_of_ones_own_files_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("question,answer\n2+2?,4\n")
    (tmp_path / "a.jsonl").write_text('{"question": "1+1?", "answer": 2}\n')
    (tmp_path / "notes.txt").write_text("not data")
    assert [problem(f).answer for f in reading("file", tmp_path)] == ["2", "4"]


@pytest.mark.parametrize("source", SAMPLES)
def test_no_file_is_an_error_that_names_the_place(source: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.json"):
        list(reading(source, tmp_path / "nowhere.json"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        list(reading(source, tmp_path / "empty"))


@pytest.mark.parametrize("source", [s for s in SAMPLES if s != "asdiv"])
def test_a_bad_record_is_one_rejection_with_its_place(source: str, tmp_path: Path) -> None:
    sample = SAMPLES[source]
    keep = {"type": "Type_1", "dataset": "addsub", "options": "a ) 1 , b ) 2", "correct": "a", "split": "train"}
    records: Any = [*sample.records, keep] if isinstance(sample.records, list) else sample.records | {"9": {}}
    found = list(reading(source, written(sample._replace(records=records), tmp_path)))
    bad = [f for f in found if isinstance(f, Rejected)]
    assert len(bad) == 1
    assert found[-1] is bad[0]
    assert bad[0].item.startswith(f"{sample.name}:")
    assert bad[0].reason in {"no_question", "no_answer", "bad_options"}
    assert len(found) == len(sample.answers) + 1


@pytest.mark.parametrize("source", [s for s in SAMPLES if SAMPLES[s].splits and s not in ("lila", "file", *TEST_SETS)])
def test_the_split_comes_from_the_files_name_or_the_user(source: str, tmp_path: Path) -> None:
    sample = SAMPLES[source]
    suffix = Path(sample.name).suffix
    for name, split in (("test", "test"), ("validation", "dev"), ("training", "train")):
        path = written(sample, tmp_path, f"{source}_{name}{suffix}")
        assert {problem(f).split for f in reading(source, path)} == {split}
    unnamed = written(sample, tmp_path, f"copy{suffix}")
    assert {problem(f).split for f in reading(source, unnamed, split="dev")} == {"dev"}
    if source != "alg514":  # cross-validation folds are no official split
        with pytest.raises(DataError, match="which split"):
            list(reading(source, unnamed))


def test_sets_made_of_test_problems_are_test_sets_whatever_their_file_is_called(tmp_path: Path) -> None:
    for source in TEST_SETS:
        path = written(SAMPLES[source], tmp_path, "train.jsonl")
        assert {problem(f).split for f in reading(source, path)} == {"test"}


def test_the_classroom_keeps_the_contract() -> None:
    for split in ("train", "dev", "test"):
        check_source(find("source", "classroom").read, SourceSettings(name="classroom", split=split, options={"n": 20}))


def test_a_stranger_s_source_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from orcamath.records import Problem\n"
        "def read(settings):\n"
        "    yield Problem.make('1+1?', 'seed', settings.title, answer='2')\n"
    )
    module = find("source", str(tmp_path / "mine.py"))
    (only,) = module.read(SourceSettings(name=str(tmp_path / "mine.py")))
    assert (only.source, only.answer) == ("mine", "2")


@pytest.mark.parametrize(
    ("name", "column", "file"),
    [
        ("gsm_symbolic", "original_id", "gsm_symbolic.jsonl"),
        ("gsm_plus", "seed_question", "gsm_plus_test.jsonl"),
        ("gsm8k_backward", "original_question", "gsm8k_backward.jsonl"),
    ],
)
def test_problems_of_one_template_are_one_family(tmp_path: Path, name: str, column: str, file: str) -> None:
    rows = [
        {"question": f"Kim has {n} eggs. How many?", "answer": f"{n}\n#### {n}" if name == "gsm_symbolic" else str(n)}
        for n in range(3, 6)
    ]
    of = [{column: "a"}, {column: "a"}, {}]
    (tmp_path / file).write_text("\n".join(json.dumps(r | o) for r, o in zip(rows, of, strict=True)), encoding="utf-8")
    one, other, alone = find("source", name).read(SourceSettings(name=name, path=str(tmp_path)))
    assert one.family == other.family is not None
    assert alone.family is None
    assert one.id != other.id
