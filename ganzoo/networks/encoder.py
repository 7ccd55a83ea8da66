"""From images back to the latents that a generator drew them from."""

from __future__ import annotations

import math

import keras
from keras.layers import Activation, Dense, Flatten, ReLU

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import Conv2D
from ganzoo.networks.dcgan import batch_normalization, normal

__all__ = ["latent_encoder"]

KERNEL, FINAL_SIZE = 5, 4


def latent_encoder(image_shape: tuple[int, ...], latent_dim: int, width: int, units: int) -> keras.Model:
    """Convolutions of 5 that halve the size until it is at most 4x4 (four of 64x64), then two dense layers.

    Args:
        image_shape: (height, width, channels); odd sizes are halved upwards.
        latent_dim: int, length of a latent vector.
        width: int, channels after the first convolution; twice as many at each size below.
        units: int, of the first dense layer.

    Returns:
        A `keras.Model` from `images`, float32 (batch, height, width, channels), to float32 (batch, latent_dim).

    Reference:
        Perarnau et al. 2016, arXiv:1611.06355, the encoder of latents: BatchNorm and ReLU after all but the last layer.
    """
    image_shape = as_image_shape(image_shape)
    check_positive(latent_dim=latent_dim, width=width, units=units)
    inputs = x = keras.Input(image_shape, name="images")
    for i in range(max(1, math.ceil(math.log2(max(image_shape[:2]) / FINAL_SIZE)))):
        convolution = {"use_bias": False, "kernel_initializer": normal(), "name": f"down{i + 1}"}
        x = Conv2D(width * 2**i, KERNEL, 2, "same", **convolution)(x)
        x = ReLU(name=f"down{i + 1}_relu")(batch_normalization(f"down{i + 1}_bn")(x))
    x = Dense(units, use_bias=False, kernel_initializer=normal(), name="dense")(Flatten(name="flatten")(x))
    x = ReLU(name="dense_relu")(batch_normalization("dense_bn")(x))
    x = Dense(latent_dim, kernel_initializer=normal(), name="to_latents")(x)
    return keras.Model(inputs, Activation("linear", dtype="float32", name="latents")(x), name="encoder")
