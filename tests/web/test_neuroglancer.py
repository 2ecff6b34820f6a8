"""The way to Neuroglancer, from the pages and from a notebook: which viewer it leads to, and for how long."""

from __future__ import annotations

import builtins
import copy
import gc
import json
import logging
import socket
import threading
import urllib.request
import weakref
from urllib.parse import urlsplit

import pytest

from zarrange import Store
from zarrange.errors import NotFoundError, UnknownKindError
from zarrange.web import neuroglancer as way, notebook
from zarrange.web.app import create_app

neuroglancer = pytest.importorskip("neuroglancer")

PAGE = {"accept": "text/html"}


def viewer_at(url):
    """The viewer that an address of the package's server leads to, `None` where it is not live."""
    return neuroglancer.server.global_server.viewers.get(urlsplit(url).path.split("/")[2])


def shown(answer):
    """The state of the viewer that an answer leads to."""
    assert answer.status_code == 303, answer.text
    return viewer_at(answer.headers["location"]).state.to_json()


def names(state):
    return [one["name"] for one in state["layers"]]


def paths(state):
    return [one["source"]["url"].partition("/data/")[2].rpartition("/|")[0] for one in state["layers"]]


class TestRoute:
    def test_it_shows_what_the_compare_page_shows(self, client):
        """The arrays of a run at a step, of what is chosen, are layers."""
        answer = client.get("/neuroglancer?run=r1&iteration=2000&dataset=crop1&parameters=t%3D0.5&.cut=z:3")
        state = shown(answer)
        assert names(state) == [
            *("validation_raw", "validation_prediction", "snapshot_array"),
            *("validation_gt", "validation_output", "best_validation"),
        ]
        assert paths(state)[1] == "r1/validation.zarr/iterations/00002000/crop1/prediction"
        assert state["position"][2] == 3.5

    def test_its_server_is_on_this_machine_only(self, client):
        """The answer leads to 127.0.0.1, and so do the data."""
        answer = client.get("/neuroglancer?run=r1")
        assert urlsplit(answer.headers["location"]).hostname == "127.0.0.1"
        assert {one["source"]["url"].partition("/data/")[0] for one in shown(answer)["layers"]} == {
            "http://127.0.0.1:8000"
        }

    def test_without_a_run_it_is_the_first_one_at_its_last_step(self, client):
        """What is not said is as on the Compare page."""
        assert "r1/validation.zarr/iterations/00003000/crop1/prediction" in paths(shown(client.get("/neuroglancer")))

    def test_two_runs_are_told_apart(self, client):
        """Each run has layers of its own."""
        state = shown(client.get("/neuroglancer?run=r1&run=r2&.show=validation_raw"))
        assert names(state) == ["validation_raw r1", "validation_raw r2"]

    def test_what_the_page_draws_as_labels_is_a_segmentation(self, client):
        """The address says which kinds are labels, and over what they are drawn."""
        state = shown(client.get("/neuroglancer?run=r1&.show=validation_raw,validation_gt&.labels=&.over="))
        assert [one["type"] for one in state["layers"]] == ["image", "image"]

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            (".cut=z", 400),
            (".show=nothing", 400),
            ("iteration=many", 400),
            ("nothing=1", 400),
            (".zoom=near", 400),
            ("run=r1&run=r2&run=r3&run=r4&run=r5&run=r6", 400),
            ("run=r9", 404),
            ("run=..%2F..%2Fetc", 404),
        ],
    )
    def test_what_does_not_fit_is_said(self, client, query, status):
        """A wrong address is refused with what would fit, as JSON or as a page."""
        live = len(neuroglancer.server.global_server.viewers) if neuroglancer.is_server_running() else 0
        answer = client.get(f"/neuroglancer?{query}")
        assert answer.status_code == status
        assert answer.json()["error"]
        page = client.get(f"/neuroglancer?{query}", headers=PAGE)
        assert page.status_code == status
        assert page.headers["content-type"].startswith("text/html")
        assert (len(neuroglancer.server.global_server.viewers) if neuroglancer.is_server_running() else 0) <= live

    def test_the_head_alone_makes_no_viewer(self, client):
        """A HEAD says whether there would be something to show."""
        neuroglancer.server.start()
        before = {*neuroglancer.server.global_server.viewers}
        assert client.head("/neuroglancer?run=r1").status_code == 200
        assert client.head("/neuroglancer?run=r9").status_code == 404
        assert {*neuroglancer.server.global_server.viewers} <= before

    def test_the_oldest_viewer_is_ended(self, client):
        """No more viewers are live than there may be; the newest ones are."""
        urls = [
            client.get("/neuroglancer?run=r1&.show=validation_raw").headers["location"]
            for _ in range(way.MAX_VIEWERS + 2)
        ]
        assert [viewer_at(url) is not None for url in urls] == [False] * 2 + [True] * way.MAX_VIEWERS

    def test_from_another_machine_it_says_why_not(self, store):
        """Who asks by another name than this machine has for itself could not reach the viewer."""
        from tests.web.conftest import Client

        client = Client(create_app(store, hosts={"cluster.example"}), "cluster.example:8000")
        answer = client.get("/neuroglancer?run=r1")
        assert answer.status_code == 501
        assert "this machine only" in answer.json()["error"]
        assert client.get("/neuroglancer?run=r1", headers=PAGE).status_code == 501

    @pytest.mark.usefixtures("without_package")
    def test_without_the_package_it_says_what_to_install(self, client):
        """Without the extra, the answer names it."""
        answer = client.get("/neuroglancer?run=r1")
        assert answer.status_code == 501
        assert "zarrange[neuroglancer]" in answer.json()["error"]
        page = client.get("/neuroglancer?run=r1", headers=PAGE)
        assert page.status_code == 501
        assert "zarrange[neuroglancer]" in page.text


