"""The shipped layouts: documented, free of clashes but for those that they allow, and what zarr takes."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import numpy as np
import pytest
import zarr
from hypothesis import assume, given, settings, strategies as st
from tests.strategies import fits, values_of

from zarrange import Key, Layout, Store
from zarrange.errors import FieldError
from zarrange.language.arrangement import arrangement
from zarrange.language.difference import difference
from zarrange.language.fields import IntField, PathField
from zarrange.language.shipped import shipped_layouts
from zarrange.language.templates import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zarrange.language.kinds import Kind
    from zarrange.language.slots import Slot

NAMES = ("cellmap", "dacapo", "hive", "ome-zarr-plate", "training")
TRIO = ("dacapo", "hive", "training")
LAYOUTS = {name: Layout.load(name) for name in NAMES}
KINDS = [
    pytest.param(layout, kind, id=f"{name}-{kind.name}")
    for name, layout in LAYOUTS.items()
    for kind in layout.kinds.values()
]
ARRAY_KINDS = [one for one in KINDS if one.values[1].sort == "array"]

each_layout = pytest.mark.parametrize("layout", [pytest.param(layout, id=name) for name, layout in LAYOUTS.items()])
each_kind = pytest.mark.parametrize(("layout", "kind"), KINDS)


class TestDocumentation:
    def test_the_shipped_layouts_are_these_five(self):
        """Five layouts are shipped, each in a file of its own name."""
        assert tuple(sorted(shipped_layouts())) == NAMES
        assert tuple(layout.name for layout in LAYOUTS.values()) == NAMES

    @each_layout
    def test_no_findings(self, layout):
        """A shipped layout has no findings, its examples hold included."""
        assert layout.check() == ()

    @each_layout
    def test_everything_is_documented(self, layout):
        """A shipped layout says what it, each of its fields and each of its kinds is for."""
        docs = {"layout": layout.doc}
        docs |= {f"field {name}": field.doc for name, field in layout.fields.items()}
        docs |= {f"kind {name}": kind.doc for name, kind in layout.kinds.items()}
        assert {name: doc for name, doc in docs.items() if not doc or not doc.endswith(".")} == {}

    @each_layout
    def test_every_field_is_used(self, layout):
        """A shipped layout declares no field that none of its kinds has."""
        assert set(layout.fields) == {name for kind in layout.kinds.values() for name in kind.fields}

    @pytest.mark.parametrize("kind", [pytest.param(one.values[1], id=one.id) for one in KINDS])
    def test_every_variant_has_an_example(self, kind):
        """A kind shows an example of each set of fields that it takes."""
        shown = {frozenset(example.values) for example in kind.examples}
        assert shown == {frozenset(variant.given) for variant in kind.variants}

    @each_kind
    def test_examples_read_back(self, layout, kind):
        """An example's values render to its path, and its path reads back as its values."""
        for example in kind.examples:
            assert layout.render(kind.name, **example.values).path == example.path
            assert Key(kind.name, example.values) in layout.matches(example.path)


class TestOneStoreThreeLayouts:
    """`dacapo`, `training` and `hive` have the same kinds and fields, so that a store can move between the three."""

    @pytest.mark.parametrize("name", TRIO)
    def test_same_kinds_and_fields(self, name):
        """Kinds, their sorts, their containers and their fields, optional ones included, are those of `dacapo`."""
        assert outline(LAYOUTS[name]) == outline(LAYOUTS["dacapo"])
        assert len(LAYOUTS[name].kinds) == 8
        assert len(LAYOUTS[name].fields) == 7

    @pytest.mark.parametrize("name", TRIO)
    def test_a_dacapo_store_can_be_read_key_by_key_and_written_in_another_layout(self, name, tmp_path):
        """What a `dacapo` store holds is found key by key, and is the same under the same keys in another layout."""
        keys = [*PORTABLE_KEYS, *(TEXT_KEYS if name != "hive" else ())]
        source, target = Store(tmp_path / "source", layout="dacapo"), Store(tmp_path / "target", layout=name)
        data = {key: np.arange(at, at + 6, dtype="f4").reshape(2, 3) for at, key in enumerate(keys)}
        for key in keys:
            source.create(key, data=data[key])
        for path in arrays_below(source):
            (key,) = set(source.layout.matches(path)) & data.keys()
            target.create(key, data=source.open(key)[:])
        found = arrays_below(target)
        assert len(found) == len(keys)
        for path in found:
            (key,) = set(target.layout.matches(path)) & data.keys()
            np.testing.assert_array_equal(found[path][:], data[key])

    @settings(deadline=None)
    @given(st.data())
    def test_training_takes_whatever_dacapo_takes(self, data):
        """Whatever values `dacapo` takes, `training` takes, and has at one path, if quoted they are one file name."""
        kind = data.draw(st.sampled_from(list(LAYOUTS["dacapo"].kinds.values())))
        values = data.draw(values_of(kind))
        assume(all(len(quote(str(value))) < 256 for value in values.values()))
        training = LAYOUTS["training"]
        assert training.match(training.render(kind.name, **values).path) == Key(kind.name, values)


