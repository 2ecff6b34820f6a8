"""Policies: the rules by which artifacts are kept, as frozen data, and as people write them.

What people write is `--keep-last 5 --keep-every 10000 --keep-best criterion=dice:max --older-than 7d`: read strictly,
for what is removed hangs on it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from attrs import Attribute, field, frozen

from zarrange.diagnostics import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MIN_AGE", "Best", "Policy", "parse_best", "parse_duration", "read_policy", "written_duration"]

MIN_AGE = timedelta(hours=1)
"""What is younger, and not known to be finished, may be being written."""

# --- durations -------------------------------------------------------------------------------------------------------

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_duration = re.compile(r"(0|[1-9][0-9]{0,6})([wdhms])").fullmatch


def parse_duration(text: str) -> timedelta:
    """Return the duration that a person wrote: `2w`, `7d`, `24h`, `90m` (minutes), `30s`, `0`. Raises `ValueError`."""
    if text == "0":
        return timedelta()
    match = _duration(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration, which is a whole number and one of w, d, h, m, s, as in 7d or 24h")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def written_duration(duration: timedelta) -> str:
    """Return a duration in the largest unit that has it whole; in weeks only as days, nobody says `1w` for `7d`."""
    for unit in "dhms":
        whole, rest = divmod(duration, timedelta(seconds=_SECONDS[unit]))
        if whole and not rest:
            return f"{whole}{unit}"
    return f"{duration.total_seconds()}s" if duration else "0s"


# --- policies --------------------------------------------------------------------------------------------------------


@frozen
class Best:
    """What is best: the artifact whose `score` is the greatest, or the least one.

    Written `criterion=dice:max`. `criterion` is a word of this notation, whatever fields a kind has; `dice` is the
    score's name: an attribute of the arrays (`scores.dice`: one inside another), or a column of the table of scores;
    `max` says that more is better, `min` that less is.
    """

    score: str
    direction: Literal["max", "min"]

    def __str__(self) -> str:
        return f"criterion={self.score}:{self.direction}"

    def is_as_good(self, score: float, best: float) -> bool:
        """Return whether a score is at least as good as another one."""
        return score >= best if self.direction == "max" else score <= best

    def best(self, scores: Iterable[float]) -> float:
        """Return the best of some scores."""
        return max(scores) if self.direction == "max" else min(scores)


def parse_best(text: str) -> Best:
    """Return what `criterion=SCORE:max` or `criterion=SCORE:min` says. Raises `ValueError`."""
    word, _, rest = text.partition("=")
    score, _, direction = rest.rpartition(":")
    if word != "criterion" or not score or direction not in ("max", "min"):
        fits = "criterion=SCORE:max or criterion=SCORE:min, as in criterion=dice:max"
        raise ValueError(f"{text!r} does not say what is best; that is written {fits}")
    return Best(score, "max" if direction == "max" else "min")


def _whole(value: Any) -> Any:
    """Return whatever is a whole number, numpy's too, as Python's own."""
    return operator.index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else value


def _bests(value: str | Best | Iterable[str | Best] | None) -> tuple[Best, ...]:
    if value is None:
        return ()
    found = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return tuple(dict.fromkeys(parse_best(one) if isinstance(one, str) else one for one in found))


def _timed(value: str | timedelta | None) -> timedelta | None:
    return parse_duration(value) if isinstance(value, str) else value


def _timed_at_least(value: str | timedelta) -> timedelta:
    return parse_duration(value) if isinstance(value, str) else value


def _at_least_one(_: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError(f"`{attribute.name}` is a whole number of at least 1, not {shown(value)}")


def _all_best(_: object, attribute: Attribute[Any], values: tuple[object, ...]) -> None:
    for value in values:
        if not isinstance(value, Best):
            raise TypeError(f"`{attribute.name}` is text such as criterion=dice:max, not {shown(value)}")


def _age(_: object, attribute: Attribute[Any], value: object) -> None:
    least = timedelta(0) if attribute.name == "min_age" else timedelta(microseconds=1)
    if value is not None and (not isinstance(value, timedelta) or value < least):
        raise ValueError(f"`{attribute.name}` is a duration such as 7d, not {shown(value)}")


@frozen(kw_only=True)
class Policy:
    """Which artifacts to keep. It has at least one rule; what none of them keeps is to go.

    `keep_last`: those with so many last values of the field that orders them. `keep_every`: those whose value is a
    multiple. `keep_best`: the best ones by each criterion, all of those that are equally good. `older_than`: those that
    are younger; alone, it removes whatever is older. Durations are also taken as text, `7d`.

    What is younger than `min_age` and not marked as finished is never removed, whatever the rules say.
    """

    keep_last: int | None = field(default=None, converter=_whole, validator=_at_least_one)
    keep_every: int | None = field(default=None, converter=_whole, validator=_at_least_one)
    keep_best: tuple[Best, ...] = field(default=(), converter=_bests, validator=_all_best)
    older_than: timedelta | None = field(default=None, converter=_timed, validator=_age)
    min_age: timedelta = field(default=MIN_AGE, converter=_timed_at_least, validator=_age)

    def __attrs_post_init__(self) -> None:
        if not self.has_groups and self.older_than is None:
            raise ValueError("a policy needs a rule: `keep_last`, `keep_every`, `keep_best` or `older_than`")

    def __str__(self) -> str:
        said = [
            self.keep_last and f"keep-last {self.keep_last}",
            self.keep_every and f"keep-every {self.keep_every}",
            *(f"keep-best {best}" for best in self.keep_best),
            self.older_than and f"older-than {written_duration(self.older_than)}",
        ]
        return ", ".join(one for one in said if one)

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the scores that are asked for, each once: those that `read_scores` has to find in a table."""
        return tuple(dict.fromkeys(best.score for best in self.keep_best))

    @property
    def has_groups(self) -> bool:
        """Whether it has a rule that chooses within a group."""
        return self.needs_order or bool(self.keep_best)

    @property
    def needs_order(self) -> bool:
        """Whether it has a rule that goes by the values of a field."""
        return self.keep_last is not None or self.keep_every is not None


def read_policy(texts: Mapping[str, str | Sequence[str] | None]) -> Policy:
    """Return the policy that a person wrote, by the names of its rules: `{"keep_last": "5", "older_than": "7d"}`.

    What is `None` is not given; `keep_best` may be several. Raises `ValueError`.
    """
    given: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
    for name in given.keys() & {"keep_last", "keep_every"}:
        if re.fullmatch(r"[1-9][0-9]{0,17}", given[name]):
            given[name] = int(given[name])
    return Policy(**given)
