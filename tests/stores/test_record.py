"""Self-describing stores: what is recorded, what is accepted beside it, and what is damaged."""

from __future__ import annotations

import json
import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given, settings, strategies as st

from zarrange import Filter, Key, Layout, Store, StoreError
from zarrange.errors import AccessDeniedError, AlreadyExistsError, NotInStoreError
from zarrange.stores import record
from zarrange.stores.local import LocalBackend

TEXT = """\
zarrange: 1
name: small
doc: A small layout.
fields:
  run: {type: str, doc: The run.}
  step: {type: int, min: 0}
containers:
  box: {path: "{{ run }}/box.zarr", doc: A box., examples: [{values: {run: a}, path: a/box.zarr}]}
arrays:
  image: {container: box, path: "images/{{ step }}"}
files:
  note: {path: "{{ run }}/notes/{{ step }}.txt"}
"""
SMALL = Layout.parse(TEXT)
BASE = "zarrange: 1\nextends: training\ndoc: With notes.\nfiles: {note: {path: '{{ run_dir }}/note.txt'}}\n"
OWN = "zarrange: 1\nextends: base.yaml\nname: own\nfiles: {more: {path: '{{ run_dir }}/more.txt'}}\n"
UPPER = TEXT.replace("{{ run }}", "{{ run | upper }}").replace("path: a/box", "path: A/box")
UPPERCASE = Filter("upper", encode=str.upper, decode=str.lower)


@pytest.fixture
def home(root):
    """The root of a store that describes itself, with something in it."""
    store = Store.init(root, SMALL)
    store.create(Key("note", {"run": "a", "step": 1})).close()
    return root


@pytest.fixture
def extended(tmp_path):
    """The file of a layout that extends another one, which extends a shipped one."""
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path / "own.yaml"


def changed(*pairs):
    text = TEXT
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


