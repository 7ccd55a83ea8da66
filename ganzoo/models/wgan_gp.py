"""WGAN-GP: Wasserstein GAN with gradient penalty. Gulrajani et al. 2017, arXiv:1704.00028."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.engine.gan import GAN
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.zoo.registry import register

__all__ = ["WGANGP"]


@register("wgan_gp")
@keras.saving.register_keras_serializable(package="ganzoo")
class WGANGP(GAN):
    """A critic kept close to 1-Lipschitz by a penalty on its gradient, five critic steps to one generator step.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        latent_dim: int, length of a latent vector.
        width: int, channels at the finest level of either network.
        penalty_weight: float, lambda of eq. 3.
        discriminator_steps: int, n_critic of Algorithm 1, each on new real images.
        discriminator_width: int, in place of `width` for the discriminator.
        final_size: int, the discriminator halves until height and width are at most that, odd ones rounded up. By
            default as long as both are even and at least 8: 28x28 ends with 7x7, and with 4x4 where this is 4.
        generator: your own network instead, a `keras.Model` or a function that returns one.
        discriminator: likewise, from images to scores; without BatchNorm, which would tie the gradients of the images
            in a batch to one another (section 4 of the paper).
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Raises:
        ValueError: an image_shape that the strides do not allow; networks that do not fit together.

    Example:

        >>> model = ganzoo.WGANGP(image_shape=(28, 28, 1))
        >>> model.fit(images, batch_size=64, epochs=10)      # a step takes 5 x 64 images

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, eq. 3 and Algorithm 1 (lambda 10, n_critic 5, Adam 1e-4, 0, .9).

    Differs from the paper:
        the generator's weights are also averaged; the networks are DCGAN's at the size of the images.
    """

    penalised = ("discriminator",)
    divided_at_zero = False

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 128,
        width: int = 64,
        penalty_weight: float = 10.0,
        discriminator_steps: int = 5,
        discriminator_width: int | None = None,
        final_size: int | None = None,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        check_positive(discriminator_steps=discriminator_steps)
        super().__init__(
            generator or partial(dcgan_generator, image_shape, latent_dim, width),
            discriminator or partial(dcgan_discriminator, image_shape, discriminator_width or width, None, final_size),
            **kwargs,
        )
        self.penalty_weight, self.discriminator_steps = penalty_weight, discriminator_steps
        self.arguments = {
            "image_shape": image_shape,
            "latent_dim": latent_dim,
            "width": width,
            "penalty_weight": penalty_weight,
            "discriminator_steps": discriminator_steps,
            "discriminator_width": discriminator_width,
            "final_size": final_size,
        }

    def discriminator_loss(self, real, fake, training):
        critic = partial(self.discriminate, training=training)
        x, drawn = self.images_of(real), self.images_of(fake)
        alpha = self.noise("uniform", (ops.shape(x)[0], *(1 for _ in self.image_shape)))  # one number per image
        penalty = losses.gradient_penalty(lambda points: critic(self.with_images(real, points)), x, drawn, alpha)
        distance = losses.wasserstein_discriminator_loss(critic(real), critic(fake))
        return distance + self.penalty_weight * penalty  # eq. 3

    def generator_loss(self, real, fake, training):
        return losses.wasserstein_generator_loss(self.discriminate(fake, training))

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9) for player in self.players()}
