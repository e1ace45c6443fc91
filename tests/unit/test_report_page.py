"""The page: says what the intervals allow, shows hostile text as text, fetches nothing, is the same for the same results."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orcamath.intervals import Interval, Paired, paired, wilson
from orcamath.records import Lesson, Problem
from orcamath.report import sections
from orcamath.report.drawn import growth
from orcamath.report.fold import Example, Origin, Results, StageRow, fold
from orcamath.report.page import render_page, write_page
from orcamath.report.rows import Contrast, ResultRow
from orcamath.report.training import Method
from orcamath.report.written import p_value
from orcamath.scoring.facts import BenchmarkFacts
from orcamath.stages.gate import GateFacts, GateSettings, gate
from orcamath.stages.judge import JudgeFacts
from orcamath.store.artifacts import Output, Store
from orcamath.store.facts import Facts
from report_run import make_run, seal

HOSTILE = "<script>alert('x')</script><img src=//evil onerror=go()> \" ' {{ 7*7 }} {% raw %} \x00\x1b[2J \u202egnp \ud800 </pre>"
VOID = {"meta", "br", "img", "link"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return fold(*make_run(tmp_path_factory.mktemp("run"), n=300))


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return render_page(results)


class Reader(HTMLParser):
    """Reads a page strictly: every element closed in order; collects ids, links, text and what would be fetched or run."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.dangerous: list[str] = []
        self.pre: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name.startswith("on") or name in {"src", "action", "data"}:
                self.dangerous.append(f"{tag} {name}={value}")
        if tag not in VOID:
            self.open.append(tag)
        if tag == "pre":
            self.pre.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)
        if "pre" in self.open:
            self.pre[-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: str) -> None:
    read = Reader(page)
    assert len(read.ids) == len(set(read.ids))
    assert {link.removeprefix("#") for link in read.links} <= set(read.ids)
    assert {
        "scores",
        "problems",
        "rejects",
        "practice",
        "contamination",
        "training",
        "time",
        "books",
        "card",
        "recipe",
    } <= set(read.ids)


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    read = Reader(page)
    assert not read.tags & {"script", "iframe", "object", "embed", "link", "img", "form", "base"}
    assert read.dangerous == []
    assert not re.search(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page


def test_every_drawing_can_be_heard(page: str) -> None:
    drawings = re.findall(r"<svg (?!class=.stroke)(?:.*?)</svg>", page, re.DOTALL)
    assert len(drawings) > 8
    for drawing in drawings:
        assert re.search(r"<title id=\"[^\"]+\">[^<]+</title><desc id=\"[^\"]+\">[^<]+</desc>", drawing)


def test_scores_are_there_with_intervals_and_paired_differences(page: str, results: Results) -> None:
    text = Reader(page).text
    row = next(r for r in results.rows if r.arm == "KTO + NLL" and r.model == "M3")
    against = next(c.result for c in row.contrasts if c.against == "M1")
    assert f"{100 * row.score.point:.1f} [{100 * row.score.low:.1f}, {100 * row.score.high:.1f}]" in text
    assert f"{100 * against.difference.point:+.1f} [" in text
    assert f"+{against.second_only} / −{against.first_only}" in text
    assert "KTO + 10 NLL" in text
    assert "fresh / known_answer" in text
    assert "points over M1" in text
    assert "points over more SFT" in text


def contrast(first: list[bool], second: list[bool]) -> Contrast:
    return Contrast("M1", paired(first, second))


def a_row(found: Contrast, arm: str = "KTO") -> ResultRow:
    n, right = found.result.n, found.result.n // 2
    return ResultRow(
        arm=arm,
        model="M2",
        iteration=2,
        benchmark="gsm8k",
        n=n,
        families=n,
        right=right,
        score=wilson(right, n),
        unjudged=0,
        cut_off=0,
        trained_tokens=10,
        contrasts=(found,),
        training=Method("KTO", "", ""),
        measures=BenchmarkFacts(),
        seeds={},
    )


@pytest.mark.parametrize(
    ("gained", "lost", "kind", "verb"),
    [
        (60, 10, "better", "is better than"),
        (10, 60, "worse", "is worse than"),
        (12, 10, "open", "shows no difference from"),
    ],
)
def test_better_is_said_only_where_the_interval_excludes_zero(gained: int, lost: int, kind: str, verb: str) -> None:
    first = [False] * gained + [True] * lost + [True] * 100
    second = [True] * gained + [False] * lost + [True] * 100
    row = a_row(contrast(first, second))
    (said,) = sections.findings(empty()._replace(rows=(row,)))
    assert said.kind == kind
    assert f"KTO (M2) {verb} M1" in said.text
    assert f"{gained} gained and {lost} lost" in said.text
    shown = render_page(empty()._replace(rows=(row,)))
    assert ("★</span>" in shown) == (kind != "open")


def test_the_hollow_dot_and_the_star_agree_with_the_interval() -> None:
    touching = Paired(10, 1, 2, Interval(0.1, 0.0, 0.2), 0.5)  # a limit at zero does not exclude it
    shown = render_page(empty()._replace(rows=(a_row(Contrast("M1", touching)),)))
    assert "dot hollow" in shown
    assert "★</span>" not in shown


@pytest.mark.parametrize(
    ("p", "words"), [(0.0, "<\u00a00.001"), (0.0004, "<\u00a00.001"), (0.0316, "0.032"), (1.0, "1.000")]
)
def test_p_is_written_with_the_digits_it_is_good_for(p: float, words: str) -> None:
    assert p_value(p) == words


def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    hostile = fold(
        *make_run(
            tmp_path,
            n=20,
            about=HOSTILE.replace("\x00\x1b", "").replace("\ud800", ""),  # a recipe has no control characters
            hostile=HOSTILE.replace("\ud800", ""),
        )
    )
    arm = hostile.rows[1]._replace(
        arm=HOSTILE, model=HOSTILE, contrasts=tuple(c._replace(against=HOSTILE) for c in hostile.rows[1].contrasts)
    )
    hostile = hostile._replace(
        name=HOSTILE,
        about=HOSTILE,
        rows=(hostile.rows[0], arm),
        recipe=HOSTILE,
        licences={HOSTILE: 3},
        origins=(Origin(HOSTILE, 3, 2, 1),),
        examples=(Example(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE, len(HOSTILE), HOSTILE),),
        metrics={HOSTILE: [{"stage": 1, "step": i, "loss": 1.0 / (i + 1), "label": HOSTILE} for i in range(4)]},
        facts={**hostile.facts, HOSTILE: Facts.of({HOSTILE: [HOSTILE]})},
    )
    shown = render_page(hostile)
    read = Reader(shown)
    assert not read.tags & {"script", "img"}
    assert read.dangerous == []
    assert "<script>alert('x')</script>" in read.text
    assert "{{ 7*7 }}" in read.text
    assert "⟨U+202E⟩gnp" in read.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\ud800-\udfff]", shown)
    assert any(HOSTILE[:30] in text for text in read.pre)


