"""The generator of super-resolution: residual blocks at the small size, then pixels shuffled from channels."""

from __future__ import annotations

import keras
from keras.initializers import VarianceScaling
from keras.layers import Activation, Add, PReLU

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import ICNR, BicubicEnlargement, Clip, Conv2D, PixelShuffle

__all__ = ["FACTORS", "srresnet_generator"]

FACTORS = (2, 4, 8)


def srresnet_generator(
    channels: int = 3, factor: int = 4, width: int = 64, blocks: int = 16, up_width: int | None = None
) -> keras.Model:
    """Images to images `factor` times as high and wide: what bicubic enlargement lacks is drawn and added to it.

    A convolution; residual blocks ``x + conv(prelu(conv(x)))``; a convolution and a skip around all of them; for each
    doubling a convolution to four times as many channels, shuffled to pixels, and PReLU; a convolution to the image.
    All are 3x3. Those before a shuffle begin alike for all four pixels (`ganzoo.layers.ICNR`), so that nothing is drawn
    in a checkerboard; the last begins near zero, so that training begins at bicubic enlargement.

    Args:
        channels: int, of images.
        factor: 2, 4 or 8.
        width: int, channels of the blocks.
        blocks: int, how many.
        up_width: int, channels after each doubling; by default `width`.

    Returns:
        A `keras.Model` from "source", float32 (batch, height, width, channels) in [-1, 1], of any size from 3x3 on, to
        float32 (batch, factor height, factor width, channels); in inference in [-1, 1].

    Raises:
        ValueError: another factor, or numbers that are not positive.

    Example:

    >>> srresnet_generator(3, 4, width=8, blocks=1)(np.zeros((1, 10, 12, 3), "float32")).shape
    (1, 40, 48, 3)

    Reference:
        Ledig et al. 2017, arXiv:1609.04802, section 2.1 and figure 4.

    Differs from the paper:
        No batch normalisation, whose statistics show in large images (Wang et al. 2018, arXiv:1809.00219, section 3.1);
        a global skip by bicubic enlargement; 3x3 instead of 9x9 convolutions at both ends.
    """
    if factor not in FACTORS:
        raise ValueError(f"Images are enlarged 2, 4 or 8 times. Received: factor={factor!r}")
    up_width = width if up_width is None else up_width
    check_positive(channels=channels, width=width, blocks=blocks, up_width=up_width)
    source = keras.Input((None, None, channels), name="source")
    first = x = _prelu(_conv(source, width, "head"), "head")
    for i in range(1, blocks + 1):
        y = _prelu(_conv(x, width, f"block{i}_conv1"), f"block{i}")
        y = _conv(y, width, f"block{i}_conv2", VarianceScaling(0.02))  # small: many sums keep the scale of one
        x = Add(name=f"block{i}_add")([x, y])
    x = Add(name="around")([first, _conv(x, width, "body")])
    for i in range(1, factor.bit_length()):
        x = PixelShuffle(2, name=f"up{i}_shuffle")(_conv(x, 4 * up_width, f"up{i}", ICNR(2)))
        x = _prelu(x, f"up{i}")
    drawn = _conv(x, channels, "to_image", VarianceScaling(1e-4))
    drawn = Activation("linear", dtype="float32", name="drawn")(drawn)
    enlarged = BicubicEnlargement(factor, dtype="float32", name="bicubic")(source)
    image = Clip(-1.0, 1.0, dtype="float32", name="image")(Add(dtype="float32", name="sum")([enlarged, drawn]))
    return keras.Model(source, image, name="generator")


def _conv(x, channels: int, name: str, initializer="he_normal"):
    return Conv2D(channels, 3, padding="same", kernel_initializer=initializer, name=name)(x)


def _prelu(x, name: str):
    """One slope for each channel, .25 at first."""
    slope = keras.initializers.Constant(0.25)
    return PReLU(alpha_initializer=slope, shared_axes=[1, 2], name=f"{name}_prelu")(x)