class TestDaCapo:
    """`dacapo` renders exactly the paths of DaCapo's own array store."""

    FORMULAS: ClassVar = {
        "snapshot": lambda v: f"{v['run']}/snapshot.zarr",
        "validation": lambda v: f"{v['run']}/validation.zarr",
        "snapshot_array": lambda v: f"{v['run']}/snapshot.zarr|{v['volume']}",
        "validation_prediction": lambda v: f"{v['run']}/validation.zarr|{v['iteration']}/{v['dataset']}/prediction",
        "validation_output": lambda v: (
            f"{v['run']}/validation.zarr|{v['iteration']}/{v['dataset']}/output/{v['parameters']}"
        ),
        "best_validation": lambda v: (
            f"{v['run']}/validation.zarr|{v['index']}/{v['criterion']}"
            if "index" in v
            else f"{v['run']}/validation.zarr|{v['criterion']}"
        ),
        "validation_raw": lambda v: (
            f"{v['run']}/validation.zarr|inputs/{v['index']}/raw"
            if "index" in v
            else f"{v['run']}/validation.zarr|inputs/raw"
        ),
        "validation_gt": lambda v: (
            f"{v['run']}/validation.zarr|inputs/{v['index']}/gt"
            if "index" in v
            else f"{v['run']}/validation.zarr|inputs/gt"
        ),
    }
    """DaCapo's own formulas, with `|` between the container and the dataset."""

    @pytest.mark.parametrize("name", FORMULAS)
    @settings(deadline=None, max_examples=50)
    @given(data=st.data())
    def test_paths_are_dacapos(self, name, data):
        """A kind's container and dataset are what DaCapo's formulas give."""
        values = data.draw(values_of(LAYOUTS["dacapo"].kind(name)))
        identifier = LAYOUTS["dacapo"].render(name, **values)
        parts = [identifier.container, *([identifier.dataset] if hasattr(identifier, "dataset") else [])]
        assert "|".join(parts) == self.FORMULAS[name](values)

    @pytest.mark.parametrize(
        "name",
        [
            "WatershedPostProcessorParameters(id=0, bias=0.1, context=(32, 32, 32))",
            "example_validate_[labels]_['labels']_8nm",
            "ecs&pm",
            "ecs/mem__dice",
            "a/b",
        ],
    )
    def test_takes_the_names_that_dacapo_passes(self, name):
        """Names as DaCapo's callers pass them are taken everywhere that they occur."""
        layout = LAYOUTS["dacapo"]
        for kind, field in (
            ("validation_prediction", "dataset"),
            ("validation_output", "parameters"),
            ("best_validation", "criterion"),
            ("best_validation", "index"),
            ("validation_raw", "index"),
        ):
            values = {"run": "a b [x]", "iteration": 10, "dataset": "ds", "criterion": "voi"}
            given_values = {one: values[one] for one in layout.kind(kind).fields if one in values} | {field: name}
            assert name in layout.render(kind, **given_values).path


class TestRoundTrips:
    @each_kind
    @settings(deadline=None, max_examples=30)
    @given(data=st.data())
    def test_what_renders_reads_back(self, layout, kind, data):
        """What a kind's values render to reads back as them, and as nothing else where no clashes are allowed."""
        key = Key(kind.name, data.draw(values_of(kind)))
        assert layout.key(kind.name, **key.values) == key
        identifier = layout.render(kind.name, **key.values)
        readings = layout.matches(identifier.path)
        assert key in readings
        assert all(layout.render(one.kind, **one.values).path == identifier.path for one in readings)
        if not layout.allow:
            assert layout.match(identifier.path) == layout.match(identifier) == key


