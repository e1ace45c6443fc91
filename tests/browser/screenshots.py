"""The pictures in the README and in docs/: `python tests/browser/screenshots.py RUN STORE`, of a run of the classroom.

Needs orcamath's extra `browser` and a Chromium, as the tests beside it. Writes `docs/images/*.png`.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from conftest import ARGUMENTS, chromium
from orcamath.report.fold import fold
from orcamath.report.page import write_page
from orcamath.store.artifacts import Store
from orcamath.view.opened import Opened
from viewing import served

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = {"width": 1280, "height": 760}
SETTLED_MS = 3_000
"""The live page fills itself from time to time: there is no last moment to wait for."""


def main(run: Path, store: Path) -> None:
    """Open the run and take every picture."""
    opened = Opened(run, Store(store))
    opened.update()
    write_page(fold(run, opened.store), run / "report.html")
    IMAGES.mkdir(exist_ok=True)
    with served(opened) as viewer, sync_playwright() as playwright:
        rows = viewer.ask("api/records?kind=attempts&agreement=some&order=longest").json()["rows"]
        shown = {
            "viewer-live": viewer.address + "#/live",
            "viewer-records": f"{viewer.address}#/records/attempts?agreement=some&order=longest&open={rows[0]['name']}",
            "viewer-story": f"{viewer.address}#/story/{rows[0]['problem']}",
            "viewer-compare": viewer.address + "#/compare",
            "report": (run / "report.html").resolve().as_uri(),
        }
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for name, address in shown.items():
            page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
            page.goto(address)
            page.wait_for_selector("h1")
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=IMAGES / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
