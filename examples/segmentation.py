"""A small segmentation task, coins against background: pictures, classifier, scores. Nothing here knows about storage.

The picture is `skimage.data.coins()`, which scikit-image ships: nothing is downloaded. The two upper rows of coins are
trained on, the two lower ones validated on. Nobody drew the ground truth: a classical recipe made it (`_ground_truth`),
so the scores say how well the classifier imitates that recipe, and nothing about what a person would have drawn.
"""

# mypy: untyped-calls-exclude=skimage
# (scikit-image says that it is typed, but has hardly any types yet.)

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from attrs import field, frozen
from skimage import data, feature, filters, measure, metrics, morphology, segmentation
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # scikit-learn has no types
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]  # scikit-learn has no types

if TYPE_CHECKING:
    from collections.abc import Callable

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

SPLIT = 150  # the row between the second and the third row of coins
BATCH = 64
CLASSES = (0, 1)


@frozen(eq=False)
class Picture:
    """A picture with its ground truth; `features` has one row for each pixel."""

    name: str
    raw: Array
    gt: Array = field(repr=False)
    features: Array = field(repr=False)

    def __str__(self) -> str:
        return self.name


def pictures() -> tuple[Picture, Picture]:
    """Return the picture to train on and the one to validate on."""
    coins = data.coins()
    return _picture("coins_top", coins[:SPLIT]), _picture("coins_bottom", coins[SPLIT:])


def _picture(name: str, raw: Array) -> Picture:
    features = feature.multiscale_basic_features(raw, sigma_max=8)
    return Picture(name, raw, _ground_truth(raw), features.reshape(raw.size, -1))


def _ground_truth(raw: Array) -> Array:
    """Flood the edges from what is surely dark and surely bright; fill the holes, drop the specks."""
    markers = np.select([raw < 30, raw > 150], [1, 2], 0)  # noqa: PLR2004 - between background and coins of this picture
    coins = (segmentation.watershed(filters.sobel(raw), markers) == 2).astype(np.uint8)  # noqa: PLR2004 - the marker
    filled = morphology.area_closing(coins, area_threshold=500)
    return np.asarray(morphology.area_opening(filled, area_threshold=100))


class PixelClassifier:
    """Says of each pixel how likely it shows a coin, judging by the edges and textures around it."""

    def __init__(self, picture: Picture, seed: int = 0) -> None:
        self._scaler = StandardScaler().fit(picture.features)
        self._features, self._labels = self._scaler.transform(picture.features), picture.gt.ravel()
        self._network = MLPClassifier(hidden_layer_sizes=(16,), random_state=seed)
        self._random = np.random.default_rng(seed)

    def train(self) -> None:
        """Learn from one mini-batch."""
        batch = self._random.integers(len(self._labels), size=BATCH)
        self._network.partial_fit(self._features[batch], self._labels[batch], classes=CLASSES)

    def predict(self, picture: Picture) -> Array:
        """Return the probability of each pixel of a picture, which need not be the one that was trained on."""
        likely = self._network.predict_proba(self._scaler.transform(picture.features))[:, 1]
        return np.asarray(likely, dtype=np.float32).reshape(picture.raw.shape)


@frozen
class Threshold:
    """The parameters of the post-processing. Their `str()` names them in paths."""

    threshold: float

    def apply(self, prediction: Array) -> Array:
        """Return 1 where the prediction is above the threshold, else 0."""
        return (prediction > self.threshold).astype(np.uint8)

    def __str__(self) -> str:
        return f"threshold={self.threshold}"


THRESHOLDS = (Threshold(0.3), Threshold(0.5), Threshold(0.7))

IS_BETTER: dict[str, Callable[[float, float], bool]] = {"dice": operator.gt, "voi": operator.lt}
"""The criteria, each with what makes a score better than another."""


def scores(output: Array, gt: Array) -> dict[str, float]:
    """Return the score by each criterion: overlap of the foreground, variation of information between the coins."""
    dice = 2.0 * np.sum(output & gt) / (np.sum(output) + np.sum(gt))
    split_and_merged = metrics.variation_of_information(measure.label(gt), measure.label(output))
    return {"dice": float(dice), "voi": float(np.sum(split_and_merged))}
