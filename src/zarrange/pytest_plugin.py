"""The pytest plugin: layout files, and each example in them, as tests.

`pytest --zarrange=layouts/`, or the ini key `zarrange_layouts`. A file gives the test `check` (what `zarrange check`
finds, but for single examples) and one test an example, as in `layouts/mine.yaml::mask[0]`; a file that cannot be
loaded gives `check` alone. The option's files are collected beside whatever pytest collects, unless arguments name
some of them; the ini key's are where `testpaths` would be, and else where the arguments reach them. Nothing else is
touched. pytest loads this module in every run: until there is a layout to collect, it imports nothing of zarrange.
"""

from __future__ import annotations

import glob
import os
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from zarrange.diagnostics import Diagnostic, Span

__all__ = ["LayoutFile", "LayoutFolder", "LayoutItem"]

SUFFIXES = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the ini key."""
    group = parser.getgroup("zarrange", "layouts as tests")
    group.addoption(
        "--zarrange",
        action="append",
        default=[],
        metavar="PATH",
        help="test the layouts at PATH too: a YAML file, a folder of them, or a quoted pattern; may be repeated",
    )
    about = "layouts to test: YAML files, folders of them, or patterns, relative to the rootdir"
    parser.addini("zarrange_layouts", about, type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that every test of a layout has."""
    config.addinivalue_line("markers", "zarrange: tests of layout files, which zarrange's plugin collects")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Find the files that are named. One that is not there is refused before anything is collected."""
    config = session.config
    here = config.invocation_params.dir
    asked = _files(config, here, config.getoption("zarrange"), "--zarrange")
    configured = _files(config, config.rootpath, config.getini("zarrange_layouts"), "zarrange_layouts")
    has_arguments = config.args_source is pytest.Config.ArgsSource.ARGS
    arguments = {_absolute(here, argument.partition("::")[0]) for argument in config.args} if has_arguments else set()
    beside: list[Path] = [] if arguments.intersection(asked) else asked
    if not has_arguments and here == config.rootpath:
        beside = [*beside, *configured]
    if asked or configured:
        config.pluginmanager.register(_Collection({*asked, *configured}, dict.fromkeys(beside)), "zarrange-layouts")


def _files(config: pytest.Config, base: Path, named: Iterable[str], source: str) -> list[Path]:
    """Return the YAML files that are named. Raises `UsageError` for a name that stands for none."""
    files: list[Path] = []
    for name in named:
        path = _absolute(base, name)
        found = [path] if path.exists() else [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]
        if not found:
            raise pytest.UsageError(f"{source}: there is no {name!r}")
        layouts = [file for one in found for file in _yaml_files(config, one)]
        if not layouts:
            raise pytest.UsageError(f"{source}: there is no YAML file at {name!r}")
        files += layouts
    return files


def _yaml_files(config: pytest.Config, path: Path) -> Iterator[Path]:
    """Give a file itself, or what is in a folder, but for what is hidden and what pytest is told to ignore."""
    if not path.is_dir():
        yield from [path] if path.suffix in SUFFIXES else []
        return
    for one in sorted(path.iterdir()):
        is_ignored = one.name.startswith(".") or config.hook.pytest_ignore_collect(collection_path=one, config=config)
        if not is_ignored:
            yield from _yaml_files(config, one)


def _absolute(base: Path, path: str) -> Path:
    return Path(os.path.abspath(base / path))


class _Collection:
    """Collects `files`: those in `beside` whatever pytest collects, the others where it comes across them."""

    def __init__(self, files: Iterable[Path], beside: Iterable[Path]) -> None:
        self._beside = tuple(beside)
        self._within = frozenset(files).difference(self._beside)

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return LayoutFile.from_parent(parent, path=file_path) if file_path in self._within else None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Session):
            folders = dict.fromkeys(path.parent for path in self._beside)
            # Last, for the first collector of a folder takes the fixtures of its conftest file.
            report.result = [*(report.result or ()), *(self._folder(collector, folder) for folder in folders)]
        return report

    def _folder(self, session: pytest.Session, folder: Path) -> pytest.Collector:
        # Reached from the rootdir, a folder outside of it has an id too, under which `--lf` finds its files again.
        name = os.path.relpath(folder, session.config.rootpath)
        files = [path.name for path in self._beside if path.parent == folder]
        made: LayoutFolder = LayoutFolder.from_parent(session, path=session.config.rootpath / name, files=files)
        return made


class LayoutFolder(pytest.Directory):
    """Some layouts of a folder; to pytest a directory, so that the folder's conftest files hold for them."""

    def __init__(self, *, files: Iterable[str], **options: Any) -> None:
        super().__init__(**options)
        self._files = files

    def collect(self) -> Iterator[LayoutFile]:
        for name in self._files:
            yield LayoutFile.from_parent(self, path=self.path / name)


class LayoutFile(pytest.File):
    """A layout file: the test `check`, and one test of each example."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_marker("zarrange")
        self._check: Callable[[], Sequence[Diagnostic]] = tuple
        self._examples: dict[Span, str] = {}

    def collect(self) -> Iterator[LayoutItem]:
        """Load the layout. Its rules are tried when the first of its tests runs."""
        from zarrange.errors import LayoutError
        from zarrange.language.layout import Layout

        yield self._item("check", 1)
        try:
            layout = Layout.load(Path(os.path.relpath(self.path)))
        except LayoutError as error:
            self._check = partial(tuple, error.diagnostics)
            return
        self._check = layout.check
        for kind in layout.kinds.values():
            for at, example in enumerate(kind.examples):
                name = f"{kind.name}[{at}]"
                self._examples |= {example.span: name, example.values_span: name}
                yield self._item(name, min(example.span, example.values_span).line)

    def _item(self, name: str, line: int) -> LayoutItem:
        # Left to itself, pytest 9.2 does not take `mask[0]` for what `--lf` remembers as that (its issue 15045).
        item: LayoutItem = LayoutItem.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}", line=line)
        return item

    @cached_property
    def findings(self) -> dict[str, list[Diagnostic]]:
        """What is found, by the name of the test that fails for it."""
        found: dict[str, list[Diagnostic]] = {}
        for one in self._check():
            found.setdefault(self._examples.get(one.span, "check"), []).append(one)
        return found


class LayoutItem(pytest.Item):
    """A test of a layout: it fails with the findings of its name."""

    parent: LayoutFile

    def __init__(self, *, line: int, **options: Any) -> None:
        super().__init__(**options)
        self._line = line

    def runtest(self) -> None:
        from zarrange.errors import LayoutError

        if found := self.parent.findings.get(self.name):
            raise LayoutError(found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Draw the findings; anything else that is raised is our bug, and has its traceback."""
        from zarrange.errors import LayoutError
        from zarrange.report import diagnostics_as_text

        if isinstance(excinfo.value, LayoutError):
            return diagnostics_as_text(excinfo.value.diagnostics)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._line - 1, f"{self.parent.nodeid}: {self.name}"
