"""The viewer as a person uses it: every view, the address bar, the keyboard, small screens, paper, the dark, hostile text."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from orcamath.view.opened import Opened
from viewing import Served

KINDS = ("problems", "lessons", "exercises", "attempts", "verdicts", "pairs", "rejected", "answers", "calls")
VIEWS = [
    "#/live",
    *(f"#/records/{kind}" for kind in KINDS),
    "#/compare",
    *(f"#/doubts/{name}" for name in ("teacher", "known", "judges", "duplicates", "contamination")),
    "story",
    "record",
]


def show(tab: Any, viewer: Served, address: str) -> None:
    """Open a view of `VIEWS`, or a child's `story`, or a lesson's `record`."""
    if address == "story":
        address = f"#/story/{a_child(viewer)}"
    elif address == "record":
        address = f"#/records/lessons?open={viewer.ask('api/records?kind=lessons').json()['rows'][0]['name']}"
    tab.page.goto(viewer.address + address)
    tab.page.wait_for_selector("#main h1")
    tab.page.wait_for_load_state("networkidle")


def a_child(viewer: Served) -> str:
    return str(viewer.ask("api/records?kind=lessons&origin=seed").json()["rows"][0]["problem"])


@pytest.mark.parametrize("address", VIEWS)
def test_every_view_opens_and_nobody_complains(tab: Any, viewer: Served, address: str) -> None:
    show(tab, viewer, address)
    assert tab.said == []
    assert all(url.startswith(viewer.address) for url in tab.asked)
    assert tab.page.locator(".error").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", VIEWS)
def test_axe_has_no_serious_finding(tab: Any, viewer: Served, address: str, scheme: str) -> None:
    tab.page.emulate_media(color_scheme=scheme)
    show(tab, viewer, address)
    tab.unfold()
    assert tab.findings() == []


@pytest.mark.parametrize("address", ["#/records/problems", "record", "story", "#/compare"])
def test_axe_has_no_serious_finding_on_a_small_screen(tab: Any, viewer: Served, address: str) -> None:
    tab.page.set_viewport_size({"width": 500, "height": 800})
    show(tab, viewer, address)
    assert tab.findings() == []


def test_dark_mode_is_dark(tab: Any, viewer: Served) -> None:
    def light() -> float:
        colour = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(","))

    tab.page.emulate_media(color_scheme="light")
    show(tab, viewer, "#/live")
    day = light()
    tab.page.emulate_media(color_scheme="dark")
    assert light() < 200 < 600 < day


@pytest.mark.parametrize("address", VIEWS)
def test_at_500_pixels_nothing_is_cut_off(tab: Any, viewer: Served, address: str) -> None:
    tab.page.set_viewport_size({"width": 500, "height": 800})
    show(tab, viewer, address)
    tab.unfold()
    assert tab.width() <= 500


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.21, "3.2 s"), (59.4, "59 s"), (719.8, "12 min 0 s"), (3599.9, "1 h 0 min"), (5000, "1 h 23 min")],
)
def test_times_in_words(tab: Any, viewer: Served, seconds: float, words: str) -> None:
    show(tab, viewer, "#/live")
    assert tab.page.evaluate(f"import('./parts.js').then(parts => parts.duration({seconds}))") == words


def test_search_filters_order_and_pages(tab: Any, viewer: Served) -> None:
    show(tab, viewer, "#/records/problems")
    page = tab.page
    assert page.locator(".pages [role=status]").inner_text() == "1 to 50 of 58"
    page.get_by_role("button", name="next →").click()
    tab.until("document.querySelector('.pages [role=status]')?.textContent === '51 to 58 of 58'")
    page.go_back()
    tab.until("document.querySelector('.pages [role=status]')?.textContent === '1 to 50 of 58'")
    page.locator("fieldset", has_text="origin").get_by_role("button", name="suggester_editor").click()
    tab.until("document.querySelector('.pages [role=status]')?.textContent === '1 to 10 of 10'")
    page.keyboard.press("/")
    page.keyboard.type("ada")
    tab.until("document.querySelectorAll('[data-row]').length === 2")
    assert "q=ada" in page.url
    assert "origin=suggester_editor" in page.url
    page.keyboard.press("Escape")
    page.get_by_role("link", name="clear all filters").click()
    tab.until("document.querySelectorAll('[data-row]').length > 2")
    page.get_by_label("Order").select_option("longest")
    page.wait_for_url("**order=longest**")
    assert tab.said == []


def test_deep_links_reload_and_the_back_button(tab: Any, viewer: Served) -> None:
    show(tab, viewer, "#/records/lessons?origin=seed")
    page = tab.page
    page.locator("[data-row]").nth(2).click()
    page.wait_for_selector(".detail article")
    told, address = page.locator(".detail h2 code").inner_text(), page.url
    page.reload()
    page.wait_for_selector(".detail article")
    assert page.locator(".detail h2 code").inner_text() == told
    page.locator("[data-story]").click()
    page.wait_for_selector(".tree")
    page.go_back()
    page.wait_for_selector(".detail article")
    assert page.url == address
    page.go_back()
    tab.until("!document.querySelector('.split.open')")


def test_the_keyboard_does_it_all(tab: Any, viewer: Served, run: Opened) -> None:
    show(tab, viewer, "#/live")
    page = tab.page
    page.keyboard.press("2")
    page.wait_for_selector("[data-row]")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(".detail article")
    first = page.locator(".detail h2 code").inner_text()
    page.keyboard.press("j")
    tab.until(f"document.querySelector('.detail h2 code').textContent !== '{first}'")
    page.keyboard.press("g")
    tab.until("document.querySelector('.mark [role=status]').textContent.includes('good')")
    marked = json.loads((run.folder / "marks.jsonl").read_text().splitlines()[-1])
    assert marked["mark"] == "good"
    assert marked["id"].startswith(page.locator(".detail h2 code").inner_text())
    page.keyboard.press("s")
    page.wait_for_selector(".tree")
    page.go_back()
    page.wait_for_selector(".detail article")
    page.keyboard.press("Escape")
    tab.until("!document.querySelector('.split.open')")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    assert tab.said == []


def test_two_students_compared(tab: Any, viewer: Served) -> None:
    show(tab, viewer, "#/compare")
    page = tab.page
    page.wait_for_selector(".figures")
    gained = page.locator("details.card").count()
    assert gained > 0
    page.locator("details.card summary").first.click()
    assert page.locator("details.card").first.locator("pre").count() == 2
    page.get_by_role("button", name="lost").click()
    page.wait_for_url("**side=lost**")


@pytest.mark.parametrize("address", VIEWS)
def test_on_paper_there_is_no_bar_and_nothing_is_cut_off(tab: Any, viewer: Served, address: str) -> None:
    show(tab, viewer, address)
    page = tab.page
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})
    assert not page.locator("nav").first.is_visible()
    heights = page.evaluate("[...document.querySelectorAll('pre')].map(p => getComputedStyle(p).maxHeight)")
    assert set(heights) <= {"none"}
    hidden = "[...document.querySelectorAll('details pre, details p')].filter(e => !e.checkVisibility()).length"
    assert page.evaluate(hidden) == 0
    assert tab.width() <= 720
    assert tab.left_alone(tab.printed()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_filter_shows_as_many_as_it_says(tab: Any, viewer: Served, kind: str) -> None:
    show(tab, viewer, f"#/records/{kind}")
    page, status = tab.page, "document.querySelector('.pages [role=status]')?.textContent"
    groups, n_tried = page.locator(".facets fieldset"), 0
    for group in range(groups.count()):
        for nth in range(groups.nth(group).get_by_role("button").count()):
            n_tried += 1
            button = page.locator(".facets fieldset").nth(group).get_by_role("button").nth(nth)
            number = button.locator("span").last.inner_text()
            button.click()
            tab.until(f"{status}.endsWith(' of {number}')")
            page.get_by_role("link", name="clear all filters").click()
            tab.until(f"!location.hash.includes('=') && !{status}.endsWith(' of 0')")
            tab.until("!document.querySelector('.facets button[aria-pressed=true]')")
    assert n_tried > 1 or kind in {"attempts", "calls"}  # of one model, and all ended alike: nothing to choose
    assert tab.said == []


@pytest.mark.parametrize("address", VIEWS)
def test_hostile_text_is_inert(tab: Any, hostile_viewer: Served, address: str) -> None:
    show(tab, hostile_viewer, address)
    page = tab.page
    tab.unfold()
    row = page.locator("[data-row]")
    if row.count() and "records" in address:
        row.first.click()
        page.wait_for_selector(".detail article")
    assert tab.said == []
    assert "owned" not in page.title()
    assert page.evaluate("document.querySelectorAll('script, img, svg, iframe, object').length") == 1  # our own script
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every(e => [...e.attributes].every(a => !a.name.startsWith('on')))"
    )
    assert not any(c in page.evaluate("document.body.innerText") for c in "\x00\x1b\u202e\u2066")
    assert page.evaluate("[...document.querySelectorAll('a')].every(a => !a.href.startsWith('javascript'))")
    assert tab.width() <= 1300


class Anyone(BaseHTTPRequestHandler):
    """A site that lets every page read it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()

    def log_message(self, *said: object) -> None:
        pass


