"""The perceptrons of the semi-supervised GAN: a noisy classifier, and a generator of what it cannot tell."""

from __future__ import annotations

import math

import keras
from keras.layers import Activation, BatchNormalization, Dense, Flatten, GaussianNoise, Rescaling, Reshape

from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.layers import LogSumExp, WeightNormDense

__all__ = ["noisy_classifier", "softplus_generator"]

PARTS = (1, 2, 4, 4, 4)  # of the width, in the layers of the classifier


def noisy_classifier(image_shape: tuple[int, ...], num_classes: int, width: int = 1000) -> keras.Model:
    """Images to class logits through five layers, with noise before each and weights normalised.

    Args:
        image_shape: (height, width, channels).
        num_classes: int, K.
        width: int, units of the first layer; the others have a half of it, and three times a quarter.

    Returns:
        A `keras.Model` from `images` in [-1, 1], float32 (batch, height, width, channels), to a list, float32: the
        logits of being real, (batch, 1), which are the log-sum-exp of the class logits; the class logits (batch, K);
        and the features of the last layer before its noise, (batch, units).

    Reference:
        Salimans et al. 2016, arXiv:1606.03498, section 5.1; layers and noise as in the authors' code for MNIST.
    """
    image_shape = as_image_shape(image_shape)
    check_positive(num_classes=num_classes, width=width)
    images = keras.Input(image_shape, name="images")
    x = Rescaling(0.5, 0.5, name="from_0_to_1")(Flatten(name="flatten")(images))
    x = GaussianNoise(0.3, name="noise0")(x)
    for i, part in enumerate(PARTS, 1):
        features = WeightNormDense(
            -(-width // part), activation="relu", kernel_initializer="he_normal", name=f"dense{i}"
        )(x)
        x = GaussianNoise(0.5, name=f"noise{i}")(features)
    classes = WeightNormDense(num_classes, name="to_classes")(x)
    classes = Activation("linear", dtype="float32", name="classes")(classes)
    features = Activation("linear", dtype="float32", name="features")(features)
    logit = LogSumExp(dtype="float32", name="logit")(classes)
    return keras.Model(images, [logit, classes, features], name="discriminator")


def softplus_generator(image_shape: tuple[int, ...], latent_dim: int, width: int = 1000) -> keras.Model:
    """Latents to images through two layers of 500 softplus units with BatchNorm.

    Args:
        image_shape: (height, width, channels).
        latent_dim: int.
        width: int, twice the units of either layer.

    Returns:
        A `keras.Model` from `latents`, float32 (batch, latent_dim), to float32 (batch, height, width, channels) in
        (-1, 1).

    Reference:
        Salimans et al. 2016, arXiv:1606.03498, section 5.1 (its sigmoid in [0, 1] is this tanh in [-1, 1]).
    """
    image_shape = as_image_shape(image_shape)
    check_positive(latent_dim=latent_dim, width=width)
    latents = keras.Input((latent_dim,), name="latents")
    x = latents
    for i in (1, 2):
        x = Dense(-(-width // 2), use_bias=False, name=f"dense{i}")(x)
        x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"dense{i}_bn")(x)
        x = Activation("softplus", name=f"dense{i}_softplus")(x)
    x = WeightNormDense(math.prod(image_shape), name="to_image")(x)
    x = Activation("tanh", dtype="float32", name="tanh")(x)
    return keras.Model(latents, Reshape(image_shape, dtype="float32", name="image")(x), name="generator")
