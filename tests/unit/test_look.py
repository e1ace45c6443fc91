"""A look at files of five shapes: encoding, delimiter, columns, kinds of answers, language, rows that are none."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orcamath.errors import DataError
from orcamath.records import Problem
from orcamath.sources import file
from orcamath.sources.choosing import BenchmarksSettings, SharesSettings
from orcamath.sources.look import drawn, look, look_all, look_up
from orcamath.sources.rows import Writing
from orcamath.sources.source import SourceSettings
from orcamath.sources.written import how_written
from orcamath.stages.benchmarks import benchmarks
from orcamath.store.artifacts import Store
from orcamath.text.columns import Theirs
from own_files import OWN, Own


@pytest.mark.parametrize("own", OWN, ids=[o.name for o in OWN])
def test_what_a_file_is_is_found_out(own: Own, tmp_path: Path) -> None:
    own.write(tmp_path / own.name)
    seen = look(str(tmp_path / own.name))
    assert seen.settings.columns == own.columns
    assert seen.settings.options == own.options
    assert (seen.kinds, len(seen.bad), seen.whole) == (own.kinds, own.bad, True)
    assert max(seen.languages, key=lambda code: seen.languages[code]) == own.language
    assert seen.settings.on_bad_line == ("skip" if own.bad else "stop")
    assert len(seen.rows) == 3
    assert all(p.answer for p in seen.rows)


@pytest.mark.parametrize("own", OWN, ids=[o.name for o in OWN])
def test_a_drawn_split_is_what_the_look_counted(own: Own, tmp_path: Path) -> None:
    own.write(tmp_path / own.name)
    seen = look(str(tmp_path / own.name))
    parts = drawn([seen])
    assert parts is not None
    source = seen.settings.model_copy(update={"options": {**seen.settings.options, "draw_split": True}})
    asked = BenchmarksSettings(sources=(source,), shares=SharesSettings(test=parts.share))
    made = Store(tmp_path / "store").stage(
        "benchmarks", 2, asked, asked.contents(), lambda out: benchmarks(out, asked, {"file": file.read})
    )
    assert made.count("problems") == parts.n_test >= 10
    assert parts.n_test + parts.n_rest == seen.n


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("question;answer\nHow many, in all?;3\n", ";"),
        ('question,answer\n"One; two; three?",3\n', None),
        ("question|answer\nA; b, c?|3\n", "|"),
        ("question\tanswer\nA, b?\t3\n", "\t"),
        ("question\nOnly one column here, is it?\n", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_delimiters_and_encodings(text: str, delimiter: str | None, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    assert how_written(tmp_path / "x.csv") == Writing(
        encoding if text else ("utf-16" if encoding == "utf-16" else "utf-8"), delimiter
    )


def test_eight_bits_are_cp1252_where_they_can_be(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("question\nKöln – 3 €?\n".encode("cp1252"))
    assert how_written(tmp_path / "a.csv").encoding == "cp1252"
    (tmp_path / "b.csv").write_bytes(b"question\n\x81\x8d\n")
    with pytest.raises(DataError, match="no text in UTF-8, UTF-16 or cp1252"):
        how_written(tmp_path / "b.csv")


RUSSIAN, GREEK = "У Ани три яблока, сколько всего?", "Η Άννα έχει τρία μήλα, πόσα έχουν μαζί;"


@pytest.mark.parametrize(
    ("text", "encoding", "word"),
    [
        (f"question,answer\n{RUSSIAN},3\n", "cp1251", "`Ани`"),
        (f"вопрос;ответ\n{RUSSIAN};3\n", "cp1251", "`вопрос`"),
        (f'{{"question": "{RUSSIAN}", "answer": "3"}}\n', "cp1251", "`Ани`"),
        (f"question,answer\n{RUSSIAN},3\n", "koi8-r", "encoding: cp1251"),
        (f"question,answer\n{GREEK},3\n", "cp1253", "encoding: cp1251"),
    ],
)
def test_eight_bits_of_other_letters_are_not_taken_for_latin_ones(
    text: str, encoding: str, word: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match="nor is it in Latin letters") as e:
        look(str(tmp_path / "a.csv"))
    assert word in str(e.value)


@pytest.mark.parametrize(
    "text",
    [
        "Où était-il l'été passé ? Léa a cinq pêches, Zoé en a déjà sept.",
        "Wie viele Äpfel hätte Jörg, wären fünf übrig? Größe und Übermaß.",
        "Hversu mörg epli á Þórður, ef Æsa á tvö? Það eru átján í öllu.",
        "Quantos pães há? João não comeu três maçãs, são só dez.",
    ],
)
def test_words_with_accents_are_latin(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(f"question\n{text}\n".encode("cp1252"))
    assert how_written(tmp_path / "a.csv").encoding == "cp1252"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252", "gb18030"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_a_file_reads_the_same_in_every_encoding_that_is_named(encoding: str, form: str, tmp_path: Path) -> None:
    text = {
        "csv": 'question,answer\n"Köln, 3 und 4?",7\n',
        "jsonl": '{"question": "Köln, 3 und 4?", "answer": "7"}\n',
        "json": '[{"question": "Köln, 3 und 4?", "answer": "7"}]',
    }[form]
    (tmp_path / f"x.{form}").write_bytes(text.encode(encoding))
    settings = SourceSettings(name="file", path=str(tmp_path / f"x.{form}"), options={"encoding": encoding})
    (found,) = file.read(settings)
    assert isinstance(found, Problem)
    assert (found.question, found.answer) == ("Köln, 3 und 4?", "7")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"encoding": "cp125"}, "`cp125` is no encoding; name one such as utf-8"),
        ({"encoding": "hex"}, "`hex` is no encoding"),
        ({"delimiter": ";;"}, "the delimiter `;;` is not one character"),
        ({"delimiter": "\n"}, "is not one character"),
        ({"delimeter": ";"}, "no key `delimeter`; did you mean `delimiter`?"),
    ],
)
def test_ways_of_writing_that_are_none(options: dict[str, str], says: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("question\n1 + 1?\n")
    with pytest.raises(DataError, match=says.replace("?", r"\?")):
        list(file.read(SourceSettings(name="file", path=str(tmp_path / "x.csv"), options=options)))


@pytest.mark.parametrize(
    ("solution", "end"),
    [
        ("3*4 = <<3*4=12>>12\n#### 12", "12"),
        ("so\nThe answer is: 1,200 dollars ", "1,200 dollars"),
        ("Thus the answer is: \\frac{1}{2}", "\\frac{1}{2}"),
        ("#### 3\nand more", None),
        ("nothing", None),
        ("####", None),
    ],
)
def test_ends_of_worked_answers(solution: str, end: str | None) -> None:
    assert file.end_of(solution) == end


def test_columns_of_our_names_that_mean_another_thing_are_left_alone(tmp_path: Path) -> None:
    rows = [
        {
            "question": f"A ferry takes {i} cars a trip. How many on 3 trips?",
            "answer": str(3 * i),
            "split": "B",
            "kind": "rates",
            "options": "none",
        }
        for i in range(4, 9)
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    seen = look(str(tmp_path / "x.jsonl"))
    assert seen.settings.columns == {"split": "", "kind": "", "options": ""}
    assert (seen.n, seen.bad) == (5, ())


@pytest.mark.parametrize(
    "named", ["задача,ответ,решение", "问题,答案,解答", "pregunta,respuesta,solución", "zadanie,odpowiedź,rozwiązanie"]
)
def test_columns_in_other_languages_are_known_by_their_names(named: str, tmp_path: Path) -> None:
    row = "Анна прошла 6 км утром и 20 км вечером. Сколько?,26,Утром было пройдено 6 и вечером ещё 20 км"
    (tmp_path / "own.csv").write_text(f"{named}\n{row}\n")
    question, answer, solution = named.split(",")
    found = look(str(tmp_path / "own.csv")).settings.columns
    assert found == {"question": question, "answer": answer, "solution": solution}


def csv_of(path: Path, head: str, *rows: str) -> str:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return str(path)


ASKED = [
    "Which of these metals is it?",
    "Which of them is the lightest?",
    "And which one is heavy?",
    "Which one floats?",
]
CHOICES = ["Na,Mg,K,Rb", "Li,Na,K,", "Pb,Al,Mg,Li", "Li,Pb,Au,Fe"]


@pytest.mark.parametrize(
    ("head", "answers", "taken"),
    [
        ("Question,A,B,C,D,Answer", "BACD", {"options": ("A", "B", "C", "D")}),
        ("Question,choice_a,choice_b,choice_c,choice_d,Key", "BACD", {"answer": "Key"}),
        ("Question,option1,option2,option3,option4,Answer", ["Mg", "Li", "Mg", "Fe"], {}),
        ("Question,A),B),C),D),correct", "bacd", {"answer": "correct"}),
        ("Question,opa,opb,opc,opd,cop", "0132", {"answer": "cop", "answers_from": 0}),
        ("Question,option 1,option 2,option 3,option 4,Answer", "1342", {"answers_from": 1}),
    ],
)
def test_a_family_of_columns_holds_the_choices(
    head: str, answers: Sequence[str], taken: dict[str, object], tmp_path: Path
) -> None:
    rows = [f"{q},{c},{a}" for q, c, a in zip(ASKED, CHOICES, answers, strict=True)]
    rows = [row.replace("K,,3", "K,,1") for row in rows]
    seen = look(csv_of(tmp_path / "own.csv", head, *rows))
    names = head.split(",")
    wanted = {"question": "Question", "answer": "Answer", "options": tuple(names[1:5]), **taken}
    assert seen.settings.options == ({"answers_from": wanted.pop("answers_from")} if "answers_from" in wanted else {})
    assert seen.settings.columns == wanted
    assert (seen.kinds, seen.bad) == ({"choice": 4}, ())


def test_numbers_of_a_problem_are_no_choices(tmp_path: Path) -> None:
    rows = [
        f"What is {a} x + {2 * a} y + {b} z - {b + 1}?,{a},{2 * a},{b},{b + 1},{9 * a + b}" for a, b in [(3, 4), (5, 1)]
    ]
    seen = look(csv_of(tmp_path / "own.csv", "question,a,b,c,d,answer", *rows, rows[0].replace("x", "u")))
    assert seen.settings.columns == {}
    assert seen.kinds == {"number": 3}


@pytest.mark.parametrize(
    ("rows", "counted"),
    [
        ([(["1", "2", "3", "4"], 4), (["2", "4", "8", "9"], 2)], "text"),
        ([(["Na", "Mg", "K"], 0), (["Li", "Na", "K"], 2)], 0),
        ([(["Na", "Mg", "K"], 3), (["Li", "Na", "K"], 1)], 1),
        ([(["Na", "Mg", "K"], "B"), (["Li", "Na", "K"], "C")], None),
    ],
)
def test_what_numbers_among_answers_are_is_found_out(
    rows: list[tuple[list[str], object]], counted: object, tmp_path: Path
) -> None:
    told = [{"question": f"Which of the {i} is it?", "choices": c, "answer": a} for i, (c, a) in enumerate(rows)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, told)))
    seen = look(str(tmp_path / "own.jsonl"))
    assert seen.settings.options.get("answers_from") == counted
    assert seen.bad == ()


def test_what_is_told_is_not_guessed(tmp_path: Path) -> None:
    rows = [f"{q},{c},{i},An elephant never forgets," for i, (q, c) in enumerate(zip(ASKED, CHOICES, strict=True))]
    path = csv_of(tmp_path / "own.csv", "Question,w,x,y,z,n,Answer,Explanation", *rows)
    told: dict[str, Theirs] = {"options": ("w", "x", "y", "z"), "answer": "", "level": "n"}
    seen = look(path, told)
    assert seen.settings.columns == {"question": "Question", **told}
    assert seen.kinds == {"none": 4}
    assert [p.options[:2] for p in seen.rows] == [("Na", "Mg"), ("Li", "Na"), ("Pb", "Al")]


def test_a_column_that_was_considered_and_left_says_why(tmp_path: Path) -> None:
    rows = [
        {
            "question": q,
            "answer": {"value": i},
            "Explanation": "Since it is so light." if i == 1 else "",
            "worked": "yes",
        }
        for i, q in enumerate(ASKED)
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    seen = look(str(tmp_path / "own.jsonl"))
    assert seen.left == {
        "answer": "holds no text, number or list of these",
        "Explanation": "mostly empty",
        "worked": "too short for solutions",
    }
    assert seen.settings.columns == {"answer": ""}  # a run would take it by its name
    assert seen.bad == ()


def test_a_column_called_solution_is_believed(tmp_path: Path) -> None:
    rows = [f"{q},{i},{'3 + 4 = 7' if i else ''}" for i, q in enumerate(ASKED)]
    seen = look(csv_of(tmp_path / "own.csv", "question,answer,solution", *rows))
    assert (seen.settings.columns, seen.left) == ({}, {})
    assert [p.solution for p in seen.rows] == [None, "3 + 4 = 7", "3 + 4 = 7"]


def test_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a/train.csv", "b/train.csv", "b/train.jsonl", "b/other.csv")]
    for i, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        row = {"question": f"How many are {i} and 3?", "answer": str(i + 3)}
        path.write_text(json.dumps(row) if path.suffix == ".jsonl" else "\n".join(map(",".join, [row, row.values()])))
    seen = look_all([*map(str, paths), str(paths[0])], {})
    assert [one.settings.title for one in seen] == ["a-train", "b-train", "b-train-2", "other"]


def test_a_hub_set_is_looked_at_by_its_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set" / "data").mkdir(parents=True)
    for split, n in (("train", 8), ("test", 3)):
        told = [
            {"prompt": f"A ferry takes {i + 5} cars a trip. How many on 3 trips?", "target": 3 * i + 15}
            for i in range(n)
        ]
        pq.write_table(pa.Table.from_pylist(told), tmp_path / "set" / "data" / f"{split}-00000-of-00001.parquet")
    seen = look_up(str(tmp_path / "set"))
    assert (seen.settings.name, seen.settings.options) == ("hub", {"dataset": str(tmp_path / "set")})
    assert seen.settings.columns == {"question": "prompt", "answer": "target"}
    assert (seen.splits, seen.kinds) == ({"train": 8, "test": 3}, {"number": 11})


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("gone.csv", "there is no file `gone.csv`"),
        ("blank.csv", "none of 2 rows is a problem; blank.csv:2"),
        ("numbers.csv", "looks like a question"),
        ("empty.csv", "holds no row"),
    ],
)
def test_what_is_no_set_of_problems_says_so(
    named: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("numbers.csv").write_text("a,b\n1,2\n3,4\n")
    Path("blank.csv").write_text('question,answer\n" ",4\n" ",5\n')
    Path("empty.csv").write_text("question,answer\n")
    with pytest.raises(DataError, match=says):
        look(named)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), form=st.sampled_from(["csv", "tsv", "json", "jsonl", "parquet"]))
def test_any_bytes_are_looked_at_or_refused(tmp_path: Path, content: bytes, form: str) -> None:
    path = tmp_path / f"x.{form}"
    path.write_bytes(content)
    with suppress(DataError):
        assert look(str(path)).columns
