"""Seeds and benchmarks read out of sources: bad lines, test splits, limits, clusters across sources, own files."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orcamath.errors import DataError
from orcamath.families import find
from orcamath.records import Problem, Rejected
from orcamath.sources.choosing import BenchmarksSettings, SeedsSettings, contents_of, together
from orcamath.sources.source import Found, Reader, SourceSettings, Unsplit
from orcamath.stages.benchmarks import benchmarks
from orcamath.stages.seeds import gather
from orcamath.store.artifacts import Artifact
from scripted import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench")


def lines(path: Path, *rows: dict[str, Any] | str) -> str:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n", encoding="utf-8")
    return str(path)


def readers(settings: SeedsSettings | BenchmarksSettings) -> Mapping[str, Reader]:
    return {s.name: find("source", s.name).read for s in settings.named}


def seeds(bench: Bench, settings: SeedsSettings, own: Mapping[str, Reader] | None = None) -> Artifact:
    return bench.run(lambda out: gather(out, settings, own or readers(settings)))


def measured(bench: Bench, settings: BenchmarksSettings, own: Mapping[str, Reader] | None = None) -> Artifact:
    return bench.run(lambda out: benchmarks(out, settings, own or readers(settings)))


def problems(artifact: Artifact) -> list[Problem]:
    return list(artifact.read(Problem))


def one(**settings: Any) -> tuple[SourceSettings, ...]:
    return (SourceSettings(**{"name": "file", **settings}),)


# bad lines


BROKEN = [
    ('{"question": "2+2?"', "is not JSON"),
    ("[1, 2]", "no object"),
    ('{"answer": "4"}', "no column `question`"),
    ('{"question": "   ", "answer": "4"}', "question is missing"),
    ('{"question": "2+2?", "answer": "4", "split": "holdout"}', "none of train, dev, test"),
    ('{"question": "2+2?", "answer": "4", "kind": "numbr"}', "did you mean `number`"),
    ('{"question": "2+2?", "answer": "4", "options": "a, b"}', "no list"),
]


@pytest.mark.parametrize(("line", "says"), BROKEN)
def test_a_bad_line_stops_the_run_and_names_file_line_and_way_out(
    bench: Bench, tmp_path: Path, line: str, says: str
) -> None:
    path = lines(tmp_path / "own.jsonl", {"question": "1+1?", "answer": "2"}, line)
    with pytest.raises(DataError) as raised:
        seeds(bench, SeedsSettings(sources=one(path=path)))
    message = str(raised.value)
    assert "own.jsonl:2" in message
    assert path in message
    assert says in message
    assert "on_bad_line: skip" in message


def test_skipped_lines_are_counted_and_kept_for_reading(bench: Bench, tmp_path: Path) -> None:
    path = lines(tmp_path / "own.jsonl", *(line for line, _ in BROKEN), {"question": "1+1?", "answer": "2"})
    made = seeds(bench, SeedsSettings(sources=one(path=path, on_bad_line="skip")))
    assert [p.question for p in problems(made)] == ["1+1?"]
    assert made.balance["results"] == len(BROKEN) + 1
    assert made.balance["kept"] == 1
    assert sum(made.balance["rejected"].values()) == len(BROKEN)
    rejected = list(made.read(Rejected))
    assert [r.item for r in rejected] == [f"own.jsonl:{i}" for i in range(1, len(BROKEN) + 1)]
    assert all(r.detail for r in rejected)


def test_a_csv_line_with_a_comma_too_many_is_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text('question,answer\n"1+1, is?",2\n1+1, is?,2\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"own\.csv:3"):
        seeds(bench, SeedsSettings(sources=one(path=str(tmp_path / "own.csv"))))


def test_latin_1_gzip_garbage_and_strange_endings_each_say_what_to_do(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("question\ncafé?\n".encode("latin-1"))
    (tmp_path / "torn.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00torn")
    (tmp_path / "book.docx").write_bytes(b"PK")
    (tmp_path / "list.json").write_text('[{"question": "1+1?"},\n {"question": }]')
    (tmp_path / "bad.parquet").write_bytes(b"PAR0")
    for name, says in {
        "latin.csv": "not UTF-8",
        "torn.jsonl.gz": "fetch it again",
        "book.docx": "convert it",
        "list.json": "line 2",
        "bad.parquet": "no Parquet file",
    }.items():
        with pytest.raises(DataError, match=says) as raised:
            seeds(bench, SeedsSettings(sources=one(path=str(tmp_path / name))))
        assert name in str(raised.value)


# columns and forms


def test_columns_are_mapped_and_a_wrong_name_offers_the_nearest(bench: Bench, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "own.jsonl", {"prompt": "Which is larger?", "gold": "b", "choices": ["3", "4"], "lic": "CC0"}
    )
    columns = {"question": "prompt", "answer": "gold", "options": "choices", "licence": "lic"}
    (p,) = problems(seeds(bench, SeedsSettings(sources=one(path=path, columns=columns, called="school"))))
    assert (p.question, p.answer, p.options, p.answer_kind) == ("Which is larger?", "b", ("3", "4"), "choice")
    assert (p.source, p.licence) == ("school", "CC0")
    with pytest.raises(DataError, match="did you mean `question`"):
        seeds(bench, SeedsSettings(sources=one(path=path, columns={"qestion": "prompt"})))
    with pytest.raises(DataError, match=r"no column `question`.*`prompt`"):
        seeds(bench, SeedsSettings(sources=one(path=path)))


def test_every_form_gives_the_same_problems(bench: Bench, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"question": 'Say "hi, {x}" 2 times?', "answer": "2"}, {"question": "Zwölf\nZeilen?", "answer": "12"}]
    lines(tmp_path / "a.jsonl", *rows)
    (tmp_path / "b.json").write_text(json.dumps({"data": rows}))
    (tmp_path / "c.csv").write_text('question,answer\n"Say ""hi, {x}"" 2 times?",2\n"Zwölf\nZeilen?",12\n', "utf-8")
    (tmp_path / "d.tsv").write_text('answer\tquestion\n2\t"Say ""hi, {x}"" 2 times?"\n12\t"Zwölf\nZeilen?"\n', "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "e.parquet")
    made = [
        problems(seeds(bench, SeedsSettings(sources=one(path=str(tmp_path / n), options=options))))
        for n, options in (
            ("a.jsonl", {}),
            ("b.json", {}),
            ("c.csv", {}),
            ("d.tsv", {"quotes": True}),
            ("e.parquet", {}),
        )
    ]
    assert [p.question for p in made[0]] == [r["question"] for r in rows]
    assert all(m == made[0] for m in made)


def test_where_a_file_lies_is_no_part_of_what_it_makes(bench: Bench, tmp_path: Path) -> None:
    one_place, other = tmp_path / "a", tmp_path / "b"
    for folder in (one_place, other):
        folder.mkdir()
        lines(folder / "own.jsonl", {"question": "1+1?", "answer": "2"}, "broken")
    made = [SeedsSettings(sources=one(path=str(f / "own.jsonl"), on_bad_line="skip")) for f in (one_place, other)]
    assert made[0].identity() == made[1].identity()
    assert contents_of(made[0].named) == contents_of(made[1].named)
    a, b = (seeds(bench, m) for m in made)
    for table in ("problems.parquet", "rejected.parquet"):
        assert (a.path / table).read_bytes() == (b.path / table).read_bytes()
    lines(other / "own.jsonl", {"question": "1+2?", "answer": "3"})
    assert contents_of(made[0].named) != contents_of(made[1].named)


# splits, limits, licences


def test_test_problems_are_no_seeds_unless_named(bench: Bench, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "own.jsonl",
        {"question": "1+1?", "answer": "2", "split": "train"},
        {"question": "1+2?", "answer": "3", "split": "validation"},
        {"question": "1+3?", "answer": "4", "split": "test"},
    )
    made = seeds(bench, SeedsSettings(sources=one(path=path)))
    assert [p.split for p in problems(made)] == ["train", "dev"]
    assert made.facts["read"] == {"file": {"dev": 1, "test": 1, "train": 1}}
    with pytest.raises(DataError, match=r"its confirm split.*allow_test: \[file\]"):
        seeds(bench, SeedsSettings(sources=one(path=path, split="confirm")))
    with pytest.raises(DataError, match=r"allow_test: \[file\]"):
        seeds(bench, SeedsSettings(sources=one(path=path, split="test")))
    named = seeds(bench, SeedsSettings(sources=one(path=path, split="test"), allow_test=("file",)))
    assert [p.question for p in problems(named)] == ["1+3?"]
    assert [p.question for p in problems(measured(bench, BenchmarksSettings(sources=one(path=path))))] == ["1+3?"]


def test_a_source_with_nothing_of_the_wanted_split_says_what_it_has(bench: Bench, tmp_path: Path) -> None:
    path = lines(tmp_path / "own.jsonl", {"question": "1+1?", "answer": "2"})
    with pytest.raises(DataError, match=r"`file`.*1 of split `train` in `file`.*`split:`"):
        measured(bench, BenchmarksSettings(sources=one(path=path)))
    with pytest.raises(DataError, match="no source is named"):
        seeds(bench, SeedsSettings())


def test_benchmarks_need_gold(bench: Bench, tmp_path: Path) -> None:
    path = lines(tmp_path / "own.jsonl", {"question": "Why?"}, {"question": "1+1?", "answer": "2"})
    made = measured(bench, BenchmarksSettings(sources=one(path=path, split="test")))
    assert [p.question for p in problems(made)] == ["1+1?"]
    assert made.balance["rejected"] == {"no_gold": 1}


def test_limits_take_the_first_in_file_order_and_of_every_source_in_turn(bench: Bench, tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines(tmp_path / f"{name}.jsonl", *({"question": f"{name} {i} + 1?", "answer": str(i + 1)} for i in range(9)))
    sources = tuple(
        SourceSettings(name="file", path=str(tmp_path / f"{n}.jsonl"), called=n, limit=limit)
        for n, limit in (("a", 2), ("b", None))
    )
    assert [p.question[:3] for p in problems(seeds(bench, SeedsSettings(sources=sources, limit=6)))] == [
        "a 0",
        "b 0",
        "a 1",
        "b 1",
        "b 2",
        "b 3",
    ]
    made = seeds(bench, SeedsSettings(sources=sources))
    assert made.facts["by_source"] == {"a": 2, "b": 9}


def test_a_limit_of_benchmarks_is_of_each_whatever_source_it_is_of(bench: Bench, tmp_path: Path) -> None:
    rows = [{"question": f"{s} {i} + 1?", "answer": str(i + 1), "source": s} for s in ("a", "b") for i in range(9)]
    mixed = lines(tmp_path / "mixed.jsonl", *rows, {"question": "b 10 + 1?", "source": "b"})
    more = lines(tmp_path / "more.jsonl", {"question": "b 11 + 1?", "answer": "12", "source": "b"})
    sources = one(path=mixed, split="test", called="mixed") + one(path=more, split="test", called="more")
    made = measured(bench, BenchmarksSettings(sources=sources, limit=3))
    assert [p.question[:3] for p in problems(made)] == ["a 0", "a 1", "a 2", "b 0", "b 1", "b 2"]
    assert made.facts["by_source"] == {"a": 3, "b": 3}
    assert made.balance["rejected"] == {}
    narrow = one(path=mixed, split="test", limit=4)
    assert made.facts["read"] == {"a": {"test": 9}, "b": {"test": 11}}
    assert [p.source for p in problems(measured(bench, BenchmarksSettings(sources=narrow, limit=3)))] == [*"aaab"]


def test_two_sources_of_one_title_are_refused_unless_they_are_called_so_or_are_two_splits(tmp_path: Path) -> None:
    one_set = {"name": "gsm8k"}
    for second in (one_set, {"name": "file", "path": "x.jsonl", "called": "gsm8k"}, {"name": "my/gsm8k.py"}):
        with pytest.raises(ValidationError, match=r"two sources are `gsm8k`.*say `called: NAME`"):
            BenchmarksSettings.model_validate({"sources": [one_set, second]})
    for first, second in (
        ({"split": "train"}, {"split": "dev"}),
        ({"path": "a", "called": "dev"}, {"path": "b", "called": "dev"}),
        ({}, {"called": "other"}),
    ):
        assert len(SeedsSettings.model_validate({"sources": [one_set | first, one_set | second]}).sources) == 2


def test_an_empty_source_is_told_beside_another_of_its_title(bench: Bench, tmp_path: Path) -> None:
    row = {"question": "1+1?", "answer": "2"}
    full, empty = lines(tmp_path / "a.jsonl", row), lines(tmp_path / "b.jsonl", row | {"split": "train"})
    both = one(path=full, called="own", split="test") + one(path=empty, called="own", split="test")
    with pytest.raises(DataError, match="benchmarks: nothing to take from `own`"):
        measured(bench, BenchmarksSettings(sources=both))
    with pytest.raises(DataError, match="seeds: nothing to take from `own`"):
        seeds(bench, SeedsSettings(sources=both, allow_test=("own",)))


def test_the_same_row_twice_is_kept_once_and_points_to_itself(bench: Bench, tmp_path: Path) -> None:
    row = {"question": "1+1?", "answer": "2"}
    made = seeds(bench, SeedsSettings(sources=one(path=lines(tmp_path / "own.jsonl", row, row))))
    (p,) = problems(made)
    (r,) = made.read(Rejected)
    assert (r.reason, r.repeats) == ("same_row", p.id)
    assert made.balance["results"] == 2


def test_licences_are_counted_by_source_and_can_be_overridden(bench: Bench, tmp_path: Path) -> None:
    path = lines(tmp_path / "own.jsonl", {"question": "1+1?", "licence": "CC0"}, {"question": "1+2?"})
    made = seeds(bench, SeedsSettings(sources=one(path=path)))
    assert made.facts["licences"] == {"file": {"CC0": 1, "not stated": 1}}
    made = seeds(bench, SeedsSettings(sources=one(path=path, licence="MIT")))
    assert made.facts["licences"] == {"file": {"MIT": 2}}


# clusters across sources


STORY = (
    "Ann has {} red apples and buys {} more apples at the market near her house. How many apples does Ann have in all?"
)


def made_of(*texts: str, split: str | None = None, source: str = "a") -> Callable[[SourceSettings], Iterator[Found]]:
    def read(settings: SourceSettings) -> Iterator[Found]:
        for text in texts:
            p = Problem.make(text, "seed", source, answer="1", licence="CC0", split=split or "train")
            yield p if split else Unsplit(p)

    return read


def other_texts(n: int) -> list[str]:
    """Texts that share no two words in a row."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [" ".join(letters[i % 26] + letters[i // 26] + c for c in "bdfhklm") + f" {i}?" for i in range(n)]


