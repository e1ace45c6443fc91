"""A person reads the lessons before anything is trained on them: a run waits, shows them, and leaves out what was marked."""

import json
from pathlib import Path

import pytest

from commanding import Done, call

AGAIN, OTHER = "{again: {imitate: {seed: 1}}}", "{other: {teach: {seed: 5}}}"
"""An arm on the same lessons, and one on lessons of its own, which may begin beside the base."""


@pytest.fixture
def run(tmp_path: Path, small: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    settings = [o for o in small if not o.startswith("variants")] + ["iterations=[]", "base_shown=[]", "workers=1"]

    def go(*args: str, **more: str) -> Done:
        overrides = [*settings, *(f"{k}={v}" for k, v in ({"variants": "{}"} | more).items())]
        return call("run", "classroom", *args, *(a for o in overrides for a in ("--set", o)))

    return go


def stages(arm: str = "") -> dict[str, str]:
    pointers = json.loads((Path("runs/classroom") / arm / "stages.json").read_text())
    return {s["label"]: s["artifact"] for s in pointers["stages"]}


def shown() -> dict:
    return json.loads(call("review", "classroom", "--json").out)


def test_a_run_that_waits_for_its_reader_stops_after_teaching_and_goes_on_as_it_says(run) -> None:
    waiting = run(review="pause", variants=OTHER)
    assert waiting.code == 4
    assert "lessons wait for a reader" in waiting.err
    assert waiting.err.count("    Q ") >= 20
    assert "20 of 40 lessons" in waiting.err
    assert "rejects, some of each reason" in waiting.err
    assert list(stages()) == ["benchmarks", "seeds", "ask", "edit", "collect", "teach"]
    assert not list(Path("runs/classroom").glob("arms/*/stages.json"))  # no arm trains while the reader reads
    assert Path("runs/classroom/report.html").read_text().count("lesson from") >= 1
    status = json.loads(call("status", "classroom", "--json").out)
    assert (status["stands"], status["command"][-11:]) == ("stopped", " --reviewed")
    on = run("--reviewed", "--until", "imitate", review="pause", variants=OTHER)
    assert on.code == 0, on.err
    assert "review" not in stages()
    assert "imitate" in stages()


def test_what_is_marked_bad_is_not_trained_on_and_books_say_so(run) -> None:
    assert run("--until", "gate").code == 0
    before = stages()
    lessons = shown()["lessons"]
    marked = call(
        "review", "classroom", "--bad", lessons[0]["id"][:12], "--bad", lessons[1]["problem_id"], "--note", "no story"
    )
    assert marked.code == 0, marked.err
    assert "2 are bad now" in marked.out
    done = run("--until", "gate")
    assert done.code == 0, done.err
    assert " rejected" in next(line for line in done.err.splitlines() if line.startswith("review: "))
    after = stages()
    assert after["teach"] == before["teach"]
    assert after["gate"] != before["gate"]
    listed = call("show", lessons[0]["problem_id"][:10]).out
    assert "marked_bad" in listed
    # a word more in a note, a mark on what is not trained on, and a change of mind: what is trained on decides, nothing else
    assert call("review", "classroom", "--bad", lessons[0]["id"], "--note", "no story at all").code == 0
    assert run("--until", "gate").code == 0
    assert stages()["gate"] == after["gate"]
    assert call("review", "classroom", "--good", lessons[0]["id"], "--good", lessons[1]["problem_id"]).code == 0
    assert run("--until", "gate").code == 0
    assert stages() == before


@pytest.mark.slow
def test_marks_count_in_every_arm(run) -> None:
    assert run("--until", "teach").code == 0
    (first, *_) = shown()["lessons"]
    assert call("review", "classroom", "--bad", first["id"]).code == 0
    done = run(variants=AGAIN)
    assert done.code == 0, done.err
    arms = {p.parent.name: json.loads(p.read_text()) for p in Path("runs/classroom").glob("arms/*/stages.json")}
    labels = {name: [s["label"] for s in arm["stages"]] for name, arm in arms.items()}
    assert "review" in labels["again"]
    assert "review" in stages()


def test_lessons_are_shown_where_a_limit_or_until_asks_for_a_look(run) -> None:
    limited = run("--limit", "5", "--until", "gate")
    assert "lessons, as they are trained on" in limited.err
    assert "lessons, as they are trained on" not in run("--limit", "5", "--until", "gate").err  # they were shown
    plain = run("--until", "gate").err
    assert "lessons, as they are trained on" not in plain
    assert "`orcamath review classroom` shows lessons" in plain
    assert "lessons, as they are trained on" in run("--until", "teach").err


def test_marks_on_nothing_are_refused(run) -> None:
    assert run("--until", "teach").code == 0
    for args, says in (
        (("--bad", "zzz"), "`zzz` is no lesson and no problem"),
        (("--good", ""), "is no lesson"),
        (("--bad", "f" * 64), "is no lesson"),
    ):
        done = call("review", "classroom", *args)
        assert done.code == 2
        assert says in done.err
    assert not Path("runs/classroom/marks.jsonl").exists()
