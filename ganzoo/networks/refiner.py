"""SimGAN's networks: a refiner that keeps the size of images throughout, and a critic of their patches."""

from __future__ import annotations

import keras
from keras.layers import Activation, Add, LeakyReLU, MaxPooling2D, ReLU

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import Conv2D

__all__ = ["local_discriminator", "refiner"]


def refiner(channels: int, width: int = 64, num_blocks: int = 4) -> keras.Model:
    """Rendered images to refined ones of the same size, by residual blocks without strides or pooling.

    A 3x3 convolution, blocks ``relu(x + conv(relu(conv(x))))`` of 3x3 convolutions, a 1x1 convolution, tanh; nothing is
    normalised. A pixel depends on the ``2 * num_blocks + 1`` pixels on each side of it, and on nothing further away.

    Args:
        channels: int, of the images.
        width: int, channels of every layer within.
        num_blocks: int, residual blocks.

    Returns:
        A `keras.Model` from "source", float32 (batch, height, width, channels) in [-1, 1], to the same in (-1, 1), for
        any height and width.

    Raises:
        ValueError: numbers that are not positive.

    Example:

    >>> refiner(1, width=8)(np.zeros((2, 35, 55, 1), "float32")).shape
    (2, 35, 55, 1)

    Reference:
        Shrivastava et al. 2017, arXiv:1612.07828, section 3.1 and appendix.
    """
    check_positive(channels=channels, width=width, num_blocks=num_blocks)
    source = keras.Input((None, None, channels), name="source")
    x = ReLU(name="from_image_relu")(_convolution(source, width, "from_image"))
    for i in range(1, num_blocks + 1):
        y = ReLU(name=f"block{i}_relu1")(_convolution(x, width, f"block{i}_conv1"))
        y = Add(name=f"block{i}_add")([x, _convolution(y, width, f"block{i}_conv2")])
        x = ReLU(name=f"block{i}_relu2")(y)
    x = Conv2D(channels, 1, kernel_initializer="glorot_uniform", name="to_image")(x)
    return keras.Model(source, Activation("tanh", dtype="float32", name="tanh")(x), name="generator")


def local_discriminator(image_shape: tuple[int, ...], width: int = 96) -> keras.Model:
    """Images to a map of logits, one for each patch: whether it is of a real image.

    3x3 convolutions of 96 and 64 channels with stride 2, a 3x3 max-pooling of stride 1, a 3x3 convolution of 32
    channels, 1x1 convolutions of 32 channels and of one. A logit sees a patch of 23 pixels a side, every fourth pixel.

    Args:
        image_shape: (height, width, channels).
        width: int, channels of the first layer (96 above); two thirds and a third of it in those after it.

    Returns:
        A `keras.Model` from "target", float32 (batch, height, width, channels), to float32 logits (batch, rows,
        columns, 1), a quarter of the height and width, rounded up.

    Raises:
        ValueError: a width that is not positive.

    Example:

    >>> local_discriminator((35, 55, 1), width=12)(np.zeros((2, 35, 55, 1), "float32")).shape
    (2, 9, 14, 1)

    Reference:
        Shrivastava et al. 2017, arXiv:1612.07828, section 2.2 and appendix.

    Differs from the paper: one logit in place of two classes, whose difference it is; LeakyReLU of slope .2.
    """
    check_positive(width=width)
    fewer, least = max(2 * width // 3, 1), max(width // 3, 1)
    target = keras.Input(image_shape, name="target")
    x = _leaky(_convolution(target, width, "conv1", stride=2), "conv1")
    x = _leaky(_convolution(x, fewer, "conv2", stride=2), "conv2")
    x = MaxPooling2D(3, 1, "same", name="pool")(x)
    x = _leaky(_convolution(x, least, "conv3"), "conv3")
    x = _leaky(_convolution(x, least, "conv4", kernel=1), "conv4")
    x = _convolution(x, 1, "to_logits", kernel=1)
    return keras.Model(target, Activation("linear", dtype="float32", name="logits")(x), name="discriminator")


def _convolution(x, channels: int, name: str, kernel: int = 3, stride: int = 1):
    return Conv2D(channels, kernel, stride, "same", kernel_initializer="he_normal", name=name)(x)


def _leaky(x, name: str):
    return LeakyReLU(0.2, name=f"{name}_relu")(x)
