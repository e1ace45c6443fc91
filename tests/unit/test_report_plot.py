"""Drawings of the report: round ticks, whiskers in their places, nothing that breaks out of the markup."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orcamath.report.plot import Lane, Line, bars, intervals, lines, smoothed, thinned
from orcamath.report.svg import ticks
from orcamath.report.ways import Trail, flow, trails
from orcamath.visible import clip, visible

HOSTILE = "<script>alert(1)</script>\" ' & {{ 7*7 }} \x00\x1b[31m \u202egnp.exe ]]> &amp;"


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (48.9, 62.4, 7, [50, 52, 54, 56, 58, 60, 62]),
        (-1.2, 10.1, 6, [0, 2, 4, 6, 8, 10]),
        (0, 1e-6, 5, [0, 2e-7, 4e-7, 6e-7, 8e-7, 1e-6]),
        (3, 3, 5, [3]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, about: int, expected: list[float]) -> None:
    assert ticks(low, high, about) == pytest.approx(expected)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(3, 10))
@example(low=0.05, size=0.42, about=3)
@settings(max_examples=80, deadline=None)
def test_ticks_lie_in_the_range_and_are_neither_none_nor_many(low: float, size: float, about: int) -> None:
    high = low + size
    if not high > low:
        return
    found = ticks(low, high, about)
    slack = (high - low) * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= t <= high + slack for t in found)
    assert 1 <= len(found) <= about + 1
    assert found == sorted(found)


def test_thinning_keeps_the_mean_the_ends_order_and_drops_what_is_not_finite() -> None:
    points = [(float(i), float(i % 7)) for i in range(1000)] + [(1000.0, math.nan), (1001.0, math.inf)]
    found = thinned(points, 100)
    assert len(found) == 100
    assert sum(y for _, y in found) / 100 == pytest.approx(sum(i % 7 for i in range(1000)) / 1000)
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert thinned([(1.0, 2.0)], 100) == [(1.0, 2.0)]


def test_an_interval_is_drawn_to_scale() -> None:
    svg = parsed(
        intervals("i", "Scores", "two", [Lane("a", 50, 40, 60), Lane("b", 60, 55, 65, 1, False)], reference=50)
    )
    dots = svg.findall(".//circle")
    a, b = (float(d.attrib["cx"]) for d in dots)
    low, high = (float(svg.findall(".//g/line")[0].attrib[x]) for x in ("x1", "x2"))
    assert (low + high) / 2 == pytest.approx(a, abs=0.2)
    assert high == pytest.approx(b, abs=0.2)  # a's upper limit is b's point
    assert "hollow" not in dots[0].attrib["class"]
    assert "hollow" in dots[1].attrib["class"]
    assert "a: 50.0 [40.0, 60.0] %" in text_of(svg)


def test_all_lanes_alike_and_all_values_alike_are_drawn_too() -> None:
    assert "<circle" in intervals("i", "t", "d", [Lane("a", 0, 0, 0)])
    assert "<path" in lines("c", "t", "d", [Line("loss", [(1, 0.0), (2, 0.0)])])
    assert "<circle" in lines("c", "t", "d", [Line("loss", [(1, 2.0)])])  # one step can be seen too


def test_nothing_to_draw_is_nothing() -> None:
    assert intervals("i", "t", "d", []) == ""
    assert lines("c", "t", "d", [Line("loss", [(1, math.nan)])]) == ""
    assert bars("b", "t", "d", [("seed", [("kept", 0)])]) == ""


def test_bars_are_as_long_as_their_counts() -> None:
    svg = parsed(bars("b", "t", "d", [("seed", [("kept", 100), ("taught", 25)]), ("ask", [("kept", 50)])]))
    widths = [float(r.attrib["width"]) for r in svg.findall(".//rect")]
    assert widths[1] / widths[0] == pytest.approx(0.25, abs=0.001)
    assert widths[2] / widths[0] == pytest.approx(0.5, abs=0.001)


def test_stacked_bars_fill_the_same_room_and_tell_shares() -> None:
    svg = parsed(
        bars("b", "t", "d", [("2", [("agrees", 30), ("disagrees", 10)]), ("3", [("agrees", 1)])], stacked=True)
    )
    widths = [float(r.attrib["width"]) for r in svg.findall(".//rect")]
    assert widths[0] + widths[1] == pytest.approx(widths[2], abs=0.2)
    assert "2, agrees: 30 (75.0 %)" in text_of(svg)


def test_labels_of_any_kind_stay_text() -> None:
    for drawing in (
        intervals("i", HOSTILE, HOSTILE, [Lane(HOSTILE, 1, 0, 2)], unit=HOSTILE),
        lines("c", HOSTILE, HOSTILE, [Line(HOSTILE, [(1, 1.0), (2, 3.0)])]),
        bars("b", HOSTILE, HOSTILE, [(HOSTILE, [(HOSTILE, 3)])]),
    ):
        svg = parsed(drawing)  # well-formed XML, so nothing broke out
        assert {element.tag for element in svg.iter()} <= {
            "svg",
            "title",
            "desc",
            "g",
            "line",
            "path",
            "circle",
            "rect",
            "text",
        }
        assert "<script>" in text_of(svg)
        assert "⟨U+202E⟩" in text_of(svg)


def test_every_drawing_has_a_title_and_a_description() -> None:
    svg = parsed(intervals("plot", "Scores on x", "M1: 50.0 percent", [Lane("M1", 50, 40, 60)]))
    named = {e.attrib["id"]: e.text for e in svg if "id" in e.attrib}
    assert [named[i] for i in svg.attrib["aria-labelledby"].split()] == ["Scores on x", "M1: 50.0 percent"]
    assert svg.attrib["role"] == "img"


def test_the_same_numbers_make_the_same_drawing() -> None:
    curve = [Line("loss", [(i, math.sin(i)) for i in range(500)])]
    assert lines("c", "t", "d", curve) == lines("c", "t", "d", curve)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: 1 < 2, {{ x }}", "plain: 1 < 2, {{ x }}"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("dos\r\nline", "dos\nline"),
        ("\x1b[31m\x00", "⟨U+001B⟩[31m⟨U+0000⟩"),
        ("a\u202eb\u200bc\ufeff", "a⟨U+202E⟩b⟨U+200B⟩c⟨U+FEFF⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("שלום 数学 é", "שלום 数学 é"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
@settings(max_examples=100, deadline=None)
def test_visible_text_is_stable_and_can_be_written(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert shown.encode("utf-8").decode() == shown


def test_long_text_is_cut_with_its_length() -> None:
    assert clip("short", 10) == "short"
    assert clip("x" * 1_048_576, 600) == "x" * 600 + " … [cut here: 600 of 1,048,576 characters shown]"
    assert clip("x" * 600, 600, 1_000) == "x" * 600 + " … [cut here: 600 of 1,000 characters shown]"


def parsed(drawing: str) -> ElementTree.Element:
    assert not re.search(r"\bon[a-z]+=|href|<style", drawing.partition(">")[0])
    return ElementTree.fromstring(drawing)


def text_of(svg: ElementTree.Element) -> str:
    return " ".join(svg.itertext())


def test_smoothing_averages_neighbours_and_keeps_a_level() -> None:
    assert smoothed([(i, 3.0) for i in range(50)]) == [(i, 3.0) for i in range(50)]
    assert smoothed([(0, 0.0), (1, 3.0), (2, 6.0)], share=0.1) == [(0, 1.5), (1, 3.0), (2, 4.5)]
    assert smoothed([(0, math.nan), (1, 2.0)]) == [(1, 2.0)]


def test_trails_need_two_places_and_tell_arms_apart_by_shape() -> None:
    point = (1.0, 50.0, 48.0, 52.0)
    assert trails("t", "t", "d", [Trail("a", [point])], x_unit="tokens") == ""
    drawn = trails(
        "t", "t", "d", [Trail(n, [point, (9.0, 60.0, 57.0, 63.0)], i) for i, n in enumerate("abcd")], x_unit="tokens"
    )
    ElementTree.fromstring(drawn)
    shapes = {re.sub(r"^M\S+ \S+?(?=m)", "", d) for d in re.findall(r'class="dot s\d" d="([^"]+)"', drawn)}
    assert len(shapes) == 4


def test_flow_is_as_thick_as_what_is_left() -> None:
    drawn = flow("f", "t", "d", ["written", "kept"], [("seed", (100, 50)), (HOSTILE, (20, 0))])
    ElementTree.fromstring(drawn)
    assert "<script" not in drawn
    assert "seed: 100 written, 50 kept" in drawn
    assert flow("f", "t", "d", ["written"], [("seed", (0,))]) == ""
