"""The Compare page in a real browser: what is drawn is what the arrays have, however quickly one slides."""

from __future__ import annotations

import numpy as np
import pytest
from tests.web.browser import painted
from tests.web.comparing import asked, gray, is_gray, seen, slide
from tests.web.conftest import SHAPE, output, prediction, raw, truth

from zarrange import Store
from zarrange.view.colors import label_colors

STEPS = 30


@pytest.fixture
def url(serve, filled):
    """The page for a store that is only read."""
    return f"{serve(filled).url}/compare"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A store with many iterations: the prediction of each has its number everywhere."""
    store = Store.init(tmp_path_factory.mktemp("many") / "runs", "training")
    for step in range(STEPS):
        where = store.identifier("validation_prediction", run="r", iteration=step, dataset="d")
        store.create(where, data=np.full((3, 8, 8), step, "u1"), chunks=(1, 8, 8))
    return store


class TestPictures:
    """Every panel shows what its array has, at the place that the sliders say."""

    def test_pixels_are_the_values(self, pages, url):
        """Each pixel of a gray panel is its array's value in the range that is typed in."""
        page = pages.open(f"{url}?run=r1&iteration=2000&.cut=z:3,c:1&.range=0,1")
        assert is_gray(seen(page, "validation_raw"), raw("r1")[3], 0, 1)
        assert is_gray(seen(page, "validation_prediction"), prediction("r1", 2000)[1, 3], 0, 1)

    def test_own_range(self, pages, url):
        """With a range of its own, each picture goes from black to white."""
        page = pages.open(f"{url}?run=r1&iteration=2000&.cut=z:3,c:0&.range=own")
        values = prediction("r1", 2000)[0, 3]
        assert is_gray(seen(page, "validation_prediction"), values, values.min(), values.max())

    def test_shared_range(self, pages, url):
        """With one range for all, the same value is the same gray in every panel and at every iteration."""
        page = pages.open(
            f"{url}?run=r1&run=r2&iteration=1000&.cut=z:8,c:0&.range=shared&.show=validation_raw,validation_prediction"
        )
        shown = [raw(run)[8] for run in ("r1", "r2")]
        shown += [
            prediction(run, step)[0, 8]
            for run, step in (("r1", 1000), ("r1", 2000), ("r1", 3000), ("r2", 1000), ("r2", 3000))
        ]
        low, high = min(one.min() for one in shown), max(one.max() for one in shown)
        assert is_gray(seen(page, "validation_raw", row=0), shown[0], low, high)
        assert is_gray(seen(page, "validation_raw", row=1), shown[1], low, high)
        assert is_gray(seen(page, "validation_prediction", row=0), prediction("r1", 1000)[0, 8], low, high)
        slide(page, "step", 2)
        painted(page, step=2)
        assert is_gray(seen(page, "validation_prediction", row=1), prediction("r2", 3000)[0, 8], low, high)

    def test_range_of_a_kind_rests(self, pages, url):
        """Unless it is said otherwise, all pictures of a kind share a range, so that sliding shows what changes."""
        page = pages.open(f"{url}?run=r1&iteration=1000&.cut=z:8,c:0")
        all_steps = [prediction("r1", step)[0, 8] for step in (1000, 2000, 3000)]
        low, high = min(one.min() for one in all_steps), max(one.max() for one in all_steps)
        assert is_gray(seen(page, "validation_prediction"), all_steps[0], low, high)
        slide(page, "step", 2)
        painted(page, step=2)
        assert is_gray(seen(page, "validation_prediction"), all_steps[2], low, high)

    def test_labels_have_their_colors(self, pages, url):
        """Labels have the colors that they have everywhere, and nothing where there is no label."""
        page = pages.open(f"{url}?run=r1&iteration=3000&parameters=t=0.5&.cut=z:8,c:0&.over=")
        for kind, values in (("validation_gt", truth()[8]), ("validation_output", output("r1", 3000, "t=0.5")[8])):
            assert np.array_equal(seen(page, kind), label_colors(values))

    def test_labels_lie_over_what_the_layout_says(self, pages, url):
        """Labels lie over the raw data, as opaque as the slider says."""
        page = pages.open(f"{url}?run=r1&.cut=z:8,c:0&.range=0,1&.opacity=0.5")
        colors, base = label_colors(truth()[8]).astype("f8"), gray(raw("r1")[8].astype("f8"), 0, 1)[..., None]
        share = colors[..., 3:] / 255 * 0.5
        wanted = colors[..., :3] * share + base * (1 - share)
        assert np.abs(seen(page, "validation_gt")[..., :3] - wanted).max() <= 3
        page.locator("#opacity").fill("1")
        page.wait_for_timeout(100)
        inside = truth()[8] > 0
        assert np.array_equal(seen(page, "validation_gt")[inside], label_colors(truth()[8])[inside])

    def test_first_pictures_need_no_script(self, pages, url):
        """Without any script there are pictures, and a form that asks for others."""
        page = pages.open(f"{url}?run=r1", java_script_enabled=False)
        sizes = page.locator(".stage img").evaluate_all("images => images.map((one) => one.naturalWidth)")
        assert len(sizes) == 8
        assert set(sizes) == {SHAPE[2]}
        page.locator("#step").select_option("1000")
        page.get_by_role("button", name="Show").click()
        assert "iteration=1000" in page.url
        assert page.locator("[data-kind=validation_prediction] img").get_attribute("src").count("00001000") == 1


