"""Work in batches over executors: threads, processes, Dask's, and one that has only what is needed."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import dask
import distributed
import numpy as np
import pytest

from zarrange import Key, Layout, Store, StoreError
from zarrange.errors import FieldError
from zarrange.stores import spreading
from zarrange.stores.spreading import spread

EXECUTORS = ["here", "own threads", "threads", "processes", "dask", "minimal"]


@pytest.fixture(scope="module")
def client():
    """A client of a cluster of Dask on this machine, in which no work is tried again when its worker dies."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=60,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(3) as pool:
        yield pool


class Minimal(Executor):
    """An executor with nothing but `submit`, and futures with nothing but `result`."""

    class Promise:
        def __init__(self, function):
            self.function = function

        def result(self):
            return self.function()

    def submit(self, function):
        return self.Promise(function)


@pytest.fixture
def options(request):
    """What `spread` is to work with: the executor or threads that the test's parameter names."""
    name = request.param
    if name in {"threads", "processes"}:
        return {"executor": request.getfixturevalue(name)}
    if name == "dask":
        return {"executor": request.getfixturevalue("client").get_executor(pure=False)}
    return {"here": {}, "own threads": {"workers": 3}, "minimal": {"executor": Minimal()}}[name]


everywhere = pytest.mark.parametrize("options", EXECUTORS, indirect=True)


def itself(batch):
    return batch


def refuse_tens(batch):
    if batch[0] >= 10:
        raise FieldError("kind", "field", batch[0], "is ten or more")
    return batch


def die(batch):
    os._exit(3)


def note(path, batch):
    with open(path, "a", encoding="utf-8") as file:
        file.write("x" * len(batch))
    return len(batch)


class Noting:
    """Work that leaves a mark in a file, and fails until another file is there."""

    def __init__(self, folder):
        self.done, self.may = str(folder / "done"), str(folder / "may")

    def __call__(self, batch):
        note(self.done, batch)
        if not os.path.exists(self.may):
            raise FieldError("kind", "field", batch[0], "may not be")
        return batch


