"""The generator of ID-CGAN: convolutions at full size, narrowed to one channel in the middle, with skips across."""

from __future__ import annotations

import keras
from keras.layers import Activation, Add, LeakyReLU, ReLU

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import Clip, Conv2D
from ganzoo.networks.dcgan import batch_normalization, normal

__all__ = ["REACH", "id_cgan_generator"]

REACH = 12  # pixels on each side that one pixel of the result depends on: as many 3x3 convolutions


def id_cgan_generator(channels: int = 3, width: int = 64, residual: bool = True) -> keras.Model:
    """Images to images of the same size, of any: twelve 3x3 convolutions of stride 1.

    Of w channels w, w, w, w, w/2, 1 (the encoder) and w/2, w, w, w, w, `channels` (the decoder), batch normalisation
    behind all but the first and the last, LeakyReLU of slope .2 before the encoder's and the first of the decoder, ReLU
    before the others. Outputs of the encoder's fourth and second are added to those of the decoder's second and fourth.

    Args:
        channels: int, of images.
        width: int, w; even.
        residual: bool, the last convolution is what is added to the source, minus the rain, and the sum is cut off at
            the range of images; else tanh of it is the image itself.

    Returns:
        A `keras.Model` from "source", float32 (batch, height, width, channels) in [-1, 1], to the same. In training a
        residual network's images may lie outside of [-1, 1], so that no pixel is without gradient.

    Raises:
        ValueError: channels or width that are not positive, or an odd width.

    Example:

    >>> network = id_cgan_generator(3, width=8)
    >>> network(np.zeros((1, 20, 33, 3), "float32")).shape
    (1, 20, 33, 3)

    Reference:
        Zhang, Sindagi and Patel 2017, arXiv:1701.05957, as their released code has it.

    Differs from the released code:
        Its transposed convolutions of stride 1 are written as convolutions, which they are; `residual`; biases stay
        where no normalisation follows.
    """
    check_positive(channels=channels, width=width)
    if width % 2:
        raise ValueError(f"`width` is even: layers in the middle have half of it. Received: width={width}")
    source = keras.Input((None, None, channels), name="source")
    outputs = [_convolution(source, width, "encode1")]
    for i, num in enumerate((width, width, width, width // 2, 1), 2):
        outputs.append(_normalized(LeakyReLU(0.2, name=f"encode{i}_relu")(outputs[-1]), num, f"encode{i}"))
    x = outputs[-1]
    for i, num in enumerate((width // 2, width, width, width, width), 1):
        x = (LeakyReLU(0.2, name="decode1_relu") if i == 1 else ReLU(name=f"decode{i}_relu"))(x)
        x = _normalized(x, num, f"decode{i}")
        if i in (2, 4):
            x = Add(name=f"decode{i}_skip")([x, outputs[5 - i]])
    x = _convolution(ReLU(name="decode6_relu")(x), channels, "decode6")
    if not residual:
        return keras.Model(source, Activation("tanh", dtype="float32", name="tanh")(x), name="generator")
    x = Add(dtype="float32", name="without_rain")([source, x])
    return keras.Model(source, Clip(-1.0, 1.0, dtype="float32", name="image")(x), name="generator")


def _normalized(x, channels: int, name: str):
    return batch_normalization(f"{name}_norm")(_convolution(x, channels, name, use_bias=False))


def _convolution(x, channels: int, name: str, use_bias: bool = True):
    return Conv2D(channels, 3, padding="same", use_bias=use_bias, kernel_initializer=normal(), name=name)(x)
