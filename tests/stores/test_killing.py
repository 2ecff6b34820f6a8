"""The harness that kills operations is itself tried: on naive ones, which have to fail, and on right ones."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.stores import powercut, straced
from tests.stores.handwritten import GROUP, array, old_array
from tests.stores.judging import Case, fast_folder
from tests.stores.killing import Fault, run

from zarrange.stores.local.descent import Descent, rename

CHUNKS = 6


@pytest.fixture
def scratch():
    with fast_folder() as folder:
        yield folder


def grow(folder, content, *, is_old=False):
    """Write an array of six chunks by hand."""
    folder = Path(folder)
    (folder if is_old else folder / "c").mkdir(parents=True)
    if is_old:
        (folder / ".zarray").write_text(json.dumps(old_array((CHUNKS,), "<f4")))
        (folder / ".zattrs").write_text(json.dumps({"offset": [1]}))
    else:
        (folder / "zarr.json").write_text(json.dumps(array((CHUNKS,), "float32")))
    for number in range(CHUNKS):
        (folder / (str(number) if is_old else f"c/{number}")).write_bytes(content * (number + 1))


def build(root):
    """Make a container with the arrays `a` and `b`, and `old` of format 2; it lists them."""
    box = Path(root, "box.zarr")
    grow(box / "a", b"a")
    grow(box / "b", b"b")
    grow(box / "old", b"o", is_old=True)
    (box / "zarr.json").write_text(json.dumps(GROUP))


def build_consolidated(root):
    build(root)
    listed = {name: array((CHUNKS,), "float32") for name in "ab"}
    copy = {"kind": "inline", "must_understand": False, "metadata": listed}
    Path(root, "box.zarr/zarr.json").write_text(json.dumps({**GROUP, "consolidated_metadata": copy}))


def nothing(root):
    """Mend nothing."""


def swap(root):
    """Swap two arrays by three renames."""
    box = Path(root, "box.zarr")
    (box / "a").rename(box / "aside")
    (box / "b").rename(box / "a")
    (box / "aside").rename(box / "b")


def remove_tree(name):
    def operate(root):
        shutil.rmtree(f"{root}/box.zarr/{name}")

    return operate


def copy_and_remove(root):
    shutil.copytree(f"{root}/box.zarr/a", f"{root}/box.zarr/c")
    shutil.rmtree(f"{root}/box.zarr/a")


def move(source, target):
    def operate(root):
        os.rename(f"{root}/{source}", f"{root}/{target}")

    return operate


ALL_SORTS = {
    "os.mkdir": 2,
    "open": 4,
    "write": 3,
    "fsync": 1,
    "fdatasync": 1,
    "fcntl.flock": 1,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.link": 1,
    "os.symlink": 1,
    "os.rename": 1,
    "renameat2": 1,
    "os.remove": 4,
    "sendfile": 2,
    "os.rmdir": 2,
}


class TestSeeing:
    """Every call that changes something below the root is seen, whoever makes it; and none elsewhere."""

    @staticmethod
    def all_sorts(root):
        """Change something in every way that is known."""
        top = os.open(root, os.O_RDONLY)
        os.mkdir("a", dir_fd=top)
        Path(root, "a/b").mkdir()
        Path(root, "a/text").write_text("text")
        with open(f"{root}/a/bytes", "wb", buffering=0) as file:
            file.write(b"bytes")
            os.fsync(file.fileno())
            fcntl.flock(file, fcntl.LOCK_EX)
        descriptor = os.open("low", os.O_WRONLY | os.O_CREAT, dir_fd=top)
        os.write(descriptor, b"low")
        os.fdatasync(descriptor)
        os.ftruncate(descriptor, 1)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
        os.link("low", "linked", src_dir_fd=top, dst_dir_fd=top)
        os.symlink("low", "led", dir_fd=top)
        os.replace("low", "lower", src_dir_fd=top, dst_dir_fd=top)
        Path(root, "led").unlink()
        shutil.copyfile(f"{root}/a/text", f"{root}/a/copied")
        rename(top, "lower", top, "lowest", "lowest")
        shutil.rmtree("a", dir_fd=top)
        os.close(top)

    def test_all_calls(self, scratch):
        """The fork harness sees what `os`, `pathlib`, `shutil`, files and zarrange's own renames do."""
        case = Case(scratch, nothing, self.all_sorts, nothing)
        assert Counter(call.name for call in case.calls()) == ALL_SORTS

    def test_as_strace(self, scratch):
        """Where strace is, it sees as many calls."""
        case = Case(scratch, nothing, self.all_sorts, nothing)
        expected = sum(ALL_SORTS.values())
        seen = len(straced.points(case, f"{scratch}/log")) if straced.can_trace() else expected
        assert seen == expected

    def test_readings(self, scratch):
        """Calls that only look are seen when they are asked for."""
        case = Case(scratch, build, lambda root: Path(root, "box.zarr/zarr.json").read_text(), nothing)
        assert case.calls() == []
        assert [call.name for call in case.calls(reads=True)] == ["open to read"]

    def test_elsewhere(self, scratch):
        """What is not below the root does not count."""
        case = Case(scratch, build, lambda _: Path(scratch, "beside").write_text("x"), nothing)
        assert case.calls() == []

    def test_callers(self, scratch):
        """A call is told with those who made it."""
        case = Case(scratch, build, remove_tree("a"), nothing)
        assert "rmtree" in str(case.calls()[0])