class TestInit:
    """`Store.init` records a layout, and `Store(root)` needs none from then on."""

    def test_needs_no_layout(self, home):
        """A store that has a record is opened without a layout, and is the same."""
        again = Store(home)
        assert again.layout == SMALL
        assert again.layout.name == "small"
        assert [entry.path for entry in again.find()] == ["a/notes/1.txt"]

    def test_returns_the_store(self, root):
        """What is returned is the store, ready to be used."""
        store = Store.init(root, SMALL)
        assert (store.root, store.layout) == (str(root), SMALL)

    def test_makes_the_root(self, tmp_path):
        """A root that does not exist is made."""
        Store.init(tmp_path / "new" / "newer", "training")
        assert Store(tmp_path / "new" / "newer").layout == Layout.load("training")

    @pytest.mark.parametrize("root", ["{}", "{}/", "~/store", Path])
    def test_forms_of_the_root(self, root, tmp_path, monkeypatch):
        """The root is given in every form that a store takes."""
        monkeypatch.setenv("HOME", str(tmp_path))
        written = tmp_path / "store" if root is Path else root.format(tmp_path / "store")
        Store.init(written, SMALL)
        assert Store(tmp_path / "store").layout == SMALL

    @pytest.mark.parametrize("as_path", [str, Path])
    def test_forms_of_the_layout(self, root, tmp_path, as_path):
        """The layout is given as a file too, whose name is that of a layout without one."""
        (tmp_path / "plain.yaml").write_text(changed(("name: small\n", "")))
        Store.init(root, as_path(tmp_path / "plain.yaml"))
        (tmp_path / "plain.yaml").unlink()
        assert Store(root).layout.name == "plain"

    def test_is_no_artifact(self, home):
        """The record is neither found nor a finding."""
        assert [entry.path for entry in Store(home).find()] == ["a/notes/1.txt"]
        assert Store(home).examine() == ()

    def test_readable(self, home):
        """What is recorded are the files of the layout as they were written."""
        (file,) = (home / ".zarrange/layout").iterdir()
        assert file.read_text() == TEXT
        assert json.loads((home / ".zarrange/store.json").read_text()) == {"zarrange": 1, "layout": [file.name]}

    @pytest.mark.parametrize("text", ["\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), TEXT + "# é 😀\n"])
    def test_any_text(self, root, text):
        """Marks, line ends and characters of any sort in a layout file come back as they are."""
        made = Layout.parse(text.encode())
        Store.init(root, made)
        assert Store(root).layout == made
        assert Store.init(root, made).layout == made

    def test_pickles(self, home):
        """A store that was opened without a layout goes to other processes like any other."""
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            assert pool.submit(Store.count, Store(home)).result() == 1

    def test_needs_a_layout(self, root, snapshot):
        """A store without a record is refused without a layout, and it is said what to do."""
        before = snapshot(root)
        with pytest.raises(
            StoreError, match=r"does not say which layout it has: give one .*, or record it by `zarrange i"
        ):
            Store(root)
        assert snapshot(root) == before

    def test_in_memory(self):
        """An object store is described as a folder is."""
        Store.init("memory://record/runs", SMALL)
        assert Store("memory://record/runs").layout == SMALL
        assert Store("memory://record/runs").find().explain().strategy == "flat"
        with pytest.raises(StoreError, match="`training` would disagree"):
            Store("memory://record/runs", "training")
        with pytest.raises(StoreError, match="does not say which layout it has"):
            Store("memory://record")


class TestExtends:
    """A layout that extends others is recorded whole."""

    def test_needs_no_files(self, root, extended):
        """None of the files is needed later, and the layout is the same."""
        layout = Layout.load(extended)
        Store.init(root, extended)
        for file in extended.parent.glob("*.yaml"):
            file.unlink()
        again = Store(root).layout
        assert again == layout
        assert again.render("note", run="a b").path == "a%20b/note.txt"
        assert [Path(file).name for file in again.files] == ["own.yaml", "base.yaml", "training.yaml"]

    def test_shipped_ones_are_recorded(self, root):
        """A shipped layout is recorded as it is now, whatever a later version ships."""
        Store.init(root, "training")
        (file,) = (root / ".zarrange/layout").iterdir()
        assert file.read_text() == Layout.load("training").texts[0]

    def test_files_of_one_name(self, root, tmp_path):
        """A layout extends another one of its own name, in another folder or shipped."""
        (tmp_path / "layout-2.yaml").write_text("zarrange: 1\nextends: training.yaml\nfiles: {a: {path: a}}\n")
        (tmp_path / "training.yaml").write_text("zarrange: 1\nextends: training\nfiles: {b: {path: b}}\n")
        made = Layout.load(tmp_path / "layout-2.yaml")
        assert len(made.files) == 3
        Store.init(root, made)
        assert Store(root).layout == made

    @pytest.mark.parametrize("name", ["a b.yaml", "é.yaml", ".hidden.yaml", "a\nb.yaml", "x" * 240 + ".yaml", "-f.yml"])
    def test_any_name(self, root, tmp_path, name):
        """A file of the layout has any name there is."""
        (tmp_path / name).write_text(TEXT)
        Store.init(root, tmp_path / name)
        assert Store(root).layout == SMALL

    def test_a_later_base_disagrees(self, root, extended):
        """When a file that the layout extends has changed, what is recorded counts, and the change is refused."""
        Store.init(root, extended)
        (extended.parent / "base.yaml").write_text(BASE.replace("note.txt", "notes.txt"))
        assert Store(root).layout.render("note", run="a").path == "a/note.txt"
        with pytest.raises(StoreError, match="`own` would disagree"):
            Store(root, extended)


class TestAgreement:
    """A store that has a record takes a layout that agrees with it, and refuses one that would disagree."""

    @pytest.mark.parametrize(
        "text",
        [
            changed(("doc: A small layout.", "doc: Another text.")),
            changed((", doc: The run.", ""), (", doc: A box.", "")),
            changed(("name: small", "name: large")),
            changed((", examples: [{values: {run: a}, path: a/box.zarr}]", "")),
            changed(("fields:", "rules: {missing-example: 'off'}\nfields:")),
            changed(("fields:", "allow: [{rule: nested-kinds, kinds: [image], because: Why not.}]\nfields:")),
            changed(("{type: str, doc: The run.}", "{doc: The run., type: str}")),
            f"# A comment.\n{TEXT}\n\n",
        ],
    )
    def test_other_words(self, home, text):
        """What is only said about kinds and fields may differ; the given layout is the store's."""
        given_ = Layout.parse(text)
        assert given_ != SMALL
        assert Store(home, given_).layout is given_

    @pytest.mark.parametrize(
        "text",
        [
            changed(("images/{{ step }}", "images/{{ step | pad(4) }}")),
            changed(("min: 0", "min: 1")),
            changed(("run: {type: str,", "run: {type: str, max_length: 9,")),
            changed(('box: {path: "{{ run }}/box.zarr"', 'box: {zarr_format: 2, path: "{{ run }}/box.zarr"')),
            changed(("  note:", "  memo:")),
            f'{TEXT}  extra: {{path: "{{{{ run }}}}/extra.txt"}}\n',
            TEXT.partition("files:")[0],
        ],
    )
    def test_would_disagree(self, home, snapshot, text):
        """A layout with other fields, kinds or templates is refused, it is said what to do, and nothing changes."""
        before = snapshot(home)
        for use in (Store, Store.init):
            with pytest.raises(StoreError, match="the recorded one is used where none is given") as caught:
                use(home, Layout.parse(text))
            assert "`small` would disagree about where artifacts are" in str(caught.value)
            assert snapshot(home) == before

    def test_twice(self, home, snapshot):
        """Recording the same layout twice does nothing, whatever its file is called."""
        before = snapshot(home)
        for file in ("<layout>", "somewhere/else.yaml"):
            assert Store.init(home, Layout.parse(TEXT, file=file)).layout == SMALL
            assert snapshot(home) == before

    def test_other_words_are_not_recorded(self, home, snapshot):
        """A layout that agrees, but is another text, is not recorded over the first one."""
        before = snapshot(home)
        with pytest.raises(AlreadyExistsError, match="with another text; it was left as it is") as caught:
            Store.init(home, Layout.parse(TEXT + "# More.\n"))
        assert ".zarrange/store.json" in str(caught.value)
        assert snapshot(home) == before


class TestFilters:
    """Filters are programs, which are not recorded: whoever opens the store gives the layout with them."""

    @pytest.fixture
    def filtered(self, root):
        Store.init(root, Layout.parse(UPPER, filters=[UPPERCASE]))
        return root

    def test_same(self, filtered):
        """The layout with its filters is accepted, with other words too."""
        for text in (UPPER, UPPER + "# More.\n"):
            store = Store(filtered, Layout.parse(text, filters=[UPPERCASE]))
            assert store.identifier("box", run="a").path == f"{filtered}/A/box.zarr"

    def test_missing(self, filtered):
        """Without the filters, the message says that it is them that are missing."""
        with pytest.raises(StoreError, match=r"are not recorded, so give the layout with them: .* `upper` is not"):
            Store(filtered)

    def test_disagrees(self, filtered, snapshot):
        """A layout with other templates is refused as ever."""
        before = snapshot(filtered)
        with pytest.raises(StoreError, match="would disagree"):
            Store.init(filtered, Layout.parse(UPPER.replace("images", "pictures"), filters=[UPPERCASE]))
        with pytest.raises(StoreError, match="give the layout with them"):
            Store(filtered, SMALL)
        assert snapshot(filtered) == before


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A store that has a record of several files."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "base.yaml").write_text(TEXT)
    (folder / "own.yaml").write_text("zarrange: 1\nextends: base.yaml\nfiles: {more: {path: more.txt}}\n")
    return Store.init(folder / "store", folder / "own.yaml")


def files(root):
    return sorted(path for path in Path(root, ".zarrange").rglob("*") if path.is_file())


def opening(root):
    """Return a store's layout, or why it is refused."""
    try:
        return Store(root).layout
    except StoreError as error:
        return str(error)


class TestDamage:
    """A record that is damaged, foreign or half is a clear `StoreError`: never another layout, never none."""

    def test_cut_anywhere(self, chain):
        """Each file of the record, cut behind any of its bytes, is refused; only a last line end may be missing."""
        for path in files(chain.root):
            whole = path.read_bytes()
            for length in range(len(whole) - (path.name == "store.json")):
                path.write_bytes(whole[:length])
                with pytest.raises(StoreError, match=rf"{path.name} in '.*' is damaged"):
                    Store(chain.root)
            path.write_bytes(whole)
        assert Store(chain.root).layout == chain.layout

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_any_bytes(self, chain, data):
        """Whatever bytes stand in its files, the record gives the layout or a `StoreError`."""
        path = data.draw(st.sampled_from(files(chain.root)))
        whole = path.read_bytes()
        start = data.draw(st.integers(0, len(whole)))
        stop = data.draw(st.integers(start, min(len(whole), start + 20)))
        try:
            path.write_bytes(whole[:start] + data.draw(st.binary(max_size=20)) + whole[stop:])
            opened = opening(chain.root)
        finally:
            path.write_bytes(whole)
        assert chain.root in opened if isinstance(opened, str) else opened == chain.layout

    def test_missing(self, chain):
        """A file that is missing is named."""
        for path in files(chain.root):
            whole = path.read_bytes()
            path.unlink()
            with pytest.raises(StoreError, match=r"is missing, which \.zarrange/store\.json names|does not say which"):
                Store(chain.root)
            path.write_bytes(whole)

    def test_hand_edited(self, home):
        """A file of the record that somebody has changed is refused, though it is a layout."""
        (file,) = (home / ".zarrange/layout").iterdir()
        file.write_text(TEXT.replace("images", "pictures"))
        for layout in (None, SMALL):
            with pytest.raises(StoreError, match="is damaged: it is not as it was recorded"):
                Store(home, layout)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('{"zarrange": 2, "layout": []}', "has the version 2; this zarrange knows 1"),
            ('{"zarrange": 2, "layouts": {"a": 1}, "more": []}', "has the version 2; this zarrange knows 1"),
            ('{"zarrange": 0, "layout": ["a.yaml"]}', "has the version 0; this zarrange knows 1"),
            ('{"zarrange": true, "layout": ["a.yaml"]}', "expected a whole number, got a truth value"),
            ('{"zarrange": "1", "layout": ["a.yaml"]}', "expected a whole number, got the text '1'"),
            ('{"layout": ["a.yaml"]}', "`zarrange` is missing"),
            ('{"zarrange": 1}', "`layout` is missing"),
            ('{"zarrange": 1, "layout": "a.yaml"}', "expected a list"),
            ('{"zarrange": 1, "layout": []}', "does not name the layout's files"),
            ('{"zarrange": 1, "layout": [1]}', "expected text, got the number 1"),
            ('{"zarrange": 1, "layout": ["a"], "more": 1}', "`more` is not a key here"),
            ("", "not JSON"),
            ("[]", "expected a mapping, got a list"),
            ("null", "expected a mapping, got nothing"),
            ("[" * 100_000, "not JSON"),
            ("\udcff", "not JSON"),
        ],
    )
    def test_foreign(self, home, snapshot, content, message):
        """A `store.json` of something else or of a later version is refused in one line, and stays as it is."""
        (home / ".zarrange/store.json").write_text(content, errors="surrogateescape")
        before = snapshot(home)
        for use in (lambda: Store(home), lambda: Store(home, SMALL), lambda: Store.init(home, SMALL)):
            with pytest.raises(StoreError, match=message) as caught:
                use()
            assert "\n" not in str(caught.value)
            assert f".zarrange/store.json in {str(home)!r}" in str(caught.value)
            assert snapshot(home) == before

    @pytest.mark.parametrize(
        "name",
        [
            *["../../outside.yaml", "/etc/passwd", "..", ".", "", "a/b.yaml", "./a.yaml", "a\0b", "outside.yaml"],
            *["65ff40eb6d6c2127-../../../outside.yaml", "65ff40eb6d6c2127-a/../b", "65ff40eb6d6c2127-..", "a" * 5000],
        ],
    )
    def test_names_that_lead_out(self, home, tmp_path, name):
        """A name that is not plain is refused: nothing out of the record's folder is read."""
        (tmp_path / "outside.yaml").write_text(TEXT)
        content = json.dumps({"zarrange": 1, "layout": [name]})
        (home / ".zarrange/store.json").write_text(content)
        with pytest.raises(StoreError, match="is damaged: it does not name the layout's files"):
            Store(home)

    @pytest.mark.parametrize("place", [".zarrange", ".zarrange/store.json", ".zarrange/layout", ".zarrange/layout/*"])
    @pytest.mark.parametrize("target", ["moved", "nowhere"])
    def test_symlink(self, home, snapshot, place, target):
        """A symlink in the stead of the record or of a part is not followed, read or written through."""
        tmp_path = home.parent
        (path,) = home.glob(place)
        path.rename(tmp_path / "moved")
        path.symlink_to(tmp_path / target)
        before = snapshot(tmp_path)
        for use in (lambda: Store(home), lambda: Store(home, SMALL), lambda: Store.init(home, SMALL)):
            with pytest.raises(StoreError, match="is a symlink") as caught:
                use()
            assert str(home) in str(caught.value)
            assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("place", [".zarrange", ".zarrange/layout", ".zarrange/store.json", ".zarrange/layout/*"])
    @pytest.mark.parametrize("make", [Path.mkdir, Path.touch, os.mkfifo])
    def test_something_else(self, home, snapshot, place, make):
        """A file where a folder should be, a folder for a file, and a pipe for either are refused at once."""
        (path,) = home.glob(place)
        is_folder = path.is_dir()
        if is_folder:
            shutil.rmtree(path)
        else:
            path.unlink()
        make(path)
        before = snapshot(home)
        # An empty folder is what is there before anything is recorded.
        message = "does not say which layout|is missing" if is_folder and make is Path.mkdir else "not a f|is damaged"
        with pytest.raises(StoreError, match=message):
            Store(home)
        assert snapshot(home) == before

    def test_half_written(self, home):
        """What an interrupted writer has left is no record, and does not keep a layout from being recorded."""
        (home / ".zarrange/store.json").unlink()
        (home / ".zarrange/layout/0123456789abcdef-other.yaml").write_text("zarr")
        with pytest.raises(StoreError, match="does not say which layout it has"):
            Store(home)
        assert Store.init(home, "training").layout == Layout.load("training")
        assert Store(home).layout == Layout.load("training")

    def test_every_step_of_writing(self, root):
        """A writer that dies after any of its steps leaves no record or the whole one."""
        steps = 0
        while True:
            backend = Dying(str(root), steps)
            try:
                record.write_record(backend, Layout.load("training"))
            except DiedError:
                with pytest.raises(StoreError, match="does not say which layout it has"):
                    Store(root)
                steps += 1
                continue
            break
        assert steps == 2
        assert Store(root).layout == Layout.load("training")


