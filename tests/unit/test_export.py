"""Exported lessons: the columns of the released set and ours, forms other tools open, and a card that counts."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from orcamath.errors import UsageError
from orcamath.export.card import card, plain_cell
from orcamath.export.lessons import LESSON_COLUMNS, chat_row, hub_row
from orcamath.export.places import MARK
from orcamath.export.terms import terms_of
from orcamath.export.whole import Exported, export_table
from orcamath.records import Lesson, Problem, Rejected
from orcamath.stages.start_from import StartSettings, verdicts_from
from orcamath.store.artifacts import Artifact, Output
from scripted import Bench

NASTY = 'A "quoted", {braced} | piped <b>bold</b> [link](http://x)\nsecond line, ½ of 3 × 4 = ?'


def lesson(i: int, **fields: Any) -> Lesson:
    made = {"origin": "seed", "source": "gsm8k", "licence": "MIT", "answer": "4", "answer_from": "gold"} | fields
    problem = Problem.make(made.pop("question", f"What is {i} + 1?"), made.pop("origin"), made.pop("source"), **made)
    return Lesson.make(problem, f"{i} + 1 = {i + 1}\n#### {i + 1}", str(i + 1), "teacher-1", verified="gold")


LESSONS = [
    *(lesson(i) for i in range(3)),
    lesson(9, question=NASTY, source="asdiv", licence="CC BY-NC 4.0 (x)"),
    lesson(10, origin="ask_me_anything", parents=("a" * 32, "b" * 32), round=1, target="9", source="own", licence=""),
]


@pytest.fixture
def taught(tmp_path: Path) -> Artifact:
    def make(out: Output) -> None:
        out.balance.asked, out.balance.parsed, out.balance.failed = 8, 7, 1
        out.failed_calls["truncated"] = 1
        out.keep(5)
        out.reject(Rejected(item="x", reason="no_final_answer"))
        out.reject(Rejected(item="y", reason="no_final_answer"))
        out.write("lessons", LESSONS)

    return Bench(tmp_path / "bench").run(make)


def export(taught: Artifact, target: Path, form: str = "jsonl", **how: Any) -> Exported:
    return export_table({"teach": taught}, "lessons", form, target, **how)


def test_json_lines_have_the_released_columns_first_and_ours_after(taught: Artifact, tmp_path: Path) -> None:
    made = export(taught, tmp_path / "out" / "lessons.jsonl")
    rows = [json.loads(line) for line in made.path.read_text("utf-8").splitlines()]
    assert made.n == len(rows) == 5
    assert all(list(r) == list(LESSON_COLUMNS) for r in rows)
    assert list(LESSON_COLUMNS)[:2] == ["question", "answer"]
    assert rows[3]["question"] == NASTY
    assert (
        rows[0] | {"question": "What is 0 + 1?", "final_answer": "1", "verified": "gold", "teacher": "teacher-1"}
        == rows[0]
    )
    assert (rows[4]["parents"], rows[4]["round"], rows[4]["target"]) == (["a" * 32, "b" * 32], 1, "9")
    assert len({r["id"] for r in rows}) == 5


@pytest.mark.parametrize(
    ("what", "form", "file"),
    [
        ("lessons", "jsonl", "out.jsonl"),
        ("lessons", "parquet", "out.parquet"),
        ("lessons", "hub", "out"),
        ("problems", "jsonl", "out.jsonl"),
        ("preferences", "dpo", "out.jsonl"),
        ("attempts", "jsonl", "out.jsonl"),
    ],
)
def test_where_there_is_no_row_nothing_is_written_and_that_is_said(
    tmp_path: Path, what: str, form: str, file: str
) -> None:
    bench = Bench(tmp_path / "bench")
    stages = {
        "collect": bench.table([]),
        "teach": bench.table([], "lessons"),
        "practice 2": bench.tables(exercises=[], attempts=[]),
        "judge 2": bench.table([], "verdicts"),
        "preferences 2": bench.table([], "preferences"),
    }
    with pytest.raises(UsageError, match=rf"no {what} of this run .* as `{form}`.*orcamath status"):
        export_table(stages, what, form, tmp_path / file)
    assert [p.name for p in tmp_path.iterdir()] == ["bench"]


def test_lessons_are_what_the_student_of_the_round_learned_from(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "bench")

    def holding(*lessons: Lesson) -> Artifact:
        return bench.run(lambda out: out.write("lessons", lessons) and None)

    stages = {"teach": holding(*LESSONS[:4]), "review": holding(*LESSONS[:3])}

    def exported(number: int | None) -> int:
        return export_table(stages, "lessons", "jsonl", tmp_path / "l.jsonl", number=number, replace=True).n

    assert exported(None) == 3  # what was marked bad is left out, gated or not
    stages["gate"] = holding(*LESSONS[:2])
    stages |= {"gate 3": holding(*LESSONS), "gate 12": holding(LESSONS[0])}
    assert [exported(n) for n in (1, 2, 3, 4, 12, None)] == [2, 2, 5, 5, 1, 1]
    with pytest.raises(UsageError, match=r"there is no round 13; this run .or arm. has come to round 12"):
        exported(13)


def test_problems_are_those_of_every_round_of_growing_each_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "bench")
    some = [Problem.make(f"What is {i} + 1?", "seed", "own") for i in range(6)]

    def asked(stages: dict[str, Artifact], number: int | None = None) -> list[str]:
        made = export_table(stages, "problems", "jsonl", tmp_path / "p.jsonl", number=number, replace=True)
        return [json.loads(line)["id"] for line in made.path.read_text("utf-8").splitlines()]

    later = {"collect 3": bench.table([some[0], *some[3:5]]), "collect 12": bench.table(some[4:])}
    stages = {"seeds": bench.table(some[:1]), "collect": bench.table(some[:3]), **later}
    assert asked(stages) == [p.id for p in some]
    assert [len(asked(stages, n)) for n in (1, 2, 3, 11, 12)] == [3, 3, 5, 5, 6]
    assert asked({"problems": bench.table(some[:2]), **later}) == [some[i].id for i in (0, 1, 3, 4, 5)]
    assert asked({"lessons": bench.table([], "lessons"), **later}) == [some[i].id for i in (0, 3, 4, 5)]


def test_attempts_of_a_run_that_began_with_verdicts(tmp_path: Path) -> None:
    file = tmp_path / "judged.jsonl"
    rows = [("1 + 1?", "2", True), ("1 + 1?", "3", False), ("2 + 2?", "five or four", None)]
    file.write_text("".join(json.dumps({"question": q, "response": r, "label": x}) + "\n" for q, r, x in rows))
    settings = StartSettings(stage="verdicts", path=str(file))
    own = {"verdicts": Bench(tmp_path / "bench").run(lambda out: verdicts_from(out, settings) and None)}
    for number in (None, 2):
        made = export_table(own, "attempts", "jsonl", tmp_path / "a.jsonl", number=number, replace=True)
        found = [json.loads(line) for line in made.path.read_text("utf-8").splitlines()]
        assert [(r["question"], r["response"], r["outcome"]) for r in found] == [
            ("1 + 1?", "2", "agrees"),
            ("1 + 1?", "3", "disagrees"),
            ("2 + 2?", "five or four", "unjudged"),
        ]
    with pytest.raises(UsageError, match="no round 3 of `judge`; known: 2"):
        export_table(own, "attempts", "jsonl", tmp_path / "b.jsonl", number=3)
    with pytest.raises(UsageError, match=r"no lessons yet, but attempts \(`verdicts`\), verdicts \(`verdicts`\);"):
        export_table(own, "lessons", "jsonl", tmp_path / "b.jsonl")


def test_choices_come_along_and_part_rows_of_one_question(tmp_path: Path) -> None:
    file = tmp_path / "judged.jsonl"
    rows = [(["7", "8"], "#### A", True), (["9", "11"], "#### B", True), (["7", "8"], "#### B", False)]
    said = [{"question": "Which is prime?", "options": o, "response": r, "label": x} for o, r, x in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in said))
    settings = StartSettings(stage="verdicts", path=str(file))
    own = {"verdicts": Bench(tmp_path / "bench").run(lambda out: verdicts_from(out, settings) and None)}
    made = export_table(own, "attempts", "jsonl", tmp_path / "a.jsonl")
    found = [json.loads(line) for line in made.path.read_text("utf-8").splitlines()]
    assert [(r["options"], r["response"], r["outcome"]) for r in found] == [
        (["7", "8"], "#### A", "agrees"),
        (["7", "8"], "#### B", "disagrees"),
        (["9", "11"], "#### B", "agrees"),
    ]
    assert len({r["problem_id"] for r in found}) == 2


def test_who_asks_for_what_a_run_lacks_is_told_what_it_has(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "bench")
    stages = {"benchmarks": bench.table([], "problems"), "gate": bench.tables(problems=[], lessons=LESSONS)}
    stages |= {"online 2": bench.table([], "rollouts")}
    others = r"lessons \(`gate`\), rollouts \(`online 2`\)"
    both = rf"problems \(`gate`\), {others}"
    for what, lacks, has in (
        ("attempts", "stage `judge`", both),
        ("preferences", "stage `preferences`", both),
        ("problems", "problems", others),
    ):
        with pytest.raises(UsageError, match=rf"no {lacks} yet, but {has}; `orcamath status`"):
            export_table(stages, what, None, tmp_path / "x.jsonl")
    with pytest.raises(UsageError, match="no problems yet; `orcamath status`"):
        export_table({"benchmarks": stages["benchmarks"]}, "problems", None, tmp_path / "x.jsonl")
    assert [p.name for p in tmp_path.iterdir()] == ["bench"]


def test_chat_messages_and_turns(taught: Artifact, tmp_path: Path) -> None:
    assert chat_row(LESSONS[0], "Be brief.")["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 0 + 1?"},
        {"role": "assistant", "content": "0 + 1 = 1\n#### 1"},
    ]
    chat = json.loads(export(taught, tmp_path / "chat.jsonl", "chat").path.read_text("utf-8").splitlines()[0])
    sft = json.loads(export(taught, tmp_path / "sft.jsonl", "sft").path.read_text("utf-8").splitlines()[0])
    assert sft["prompt"] + sft["completion"] == chat["messages"] == chat_row(LESSONS[0])["messages"]


def test_a_target_that_ends_in_parquet_is_parquet(taught: Artifact, tmp_path: Path) -> None:
    for form in ("parquet", "sft", "chat"):
        table = pq.read_table(export(taught, tmp_path / f"{form}.parquet", form).path)
        assert table.num_rows == 5
    with pytest.raises(UsageError, match=r"does not end in \.parquet"):
        export(taught, tmp_path / "x.jsonl", "parquet")


def test_the_hub_folder_opens_with_datasets(taught: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    made = export(taught, tmp_path / "hub", "hub", history=[taught], title="Mine")
    loaded = datasets.load_dataset(os.fspath(made.path), cache_dir=os.fspath(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert loaded["train"].column_names == [*LESSON_COLUMNS, "prompt", "completion"]
    assert loaded["train"].num_rows == 5
    assert loaded["train"][3]["question"] == NASTY
    assert loaded["train"][4]["parents"] == ["a" * 32, "b" * 32]
    messages = export(taught, tmp_path / "chat.jsonl", "chat").path
    chat = datasets.load_dataset("json", data_files=os.fspath(messages), cache_dir=os.fspath(tmp_path / "cache"))
    assert [m["role"] for m in chat["train"][0]["messages"]] == ["user", "assistant"]


def test_the_card_lists_licences_with_counts_the_teachers_terms_and_what_was_thrown_away(
    taught: Artifact, tmp_path: Path
) -> None:
    text = (
        export(taught, tmp_path / "hub", "hub", history=[taught], title="Mine: a {set}").path / "README.md"
    ).read_text("utf-8")
    assert "| gsm8k | MIT | 3 |" in text
    assert "| asdiv | CC BY-NC 4.0 (x) | 1 |" in text
    assert "| own | not stated | 1 |" in text
    assert "1 rows come from sources that allow no commercial use" in text
    assert "1 rows come from sources that state no licence" in text
    assert "| teacher-1 | 5 | not known here |" in text
    assert "provider's terms" in text
    assert "| seed | 4 |" in text
    assert "| ask\\_me\\_anything | 1 |" in text
    assert "| 8 | 1 | 7 | 5 | no\\_final\\_answer 2, truncated 1 |" in text


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        ("gpt-4-turbo-2024-04-09", "OpenAI's terms of use"),
        ("o4-mini", "OpenAI's terms of use"),
        ("openai/gpt-oss-120b", "Apache 2.0, by OpenAI"),
        ("gpt-oss:20b", "Apache 2.0, by OpenAI"),
        ("EleutherAI/gpt-j-6b", "by EleutherAI"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "the licence of the Llama or Qwen"),
        ("meta-llama/Llama-2-70b-chat-hf", "before 3.1): output may not be used"),
        ("meta-llama/Meta-Llama-3-8B", "before 3.1): output may not be used"),
        ("my-llama", "which the name does not tell"),
        ("meta-llama/Llama-3.1-70B-Instruct@abc", "begin its name with “Llama”"),
        ("meta-llama/Llama-2-7b-chat", "may not be used to improve other"),
        ("Qwen/Qwen2.5-7B-Instruct", "Improved using Qwen"),
        ("claude-sonnet-4", "Anthropic's"),
        ("google/gemma-2-9b-it", "Gemma terms of use"),
    ],
)
def test_a_teachers_terms_are_named(teacher: str, words: str) -> None:
    found = terms_of(teacher)
    assert found is not None
    assert words in found.said
    assert f"| {plain_cell(teacher)} | 3 | " in card("t", 3, {"teacher": {teacher: 3}}, [])


@pytest.mark.parametrize(
    "teacher", ["textbook of the classroom", "my-own-7b", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "solo9"]
)
def test_of_a_teacher_without_a_known_name_nothing_is_claimed(teacher: str) -> None:
    assert terms_of(teacher) is None


def test_the_language_on_the_card_is_the_one_found() -> None:
    def header(**languages: int) -> str:
        return card("t", sum(languages.values()), {"language": languages}, []).split("\n---\n")[0]

    assert "language: [de, en]" in header(en=40, de=60)
    assert "language: [de]" in header(en=1, de=999)
    assert "language:" not in header(**{"": 5})


def test_the_cards_header_is_yaml_whatever_the_title(taught: Artifact, tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    title = 'A "title": with\n--- lines\n# and {braces} \x1b[31m'
    text = (export(taught, tmp_path / "hub", "hub", title=title).path / "README.md").read_text("utf-8")
    header = YAML(typ="safe").load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert header["pretty_name"].startswith('A "title": with\n--- lines')
    assert header["license"] == "other"
    assert header["configs"] == [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}]
    assert "\x1b" not in text


def test_a_cell_shows_markup_and_controls_as_text() -> None:
    assert plain_cell("a|b\n<i>*x*</i>\x1b[31m") == "a\\|b \\<i\\>\\*x\\*\\</i\\>⟨U+001B⟩\\[31m"


def test_the_same_lessons_make_the_same_bytes(taught: Artifact, tmp_path: Path) -> None:
    one, other = (export(taught, tmp_path / n, "hub", history=[taught]).path for n in ("one", "other"))
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == [Path(MARK), Path("README.md"), Path("data/train-00000-of-00001.parquet")]
    assert all((one / f).read_bytes() == (other / f).read_bytes() for f in files)


def test_nothing_is_overwritten_unasked_and_a_wrong_form_offers_the_nearest(taught: Artifact, tmp_path: Path) -> None:
    target = tmp_path / "lessons.jsonl"
    target.write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        export(taught, target)
    with pytest.raises(UsageError, match="no export made it"):
        export(taught, target, replace=True)
    assert target.read_text() == "precious"
    target.unlink()
    assert export(taught, target).n == export(taught, target, replace=True).n == 5
    with pytest.raises(UsageError, match="did you mean `jsonl`"):
        export(taught, tmp_path / "x", "json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bench", "lessons.jsonl"]


def test_only_a_folder_that_an_export_made_is_replaced(taught: Artifact, tmp_path: Path) -> None:
    theirs = tmp_path / "thesis"
    theirs.mkdir()
    (theirs / "chapter.txt").write_text("precious")
    with pytest.raises(UsageError, match="no export made"):
        export(taught, theirs, "hub", replace=True)
    assert (theirs / "chapter.txt").read_text() == "precious"
    ours = export(taught, tmp_path / "hub", "hub").path
    assert export(taught, ours, "hub", replace=True).n == 5
    with pytest.raises(UsageError, match="is a folder"):
        export(taught, ours, "jsonl", replace=True)


def test_a_run_without_lessons_cannot_export_them(tmp_path: Path) -> None:
    problems = Bench(tmp_path).table([Problem.make("1+1?", "seed", "x")])
    with pytest.raises(UsageError, match="no lessons yet"):
        export(problems, tmp_path / "x.jsonl")
    assert not (tmp_path / "x.jsonl").exists()


def test_a_hub_row_says_the_lesson_twice() -> None:
    row = hub_row(LESSONS[0])
    assert (row["question"], row["answer"]) == (row["prompt"][0]["content"], row["completion"][0]["content"])