class TestStriking:
    """The fault strikes at its call, and nowhere else."""

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_death(self, scratch, number):
        """The calls before the chosen one are made, and it is not."""
        case = Case(scratch, build, swap, nothing)
        outcome, _ = case.strike(Fault(number))
        assert outcome.was_killed
        assert outcome.struck.number == number
        here = sorted(path.name for path in Path(case.root, "box.zarr").iterdir() if path.is_dir())
        assert here == {1: ["a", "b", "old"], 2: ["aside", "b", "old"], 3: ["a", "aside", "old"]}[number]

    def test_no_such_call(self, scratch):
        """An operation with fewer calls ends well."""
        case = Case(scratch, build, swap, nothing)
        outcome, _ = case.strike(Fault(4))
        assert (outcome.was_killed, outcome.struck, outcome.error) == (False, None, None)

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
    def test_errors(self, scratch, code):
        """An error is raised as the system raises it."""

        def operate(root):
            with pytest.raises(OSError, match=os.strerror(code)) as caught:
                os.rename(f"{root}/box.zarr/a", f"{root}/box.zarr/c")
            assert caught.value.errno == code
            os.rename(f"{root}/box.zarr/a", f"{root}/box.zarr/d")

        case = Case(scratch, build, nothing, nothing)
        outcome, now = case.strike(Fault(1, code), task=operate)
        assert outcome.error is None
        assert "box.zarr/d/zarr.json" in now

    def test_error_of_ctypes(self, scratch):
        """A function of C that fails does so by its number."""

        def operate(root):
            with Descent(root) as descent, pytest.raises(PermissionError):
                rename(descent.top, "box.zarr", descent.top, "other.zarr", "other.zarr")

        case = Case(scratch, build, nothing, nothing)
        outcome, _ = case.strike(Fault(1, errno.EACCES), task=operate)
        assert (outcome.struck.name, outcome.error) == ("renameat2", None)

    def test_lasting(self, scratch):
        """A full disk takes nothing more, but what is on it can be deleted."""

        def operate(root):
            for name in ("one", "two"):
                with pytest.raises(OSError, match="No space"):
                    Path(root, name).write_text("x")
            Path(root, "box.zarr/zarr.json").unlink()

        case = Case(scratch, build, nothing, nothing)
        outcome, _ = case.strike(Fault(1, errno.ENOSPC, is_lasting=True), task=operate)
        assert outcome.error is None

    @pytest.mark.parametrize("code", [None, errno.ENOSPC])
    def test_torn(self, scratch, code):
        """A write may be done by half."""
        case = Case(scratch, nothing, lambda root: Path(root, "text").write_text("12345678"), nothing)
        outcome, now = case.strike(Fault(2, code, is_torn=True, is_lasting=True))
        assert outcome.struck.name == "write"
        assert now["text"][1] == b"1234"
        assert outcome.was_killed == (code is None)

    def test_broken_child(self, scratch):
        """A child that cannot even begin is no result."""
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            run(nothing, scratch, Fault(1), before=lambda: 1 / 0)


