"""Train a small segmentation, validate it every few iterations, and store all arrays where a layout says.

    python examples/train_and_validate.py runs --layout training

Write `dacapo`, `hive` or the path of your own copy of a layout instead of `training`, and every path follows it.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from segmentation import IS_BETTER, THRESHOLDS, PixelClassifier, pictures, scores
from terminal import add_options, print_tree, steps

from zarrange import LayoutError, Store, ZarrangeError
from zarrange.errors import AlreadyExistsError
from zarrange.report import diagnostics_as_text

if TYPE_CHECKING:
    from segmentation import Array, Picture


def train_and_validate(store: Store, run: str, iterations: int, every: int) -> None:
    """Train on one picture; every few iterations, and at the end, take a snapshot and validate on another picture."""
    training, validation = pictures()
    store.create(store.identifier("snapshot_array", run=run, volume="raw"), data=training.raw)
    store.create(store.identifier("snapshot_array", run=run, volume="gt"), data=training.gt)
    store.create(store.identifier("validation_raw", run=run), data=validation.raw)
    store.create(store.identifier("validation_gt", run=run), data=validation.gt)

    classifier = PixelClassifier(training)
    for iteration in steps(iterations):
        classifier.train()
        if iteration % every == 0 or iteration == iterations:
            snapshot = store.identifier("snapshot_array", run=run, volume=f"prediction_{iteration:08}")
            store.create(snapshot, data=classifier.predict(training))
            validate(store, run, iteration, classifier.predict(validation), validation)


def validate(store: Store, run: str, iteration: int, prediction: Array, picture: Picture) -> None:
    """Store the prediction on a picture, and what each threshold makes of it."""
    values = {"run": run, "iteration": iteration, "dataset": picture.name}
    store.create(store.identifier("validation_prediction", **values), data=prediction)
    for parameters in THRESHOLDS:
        output = parameters.apply(prediction)
        scored = scores(output, picture.gt)
        where = store.identifier("validation_output", **values, parameters=str(parameters))
        store.create(where, data=output, attributes=scored)
        for criterion in IS_BETTER:
            attributes = {**scored, "iteration": iteration, "parameters": str(parameters)}
            keep_best(store, run, criterion, output, attributes)


def keep_best(store: Store, run: str, criterion: str, output: Array, attributes: dict[str, Any]) -> None:
    """Store an output in place of the best one so far, if it is better."""
    best = store.identifier("best_validation", run=run, criterion=criterion)
    if store.exists(best):
        if not IS_BETTER[criterion](attributes[criterion], store.open(best).attrs[criterion]):
            return
        store.remove(best)  # `create` never overwrites
    store.create(best, data=output, attributes=attributes)


def refuse_existing(store: Store, run: str) -> None:
    """Raise `AlreadyExistsError` where something of the run is there: a run is written once."""
    for kind in ("snapshot", "validation"):
        path = store.identifier(kind, run=run).path
        if os.path.lexists(path):
            raise AlreadyExistsError(f"the run `{run}` exists already ({path}): remove it, or name another with --run")


def main() -> int:
    """Run the program and return its exit status: 1 for a wrong layout, 2 for wrong usage."""
    parser = argparse.ArgumentParser(description="Train and validate a small segmentation; store it as a layout says.")
    parser.add_argument("root", nargs="?", default="runs", help="the store's root folder (default: runs)")
    parser.add_argument("--layout", default="training", help="a shipped layout, or a YAML file (default: training)")
    add_options(parser)
    options = parser.parse_args()
    try:
        store = Store(options.root, layout=options.layout)
    except LayoutError as error:
        print(diagnostics_as_text(error.diagnostics), file=sys.stderr)
        return 1
    except ValueError as error:
        parser.error(str(error))
    try:
        refuse_existing(store, options.run)
        train_and_validate(store, options.run, options.iterations, options.every)
    except (ZarrangeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print_tree(store, options.run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
