"""Plans and transactions, as text and as JSON."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from tests.stores.handwritten import Tree

from zarrange import Key, Layout, Store
from zarrange.report.plan import (
    Outcome,
    outcome_as_text,
    outcomes_as_json,
    plan_as_json,
    plan_as_text,
    transaction_as_json,
    transactions_as_json,
    transactions_as_text,
)
from zarrange.stores.plan import Left, Step
from zarrange.stores.transactions import Intent, Move, Transaction

LAYOUT = """\
zarrange: 1
name: notes
fields: {run: {type: str, charset: unicode}, n: {type: int}}
files: {note: {path: "{{ run }}/{{ n }}.txt"}}
"""
NOTE = Key("note", {"run": "a", "n": 1})
RENAMED = Key("memo", {"run": "a", "n": 1})
NOW = 1_000_000.0


@pytest.fixture
def store(tmp_path):
    """A store with three notes."""
    (tmp_path / "a").mkdir()
    for n in range(3):
        (tmp_path / f"a/{n}.txt").write_text("x" * 1024)
    return Store(tmp_path, Layout.parse(LAYOUT))


@pytest.fixture
def plan(store):
    """The plan to remove all of them."""
    return evolve(store.plan_removal_of(store.find(run="a"), grace=7200), root="runs")


def transaction(name="a", *, phase="placed", is_live=False, keep_until=NOW + 60):
    intent = Intent("remove", f"the removal of {name!r}", (Move("x", None, is_folder=False),))
    return Transaction("0123456789abcdef", intent, phase, NOW - 60, keep_until, "process 1 on here", is_live)


class TestText:
    def test_steps(self, plan):
        """Each step has a line with its path and key, and its size where it was measured; the last line sums it up."""
        assert plan_as_text(plan).splitlines() == [
            "remove in runs:",
            '  a/0.txt: note(run="a", n=0)',
            '  a/1.txt: note(run="a", n=1)',
            '  a/2.txt: note(run="a", n=2)',
            "3 files to remove; it can be undone for 2h",
        ]
        assert plan_as_text(plan.measured()).splitlines()[-2:] == [
            '  a/2.txt: note(run="a", n=2)  1.0 KiB',
            "3 files, 3.0 KiB to remove; it can be undone for 2h",
        ]

    def test_it_is_what_the_plan_says(self, plan):
        """A plan that is printed in a program is the same text."""
        assert str(plan.measured()) == plan_as_text(plan.measured())

    @pytest.mark.parametrize(("most", "shown"), [(1, ["  a/0.txt", "  … and 2 more"]), (0, ["  … and 3 more"])])
    def test_the_first_steps(self, plan, most, shown):
        """Of many steps the first are shown, with how many more there are; all of them if that is asked for."""
        lines = plan_as_text(plan, most=most).splitlines()[1:-1]
        assert [line.partition(":")[0] for line in lines] == shown
        assert len(plan_as_text(plan, most=None).splitlines()) == 5
        assert len(plan.lines(most=most)) == len(shown) + 2

    @pytest.mark.parametrize(
        ("step", "line"),
        [
            (Step("g", "group", None), "g: group"),
            (Step("l", "link", None), "l: link"),
            (Step("a", "file", NOTE, "b", NOTE), 'a -> b: note(run="a", n=1)'),
            (Step("a", "file", NOTE, "b", RENAMED), 'a -> b: note(run="a", n=1) -> memo(run="a", n=1)'),
            (Step("a", "file", None, "b", size=5), "a -> b: file  5 B"),
        ],
    )
    def test_a_step(self, plan, step, line):
        """A step has its target and what its key becomes; what has no key, what it is."""
        assert plan_as_text(evolve(plan, steps=(step,))).splitlines()[1] == f"  {line}"

    def test_what_is_left(self, plan):
        """What stays has a line with the reason, or with all of its readings; the root is `.`."""
        left = (Left("a", "no kind has it"), Left("", "it cannot be read"), Left("b", "unclear", (NOTE, RENAMED)))
        assert plan_as_text(evolve(plan, steps=(), left=left)).splitlines() == [
            "left (3):",
            "  a: no kind has it",
            "  .: it cannot be read",
            '  b: ambiguous, 2 readings: note(run="a", n=1); memo(run="a", n=1)',
            "nothing to remove",
        ]

    def test_what_is_kept(self, plan):
        """What a prune keeps is counted by its rules, or told one by one with the reasons."""
        rules = [
            ("keep-last", "keep-best"),
            ("keep-last",),
            ("no-score",),
            ("older-than", "unfinished"),
            ("ambiguous",),
        ]
        left = tuple(Left(f"{at}", f"reason {at}", (NOTE,), one) for at, one in enumerate(rules))
        plan = evolve(plan, operation="prune", left=left)
        counts = "2 by keep-last, 1 by keep-best, 1 without a score, 1 too young, 1 unfinished and young, 1 ambiguous"
        assert plan_as_text(plan).splitlines()[-2] == f"kept: 5 ({counts})"
        lines = plan_as_text(plan, most=None).splitlines()
        assert lines[4:7] == ["kept (5):", "  0: reason 0", "  1: reason 1"]

    @pytest.mark.parametrize(
        ("operation", "grace", "line"),
        [
            ("remove", 0, "1 group, 1 symlink to remove; it cannot be undone"),
            ("prune", 90, "1 group, 1 symlink to remove; it can be undone for 90s"),
            ("migrate", 0, "1 group, 1 symlink to move; a migration back undoes it"),
            ("copy", 0, "1 group, 1 symlink to copy; what it is copied from stays"),
        ],
    )
    def test_summary(self, plan, operation, grace, line):
        """The last line says how much it is, and how it can be undone."""
        steps = (Step("g", "group", None), Step("l", "link", None))
        made = evolve(plan, operation=operation, grace=grace, steps=steps)
        assert plan_as_text(made).splitlines()[-1] == line

    def test_nothing_acts_on_the_screen(self, plan):
        """A name with control characters is shown with their escapes, in a program too."""
        hostile = evolve(plan, root="r\x1b", steps=(Step("a\x1b[2Jb\n", "file", None),), left=(Left("\x07", "\x08"),))
        for text in (plan_as_text(hostile), str(hostile)):
            assert "  a\\x1b[2Jb\\n: file" in text.splitlines()
            assert all(line.isprintable() for line in text.splitlines())

    def test_color(self, plan):
        """In color the title is strong and sizes stand back; the text is the same."""
        colored = plan_as_text(plan.measured(), color=True)
        assert colored.startswith("\x1b[1mremove\x1b[0m in runs:\n")
        assert "\x1b[34m  1.0 KiB\x1b[0m" in colored
        codes = {"\x1b[1m", "\x1b[34m", "\x1b[0m"}
        for code in codes:
            colored = colored.replace(code, "")
        assert colored == plan_as_text(plan.measured())


class TestSizes:
    def test_a_group_counts_once(self, tmp_path):
        """What is in a container is measured once: a group has its own metadata, whatever goes with it its bytes."""
        tree = Tree(tmp_path, Layout.load("training"))
        tree.add("validation_raw", (4, 4), run="r", index="x")
        (tmp_path / "r/validation.zarr/other.txt").write_text("12345")
        (tmp_path / "r/validation.zarr/link").symlink_to("other.txt")
        store = Store(tmp_path, "training")
        plan = store.plan_removal_of(store.find("validation"), recursive=True)
        files = [one for one in (tmp_path / "r").rglob("*") if one.is_file() and not one.is_symlink()]
        assert plan.size is None
        assert plan.measured().size == sum(one.stat().st_size for one in files)


class TestJson:
    def test_a_plan(self, plan):
        """JSON has all steps and all that stays, whatever is shown; keys are as the converter writes them."""
        left = (Left("\udcff", "unclear", (NOTE, RENAMED), ("ambiguous",)),)
        text = plan_as_json(evolve(plan.measured(), left=left))
        assert text.isascii()
        data = json.loads(text)
        assert list(data) == ["operation", "root", "steps", "left", "size", "grace", "applied", "transaction"]
        key = {"type": "key", "kind": "note", "values": {"run": "a", "n": 0}}
        first = {"key": key, "path": "a/0.txt", "target": None, "target_key": None, "sort": "file", "size": 1024}
        assert data["steps"][0] == first
        (stays,) = data["left"]
        assert (stays["path"], stays["reason"], stays["rules"]) == ("\udcff", "unclear", ["ambiguous"])
        assert [one["kind"] for one in stays["readings"]] == ["note", "memo"]
        assert (data["size"], data["grace"], data["applied"], data["transaction"]) == (3072, 7200, False, None)

    def test_a_plan_that_was_carried_out(self, plan):
        """What can be undone has its id."""
        data = json.loads(plan_as_json(plan, transaction(), is_applied=True))
        assert (data["applied"], data["transaction"], data["size"]) == (True, "0123456789abcdef", None)


class TestTransactions:
    LIST = (
        transaction("a"),
        transaction("b", keep_until=NOW - 1),
        transaction("c", phase="begun"),
        transaction("d", phase="staged", is_live=True),
    )

    def test_text(self):
        """Each has its id, until when it can be undone or what is the matter, and what it is about, in columns."""
        lines = transactions_as_text(self.LIST, NOW).splitlines()
        wide = lines[0].index("  the removal") - 18
        assert lines[0].startswith("0123456789abcdef  until 1970-01-1")
        assert [line[18:] for line in lines[1:]] == [
            f"{state:<{wide}}  the removal of '{name}'"
            for name, state in (("b", "expired"), ("c", "interrupted"), ("d", "under way"))
        ]

    def test_color(self):
        """What is interrupted is told as an error."""
        assert "\x1b[1;31minterrupted\x1b[0m" in transactions_as_text(self.LIST[2:3], NOW, color=True)

    def test_json(self):
        """JSON has each with its times in UTC; only what can be undone has an end of that."""
        data = json.loads(transactions_as_json(self.LIST, NOW))
        assert data[0] == {
            "id": "0123456789abcdef",
            "operation": "remove",
            "about": "the removal of 'a'",
            "state": "kept",
            "started": "1970-01-12T13:45:40+00:00",
            "keep_until": "1970-01-12T13:47:40+00:00",
            "owner": "process 1 on here",
        }
        assert [one["state"] for one in data] == ["kept", "expired", "interrupted", "under way"]
        assert [one["keep_until"] is None for one in data] == [False, False, True, True]
        assert json.loads(transaction_as_json(self.LIST[0], NOW)) == data[0]


class TestOutcomes:
    DONE = Outcome("purged", "the removal of 'a'", "0123456789abcdef")
    FAILED = Outcome("carried out", "the removal of '\x1b'", None, "it\x07", is_done=False)
    STAYED = Outcome("purged", "the removal of 'a'", None, "removed, but 'b' has stayed")

    def test_text(self):
        """What was done is told in a line, and so is what could not be, with what was in the way."""
        assert outcome_as_text(self.DONE) == "purged: the removal of 'a'"
        assert outcome_as_text(self.FAILED) == "not carried out: the removal of '\\x1b': it\\x07"
        assert outcome_as_text(self.FAILED, color=True).startswith("\x1b[1;31mnot carried out\x1b[0m: ")
        assert outcome_as_text(self.STAYED) == "purged: the removal of 'a': removed, but 'b' has stayed"

    def test_json(self):
        """JSON has each with its id and its problem, and whether it was done all the same."""
        first, second, third = json.loads(outcomes_as_json([self.DONE, self.FAILED, self.STAYED]))
        assert first == {
            "done": "purged",
            "about": "the removal of 'a'",
            "id": "0123456789abcdef",
            "problem": None,
            "is_done": True,
        }
        assert (second["problem"], second["id"], second["is_done"]) == ("it\x07", None, False)
        assert (third["problem"], third["is_done"]) == ("removed, but 'b' has stayed", True)