class TestNaive:
    """Naive versions of remove and migrate fail."""

    @pytest.mark.parametrize(("name", "failed", "points"), [("a", 8, 10), ("old", 8, 10)])
    def test_remove_tree(self, scratch, name, failed, points):
        """`rmtree` leaves half an array wherever it dies but at its first call."""
        verdict = Case(scratch, build, remove_tree(name), nothing).kill()
        assert (verdict.failed, verdict.points) == (failed, points), verdict

    def test_copy_and_remove(self, scratch):
        """`copytree` and `rmtree` leave half an array, or two of them, but at the first call."""
        verdict = Case(scratch, build, copy_and_remove, nothing).kill()
        assert verdict.failed == verdict.points - 2 > 40, verdict
        assert any("is half there" in failure for failure in verdict.failures)

    def test_one_by_one(self, scratch):
        """Renames without a journal lose who was who."""
        verdict = Case(scratch, build, swap, nothing).kill()
        assert (verdict.failed, verdict.points) == (2, 4), verdict

    def test_existing_destination(self, scratch):
        """A recovery that does what is not done, by what exists, swaps back what was swapped already."""
        steps = [("box.zarr/a", ".zarrange/aside"), ("box.zarr/b", "box.zarr/a"), (".zarrange/aside", "box.zarr/b")]

        def go_on(root):
            os.makedirs(f"{root}/.zarrange", exist_ok=True)
            for source, target in steps:
                if not os.path.exists(f"{root}/{target}"):
                    os.rename(f"{root}/{source}", f"{root}/{target}")

        verdict = Case(scratch, build, go_on, go_on).kill()
        assert [failure.partition(":")[0] for failure in verdict.failures] == ["killed at call 5"], verdict

    def test_stale_list(self, scratch):
        """An array that is gone may not be listed any more: who reads it by that list gets zeros."""

        def operate(root):
            shutil.rmtree(f"{root}/box.zarr/a")
            listed = json.loads(Path(root, "box.zarr/zarr.json").read_text())
            del listed["consolidated_metadata"]["metadata"]["a"]
            Path(root, "box.zarr/.new.partial").write_text(json.dumps(listed))
            os.replace(f"{root}/box.zarr/.new.partial", f"{root}/box.zarr/zarr.json")

        verdict = Case(scratch, build_consolidated, operate, nothing).kill()
        assert sum("'box.zarr' lists 'box.zarr/a'" in failure for failure in verdict.failures) > 5

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
    def test_errors(self, scratch, code):
        """What a naive migration leaves behind when a call fails is no better."""
        verdict = Case(scratch, build, copy_and_remove, nothing).fail(code, reads=False)
        assert verdict.failed > 20, verdict

    def test_swallowed_error(self, scratch):
        """An operation that says that it has succeeded must have."""

        def operate(root):
            shutil.rmtree(f"{root}/box.zarr", ignore_errors=True)

        verdict = Case(scratch, build, operate, nothing).fail(errno.EIO)
        assert verdict.failed > 10, verdict

    def test_crash_of_the_recovery(self, scratch):
        """A recovery that mends every crash may still be one that may not crash itself."""
        aside = ".zarrange/stage"

        def operate(root):
            os.makedirs(f"{root}/.zarrange", exist_ok=True)
            os.rename(f"{root}/box.zarr/a", f"{root}/{aside}")
            os.rename(f"{root}/{aside}", f"{root}/box.zarr/c")

        def recover(root):
            if os.path.exists(f"{root}/{aside}"):
                shutil.copytree(f"{root}/{aside}", f"{root}/box.zarr/a")
                shutil.rmtree(f"{root}/{aside}")

        case = Case(scratch, build, operate, recover)
        assert case.kill().failed == 0
        verdict = case.kill_recoveries(depth=1)
        assert verdict.failed > 10, verdict

    def test_under_strace(self, scratch):
        """strace, where it is, finds a naive migration as bad as the fork harness does."""
        case = Case(scratch, build, copy_and_remove, nothing)
        verdict = straced.kill(case, f"{scratch}/log") if straced.can_trace() else case.kill()
        assert verdict.failed > 40, verdict

    def test_errors_under_strace(self, scratch):
        """The same with errors."""
        case = Case(scratch, build, swap, nothing)
        fails = straced.fail(case, f"{scratch}/log", "EIO") if straced.can_trace() else case.fail(errno.EIO)
        assert fails.failed == 2, fails


