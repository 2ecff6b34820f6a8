"""A store as training leaves it, the application asked in this process, and a real server on a free port."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import ExitStack
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from tests.stores.servers import s3_server
from tests.web.browser import browser, pages  # noqa: F401 - fixtures

from zarrange import Store

RUNS = ("r1", "r2")
ITERATIONS = (1000, 2000, 3000)
PARAMETERS = ("t=0.3", "t=0.5")
SHAPE = (16, 24, 32)
CHUNKS = (8, 12, 16)
SCALED = {"voxel_size": [40, 4, 4], "offset": [0, 8, 16], "units": ["nm", "nm", "nm"]}


def raw(run):
    """What is looked at: a gradient, so that each value tells its place."""
    z, y, x = np.indices(SHAPE)
    return ((z * 10 + y + x) / 255 + RUNS.index(run)).astype("f4")


def truth():
    """Labels: eight blocks, and nothing around them."""
    z, y, x = np.indices(SHAPE)
    labels = 1 + (z // 8) * 4 + (y // 12) * 2 + x // 16
    labels[:, :2] = 0
    return labels.astype("u4")


def prediction(run, iteration):
    """Two channels that come closer to the truth with each iteration."""
    far = 1 - iteration / 4000
    one = (truth() > 0) * (1 - far) + raw(run) % 1 * far
    return np.stack([one, 1 - one]).astype("f4")


def output(run, iteration, parameters):
    """Labels where the prediction is above the threshold."""
    return np.where(prediction(run, iteration)[0] > float(parameters[2:]), truth(), 0).astype("u4")


def dice(run, iteration, parameters):
    """A score that grows."""
    return round(iteration / 4000 + RUNS.index(run) / 100 - abs(float(parameters[2:]) - 0.5) / 10, 4)


def fill(root, runs=RUNS, iterations=ITERATIONS, dataset="crop1", **storage):
    """Make a store of the layout `training`; the second run misses a prediction and an output."""
    store = Store.init(root, "training", **storage)
    image = {"chunks": CHUNKS, "attributes": SCALED, "dimension_names": ["z", "y", "x"]}
    for run in runs:

        def create(kind, data, run=run, **options):
            values = options.pop("values", {})
            store.create(store.identifier(kind, run=run, **values), data=data, **{**image, **options})

        create("validation_raw", raw(run))
        create("validation_gt", truth())
        create("snapshot_array", raw(run)[:8], values={"volume": "raw"})
        for iteration in iterations:
            if (run, iteration) == ("r2", 2000):
                continue
            at = {"iteration": iteration, "dataset": dataset}
            channels = {"chunks": (1, *CHUNKS), "dimension_names": ["c", "z", "y", "x"]}
            create("validation_prediction", prediction(run, iteration), values=at, **channels)
            for parameters in PARAMETERS:
                scores = {"scores": {"dice": dice(run, iteration, parameters), "voi": 4 - iteration / 1000}}
                attributes = {**SCALED, **scores}
                made = output(run, iteration, parameters)
                create("validation_output", made, values={**at, "parameters": parameters}, attributes=attributes)
        create("best_validation", output(run, iterations[-1], "t=0.5"), values={"criterion": "dice"})
    return store


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """A filled store; it is for reading only, whoever changes one takes `store`."""
    return fill(tmp_path_factory.mktemp("filled") / "runs")


@pytest.fixture
def store(filled, tmp_path):
    """A filled store of a test's own."""
    shutil.copytree(filled.root, tmp_path / "runs")
    return Store(tmp_path / "runs")


class Client:
    """Asks an application in this process. What it raises is raised, unless `is_server`, which answers 500."""

    def __init__(self, app, host="127.0.0.1:8000", *, is_server=False):
        self.app = app
        self.base_url = f"http://{host}"
        self.is_server = is_server

    def request(self, method, url, **options):
        return asyncio.run(self._asked(method, url, options))

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def head(self, url, **options):
        return self.request("HEAD", url, **options)

    async def _asked(self, method, url, options):
        async with self.opened() as client:
            return await client.request(method, url, **options)

    def opened(self):
        """The asynchronous client, for who asks several things at once."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=not self.is_server)
        return httpx.AsyncClient(transport=transport, base_url=self.base_url, timeout=60)


@pytest.fixture
def app(store):
    """The application for `store`."""
    from zarrange.web.app import create_app

    return create_app(store)


@pytest.fixture
def client(app):
    """Asks the application for `store`, in this process."""
    return Client(app)


@pytest.fixture
def serve():
    """A function that runs a real server for a store, on a free port of loopback, until the end of the test."""
    from zarrange.web.serving import running

    with ExitStack() as stack:

        def start(store, **options):
            url = stack.enter_context(running(store, **options))
            return SimpleNamespace(url=url, store=store, port=int(url.rpartition(":")[2].rstrip("/")))

        yield start


@pytest.fixture
def served(serve, store):
    """A real server for `store`: its `url` (without a slash at its end), `port`, and the `store`."""
    return serve(store)


@pytest.fixture(scope="session")
def s3():
    """A server of the S3 protocol, for all tests of this process."""
    with s3_server() as server:
        yield server