class TestViews:
    """A shipped layout says how it is looked at, and it is the same layout as without."""

    @pytest.mark.parametrize(
        ("name", "by", "slider", "panels"),
        [
            *(
                (
                    name,
                    "run",
                    "iteration",
                    {
                        "validation_raw": None,
                        "validation_gt": "validation_raw",
                        "validation_prediction": None,
                        "validation_output": "validation_raw",
                        "best_validation": "validation_raw",
                        "snapshot_array": None,
                    },
                )
                for name in TRIO
            ),
            ("ome-zarr-plate", "plate", "field", {"image_level": None, "label_level": "image_level"}),
            ("cellmap", "dataset", "crop", {"em_level": None, "groundtruth_level": None, "inference_level": None}),
        ],
    )
    def test_what_is_seen(self, name, by, slider, panels):
        """Each layout has its runs, its slider, and panels in the order in which a person compares them."""
        found = arrangement(LAYOUTS[name])
        assert (found.by, found.slider) == (by, slider)
        assert [(one.kind, one.over) for one in found.panels] == [*panels.items()]
        assert [one.has_slider for one in found.panels] == [
            slider in LAYOUTS[name].kind(kind).fields for kind in panels
        ]
        assert found.title != name

    @each_layout
    def test_labels_lie_over_what_is_chosen_alike(self, layout):
        """Whatever tells two images apart that others are drawn over tells those apart as well, the dataset aside."""
        for one in arrangement(layout).panels:
            if one.over is not None and layout.name in TRIO:
                assert set(layout.kind(one.over).fields) <= {*layout.kind(one.kind).fields, "index"}
            elif one.over is not None:
                assert set(layout.kind(one.over).fields) <= set(layout.kind(one.kind).fields)

    @each_layout
    def test_a_store_that_was_recorded_without_a_view(self, layout, tmp_path):
        """A store whose recorded layout differs in its view alone has the given one, which differs in nothing else."""
        text = Path(layout.file).read_text()
        before = Layout.parse(text[: text.index("view:\n")], file=layout.file)
        assert before.view != layout.view
        Store.init(tmp_path, before)
        assert Store(tmp_path, layout).layout is layout
        assert Store(tmp_path).layout.view == before.view
        assert difference(before, layout).is_same


