"""The Compare page in a real browser: panels go together, the address says all, and trouble stays in its panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.web.browser import painted, pixels
from tests.web.comparing import asked, is_gray, seen, slide
from tests.web.conftest import SHAPE, fill, output, prediction, raw, truth

from zarrange import Store
from zarrange.view.colors import label_colors

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "'\"--></script><script>alert(1)</script>",
    "a&b=c#d?e/f%2e%2e",
    "{{ 7*7 }} \u202e",
)


@pytest.fixture
def url(serve, filled):
    """The page for a store that is only read."""
    return f"{serve(filled).url}/compare"


class TestZooming:
    """All panels show the same place, at the same size."""

    def test_wheel(self, pages, url):
        """The wheel zooms all panels about the place under the pointer."""
        page = pages.open(f"{url}?run=r1&iteration=3000&.cut=z:8,c:0&.over=")
        box = page.locator("[data-kind=validation_gt] canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75)
        for _ in range(5):
            page.mouse.wheel(0, -200)
        page.wait_for_timeout(200)
        zoom = float(asked(page)[".zoom"][0])
        at = [float(one) for one in asked(page)[".at"][0].split(",")]
        assert zoom > 5
        corner = label_colors(truth()[8])[18, 24]
        for kind in ("validation_gt", "best_validation"):
            drawn = pixels(page, kind)
            assert np.array_equal(drawn[int(drawn.shape[0] * 0.75), int(drawn.shape[1] * 0.75)], corner)
        drawn = pixels(page, "validation_gt")
        y, x = (int(one) for one in at)
        assert np.array_equal(drawn[drawn.shape[0] // 2, drawn.shape[1] // 2], label_colors(truth()[8])[y, x])

    def test_buttons_and_dragging(self, pages, url):
        """Buttons zoom, what is larger than its panel is dragged, and one button shows all of it again."""
        page = pages.open(f"{url}?run=r1&.range=0,1&.over=")
        before = pixels(page, "validation_raw")
        for _ in range(4):
            page.get_by_label("Zoom in").click()
        box = page.locator("[data-kind=validation_raw] canvas").bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] - 30, middle[1] - 20, steps=4)
        page.mouse.up()
        y, x = (float(one) for one in asked(page)[".at"][0].split(","))
        assert y > SHAPE[1] / 2
        assert x > SHAPE[2] / 2
        page.mouse.move(0, 0)
        page.get_by_role("button", name="Fit").click()
        assert ".zoom" not in asked(page)
        assert np.array_equal(pixels(page, "validation_raw"), before)

    def test_readout(self, pages, url):
        """Where the pointer is, each panel tells its value and its place."""
        page = pages.open(f"{url}?run=r1&iteration=2000&parameters=t=0.3&.cut=z:3,c:1")
        box = page.locator("[data-kind=validation_raw] canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] * (20.5 / 32), box["y"] + box["height"] * (10.5 / 24))
        values = {
            "validation_raw": f"{raw('r1')[3, 10, 20]:.6g}",
            "validation_gt": str(truth()[3, 10, 20]),
            "validation_prediction": f"{prediction('r1', 2000)[1, 3, 10, 20]:.6g}",
            "validation_output": str(output("r1", 2000, "t=0.3")[3, 10, 20]),
        }
        for kind, value in values.items():
            text = f"{value} at y 10, x 20"
            page.wait_for_function(
                "([kind, text]) => document.querySelector(`[data-kind=${kind}] .value`).textContent === text",
                arg=[kind, text],
            )
        page.mouse.move(0, 0)
        assert page.locator("[data-kind=validation_raw] .value").text_content() == ""


class TestAddress:
    """The address says all of what is looked at."""

    def test_it_gives_the_same_view(self, pages, url):
        """What was chosen is seen again by who opens the address, after a reload, and after going away and back."""
        page = pages.open(f"{url}?run=r1&run=r2")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowUp")
        slide(page, "c", 1)
        for _ in range(3):
            page.keyboard.press("+")
        page.get_by_text("Panels", exact=True).click()
        page.locator("[data-kind-options=validation_raw] .is-shown").uncheck()
        page.locator("[data-kind-options=validation_gt] .over").select_option("validation_prediction")
        page.locator("[data-kind-options=validation_output] .is-labels").uncheck()
        page.get_by_text("Panels", exact=True).click()
        page.locator("#opacity").fill("0.25")
        page.locator("#range").select_option("own")
        painted(page, step=0)
        said = asked(page)
        kinds = ("validation_gt", "validation_prediction", "validation_output")
        before = [pixels(page, kind, row) for kind in kinds for row in (0, 1)]
        assert said.keys() >= {
            "run",
            "iteration",
            ".cut",
            ".zoom",
            ".at",
            ".range",
            ".show",
            ".over",
            ".labels",
            ".opacity",
        }

        def is_as_before(page):
            painted(page, step=0)
            now = [pixels(page, kind, row) for kind in kinds for row in (0, 1)]
            return all(map(np.array_equal, now, before)) and asked(page) == said

        assert is_as_before(pages.open(page.url))
        page.reload()
        assert is_as_before(page)
        page.goto(f"{url.removesuffix('/compare')}/")
        page.go_back()
        assert is_as_before(page)

    def test_other_choices_keep_the_view(self, pages, url):
        """Who chooses other parameters, or a run to stand beside, goes on where they look."""
        page = pages.open(f"{url}?run=r1&iteration=2000&parameters=t=0.3&.cut=z:8,c:1&.zoom=2")
        page.get_by_label("parameters").select_option("t=0.5")
        page.wait_for_url("**parameters=t%3D0.5**")
        painted(page, step=1)
        page.get_by_label("beside").select_option("r2")
        page.wait_for_url("**run=r2**")
        painted(page, step=1)
        said = asked(page)
        assert said["run"] == ["r1", "r2"]
        assert (said["parameters"], said["iteration"]) == (["t=0.5"], ["2000"])
        assert (said[".cut"], said[".zoom"]) == (["z:8,c:1"], ["2"])

    def test_link_is_copied(self, pages, url):
        """A button copies the link to what is seen now."""
        page = pages.open(f"{url}?run=r1&iteration=1000", permissions=["clipboard-read", "clipboard-write"])
        page.keyboard.press("ArrowRight")
        page.get_by_role("button", name="Copy link").click()
        page.get_by_text("copied").wait_for()
        assert "iteration=2000" in page.evaluate("navigator.clipboard.readText()")


class TestRuns:
    """Runs stand beside each other, at the same place."""

    def test_two_runs(self, pages, url):
        """Each run has a row of panels, and one slider moves both."""
        page = pages.open(f"{url}?run=r1&run=r2&iteration=1000&.cut=z:8,c:0&.range=0,2")
        for step, iteration in ((0, 1000), (2, 3000)):
            slide(page, "step", step)
            painted(page, step=step)
            for row, run in enumerate(("r1", "r2")):
                assert is_gray(seen(page, "validation_prediction", row=row), prediction(run, iteration)[0, 8], 0, 2)

    def test_what_one_run_lacks(self, pages, url):
        """What one of the runs has not at an iteration is said in its panel, with where there is one."""
        page = pages.open(f"{url}?run=r1&run=r2&iteration=2000&.range=0,1")
        panel = page.locator("[data-row='1'] [data-kind=validation_prediction]")
        assert panel.locator(".message").text_content() == (
            "There is no validation prediction at iteration 2000. There is one at 1000 and at 3000."
        )
        assert not page.locator("[data-row='0'] [data-kind=validation_prediction] .message").is_visible()
        page.keyboard.press("ArrowRight")
        painted(page, step=2)
        assert not panel.locator(".message").is_visible()


class TestTrouble:
    """What cannot be shown is said in its panel, and the rest of the page goes on."""

    def test_damaged_chunk(self, pages, serve, store):
        """A damaged chunk is said in its panel; all other panels and iterations are drawn."""
        where = store.identifier("validation_prediction", run="r1", iteration=2000, dataset="crop1")
        for chunk in Path(where.path).glob("c/*/*/*/*"):
            chunk.write_bytes(b"damaged")
        pages.refused.add("/image/")
        page = pages.open(f"{serve(store).url}/compare?run=r1&iteration=2000&.cut=z:8,c:0&.range=0,1")
        message = page.locator("[data-kind=validation_prediction] .message")
        assert "cannot be read" in message.text_content()
        assert is_gray(seen(page, "validation_raw"), raw("r1")[8], 0, 1)
        page.keyboard.press("ArrowRight")
        painted(page, step=2)
        assert not message.is_visible()
        assert is_gray(seen(page, "validation_prediction"), prediction("r1", 3000)[0, 8], 0, 1)

    def test_gone_while_one_looks(self, pages, serve, store):
        """An array that is removed while one looks is said to be gone when one comes to it."""
        page = pages.open(f"{serve(store).url}/compare?run=r1&iteration=1000&.cut=z:8,c:0")
        page.wait_for_function("() => window.paints.at(-1)?.idle")
        store.remove(store.identifier("validation_prediction", run="r1", iteration=3000, dataset="crop1"))
        pages.refused.add("/image/")
        page.keyboard.press("End")
        page.keyboard.press("ArrowUp")
        painted(page, step=2, cut={"z": 9, "c": 0})
        assert "there is no array" in page.locator("[data-kind=validation_prediction] .message").text_content()

    def test_beyond_an_array(self, pages, url):
        """Where an array ends before the place that is looked at, its panel says so."""
        page = pages.open(f"{url}?run=r1&.cut=z:12,c:0")
        message = page.locator("[data-kind=snapshot_array] .message")
        assert message.text_content() == "z 12 lies outside of this array."
        for _ in range(5):
            page.keyboard.press("ArrowDown")
        painted(page, cut={"z": 7, "c": 0})
        assert not message.is_visible()

    def test_nothing_at_all(self, pages, serve, tmp_path):
        """A store with nothing in it has a page that says so."""
        page = pages.open(f"{serve(Store.init(tmp_path / 'none', 'training')).url}/compare", wait=False)
        assert page.get_by_text("There is nothing here yet.").is_visible()

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names(self, pages, serve, tmp_path, name):
        """Names of runs, datasets and parameters are shown as they are, and none is ever run."""
        store = Store.init(tmp_path / "runs", "training")
        at = {"run": name, "iteration": 1, "dataset": name}
        image = {"data": np.arange(64, dtype="u1").reshape(8, 8), "attributes": {"axis_names": [name, name]}}
        store.create(store.identifier("validation_prediction", **at), **image)
        store.create(store.identifier("validation_output", **at, parameters=name), **image)
        dialogs = []
        page = pages.open(f"{serve(store).url}/compare", wait=False)
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        painted(page)
        assert is_gray(seen(page, "validation_prediction", (8, 8)), image["data"], 0, 63)
        shown = page.locator(".row h2").text_content().strip()
        assert shown == name.replace("\u202e", "\\u202e")
        assert dialogs == []
        assert page.locator("main img").count() == 0

    def test_large_plane(self, pages, serve, tmp_path):
        """Of a plane that is too large for one picture, the part around what is looked at is shown."""
        store = Store.init(tmp_path / "runs", "training")
        size = 5000
        where = store.identifier("validation_raw", run="r")
        array = store.create(where, shape=(size, size), dtype="u1", chunks=(500, 500))
        array[2000:2500, 2000:2500] = 100
        array[4500:, 4500:] = 200
        page = pages.open(f"{serve(store).url}/compare?.range=0,200&.zoom=10&.at=2250,2250")
        drawn = pixels(page, "validation_raw")
        assert drawn[drawn.shape[0] // 2, drawn.shape[1] // 2].tolist() == [128, 128, 128, 255]
        page.goto(f"{page.url.partition('?')[0]}?.range=0,200&.zoom=10&.at=4750,4750")
        painted(page)
        drawn = pixels(page, "validation_raw")
        assert drawn[drawn.shape[0] // 2, drawn.shape[1] // 2].tolist() == [255, 255, 255, 255]
        assert "of 5000 \u00d7 5000" in page.locator("[data-kind=validation_raw] .note").text_content()


class TestLayouts:
    """No name in a layout means anything to the page."""

    def test_hive(self, pages, serve, tmp_path):
        """The same arrays in another layout look the same."""
        source = fill(tmp_path / "runs", runs=("r1",), iterations=(1000,))
        target = Store.init(tmp_path / "hive", "hive")
        for entry in source.find(["validation_prediction"]):
            target.create(target.identifier(entry.key.kind, **entry.key.values), data=source.open(entry.key)[...])
        page = pages.open(f"{serve(target).url}/compare?.cut=z:8,c:0&.range=0,1")
        assert is_gray(seen(page, "validation_prediction"), prediction("r1", 1000)[0, 8], 0, 1)
