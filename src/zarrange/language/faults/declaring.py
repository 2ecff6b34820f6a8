"""Faults of an outline: sections, names, fields and references that a layout cannot have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zarrange.diagnostics import Label, Span

__all__ = [
    "contradictory_renaming",
    "contradictory_view",
    "invalid_choice",
    "invalid_name",
    "invalid_pattern",
    "missing_key",
    "undocumented_allow",
    "unknown_container",
    "unknown_key",
    "unknown_kind",
    "unknown_rule",
    "unsupported_version",
    "wrong_type",
]


def unsupported_version(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A layout is written in a version of the format that is not known.

    ## What it does
    Compares the number under `zarrange`, which is the version of the format, with those that this zarrange knows:
    there is 1.

    ## Why is this bad?
    The same words may mean other paths in another version. Reading a layout by the wrong one could put data where
    nobody looks for it.

    ## Example
    ```yaml
    zarrange: 3
    files:
      log: {path: log.txt}
    ```

    ## Use instead
    ```yaml
    zarrange: 1
    files:
      log: {path: log.txt}
    ```
    """
    return Diagnostic("unsupported-version", message, span, advice, labels=labels)


def missing_key(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """Something that a layout needs is not there.

    ## What it does
    Looks for the keys that cannot be left out: the layout's `zarrange`, a field's `type`, a kind's `path`, the
    `container` of a group or an array, both parts of an example, all parts of an accepted finding.

    ## Why is this bad?
    Nothing could be put in the place of these keys without guessing, and a guess would decide where data is written.

    ## Example
    ```yaml
    arrays:
      raw: {path: raw}
    ```

    ## Use instead
    ```yaml
    arrays:
      raw: {container: validation, path: raw}
    ```
    """
    return Diagnostic("missing-key", message, span, advice, labels=labels)


def unknown_key(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A key stands where the format has none of that name.

    ## What it does
    Looks for keys that mean nothing where they stand: none of the format's own, or a setting that does not apply to
    the type of the field.

    ## Why is this bad?
    Such a key is most often a misspelt one. Passing over it would leave out a limit or a pattern that its author
    believes to be there.

    ## Example
    ```yaml
    fields:
      run: {type: str, max_lenght: 40}
    files:
      log: {path: "{{ run }}/log.txt"}
    ```

    ## Use instead
    ```yaml
    fields:
      run: {type: str, max_length: 40}
    files:
      log: {path: "{{ run }}/log.txt"}
    ```
    """
    return Diagnostic("unknown-key", message, span, advice, labels=labels)


def wrong_type(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A value is not of the sort that belongs in its place.

    ## What it does
    Holds each value against what its place takes: text, a number, a list, a mapping, or one of a few words. It also
    finds limits that no value can meet.

    ## Why is this bad?
    A value is never turned into another one: `"8"` is not 8, and one text is not a list with one text in it. Whoever
    wrote it may have meant something else than a reader would make of it.

    ## Example
    ```yaml
    fields:
      iteration: {type: int, min: "0"}
    files:
      log: {path: "{{ iteration }}.txt"}
    ```

    ## Use instead
    ```yaml
    fields:
      iteration: {type: int, min: 0}
    files:
      log: {path: "{{ iteration }}.txt"}
    ```
    """
    return Diagnostic("wrong-type", message, span, advice, labels=labels)


def invalid_name(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A field, a fragment or a kind has a name that templates cannot use.

    ## What it does
    Looks at the names of fields, fragments and kinds: letters, digits and `_`, a letter first, and no word of Python's
    own. A field and a fragment cannot share a name.

    ## Why is this bad?
    Templates, Python programs and the command line all spell these names. To a template, `run-name` is `run` minus
    `name`, and a keyword such as `class` cannot be the name of an argument.

    ## Example
    ```yaml
    fields:
      run-name: {type: str}
    files:
      log: {path: log.txt}
    ```

    ## Use instead
    ```yaml
    fields:
      run_name: {type: str}
    files:
      log: {path: "{{ run_name }}/log.txt"}
    ```
    """
    return Diagnostic("invalid-name", message, span, advice, labels=labels)


def invalid_pattern(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A pattern is no regular expression, or not a regular one.

    ## What it does
    Reads each `pattern` and `exclude` of a field. Anchors, look-around, back-references, flags, atomic groups and
    possessive repeats are refused, and so is a pattern that would take very many states.

    ## Why is this bad?
    A layout is proved free of clashes by looking at all values at once, which works for truly regular patterns only.
    They also match in time that grows with the length of the text and never explodes.

    ## Example
    ```yaml
    fields:
      criterion: {type: str, pattern: "^[a-z]+$"}
    files:
      best: {path: "{{ criterion }}.txt"}
    ```

    ## Use instead
    ```yaml
    fields:
      criterion: {type: str, pattern: "[a-z]+"}
    files:
      best: {path: "{{ criterion }}.txt"}
    ```
    """
    return Diagnostic("invalid-pattern", message, span, advice, labels=labels)


def invalid_choice(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A field's `choices` have a value that the field itself does not take.

    ## What it does
    Holds each of a field's `choices` against its type and its other settings. A list without any choice is found too.

    ## Why is this bad?
    Such a choice looks as if it could be used, and is refused as soon as somebody does. Choices are no way around the
    charset, which keeps paths the same on every file system.

    ## Example
    ```yaml
    fields:
      volume: {type: str, choices: [raw, ground truth]}
    files:
      preview: {path: "{{ volume }}.png"}
    ```

    ## Use instead
    ```yaml
    fields:
      volume: {type: str, choices: [raw, ground_truth]}
    files:
      preview: {path: "{{ volume }}.png"}
    ```
    """
    return Diagnostic("invalid-choice", message, span, advice, labels=labels)


def unknown_container(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """An array or a group is in a container that is not declared.

    ## What it does
    Looks for the `container` of each array and each group among the layout's `containers`.

    ## Why is this bad?
    The path of an array begins with that of its container: without one, the array has no path.

    ## Example
    ```yaml
    containers:
      validation: {path: "{{ run }}/validation.zarr"}
    arrays:
      raw: {container: validaton, path: raw}
    ```

    ## Use instead
    ```yaml
    containers:
      validation: {path: "{{ run }}/validation.zarr"}
    arrays:
      raw: {container: validation, path: raw}
    ```
    """
    return Diagnostic("unknown-container", message, span, advice, labels=labels)


def unknown_kind(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """An accepted finding or the view is about a kind that does not exist.

    ## What it does
    Looks for each of the `kinds` of an entry of `allow`, and for those of the `panels` and the `overlays` of `view`,
    among the kinds of the layout. What a view inherits goes with its kinds.

    ## Why is this bad?
    The entry accepts nothing: a kind was renamed or removed, or its name is misspelt. What it was meant to accept is
    found again, or is gone and the entry with its reason misleads its readers. A panel of such a kind is never seen.

    ## Example
    ```yaml
    files:
      notes: {path: "{{ run }}/{{ dataset }}.txt"}
      log: {path: "{{ run }}/log.txt"}
    allow:
      - {rule: overlapping-kinds, kinds: [note, log], because: No dataset is named log.}
    ```

    ## Use instead
    ```yaml
    files:
      notes: {path: "{{ run }}/{{ dataset }}.txt"}
      log: {path: "{{ run }}/log.txt"}
    allow:
      - {rule: overlapping-kinds, kinds: [notes, log], because: No dataset is named log.}
    ```
    """
    return Diagnostic("unknown-kind", message, span, advice, labels=labels)


def unknown_rule(message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()) -> Diagnostic:
    """A layout names a rule that does not exist, or that cannot be changed.

    ## What it does
    Looks for the rules that a layout names: those under `rules` must be ones that can be turned off or changed, those
    under `allow` ones whose findings can be accepted one by one. Faults that keep a layout from being loaded can be
    neither.

    ## Why is this bad?
    A setting for a rule that does not exist changes nothing, while its author believes that it does.

    ## Example
    ```yaml
    rules: {missing-exmple: off}
    files:
      log: {path: "{{ run }}/log.txt"}
    ```

    ## Use instead
    ```yaml
    rules: {missing-example: off}
    files:
      log: {path: "{{ run }}/log.txt"}
    ```
    """
    return Diagnostic("unknown-rule", message, span, advice, labels=labels)


def undocumented_allow(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A finding is accepted without a reason.

    ## What it does
    Looks for an entry of `allow` whose `because` is blank.

    ## Why is this bad?
    A clash that is accepted can lose data as soon as its reason no longer holds. Without the reason nobody can tell
    when that is.

    ## Example
    ```yaml
    files:
      notes: {path: "{{ run }}/{{ dataset }}.txt"}
      log: {path: "{{ run }}/log.txt"}
    allow:
      - {rule: overlapping-kinds, kinds: [notes, log], because: ""}
    ```

    ## Use instead
    ```yaml
    files:
      notes: {path: "{{ run }}/{{ dataset }}.txt"}
      log: {path: "{{ run }}/log.txt"}
    allow:
      - {rule: overlapping-kinds, kinds: [notes, log], because: No dataset is named log.}
    ```
    """
    return Diagnostic("undocumented-allow", message, span, advice, labels=labels)


def contradictory_renaming(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """A field or a kind is said to be what another one is.

    ## What it does
    Holds each `renamed_from` against the other names of the layout: two fields cannot both have been the same one, and
    a name that is declared still belongs to what is declared by it, unless that was renamed as well. Kinds share their
    names, whether they are containers, groups, arrays or files.

    ## Why is this bad?
    A store that moves to the layout has values by the old name. Which of the two they belong to would be a guess, and
    every artifact would be moved by it.

    ## Example
    ```yaml
    fields:
      iteration: {type: int}
      step: {type: int, renamed_from: iteration}
    files:
      log: {path: "{{ step }}.txt"}
    ```

    ## Use instead
    ```yaml
    fields:
      step: {type: int, renamed_from: iteration}
    files:
      log: {path: "{{ step }}.txt"}
    ```
    """
    return Diagnostic("contradictory-renaming", message, span, advice, labels=labels)


def contradictory_view(
    message: str, span: Span, advice: str | None = None, labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """The view of a layout says two things that cannot both be.

    ## What it does
    Looks for a field that is to tell runs from each other and is to be slid through as well, for an array that stands
    twice among the panels, and for arrays that are to be drawn over themselves, or over each other in a circle.

    ## Why is this bad?
    A page shows one run and slides through the values of another field. An array has one place on it, and of those that
    lie over each other one must be the lowest.

    ## Example
    ```yaml
    fields:
      run: {type: str}
      iteration: {type: int}
    files:
      log: {path: "{{ run }}/{{ iteration }}.txt"}
    view: {by: iteration, slider: iteration}
    ```

    ## Use instead
    ```yaml
    fields:
      run: {type: str}
      iteration: {type: int}
    files:
      log: {path: "{{ run }}/{{ iteration }}.txt"}
    view: {by: run, slider: iteration}
    ```
    """
    return Diagnostic("contradictory-view", message, span, advice, labels=labels)