class DiedError(Exception):
    pass


class Dying(LocalBackend):
    """A folder whose writer dies after so many files."""

    def __init__(self, root, left):
        super().__init__(root)
        self.left = left

    def write(self, path, content, *, replace=False):
        if not self.left:
            raise DiedError
        self.left -= 1
        super().write(path, content, replace=replace)


class TestPlaces:
    """Where a record cannot be made or read, it is said why, and nothing is left."""

    def test_root_is_a_file(self, tmp_path, monkeypatch, snapshot):
        """A file is no root, by whichever name it is given."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "file").write_text("mine")
        before = snapshot(tmp_path)
        for root in (tmp_path / "file", "file", "~/file"):
            for use in (Store, Store.init):
                with pytest.raises(ValueError, match="is a file, not a folder"):
                    use(root, SMALL)
        with pytest.raises(NotADirectoryError):
            Store.init(tmp_path / "file" / "below", SMALL)
        assert snapshot(tmp_path) == before

    def test_root_is_a_symlink(self, root, tmp_path):
        """The root itself may be a symlink."""
        (tmp_path / "link").symlink_to(root)
        Store.init(tmp_path / "link", SMALL)
        assert Store(root).layout == SMALL

    def test_may_not_be_written(self, shared_folder, as_nobody, snapshot):
        """A folder that may not be written into stays as it is."""
        (shared_folder / "root").mkdir(mode=0o755)
        before = snapshot(shared_folder)
        with as_nobody():
            if os.geteuid() == shared_folder.stat().st_uid:
                (shared_folder / "root").chmod(0o555)
                before = snapshot(shared_folder)
            with pytest.raises(PermissionError, match=re.escape(str(shared_folder / "root"))):
                Store.init(shared_folder / "root", SMALL)
        assert snapshot(shared_folder) == before

    @pytest.mark.parametrize("place", [".zarrange", ".zarrange/store.json", ".zarrange/layout/*"])
    def test_may_not_be_read(self, shared_folder, as_nobody, place):
        """A record that may not be read is not a missing one."""
        Store.init(shared_folder / "root", SMALL)
        (path,) = (shared_folder / "root").glob(place)
        path.chmod(0)
        with as_nobody():
            for layout in (None, SMALL):
                with pytest.raises(AccessDeniedError, match="cannot be read: permission denied") as caught:
                    Store(shared_folder / "root", layout)
                assert str(shared_folder / "root") in str(caught.value)

    def test_root_may_not_be_entered(self, shared_folder, as_nobody):
        """A root that may not be entered is told as such, by its name."""
        (shared_folder / "root").mkdir(mode=0)
        with as_nobody():
            for use in (Store, Store.init):
                with pytest.raises(AccessDeniedError, match="cannot be read: permission denied") as caught:
                    use(shared_folder / "root", SMALL)
                assert str(shared_folder / "root") in str(caught.value)

    def test_below_an_array(self, root):
        """A root in which the record's place is an array is refused."""
        (root / ".zarrange").mkdir()
        (root / ".zarrange/zarr.json").write_text('{"zarr_format": 3, "node_type": "array"}')
        with pytest.raises(NotInStoreError, match="is an array"):
            Store.init(root, SMALL)


