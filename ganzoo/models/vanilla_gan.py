"""The original GAN, of multi-layer perceptrons. Goodfellow et al. 2014, arXiv:1406.2661."""

import math
from functools import partial

import keras
import numpy as np
from keras.layers import Activation, Dense, Dropout, Flatten, LeakyReLU, ReLU, Reshape

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.engine.gan import GAN
from ganzoo.zoo.registry import register

__all__ = ["VanillaGAN"]


@register("gan")
@keras.saving.register_keras_serializable(package="ganzoo")
class VanillaGAN(GAN):
    """Two perceptrons in the minimax game, for images or for vectors.

    Args:
        image_shape: (height, width, channels) of images, or (features,) of vectors, which are not squashed by tanh.
        latent_dim: int, length of a latent vector.
        width: int, units of each hidden layer.
        num_layers: int, hidden layers of each network.
        dropout: float in [0, 1), after each hidden layer of the discriminator.
        minimax: train the generator on ``log(1 - D(G(z)))`` (eq. 1) instead of ``-log D(G(z))`` (section 3).
        generator: your own network instead, a `keras.Model` or a function that returns one.
        discriminator: likewise, from images to logits.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.VanillaGAN(image_shape=(2,), latent_dim=2, width=128)
        >>> model.fit(ganzoo.data.gaussian_ring(10_000, seed=0), batch_size=256, epochs=10)

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, eq. 1, Algorithm 1 and section 3.

    Differs from the paper:
        LeakyReLU instead of maxout in the discriminator, images in (-1, 1) through tanh instead of [0, 1] through a
        sigmoid, latents from N(0, 1), Adam instead of momentum.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...] = (28, 28, 1),
        latent_dim: int = 100,
        width: int = 512,
        num_layers: int = 2,
        dropout: float = 0.3,
        minimax: bool = False,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        super().__init__(
            generator or partial(_generator, image_shape, latent_dim, width, num_layers),
            discriminator or partial(_discriminator, image_shape, width, num_layers, dropout),
            **kwargs,
        )
        self.minimax = minimax
        self.arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        self.arguments |= {"num_layers": num_layers, "dropout": dropout, "minimax": minimax}

    def discriminator_loss(self, real, fake, training):
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, real, fake, training):
        loss = losses.minimax_generator_loss if self.minimax else losses.non_saturating_generator_loss
        return loss(self.discriminate(fake, training))


def _generator(image_shape, latent_dim, width, num_layers):
    check_positive(latent_dim=latent_dim, width=width, num_layers=num_layers)
    x = latents = keras.Input((latent_dim,), name="latents")
    for i in range(num_layers):
        x = ReLU(name=f"relu{i + 1}")(Dense(width, name=f"dense{i + 1}")(x))
    x = Reshape(image_shape, name="reshape")(Dense(math.prod(image_shape), name="to_image")(x))
    squash = "tanh" if len(image_shape) == 3 else "linear"
    return keras.Model(latents, Activation(squash, dtype="float32", name="image")(x), name="generator")


def _discriminator(image_shape, width, num_layers, dropout):
    x = images = keras.Input(image_shape, name="images")
    x = Flatten(name="flatten")(x)
    for i in range(num_layers):
        x = LeakyReLU(0.2, name=f"relu{i + 1}")(Dense(width, name=f"dense{i + 1}")(x))
        seed = int(np.random.randint(2**31 - 1))  # without it, dropout on torch could not resume where it stopped
        x = Dropout(dropout, seed=seed, name=f"dropout{i + 1}")(x)
    x = Dense(1, name="to_logit")(x)
    return keras.Model(images, Activation("linear", dtype="float32", name="logit")(x), name="discriminator")