def test_the_policy_lets_nothing_in_and_nothing_out(tab: Any, viewer: Served) -> None:
    page = tab.page
    with HTTPServer(("127.0.0.1", 0), Anyone) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        sent = f"fetch('http://127.0.0.1:{site.server_port}/').then(() => 'sent', () => 'refused')"
        page.set_content("<p>a page without a policy</p>")
        assert page.evaluate(sent) == "sent"
        show(tab, viewer, "#/live")
        assert page.evaluate(sent) == "refused"
        site.shutdown()
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.head.append(s); }"
    )
    assert page.evaluate("window.ran") is None
    page.evaluate(
        "() => { const i = new Image(); i.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; document.body.append(i); }"
    )
    for directive in ("connect-src", "script-src", "img-src"):
        assert any("Content Security Policy" in said and directive in said for said in tab.said), directive


def test_strangers_are_refused(tab: Any, viewer: Served) -> None:
    page, here = tab.page, f"http://127.0.0.1:{viewer.port}"
    paths = ("", "api/live", f"{viewer.token[:-1]}x/", f"{viewer.token}/..%2frecipe.yaml", f"{viewer.token}/raw/..%2f1")
    for path in paths:
        assert page.goto(f"{here}/{path}").status in {403, 404}
        assert "trial" not in page.content()
    # a name of a stranger's that points to this machine: Chromium is told so below `conftest`
    assert page.goto(f"http://rebound.test:{viewer.port}/{viewer.token}/").status == 421
    page.goto("data:text/html,<title>elsewhere</title>")
    asked = f"fetch('{viewer.address}api/live', {{mode: 'no-cors'}}).then(r => r.type, () => 'refused')"
    assert page.evaluate(asked) in {"opaque", "refused"}  # what came back, if anything did, is not for its eyes
    page.set_content(f"<iframe src='{viewer.address}'></iframe>")
    page.wait_for_timeout(500)
    assert [frame.url for frame in page.frames[1:] if frame.url.startswith("http")] == []
