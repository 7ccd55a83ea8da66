"""Projection cGAN: the class as an inner product. Miyato and Koyama 2018, arXiv:1802.05637."""

from functools import partial

import keras

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Labels
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.zoo.registry import register

__all__ = ["ProjectionGAN"]


@register("projection")
@keras.saving.register_keras_serializable(package="ganzoo")
class ProjectionGAN(GAN):
    """The discriminator adds to its logit how well features go with the vector of the class: ``psi(h) + <e(y), h>``.

    ``f(x, y) = y^T V phi(x) + psi(phi(x))`` (eq. 3), phi being convolutions and a sum over the image; every kernel, the
    table V too, is spectrally normalised. In the generator the class sets scale and shift of every BatchNorm. The loss
    is the hinge loss (section 4).

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        num_classes: int; labels are whole numbers from 0 to num_classes - 1.
        latent_dim, width, discriminator_width, final_size: as for `ganzoo.DCGAN`.
        discriminator_steps: int, updates of the discriminator before each of the generator, each on new images.
        generator: your own network instead, from inputs named "latents" and "labels" to images.
        discriminator: likewise, from inputs named "images" and "labels" to logits.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.ProjectionGAN(image_shape=(32, 32, 3), num_classes=10)
        >>> model.fit(images, labels, batch_size=64, epochs=10)
        >>> model.generate(16, labels=3).shape
        (16, 32, 32, 3)

    Reference:
        Miyato and Koyama 2018, arXiv:1802.05637, eq. 3, section 4; spectral normalisation and the hinge loss: Miyato et
        al. 2018, arXiv:1802.05957, eq. 8, 16 and 17.

    Differs from the paper:
        DCGAN's strided convolutions in both networks, as in the second paper's table 3, instead of residual blocks; the
        generator is averaged; generated images are of the classes of the real ones.
    """

    shaped_by = {"images": "image_shape", "labels": "num_classes"}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (32, 32, 3),
        num_classes: int = 10,
        latent_dim: int = 128,
        width: int = 64,
        discriminator_width: int | None = None,
        final_size: int | None = None,
        discriminator_steps: int = 1,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        d_width = discriminator_width or width
        judge = partial(dcgan_discriminator, image_shape, d_width, "spectral", final_size, num_classes)
        super().__init__(
            generator or partial(dcgan_generator, image_shape, latent_dim, width, num_classes, class_norm=True),
            discriminator or partial(judge, projection=True),
            data={"images": Images(image_shape), "labels": Labels(num_classes)},
            **kwargs,
        )
        self.discriminator_steps = discriminator_steps
        self.arguments = {"image_shape": image_shape, "num_classes": num_classes, "latent_dim": latent_dim}
        self.arguments |= {"width": width, "discriminator_width": discriminator_width, "final_size": final_size}
        self.arguments |= {"discriminator_steps": discriminator_steps}

    def discriminator_loss(self, real, fake, training):
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.hinge_discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, real, fake, training):
        return losses.hinge_generator_loss(self.discriminate(fake, training))

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.9) for player in self.players()}  # section 4
