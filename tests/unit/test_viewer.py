"""The viewer: what it finds, what it tells of a record, and whom it refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from orcamath.errors import UsageError
from orcamath.ports import Message, Reply, Request, Sampling, Silent, Usage
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Output, Store
from orcamath.store.facts import Facts
from orcamath.store.ledger import Ledger
from orcamath.store.marks import Marks, read_marks
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Commands, Keeper
from orcamath.store.seals import read_sealed, write_sealed
from orcamath.view.doubts import LISTS, doubts
from orcamath.view.find import Query, facets, page, record_totals
from orcamath.view.opened import Opened
from orcamath.view.tree import differences, story
from orcamath.view.whole import inert, named, whole
from report_run import make_run, seal
from viewing import Served, served

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"></script>\x00\x1b[2J"
    "\u202ereversed\u2066 javascript:alert(1) {{7*7}} </pre>"
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder, store = make_run(tmp_path_factory.mktemp("run"))
    run = Opened(folder, store)
    run.update()
    yield run
    run.index.close()


@pytest.mark.parametrize(
    ("query", "n"),
    [
        (Query("problems"), 58),
        (Query("problems", filters={"origin": "seed"}), 24),
        (Query("problems", filters={"origin": "seed", "source": "classroom"}), 24),
        (Query("problems", filters={"origin": "nobody"}), 0),
        (Query("problems", "ada"), 10),
        (Query("problems", "Ada apples"), 10),
        (Query("problems", '"apples ada"'), 0),
        (Query("problems", '"has 7 apples"'), 3),
        (Query("problems", "appl"), 58),  # a word may be a beginning
        (Query("problems", "Ada + appl = ?"), 10),  # signs are no words
        (Query("problems", "+ ="), 0),
        (Query("problems", "ask1"), 0),  # ids of these are no hash, so they are words
        (Query("lessons", filters={"origin": "suggester_editor"}), 7),
        (Query("attempts", filters={"outcome": "agrees"}), 4),
        (Query("attempts", filters={"agreement": "all"}), 4),
        (
            Query("answers", filters={"known": "greedy", "finish": "length"}),
            14,
        ),  # two of the 60 of each of seven students
        (Query("rejected", filters={"reason": "numbers_lost"}), 2),
        (Query("rejected", filters={"known": "repeats another"}), 1),
        (Query("pairs"), 3),
        (Query("sqlite_master"), 0),
    ],
)
def test_lists_hold_what_was_asked_for(opened: Opened, query: Query, n: int) -> None:
    with opened.reading() as db:
        found = page(db, query)
        assert found.n == n
        assert len(found.rows) == min(found.n, query.limit)
        for row in found.rows:
            assert all(row[facet] == value for facet, value in query.filters.items())


@pytest.mark.parametrize(
    "typed", ['"', "'", "a OR", "NEAR(", "*", "body:x", ") --", "\x00", "-", '""', "(" * 300, "\ud800"]
)
def test_nothing_typed_is_syntax(opened: Opened, typed: str) -> None:
    with opened.reading() as db:
        found = page(db, Query("problems", typed.encode("utf-8", "replace").decode()))
        assert len(found.rows) <= len(page(db, Query("problems")).rows)


def test_pages_and_orders(opened: Opened) -> None:
    with opened.reading() as db:
        names = [r["name"] for r in page(db, Query("problems", limit=500)).rows]
        first, second = (page(db, Query("problems", offset=o, limit=20)).rows for o in (0, 20))
        assert [r["name"] for r in first + second] == names[:40]
        assert [r["name"] for r in page(db, Query("problems", order="newest", limit=500)).rows] == names[::-1]
        sizes = [r["size"] for r in page(db, Query("lessons", order="longest", limit=500)).rows]
        assert sizes == sorted(sizes, reverse=True)


def test_the_beginning_of_an_id_finds_its_records(opened: Opened) -> None:
    with opened.reading() as db:
        lesson = page(db, Query("lessons")).rows[0]
        assert [r["name"] for r in page(db, Query("lessons", lesson["name"][:12])).rows] == [lesson["name"]]


def test_filters_count_under_the_other_filters(opened: Opened) -> None:
    with opened.reading() as db:
        assert dict(facets(db, Query("problems"))["origin"]) == {
            "seed": 24,
            "ask_me_anything": 24,
            "suggester_editor": 10,
        }
        some = facets(db, Query("problems", filters={"origin": "seed"}))
        assert dict(some["origin"])["ask_me_anything"] == 24  # a filter does not hide its own other values
        assert dict(some["round"]) == {"0": 24}


def test_a_record_that_several_stages_hold_is_listed_once_and_names_them(opened: Opened) -> None:
    with opened.reading() as db:
        seed = page(db, Query("problems", filters={"origin": "seed"})).rows[0]
        (record,) = named(db, "problems", seed["name"])
        found = whole(db, record, opened.spelling())
    assert found is not None
    assert found["held_by"] == ["seeds", "collect"]


def test_what_is_sealed_later_is_added_and_what_is_dropped_goes(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    run = Opened(folder, store)
    run.update()
    with run.reading() as db:
        before = record_totals(db)

    def more(out: Output) -> None:
        out.write("problems", [Problem.make("Gus has one kite. How many?", "seed", "late")])
        out.reject(Rejected(item="q", reason="late", text="kite"), of_call=True)

    late = seal(store, "late", more)
    pointers = read_sealed(folder / "stages.json") or {}
    added = {"label": "late", "artifact": late.path.name, "seconds": 0.0, "reused": False}
    write_sealed(folder / "stages.json", pointers | {"stages": [*pointers["stages"], added]})
    run.update()
    with run.reading() as db:
        assert record_totals(db) == before | {"problems": before["problems"] + 1, "rejected": before["rejected"] + 1}
        assert page(db, Query("problems", "kite")).n == 1
    write_sealed(folder / "stages.json", pointers)
    run.update()
    with run.reading() as db:
        assert record_totals(db) == before
    run.index.close()


def test_a_damaged_table_hides_its_own_records_only(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    made = next(m for m in Opened(folder, store).made() if m.label == "ask")
    path = made.artifact.path / "problems.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    run = Opened(folder, store)
    run.update()
    run.update()
    with run.reading() as db:
        assert page(db, Query("lessons")).n > 0
        assert page(db, Query("attempts", filters={"outcome": "agrees"})).n > 0
    run.index.close()


def test_a_second_viewer_reads_what_the_first_indexes(opened: Opened) -> None:
    second = Opened(opened.folder, opened.store)
    second.update()
    assert not second.index.writes
    with second.reading() as db:
        assert page(db, Query("problems")).n == 58
    second.index.close()


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("a b", "a b", [("same", "a b")]),
        ("has 3 pens", "has 4 pens", [("same", "has "), ("gone", "3"), ("new", "4"), ("same", " pens")]),
        ("", "new", [("new", "new")]),
        ("gone", "", [("gone", "gone")]),
    ],
)
def test_differences_word_by_word(before: str, after: str, pieces: list[tuple[str, str]]) -> None:
    assert differences(before, after) == pieces


def test_a_text_too_long_to_compare_is_shown_as_it_is() -> None:
    assert differences("a " * 5_000, "b " * 5_000) == [("same", "b " * 5_000)]


def test_story_goes_from_the_seed_down(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    seed = Problem.make("Mia has 3 pens. How many?", "seed", "x")
    child = Problem.make("Mia has 4 pens. How many?", "suggester_editor", "x", parents=(seed.id,), round=1)
    other = Problem.make("Mia has 9 pens. How many?", "suggester_editor", "x", parents=(seed.id,), round=1)
    grandchild = Problem.make("Mia has 4 old pens.", "suggester_editor", "x", parents=(child.id,), round=2)
    made = seal(store, "edit", lambda out: out.write("problems", [seed, child, other, grandchild]) and None, "family")
    pointers = read_sealed(folder / "stages.json") or {}
    added = {"label": "edit 9", "artifact": made.path.name, "seconds": 0.0, "reused": False}
    write_sealed(folder / "stages.json", pointers | {"stages": [*pointers["stages"], added]})
    run = Opened(folder, store)
    run.update()
    with run.reading() as db:
        tree = story(db, grandchild.id, run.spelling())["tree"]
        with pytest.raises(UsageError, match="nothing in this run"):
            story(db, "ffffffff", run.spelling())
    assert tree["id"] == seed.id
    assert [c["id"] for c in tree["children"]] == [child.id, other.id]
    below = tree["children"][0]
    assert ["new", "4"] in [list(p) for p in below["pieces"]]
    assert below["children"][0]["id"] == grandchild.id
    assert below["children"][0]["is_focus"]
    run.index.close()


def with_calls(root: Path) -> tuple[Opened, Problem]:
    """A run whose stages name two models that the ledger has calls of, and a third that is not the run's."""
    folder, store = make_run(root)
    seed = next(seal(store, "seeds", lambda out: None).read(Problem))
    asked = Request((Message("system", "You suggest."), Message("user", f"<problem>{seed.question}</problem>")))
    suggested = "<suggestion>Let there be two sorts.</suggestion><suggestion>Let some be lost.</suggestion>"
    by_ids = Request(token_ids=(5, 6, 7), sampling=Sampling(0.7), draw=2)
    ledger = Ledger(store.root / "ledger")
    ledger.put(asked, "writer-1", Reply(asked.key("writer-1"), suggested, usage=Usage(11, 22)))
    ledger.put(by_ids, "student-1", Reply(by_ids.key("student-1"), "It is 3.\x00", token_ids=(8, 9)))
    ledger.put(asked, "stranger", Reply(asked.key("stranger"), "Not yours."))
    ledger.close()
    made = seal(store, "calling", lambda _: Facts.of({"called": True}), "writer-1", "student-1")
    pointers = read_sealed(folder / "stages.json") or {}
    pointers["stages"].append({"label": "calling", "artifact": made.path.name, "seconds": 0.0, "reused": False})
    write_sealed(folder / "stages.json", pointers)
    run = Opened(folder, store)
    run.update()
    return run, seed


