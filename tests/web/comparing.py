"""What tests of the Compare page do and look at, in a real browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import numpy as np
from tests.web.browser import pixels
from tests.web.conftest import SHAPE


def seen(page, kind, shape=SHAPE[1:], row=0):
    """What a panel shows of each pixel of its array, where the whole of it is seen: red, green, blue, alpha."""
    drawn = pixels(page, kind, row)
    scale = min(drawn.shape[0] / shape[0], drawn.shape[1] / shape[1])
    middles = [(drawn.shape[axis] / 2 + (np.arange(shape[axis]) + 0.5 - shape[axis] / 2) * scale) for axis in (0, 1)]
    return drawn[np.ix_(*(np.floor(one).astype(int) for one in middles))]


def gray(values, low, high):
    """The gray of values in a range."""
    return np.floor(np.clip((values - low) / (high - low), 0, 1) * 255 + 0.5)


def is_gray(drawn, values, low, high, tolerance=1):
    """Whether a picture shows values in a range, up to the last step of gray."""
    wanted = gray(values.astype("f8"), low, high)[..., None]
    return np.abs(drawn[..., :3] - wanted).max() <= tolerance and (drawn[..., 3] == 255).all()


def slide(page, axis, value):
    """Move a slider."""
    page.locator(f"#slide-{axis}").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def asked(page):
    """What the address says; it is written a little later, but when one goes away."""
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)
