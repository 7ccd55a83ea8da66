"""DCGAN: deep convolutional GAN. Radford, Metz and Chintala 2015, arXiv:1511.06434."""

from functools import partial

import keras

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.zoo.registry import register

__all__ = ["DCGAN"]


@register("dcgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class DCGAN(GAN):
    """Strided and transposed convolutions, BatchNorm in both networks, ReLU and LeakyReLU, N(0, .02) weights.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        latent_dim: int, length of a latent vector.
        width: int, channels at the finest level of either network.
        spectral_norm: normalise all layers of the discriminator spectrally, instead of BatchNorm.
        discriminator_width: int, in place of `width` for the discriminator.
        final_size: int, the discriminator halves until height and width are at most that, odd ones rounded up. By
            default as long as both are even and at least 8: 28x28 ends with 7x7, and with 4x4 where this is 4.
        generator: your own network instead, a `keras.Model` or a function that returns one.
        discriminator: likewise, from images to logits.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Raises:
        ValueError: an image_shape that the strides do not allow; networks that do not fit together.

    Example:

        >>> model = ganzoo.DCGAN(image_shape=(32, 32, 3))
        >>> model.fit(images, batch_size=128, epochs=10)
        >>> model.generate(16).shape
        (16, 32, 32, 3)

    Reference:
        Radford et al. 2015, arXiv:1511.06434; the losses are eq. 1 of Goodfellow et al. 2014, arXiv:1406.2661, with
        the non-saturating generator loss of its section 3.

    Differs from the paper:
        latents from N(0, 1) instead of a uniform distribution; kernels of 4 instead of 5; images of other sizes than
        64x64 take as many layers as halve them to about 4x4; ``spectral_norm=True`` is not in the paper (Miyato et al.
        2018, arXiv:1802.05957).
    """

    normalization: str | None = "batch"  # of the discriminator, where it is not spectral

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 100,
        width: int = 64,
        spectral_norm: bool = False,
        discriminator_width: int | None = None,
        final_size: int | None = None,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        normalization = "spectral" if spectral_norm else self.normalization
        super().__init__(
            generator or partial(dcgan_generator, image_shape, latent_dim, width),
            discriminator
            or partial(dcgan_discriminator, image_shape, discriminator_width or width, normalization, final_size),
            **kwargs,
        )
        self.arguments = {
            "image_shape": image_shape,
            "latent_dim": latent_dim,
            "width": width,
            "spectral_norm": spectral_norm,
            "discriminator_width": discriminator_width,
            "final_size": final_size,
        }

    def discriminator_loss(self, real, fake, training):
        # Two passes: real and generated images are normalised as batches of their own.
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, real, fake, training):
        return losses.non_saturating_generator_loss(self.discriminate(fake, training))

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.5) for player in self.players()}  # section 4
