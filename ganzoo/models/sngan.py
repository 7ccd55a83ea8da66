"""SNGAN: a spectrally normalised discriminator. Miyato et al. 2018, arXiv:1802.05957."""

from functools import partial

import keras

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.engine.gan import GAN
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.networks.residual import residual_discriminator, residual_generator
from ganzoo.zoo.registry import register

__all__ = ["SNGAN"]


@register("sngan")
@keras.saving.register_keras_serializable(package="ganzoo")
class SNGAN(GAN):
    """Every weight matrix of the discriminator is divided by its largest singular value, which makes it 1-Lipschitz.

    ``W / sigma(W)`` (eq. 8), sigma by one step of power iteration in each update (Algorithm 1); the hinge loss (eq. 16
    and 17).

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        latent_dim: int, length of a latent vector.
        width: int, channels at the finest level of either network.
        residual: bool, residual networks (tables 3 and 4 of the paper) instead of DCGAN's.
        discriminator_steps: int, on new images each; 5 in the paper.
        discriminator_width: int, in place of `width` for the discriminator.
        final_size: int, see `ganzoo.DCGAN`; not for residual networks.
        generator: your own network instead, a `keras.Model` or a function that returns one.
        discriminator: likewise, from images to scores; wrap its layers in `ganzoo.layers.SpectralNormalization`.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.SNGAN(image_shape=(32, 32, 3), residual=True)
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Miyato et al. 2018, arXiv:1802.05957, eq. 8, 16 and 17, Algorithm 1, tables 3 and 4; Adam 2e-4, 0, .9.

    Differs from the paper:
        kernels of 4 in all of the convolutional discriminator, where the paper alternates 3 and 4; residual networks
        begin orthogonal, and have blocks as `ganzoo.BigGAN`'s, at the size of the images.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 128,
        width: int = 64,
        residual: bool = False,
        discriminator_steps: int = 5,
        discriminator_width: int | None = None,
        final_size: int | None = None,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape, d_width = as_image_shape(image_shape), discriminator_width or width
        check_positive(discriminator_steps=discriminator_steps)
        if residual and final_size is not None:
            raise ValueError(f"`final_size` is for the networks of DCGAN. Received: {residual=}, {final_size=}")
        if residual:
            draw = partial(residual_generator, shape, None, latent_dim, width, orthogonal=0.0, spectral=False)
            judge = partial(residual_discriminator, shape, None, d_width)
        else:
            draw = partial(dcgan_generator, shape, latent_dim, width)
            judge = partial(dcgan_discriminator, shape, d_width, "spectral", final_size)
        super().__init__(generator or draw, discriminator or judge, **kwargs)
        self.discriminator_steps = discriminator_steps
        self.arguments = {"image_shape": shape, "latent_dim": latent_dim, "width": width, "residual": residual}
        self.arguments |= {"discriminator_steps": discriminator_steps, "discriminator_width": discriminator_width}
        self.arguments |= {"final_size": final_size}

    def discriminator_loss(self, real, fake, training):
        return losses.hinge_discriminator_loss(self.discriminate(real, training), self.discriminate(fake, training))

    def generator_loss(self, real, fake, training):
        return losses.hinge_generator_loss(self.discriminate(fake, training))

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.9) for player in self.players()}