OWN_PLACE = """\
zarrange: 1
fields: {p: {type: path, charset: unicode}, n: {type: str, charset: unicode}}
containers: {box: {path: "{{ n }}"}}
groups: {part: {container: box, path: layout}}
arrays: {grid: {container: box, path: stage}}
files: {record: {path: .zarrange/store.json}, any: {path: "{{ p }}/x.txt"}}
"""


class TestOwnPlace:
    """What a store keeps for itself is no place of an artifact, whatever the layout says."""

    @pytest.mark.parametrize(
        "key",
        [
            Key("record", {}),
            Key("any", {"p": ".zarrange"}),
            Key("any", {"p": ".zarrange/layout"}),
            Key("box", {"n": ".zarrange"}),
            Key("part", {"n": ".zarrange"}),
            Key("grid", {"n": ".zarrange"}),
        ],
    )
    def test_refused(self, root, snapshot, key):
        """Nothing is created, opened, looked for or removed there, nor found."""
        store = Store.init(root, Layout.parse(OWN_PLACE))
        before = snapshot(root)
        for use in (
            store.create,
            store.open,
            store.exists,
            store.remove,
            lambda one: store.remove(one, recursive=True),
        ):
            with pytest.raises(NotInStoreError, match="is where a store keeps what it needs itself"):
                use(key)
            assert snapshot(root) == before
        assert list(store.find()) == []

    def test_only_at_the_root(self, root):
        """Further down, the name is one like any other, and so are longer ones."""
        store = Store.init(root, Layout.parse(OWN_PLACE))
        for path in ("a/.zarrange", ".zarrange2", ".zarrange2/layout"):
            store.create(Key("any", {"p": path})).close()
        assert [entry.path for entry in store.find("any")] == [
            ".zarrange2/layout/x.txt",
            ".zarrange2/x.txt",
            "a/.zarrange/x.txt",
        ]