class TestSliding:
    """Sliding shows every step, and never an old one in the end."""

    def test_every_step_is_painted(self, pages, serve, many):
        """Once pictures are fetched, each step of the slider is a painted frame of its own."""
        page = pages.open(f"{serve(many).url}/compare?iteration=0&.range=0,{STEPS}")
        page.wait_for_function("() => window.paints.at(-1)?.idle")
        frames = page.evaluate(
            """async (steps) => {
                const input = document.getElementById("slide-step");
                const frames = [];
                for (let step = 1; step < steps; step += 1) {
                    const next = new Promise((done) => {
                        document.addEventListener("painted", (event) => done(event.detail), { once: true });
                    });
                    input.value = step;
                    input.dispatchEvent(new Event("input", { bubbles: true }));
                    frames.push(await next);
                }
                return frames;
            }""",
            STEPS,
        )
        assert [(one["step"], one["complete"]) for one in frames] == [(step, True) for step in range(1, STEPS)]

    def test_the_last_one_stays(self, pages, serve, many):
        """However quickly one slides, what is seen in the end is where the slider is."""
        page = pages.open(f"{serve(many).url}/compare?iteration=0&.range=0,{STEPS}")
        page.evaluate(
            """(steps) => {
                const input = document.getElementById("slide-step");
                for (const step of [...Array(steps).keys(), 3, 27, 11]) {
                    input.value = step;
                    input.dispatchEvent(new Event("input", { bubbles: true }));
                }
            }""",
            STEPS,
        )
        painted(page, step=11)
        page.wait_for_function("() => window.paints.at(-1).idle")
        assert page.evaluate("window.paints.at(-1).step") == 11
        assert is_gray(seen(page, "validation_prediction", (8, 8)), np.full((8, 8), 11), 0, STEPS)
        assert asked(page)["iteration"] == ["11"]

    def test_neighbors_are_fetched_once(self, pages, serve, many):
        """What has been fetched is not asked for again while one slides to and fro."""
        page = pages.open(f"{serve(many).url}/compare?iteration=15&.range=0,{STEPS}")
        page.wait_for_function("() => window.paints.at(-1)?.idle")
        for step in (16, 17, 14, 15):
            slide(page, "step", step)
            painted(page, step=step)
        images = [one for one in pages.asked if "/image/" in one and "size" not in one]
        assert len(set(images)) >= STEPS
        scripted = [one for one in images if "range=" in one]
        # The first picture is in the page, too.
        assert len(scripted) <= len(set(scripted)) + 1

    def test_playing(self, pages, serve, many):
        """Playing goes through all iterations and begins anew."""
        page = pages.open(f"{serve(many).url}/compare?iteration={STEPS - 3}&.range=0,{STEPS}")
        page.locator("#speed").select_option("30")
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("() => window.paints.some((one) => one.step === 1 && one.complete)")
        page.keyboard.press("Space")
        page.wait_for_function("() => document.getElementById('play').getAttribute('aria-pressed') === 'false'")
        complete = page.evaluate("window.paints.filter((one) => one.complete).map((one) => one.step)")
        order = [step for place, step in enumerate(complete) if place == 0 or complete[place - 1] != step]
        assert order[:5] == [STEPS - 3, STEPS - 2, STEPS - 1, 0, 1]


class TestKeys:
    """Everything that is slid and zoomed has a key."""

    def test_arrows(self, pages, url):
        """Left and right change the iteration, up and down z, Home and End go to the ends."""
        page = pages.open(f"{url}?run=r1&iteration=1000&.cut=z:8,c:0")
        for key, step, z in (
            ("ArrowRight", 1, 8),
            ("ArrowUp", 1, 9),
            ("ArrowLeft", 0, 9),
            ("ArrowLeft", 0, 9),
            ("ArrowDown", 0, 8),
            ("End", 2, 8),
            ("Home", 0, 8),
        ):
            page.keyboard.press(key)
            assert painted(page, step=step, cut={"z": z, "c": 0})

    def test_arrows_with_the_focus_on_a_slider(self, pages, url):
        """The arrows mean the same wherever the focus is among the sliders of iterations and z."""
        page = pages.open(f"{url}?run=r1&iteration=1000&.cut=z:8,c:0")
        for slider in ("#slide-step", "#slide-z"):
            page.locator(slider).focus()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowUp")
        assert painted(page, step=2, cut={"z": 10, "c": 0})

    def test_what_is_typed_is_no_command(self, pages, url):
        """Keys that are typed into a field change nothing else."""
        page = pages.open(f"{url}?run=r1&iteration=1000&.range=0,1")
        page.locator("#low").focus()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("-")
        assert page.evaluate("window.paints.at(-1).step") == 0
        assert ".zoom" not in asked(page)

    def test_escape_closes_what_is_open(self, pages, url):
        """Escape, and a click elsewhere, close what was opened, so that it hides no panel."""
        page = pages.open(f"{url}?run=r1")
        opened = page.locator("details.more[open]")
        page.get_by_text("Panels", exact=True).click()
        assert opened.count() == 1
        page.keyboard.press("Escape")
        assert opened.count() == 0
        page.get_by_text("Keys", exact=True).click()
        page.locator("[data-kind=validation_raw] canvas").click()
        assert opened.count() == 0
