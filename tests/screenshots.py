"""The pictures that the README shows, made anew from a store that this program makes, too.

    python -m tests.screenshots [FOLDER]

The store has cells that look like cells: smooth noise for raw, blobs for the ground truth, and predictions that get
better with the iterations of two training runs, of which one learns faster. Nothing in it is random from run to run.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import segmentation
from tests.web.browser import launched

from zarrange import Store
from zarrange.web.serving import running

PICTURES = Path(__file__).parents[1] / "examples" / "pictures"
SHAPE = (16, 224, 224)
CHUNKS = (8, 112, 112)
SCALED = {"voxel_size": [40, 8, 8], "offset": [0, 0, 0], "units": ["nm", "nm", "nm"]}
ITERATIONS = tuple(range(2000, 34_000, 2000))
RUNS = {"affinities-lr1e-4": 8000.0, "distances-lr5e-5": 17_000.0}
"""The training runs, and after how many iterations each has learned most of it."""
THRESHOLDS = (0.5, 0.7)
LOST = ("distances-lr5e-5", 22_000)
"""Where a run was interrupted, so that there is a gap."""


def smooth(noise, *widths):
    """Noise, smoothed along each axis by a Gaussian of some width."""
    smoothed = ndimage.gaussian_filter(noise.astype("f4"), widths, mode="wrap")
    return (smoothed - smoothed.mean()) / smoothed.std()


def cells(random, count=46):
    """Labels of cells that lie close together, and how far inside of its cell each voxel lies."""
    z, y, x = np.indices(SHAPE, dtype="f4")
    bent = [6 * smooth(random.standard_normal(SHAPE), 4, 22, 22) for _ in range(2)]
    centers = random.uniform((-4, -10, -10), (SHAPE[0] + 4, SHAPE[1] + 10, SHAPE[2] + 10), (count, 3))
    nearest = np.full(SHAPE, np.inf, "f4")
    second = np.full(SHAPE, np.inf, "f4")
    labels = np.zeros(SHAPE, "u4")
    for label, (cz, cy, cx) in enumerate(centers, 1):
        far = np.sqrt(((z - cz) * 4.0) ** 2 + (y + bent[0] - cy) ** 2 + (x + bent[1] - cx) ** 2)
        is_nearer = far < nearest
        second = np.where(is_nearer, nearest, np.minimum(second, far))
        labels = np.where(is_nearer, np.uint32(label), labels)
        nearest = np.minimum(nearest, far)
    inside = np.minimum((second - nearest) / 2, 46 - nearest)
    return np.where(inside > 2.2, labels, 0).astype("u4"), inside


def micrograph(random, labels, inside):
    """What an electron microscope might see: dark membranes, textured cytoplasm, organelles, a noisy camera."""
    texture = 11 * smooth(random.standard_normal(SHAPE), 0.8, 1.6, 1.6) + 9 * smooth(
        random.standard_normal(SHAPE), 2, 9, 9
    )
    body = np.where(labels > 0, 158.0, 196.0)
    membrane = 105 * np.exp(-((inside - 2.2) ** 2) / 3.5)
    spots = smooth(random.standard_normal(SHAPE), 1.6, 4.5, 6)
    organelles = 46 * (spots > 1.75) * (labels > 0) + 40 * ((spots > 1.55) & (spots < 1.75) & (labels > 0))
    camera = 8 * random.standard_normal(SHAPE)
    return np.clip(body + texture - membrane - organelles + camera, 0, 255).astype("u1")


def likelihood(inside, errors, learned):
    """How likely each voxel is inside of a cell, by a network that has learned so much."""
    sharp = np.clip(inside - 3.4, -7, 7) / 1.8
    vague = smooth(inside, 1, 12, 12)
    far = 1 - learned
    logits = learned * sharp + far * vague + (2.4 * far + 0.35) * errors
    return (1 / (1 + np.exp(-logits))).astype("f4")


def pieces(likely, threshold, truth):
    """The pieces above a threshold, each called as the cell that it is the largest part of, where there is one."""
    seeds, _ = ndimage.label(likely > (1 + threshold) / 2)
    found = segmentation.watershed(-likely, seeds, mask=likely > threshold)
    pairs, counts = np.unique(found.ravel().astype("u8") << 32 | truth.ravel(), return_counts=True)
    names = np.arange(found.max() + 1, dtype="u4") + 1000
    names[0] = 0
    for pair in pairs[np.argsort(counts)].tolist():
        piece, cell = pair >> 32, pair & 0xFFFFFFFF
        if piece and cell:
            names[names == cell] += 1000
            names[piece] = cell
    sizes = np.bincount(found.ravel())
    names[sizes < 150] = 0
    return names[found]


def agreement(found, truth):
    """How well pieces agree with the truth: the scores that the arrays carry."""
    both = np.count_nonzero((found > 0) & (truth > 0))
    dice = 2 * both / max(1, np.count_nonzero(found) + np.count_nonzero(truth))
    table = np.unique(found.ravel().astype("u8") << 32 | truth.ravel(), return_counts=True)
    share = table[1] / found.size
    entropy = -(share * np.log2(share)).sum()
    apart = [np.unique(one, return_counts=True)[1] / one.size for one in (found, truth)]
    voi = 2 * entropy + sum((one * np.log2(one)).sum() for one in apart)
    return {"dice": round(float(dice), 4), "voi": round(float(voi), 4)}


def fill(root):
    """Make the store of which the pictures are taken."""
    store = Store.init(root, "training")
    random = np.random.default_rng(7)
    truth, inside = cells(random)
    raw = micrograph(random, truth, inside)
    for run, pace in RUNS.items():
        errors = smooth(random.standard_normal(SHAPE), 1.2, 7, 7)
        _create(store, "validation_raw", raw, run=run)
        _create(store, "validation_gt", truth, run=run)
        best = -1.0
        for iteration in ITERATIONS:
            likely = likelihood(inside, errors, 0.97 * (1 - np.exp(-iteration / pace)))
            errors += 0.22 * smooth(random.standard_normal(SHAPE), 1.2, 7, 7)  # it forgets, and errs elsewhere
            errors /= errors.std()
            if (run, iteration) == LOST:
                continue
            at = {"run": run, "iteration": iteration, "dataset": "crop 7"}
            _create(store, "validation_prediction", likely, **at)
            for threshold in THRESHOLDS:
                found = pieces(likely, threshold, truth)
                scores = agreement(found, truth)
                _create(store, "validation_output", found, scores, **at, parameters=f"threshold={threshold}")
                if scores["dice"] > best:
                    best, kept = scores["dice"], found
        _create(store, "best_validation", kept, {"dice": best}, run=run, criterion="dice")
    return store


def _create(store, kind, data, scores=None, **values):
    attributes = {**SCALED, **({"scores": scores} if scores else {})}
    where = store.identifier(kind, **values)
    store.create(where, data=data, chunks=CHUNKS, attributes=attributes, dimension_names=["z", "y", "x"])


RUN_A, RUN_B = RUNS
BOTH = f"run={RUN_A}&run={RUN_B}"
AT = "parameters=threshold%3D0.5&iteration="
PANELS = "validation_gt,validation_prediction,validation_output"
ARRAY = f"{RUN_A}/validation.zarr/iterations/00014000/crop%25207/prediction"
SHOTS = {
    "runs": ("/?.full=1", {"height": 590}),
    "run": (f"/run?run={RUN_B}", {"height": 860}),
    "compare": (f"/compare?run={RUN_A}&{AT}14000", {"height": 680}),
    "compare-runs": (
        f"/compare?{BOTH}&{AT}12000&.show={PANELS}&.zoom=1.6&.at=118,96",
        {"height": 1220, "width": 1100, "scheme": "dark"},
    ),
    "scores": (f"/scores?{BOTH}", {"height": 940}),
    "array": (f"/array/{ARRAY}", {"height": 860}),
    "narrow": (f"/compare?run={RUN_A}&{AT}14000", {"width": 400, "height": 1100}),
}
"""Each picture's name, the page that it shows, and how large it is."""


def take(browser, address, name, view):
    """Take a picture of a page, when all that it waits for has come."""
    size = {"width": view.get("width", 1280), "height": view["height"]}
    context = browser.new_context(viewport=size, color_scheme=view.get("scheme", "light"), locale="en-US")
    page = context.new_page()
    page.add_init_script('document.addEventListener("painted", (event) => { window.painted = event.detail; });')
    page.goto(address, wait_until="networkidle")
    if "/compare" in address:
        page.wait_for_function("() => window.painted?.complete")
    # The folder is a temporary one, which would be called otherwise in each picture.
    page.evaluate("() => { document.querySelector('.bottom .where').textContent = '/data/runs'; }")
    page.screenshot(path=name)
    context.close()


def main():
    """Make the store, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=PICTURES)
    parser.add_argument("--store", type=Path, help="a store that this program made before")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        store = Store(options.store) if options.store else fill(Path(temporary) / "runs")
        with running(store) as url, launched() as browser:
            for name, (address, view) in SHOTS.items():
                take(browser, url + address, options.folder / f"{name}.png", view)


if __name__ == "__main__":
    main()