# --- several at once -------------------------------------------------------------------------------------------------


def init_at(root, text):
    """Record a layout, and return its name, or what is refused."""
    try:
        return Store.init(root, Layout.parse(text, file="same.yaml")).layout.doc
    except StoreError as error:
        return type(error).__name__, "StoreError"


class TestAtOnce:
    """Of several who record at the same time, one wins, and what is recorded is the winner's."""

    @pytest.mark.parametrize("in_memory", [False, True])
    def test_threads(self, tmp_path, in_memory):
        """Threads with layouts of one name never mix their texts, and each says truly whether it has won."""
        texts = [changed(("A small layout.", f"Number {at}."), ("images/", f"images-{at % 3}/")) for at in range(6)]
        for turn in range(10):
            root = f"memory://at-once/{turn}" if in_memory else tmp_path / str(turn)
            barrier = Barrier(len(texts))
            with ThreadPoolExecutor(len(texts)) as pool:
                said = list(pool.map(lambda text, at=root, gate=barrier: (gate.wait(), init_at(at, text))[1], texts))
            (winner,) = [one for one in said if isinstance(one, str)]
            assert Store(root).layout.doc == winner
            assert Store(root).layout.texts[0] in texts

    def test_same_layout(self, tmp_path):
        """Threads that record the same layout all succeed."""
        for turn in range(10):
            barrier = Barrier(6)
            with ThreadPoolExecutor(6) as pool:
                waits = [pool.submit(lambda gate=barrier, at=turn: (gate.wait(), init_at(tmp_path / str(at), TEXT))[1])]
                waits += [
                    pool.submit(lambda gate=barrier, at=turn: (gate.wait(), init_at(tmp_path / str(at), TEXT))[1])
                    for _ in range(5)
                ]
            assert [one.result() for one in waits] == ["A small layout."] * 6

    def test_processes(self, root):
        """Processes are as threads."""
        texts = [changed(("A small layout.", f"Number {at}."), ("images/", f"images-{at}/")) for at in range(4)]
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            said = list(pool.map(init_at, [root] * 4, texts))
        (winner,) = [one for one in said if isinstance(one, str)]
        assert Store(root).layout.doc == winner
