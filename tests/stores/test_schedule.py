"""The schedule: many at a time gives what one by one gives, in the same order, and never too much at once."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import islice

import pytest
from hypothesis import given, settings, strategies as st

from zarrange.stores import schedule
from zarrange.stores.schedule import in_parallel, one_by_one

WAYS = [1, 2, 3, 8, 32]


def trees(depth=4):
    """A task: its results, how long visiting it takes, and the tasks behind it."""
    leaf = st.tuples(st.lists(st.integers(0, 99), max_size=2), st.sampled_from([0, 0, 0.0005]), st.just(()))
    return st.recursive(
        leaf,
        lambda inner: st.tuples(
            st.lists(st.integers(0, 99), max_size=2), st.sampled_from([0, 0, 0.0005]), st.lists(inner, max_size=4)
        ),
        max_leaves=depth * 6,
    )


def visit(tree):
    results, delay, behind = tree
    time.sleep(delay)
    return [*results], [*behind]


def in_order(tree):
    """The results of a tree: first its own, then those behind it."""
    results, _, behind = tree
    return [*results, *(one for inner in behind for one in in_order(inner))]


def begin(tasks):
    """Tasks as both ways take them: the first one last."""
    return [*reversed(tasks)]


class TestSameOrder:
    """Both ways give the same results in the same order: first a task's own, then those of the tasks behind it."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(trees(), max_size=4), st.sampled_from(WAYS))
    def test_any_tree(self, tasks, in_flight):
        """Whatever the tasks and however long each takes, the results and their order are those of the tree."""
        expected = [one for task in tasks for one in in_order(task)]
        assert [*one_by_one(visit, begin(tasks))] == expected
        assert [*in_parallel(visit, begin(tasks), in_flight)] == expected

    @pytest.mark.parametrize("in_flight", WAYS)
    def test_nothing_to_do(self, in_flight):
        """Without tasks there are no results."""
        assert [*one_by_one(visit, [])] == [*in_parallel(visit, [], in_flight)] == []

    @pytest.mark.parametrize("in_flight", WAYS)
    def test_the_first_is_the_slowest(self, in_flight):
        """Results wait for those before them, however late these come."""
        late = threading.Event()

        def wait_for_the_others(at):
            if at:
                late.set()
            elif in_flight > 1:
                assert late.wait(30)
            return [at], []

        assert [*in_parallel(wait_for_the_others, begin(range(20)), in_flight)] == [*range(20)]

    @pytest.mark.parametrize("in_flight", WAYS)
    def test_long_chains(self, in_flight):
        """A task behind a task behind a task, as the pages of a listing are, may go on for long."""

        def page(at):
            return ([at], []) if at >= 0 else ([], [-at, at - 1] if at > -300 else [])

        assert [*in_parallel(page, [-1], in_flight)] == [*one_by_one(page, [-1])] == [*range(1, 300)]

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8), st.sampled_from(WAYS))
    def test_tasks_that_go_on(self, pages, in_flight):
        """A task may be behind itself, as a listing with a next page is, wherever it stands among the others."""

        class Listing:
            """Each visit gives the number of a page, and has some tasks before and behind the next one."""

            def __init__(self):
                self.at = 0

            def visit(self):
                self.at += 1
                number = self.at
                if number > len(pages):
                    return [number], []
                before, behind = pages[number - 1]
                return [number], [*range(before), self, *range(behind)]

        def visit_any(task):
            return task.visit() if isinstance(task, Listing) else ([f"leaf {task}"], [])

        expected = [*one_by_one(visit_any, [Listing()])]
        assert [*in_parallel(visit_any, [Listing()], in_flight)] == expected

    def test_going_on_costs_nothing(self, monkeypatch):
        """A task's place among the others does not grow with how often it goes on."""
        places = []
        push = schedule.heappush
        monkeypatch.setattr(schedule, "heappush", lambda heap, one: places.append(len(one[0])) or push(heap, one))
        page = ["page"]
        left = [*range(500)]

        def go_on(task):
            if task is not page:
                return [task], []
            return [], [left.pop(), page] if left else []

        assert len([*in_parallel(go_on, [page], 4)]) == 500
        assert max(places) <= 10


class TestOneByOne:
    def test_lazily(self):
        """A task is visited when its results are asked for, and not before."""
        visited = []
        results = one_by_one(lambda at: visited.append(at) or ([at], [at + 1]), [0])
        assert [*islice(results, 3)] == [0, 1, 2]
        assert visited == [0, 1, 2]

    def test_tasks_may_be_dropped(self):
        """Whoever has the list of tasks may drop those that are next."""
        tasks = ["a"]
        behind = {"a": ["ab", "ac"], "ab": ["abx", "aby", "abz"], "ac": ["acx", "acy"]}
        found = []
        for result in one_by_one(lambda task: ([task], behind.get(task, [])[:]), tasks):
            found.append(result)
            while len(result) == 3 and tasks and tasks[-1].startswith(result[:2]):
                tasks.pop()
        assert found == ["a", "ab", "abx", "ac", "acx"]

    def test_tasks_behind_are_not_touched(self):
        """The tasks that a visit returns stay as they are, so that it may return what it keeps."""
        kept = ["b", "c"]
        assert [*one_by_one(lambda task: ([task], kept if task == "a" else []), ["a"])] == ["a", "b", "c"]
        assert kept == ["b", "c"]


