"""Notes beside the types of a layout file's attributes.

A text says what the attribute means, an `Also` what else holds of its values than their type. Loading checks the same
where it can say more about it; from the notes `zarrange.language.schema` makes what editors know of the format.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Also"]


class Also:
    """What else holds of a value, in the words of JSON Schema. What has a `title` is described once, under that."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords
