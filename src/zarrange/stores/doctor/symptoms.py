"""Symptoms: the findings of a doctor, one function a rule. Each explains its rule, as those of `language.rules` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic, Severity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "colliding_names",
    "doubled_metadata",
    "interrupted_transaction",
    "leftover_file",
    "mismatched_node",
    "stale_consolidation",
    "unfinished_array",
    "unmatched_path",
    "unreadable_path",
]


def unmatched_path(path: str, what: str) -> Diagnostic:
    """Something is in a store that the layout has no place for.

    ## What it does
    Walks a store and looks for arrays, groups, folders and files that no kind of the layout has, and that hold nothing
    that it has.

    ## Why is this bad?
    What the layout does not know is not found, not moved and not removed with the rest. Often it was written by another
    version of the layout, or by hand.

    ## Example
    ```console
    $ zarrange check training --store runs
    warning[unmatched-path]: no kind has this array
     --> runs/r1/validation.zarr/iterations/1000
    ```

    ## Use instead
    Move it to where the layout has it (an iteration is `00001000` there), or give it a kind of its own.
    """
    return Diagnostic("unmatched-path", f"no kind has this {what}", _whole(path), severity=Severity.WARNING)


def mismatched_node(path: str, message: str) -> Diagnostic:
    """Something else is where the layout has an array, a group, a container or a file.

    ## What it does
    Compares what each matched path is with what its kind says: an array, a group, a file; and the zarr format of a
    container, where the layout fixes one.

    ## Why is this bad?
    Opening it fails, or reads as an empty group. A folder in an array's place is often what an interrupted copy left.

    ## Example
    ```console
    $ zarrange check training --store runs
    error[mismatched-node]: a folder is where the layout has an array of `validation_raw`
     --> runs/r1/validation.zarr/inputs/all/raw
    ```

    ## Use instead
    Copy the artifact again, or remove what is there.
    """
    return Diagnostic("mismatched-node", message, _whole(path))


def unreadable_path(path: str, reason: str) -> Diagnostic:
    """Something in a store cannot be read.

    ## What it does
    Reports folders that may not be listed, metadata that are damaged, names that are not UTF-8, and symlinks, which a
    store does not follow.

    ## Why is this bad?
    Unreadable is not absent: nobody knows what is there, and what lies below was not checked.

    ## Example
    ```console
    $ zarrange check training --store runs
    error[unreadable-path]: cannot be read: permission denied
     --> runs/r1
    ```

    ## Use instead
    Give yourself the right to read it, or write the damaged artifact again.
    """
    return Diagnostic("unreadable-path", reason, _whole(path))


def unfinished_array(path: str) -> Diagnostic:
    """An array is marked as one whose writing never finished.

    ## What it does
    Looks at the mark of each array that was created with `seal=True`: whether all of it was written.

    ## Why is this bad?
    zarr reads what was never written as zeros, without an error. Training goes on with them, and scores are made of
    them.

    ## Example
    ```console
    $ zarrange doctor runs --layout training
    error[unfinished-array]: the writing of this array never finished
     --> runs/r1/validation.zarr/iterations/00001000/crop3/prediction
    ```

    ## Use instead
    Write the array again, or remove it. If somebody is writing it at this moment, look again when they are done. Only
    arrays that were created with `store.create(..., seal=True)`, and written in `with store.writing(...) as array:`,
    say whether they are finished.
    """
    return Diagnostic("unfinished-array", "the writing of this array never finished", _whole(path))


def interrupted_transaction(path: str, message: str) -> Diagnostic:
    """A removal, a prune or a migration was begun, and its process died amid it.

    ## What it does
    Reads the journals in `.zarrange/tx`: those whose process neither came to its end nor is at it any more.

    ## Why is this bad?
    No array is lost, but some may be out of sight until it is ended: a migration may have taken everything aside. Until
    then, nothing can be made where it was at work.

    ## Example
    ```console
    $ zarrange doctor runs --layout training
    error[interrupted-transaction]: the migration to the layout `hive` was interrupted: process 4711 on gpu7 was at it
     --> runs/.zarrange/tx/5f0c2c1e9b3d4a67.journal
    help: `zarrange doctor --recover` ends it: puts back what was taken, or brings all of it to its end
    ```

    ## Use instead
    `zarrange doctor runs --recover`: what had not come far is taken back, the rest is carried out, and the store is as
    before or as it was to become. Whatever changes the store next does so too.
    """
    advice = "`zarrange doctor --recover` ends it: puts back what was taken, or brings all of it to its end"
    return Diagnostic("interrupted-transaction", message, _whole(path), advice)


def leftover_file(path: str, message: str) -> Diagnostic:
    """A writer that was interrupted has left something behind.

    ## What it does
    Looks for the files that zarr writes before it renames them to what they are to be (`*.partial`), in groups and, on
    disk, among the chunks of arrays; and for what is in `.zarrange/stage` and `.zarrange/trash` without a journal that
    tells of it. What was removed and can still be undone is none of it.

    ## Why is this bad?
    It takes space and is never read. It also shows that a write was cut off: the chunk that it was meant for reads as
    zeros, or is an older one.

    ## Example
    ```console
    $ zarrange doctor runs --layout training
    warning[leftover-file]: a writer that was interrupted has left this file
     --> runs/r1/validation.zarr/inputs/crop3/raw/c/0/0/1.3f1b9a8e0d5c47f2a6d2b8c1e4f70935.partial
    ```

    ## Use instead
    When nobody is writing into the store, delete it, and write the array again that it belongs to. What is in
    `.zarrange/stage` is deleted by `zarrange doctor --recover`, unless somebody is still at it.
    """
    return Diagnostic("leftover-file", message, _whole(path), severity=Severity.WARNING)


def stale_consolidation(path: str, message: str, info: Iterable[str] = ()) -> Diagnostic:
    """A group's copy of the metadata below it no longer says what is there.

    ## What it does
    Compares the consolidated metadata of a group (in its `zarr.json`, or in `.zmetadata`) with the nodes themselves:
    nodes that are listed and gone, that are there and not listed, and that have other metadata than the copy has.

    ## Why is this bad?
    zarr reads the copy, and not the nodes. A new array is not seen, one that is gone reads as zeros, and one that was
    written anew is read by the shape and the codec of the old one.

    ## Example
    ```console
    $ zarrange doctor runs --layout training
    error[stale-consolidation]: the consolidated metadata in its zarr.json are stale
     --> runs/r1/validation.zarr
    info: `inputs/crop3/raw` is listed, but gone
    help: write them anew with zarr.consolidate_metadata
    ```

    ## Use instead
    Consolidate the group again: `zarr.consolidate_metadata("runs/r1/validation.zarr")`. A `Store` keeps the copies
    up to date, whenever it creates or removes something.
    """
    advice = "write them anew with zarr.consolidate_metadata"
    return Diagnostic("stale-consolidation", message, _whole(path), advice, info=tuple(info))


def colliding_names(path: str, message: str, info: Iterable[str] = ()) -> Diagnostic:
    """Two names in one folder are the same where case, or the form of a letter, does not count.

    ## What it does
    Compares the names in each folder without case and without the Unicode form that they are written in (`é` is one
    character or two). In an object store, it also finds a name that both a file and a folder have.

    ## Why is this bad?
    The disks of macOS and Windows take both names for one. Of two files, only one survives a copy to such a disk; two
    folders are mixed up with each other.

    ## Example
    ```console
    $ zarrange doctor runs --layout training
    warning[colliding-names]: `Baseline` and `baseline` differ by case only
     --> runs/baseline
    ```

    ## Use instead
    Rename one of them. Choose names of lower-case letters and digits.
    """
    return Diagnostic("colliding-names", message, _whole(path), severity=Severity.WARNING, info=tuple(info))


def doubled_metadata(path: str, message: str) -> Diagnostic:
    """A folder has the metadata of two nodes at once.

    ## What it does
    Looks for folders with `zarr.json` (format 3) as well as `.zarray` or `.zgroup` (format 2), and with both of those.

    ## Why is this bad?
    Readers disagree about what is there: some take format 3, some format 2, and each has a shape, a codec and chunks of
    its own. zarr writes an array of format 2 over one of format 3 without an error, and leaves both.

    ## Example
    ```console
    $ zarrange doctor runs --layout training
    error[doubled-metadata]: its zarr.json and its .zarray contradict each other
     --> runs/r1/validation.zarr/inputs/crop3/raw
    ```

    ## Use instead
    Find out which one the chunks belong to, and delete the other.
    """
    return Diagnostic("doubled-metadata", message, _whole(path))


def _whole(path: str) -> Span:
    return Span(path, 0, 0, 0, 0)
