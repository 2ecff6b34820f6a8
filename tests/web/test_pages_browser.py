"""The pages in a real browser: what scripts add, how wide and how dark they are, and who can use them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.web.browser import axe, violations
from tests.web.conftest import fill

from zarrange import Store
from zarrange.stores.amounts import in_bytes
from zarrange.view.runs import run_size
from zarrange.web.serving import running

PREDICTION = "r1/validation.zarr/iterations/00001000/crop1/prediction"
ADDRESSES = ("/", "/run?run=r2", "/scores?run=r1&run=r2", f"/array/{PREDICTION}", "/?.filter=nothing")
NARROW = {"width": 400, "height": 800}
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "'\"--></script><script>alert(1)</script>",
    "javascript:alert(1)//&#x3c;",
    "{{ 7*7 }} \u202e",
)


@pytest.fixture(scope="module")
def url(filled):
    """Where a store is shown that is only read."""
    with running(filled) as address:
        yield address.rstrip("/")


@pytest.fixture
def many(serve, tmp_path):
    """Where a store of many runs is shown: more than one page has."""
    for number in range(230):
        (tmp_path / f"run-{number:03}" / "validation.zarr").mkdir(parents=True)
    return serve(Store(tmp_path, "training")).url


def filled_in(page, run):
    """Wait until the row of a run is filled in, and return the texts of its cells."""
    page.wait_for_selector(f'tr[data-ask="run={run}"][data-filled]')
    row = page.locator(f'tr[data-ask="run={run}"]')
    names = ("kinds", "count", "range", "size", "modified")
    return {name: row.locator(f'[data-cell="{name}"]').inner_text() for name in names}


def shown_rows(page):
    return page.locator("tr[data-ask]:visible th").all_inner_texts()


def holding(pages, url, address):
    """Show the table of one run, and hold back what its script asks for at an address: the page, and the request."""
    page = pages.open(f"{url}/run?run=r2")  # asks for none itself
    held = []
    page.route(address, lambda route: held.append(route), times=1)  # noqa: PLW0108 (Playwright marks its handlers)
    page.goto(f"{url}/?.filter=r2")
    while not held:
        page.wait_for_timeout(10)
    return page, held[0]


class TestTable:
    """What the script of the table of runs does."""

    def test_counts_and_sizes_are_filled_in(self, url, filled, pages):
        """Each row gets what its run has, as the server would have written it."""
        page = pages.open(url)
        by_server = pages.open(f"{url}/?.full=1")
        for run in ("r1", "r2"):
            cells = filled_in(page, run)
            whole = by_server.locator(f'tr[data-ask="run={run}"]')

            assert cells["size"] == in_bytes(run_size(filled, run))
            for name, text in cells.items():
                assert whole.locator(f'[data-cell="{name}"]').inner_text() == text, name

    def test_only_rows_in_view_are_asked_for(self, many, pages):
        """What is not seen is not asked for, until it is scrolled to."""
        page = pages.open(many)
        filled_in(page, "run-000")
        asked = {url for url in pages.asked if "summary" in url}
        assert not any("run-150" in one for one in asked)

        page.locator('tr[data-ask="run=run-150"]').scroll_into_view_if_needed()
        assert filled_in(page, "run-150")["count"] == "0"

    def test_what_cannot_be_known_is_said(self, serve, store, pages):
        """Where the server cannot tell how much a run has, its row says why, and the others are filled in."""
        Path(store.root, PREDICTION, "zarr.json").write_text("{")
        pages.refused.add("api/runs/size?run=r1")
        page = pages.open(serve(store).url)
        broken = filled_in(page, "r1")

        assert broken["size"] == "unknown"
        assert "1 unreadable place" in broken["kinds"]
        assert PREDICTION in broken["kinds"]
        assert filled_in(page, "r2")["size"].endswith("KiB")

    def test_the_filter_hides_rows_while_one_types(self, url, pages):
        """The table follows the filter without a button, and so does the address."""
        page = pages.open(url)
        assert page.locator("#filter button").is_hidden()
        page.fill("#pattern", "R2")
        page.wait_for_url("**/?.filter=R2")

        assert shown_rows(page) == ["r2"]
        assert "1 of 2 runs" in page.locator("#found").inner_text()
        assert filled_in(page, "r2")["size"]

    def test_the_filter_finds_what_is_on_other_pages(self, many, pages):
        """A name that is not on this page is found, too."""
        page = pages.open(many)
        assert "run-229" not in shown_rows(page)
        page.fill("#pattern", "run-22")
        page.wait_for_url("**/?.filter=run-22")

        assert shown_rows(page) == [f"run-22{number}" for number in range(10)]

    def test_chosen_runs_stay_chosen(self, url, pages):
        """What is chosen stays so while a filter hides it, and all chosen ones are compared."""
        page = pages.open(url)
        assert page.get_by_role("button", name="Scores").is_disabled()
        page.get_by_label("Choose r1").check()
        page.fill("#pattern", "r2")
        page.wait_for_url("**/?.filter=r2")
        page.get_by_label("Choose r2").check()

        assert page.locator("#chosen").inner_text() == "2 chosen"
        page.get_by_role("button", name="Scores").click()
        page.wait_for_url("**/scores?*")
        assert sorted(re.findall(r"run=(\w+)", page.url)) == ["r1", "r2"]
        assert page.locator("fieldset :checked").count() == 2

    def test_what_is_pressed_stays_where_it_is(self, url, pages):
        """Rows that are filled in push down what is below them, but no button from under a finger."""
        page, summary = holding(pages, url, "**/api/runs/summary?*")
        page.get_by_label("Choose r2").check()
        button = page.get_by_role("button", name="Scores")
        before = button.bounding_box()
        page.mouse.move(before["x"] + 5, before["y"] + 5)
        page.mouse.down()
        with page.expect_response("**/api/runs/summary?*"):
            summary.continue_()
        page.wait_for_timeout(300)
        assert button.bounding_box() == before

        page.mouse.up()
        page.wait_for_url("**/scores?*")

    def test_sizes_move_nothing(self, url, pages):
        """A size, which comes last, has its place: what is below its row stays where it is."""
        page, size = holding(pages, url, "**/api/runs/size?*")
        button = page.get_by_role("button", name="Scores")
        before = button.bounding_box()
        size.continue_()
        filled_in(page, "r2")

        assert button.bounding_box() == before

    def test_without_any_script(self, url, filled, pages):
        """Without scripts the filter is a form, and a link leads to the whole table."""
        page = pages.open(url, java_script_enabled=False)
        page.get_by_role("link", name="Show counts and sizes, too").click()
        page.wait_for_url("**/?.full=1")
        assert in_bytes(run_size(filled, "r1")) in page.locator("tr", has_text="r1").first.inner_text()

        page.get_by_label("Filter by name").fill("r2")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**/?.filter=r2*")
        assert shown_rows(page) == ["r2"]
        page.get_by_label("Choose r2").check()
        page.get_by_role("button", name="Scores").click()
        page.wait_for_url("**/scores?run=r2")
        assert page.locator("fieldset :checked").count() == 1


class TestScores:
    """The plot, for who points at it."""

    def test_a_point_leads_to_where_it_is(self, url, pages):
        """A click on a point of the plot opens the comparison at its place."""
        page = pages.open(f"{url}/scores?run=r1&.score=scores.dice&parameters=t%3D0.5")
        point = page.locator("svg.wide a").nth(1)
        assert point.get_attribute("aria-label") == "scores.dice 0.5 at iteration 2000"

        point.click()
        page.wait_for_url("**/compare?*")
        assert "iteration=2000" in page.url
        assert "parameters=t%3D0.5" in page.url

    def test_the_form(self, url, pages):
        """The form shows another score, on another scale."""
        page = pages.open(f"{url}/scores")
        page.get_by_label("Score", exact=True).select_option("scores.voi")
        page.get_by_label("logarithmic scale").check()
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**.log=1")

        assert page.locator("h2").first.inner_text().startswith("scores.voi")


class TestArray:
    """The page of one array."""

    def test_code_is_copied(self, url, pages):
        """The button copies the code as it stands."""
        page = pages.open(f"{url}/array/{PREDICTION}", permissions=["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy").first.click()
        page.get_by_text("Copied").wait_for()

        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator("#python").inner_text()
        assert copied.startswith("from zarrange import Store")

    def test_code_is_selected_where_nothing_may_be_copied(self, url, pages):
        """Without a clipboard the code is selected, so that one key copies it."""
        page = pages.open(f"{url}/array/{PREDICTION}")
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
        page.get_by_role("button", name="Copy").nth(1).click()
        page.get_by_text("Selected").wait_for()

        assert page.evaluate("getSelection().toString().trim()").startswith("import zarr")

    def test_the_picture_is_drawn(self, url, pages):
        """The picture is one of the array, and another place shows another."""
        page = pages.open(f"{url}/array/{PREDICTION}")
        image = page.locator(".picture img")
        assert image.evaluate("(one) => one.decode().then(() => [one.naturalWidth, one.naturalHeight])") == [32, 24]
        page.get_by_label("z 0").fill("3")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**.index=0&.index=3")

        assert "cut=c%3A0%2Cz%3A3" in page.locator(".picture img").get_attribute("src")

    def test_why_there_is_no_picture(self, serve, store, pages):
        """Where an array is no picture, the page says why in its place."""
        store.create(store.identifier("snapshot_array", run="r1", volume="scalar"), data=np.array(1.0))
        pages.refused.add("/image/")
        page = pages.open(f"{serve(store).url}/array/r1/snapshot.zarr/scalar")
        notice = page.locator(".picture .notice")
        notice.wait_for()

        assert "no dimensions, only one value" in notice.inner_text()


class TestLooks:
    """How pages look, to whom."""

    def test_names_as_long_as_can_be(self, serve, tmp_path, pages):
        """Names as long as a file system takes do not make pages wider."""
        fill(tmp_path, runs=("r1",), iterations=(1000,), dataset="d" * 250)
        store = Store(tmp_path)
        (tmp_path / ("r" * 255) / "validation.zarr").mkdir(parents=True)
        served = serve(store)
        for address in (
            "/",
            f"/run?run={'r' * 255}",
            "/run?run=r1",
            "/scores",
            f"/array/{PREDICTION.replace('crop1', 'd' * 250)}",
        ):
            page = pages.open(f"{served.url}{address}", viewport=NARROW)
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], address

    def test_trouble_is_not_wide_either(self, serve, store, pages):
        """What is said of a long path that cannot be read does not make pages wider."""
        Path(store.root, PREDICTION, "zarr.json").write_text("{")
        pages.refused.add("/api/runs/size")
        url = serve(store).url
        page = pages.open(url, viewport=NARROW)
        assert PREDICTION in filled_in(page, "r1")["kinds"]
        for address in ("/", "/run?run=r1", "/scores", "/run?run=" + "x" * 300):
            pages.refused.add("xxx")
            page = page if address == "/" else pages.open(f"{url}{address}", viewport=NARROW)
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], address

    def test_dark_mode(self, url, pages):
        """Pages are dark where the system is, the button turns that, and the choice lasts."""
        page = pages.open(url, color_scheme="dark")
        shade = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
        assert page.evaluate(shade) < 64

        page.get_by_role("button", name="Dark mode").click()
        assert page.evaluate(shade) > 200
        page.goto(f"{url}/scores")
        assert page.evaluate(shade) > 200
        assert page.get_by_role("button", name="Dark mode").get_attribute("aria-pressed") == "false"

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_anybody_can_use_it_anywhere(self, url, address, pages):
        """axe-core finds nothing serious on a page, wide and light or narrow and dark; none is wider than a phone."""
        script = axe()
        page = pages.open(f"{url}{address}", color_scheme="light", reduced_motion="reduce")
        page.wait_for_load_state("networkidle")
        assert violations(page, script) == []

        page.emulate_media(color_scheme="dark")
        page.set_viewport_size(NARROW)
        assert violations(page, script) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]

    def test_an_error_is_a_page(self, url, pages):
        """A run that is gone is a page that leads back, and it is as usable."""
        pages.refused.add("run=gone")
        page = pages.open(f"{url}/run?run=gone")

        assert violations(page, axe()) == []
        page.get_by_role("link", name="All runs").click()
        page.wait_for_url(f"{url}/")
        assert shown_rows(page) == ["r1", "r2"]

    def test_keys_lead_through_a_page(self, url, pages):
        """The first tab skips to the content, and what has the focus is seen."""
        page = pages.open(url)
        page.keyboard.press("Tab")
        link = page.locator(":focus")
        assert link.inner_text() == "Skip to the content"
        assert link.bounding_box()["y"] >= 0

        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


class TestHostileNames:
    """Nothing in a name is run by a browser."""

    def test_names_stay_names(self, serve, tmp_path, pages):
        """Hostile names of runs, datasets and attributes are texts, on pages and in what scripts fill in."""
        store = Store(tmp_path, "training")
        for name in HOSTILE:
            where = store.identifier("validation_prediction", run=name, iteration=1, dataset=name)
            store.create(where, shape=(4, 4), dtype="f4", attributes={name: {name: name}, "score": 1.0})
        served = serve(store)
        page = pages.open(served.url)
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.wait_for_function("() => document.querySelectorAll('tr[data-filled]').length === 4")
        page.fill("#pattern", HOSTILE[0][:12])
        page.wait_for_function("() => document.querySelectorAll('tr[data-ask]').length === 1")
        assert shown_rows(page) == [HOSTILE[0]]

        for name in HOSTILE:
            page.goto(served.url)
            page.locator("tr[data-ask] a", has_text=name.replace("\u202e", "").strip()).click()
            page.wait_for_url("**/run?*")
            where = store.layout.render("validation_prediction", run=name, iteration=1, dataset=name)
            page.goto(f"{served.url}/array/{where.path.replace('%', '%25')}")
            page.wait_for_load_state("networkidle")
        assert dialogs == []
        assert page.locator("img").count() == 1