@pytest.fixture
def without_package(monkeypatch):
    """The package is not there."""
    real = builtins.__import__

    def importing(name, *args, **kwargs):
        if name == "neuroglancer":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", importing)


class TestNotebook:
    def test_a_kind_with_filters_is_a_viewer(self, filled):
        """What is found of a kind is shown; the notebook shows a link to it."""
        viewer = filled.neuroglancer("validation_prediction", run="r1", iteration=range(2001))
        assert names(viewer.state.to_json()) == ["validation_prediction 1000", "validation_prediction 2000"]
        assert viewer_at(str(viewer)) is viewer
        assert str(viewer) in viewer._repr_html_()

    def test_identifiers_keys_and_entries_are_taken(self, filled):
        """Whatever names an array of the store does."""
        where = filled.identifier("validation_raw", run="r1")
        key = filled.key(filled.identifier("validation_gt", run="r1"))
        entry = filled.latest("validation_prediction", run="r1")
        state = filled.neuroglancer(where, key, entry).state.to_json()
        assert names(state) == ["validation_raw", "validation_prediction", "validation_gt"]

    def test_filters_alone_choose_among_all_kinds_of_arrays(self, filled):
        """Without a kind, all arrays that have the fields of the filters are shown, and no group."""
        state = filled.neuroglancer(run="r2", iteration=1000).state.to_json()
        assert len(state["layers"]) == 3

    def test_its_server_gives_the_data_and_nothing_else(self, filled):
        """Metadata and chunks are given to the viewer's origin; pages are not there."""
        viewer = filled.neuroglancer("validation_raw", run="r1")
        (layer,) = viewer.state.to_json()["layers"]
        url = layer["source"]["url"].partition("|")[0]
        asked = urllib.request.Request(f"{url}zarr.json", headers={"Origin": "http://127.0.0.1:1"})
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["shape"] == [16, 24, 32]
            assert answer.headers["access-control-allow-origin"] == "http://127.0.0.1:1"
        for place in ("/", "/run?run=r1", "/api/runs"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(url.partition("/data/")[0] + place)

    def test_several_viewers_have_one_server(self, filled):
        """A store has one server for all of its viewers."""
        viewers = [filled.neuroglancer("validation_raw", run="r1") for _ in range(2)]
        assert len({one.state.to_json()["layers"][0]["source"]["url"] for one in viewers}) == 1

    def test_it_lives_as_long_as_the_store_or_the_viewer(self, filled):
        """The server ends when neither the store nor a viewer is held, and not before."""
        store = copy.copy(filled)
        viewer = store.neuroglancer("validation_raw", run="r1")
        server = weakref.ref(viewer.data_server)
        port = urlsplit(server().url).port
        gone = weakref.ref(store)
        del store
        gc.collect()
        assert gone() is None, "neither the viewer nor the server keeps the store"
        assert is_listening(port)
        token = viewer.token
        del viewer
        for _ in range(100):
            gc.collect()
            if server() is None:
                break
        assert server() is None
        thread = next((one for one in threading.enumerate() if one.name == f"zarrange-data-{port}"), None)
        if thread is not None:
            thread.join(20)
        assert not is_listening(port)
        assert token not in neuroglancer.server.global_server.viewers

    def test_a_store_keeps_the_newest_viewers(self, filled):
        """A link that was only printed leads somewhere as long as the store lives, unless many came after it."""
        store = copy.copy(filled)
        urls = [str(store.neuroglancer("validation_raw", run="r1")) for _ in range(notebook.MAX_VIEWERS + 1)]
        gc.collect()
        assert [viewer_at(url) is not None for url in urls] == [False] + [True] * notebook.MAX_VIEWERS

    def test_nothing_found_is_an_empty_viewer_and_a_warning(self, filled, caplog):
        """A run that is not there yet has nothing to show."""
        with caplog.at_level(logging.WARNING):
            viewer = filled.neuroglancer("validation_raw", run="r9")
        assert viewer.state.to_json().get("layers", []) == []
        assert "empty" in caplog.text

    def test_what_is_not_there_is_refused(self, filled):
        """An array that does not exist, a kind that is not there or is none of arrays, and too much are errors."""
        with pytest.raises(NotFoundError):
            filled.neuroglancer(filled.identifier("validation_raw", run="r9"))
        with pytest.raises(UnknownKindError):
            filled.neuroglancer("raw")
        with pytest.raises(ValueError, match="kind of container"):
            filled.neuroglancer("validation")
        with pytest.raises(TypeError, match="run would choose"):
            filled.neuroglancer(filled.identifier("validation_raw", run="r1"), run="r1")

    def test_very_many_arrays_are_refused(self, filled, monkeypatch):
        """More arrays than a viewer shows have to be chosen among."""
        monkeypatch.setattr(notebook, "MAX_LAYERS", 3)
        with pytest.raises(ValueError, match="choose among them"):
            filled.neuroglancer(run="r1")

    @pytest.mark.usefixtures("without_package")
    def test_without_the_package_it_says_what_to_install(self, filled):
        """Without the extra, the error names it."""
        with pytest.raises(ModuleNotFoundError, match=r"zarrange\[neuroglancer\]"):
            filled.neuroglancer("validation_raw", run="r1")

    def test_a_converted_array_comes_from_the_package_itself(self, tmp_path):
        """An array of a type that the client has not is given by the package's server."""
        store = Store(tmp_path / "store", "training")
        store.create(store.identifier("validation_raw", run="r1"), shape=(8, 8), dtype="f8", chunks=(8, 8))
        (layer,) = store.neuroglancer("validation_raw").state.to_json()["layers"]
        assert layer["source"]["url"].startswith("python://volume/")


def is_listening(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