class TestResults:
    """What `spread` gives are the results of batches, in order."""

    @everywhere
    def test_order(self, options):
        """Every item is worked on once, in batches of the size that is asked for."""
        assert [*spread(itself, range(50), batch=7, **options)] == [
            [*range(i, min(i + 7, 50))] for i in range(0, 50, 7)
        ]

    @everywhere
    def test_nothing(self, options):
        """Without items there are no results."""
        assert [*spread(itself, [], batch=7, **options)] == []

    @everywhere
    def test_errors(self, options):
        """The first error in order is raised, as it is where the work is done; what was before it has been given."""
        results = spread(refuse_tens, range(30), batch=5, **options)
        assert [next(results), next(results)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
        with pytest.raises(FieldError, match="kind: field `field` is ten or more") as caught:
            next(results)
        assert (caught.value.field, caught.value.value) == ("field", 10)

    @everywhere
    def test_endless(self, options):
        """No more is taken from what gives the items than a window of batches."""
        items = itertools.count()
        results = spread(itself, items, batch=2, **options)
        assert [next(results) for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
        results.close()
        assert next(items) <= 2 * (spreading.WINDOW + 3)

    @everywhere
    def test_items_that_fail(self, options):
        """An error of what gives the items is raised."""

        def items():
            yield from range(5)
            raise StoreError("not everything could be read")

        with pytest.raises(StoreError, match="not everything could be read"):
            [*spread(itself, items(), batch=2, **options)]

    @everywhere
    def test_things_that_look_like_work(self, options):
        """Items arrive as they are, also such as Dask takes for its own tasks."""
        items = [(sum, [1, 2]), "itself-1", {"a": (len, "xyz")}, [(max, 1, 2)]]
        assert [*spread(itself, items, batch=2, **options)] == [items[:2], items[2:]]

    def test_empty_batches(self):
        """A batch without anything in it would never come to an end."""
        with pytest.raises(ValueError, match="a batch has at least one thing, not 0"):
            next(spread(itself, range(3), batch=0))


class TestProgress:
    """`progress` is told how many items are done, and of how many."""

    @everywhere
    def test_batches(self, options):
        """It is told for each finished batch, before its result is given."""
        told = []
        for result in spread(itself, range(20), batch=7, progress=lambda *counts: told.append(counts), **options):
            assert told[-1] == (result[-1] + 1, 20)
        assert told == [(7, 20), (14, 20), (20, 20)]

    @pytest.mark.parametrize(("total", "wanted"), [(None, 0), (9, 9)])
    def test_total(self, total, wanted):
        """A total that nobody knows is 0, unless it is given."""
        told = []
        list(spread(itself, (i for i in range(9)), batch=5, total=total, progress=lambda *counts: told.append(counts)))
        assert told == [(5, wanted), (9, wanted)]

    def test_failing(self):
        """An error of it ends the work, and cancels what was not begun."""
        by_hand = ByHand()

        def fail(*_):
            raise OSError("no screen")

        results = spread(itself, range(3), executor=by_hand, progress=fail)
        by_hand.outcomes = [[0]]
        with pytest.raises(OSError, match="no screen"):
            next(results)
        assert [future.cancelled() for future in by_hand.futures] == [False, True, True]


class ByHand(Executor):
    """An executor that never begins a task; a future has an outcome when it is asked for its result."""

    class Future(Future):
        def result(self):
            outcomes = self.outcomes()
            if outcomes and not self.done():
                outcome = outcomes.pop(0)
                if isinstance(outcome, KeyboardInterrupt):
                    raise outcome
                self.set_exception(outcome) if isinstance(outcome, Exception) else self.set_result(outcome)
            return super().result(timeout=0)

    def __init__(self, outcomes=(), running=()):
        self.outcomes = [*outcomes]
        self.running = running
        self.futures = []

    def submit(self, _):
        future = self.Future()
        future.outcomes = lambda: self.outcomes
        if len(self.futures) in self.running:
            future.set_running_or_notify_cancel()
        self.futures.append(future)
        return future


class TestEnds:
    """However the work ends: what was not begun is cancelled, and what was begun is waited for."""

    def test_error(self):
        """After an error nothing is at work any more, whatever comes of the rest."""
        by_hand = ByHand([FieldError("k", "f", 1, "is wrong"), OSError("not told"), [2]], running=(1, 2))
        with pytest.raises(FieldError, match="is wrong"):
            next(spread(itself, range(9), executor=by_hand))
        assert [future.done() for future in by_hand.futures] == [True] * 9
        assert [future.cancelled() for future in by_hand.futures] == [False] * 3 + [True] * 6

    def test_interrupt(self):
        """So it is when whoever asks is interrupted, the task that they waited for included."""
        by_hand = ByHand([[0], KeyboardInterrupt(), [2]], running=(2,))
        results = spread(itself, range(9), executor=by_hand)
        assert next(results) == [0]
        with pytest.raises(KeyboardInterrupt):
            next(results)
        assert [future.done() for future in by_hand.futures] == [True] * 9
        assert [future.cancelled() for future in by_hand.futures] == [False, True, False] + [True] * 6

    def test_interrupted_again(self):
        """Whoever does not want to wait for what has begun interrupts once more."""
        by_hand = ByHand([KeyboardInterrupt(), KeyboardInterrupt("again")], running=(0, 1))
        with pytest.raises(KeyboardInterrupt, match="again"):
            next(spread(itself, range(4), executor=by_hand))
        assert [future.cancelled() for future in by_hand.futures] == [False, False, True, True]

    def test_no_more_asked(self):
        """So it is when nobody asks for more."""
        by_hand = ByHand([[0], [1]], running=(1,))
        results = spread(itself, range(9), executor=by_hand)
        assert next(results) == [0]
        results.close()
        assert [future.cancelled() for future in by_hand.futures] == [False] * 2 + [True] * 7

    def test_window(self, monkeypatch):
        """An executor is never given more than a window of batches."""
        monkeypatch.setattr(spreading, "WINDOW", 4)
        by_hand = ByHand([[i] for i in range(9)])
        begun = [len(by_hand.futures) for _ in spread(itself, range(9), executor=by_hand)]
        assert begun == [4, 5, 6, 7, 8, 9, 9, 9, 9]

    def test_threads_end(self):
        """Threads of its own have nothing to do any more after an error."""
        at_work, done = [], []

        def work(batch):
            at_work.append(batch)
            try:
                return refuse_tens(batch)
            finally:
                done.append(batch)

        with pytest.raises(FieldError):
            list(spread(work, range(100), workers=4))
        assert len(at_work) == len(done)
        assert sorted(at_work) == sorted(done)


class TestFailingExecutors:
    """An executor that fails itself is a `StoreError` that names it."""

    def test_process_that_dies(self):
        """The death of a process is told; so is that nothing more is done by its executor."""
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            with pytest.raises(
                StoreError, match=r"^ProcessPoolExecutor lost a batch of work, which may be half done: A p"
            ):
                list(spread(die, range(3), executor=pool))
            with pytest.raises(
                StoreError, match=r"^ProcessPoolExecutor lost a batch of work, which may be half done: "
            ):
                list(spread(itself, range(3), executor=pool))

    def test_worker_of_dask_that_dies(self, client):
        """The death of a worker of Dask is told, and the next work is done by another one."""
        executor = client.get_executor(pure=False)
        with pytest.raises(
            StoreError, match=r"^ClientExecutor lost a batch of work, which may be half done: Attempted"
        ):
            list(spread(die, range(1), executor=executor))
        assert list(spread(itself, range(3), executor=executor)) == [[0], [1], [2]]

    def test_work_that_somebody_cancels(self):
        """Work that is cancelled from elsewhere is no result."""
        by_hand = ByHand()
        results = spread(itself, range(3), executor=by_hand)
        by_hand.submit = lambda function: cancelled(ByHand.submit(by_hand, function))
        with pytest.raises(StoreError, match=r"^ByHand lost .*: its work was cancelled$"):
            next(results)

    def test_executor_that_is_over(self):
        """A use of an executor that is shut down is the caller's mistake, and stays what it is."""
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            next(spread(itself, range(3), executor=pool))


def cancelled(future):
    future.cancel()
    return future


class TestDask:
    """Dask's executor is one of them."""

    @pytest.mark.parametrize("pure", [True, False])
    def test_work_is_done_anew(self, client, tmp_path, pure):
        """The same work is done again when it is asked for again, a failure before it notwithstanding."""
        noting, executor = Noting(tmp_path), client.get_executor(pure=pure)
        with pytest.raises(FieldError, match="may not be") as caught:
            list(spread(noting, [1, 2, 3], batch=3, executor=executor))
        (tmp_path / "may").touch()
        assert list(spread(noting, [1, 2, 3], batch=3, executor=executor)) == [[1, 2, 3]]
        assert list(spread(noting, [1, 2, 3], batch=3, executor=executor)) == [[1, 2, 3]]
        assert (tmp_path / "done").read_text() == "x" * 9
        assert caught.value.value == 1

    def test_size_of_a_store(self, client, root, layout):
        """A store is measured by it as it is without."""
        store = Store(root, layout)
        store.create(Key("image", {"run": "r", "step": 1, "volume": "v"}), data=np.arange(99), chunks=(5,))
        for step in range(79):
            with store.create(Key("note", {"run": "r", "step": step})) as file:
                file.write(b"x" * step)
        told = []
        by_dask = store.size(
            ["image", "note"], executor=client.get_executor(pure=False), progress=lambda *at: told.append(at)
        )
        assert by_dask == store.size(["image", "note"]) > 0
        assert told == [(64, 0), (80, 0)]

    def test_store_in_memory(self, client):
        """What is in the memory of this process is not sent, and the error says so."""
        store = Store(
            "memory://spread", Layout.parse("zarrange: 1\nfields: {a: {type: str}}\nfiles: {f: {path: '{{ a }}'}}")
        )
        with store.create(Key("f", {"a": "x"})) as file:
            file.write(b"12345")
        with pytest.raises(
            TypeError, match=r"^ClientExecutor cannot send the work: .* is in the memory of this process"
        ):
            store.size(executor=client.get_executor(pure=False))
