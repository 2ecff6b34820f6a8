"""Schedule: visiting tasks that lead to further tasks, one by one or many at a time, with results in one order.

`visit` takes a task and returns its results, and the tasks behind them, both in order; a task that is itself the last
of them goes on. Both ways here give the same results in the same order: a task's own, then those behind it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

__all__ = ["in_order", "in_parallel", "one_by_one"]

T = TypeVar("T")
R = TypeVar("R")
Order: TypeAlias = tuple[int, ...]
"""A task's place among all: its parent's, its number among that one's tasks, and how often it has gone on."""

MAX_AHEAD = 10_000
"""How many results may wait for an earlier one before no more tasks are begun."""


def in_order(visit: Callable[[T], tuple[list[R], list[T]]], tasks: list[T], in_flight: int) -> Iterator[R]:
    """Visit tasks, the last of `tasks` first: many at a time, or one by one where only one may be in flight."""
    return in_parallel(visit, tasks, in_flight) if in_flight > 1 else one_by_one(visit, tasks)


def one_by_one(visit: Callable[[T], tuple[list[R], list[T]]], tasks: list[T]) -> Iterator[R]:
    """Visit the last of `tasks` until none is left; whoever has that list may drop tasks from its end meanwhile."""
    while tasks:
        results, behind = visit(tasks.pop())
        tasks += reversed(behind)
        yield from results


def in_parallel(visit: Callable[[T], tuple[list[R], list[T]]], tasks: Sequence[T], in_flight: int) -> Iterator[R]:
    """Visit tasks in threads, the first ones first, so that few results wait and memory stays small."""
    waiting: list[tuple[Order, T]] = [((at, 0), task) for at, task in enumerate(reversed(tasks))]
    flying: dict[Order, T] = {}
    ready: list[tuple[Order, list[R]]] = []
    ahead = 0
    done: SimpleQueue[tuple[Order, list[R], list[T] | BaseException]] = SimpleQueue()

    def run(order: Order, task: T) -> None:
        try:
            done.put((order, *visit(task)))
        except BaseException as error:  # noqa: BLE001 - raised again where the results are taken
            done.put((order, [], error))

    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="zarrange")
    try:
        while waiting or flying:
            while waiting and len(flying) < in_flight and _is_due(waiting[0][0], flying, ahead):
                order, task = heappop(waiting)
                flying[order] = task
                pool.submit(run, order, task)
            order, results, behind = done.get()
            visited = flying.pop(order)
            if isinstance(behind, BaseException):
                raise behind
            for at, task in enumerate(behind):
                goes_on = task is visited and at == len(behind) - 1
                place = (*order[:-1], order[-1] + 1) if goes_on else (*order, at, 0)
                heappush(waiting, (place, task))
            if results:
                heappush(ready, (order, results))
                ahead += len(results)
            while ready and not _is_before(waiting, flying, ready[0][0]):
                _, results = heappop(ready)
                ahead -= len(results)
                yield from results
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _is_due(order: Order, flying: Collection[Order], ahead: int) -> bool:
    """Whether to begin a task: when very many results wait already, only one that they wait for."""
    return ahead < MAX_AHEAD or not flying or order < min(flying)


def _is_before(waiting: Sequence[tuple[Order, object]], flying: Collection[Order], order: Order) -> bool:
    """Whether some task that is not done comes before `order`."""
    return bool(waiting and waiting[0][0] < order) or bool(flying and min(flying) < order)
