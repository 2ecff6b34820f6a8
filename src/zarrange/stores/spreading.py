"""Spreading: work on many things in batches, a window of them at a time, by an executor; results in order.

Any `concurrent.futures.Executor` will do: threads, processes, Dask's, MPI's. Only `submit` and the future's `result`
are needed of it; it gets batches, because a task costs Dask milliseconds. Without one, threads work, or the caller.
What has begun when something fails is waited for, so that nothing is at work any more when the error is out. Only of
Dask it is not known whether a task runs: there it goes on. Dask also begins a batch anew whose worker died: work that
changes something must bear being done twice.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from operator import length_hint
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from uuid import uuid4

from zarrange.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Executor, Future

__all__ = ["Progress", "spread"]

T = TypeVar("T")
R = TypeVar("R")
Progress: TypeAlias = "Callable[[int, int], None]"
"""Is told how many things are done, and of how many; of 0 where that is not known. Called by who takes the results."""
Results: TypeAlias = "Generator[tuple[R, int], None, None]"
"""Each batch's result and size."""

WINDOW = 256
"""How many batches an executor is given ahead. Its own `map` would take all of them at once."""


def spread(  # noqa: PLR0913 - each may be left out, and says what it is by its name
    work: Callable[[list[T]], R],
    items: Iterable[T],
    *,
    executor: Executor | None = None,
    batch: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
    total: int | None = None,
) -> Iterator[R]:
    """Do `work` on batches of `items`, and give its results, in order, as they are asked for.

    Without an executor `workers` threads work; one worker is the thread that asks. `total` is how many items there are,
    if they do not tell it themselves. The first error, in order, is raised once what was not begun is cancelled; so it
    goes when whoever asks is interrupted, or asks no more. An executor that fails itself (a worker died) is a
    `StoreError`.
    """
    known = length_hint(items) if total is None else total
    batches = _batches(iter(items), batch)
    if executor is not None:
        yield from _told(_spread(executor, work, batches), progress, known)
    elif workers <= 1:
        yield from _told(((work(one), len(one)) for one in batches), progress, known)
    else:
        threads = ThreadPoolExecutor(workers, thread_name_prefix="zarrange")
        try:
            yield from _told(_spread(threads, work, batches), progress, known)
        finally:
            # Nothing is begun any more. Who interrupts the wait for that does not want to wait here again.
            threads.shutdown(wait=False)


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    if size < 1:
        raise ValueError(f"a batch has at least one thing, not {size}")
    while batch := [*islice(items, size)]:
        yield batch


def _told(results: Results[R], progress: Progress | None, total: int) -> Iterator[R]:
    """Give results, and tell how many things are done; end what gives them when nobody asks any more."""
    done = 0
    with closing(results):
        for result, count in results:
            done += count
            if progress is not None:
                progress(done, total)
            yield result


def _spread(executor: Executor, work: Callable[[list[T]], R], batches: Iterator[list[T]]) -> Results[R]:
    waiting: deque[tuple[Future[R], int]] = deque()
    try:
        for batch in batches:
            # Wrapped, because Dask looks for its own tasks in arguments; and marked, because it may take the same
            # call for the same result, an earlier failure too.
            waiting.append((_submit(executor, partial(_do, work, batch, uuid4().hex)), len(batch)))
            while len(waiting) >= WINDOW or (waiting and _is_done(waiting[0][0])):
                yield _take(executor, waiting)
        while waiting:
            yield _take(executor, waiting)
    finally:
        _settle([future for future, _ in waiting])


def _do(work: Callable[[list[T]], R], batch: list[T], _: str) -> R:
    return work(batch)


def _submit(executor: Executor, task: Callable[[], R]) -> Future[R]:
    try:
        return executor.submit(task)
    except BrokenExecutor as error:
        raise _failure(executor, error) from error
    except Exception as error:
        origin = _origin(error)
        if origin is error:
            raise
        # Dask tells of its own message only; why the work cannot be pickled stands behind that.
        raise TypeError(f"{type(executor).__name__} cannot send the work: {origin}") from error


def _origin(error: BaseException) -> BaseException:
    while before := error.__cause__ or error.__context__:
        error = before
    return error


def _take(executor: Executor, waiting: deque[tuple[Future[R], int]]) -> tuple[R, int]:
    """Return the result and the size of the first batch, which goes on waiting if we are interrupted."""
    future, count = waiting[0]
    try:
        result = future.result()
    except Exception as error:
        if _is_of_executor(executor, error):
            raise _failure(executor, error) from error
        raise
    waiting.popleft()
    return result, count


def _is_done(future: Future[R]) -> bool:
    done = getattr(future, "done", None)
    return done is not None and bool(done())


def _is_of_executor(executor: Executor, error: Exception) -> bool:
    """Return whether an executor failed, not the work: its package has errors of its own for that."""
    package = type(executor).__module__.partition(".")[0]
    return isinstance(error, BrokenExecutor | CancelledError) or type(error).__module__.partition(".")[0] == package


def _failure(executor: Executor, error: Exception) -> StoreError:
    name = type(executor).__name__
    reason = str(error) or "its work was cancelled"
    return StoreError(f"{name} lost a batch of work, which may be half done: {reason}")


def _settle(waiting: list[Future[R]]) -> None:
    """Cancel what was not begun, the last first, for an executor goes on with the next; wait for what was."""
    begun = [future for future in reversed(waiting) if not _is_cancelled(future)]
    for future in begun:
        with suppress(Exception):
            future.result()


def _is_cancelled(future: Future[R]) -> bool:
    cancel = getattr(future, "cancel", None)
    return cancel is not None and bool(cancel())
