"""A real browser for the tests in this folder: an installed Chromium, driven by Playwright; without them they skip aloud."""

import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Output
from orcamath.store.seals import read_sealed, write_sealed
from orcamath.view.opened import Opened
from report_run import make_run, seal
from viewing import Served, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"></script></pre>\x00\x1b[2J"
    "\u202ereversed\u2066 javascript:alert(1) <svg onload=alert(1)>"
)
LONG = "y" * 1_000_000
ARGUMENTS = ["--no-sandbox", "--host-resolver-rules=MAP rebound.test 127.0.0.1"]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)


def chromium() -> str | None:
    """Return where a Chromium is, None where there is none."""
    return os.environ.get("ORCAMATH_TEST_CHROMIUM") or next((p for n in NAMES if (p := shutil.which(n))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: install orcamath's extra `browser`")
    found = chromium()
    if found is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} on PATH (ORCAMATH_TEST_CHROMIUM names another)")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


class Tab:
    """A page that keeps what it complained of and where it reached out to."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda m: self.said.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda e: self.said.append(str(e)))
        page.on("dialog", lambda d: (self.said.append(f"dialog: {d.message}"), d.dismiss()))
        page.on("request", lambda r: self.asked.append(r.url))

    def printed(self) -> list[str]:
        """Return the text of every page of A4 that the browser prints, without blanks: paper breaks lines where it likes."""
        pypdf = pytest.importorskip("pypdf", reason="no pypdf: install orcamath's extra `browser`")
        pages = pypdf.PdfReader(io.BytesIO(self.page.pdf(format="A4"))).pages
        return ["".join(page.extract_text().split()) for page in pages]

    def left_alone(self, pages: list[str]) -> list[tuple[int, str]]:
        """Return the headings that end a page of those printed, while what they head is on the next."""
        named = "h1, h2, h3, h4, summary, caption, figcaption, thead"
        found = self.page.evaluate(f"[...document.querySelectorAll('{named}')].map(e => e.textContent)")
        heads = {"".join(text.split()) for text in found} - {""}
        assert any(head in page for head in heads for page in pages)  # what is read is what is written
        return [(i, head) for i, page in enumerate(pages[:-1], 1) for head in heads if page.endswith(head)]

    def width(self) -> int:
        """Return how wide the page would like to be."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def until(self, true: str, seconds: float = 30.0) -> None:
        """Wait until an expression holds; the page's own policy forbids Playwright's way of waiting, which is `eval`."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(true):
            assert time.monotonic() < end, f"still not so: {true}"
            self.page.wait_for_timeout(50)

    def unfold(self) -> None:
        """Open everything that can be opened."""
        self.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")

    def findings(self) -> list[str]:
        """Return axe-core's serious and critical findings."""
        import axe_playwright_python

        script = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
        # a page's own policy lets no script in: this goes through the debugger, as a person's own tools do
        self.page.evaluate(script + "; undefined")
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{v['id']}: {v['nodes'][0]['html'][:200]}"
            for v in found["violations"]
            if v["impact"] in {"serious", "critical"}
        ]


@pytest.fixture
def tab(browser: "Browser") -> Iterator[Tab]:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    yield Tab(page)
    page.close()


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder, store = make_run(tmp_path_factory.mktemp("plain"))
    opened = Opened(folder, store)
    opened.update()
    return opened


@pytest.fixture(scope="session")
def viewer(run: Opened) -> Iterator[Served]:
    with served(run) as found:
        yield found


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    about = "".join(c for c in HOSTILE if c.isprintable()) + LONG[:3_000]  # a recipe with control characters is refused
    folder, store = make_run(tmp_path_factory.mktemp("hostile"), about=about, hostile=HOSTILE)

    def long(out: Output) -> None:
        out.write("problems", [Problem.make(HOSTILE + LONG, "seed", LONG)])
        out.reject(Rejected(item="long", reason=LONG, detail=LONG, text=HOSTILE + LONG), of_call=True)

    pointers = read_sealed(folder / "stages.json") or {}
    made = seal(store, "long", long, "long")
    pointers["stages"].insert(0, {"label": "long", "artifact": made.path.name, "seconds": 0.0, "reused": False})
    write_sealed(folder / "stages.json", pointers)
    opened = Opened(folder, store)
    opened.update()
    return opened


@pytest.fixture(scope="session")
def hostile_viewer(hostile_run: Opened) -> Iterator[Served]:
    with served(hostile_run) as found:
        yield found