def test_a_drawn_split_is_the_same_in_seeds_and_benchmarks_and_never_straddles(bench: Bench) -> None:
    texts = other_texts(60)
    own = {"a": made_of(*texts), "b": made_of(*texts[::2], source="b")}
    s, t = together(
        SeedsSettings(sources=(SourceSettings(name="a"),)), BenchmarksSettings(sources=(SourceSettings(name="b"),)), own
    )
    train, test = problems(seeds(bench, s, own)), problems(measured(bench, t, own))
    assert train
    assert test
    assert not {p.cluster for p in train} & {p.cluster for p in test}
    assert not {p.question for p in train} & {p.question for p in test}


def test_shares_move_problems_between_drawn_splits_and_the_seeds_count_for_the_benchmarks(bench: Bench) -> None:
    own = {"a": made_of(*other_texts(200))}
    source = (SourceSettings(name="a"),)

    def parts(**shares: int) -> tuple[set[str], set[str]]:
        grown = SeedsSettings(sources=source, splits=("train",), shares=shares)
        s, t = together(grown, BenchmarksSettings(sources=source), own)
        train, test = problems(seeds(bench, s, own)), problems(measured(bench, t, own))
        return {p.question for p in train}, {p.question for p in test}

    usual, larger = parts(), parts(test=50, dev=0)
    assert 20 < len(usual[1]) < 60 < 80 < len(larger[1]) < 120
    assert usual[1] < larger[1]  # who was held out still is
    assert (len(larger[0]) + len(larger[1]), larger[0] & larger[1]) == (200, set())


