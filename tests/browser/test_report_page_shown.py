"""The report as a person reads it: from disk, on small screens, on paper, in the dark, by keyboard, with hostile text in it."""

from pathlib import Path
from typing import Any

import pytest

from orcamath.report.fold import fold
from orcamath.report.page import write_page
from orcamath.view.opened import Opened


@pytest.fixture(scope="session")
def report(run: Opened) -> Path:
    write_page(fold(run.folder, run.store), run.folder / "report.html")
    return run.folder / "report.html"


@pytest.fixture(scope="session")
def hostile_report(hostile_run: Opened) -> Path:
    write_page(fold(hostile_run.folder, hostile_run.store), hostile_run.folder / "report.html")
    return hostile_run.folder / "report.html"


def show(tab: Any, path: Path) -> None:
    tab.page.goto(path.as_uri())
    tab.page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_serious_finding(tab: Any, report: Path, scheme: str) -> None:
    tab.page.emulate_media(color_scheme=scheme)
    show(tab, report)
    tab.unfold()
    assert tab.findings() == []


def test_every_section_is_linked_and_nothing_is_fetched(tab: Any, report: Path) -> None:
    show(tab, report)
    page = tab.page
    targets = page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href').slice(1))")
    assert len(targets) > 8
    for target in targets:
        page.locator(f"nav a[href='#{target}']").click()
        assert page.evaluate("document.querySelector(':target')?.id") == target
    page.go_back()
    assert page.evaluate("document.querySelector(':target')?.id") == targets[-2]
    assert tab.said == []
    assert tab.asked == [report.as_uri()]
    assert page.locator("script").count() == 0


def test_every_fold_opens_by_keyboard(tab: Any, report: Path) -> None:
    show(tab, report)
    for summary in tab.page.locator("details > summary").all():
        summary.focus()
        tab.page.keyboard.press("Enter")
    assert tab.page.locator("details:not([open])").count() == 0


@pytest.mark.parametrize("width", [500, 360, 1300])
def test_nothing_is_cut_off(tab: Any, report: Path, width: int) -> None:
    tab.page.set_viewport_size({"width": width, "height": 800})
    show(tab, report)
    assert tab.width() <= width
    # what is wider than the screen scrolls in its own frame, which the keyboard reaches
    wide = tab.page.evaluate(
        "[...document.querySelectorAll('table, svg')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".filter(e => !e.closest('[tabindex]')).map(e => e.outerHTML.slice(0, 120))"
    )
    assert wide == []


def test_paper_shows_what_the_screen_can_open(tab: Any, report: Path) -> None:
    show(tab, report)
    tab.page.emulate_media(media="print")
    tab.page.set_viewport_size({"width": 720, "height": 1000})
    hidden = tab.page.evaluate(
        "[...document.querySelectorAll('details pre, details p')].filter(e => !e.checkVisibility()).length"
    )
    assert hidden == 0
    cut = tab.page.evaluate(
        "[...document.querySelectorAll('table, svg')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 160))"
    )
    assert cut == []
    assert len(tab.page.pdf()) > 20_000


def test_no_heading_stands_alone_at_the_foot_of_a_page(tab: Any, report: Path) -> None:
    show(tab, report)
    pages = tab.printed()
    assert len(pages) > 5
    assert tab.left_alone(pages) == []


def test_dark_mode_is_dark(tab: Any, report: Path) -> None:
    tab.page.emulate_media(color_scheme="dark")
    show(tab, report)
    colour = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(part) for part in colour[4:-1].split(",")) < 200


def test_hostile_text_is_inert(tab: Any, hostile_report: Path) -> None:
    show(tab, hostile_report)
    page = tab.page
    tab.unfold()
    assert tab.said == []
    assert tab.asked == [hostile_report.as_uri()]
    assert "owned" not in page.title()
    assert page.evaluate("document.querySelectorAll('script, img, iframe, object, a[href^=javascript]').length") == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every(e => [...e.attributes].every(a => !a.name.startsWith('on')))"
    )
    assert not any(c in page.evaluate("document.body.innerText") for c in "\x00\x1b\u202e\u2066")
    assert tab.width() <= 1300
    assert hostile_report.stat().st_size < 3_000_000
