"""The patch discriminator of Pix2Pix: a logit for each overlapping patch of an image, or of several images at once."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras.layers import Activation, Concatenate, LeakyReLU, ZeroPadding2D

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import Conv2D, SpectralNormalization
from ganzoo.networks.dcgan import normal
from ganzoo.networks.unet import check_normalization, normalized

__all__ = ["patchgan_discriminator"]

KERNEL = 4


def patchgan_discriminator(
    shapes: Mapping[str, tuple[int, ...]],
    width: int = 64,
    num_layers: int = 3,
    normalization: str | None = "instance",
    name: str = "discriminator",
    any_size: bool = False,
) -> keras.Model:
    """Images to a map of logits, each of which sees one patch: 70x70 pixels with three layers of stride 2.

    The inputs are concatenated on their channels, in the order of `shapes`. Then C64-C128-C256 with stride 2, C512 and
    one channel with stride 1, all 4x4 (Ck has k channels), LeakyReLU of slope .2 between, no normalisation on the
    first and the last. A logit's patch is 16, 34, 70, 142 or 286 pixels wide with 1, 2, 3, 4 or 5 layers.

    Padding is one pixel of zeros on each side, as in the authors' code: a stride of 2 halves an even size, a stride of
    1 makes it smaller by one, and 256x256 pixels give 30x30 logits, 128x128 give 14x14. An odd size is padded to give
    the half rounded up.

    Args:
        shapes: mapping from the name of an input to its (height, width, channels), all of one height and width. The
            condition and the image: ``{"source": (256, 256, 1), "target": (256, 256, 3)}``.
        width: int, channels after the first layer; twice as many after each of the next, up to 8 * width.
        num_layers: int, the layers of stride 2.
        normalization: ``"instance"``, ``"batch"``, ``"spectral"`` (spectral normalisation of all kernels, Miyato et al.
            2018, arXiv:1802.05957, and no other) or None.
        name: str, of the network.
        any_size: bool, the network also takes images of another height and width than `shapes` says.

    Returns:
        A `keras.Model` from a dict of float32 (batch, height, width, channels), by those names, to float32 logits
        (batch, rows, columns, 1).

    Raises:
        ValueError: no inputs, or of several sizes, or so small that no logit is left; an unknown normalization.

    Example:

    >>> network = patchgan_discriminator({"source": (64, 64, 1), "target": (64, 64, 3)}, width=16)
    >>> network({"source": np.zeros((2, 64, 64, 1), "float32"), "target": np.zeros((2, 64, 64, 3), "float32")}).shape
    (2, 6, 6, 1)

    Reference:
        Isola et al. 2017, arXiv:1611.07004, section 3.2.2 and appendix 6.1.2.

    Differs from the paper:
        Instance normalisation, with a learned scale and centre, in the place of batch normalisation; with the paper's
        batches of one image the two are the same computation.
    """
    check_normalization(normalization, ("instance", "batch", "spectral", None))
    check_positive(width=width, num_layers=num_layers)
    shapes = {own: as_image_shape(shape) for own, shape in shapes.items()}
    _check_sizes(shapes, num_layers)
    spectral = normalization == "spectral"
    norm = None if spectral else normalization
    inputs = {
        own: keras.Input((None, None, shape[-1]) if any_size else shape, name=own) for own, shape in shapes.items()
    }
    x = Concatenate(name="concatenate")(list(inputs.values())) if len(inputs) > 1 else next(iter(inputs.values()))
    for i in range(num_layers + 1):
        layer, is_last = f"conv{i + 1}", i == num_layers
        x = _convolution(x, width * min(2**i, 8), 1 if is_last else 2, layer, spectral, use_bias=norm is None or i == 0)
        x = normalized(x, norm if i > 0 else None, f"{layer}_norm")
        x = LeakyReLU(0.2, name=f"{layer}_relu")(x)
    x = _convolution(x, 1, 1, "to_logits", spectral)
    return keras.Model(inputs, Activation("linear", dtype="float32", name="logits")(x), name=name)


def _convolution(x, channels: int, stride: int, name: str, spectral: bool, use_bias: bool = True):
    """A 4x4 convolution that pads one pixel on each side, which for a stride of 2 and an even size is "same"."""
    if stride == 1:
        x = ZeroPadding2D(1, name=f"{name}_pad")(x)
    padding = "valid" if stride == 1 else "same"
    layer = Conv2D(channels, KERNEL, stride, padding, use_bias=use_bias, kernel_initializer=normal(), name=name)
    return (SpectralNormalization(layer, name=f"{name}_sn") if spectral else layer)(x)


def _check_sizes(shapes: dict[str, tuple[int, ...]], num_layers: int) -> None:
    if len({shape[:2] for shape in shapes.values()}) != 1 or any(len(shape) != 3 for shape in shapes.values()):
        raise ValueError(
            "`shapes` names at least one input, each (height, width, channels) of one height and width: resize the "
            f"images to one size. Received: shapes={shapes}"
        )
    smallest = 2 ** (num_layers + 1) + 1  # ends with 3x3 after the strides, of which the last two layers leave 1x1
    if any(min(shape[:2]) < smallest for shape in shapes.values()):
        raise ValueError(
            f"With num_layers={num_layers}, images of fewer than {smallest} pixels on a side leave no patch: take "
            f"fewer layers or larger images. Received: shapes={shapes}"
        )