class TestClashes:
    """No two artifacts can clash: none has another's path, and none is inside an array or a file."""

    @each_layout
    def test_the_clashes_are_those_that_are_allowed(self, layout):
        """Among all keys of a small universe there are the clashes that the layout allows, and no others."""
        assert clashes(layout) == {(one.rule, one.kinds) for one in layout.allow}

    @each_layout
    def test_the_small_universe_is_not_empty(self, layout):
        """Every kind has keys in the universe, and every variable field several values."""
        counts: Counter[str] = sum(kinds_by_path(layout).values(), Counter())
        assert counts.keys() == layout.kinds.keys()
        assert {name for name, values in universe(layout).items() if len(values) < 2} == set()

    def test_only_dacapo_allows_clashes(self):
        """Only `dacapo`, whose paths are DaCapo's own, allows any clash."""
        assert {name for name, layout in LAYOUTS.items() if layout.allow} == {"dacapo"}

    def test_allowed_clashes_are_listed_once_with_a_reason(self):
        """An allowed clash is listed once, its kinds in the order of the file, with a reason that has an example."""
        allow, order = LAYOUTS["dacapo"].allow, list(LAYOUTS["dacapo"].kinds)
        assert len({(one.rule, one.kinds) for one in allow}) == len(allow)
        assert len({one.because for one in allow}) == len(allow)
        for one in allow:
            assert [order.index(kind) for kind in one.kinds] == sorted({order.index(kind) for kind in one.kinds})
            assert one.because.endswith(".")
            assert one.because.count("`") >= 2

    def test_the_clashes_of_the_design(self):
        """The best array of `inputs` by `raw` is the raw input, and that of `1000` by `ds` has a prediction inside."""
        layout = LAYOUTS["dacapo"]
        best = layout.render("best_validation", run="r", index="inputs", criterion="raw")
        assert best == layout.render("validation_raw", run="r")
        outer = layout.render("best_validation", run="r", index="1000", criterion="ds")
        inner = layout.render("validation_prediction", run="r", iteration=1000, dataset="ds")
        assert inner.path.startswith(f"{outer.path}/")

    @pytest.mark.parametrize(
        ("name", "written", "instead", "expected"),
        [
            (
                "training",
                "indexed/{{ index | quote }}",
                "{{ index | quote }}",
                ("ambiguous-template", ("validation_raw",)),
            ),
            ("training", "/prediction", "", ("nested-kinds", ("validation_prediction", "validation_output"))),
            (
                "hive",
                "inputs/{{ index_dir }}/raw",
                "inputs/{{ index_dir }}",
                ("nested-kinds", ("validation_raw", "validation_gt")),
            ),
            (
                "hive",
                "{{ index_dir }}/gt",
                "{{ index_dir }}/raw",
                ("overlapping-kinds", ("validation_raw", "validation_gt")),
            ),
            (
                "cellmap",
                "inference/segmentations",
                "groundtruth/crop1",
                ("overlapping-kinds", ("groundtruth", "inference")),
            ),
            ("ome-zarr-plate", '"[A-Z]{1,2}"', '"[A-Za-z0-9]+"', None),
            (
                "ome-zarr-plate",
                "labels/{{ label }}",
                "{{ label }}",
                ("overlapping-kinds", ("label_image", "image_level")),
            ),
        ],
    )
    def test_the_small_universe_shows_planted_clashes(self, name, written, instead, expected, repository):
        """A layout that is changed so that artifacts clash shows it in the small universe."""
        text = (repository / "layouts" / f"{name}.yaml").read_text()
        assert written in text
        changed = Layout.parse(without_examples(text).replace(written, instead))
        found = clashes(changed)
        assert expected in found if expected is not None else not found

    @each_layout
    def test_no_name_is_one_of_zarrs_own_files(self, layout):
        """No value makes a node take the name of a file in which zarr keeps what it knows of a group."""
        taken = [
            (key, reserved)
            for reserved in ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")
            for kind in layout.kinds.values()
            if kind.sort in {"group", "array"}
            for key, identifier in keys_with(layout, kind, reserved)
            if reserved in identifier.dataset.split("/")
        ]
        assert taken == []


class TestZarr:
    @each_layout
    def test_zarr_takes_what_the_layout_writes(self, layout, tmp_path):
        """All example artifacts fit into one store, and zarr lists each in its container and reads it back."""
        store = Store(tmp_path, layout)
        written = {}
        for kind in layout.kinds.values():
            for at, example in enumerate(kind.examples):
                where = store.identifier(kind.name, **example.values)
                if kind.sort == "array":
                    written[where] = np.full((4, 6), at + 1, dtype="u1")
                    store.create(where, data=written[where], chunks=(2, 3))
                else:
                    store.create(where)
        assert written
        for where, data in written.items():
            container = zarr.open_group(where.container, mode="r")
            assert where.dataset in dict(container.members(max_depth=None))
            np.testing.assert_array_equal(container[where.dataset][:], data)
            np.testing.assert_array_equal(store.open(where)[:], data)

    @pytest.mark.parametrize(("layout", "kind"), ARRAY_KINDS)
    def test_an_array_alone_makes_its_groups(self, layout, kind, tmp_path):
        """The first array of a store brings its container and the groups above it, in the layout's format of zarr."""
        store = Store(tmp_path, layout)
        key = layout.key(kind.name, **kind.examples[0].values)
        store.create(key, shape=(3,), dtype="f4")[:] = 7
        where = store.identifier(kind.name, **key.values)
        container = zarr.open_group(where.container, mode="r")
        zarr_format = 2 if layout.name == "cellmap" else 3
        assert container.metadata.zarr_format == zarr_format
        assert container[where.dataset].metadata.zarr_format == zarr_format
        assert container[where.dataset][0] == 7
        groups = [name for name, node in container.members(max_depth=None) if isinstance(node, zarr.Group)]
        assert len(groups) == where.dataset.count("/")

    def test_cellmap_is_zarr_2(self):
        """The challenge's data is of format 2 of zarr, OME-Zarr 0.5 of format 3; the others follow what is there."""
        formats = {name: {kind.zarr_format for kind in layout.kinds.values()} for name, layout in LAYOUTS.items()}
        fixed = {"cellmap": 2, "ome-zarr-plate": 3}
        assert formats == {name: {fixed.get(name)} for name in NAMES}


