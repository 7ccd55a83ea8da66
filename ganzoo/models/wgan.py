"""WGAN: Wasserstein GAN. Arjovsky, Chintala and Bottou 2017, arXiv:1701.07875."""

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import check_positive
from ganzoo.models.dcgan import DCGAN
from ganzoo.zoo.registry import register

__all__ = ["WGAN"]


@register("wgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class WGAN(DCGAN):
    """A critic whose weights are cut off after every step, five critic steps to one generator step.

    ``max_{w in [-c, c]} E[f_w(x)] - E[f_w(G(z))]`` (eq. 3) estimates, up to a factor, the Wasserstein distance of real
    and generated images, which the generator brings down. Minus `discriminator_loss` is that estimate.

    Args:
        image_shape, latent_dim, width, discriminator_width, final_size, generator, discriminator, **kwargs: those of
            `ganzoo.DCGAN`.
        clip: float, c: after every step each weight of the critic is brought back to [-c, c].
        discriminator_steps: int, n_critic, each on new real images.

    Raises:
        ValueError: a `clip` that is not positive.

    Example:

        >>> model = ganzoo.WGAN(image_shape=(28, 28, 1))
        >>> model.fit(images, batch_size=64, epochs=10)          # a step takes 5 x 64 images

    Reference:
        Arjovsky et al. 2017, arXiv:1701.07875, eq. 2 and 3, Algorithm 1 (c .01, n_critic 5, RMSprop 5e-5).

    Differs from the paper:
        the networks are DCGAN's at the size of the images; the generator's weights are also averaged.
    """

    divided_at_zero = False

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 100,
        width: int = 64,
        clip: float = 0.01,
        discriminator_steps: int = 5,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, width, **kwargs)
        check_positive(discriminator_steps=discriminator_steps)
        if not clip > 0:
            raise ValueError(f"`clip` must be positive. Received: clip={clip!r}")
        self.clip, self.discriminator_steps = float(clip), int(discriminator_steps)
        self.arguments |= {"clip": clip, "discriminator_steps": discriminator_steps}

    def update_discriminator(self, real, training):
        loss = super().update_discriminator(real, training)
        if training:
            for weight in self.trainable_variables_of("discriminator"):
                weight.assign(ops.clip(weight, -self.clip, self.clip))  # line 7, after the step
        return loss

    def discriminator_loss(self, real, fake, training):
        return losses.wasserstein_discriminator_loss(
            self.discriminate(real, training), self.discriminate(fake, training)
        )

    def generator_loss(self, real, fake, training):
        return losses.wasserstein_generator_loss(self.discriminate(fake, training))

    def default_optimizers(self):
        return {player: keras.optimizers.RMSprop(5e-5) for player in self.players()}