class TestInParallel:
    @pytest.mark.parametrize("in_flight", WAYS)
    def test_never_more_at_a_time(self, in_flight):
        """Never more visits run at a time than are allowed."""
        lock = threading.Lock()
        running, most = 0, 0

        def counted(at):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.001)
            with lock:
                running -= 1
            return [at], [at * 10 + one for one in range(5)] if at < 10 else []

        assert len([*in_parallel(counted, begin(range(1, 6)), in_flight)]) == 30
        assert most <= in_flight

    def test_as_many_at_a_time(self):
        """So many visits run at the same time as are allowed, where there are as many tasks."""
        together = threading.Barrier(8)

        def meet(at):
            together.wait(30)
            return [at], []

        assert [*in_parallel(meet, begin(range(16)), 8)] == [*range(16)]
        assert not together.broken

    @pytest.mark.parametrize("way", [one_by_one, lambda visit, tasks: in_parallel(visit, tasks, 4)])
    @pytest.mark.parametrize("error", [OSError("no"), KeyError("bug"), KeyboardInterrupt()])
    def test_errors_are_raised(self, way, error):
        """What a visit raises, whoever takes the results is told."""

        def failing(at):
            if at == 5:
                raise error
            return [at], []

        found = []
        with pytest.raises(type(error)) as caught:
            found.extend(way(failing, begin(range(10))))
        assert caught.value is error
        assert found == [*range(len(found))]
        assert 5 not in found
        assert_no_threads()

    def test_closing_stops_the_threads(self):
        """Who stops early leaves no thread behind, and what has not begun never does."""
        visited = []

        def endless(at):
            visited.append(at)
            return [at], [at + 1, at + 1]

        with closing(in_parallel(endless, [0], 8)) as results:
            assert [*islice(results, 5)] == [0, 1, 2, 3, 4]
        assert_no_threads()
        count = len(visited)
        time.sleep(0.01)
        assert len(visited) == count

    def test_forgetting_stops_the_threads(self):
        """Results that nobody takes any more leave no thread behind."""
        results = in_parallel(lambda at: ([at], [at + 1]), [0], 4)
        assert next(results) == 0
        del results
        assert_no_threads()

    def test_the_end_stops_the_threads(self):
        """At the end no thread is left."""
        assert len([*in_parallel(lambda at: ([at], []), begin(range(50)), 8)]) == 50
        assert_no_threads()

    def test_nothing_before_the_first_is_asked_for(self):
        """Nothing is visited before the first result is asked for."""
        visited = []
        results = in_parallel(lambda at: visited.append(at) or ([at], []), [0], 4)
        assert visited == []
        assert [*results] == [0]


class TestMemory:
    """Few results wait for an earlier one."""

    def test_so_many_wait_at_most(self, monkeypatch):
        """While the first task is not done, no more are visited than may wait."""
        monkeypatch.setattr(schedule, "MAX_AHEAD", 20)
        is_first_done, is_full = threading.Event(), threading.Event()
        visited = []

        def slow_at_first(at):
            if at == 0:
                assert is_full.wait(30)
                assert not is_first_done.wait(0.05)  # time for too many
                return [at], []
            visited.append(at)
            if len(visited) >= 20:
                is_full.set()
            return [at], []

        results = in_parallel(slow_at_first, begin(range(1000)), 4)
        assert next(results) == 0
        assert len(visited) <= 20 + 4
        assert [0, *results] == [*range(1000)]

    def test_results_are_counted(self, monkeypatch):
        """It is results that are counted, not tasks: a task may have many."""
        monkeypatch.setattr(schedule, "MAX_AHEAD", 20)
        is_full = threading.Event()
        visited = []

        def slow_at_first(at):
            if at == 0:
                assert is_full.wait(30)
                time.sleep(0.05)
                return [at], []
            visited.append(at)
            if len(visited) >= 2:
                is_full.set()
            return [at] * 10, []

        results = in_parallel(slow_at_first, begin(range(100)), 4)
        assert next(results) == 0
        assert len(visited) <= 2 + 4
        assert len([*results]) == 990

    @pytest.mark.parametrize("in_flight", WAYS)
    @pytest.mark.parametrize("most", [1, 2, 7])
    def test_the_order_holds(self, monkeypatch, in_flight, most):
        """However few may wait, the order is the same, and the end is reached."""
        monkeypatch.setattr(schedule, "MAX_AHEAD", most)

        def tree(at):
            return [at], [at * 4 + one for one in range(1, 5)] if at < 60 else []

        assert [*in_parallel(tree, [0], in_flight)] == [*one_by_one(tree, [0])]

    def test_depth_first(self):
        """The first tasks are visited first, so that what is known of those behind them stays small."""
        most = 0
        waiting = 1

        def tree(task):
            nonlocal waiting, most
            depth, _ = task
            behind = [(depth + 1, at) for at in range(10)] if depth < 4 else []
            waiting += len(behind) - 1
            most = max(most, waiting)
            return [task], behind

        assert sum(1 for _ in in_parallel(tree, [(0, 0)], 1)) == 11_111
        assert most <= 10 * 4


def assert_no_threads():
    """Wait for the threads of a schedule to end, and hold that they do."""
    for thread in threading.enumerate():
        if thread.name.startswith("zarrange_"):  # those of a backend, `zarrange-look_0`, live as long as it does
            thread.join(30)
            assert not thread.is_alive()