class TestOmeZarrPlate:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("row", "labels"),
            ("row", "a"),
            ("row", "A1"),
            ("row", "OME"),
            ("column", 0),
            ("column", "01"),
            ("field", -1),
            ("field", "labels"),
            ("level", "labels"),
            ("label", "a/b"),
            ("label", "zarr.json"),
            ("label", "."),
        ],
    )
    def test_what_would_clash_does_not_fit(self, field, value):
        """What could be taken for another part of the plate, or of zarr, is refused."""
        values: dict[str, Any] = {"plate": "p", "row": "A", "column": 1, "field": 0, "label": "nuclei", "level": 0}
        with pytest.raises(FieldError, match=f"label_level: field `{field}` does not take"):
            LAYOUTS["ome-zarr-plate"].render("label_level", **{**values, field: value})

    def test_paths_are_those_of_the_specification(self):
        """Wells, fields of view, levels and labels are where the specification's own overview has them."""
        layout = LAYOUTS["ome-zarr-plate"]
        values = {"plate": "5966", "row": "A", "column": 1, "field": 0}
        assert layout.render("image_level", **values, level=0).path == "5966.zarr/A/1/0/0"
        assert layout.render("labels", **values).path == "5966.zarr/A/1/0/labels"
        assert layout.match("5966.zarr/A/01/0/0") is None


class TestCellMap:
    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("jrc_cos7-1a/jrc_cos7-1a.zarr/recon-1/em/fibsem-uint8/s0", "em_level"),
            ("jrc_cos7-1a/jrc_cos7-1a.zarr/recon-1/labels/groundtruth/crop155/nuc/s0", "groundtruth_level"),
            ("jrc_mus-liver/jrc_mus-liver.zarr/recon-1/labels/groundtruth/crop124/mito", "groundtruth"),
            ("jrc_hela-4/jrc_hela-4.zarr/recon-1/em/fibsem-uint16", "em"),
            ("jrc_cos7-1a/jrc_cos7-1b.zarr/recon-1/em/fibsem-uint8/s0", None),
            ("jrc_cos7-1a/jrc_cos7-1a.zarr/recon-1/em/fibsem-uint8/0", None),
            ("jrc_cos7-1a/jrc_cos7-1a.zarr/recon-01/em/fibsem-uint8/s0", None),
        ],
    )
    def test_reads_the_challenges_paths(self, path, kind):
        """Paths of the challenge's data are read; a sample in another's folder and other spellings are not."""
        found = LAYOUTS["cellmap"].match(path)
        assert (found and found.kind) == kind


# --- keys ------------------------------------------------------------------------------------------------------------

PORTABLE_KEYS = [
    Key("snapshot_array", {"run": "r1", "volume": "raw"}),
    Key("validation_prediction", {"run": "r1", "iteration": 0, "dataset": "ds_crop3"}),
    Key("validation_prediction", {"run": "r1", "iteration": 1000, "dataset": "ds_crop3"}),
    Key("validation_output", {"run": "r1", "iteration": 1000, "dataset": "ds_crop3", "parameters": "threshold_127"}),
    Key("best_validation", {"run": "r1", "criterion": "fg__dice"}),
    Key("best_validation", {"run": "r1", "criterion": "fg__dice", "index": "ds_crop4"}),
    Key("validation_raw", {"run": "r1"}),
    Key("validation_gt", {"run": "r1"}),
    Key("validation_raw", {"run": "r2", "index": "ds_crop3"}),
    Key("validation_gt", {"run": "r2", "index": "ds_crop3"}),
]
TEXT_KEYS = [
    Key("snapshot_array", {"run": "a b [x]", "volume": "volumes/raw"}),
    Key("validation_output", {"run": "r1", "iteration": 1000, "dataset": "a/b", "parameters": "W(id=0, bias=0.1)"}),
    Key("best_validation", {"run": "r1", "criterion": "ecs/mem__dice", "index": "example_['labels']_8nm"}),
    Key("validation_raw", {"run": "r1", "index": "ecs&pm"}),
]


def outline(layout: Layout) -> object:
    return {
        name: (kind.sort, kind.container, frozenset(kind.fields), kind.optional) for name, kind in layout.kinds.items()
    }


