"""Notes beside the types of a layout file's attributes, and the type of a name.

A text says what the attribute means, an `Also` what else holds of its values than their type. Loading checks the same
where it can say more about it; from the notes `zarrange.language.schema` makes what editors know of the format.
"""

from __future__ import annotations

import keyword
from typing import Annotated, Any

__all__ = ["NAME", "NO_NAMES", "Also", "Name"]


class Also:
    """What else holds of a value, in the words of JSON Schema. What has a `title` is described once, under that."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords


NAME = "[A-Za-z][A-Za-z0-9_]*"
NO_NAMES = frozenset({*keyword.kwlist, "none", "true", "false"})
"""Words of Python's own are no names, and Jinja2 spells three of them in another way as well."""

Name = Annotated[
    str,
    "Letters, digits and _, a letter first, and no word of Python's own.",
    Also(title="Name", pattern=f"^{NAME}$", **{"not": {"enum": sorted(NO_NAMES)}}),
]