def test_one_folder_serves_every_source_that_names_no_place_of_its_own(tmp_path: Path) -> None:
    listed = [{"name": "svamp"}, {"name": "asdiv", "path": "elsewhere"}, {"name": "classroom"}, "gsm8k"]
    settings = SeedsSettings.model_validate({"sources": listed, "path": "data"})
    assert [s.path for s in settings.sources] == ["data", "elsewhere", None, "data"]
    assert "path" not in settings.identity()


def test_near_texts_are_one_cluster_whatever_their_numbers_and_follow_an_official_test_problem(bench: Bench) -> None:
    own = {
        "a": made_of(STORY.format(3, 4), *other_texts(5)),
        "b": made_of(STORY.format(70, 4), split="test", source="b"),
    }
    s, t = together(
        SeedsSettings(sources=(SourceSettings(name="a"),)), BenchmarksSettings(sources=(SourceSettings(name="b"),)), own
    )
    assert STORY.format(3, 4) not in [p.question for p in problems(seeds(bench, s, own))]
    (gold,) = problems(measured(bench, t, own))
    allowed = s.model_copy(update={"allow_test": ("a",)})
    (twin,) = [p for p in problems(seeds(bench, allowed, own)) if p.question == STORY.format(3, 4)]
    assert (twin.split, twin.cluster) == ("test", gold.cluster)


