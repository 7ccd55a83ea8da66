"""The hinge GAN, or geometric GAN. Lim and Ye 2017, arXiv:1705.02894."""

import keras

from ganzoo import losses
from ganzoo.models.dcgan import DCGAN
from ganzoo.zoo.registry import register

__all__ = ["HingeGAN"]


@register("hinge")
@keras.saving.register_keras_serializable(package="ganzoo")
class HingeGAN(DCGAN):
    """The discriminator is a support vector machine: only images within its margin, or beyond it, move it.

    ``min_D E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]``, ``min_G -E[D(G(z))]`` (eq. 9 and 10).

    Args:
        image_shape, latent_dim, width, spectral_norm, discriminator_width, final_size, generator, discriminator,
        **kwargs: those of `ganzoo.DCGAN`.

    Example:

        >>> model = ganzoo.HingeGAN(image_shape=(28, 28, 1), spectral_norm=True)
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Lim and Ye 2017, arXiv:1705.02894, section 3.

    Differs from the paper:
        the weight of the margin's regulariser is 0; the networks and Adam are DCGAN's.
    """

    def discriminator_loss(self, real, fake, training):
        return losses.hinge_discriminator_loss(self.discriminate(real, training), self.discriminate(fake, training))

    def generator_loss(self, real, fake, training):
        return losses.hinge_generator_loss(self.discriminate(fake, training))