def test_a_megabyte_is_cut_where_all_can_see_it(results: Results) -> None:
    long = Example("ask", "no_question", 1, "y" * 1_000_000, "x" * 600, 1_048_576, "id")
    shown = render_page(results._replace(examples=(long,), about="z" * 1_000_000, name="n" * 1_000_000))
    assert "600 of 1,048,576 characters shown" in shown
    assert "of 1,000,000 characters shown" in shown
    assert len(shown) < len(render_page(results)) + 20_000


def test_the_same_results_make_the_same_bytes_and_a_date_only_where_given(results: Results, tmp_path: Path) -> None:
    write_page(results, tmp_path / "a" / "report.html")
    write_page(results, tmp_path / "b.html")
    first = (tmp_path / "a" / "report.html").read_bytes()
    assert first == (tmp_path / "b.html").read_bytes()
    assert b"\r" not in first
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["report.html"]


def test_a_run_folded_twice_makes_the_same_page(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path, n=20)
    assert render_page(fold(folder, store)) == render_page(fold(folder, store))


def test_accounts_that_do_not_balance_are_called_out(results: Results) -> None:
    good = {"asked": 5, "parsed": 4, "failed": 1, "results": 4, "kept": 3, "rejected": 1}
    stages = tuple(
        StageRow("", label, 1.0, {}, 3, {"x": 1}, {}, books, label)
        for label, books in [("ask", good), ("edit", {**good, "kept": 4})]
    )
    assert [holds for _, holds in sections.books(results._replace(stages=stages))] == [True, False]
    assert "does not hold" in render_page(results._replace(stages=stages))
    assert "does not hold" not in render_page(results)


def test_the_legend_of_the_verdicts_has_the_colours_of_their_bars(page: str) -> None:
    practice = page.split('id="practice"')[1]
    drawn, legend = practice.split("</svg>")[0], practice.split('<ul class="legend">')[1].split("</ul>")[0]
    bars = re.findall(r'class="bar s(\d)"[^>]*><title>[^<]*, (\w+):', drawn)
    assert {name: series for series, name in re.findall(r'class="key s(\d)"></span>(\w+)', legend)} == {
        name: series for series, name in bars
    }
    assert {name for _, name in bars} == {"agrees", "disagrees", "unjudged"}