class TestRight:
    """What is done right passes."""

    def test_rename(self, scratch):
        """One rename is done or is not."""
        case = Case(scratch, build, move("box.zarr/a", "box.zarr/c"), nothing)
        for verdict in (case.kill(), case.fail(errno.EIO), case.kill_recoveries()):
            assert verdict.failed == 0, verdict
        assert case.kill().points == 2

    def test_metadata_first(self, scratch):
        """An array whose metadata go first is absent from then on, and a recovery can finish."""

        def remove(root):
            with_metadata = f"{root}/box.zarr/a/zarr.json"
            if os.path.exists(with_metadata):
                os.unlink(with_metadata)
            shutil.rmtree(f"{root}/box.zarr/a", ignore_errors=True)

        def recover(root):
            if not os.path.exists(f"{root}/box.zarr/a/zarr.json"):
                remove(root)

        case = Case(scratch, build, remove, recover)
        assert case.kill().failed == 0
        assert case.kill_recoveries().failed == 0


class TestPowerCut:
    """What is not synced may be lost."""

    def test_rename(self, scratch):
        """A rename that was not synced is not done for good."""
        verdict = powercut.cut(Case(scratch, build, move("box.zarr/a", "box.zarr/c"), nothing))
        assert verdict.failed == 1, verdict

    @pytest.mark.parametrize(("synced", "failed"), [(["box.zarr", "."], 0), (["box.zarr"], 1), (["."], 1)])
    def test_both_folders(self, scratch, synced, failed):
        """A rename from one folder to another is safe when both were synced."""

        def operate(root):
            os.rename(f"{root}/box.zarr/a", f"{root}/a")
            for folder in synced:
                sync(f"{root}/{folder}")

        verdict = powercut.cut(Case(scratch, build, operate, nothing))
        assert verdict.failed == failed, verdict

    @pytest.mark.parametrize(("is_synced", "failed"), [(True, 0), (False, 3)])
    def test_content(self, scratch, is_synced, failed):
        """A file that is renamed before its content was synced may be empty, or half."""

        def operate(root):
            with open(f"{root}/.new", "wb") as file:
                file.write(b"12345678")
                file.flush()
                if is_synced:
                    os.fsync(file.fileno())
            os.rename(f"{root}/.new", f"{root}/file")
            sync(root)

        def recover(root):
            if os.path.exists(f"{root}/.new"):
                os.unlink(f"{root}/.new")

        verdict = powercut.cut(Case(scratch, nothing, operate, recover))
        assert sum("'file'" in one and "neither old nor new" in one for one in verdict.failures) >= failed
        assert (verdict.failed == 0) == is_synced, verdict

    def test_order(self, scratch):
        """Of two changes of different things, the second may be there without the first."""

        def operate(root):
            os.unlink(f"{root}/box.zarr/a/zarr.json")
            os.rename(f"{root}/box.zarr/b", f"{root}/box.zarr/c")

        verdict = powercut.cut(Case(scratch, build, operate, nothing))
        assert any("'box.zarr/a/zarr.json'" in failure for failure in verdict.failures), verdict
        lone = [failure for failure in verdict.failures if "1 changes lost, of ['zarr.json']" in failure]
        assert len(lone) > 0, verdict

    @pytest.mark.parametrize(("follow", "failed"), [(True, 0), (False, 1)])
    def test_new_folders(self, scratch, follow, failed):
        """A new folder's own name is safe when the folder was synced, unless the file system is the worst there is."""

        def operate(root):
            os.mkdir(f"{root}/new")
            sync(f"{root}/new")

        verdict = powercut.cut(Case(scratch, build, operate, nothing), new_names_follow=follow)
        assert verdict.failed == failed, verdict


def sync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
