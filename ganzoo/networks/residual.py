"""Residual networks whose generator is told a class in every block: BigGAN's, for any size that halves twice."""

from __future__ import annotations

import keras
from keras.layers import Activation, Add, AveragePooling2D, Concatenate, Dense, Embedding, ReLU, Reshape, UpSampling2D

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import (
    BatchNormalization,
    ClassProjection,
    Conv2D,
    GlobalSumPooling2D,
    Modulation,
    OffDiagonal,
    SpectralNormalization,
    Split,
)
from ganzoo.networks.dcgan import smallest_size

__all__ = ["residual_discriminator", "residual_generator"]

MOST = 4  # times `width`: channels of the coarsest level


def residual_generator(
    image_shape: tuple[int, ...],
    num_classes: int | None,
    latent_dim: int,
    width: int,
    shared: int = 128,
    orthogonal: float = 1e-4,
    spectral: bool = True,
) -> keras.Model:
    """Latents and a class to images: blocks that double the size, each told the class and its own part of the latents.

    Args:
        image_shape: (height, width, channels).
        num_classes: int; None for images without a class, whose latents all go into the first layer.
        latent_dim: int; the latents are split evenly, one part for the first layer and one for each block.
        width: int, channels of the finest level; twice as many at each below, at most four times.
        shared: int, length of the vector of a class that all blocks share.
        orthogonal: float, weight of the orthogonal penalty on every kernel.
        spectral: bool, all layers are spectrally normalised.

    Returns:
        A `keras.Model` from `latents`, float32 (batch, latent_dim), and `labels`, int32 (batch,), to float32 (batch,
        height, width, channels) in (-1, 1).

    Raises:
        ValueError: a size that does not halve at least twice, fewer latents than parts.

    Reference:
        Brock et al. 2018, arXiv:1809.11096, figure 15 (a) and (b), appendix B; without a class: Miyato et al. 2018,
        arXiv:1802.05957, table 4 (a).
    """
    check_positive(latent_dim=latent_dim, width=width, shared=shared)
    height, breadth, num_blocks = smallest_size(image_shape)
    make = _Maker(OffDiagonal(orthogonal) if orthogonal else None, spectral)
    latents, labels = keras.Input((latent_dim,), name="latents"), keras.Input((), dtype="int32", name="labels")
    if num_classes is None:
        parts, conditions = [latents], [None] * num_blocks
    else:
        check_positive(num_classes=num_classes)
        if latent_dim < num_blocks + 1:
            raise ValueError(f"Each of {num_blocks + 1} parts needs a latent at least. Received: {latent_dim=}")
        vector = Embedding(num_classes, shared, keras.initializers.Orthogonal(), name="class_vector")(labels)
        parts = Split(num_blocks + 1, name="parts")(latents)
        conditions = [Concatenate(name=f"condition{i}")([part, vector]) for i, part in enumerate(parts[1:], 1)]
    channels = _channels(width, num_blocks)
    x = make.dense(height * breadth * channels[0], "project")(parts[0])
    x = Reshape((height, breadth, channels[0]), name="reshape")(x)
    for i, condition in enumerate(conditions, 1):
        x = make.up(x, condition, channels[i], f"block{i}")
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name="last_bn")(x)
    x = make.convolution(image_shape[-1], "to_image")(ReLU(name="last_relu")(x))
    inputs = latents if num_classes is None else [latents, labels]
    return keras.Model(inputs, Activation("tanh", dtype="float32", name="tanh")(x), name="generator")


