"""The generator of de-occlusion: where the occluder of an image is, what is behind it, and both put together."""

from __future__ import annotations

import keras
from keras.layers import Activation, Add, Concatenate, LeakyReLU, Multiply, Subtract

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import Clip, Conv2D, Conv2DTranspose

__all__ = ["BRANCHES", "branches_of", "deocclusion_generator"]

MULTIPLE, SMALLEST = 4, 16
BRANCHES = ("mask_logits", "completion")  # layers of a generator that the losses see


def deocclusion_generator(
    image_shape: tuple[int, ...], width: int = 32, max_width: int | None = None, num_blocks: int = 2
) -> keras.Model:
    """Occluded images to images: ``m c + (1 - m) x``, with a mask m and a completion c from one body.

    The body is a U-Net of two halvings: a convolution, two of stride 2, residual blocks at a quarter of the size, two
    transposed ones with skips across. Two more convolutions draw the mask's logits and, through tanh, the completion.

    The mask is the hard sigmoid of its logits, ``clip(logit / 6 + 1/2, 0, 1)``: exactly 0 from a logit of -3 down,
    where the image is what was given, to the bit; and it has no jump at which rounding decides, as a threshold has.
    Mask and image are computed in float32, whatever the body computes in.

    Args:
        image_shape: (height, width, channels), height and width multiples of 4 and at least 16.
        width: int, channels at full size; twice as many at each size below.
        max_width: int, the most channels of a layer; by default 4 * width.
        num_blocks: int, residual blocks of two convolutions, at a quarter of the size.

    Returns:
        A `keras.Model` from "source", float32 (batch, height, width, channels) in [-1, 1], to the same. Its layers
        "mask_logits", "mask" and "completion" give those, (batch, height, width, 1) and (..., channels).

    Raises:
        ValueError: a size that is not allowed, or a width or number that is not positive.

    Example:

    >>> network = deocclusion_generator((28, 28, 1), width=8)
    >>> network(np.zeros((2, 28, 28, 1), "float32")).shape
    (2, 28, 28, 1)
    """
    max_width = 4 * width if max_width is None else max_width
    check_positive(width=width, max_width=max_width, num_blocks=num_blocks)
    image_shape = _checked(image_shape)
    widths = [min(width * 2**i, max_width) for i in range(3)]
    source = keras.Input(image_shape, name="source")
    full = _leaky(_conv(source, widths[0], "full"), "full")
    half = _leaky(_conv(full, widths[1], "down1", kernel=4, stride=2), "down1")
    x = _leaky(_conv(half, widths[2], "down2", kernel=4, stride=2), "down2")
    for i in range(1, num_blocks + 1):
        inner = _leaky(_conv(x, widths[2], f"block{i}_first"), f"block{i}_first")
        x = Add(name=f"block{i}")([x, _conv(inner, widths[2], f"block{i}_second")])
    x = _leaky(x, "blocks")
    for i, skip in ((1, half), (2, full)):
        x = _leaky(_conv(x, skip.shape[-1], f"up{i}", kernel=4, stride=2, kind=Conv2DTranspose), f"up{i}")
        x = Concatenate(name=f"up{i}_skip")([x, skip])
    x = _leaky(_conv(x, widths[0], "last"), "last")
    logits = Activation("linear", dtype="float32", name="mask_logits")(_conv(x, 1, "to_mask"))
    drawn = Activation("tanh", dtype="float32", name="completion")(_conv(x, image_shape[-1], "to_completion"))
    mask = Activation("hard_sigmoid", dtype="float32", name="mask")(logits)
    return keras.Model(source, _composed(source, mask, drawn), name="generator")


def branches_of(generator: keras.Model) -> keras.Model:
    """The same network with three outputs: the image, the mask's logits, the completion.

    Raises:
        ValueError: it has no layers of these names.
    """
    names = {layer.name for layer in generator.layers}
    if missing := [name for name in BRANCHES if name not in names]:
        raise ValueError(
            "A generator of one's own has a layer 'mask_logits', float32 logits (batch, height, width, 1) of where the "
            "occluder is, and a layer 'completion', float32 images of what is behind it. "
            f"Received: a network without {missing[0]!r}"
        )
    branches = [generator.get_layer(name).output for name in BRANCHES]
    return keras.Model(generator.inputs[0], [generator.outputs[0], *branches], name="branches")


def _composed(source, mask, drawn):
    """``x + m (c - x)``: where m is 0 it is x exactly."""
    change = Subtract(dtype="float32", name="difference")([drawn, source])
    change = Multiply(dtype="float32", name="change")([mask, change])
    return Clip(-1.0, 1.0, dtype="float32", name="image")(Add(dtype="float32", name="changed")([source, change]))


def _conv(x, channels: int, name: str, kernel: int = 3, stride: int = 1, kind: type = Conv2D):
    return kind(channels, kernel, stride, "same", kernel_initializer="he_normal", name=name)(x)


def _leaky(x, name: str):
    return LeakyReLU(0.2, name=f"{name}_relu")(x)


def _checked(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = as_image_shape(image_shape)
    if len(shape) != 3 or any(side % MULTIPLE or side < SMALLEST for side in shape[:2]):
        raise ValueError(
            f"Height and width are multiples of {MULTIPLE} and at least {SMALLEST}: resize, crop or pad the images. "
            f"Received: image_shape={tuple(image_shape)}"
        )
    return shape
