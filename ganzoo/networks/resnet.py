"""The residual generator of image translation: an image of any size to another, at a quarter of the size within."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras.layers import Activation, Add, ReLU, UpSampling2D, ZeroPadding2D

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import ClassPlanes, Conv2D, Conv2DTranspose, ReflectionPadding2D
from ganzoo.networks.dcgan import normal
from ganzoo.networks.unet import check_normalization, normalized

__all__ = ["MULTIPLE", "resnet_generator"]

MULTIPLE = 4  # two halvings
PADDINGS = {"reflect": ReflectionPadding2D, "zeros": ZeroPadding2D}
ENLARGEMENTS = ("transposed", "resize")


def resnet_generator(
    source_channels: int,
    target_channels: int,
    width: int = 64,
    blocks: int = 6,
    normalization: str | None = "instance",
    padding: str = "reflect",
    enlargement: str = "transposed",
    source: str = "source",
    name: str = "generator",
    classes: Mapping[str, int] = {},
) -> keras.Model:
    """Images to images of the same size: two halvings, residual blocks, two doublings, no skips across.

    c7s1-64, d128, d256, R256 as often as `blocks` says, u128, u64, c7s1-3: 7x7 convolutions at the ends; dk and uk are
    3x3 convolutions of stride 2 and their transposes; Rk is ``x + norm(conv(relu(norm(conv(x)))))`` with 3x3
    convolutions, without an activation after the sum. ReLU after every other normalisation, tanh at the end.

    Args:
        source_channels, target_channels: ints.
        width: int, channels after the first layer (64 above); four times as many in the blocks.
        blocks: int: 6 for images of 128x128, 9 for 256x256 and above.
        normalization: ``"instance"``, ``"batch"`` (its moving averages serve in inference) or None.
        padding: what lies beyond the border of the blocks' and of the two outer convolutions: ``"reflect"``, the image
            mirrored, or ``"zeros"``: what is the same in a whole image, as the plane of a label, would otherwise be
            taken away by the instance normalisation that follows, without a trace.
        enlargement: how sizes are doubled: ``"transposed"`` convolution, or ``"resize"``: every pixel repeated, then a
            convolution, which leaves no checkerboard.
        source: str, what the input is called: the part of the data that it takes.
        name: str, of the network.
        classes: further inputs, int32 (batch,), by name, and how many classes each has: planes beside the image
            (`ganzoo.layers.ClassPlanes`). They need padding with zeros.

    Returns:
        A `keras.Model` from `source`, float32 (batch, height, width, source_channels), to float32 (batch, height,
        width, target_channels) in (-1, 1), for any height and width that are multiples of 4 and at least 8 (other
        sizes are drawn with up to three rows and columns more).

    Raises:
        ValueError: an unknown normalization, padding or enlargement; numbers that are not positive; classes without
            padding with zeros.

    Example:

    >>> network = resnet_generator(1, 3, width=8, blocks=2)
    >>> network(np.zeros((1, 32, 48, 1), "float32")).shape
    (1, 32, 48, 3)

    Reference:
        Johnson, Alahi and Fei-Fei 2016, arXiv:1603.08155; Zhu et al. 2017, arXiv:1703.10593, appendix 7.2.

    Differs from the papers:
        Instance normalisation has a learned scale and centre.
    """
    check_normalization(normalization, ("instance", "batch", None))
    check_positive(source_channels=source_channels, target_channels=target_channels, width=width, blocks=blocks)
    for key, value, known in (("padding", padding, PADDINGS), ("enlargement", enlargement, ENLARGEMENTS)):
        if value not in known:
            raise ValueError(f"`{key}` is one of {', '.join(map(repr, known))}. Received: {key}={value!r}")
    make = _Maker(normalization, PADDINGS[padding], enlargement == "resize")
    if classes and padding != "zeros":
        raise ValueError(f"With classes say padding='zeros', else they leave no trace. Received: padding={padding!r}")
    inputs = [x := keras.Input((None, None, source_channels), name=source)]
    for own, number in classes.items():
        inputs.append(keras.Input((), dtype="int32", name=own))
        x = ClassPlanes(number, name=f"{own}_planes")([x, inputs[-1]])
    x = make.convolution(x, width, "from_image", 7)
    for i, channels in enumerate((2 * width, 4 * width), 1):
        x = make.halving(x, channels, f"down{i}")
    for i in range(1, blocks + 1):
        y = make.convolution(x, 4 * width, f"block{i}_conv1")
        y = make.convolution(y, 4 * width, f"block{i}_conv2", activated=False)
        x = Add(name=f"block{i}_add")([x, y])
    for i, channels in enumerate((2 * width, width), 1):
        x = make.doubling(x, channels, f"up{i}")
    x = make.padded(x, 3, "to_image")
    x = Conv2D(target_channels, 7, kernel_initializer=normal(), name="to_image")(x)
    x = Activation("tanh", dtype="float32", name="to_image_tanh")(x)
    return keras.Model(inputs if classes else inputs[0], x, name=name)


class _Maker:
    """Convolutions with what belongs to them: padding before, normalisation and ReLU behind."""

    def __init__(self, normalization: str | None, padding: type, resize: bool):
        self._normalization, self._padding, self._resize = normalization, padding, resize

    def padded(self, x, num: int, name: str):
        return self._padding(num, name=f"{name}_pad")(x)

    def convolution(self, x, channels: int, name: str, size: int = 3, activated: bool = True):
        x = self.padded(x, size // 2, name)
        return self._finished(Conv2D(channels, size, name=name, **self._options())(x), name, activated)

    def halving(self, x, channels: int, name: str):
        return self._finished(Conv2D(channels, 3, 2, "same", name=name, **self._options())(x), name)

    def doubling(self, x, channels: int, name: str):
        if self._resize:
            return self.convolution(UpSampling2D(name=f"{name}_repeat")(x), channels, name)
        return self._finished(Conv2DTranspose(channels, 3, 2, "same", name=name, **self._options())(x), name)

    def _options(self) -> dict:
        return {"use_bias": self._normalization is None, "kernel_initializer": normal()}

    def _finished(self, x, name: str, activated: bool = True):
        x = normalized(x, self._normalization, f"{name}_norm")
        return ReLU(name=f"{name}_relu")(x) if activated else x
