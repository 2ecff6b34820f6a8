"""The same run as in train_and_validate.py, stored as DaCapo does it: through `LocalArrayStore`, on DaCapo's own paths.

    python examples/dacapo_drop_in.py runs

The store says where each array is; the program reads and writes it there with zarr. As in DaCapo, datasets and
parameters are objects, whose `str()` stands in the path.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

import zarr
from segmentation import IS_BETTER, THRESHOLDS, PixelClassifier, pictures, scores
from terminal import add_options, print_tree, steps

from zarrange import Store, ZarrangeError
from zarrange.dacapo import LocalArrayStore
from zarrange.errors import AlreadyExistsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segmentation import Array, Picture

    from zarrange.dacapo import LocalArrayIdentifier


def train_and_validate(store: LocalArrayStore, run: str, iterations: int, every: int) -> None:
    """Train on one picture; every few iterations, and at the end, take a snapshot and validate on another picture."""
    training, validation = pictures()
    snapshots = store.snapshot_container(run)
    write(snapshots.array_identifier("raw"), training.raw)
    write(snapshots.array_identifier("gt"), training.gt)
    raw, gt = store.validation_input_arrays(run)
    write(raw, validation.raw)
    write(gt, validation.gt)

    classifier = PixelClassifier(training)
    for iteration in steps(iterations):
        classifier.train()
        if iteration % every == 0 or iteration == iterations:
            write(snapshots.array_identifier(f"prediction_{iteration:08}"), classifier.predict(training))
            validate(store, run, iteration, classifier.predict(validation), validation)


def validate(store: LocalArrayStore, run: str, iteration: int, prediction: Array, dataset: Picture) -> None:
    """Store the prediction on a dataset, and what each threshold makes of it."""
    write(store.validation_prediction_array(run, iteration, dataset), prediction)
    for parameters in THRESHOLDS:
        output = parameters.apply(prediction)
        scored = scores(output, dataset.gt)
        write(store.validation_output_array(run, iteration, parameters, dataset), output, **scored)
        for criterion in IS_BETTER:
            attributes = {**scored, "iteration": iteration, "parameters": str(parameters)}
            keep_best(store, run, criterion, output, attributes)


def keep_best(store: LocalArrayStore, run: str, criterion: str, output: Array, attributes: dict[str, Any]) -> None:
    """Store an output in place of the best one so far, if it is better."""
    best = store.best_validation_array(run, criterion)
    if (best.container / best.dataset).exists():
        so_far: Mapping[str, Any] = zarr.open_array(str(best.container), path=best.dataset, mode="r").attrs
        if not IS_BETTER[criterion](attributes[criterion], so_far[criterion]):
            return
        store.remove(best)
    write(best, output, **attributes)


def write(where: LocalArrayIdentifier, data: Array, **attributes: Any) -> None:
    """Write an array to its place; what is there already is never overwritten."""
    zarr.create_array(store=str(where.container), name=where.dataset, data=data, attributes=attributes)


def refuse_existing(store: LocalArrayStore, run: str) -> None:
    """Raise `AlreadyExistsError` where something of the run is there: a run is written once."""
    for path in (store.snapshot_container(run).container, store.validation_container(run).container):
        if path.exists():
            raise AlreadyExistsError(f"the run `{run}` exists already ({path}): remove it, or name another with --run")


def main() -> int:
    """Run the program and return its exit status: 2 for wrong usage."""
    parser = argparse.ArgumentParser(description="Train and validate a small segmentation; store it as DaCapo does.")
    parser.add_argument("basedir", nargs="?", default="runs", help="where the runs are (default: runs)")
    add_options(parser)
    options = parser.parse_args()
    store = LocalArrayStore(options.basedir)
    try:
        on_disk = Store(options.basedir, layout="dacapo")
    except ValueError as error:
        parser.error(str(error))
    try:
        refuse_existing(store, options.run)
        train_and_validate(store, options.run, options.iterations, options.every)
    except (ZarrangeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print_tree(on_disk, options.run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
