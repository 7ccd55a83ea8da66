"""The network whose features a perceptual loss compares: convolutions and ReLU alone, for images of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops
from keras.layers import AveragePooling2D, ReLU

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import Conv2D
from ganzoo.zoo.registry import suggestion

__all__ = ["WIDTHS", "feature_network", "features_of"]

WIDTHS = (32, 64, 128, 192)


def feature_network(widths: Sequence[int] = WIDTHS) -> keras.Model:
    """Blocks of two 3x3 convolutions with ReLU, the means of 2x2 pixels between them: VGG's design, small.

    Layers are called as VGG's: ``conv2_1``, ``relu2_1``, ``conv2_2``, ``relu2_2`` are those of the second block. There
    is no normalisation, which would make the features of an image depend on how it was trained to see others.
    Everything is computed in float32, whatever the global policy.

    Args:
        widths: ints, channels of each block.

    Returns:
        A `keras.Model` from "images", float32 (batch, height, width, 3) in [-1, 1], to the last block's features
        (batch, height / 2^k, width / 2^k, widths[-1]), k = len(widths) - 1, rounded down; any size from 2^k on.

    Raises:
        ValueError: a width that is not positive, or none.

    Example:

    >>> feature_network((4, 8))(np.zeros((1, 17, 32, 3), "float32")).shape
    (1, 8, 16, 8)

    Reference:
        Simonyan and Zisserman 2014, arXiv:1409.1556.

    Differs from the paper:
        Two convolutions in every block, fewer channels, mean instead of maximum pooling, no fully connected layers.
    """
    if not widths:
        raise ValueError(f"A network has at least one block of some width. Received: widths={widths!r}")
    check_positive(**{f"widths[{i}]": width for i, width in enumerate(widths)})
    exact = {"dtype": "float32", "data_format": "channels_last"}
    x = images = keras.Input((None, None, 3), name="images", dtype="float32")
    for block, width in enumerate(widths, 1):
        if block > 1:
            x = AveragePooling2D(2, name=f"pool{block - 1}", **exact)(x)
        for i in (1, 2):
            x = Conv2D(width, 3, padding="same", kernel_initializer="he_normal", name=f"conv{block}_{i}", **exact)(x)
            x = ReLU(name=f"relu{block}_{i}", dtype="float32")(x)
    return keras.Model(images, x, name="features")


def features_of(network: keras.Model, layers: Sequence[str]) -> Callable[[Any], list[Any]]:
    """What layers of a network make of images, as a function that losses and distances take.

    Args:
        network: from images of three channels, float32 in [-1, 1]. It is not trained: its weights are frozen.
        layers: names of its layers.

    Returns:
        A function from images, float32 (batch, height, width, channels) in [-1, 1], to a list of features, one for each
        layer. Grey images are repeated to three channels. As a function it may be an attribute of a model, which then
        neither trains, averages nor saves the network's weights.

    Raises:
        ValueError: a layer that the network does not have, or none.

    Example:

    >>> features = features_of(feature_network((4, 8)), ["relu1_2", "relu2_2"])
    >>> [each.shape for each in features(np.zeros((1, 16, 16, 1), "float32"))]
    [(1, 16, 16, 4), (1, 8, 8, 8)]
    """
    known = [layer.name for layer in network.layers]
    if isinstance(layers, str) or not layers:
        raise ValueError(f"`layers` is a list of names of layers, of {', '.join(known[1:])}. Received: {layers!r}")
    for name in layers:
        if name not in known:
            raise ValueError(f"The network has no layer of that name.{suggestion(name, known[1:])} Received: {name!r}")
    network.trainable = False
    seen = keras.Model(network.inputs[0], [network.get_layer(name).output for name in layers], name="seen")

    def features(images) -> list[Any]:
        images = ops.cast(images, "float32")
        if images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        found = seen(images, training=False)
        return list(found) if isinstance(found, (list, tuple)) else [found]

    return features