def test_model_calls_of_the_run_are_listed_whole_and_found_by_their_words(tmp_path: Path) -> None:
    run, seed = with_calls(tmp_path)
    with run.reading() as db:
        assert page(db, Query("calls")).n == 2
        (by_words,) = page(db, Query("calls", "two sorts")).rows
        found = whole(db, by_words["id"], run.spelling())
        assert found is not None
        assert [m["role"] for m in found["prompt"]] == ["system", "user"]
        assert (found["prompt_tokens"], found["completion_tokens"], found["model"]) == (11, 22, "writer-1")
        (by_model,) = page(db, Query("calls", filters={"model": "student-1"})).rows
        sampled = whole(db, by_model["id"], run.spelling())
        assert sampled is not None
        assert sampled["prompt"] == [{"role": "3 token ids", "content": "5 6 7"}]  # no tokenizer in this run
        assert (sampled["reply"], sampled["draw"]) == ("It is 3.⟨U+0000⟩", 2)
        tree = story(db, seed.id, run.spelling())["tree"]
        assert tree["suggestions"] == ["Let there be two sorts.", "Let some be lost."]
    more = Request((Message("user", "Once more?"),))
    ledger = Ledger(run.store.root / "ledger")
    ledger.put(more, "writer-1", Reply(more.key("writer-1"), "Yes."))
    ledger.close()
    run.update()
    with run.reading() as db:
        assert page(db, Query("calls")).n == 3
    run.index.close()