def arrays_below(store: Store) -> dict[str, Any]:
    """All arrays of a store by their paths below its root, as zarr itself lists them."""
    root = Path(store.root)
    return {
        f"{container.relative_to(root)}/{name}": node
        for container in root.glob("*/*.zarr")
        for name, node in zarr.open_group(container, mode="r").members(max_depth=None)
        if isinstance(node, zarr.Array)
    }


def keys_with(layout: Layout, kind: Kind, text: str) -> Iterator[tuple[Key, Any]]:
    """The kind's keys that are like its examples but for one field, which is `text`, where that fits."""
    for example in kind.examples:
        for name in example.values:
            key = Key(kind.name, {**example.values, name: text})
            try:
                yield key, layout.render(kind.name, **key.values)
            except FieldError:
                continue


# --- the small universe ----------------------------------------------------------------------------------------------


def clashes(layout: Layout) -> set[tuple[str, tuple[str, ...]]]:
    """Which kinds clash among all keys of the small universe: the rule, and the kinds in the order of the file."""
    solid = {name for name, kind in layout.kinds.items() if kind.sort in {"array", "file"}}
    order = list(layout.kinds)
    found = set()
    for path, kinds in kinds_by_path(layout).items():
        found |= {("ambiguous-template", (kind,)) for kind, count in kinds.items() if count > 1}
        found |= {("overlapping-kinds", tuple(sorted(pair, key=order.index))) for pair in combinations(kinds, 2)}
        for outer in paths_above(path):
            pairs = product(solid & kinds_by_path(layout).get(outer, {}).keys(), kinds)
            found |= {("nested-kinds", tuple(sorted(set(pair), key=order.index))) for pair in pairs}
    return found


def paths_above(path: str) -> Iterator[str]:
    at = path.rfind("/")
    while at > 0:
        yield path[:at]
        at = path.rfind("/", 0, at)


@cache
def kinds_by_path(layout: Layout) -> dict[str, Counter[str]]:
    """All keys that can be made of the universe's values: how many of each kind a path has."""
    values = universe(layout)
    found: dict[str, Counter[str]] = {}
    for kind in layout.kinds.values():
        for variant in kind.variants:
            for some in product(*(values[name] for name in variant.given)):
                path = kind.renderer(**dict(zip(variant.given, some, strict=True))).path
                found.setdefault(path, Counter())[kind.name] += 1
    return found


TROUBLE = ("0", "10", "00000001", "AB", "a=b", "a=a", "a/b", "a%2Fb", "%", "..", "\N{LATIN SMALL LETTER E WITH ACUTE}")


def universe(layout: Layout) -> dict[str, list[Any]]:
    """A few values for each field, chosen so that whatever can clash does.

    They are what stands in the layout's own paths between two slashes (`inputs`, `iteration=00000001`, `s1`), and what
    makes trouble elsewhere. A field of several segments has the former alone and in pairs; one that tells containers
    apart has what stands in the paths of containers.
    """
    containers = [kind for kind in layout.kinds.values() if kind.sort == "container"]
    outer = {name for kind in containers for name in kind.fields}
    outside = spelled(variant.pieces for kind in containers for variant in kind.variants)
    inside = spelled(variant.halves()[1] for kind in layout.kinds.values() for variant in kind.variants)
    made = {}
    for name, field in layout.fields.items():
        if isinstance(field, IntField):
            some = [0, 1, 10, 100_000_000]
        elif isinstance(field, PathField):
            some = [*inside, *map("/".join, product(inside, repeat=2))]
        else:
            some = [*outside, "0", "a/b"] if name in outer else [*inside, *TROUBLE]
        made[name] = [value for value in dict.fromkeys(some) if fits(field, value)]
    return made


def spelled(paths: Iterable[Iterable[Any]]) -> list[str]:
    """The segments of some paths, with something in their slots."""
    texts = ("".join(piece.text if isinstance(piece, Text) else sample(piece) for piece in path) for path in paths)
    return sorted({segment for text in texts for segment in text.split("/") if segment})


def sample(slot: Slot) -> str:
    return slot.text(next(one for one in (1, "a", "A") if fits(slot.field, one)))


def without_examples(text: str) -> str:
    """A layout's text without its examples, which may not hold any more where a template is changed."""
    lines = text.splitlines(keepends=True)
    kept, depth = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if depth is not None and line.strip() and indent > depth:
            continue
        depth = indent if line.strip() == "examples:" else None
        if depth is None:
            kept.append(line)
    return "".join(kept)
