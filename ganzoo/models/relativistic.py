"""The relativistic average GAN. Jolicoeur-Martineau 2018, arXiv:1807.00734."""

import keras

from ganzoo import losses
from ganzoo.models.dcgan import DCGAN
from ganzoo.zoo.registry import register

__all__ = ["RelativisticGAN"]


@register("relativistic")
@keras.saving.register_keras_serializable(package="ganzoo")
class RelativisticGAN(DCGAN):
    """The discriminator says how much more real an image is than the others are on average.

    ``D(x) = sigmoid(C(x) - E C(G(z)))`` and ``D(G(z)) = sigmoid(C(G(z)) - E C(x))``; the discriminator minimises
    ``-E[log D(x)] - E[log(1 - D(G(z)))]``, the generator the same with real and generated images exchanged (eq. 13 and
    14, RaSGAN). So the generator also makes real images seem less real, and its gradient comes from them too.

    Args:
        image_shape, latent_dim, width, spectral_norm, discriminator_width, final_size, generator, discriminator,
        **kwargs: those of `ganzoo.DCGAN`.

    Example:

        >>> model = ganzoo.RelativisticGAN(image_shape=(28, 28, 1))
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 13 and 14, Algorithm 2.

    Differs from the paper:
        the networks are DCGAN's at the size of the images.
    """

    divided_at_zero = False

    def discriminator_loss(self, real, fake, training):
        return losses.relativistic_average_loss(self.discriminate(real, training), self.discriminate(fake, training))

    def generator_loss(self, real, fake, training):
        return losses.relativistic_average_loss(self.discriminate(fake, training), self.discriminate(real, training))