def test_clusters_do_not_depend_on_the_order_of_sources(bench: Bench) -> None:
    own = {"a": made_of(*other_texts(30)), "b": made_of(*(STORY.format(i, 4) for i in range(5)), source="b")}
    sources = (SourceSettings(name="a"), SourceSettings(name="b"))
    both = [
        {p.question: (p.cluster, p.split) for p in problems(seeds(bench, SeedsSettings(sources=o), own))}
        for o in (sources, sources[::-1])
    ]
    assert both[0] == both[1]


def test_the_overlap_matrix_counts_texts_and_near_texts(bench: Bench) -> None:
    own = {
        "a": made_of(STORY.format(3, 4), "How many legs have 3 dogs and 4 cats together?"),
        "b": made_of(STORY.format(3, 4).upper().replace(".", " ."), STORY.format(9, 9), source="b", split="train"),
    }
    made = seeds(bench, SeedsSettings(sources=(SourceSettings(name="a"), SourceSettings(name="b"))), own)
    assert made.facts["overlap"] == {
        "texts": {"a": 2, "b/train": 2},
        "same_text": {"a ∩ b/train": 1},
        "near": {"a ∩ b/train": 1},
    }


def test_exact_clusters_read_a_source_once(bench: Bench) -> None:
    n = 0

    def read(settings: SourceSettings) -> Iterator[Found]:
        nonlocal n
        n += 1
        yield from made_of(STORY.format(3, 4), STORY.format(5, 4), split="train")(settings)

    made = seeds(bench, SeedsSettings(sources=(SourceSettings(name="a"),), clusters="exact"), {"a": read})
    assert n == 1
    assert len({p.cluster for p in problems(made)}) == 2