def residual_discriminator(image_shape: tuple[int, ...], num_classes: int | None, width: int) -> keras.Model:
    """Images and a class to logits: residual blocks that halve the size, a sum over the image, and a projection.

    Args:
        image_shape, num_classes: as for `residual_generator`.
        width: int, channels of the first block; twice as many in each that follows, at most four times.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), and `labels`, int32 (batch,), to
        float32 logits (batch, 1).

    Reference:
        Brock et al. 2018, arXiv:1809.11096, figure 15 (c); the logit: Miyato and Koyama 2018, arXiv:1802.05637, eq. 3.
    """
    check_positive(width=width, **({} if num_classes is None else {"num_classes": num_classes}))
    *_, num_blocks = smallest_size(image_shape)
    make = _Maker(None, spectral=True)
    images, labels = keras.Input(image_shape, name="images"), keras.Input((), dtype="int32", name="labels")
    x = images
    for i, channels in enumerate(reversed(_channels(width, num_blocks)[1:]), 1):
        x = make.down(x, channels, f"block{i}", first=i == 1)
    x = make.down(x, x.shape[-1], "last", halve=False)
    x = GlobalSumPooling2D(name="sum")(ReLU(name="last_relu")(x))
    logit = make.dense(1, "to_logit", bias=True)(x)
    if num_classes is not None:
        vectors = ClassProjection(num_classes, keras.initializers.Orthogonal(), name="class_vector")
        logit = Add(name="with_class")([logit, SpectralNormalization(vectors, name="class_vector_sn")([x, labels])])
    logit = Activation("linear", dtype="float32", name="logit")(logit)
    return keras.Model(images if num_classes is None else [images, labels], logit, name="discriminator")


def _channels(width: int, num_blocks: int) -> list[int]:
    """Of the first layer, and of each block from coarse to fine."""
    finest_last = [width * min(MOST, 2**i) for i in range(num_blocks)]
    return [finest_last[-1], *reversed(finest_last)]


class _Maker:
    """Layers as all of BigGAN's are: orthogonal at first, and spectrally normalised."""

    def __init__(self, regularizer: keras.regularizers.Regularizer | None, spectral: bool):
        self._regularizer = regularizer
        self._constrained = SpectralNormalization if spectral else lambda layer: layer

    def _common(self) -> dict:
        return {"kernel_initializer": keras.initializers.Orthogonal(), "kernel_regularizer": self._regularizer}

    def convolution(self, channels: int, name: str, size: int = 3):
        return self._constrained(Conv2D(channels, size, padding="same", name=name, **self._common()))

    def dense(self, units: int, name: str, bias: bool = False):
        return self._constrained(Dense(units, use_bias=bias, name=name, **self._common()))

    def _told(self, x, condition, name: str):
        """BatchNorm, whose scale and shift are linear in the condition where there is one, then ReLU."""
        if condition is None:
            return ReLU(name=f"{name}_relu")(BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x))
        y = BatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False, name=f"{name}_bn")(x)
        gain, shift = (self.dense(x.shape[-1], f"{name}_{what}")(condition) for what in ("gain", "shift"))
        return ReLU(name=f"{name}_relu")(Modulation(name=f"{name}_told")([y, gain, shift]))

    def up(self, x, condition, channels: int, name: str):
        y = UpSampling2D(name=f"{name}_up")(self._told(x, condition, f"{name}_1"))
        y = self.convolution(channels, f"{name}_conv1")(y)
        y = self.convolution(channels, f"{name}_conv2")(self._told(y, condition, f"{name}_2"))
        # Of one pixel each, so that it may come before the doubling, at a quarter of the work.
        short = self.convolution(channels, f"{name}_short", size=1)(x) if x.shape[-1] != channels else x
        return Add(name=f"{name}_add")([y, UpSampling2D(name=f"{name}_short_up")(short)])

    def down(self, x, channels: int, name: str, first: bool = False, halve: bool = True):
        y = x if first else ReLU(name=f"{name}_relu1")(x)
        y = self.convolution(channels, f"{name}_conv1")(y)
        y = self.convolution(channels, f"{name}_conv2")(ReLU(name=f"{name}_relu2")(y))
        if halve:
            y = AveragePooling2D(2, name=f"{name}_halved")(y)
            x = AveragePooling2D(2, name=f"{name}_short_halved")(x)  # before the convolution of one pixel: the same
        if first or x.shape[-1] != channels:
            x = self.convolution(channels, f"{name}_short", size=1)(x)
        return Add(name=f"{name}_add")([y, x])
