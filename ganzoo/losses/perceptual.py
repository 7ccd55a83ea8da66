"""Errors of features instead of pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from ganzoo.losses.numbers import float32

__all__ = ["perceptual_loss"]


def perceptual_loss(features: Callable[[Any], Sequence[Any]], real, drawn, weights: Sequence[float] | None = None):
    """``sum_l w_l mean((phi_l(real) - phi_l(drawn))^2)``: how far two sets of images are apart in a network's features.

    Args:
        features: function from images to a list of features, one for each layer: `ganzoo.zoo.perceptual.features`, or
            `ganzoo.networks.perceptual.features_of` a network of your own.
        real, drawn: float tensors (batch, height, width, channels) in [-1, 1], of one shape.
        weights: floats, one for each layer; by default 1 for each. A layer's mean is over batch, places and channels.

    Returns:
        A float32 scalar, at least 0.

    Raises:
        ValueError: another number of weights than of layers.

    Example:

    >>> features = ganzoo.zoo.perceptual.features(layers=["relu2_2"])
    >>> loss = 6.6e-3 * adversarial + perceptual_loss(features, real["target"], fake["target"])

    Reference:
        Johnson, Alahi and Fei-Fei 2016, arXiv:1603.08155, eq. 2; Ledig et al. 2017, arXiv:1609.04802, eq. 5.

    Differs from the papers:
        Ledig et al. take the mean over places and rescale VGG's features by 1 / 12.75 to the range of pixels. Here it
        is over channels too, and the bundled network's features have mean square 1: weights are not those of VGG.
    """
    pairs = list(zip(features(real), features(drawn)))
    weights = [1.0] * len(pairs) if weights is None else list(weights)
    if len(weights) != len(pairs):
        raise ValueError(f"One weight for each of the {len(pairs)} layers. Received: weights={weights}")
    return sum(w * ops.mean(ops.square(float32(x) - float32(y))) for w, (x, y) in zip(weights, pairs))
