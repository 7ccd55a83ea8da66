"""The U-Net generator of Pix2Pix: an image to another of the same size."""

from __future__ import annotations

import keras
from keras.layers import Activation, Concatenate, LeakyReLU, ReLU

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import Conv2D, Conv2DTranspose, GroupNormalization, SwitchedDropout
from ganzoo.networks.dcgan import batch_normalization, normal

__all__ = ["instance_normalization", "unet_generator"]

KERNEL = 4
MULTIPLE = 32  # five halvings at least, so that the innermost layers see a large part of the image
SMALLEST = 64
NUM_DROPOUTS = 3


def unet_generator(
    source_shape: tuple[int, ...],
    target_channels: int,
    width: int = 64,
    dropout: float = 0.5,
    normalization: str | None = "instance",
    max_width: int | None = None,
    kept_on: bool = True,
) -> keras.Model:
    """Images to images: convolutions halve the size down to 1x1, transposed ones double it, with skips across.

    An encoder C64-C128-C256-C512-C512-... of 4x4 convolutions of stride 2 (Ck has k channels), as many as halve both
    sides to whole numbers: 8 at 256x256, 7 at 128x128, 6 at 64x64; a size that is no power of two ends with an odd
    side, 96x64 with 3x2. The decoder mirrors it, and each of its layers but the innermost sees the encoder's output
    of its size too. LeakyReLU of slope .2 in the encoder, ReLU in the decoder, dropout after the first three decoder
    layers. No normalisation on the first and on the innermost layer: of a 1x1 map, instance normalisation would
    leave nothing but the learned centre.

    A skip passes through the ReLU of the decoder's layer that takes it, as in the authors' code.

    Args:
        source_shape: (height, width, channels) of the input; height and width are multiples of 32 and at least 64.
        target_channels: int, channels of the output.
        width: int, channels after the first layer; twice as many at each size below, up to `max_width`.
        dropout: float in [0, 1), the rate.
        normalization: ``"instance"``, ``"batch"`` (its moving averages serve in inference) or None.
        max_width: int, the most channels of a layer. By default 8 * width, as in the paper. Most weights are in the
            layers of that many.
        kept_on: bool, whether dropout stays on in inference, as in the paper: the switch of every `SwitchedDropout`,
            whose names begin with "up".

    Returns:
        A `keras.Model` whose input "source" is float32 (batch, height, width, channels), and whose output is float32
        (batch, height, width, target_channels) in (-1, 1) through tanh.

    Raises:
        ValueError: a size that is not allowed, an unknown normalization, or a width, rate or number of channels that
            is none.

    Example:

    >>> network = unet_generator((64, 64, 1), target_channels=3, width=16)
    >>> network(np.zeros((2, 64, 64, 1), "float32")).shape
    (2, 64, 64, 3)

    Reference:
        Isola et al. 2017, arXiv:1611.07004, section 3.2.1 and appendix 6.1.1.

    Differs from the paper:
        Instance normalisation, with a learned scale and centre, in the place of batch normalisation. The paper keeps
        the statistics of the batch at test time (section 3.3), and those of a batch of one image, its usual batch, are
        those of the image: the same computation. Written as instance normalisation it also is the same in training, in
        inference and in an exported file, and what an image becomes does not depend on the others of its batch.
    """
    check_normalization(normalization, ("instance", "batch", None))
    check_positive(target_channels=target_channels, width=width)
    max_width = 8 * width if max_width is None else max_width
    check_positive(max_width=max_width)
    num_levels = _num_levels(source_shape)
    channels = [min(width * 2**i, max_width) for i in range(num_levels)]
    x = source = keras.Input(source_shape, name="source")
    x, skips = _encoder(x, channels, normalization)
    for i, skip in enumerate(reversed(skips)):
        x = convolution_block(Conv2DTranspose, x, skip.shape[-1], f"up{i + 1}", normalization)
        if dropout and i < NUM_DROPOUTS:
            x = SwitchedDropout(dropout, kept_on, name=f"up{i + 1}_dropout")(x)
        x = Concatenate(name=f"up{i + 1}_skip")([x, skip])
        x = ReLU(name=f"up{i + 1}_relu")(x)
    x = convolution_block(Conv2DTranspose, x, target_channels, "to_image", None)
    return keras.Model(source, Activation("tanh", dtype="float32", name="tanh")(x), name="generator")


def _encoder(x, channels: list[int], normalization: str | None):
    """The innermost map after its ReLU, and the outputs of the levels above, largest first."""
    skips: list = []
    for i, num in enumerate(channels, 1):
        x = convolution_block(Conv2D, x, num, f"down{i}", normalization if 1 < i < len(channels) else None)
        if i < len(channels):
            skips.append(x)
            x = LeakyReLU(0.2, name=f"down{i}_relu")(x)
    return ReLU(name=f"down{len(channels)}_relu")(x), skips


def convolution_block(kind: type, x, channels: int, name: str, normalization: str | None):
    """A 4x4 convolution of stride 2 and its normalisation; it has a bias where no normalisation follows."""
    bias = normalization is None
    x = kind(channels, KERNEL, 2, "same", use_bias=bias, kernel_initializer=normal(), name=name)(x)
    return normalized(x, normalization, f"{name}_norm")


def normalized(x, normalization: str | None, name: str):
    """x after the layer that ``"instance"``, ``"batch"`` or None stands for."""
    if normalization is None:
        return x
    return (instance_normalization if normalization == "instance" else batch_normalization)(name)(x)


def instance_normalization(name: str) -> keras.layers.Layer:
    """Each channel of each image to mean 0 and variance 1, then a learned scale, from N(1, .02), and centre.

    Epsilon is 1e-5. The map must be larger than 1x1.

    Reference: Ulyanov et al. 2016, arXiv:1607.08022.
    """
    scale = keras.initializers.RandomNormal(1.0, 0.02)
    return GroupNormalization(groups=-1, epsilon=1e-5, gamma_initializer=scale, name=name)


def check_normalization(normalization: str | None, known: tuple) -> None:
    """Refuses a name that is not among the known ones."""
    if normalization not in known:
        names = ", ".join(map(repr, known))
        raise ValueError(f"`normalization` is one of {names}. Received: normalization={normalization!r}")


def _num_levels(source_shape: tuple[int, ...]) -> int:
    """How often both sides halve to whole numbers."""
    sides = as_image_shape(source_shape)[:-1]
    if len(sides) != 2 or min(sides) < SMALLEST or any(side % MULTIPLE for side in sides):
        raise ValueError(
            f"The U-Net takes images (height, width, channels) whose sides are multiples of {MULTIPLE} and at least "
            f"{SMALLEST} (64, 96, 128, ..., 256): resize, crop or pad the pairs, both images alike. "
            f"Received: source_shape={tuple(source_shape)}"
        )
    height, width = sides
    levels = 0
    while height % 2 == 0 and width % 2 == 0:
        height, width, levels = height // 2, width // 2, levels + 1
    return levels