def test_a_source_that_changes_while_it_is_read_is_noticed(bench: Bench) -> None:
    n = 0

    def read(settings: SourceSettings) -> Iterator[Found]:
        nonlocal n
        n += 1
        yield from made_of(STORY.format(n, 4), split="train")(settings)

    with pytest.raises(DataError, match="changed while it was being read"):
        seeds(bench, SeedsSettings(sources=(SourceSettings(name="a"),)), {"a": read})


def test_the_classroom_is_read_as_a_stream_and_left_out_of_near_duplicates(bench: Bench) -> None:
    s, t = together(
        SeedsSettings(sources=(SourceSettings(name="classroom", options={"n": 30}),), limit=7),
        BenchmarksSettings(sources=(SourceSettings(name="classroom", options={"n": 30}, limit=5),)),
        {"classroom": find("source", "classroom").read},
    )
    train, test = problems(seeds(bench, s)), problems(measured(bench, t))
    assert (len(train), {p.split for p in train}) == (7, {"train"})
    assert (len(test), {p.split for p in test}) == (5, {"test"})


def test_lila_is_told_beside_the_papers_count(bench: Bench, tmp_path: Path) -> None:
    rows = [
        {
            "input": f"{part} {i} and 1?",
            "output_program": "print(1)",
            "output_answer": "1",
            "split": split,
            "dataset": part,
        }
        for i, (part, split) in enumerate(
            [
                ("addsub", "train"),
                ("GSM8k_structured", "dev"),
                ("NumGLUE_Type_8_crowdsourced", "train"),
                ("addsub", "test"),
            ]
        )
    ]
    settings = SeedsSettings(sources=(SourceSettings(name="lila", path=lines(tmp_path / "lila.jsonl", *rows)),))
    made = seeds(bench, settings)
    assert made.facts["by_source"] == {"addsub": 1, "gsm8k": 1, "numglue": 1}
    mixture = made.facts["mixture"]
    assert (mixture["paper"], mixture["here"], mixture["difference"]) == (36_217, 3, -36_214)
    assert any("NumGLUE" in choice for choice in mixture["our_choice"])
    assert all("via Lila" in p.licence for p in problems(made))
    narrow = SourceSettings(name="lila", path=str(tmp_path / "lila.jsonl"), options={"parts": ["gsm8k"]})
    assert seeds(bench, SeedsSettings(sources=(narrow,))).facts["by_source"] == {"gsm8k": 1}


