"""LAPGAN's networks: one pair for each level of a Laplacian pyramid, joined to one generator and one discriminator."""

from __future__ import annotations

import math

import keras
from keras.layers import Activation, Add, Concatenate, Dense, Flatten, LeakyReLU, ReLU, Reshape

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import BatchNormalization, Clip, Conv2D, Grow, Shrink, SpectralNormalization
from ganzoo.networks.dcgan import embedding, normal

__all__ = ["lapgan_discriminator", "lapgan_generator", "sizes_of"]

KERNEL = 5


def sizes_of(image_shape: tuple[int, ...], levels: int) -> list[tuple[int, int]]:
    """Heights and widths of a pyramid's levels, the coarsest first.

    Raises:
        ValueError: fewer than two levels, or sizes that do not halve so often.
    """
    height, width, _ = as_image_shape(image_shape)
    factor = 2 ** (levels - 1)
    if levels < 2 or height % factor or width % factor or min(height, width) < 4 * factor:
        raise ValueError(
            f"A pyramid has two levels or more, each half of the next and at least 4 high and wide. Received: "
            f"levels={levels}, image_shape={tuple(image_shape)}"
        )
    return [(height // 2**i, width // 2**i) for i in reversed(range(levels))]


def lapgan_generator(
    image_shape: tuple[int, ...], levels: int, latent_dim: int, width: int, num_classes: int | None = None
) -> keras.Model:
    """Latents to a coarse image; then, level by level, twice the size and what is missing, from noise and the image.

    Args:
        image_shape: (height, width, channels).
        levels: int.
        latent_dim: int, latents of the coarsest level.
        width: int, channels of the convolutions at each finer level; units of the coarsest are eight times as many.
        num_classes: int, for images of a class: another input `labels`, which every level is told.

    Returns:
        A `keras.Model` from `latents`, float32 (batch, latent_dim), and one plane of noise `noise<level>`, float32
        (batch, height, width, 1), for each finer level, to float32 (batch, height, width, channels) in [-1, 1]. The
        levels are its layers `level0` (of latents), `level1` (of noise and the enlarged image) and so on.

    Reference:
        Denton et al. 2015, arXiv:1506.05751, section 3.2, eq. 5, and figure 1.
    """
    check_positive(latent_dim=latent_dim, width=width)
    sizes, channels = sizes_of(image_shape, levels), image_shape[-1]
    latents = keras.Input((latent_dim,), name="latents")
    labels = [keras.Input((), dtype="int32", name="labels")] if num_classes else []
    noise = [keras.Input((*size, 1), name=f"noise{i}") for i, size in enumerate(sizes[1:], 1)]
    coarse = _coarse(sizes[0], channels, latent_dim, 8 * width, num_classes)
    x = coarse([latents, *labels] if labels else latents)
    for i, (size, plane) in enumerate(zip(sizes[1:], noise), 1):
        larger = Grow(name=f"grow{i}")(x)
        missing = _residual(i, size, channels, width, num_classes)([plane, larger, *labels])
        x = Add(name=f"add{i}")([larger, missing])  # eq. 5
    x = Clip(-1.0, 1.0, dtype="float32", name="image")(x)
    return keras.Model([latents, *noise, *labels], x, name="generator")


def lapgan_discriminator(
    image_shape: tuple[int, ...], levels: int, width: int, num_classes: int | None = None
) -> keras.Model:
    """Images to a logit for each level of their pyramid.

    Args:
        image_shape, levels, num_classes: as for `lapgan_generator`.
        width: int, channels of the first convolution at each finer level.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), to a list of float32 logits (batch, 1),
        the finest level's first. The levels are its layers `level0` (of a coarse image), `level1` (of an image and its
        coarse version enlarged) and so on.

    Reference:
        Denton et al. 2015, arXiv:1506.05751, section 3.2 and figure 2.
    """
    check_positive(width=width)
    sizes, channels = sizes_of(image_shape, levels), image_shape[-1]
    images = keras.Input(image_shape, name="images")
    labels = [keras.Input((), dtype="int32", name="labels")] if num_classes else []
    pyramid = [images]
    for i in reversed(range(1, levels)):
        pyramid.insert(0, Shrink(name=f"shrink{i}")(pyramid[0]))
    judge = _judge(0, sizes[0], channels, 4 * width, num_classes)
    logits = [judge([pyramid[0], *labels] if labels else pyramid[0])]
    for i, (size, image, coarse) in enumerate(zip(sizes[1:], pyramid[1:], pyramid), 1):
        larger = Grow(name=f"grow{i}")(coarse)
        logits.insert(0, _judge(i, size, channels, width, num_classes)([image, larger, *labels]))
    return keras.Model([images, *labels] if labels else images, logits, name="discriminator")


def _plane(labels, size: tuple[int, int], num_classes: int):
    """A learned plane for each class."""
    plane = embedding(num_classes, math.prod(size), "label_plane")(labels)
    return Reshape((*size, 1), name="label_map")(plane)


def _coarse(size, channels: int, latent_dim: int, units: int, num_classes: int | None) -> keras.Model:
    inputs = [keras.Input((latent_dim,), name="latents")]
    x = inputs[0]
    if num_classes:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
        x = Concatenate(name="latents_and_labels")([x, embedding(num_classes, -(-latent_dim // 4))(inputs[1])])
    for i in (1, 2):
        x = Dense(units, use_bias=False, kernel_initializer="he_normal", name=f"dense{i}")(x)
        x = ReLU(name=f"relu{i}")(BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"bn{i}")(x))
    x = Dense(math.prod(size) * channels, activation="tanh", name="to_image")(x)
    return keras.Model(inputs if num_classes else inputs[0], Reshape((*size, channels), name="image")(x), name="level0")


def _residual(level: int, size, channels: int, width: int, num_classes: int | None) -> keras.Model:
    inputs = [keras.Input((*size, 1), name="noise"), keras.Input((*size, channels), name="larger")]
    planes = list(inputs)
    if num_classes:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
        planes.append(_plane(inputs[2], size, num_classes))
    x = Concatenate(name="planes")(planes)
    for i in (1, 2):
        x = Conv2D(width, KERNEL, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"conv{i}")(x)
        x = ReLU(name=f"relu{i}")(BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"bn{i}")(x))
    x = Conv2D(channels, KERNEL, padding="same", kernel_initializer=normal(), name="residual")(x)
    return keras.Model(inputs, x, name=f"level{level}")


def _judge(level: int, size, channels: int, width: int, num_classes: int | None) -> keras.Model:
    inputs = [keras.Input((*size, channels), name="images")]
    planes = list(inputs)
    if level:
        inputs.append(keras.Input((*size, channels), name="larger"))
        planes.append(inputs[-1])
    if num_classes:
        inputs.append(keras.Input((), dtype="int32", name="labels"))
        planes.append(_plane(inputs[-1], size, num_classes))
    x = Concatenate(name="planes")(planes) if len(planes) > 1 else planes[0]
    for i in (1, 2):
        layer = Conv2D(width * i, KERNEL, 2, "same", kernel_initializer=normal(), name=f"conv{i}")
        x = LeakyReLU(0.2, name=f"relu{i}")(SpectralNormalization(layer, name=f"conv{i}_sn")(x))
    logit = SpectralNormalization(Dense(1, kernel_initializer=normal(), name="to_logit"), name="to_logit_sn")
    logit = Activation("linear", dtype="float32", name="logit")(logit(Flatten(name="flatten")(x)))
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], logit, name=f"level{level}")