def test_rejects_are_grouped_with_their_count_and_their_words(page: str) -> None:
    read = Reader(page)
    assert "numbers_lost in edit: 2" in read.text
    assert any(text.startswith("Ada has seven baskets.") and "of 1,380 characters shown" in text for text in read.pre)


def test_tokens_are_counted_and_limits_are_not(results: Results) -> None:
    facts = results.facts["evaluate M1"].model_copy(update={"max_new_tokens": 128})
    timed = sections.stages(results._replace(facts={**results.facts, "evaluate M1": facts}))
    found = {t.stage.key: dict(t.tokens) for t in timed}
    assert found["evaluate M1"] == {"n_generated_tokens": 300 * 41.25}
    assert found["imitate"] == {"n_tokens": 90_000}
    assert found["KTO + NLL: practice 3"] == {"n_sampled_tokens": 12_000}


def test_the_teacher_is_not_taken_at_its_word(page: str) -> None:
    assert "Teacher’s solutions by how far they are verified: 24 gold, 25 unverified" in Reader(page).text


def test_contamination_is_told_with_the_policy(page: str, results: Results) -> None:
    text = Reader(page).text
    assert "reported, not enforced" in text
    assert "Dropped by a screen: 2 held_out_structure" in text
    dropping = render_page(
        results._replace(facts={**results.facts, "gate": results.facts["gate"].model_copy(update={"policy": "drop"})})
    )
    assert "reported, not enforced" not in dropping


def test_the_gate_of_the_last_round_that_grows_is_told(results: Results) -> None:
    """It saw the lessons of all rounds."""
    later = results.facts["gate"].model_copy(update={"policy": "drop"})
    assert "reported, not enforced" not in render_page(results._replace(facts={**results.facts, "gate 3": later}))


