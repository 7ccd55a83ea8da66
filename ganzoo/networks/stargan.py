"""StarGAN's two networks: a residual generator that is told attributes, and a critic that names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import keras
from keras.layers import Activation, Dense, Flatten, LeakyReLU

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import Conv2D
from ganzoo.networks.dcgan import normal
from ganzoo.networks.resnet import MULTIPLE, resnet_generator

if TYPE_CHECKING:
    from ganzoo.engine.attributes import Attribute

__all__ = ["MULTIPLE", "stargan_discriminator", "stargan_generator"]

SMALLEST = 8


def stargan_generator(
    image_shape: tuple[int, ...], attributes: Mapping[str, Attribute], width: int = 64, blocks: int = 6
) -> keras.Model:
    """Images and attributes to images: `resnet_generator`, padded with zeros, with planes of the attributes.

    Args:
        image_shape: (height, width, channels), of which only the channels count.
        attributes: parts by name.
        width, blocks: see `resnet_generator`.

    Returns:
        A `keras.Model` from `source`, float32 (batch, height, width, channels), and the attributes, int32 (batch,), to
        float32 images of the same size, any whose sides are multiples of 4.

    Reference:
        Choi et al. 2018, arXiv:1711.09020, appendix, table of the generator.
    """
    channels, classes = image_shape[-1], {name: part.num_classes for name, part in attributes.items()}
    return resnet_generator(channels, channels, width, blocks, padding="zeros", classes=classes)


def stargan_discriminator(
    image_shape: tuple[int, ...], attributes: Mapping[str, Attribute], width: int = 64
) -> keras.Model:
    """Images to a map of scores, each of a patch, and to logits of attributes, each of the whole image.

    4x4 convolutions of stride 2, without normalisation, as many as leave 2 to 4 rows or columns of the shorter side:
    six for 128 pixels, four for 32. LeakyReLU of slope .01 behind each. Then a 3x3 convolution to the scores, and a
    layer over all that is left to the logits.

    Args:
        image_shape: (height, width, channels), height and width at least 8.
        attributes: parts by name.
        width: int, channels of the first layer, twice as many in each that follows.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), to a list: float32 scores (batch, rows,
        columns, 1), then of each attribute float32 logits: (batch, 1) of two values, else (batch, values).

    Raises:
        ValueError: images that are smaller, numbers that are not positive.

    Example:

    >>> attributes = attribute_parts({"colour": ["red", "green", "blue"], "striped": ["no", "yes"]})
    >>> network = stargan_discriminator((32, 32, 3), attributes, width=8)
    >>> [answer.shape for answer in network(np.zeros((2, 32, 32, 3), "float32"))]
    [(2, 2, 2, 1), (2, 3), (2, 1)]

    Reference:
        Choi et al. 2018, arXiv:1711.09020, appendix, table of the discriminator.
    """
    shape = as_image_shape(image_shape)
    check_positive(width=width)
    if len(shape) != 3 or min(shape[:2]) < SMALLEST:
        raise ValueError(f"Images are at least {SMALLEST} pixels high and wide. Received: image_shape={image_shape}")
    x = images = keras.Input(shape, name="images")
    for i in range(min(shape[:2]).bit_length() - 2):
        x = Conv2D(width * 2**i, 4, 2, "same", kernel_initializer=normal(), name=f"conv{i + 1}")(x)
        x = LeakyReLU(0.01, name=f"conv{i + 1}_relu")(x)
    scores = Conv2D(1, 3, padding="same", use_bias=False, kernel_initializer=normal(), name="to_scores")(x)
    outputs = [Activation("linear", dtype="float32", name="scores")(scores)]
    features = Flatten(name="flatten")(x)
    for own, part in attributes.items():
        name = f"to_{own}" if own != "scores" else "to_scores_logits"  # the other name is that of a layer above
        logits = Dense(part.num_channels, use_bias=False, kernel_initializer=normal(), name=name)(features)
        outputs.append(Activation("linear", dtype="float32", name=f"{own}_logits")(logits))
    return keras.Model(images, outputs, name="discriminator")
