"""LSGAN: least squares GAN. Mao et al. 2016, arXiv:1611.04076."""

import keras

from ganzoo import losses
from ganzoo.models.dcgan import DCGAN
from ganzoo.zoo.registry import register

__all__ = ["LSGAN"]


@register("lsgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class LSGAN(DCGAN):
    """Scores are aims of a least squares fit: 1 for real images, 0 for generated ones.

    ``min_D E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2``, ``min_G E[(D(G(z)) - 1)^2] / 2`` (eq. 9). An image far on the
    right side of the decision still has a gradient, towards it.

    Args:
        image_shape, latent_dim, width, spectral_norm, discriminator_width, final_size, generator, discriminator,
        **kwargs: those of `ganzoo.DCGAN`.

    Example:

        >>> model = ganzoo.LSGAN(image_shape=(28, 28, 1))
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Mao et al. 2016, arXiv:1611.04076, eq. 9 (a = 0, b = c = 1).

    Differs from the paper:
        the networks are DCGAN's; Adam 2e-4 with beta_1 .5, where the paper has 1e-3 on LSUN's scenes.
    """

    divided_at_zero = False

    def discriminator_loss(self, real, fake, training):
        real_scores, fake_scores = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.least_squares_discriminator_loss(real_scores, fake_scores)

    def generator_loss(self, real, fake, training):
        return losses.least_squares_generator_loss(self.discriminate(fake, training))
