"""InfoGAN's networks: convolutions between fully connected layers, and a discriminator that also reads the codes."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras.layers import Activation, Concatenate, Dense, Flatten, LeakyReLU, ReLU, Reshape

from ganzoo.data.preprocessing import check_positive
from ganzoo.layers import Conv2D, Conv2DTranspose
from ganzoo.networks.dcgan import KERNEL, batch_normalization, normal, smallest_size

__all__ = ["infogan_discriminator", "infogan_generator"]


def infogan_generator(
    image_shape: tuple[int, ...], latent_dim: int, codes: Mapping[str, int], width: int, units: int
) -> keras.Model:
    """Latents and codes to images: a fully connected layer, a projection, then convolutions that double the size each.

    Args:
        image_shape: (height, width, channels).
        latent_dim: int, length of a latent vector.
        codes: further inputs by name, and their lengths.
        width: int, channels before the last layer; twice as many at each size below.
        units: int, of the fully connected layer.

    Returns:
        A `keras.Model` from `latents`, float32 (batch, latent_dim), and the codes, float32 (batch, length), to float32
        (batch, height, width, channels) in (-1, 1).

    Reference:
        Chen et al. 2016, arXiv:1606.03657, table 1 (its sigmoid in [0, 1] is this tanh in [-1, 1]).
    """
    check_positive(latent_dim=latent_dim, width=width, units=units)
    height, breadth, num_halvings = smallest_size(image_shape)
    channels = width * 2 ** (num_halvings - 1)
    inputs = [keras.Input((latent_dim,), name="latents")]
    inputs += [keras.Input((length,), name=name) for name, length in codes.items()]
    x = Concatenate(name="latents_and_codes")(inputs)
    for name, size in (("dense", units), ("project", height * breadth * channels)):
        x = Dense(size, use_bias=False, kernel_initializer=normal(), name=name)(x)
        x = ReLU(name=f"{name}_relu")(batch_normalization(f"{name}_bn")(x))
    x = Reshape((height, breadth, channels), name="reshape")(x)
    for i in range(1, num_halvings):
        channels //= 2
        x = Conv2DTranspose(channels, KERNEL, 2, "same", use_bias=False, kernel_initializer=normal(), name=f"up{i}")(x)
        x = ReLU(name=f"up{i}_relu")(batch_normalization(f"up{i}_bn")(x))
    x = Conv2DTranspose(image_shape[-1], KERNEL, 2, "same", kernel_initializer=normal(), name="to_image")(x)
    return keras.Model(inputs, Activation("tanh", dtype="float32", name="tanh")(x), name="generator")


def infogan_discriminator(
    image_shape: tuple[int, ...], codes: Mapping[str, int], width: int, units: int, hidden: int
) -> keras.Model:
    """Images to logits and codes: convolutions that halve the size each and a fully connected layer, shared by both.

    Args:
        image_shape: (height, width, channels).
        codes: what is read, and how many numbers each has.
        width: int, channels after the first layer; twice as many at each size below.
        units: int, of the fully connected layer that D and Q share.
        hidden: int, units of Q's own layer.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), to a list, float32: logits (batch, 1),
        then (batch, length) for each code.

    Reference:
        Chen et al. 2016, arXiv:1606.03657, table 1.
    """
    check_positive(width=width, units=units, hidden=hidden)
    *_, num_halvings = smallest_size(image_shape)
    images = keras.Input(image_shape, name="images")
    x = images
    for i in range(num_halvings):
        name = f"down{i + 1}"
        x = Conv2D(width * 2**i, KERNEL, 2, "same", use_bias=i == 0, kernel_initializer=normal(), name=name)(x)
        x = LeakyReLU(0.1, name=f"{name}_relu")(batch_normalization(f"{name}_bn")(x) if i else x)
    shared = _dense(Flatten(name="flatten")(x), units, "shared")
    own = _dense(shared, hidden, "codes")
    outputs = [_numbers(shared, 1, "logit"), *(_numbers(own, count, name) for name, count in codes.items())]
    return keras.Model(images, outputs, name="discriminator")


def _dense(x, units: int, name: str):
    x = Dense(units, use_bias=False, kernel_initializer=normal(), name=f"{name}_dense")(x)
    return LeakyReLU(0.1, name=f"{name}_relu")(batch_normalization(f"{name}_bn")(x))


def _numbers(x, count: int, name: str):
    x = Dense(count, kernel_initializer=normal(), name=f"to_{name}")(x)
    return Activation("linear", dtype="float32", name=name)(x)