def test_a_run_at_work_shows_its_newest_calls(tmp_path: Path) -> None:
    run, _ = with_calls(tmp_path)
    Keeper(RunFolder(run.folder), Silent(), Commands.always("orcamath run trial"), ["seeds", "late"]).stage("late")
    told = run.overview()
    assert told["stands"] == "running"
    assert [s["stands"] for s in told["arms"][0]["stages"]][-1] == "now"
    assert {call["model"] for call in told["latest"]} >= {"writer-1", "student-1"}
    run.index.close()


def test_a_mark_behind_a_torn_line_is_kept(tmp_path: Path) -> None:
    (tmp_path / "marks.jsonl").write_text('{"id": "a1", "mark": "go')  # a crash, or an editor that ends no line
    Marks(tmp_path).add("b2", "bad", "")
    assert list(read_marks(tmp_path / "marks.jsonl")) == ["b2"]


def test_marks_are_lines_and_the_last_counts(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.add("a1", "good", "clean")
    marks.add("a1", "bad", "no: \u202e“two” answers\nreally")
    with (tmp_path / "marks.jsonl").open("a") as f:
        f.write('{"id": "torn", "mar')
    lines = (tmp_path / "marks.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {"id": "a1", "mark": "good", "note": "clean", "at": json.loads(lines[0])["at"]}
    found = read_marks(tmp_path / "marks.jsonl")
    assert list(found) == ["a1"]
    assert (found["a1"].mark, found["a1"].note) == ("bad", "no: \u202e“two” answers\nreally")


@pytest.mark.parametrize(
    ("name", "mark", "note"), [("", "good", ""), (3, "good", ""), ("a", "fine", ""), ("a", "bad", "x" * 5000)]
)
def test_what_is_no_mark_is_refused(tmp_path: Path, name: object, mark: object, note: object) -> None:
    with pytest.raises(UsageError):
        Marks(tmp_path).add(name, mark, note)
    assert not (tmp_path / "marks.jsonl").exists()


def letters(value: Any) -> str:
    """Return all the text in a JSON value, as it is: neither JSON's spelling nor Python's, which escape what is looked for."""
    if isinstance(value, dict):
        return "".join(map(letters, (*value, *value.values())))
    return "".join(map(letters, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(
    "value", ["a\x00b", "\x1b[2J", "\u202eabc", "\u2066x", "\ud800", "x" * 1_000_000, ["\x07", {"k\x08": "\u200b"}]]
)
def test_inert_leaves_nothing_that_a_browser_would_obey(value: Any) -> None:
    shown = inert(value)
    assert len(json.dumps(shown)) < 25_000
    assert set(letters(shown)).isdisjoint("\x00\x1b\u202e\u2066\ud800\x07\x08\u200b")


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, store = make_run(tmp_path_factory.mktemp("hostile"), hostile=HOSTILE)
    run = Opened(folder, store)
    run.update()
    with served(run) as found:
        yield found


def test_who_is_refused(viewer: Served) -> None:
    here = f"127.0.0.1:{viewer.port}"
    refused = [
        viewer.ask("/"),
        viewer.ask("/api/live"),
        viewer.ask("/wrong/api/live"),
        viewer.ask(f"/{viewer.token[:-1]}/api/live"),
        viewer.ask("", Host="evil.example"),
        viewer.ask("", Host=f"evil.example:{viewer.port}"),
        viewer.ask("", Host="127.0.0.1"),
        viewer.ask("", Host=""),
        viewer.ask("api/live", Origin="https://evil.example"),
        viewer.ask("api/live", Origin="null"),
        viewer.ask("api/live", Sec_Fetch_Site="cross-site"),
        viewer.ask("api/mark", method="POST", body={"id": "a", "mark": "bad"}, Content_Type="text/plain"),
        viewer.ask("api/mark", method="POST", body={"id": "a", "mark": "bad"}, Origin="http://evil.example"),
        viewer.ask("api/live", method="DELETE"),
    ]
    assert [a.status for a in refused] == [403, 403, 403, 403, 421, 421, 421, 421, 403, 403, 403, 415, 403, 405]
    assert all(b"trial" not in a.body for a in refused)
    assert viewer.ask("api/live", Origin=f"http://{here}", Sec_Fetch_Site="same-origin").status == 200
    assert viewer.ask("", Host=f"localhost:{viewer.port}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "../recipe.yaml",
        "..%2frecipe.yaml",
        "%2e%2e/recipe.yaml",
        "recipe.yaml",
        "static/app.js",
        "app.js/../../guard.py",
        "//etc/passwd",
        "raw/..%2f..%2frecipe.yaml",
        "raw/1e9",
        "report.html/../recipe.yaml",
        "api/../recipe.yaml",
        "app.js%00.html",
        "server.py",
    ],
)
def test_no_address_is_a_path(viewer: Served, path: str) -> None:
    answer = viewer.ask(path)
    assert answer.status in {403, 404}
    assert b"iterations" not in answer.body


def test_every_answer_keeps_strangers_out(viewer: Served) -> None:
    for path in ("", "app.js", "style.css", "api/live", "api/records?kind=rejected", "raw/1", "nowhere"):
        headers = viewer.ask(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


def test_hostile_text_leaves_as_inert_text(viewer: Served) -> None:
    problems = viewer.ask("api/records?kind=problems").json()["rows"]
    paths = ["api/live", "api/students", *(f"api/doubts?list={name}" for name in LISTS)]
    paths.append(f"api/story?id={problems[0]['name']}")
    for kind in viewer.ask("api/live").json()["totals"]:
        paths += [f"api/records?kind={kind}", f"api/facets?kind={kind}"]
        rows = viewer.ask(f"api/records?kind={kind}").json()["rows"]
        paths += [f"api/record?kind={kind}&name={r['name']}&nth={r['nth']}" for r in rows[:3]]
    for path in paths:
        answer = viewer.ask(path)
        assert answer.status == 200, (path, answer.body[:200])
        assert answer.headers["Content-Type"].startswith("application/json")
        assert set(letters(answer.json())).isdisjoint("\x00\x1b\u202e\u2066"), path
    rejects = viewer.ask("api/records?kind=rejected&q=document").json()
    assert rejects["n"] > 0
    raw = viewer.ask(f"raw/{rejects['rows'][0]['id']}")
    assert raw.headers["Content-Type"].startswith("text/plain")
    assert "⟨U+202E⟩" in raw.body.decode()


def test_a_mark_is_kept_and_shown_again(viewer: Served) -> None:
    row = viewer.ask("api/records?kind=lessons").json()["rows"][0]
    made = viewer.ask("api/mark", method="POST", body={"id": row["name"], "mark": "bad", "note": "wrong unit"})
    assert (made.status, made.json()["note"]) == (200, "wrong unit")
    assert viewer.ask("api/records?kind=lessons").json()["rows"][0]["mark"] == "bad"
    assert viewer.ask(f"api/record?kind=lessons&name={row['name']}").json()["mark"]["note"] == "wrong unit"
    assert viewer.ask("api/mark", method="POST", body={"id": row["name"], "mark": "<b>"}).status == 400
    assert viewer.ask("api/mark", method="POST", body=[]).status == 400


def test_a_mark_on_an_answer_is_on_that_students_answer_alone(viewer: Served) -> None:
    row, *others = viewer.ask("api/records?kind=answers&q=&problem=t3").json()["rows"]
    assert len({r["name"] for r in (row, *others)}) == 1
    where = f"api/record?kind=answers&name={row['name']}&nth="
    name = viewer.ask(f"{where}{row['nth']}").json()["mark_id"]
    assert viewer.ask("api/mark", method="POST", body={"id": name, "mark": "bad"}).status == 200
    assert viewer.ask(f"{where}{row['nth']}").json()["mark"]["mark"] == "bad"
    assert [viewer.ask(f"{where}{r['nth']}").json()["mark"] for r in others] == [None] * len(others)
    marks = [r.get("mark") for r in viewer.ask("api/records?kind=answers&problem=t3").json()["rows"]]
    assert marks == ["bad", *[None] * len(others)]


def test_an_attempt_comes_with_its_verdicts(opened: Opened) -> None:
    with served(opened) as viewer:
        row = viewer.ask("api/records?kind=attempts").json()["rows"][0]
        found = viewer.ask(f"api/record?kind=attempts&name={row['name']}").json()["record"]
        assert {v["outcome"] for v in found["verdicts"]} == {row["outcome"]} == {"agrees"}


def test_comparing_counts_what_moved(opened: Opened) -> None:
    with served(opened) as viewer:
        first, *_, last = (s["key"] for s in viewer.ask("api/students").json())
        found = viewer.ask(f"api/compare?first={quote(first)}&second={quote(last)}").json()
        (board,) = found["benchmarks"]
        assert board["n"] == 60
        assert board["second_right"] - board["first_right"] == board["n_gained"] - board["n_lost"]
        assert (len(board["gained"]), len(board["lost"])) == (board["n_gained"], board["n_lost"])
        assert board["difference"]["point"] == pytest.approx((board["n_gained"] - board["n_lost"]) / 60)
        assert viewer.ask("api/compare?first=x&second=y").status == 400


def test_doubts_list_what_repeats_beside_what_stayed(opened: Opened) -> None:
    with opened.reading() as db:
        (item,) = doubts("duplicates", opened.sources(db))
        assert item["what"] == "duplicate_text in collect"
        assert doubts("nobody", opened.sources(db)) == []
        (pair,) = doubts("contamination", opened.sources(db))
        assert pair["what"] == "classroom: paper 0.71"


def test_what_a_later_gate_found_is_listed_once(opened: Opened) -> None:
    """A round that grows has a gate of its own, which sees the first lessons again."""
    with opened.reading() as db:
        sources = opened.sources(db)
        first = next(made for made in sources.made if made.label == "gate")
        again = sources._replace(made=[*sources.made, first._replace(label="gate 3")])
        assert len(doubts("contamination", again)) == 1
        only = sources._replace(made=[*(m for m in sources.made if m is not first), first._replace(label="gate 3")])
        assert len(doubts("contamination", only)) == 1


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run"):
        Opened(tmp_path, Store(tmp_path / "store"))
