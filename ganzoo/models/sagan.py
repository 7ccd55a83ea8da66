"""SAGAN: self-attention GAN. Zhang et al. 2018, arXiv:1805.08318."""

from functools import partial

import keras

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.zoo.registry import register

__all__ = ["SAGAN"]


@register("sagan")
@keras.saving.register_keras_serializable(package="ganzoo")
class SAGAN(GAN):
    """Attention in both networks, by which distant parts of an image agree; spectral norm in both, two time scales.

    ``y = x + gamma o``, ``o_j = v(sum_i softmax_i(f(x_i) . g(x_j)) h(x_i))`` (eq. 1 to 3); the hinge loss (eq. 4); the
    discriminator learns four times as fast as the generator.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        latent_dim: int, length of a latent vector.
        width: int, channels at the finest level of either network.
        attention: int, height of the feature maps that attention follows in both networks; by default half of the
            images' (as in the paper's best, 32 of 64 and 64 of 128).
        discriminator_width: int, in place of `width` for the discriminator.
        final_size: int, see `ganzoo.DCGAN`.
        generator: your own network instead, a `keras.Model` or a function that returns one.
        discriminator: likewise, from images to scores.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Raises:
        ValueError: a size of feature maps that the networks do not have.

    Example:

        >>> model = ganzoo.SAGAN(image_shape=(28, 28, 1))       # attention over 14 x 14 positions
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Zhang et al. 2018, arXiv:1805.08318, eq. 1 to 4, section 4.1 (Adam 0, .9; 1e-4 and 4e-4).

    Differs from the paper:
        convolutions as DCGAN's instead of residual blocks; without classes unless networks with labels are given.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 128,
        width: int = 64,
        attention: int | None = None,
        discriminator_width: int | None = None,
        final_size: int | None = None,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape, d_width = as_image_shape(image_shape), discriminator_width or width
        seen = shape[0] // 2 if attention is None else attention
        draw = partial(dcgan_generator, shape, latent_dim, width, spectral=True, attention=seen)
        judge = partial(dcgan_discriminator, shape, d_width, "spectral", final_size, attention=seen)
        super().__init__(generator or draw, discriminator or judge, **kwargs)
        self.arguments = {"image_shape": shape, "latent_dim": latent_dim, "width": width, "attention": attention}
        self.arguments |= {"discriminator_width": discriminator_width, "final_size": final_size}

    def discriminator_loss(self, real, fake, training):
        return losses.hinge_discriminator_loss(self.discriminate(real, training), self.discriminate(fake, training))

    def generator_loss(self, real, fake, training):
        return losses.hinge_generator_loss(self.discriminate(fake, training))

    def default_optimizers(self):
        rates = {"discriminator": 4e-4, "generator": 1e-4}
        return {player: keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for player, rate in rates.items()}