def test_pairs_of_the_real_gate_are_shown_side_by_side(results: Results, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    lesson = Problem.make("Ada has seven red apples and eats two pears.", "seed", "mine", answer="7")
    test = Problem.make("Ben has seven red apples and eats two plums.", "seed", "gsm8k", split="test", answer="7")
    taught = seal(store, "teach", lambda out: out.write("lessons", [Lesson.make(lesson, "#### 7", "7", "teacher")]))
    tests = seal(store, "benchmarks", lambda out: out.write("problems", [test]))

    def make(out: Output) -> Facts:
        return gate(out, GateSettings(policy="report"), taught, tests, [])

    facts = seal(store, "gate", make, taught, tests).said(GateFacts)
    shown = render_page(results._replace(facts={**results.facts, "gate": facts}))
    part = shown[shown.index('<h2 id="contamination">') : shown.index('<h2 id="training">')]
    read = Reader(part)
    assert "1 training questions were compared with 1 benchmark questions" in read.text
    marked = " ".join(re.findall(r"<mark>(.*?)</mark>", part))
    assert all(word in marked for word in ("seven", "red", "apples", "eats"))
    assert "Ada" not in marked
    assert "pears" in read.text
    assert "plums" in read.text


def test_curves_stand_apart_by_stage_and_loss_with_all_arms_in_a_panel(page: str) -> None:
    found = r'<svg[^>]*aria-labelledby="c[^>]*>\s*<title[^>]*>([^<]*)</title>(.*?)</svg>'
    drawn = dict(re.findall(found, page, re.DOTALL))
    assert "imitate: Loss (SFT)" in drawn
    assert not any(title.startswith("imitate:") and "Margin" in title for title in drawn)  # imitation has none
    # two losses share no scale, but the margins of all arms are in one panel
    assert {t for t in drawn if t.startswith("learn 3: Loss")} == {
        "learn 3: Loss (KTO + 10 NLL)",
        "learn 3: Loss (NLL)",
    }
    assert drawn["learn 2: Loss (KTO + 10 NLL)"].count('class="curve') == 2  # smoothed over raw
    assert drawn["learn 2: Margin (right − wrong)"].count(" raw") == 2
    assert drawn["learn 2: Log-probability of an answer"].count("dashed") == 2
    assert drawn["imitate 2: Learning rate (SFT)"].count(" raw") == 0


def test_arms_are_held_against_each_other(page: str, results: Results) -> None:
    (square,) = results.duels
    assert square.names == ("KTO + NLL · M3", "more SFT · M3", "NLL on right samples · M3")
    for i, row in enumerate(square.cells):
        assert row[i] is None
        for k, cell in enumerate(row):
            other = square.cells[k][i]
            if cell is not None and other is not None:
                assert cell.difference.point == pytest.approx(-other.difference.point)
    kto = next(r for r in results.rows if r.arm == "KTO + NLL" and r.model == "M3")
    sft = next(r for r in results.rows if r.arm == "more SFT" and r.model == "M3")
    against = square.cells[0][1]
    assert against is not None
    assert against.difference.point == pytest.approx(kto.score.point - sft.score.point)
    assert "arms against each other" in page


def test_what_moved_is_shown_with_both_answers(page: str, results: Results) -> None:
    m1 = next(r for r in results.rows if r.model == "M1")
    assert results.moved
    for moved in results.moved:
        last = next(r for r in results.rows if f"{r.arm} · {r.model}" == moved.student)
        assert moved.n_gained - moved.n_lost == last.right - m1.right
        assert all(f.after.outcome == "agrees" != f.before.outcome for f in moved.gained)
        assert all(f.before.outcome == "agrees" != f.after.outcome for f in moved.lost)
        assert f"{moved.n_gained} gained, {moved.n_lost} lost" in page


def test_answers_and_lessons_have_their_lengths(results: Results) -> None:
    assert len(results.answer_lengths) == 7
    assert {a.tokens for a in results.answer_lengths} == {9.0}
    assert {round(a.cut_off * 60) for a in results.answer_lengths} == {2}
    assert {k.origin: k.n for k in results.lesson_kinds} == {"seed": 22, "ask_me_anything": 18, "suggester_editor": 7}
    for kind in results.lesson_kinds:
        assert (kind.question_words, kind.longest_answer) == (10, 4)
        assert 0 < kind.distinct_2 <= 1


def empty() -> Results:
    return Results(
        name="bare",
        about="",
        origins=(),
        stages=(),
        rows=(),
        examples=(),
        licences={},
        facts={},
        metrics={},
        again=(),
        recipe="name: bare\n",
    )


def test_a_run_that_stopped_early_still_has_a_page() -> None:
    text = Reader(render_page(empty())).text
    assert "No student was measured yet" in text
    assert "orcamath run recipe.yaml" in text


@pytest.mark.parametrize("missing", ["gate", "imitate", "evaluate M1", "seeds"])
def test_facts_of_another_version_or_a_later_start_leave_sections_out(results: Results, missing: str) -> None:
    lacking = {k: v for k, v in results.facts.items() if k != missing}
    for facts in (lacking, {k: type(said)() for k, said in results.facts.items()}):
        assert "What these rows show" in Reader(render_page(results._replace(facts=facts))).text


def on_gsm8k(n: int) -> Results:
    row = a_row(contrast([True] * 100 + [False] * (n - 100), [True] * 200 + [False] * (n - 200)))
    majority = {"8": {"score": 0.5, "low": 0.4, "high": 0.6, "calls_per_answer": 8}}
    return empty()._replace(rows=(row._replace(measures=BenchmarkFacts.of({"maj": majority})),))


def test_published_scores_stand_beside_the_whole_test_by_protocol() -> None:
    shown = render_page(on_gsm8k(1319))
    text = Reader(shown).text
    assert "Beside published scores: GSM8K, 1,319 items, pass@1" in text
    assert "86.81" in text
    assert "did not measure all" not in text
    table = shown[shown.index("Beside published scores") : shown.index("How to read the rows")]
    figures = [float(x) for x in re.findall(r"<td>(\d+\.\d\d)</td>", table.split("<h3>")[0])]
    assert figures == sorted(figures, reverse=True)
    assert "49.96" in table  # 659 of 1,319
    assert len(re.findall('class="ours"', table.split("<h3>")[0])) == 1


def test_a_part_of_the_test_is_not_placed_among_published_scores(page: str) -> None:
    text = Reader(render_page(on_gsm8k(300))).text
    assert "Beside published scores" not in text
    assert "did not measure all of gsm8k" in text
    assert "published" not in Reader(page).text  # the classroom has none


def test_bare_facts_of_judge_and_gate_are_enough(results: Results) -> None:
    bare = {"gate": GateFacts(flagged={"1": {}}), "KTO + NLL: judge 2": JudgeFacts(outcomes={"agrees": 1})}
    assert "KTO + NLL: judge 2" in Reader(render_page(results._replace(facts=bare))).text


def test_an_origin_of_which_nothing_is_left_counts_for_nothing(results: Results) -> None:
    lost, kept = Origin("agent", 9, 7, 0, 0), Origin("seed", 5, 4, 3, 4)
    some = results._replace(origins=(lost, kept))
    assert ("lessons", "3") in sections.head(some)
    assert "agent: 9 written, 0 no duplicate, 7 taught, 0 in the lessons" in growth(some)
    unsearched = results._replace(origins=(lost, kept._replace(collected=0, trained_on=0)))
    assert ("lessons", "11") in sections.head(unsearched)
    assert "seed: 5 written, 5 no duplicate" in growth(unsearched)