@pytest.mark.parametrize(
    "files",
    [
        (
            "multi/iid/train.json",
            "multi/iid/test.json",
            "multi/ood/train.json",
        ),  # the authors' archive; one way of two is read
        ("addsub_train.json", "GSM8k_structured_test.json"),
        ("addsub/train.json", "GSM8k_structured/test.json"),
        ("addsub/train/0000.jsonl", "GSM8k_structured/test/0000.jsonl"),  # the hub's own copy
        ("addsub/lila-train.jsonl", "GSM8k_structured/lila-test.jsonl"),  # and as it was before
    ],
)
def test_lila_is_read_in_the_folders_that_people_have(files: tuple[str, ...], tmp_path: Path) -> None:
    for file, task in zip(files, ("addsub", "GSM8k_structured", "addsub"), strict=False):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        told = {"dataset": f"{task}.json"} if "multi" in file else {}
        rows = [
            {"Input": f"{i} and 1 of {task}?", "Output Program": ["print(1)"], "Output Answer": ["1"], **told}
            for i in (4, 5)
        ]
        (tmp_path / file).write_text("\n".join(map(json.dumps, rows)))
    found = [
        p
        for p in find("source", "lila").read(SourceSettings(name="lila", path=str(tmp_path)))
        if isinstance(p, Problem)
    ]
    assert Counter((p.source, p.split) for p in found) == {("addsub", "train"): 2, ("gsm8k", "test"): 2}
    narrow = SourceSettings(name="lila", path=str(tmp_path), options={"parts": ["gsm8k"]})
    assert len(list(find("source", "lila").read(narrow))) == 2


def test_a_test_file_given_as_seeds_says_what_is_meant(bench: Bench, tmp_path: Path) -> None:
    good = lines(tmp_path / "good.jsonl", {"question": "1+1?", "answer": "2"})
    path = lines(tmp_path / "own_test.jsonl", {"question": "1+3?", "answer": "4"})
    sources = (SourceSettings(name="file", path=good, called="a"), SourceSettings(name="file", path=path, called="b"))
    with pytest.raises(DataError, match=r"`b`.*allow_test: \[b\]"):
        seeds(bench, SeedsSettings(sources=sources))


def test_a_name_stands_for_a_source_and_for_all_of_the_seeds() -> None:
    lila = SeedsSettings(sources=(SourceSettings(name="lila"),))
    assert SeedsSettings.model_validate("lila") == lila
    assert SeedsSettings.model_validate({"sources": ["lila"]}) == lila
    two = BenchmarksSettings.model_validate({"sources": ["gsm8k", {"name": "svamp", "limit": 3}], "limit": 9})
    assert [(s.name, s.limit) for s in two.sources] == [("gsm8k", None), ("svamp", 3)]
