"""How many steps a second the Compare page shows while one slides: painted frames, counted in a real browser.

    python tests/bench/sliding.py [--steps 64] [--side 256]

All pictures are fetched first; then the slider moves one step an animation frame, to and fro, for some seconds. A frame
counts if every panel shows the step that the slider is at. The same is done on pages that have fetched nothing yet:
there, frames are as many as the server makes pictures.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zarrange import Store
from zarrange.web.serving import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-gpu")
DEPTH = 4
SECONDS = 5
SLIDING = """async ([seconds, steps]) => {
    const input = document.getElementById("slide-step");
    const seen = { complete: 0, painted: 0 };
    let last = -1;
    const count = ({ detail }) => {
        seen.painted += 1;
        if (detail.complete && detail.step === input.valueAsNumber && detail.step !== last) {
            seen.complete += 1;
            last = detail.step;
        }
    };
    document.addEventListener("painted", count);
    const began = performance.now();
    let moved = 0;
    while (performance.now() - began < 1000 * seconds) {
        const place = moved % (2 * steps - 2);
        input.value = place < steps ? place : 2 * steps - 2 - place;
        input.dispatchEvent(new Event("input", { bubbles: true }));
        moved += 1;
        await new Promise(requestAnimationFrame);
    }
    const took = (performance.now() - began) / 1000;
    document.removeEventListener("painted", count);
    return { moved: moved / took, painted: seen.painted / took, complete: seen.complete / took };
}"""


def main() -> int:
    """Make a store, serve it, slide, and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        sys.stderr.write(f"there is no browser: none of {', '.join(NAMES)}\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Path(folder) / "runs", options.steps, options.side)
        with running(store) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS])
            shown = "validation_raw,validation_gt,validation_prediction,validation_output"
            for name, query in (("4 panels", f".show={shown}"), ("2 runs, 8 panels", f"run=r1&run=r2&.show={shown}")):
                measure(browser, f"{url}/compare?{query}&.range=0,1", f"{name} of {options.side}²", options.steps)
            browser.close()
    return 0


def fill(root: Path, steps: int, side: int) -> Store:
    """Make two runs whose predictions move a little with each step."""
    store = Store.init(root, "training")
    z, y, x = np.indices((DEPTH, side, side), dtype="f4")
    chunks = (DEPTH, min(64, side), min(64, side))
    for run in ("r1", "r2"):

        def create(kind: str, data: np.ndarray[Any, Any], run: str = run, **values: object) -> None:
            store.create(store.identifier(kind, run=run, **values), data=data, chunks=chunks)

        create("validation_raw", ((x + y) / (2 * side)).astype("f4"))
        create("validation_gt", (1 + x // 32 + (y // 32) * 64).astype("u4"))
        for step in range(steps):
            at: dict[str, Any] = {"iteration": step, "dataset": "d"}
            create("validation_prediction", ((np.sin((x + 4 * step) / 20) + np.cos(y / 15 + z)) / 4 + 0.5), **at)
            create("validation_output", (1 + (x + step) // 32 + (y // 32) * 64).astype("u4"), **at, parameters="p")
    return store


def measure(browser: Browser, address: str, name: str, steps: int) -> None:
    """Slide on a page that has fetched nothing, and on one that has fetched all."""
    for is_fetched in (False, True):
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.add_init_script('document.addEventListener("painted", ({ detail }) => { window.isIdle = detail.idle; });')
        page.goto(f"{address}&iteration={steps // 2}")
        if is_fetched:
            _fetch(page)
        found = page.evaluate(SLIDING, [SECONDS, steps])
        what = "all is fetched" if is_fetched else "nothing is fetched"
        print(  # noqa: T201 - it is what this program is for
            f"{name}, {what}: {found['complete']:.0f} steps a second are seen "
            f"({found['painted']:.0f} frames painted, {found['moved']:.0f} moves of the slider)"
        )
        page.context.close()


def _fetch(page: Page) -> None:
    page.wait_for_function("() => window.isIdle === true", timeout=120_000)


if __name__ == "__main__":
    sys.exit(main())
