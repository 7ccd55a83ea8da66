"""How near a drawn image comes to its truth in the features of a network that has learned to tell things apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.engine import backend
from ganzoo.metrics.paired import by_chunk
from ganzoo.zoo import perceptual

__all__ = ["LAYERS", "perceptual_distance"]

LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu4_2")
SMALLEST = 16  # pixels


def perceptual_distance(
    real: np.ndarray,
    drawn: np.ndarray,
    network: str | keras.Model | Callable[[Any], Sequence[Any]] = "cifar10",
    layers: Sequence[str] = LAYERS,
) -> np.ndarray:
    """Distance of each image from its truth, ``sum_l mean_hw |y_l / |y_l| - y'_l / |y'_l||^2``: the lower, the nearer.

    At each place of each layer the features are brought to length 1 over their channels; the squared distance of the
    two is averaged over places and summed over layers. It is 0 of equal images and at most 2 a layer.

    Args:
        real: uint8 (n, height, width, channels), height and width at least 16; 1 or 3 channels.
        drawn: uint8 of the same shape; image i is compared with image i.
        network: name of a bundled network (`ganzoo.zoo.perceptual`), one of your own, or a function from images in
            [-1, 1] to features, `features_of` one. A loss that used the same network has learned to please it: say
            so with the number, or measure by another one.
        layers: names of layers, where a network is given.

    Returns:
        float64 (n,).

    Raises:
        ValueError: images of another dtype, of different shapes or too small; an unknown network or layer.

    Example:
        >>> perceptual_distance(photos, model.generate(source=small)).mean()     # doctest: +SKIP

    Reference: Zhang, Isola, Efros, Shechtman and Wang 2018, arXiv:1801.03924, eq. 1.

    Differs from the paper (LPIPS): no weights of channels learned from human judgements, all are 1; the bundled network
    is a small one of ours, trained on CIFAR-10 and photographs, not VGG. The numbers are not LPIPS.
    """
    seen = network if callable(network) and not isinstance(network, keras.Model) else None
    seen = seen or perceptual.features(network, layers)  # type: ignore[arg-type]

    def measure(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        with backend.no_gradient():
            pairs = zip(*(seen(ops.convert_to_tensor((z / 127.5 - 1).astype("float32"))) for z in (x, y)))
            return sum((_of_layer(*map(ops.convert_to_numpy, pair)) for pair in pairs), np.zeros(len(x)))

    return by_chunk(real, drawn, measure, least=SMALLEST)


def _of_layer(real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    real, drawn = (x / np.sqrt((x**2).sum(axis=-1, keepdims=True) + 1e-10) for x in (real, drawn))
    return ((real - drawn) ** 2).sum(axis=-1).mean(axis=(1, 2))
