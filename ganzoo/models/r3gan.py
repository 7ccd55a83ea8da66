"""R3GAN, the modern baseline. Huang, Gokaslan, Kuleshov and Tompkin 2024, arXiv:2501.05441."""

from functools import partial

import keras
import numpy as np
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape, check_positive
from ganzoo.engine.gan import GAN
from ganzoo.networks.r3gan import r3gan_discriminator, r3gan_generator
from ganzoo.zoo.registry import register

__all__ = ["R3GAN"]


@register("r3gan")
@keras.saving.register_keras_serializable(package="ganzoo")
class R3GAN(GAN):
    """A relativistic loss of pairs, gradient penalties on real and generated images, networks without normalisation.

    The discriminator minimises ``E[softplus(-(D(x) - D(G(z))))] + gamma / 2 E[||grad D(x)||^2] + gamma / 2
    E[||grad D(G(z))||^2]`` (eq. 2, R1 and R2), the generator ``E[softplus(-(D(G(z)) - D(x)))]``: each image against one
    of the other kind, so that no mode of the data can be left out at no cost; locally, training converges.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        latent_dim: int, length of a latent vector.
        width: int, channels of the finest stage of either network; twice as many in the others.
        blocks: int, residual blocks of a stage.
        gamma: float, weight of the penalties, for the first step.
        final_gamma: float, for the last: it falls along a cosine; by default it stays.
        decay_steps: int, after how many training steps it is there; needed with `final_gamma`.
        tanh: bool, whether images end with tanh, for those with flat black or white (`ganzoo.networks.r3gan`).
        generator: your own network instead, a `keras.Model` or a function that returns one.
        discriminator: likewise, from images to logits; without normalisation over the batch.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Raises:
        ValueError: a `final_gamma` without `decay_steps`.

    Example:

        >>> model = ganzoo.R3GAN(image_shape=(28, 28, 1), width=32)
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Huang et al. 2024, arXiv:2501.05441, eq. 2, section 3 and 4, appendix (schedules).

    Differs from the paper:
        convolutions of one group (see `ganzoo.networks.r3gan`); Adam's beta_2 is .99 throughout, where it rises to that
        from .9; learning rates fall by the recipe's schedule instead of a cosine; no augmentation.
    """

    penalised = ("discriminator",)
    divided_at_zero = False

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 64,
        width: int = 64,
        blocks: int = 2,
        gamma: float = 1.0,
        final_gamma: float | None = None,
        decay_steps: int | None = None,
        tanh: bool = False,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape = as_image_shape(image_shape)
        if (final_gamma is None) != (decay_steps is None):
            raise ValueError(f"`final_gamma` and `decay_steps` go together. Received: {final_gamma=}, {decay_steps=}")
        check_positive(**({} if decay_steps is None else {"decay_steps": decay_steps}))
        super().__init__(
            generator or partial(r3gan_generator, shape, latent_dim, width, blocks, tanh=tanh),
            discriminator or partial(r3gan_discriminator, shape, width, blocks),
            **kwargs,
        )
        self.gamma, self.final_gamma, self.decay_steps = gamma, final_gamma, decay_steps
        self.arguments = {"image_shape": shape, "latent_dim": latent_dim, "width": width, "blocks": blocks}
        self.arguments |= {"gamma": gamma, "final_gamma": final_gamma, "decay_steps": decay_steps, "tanh": tanh}

    def gamma_now(self):
        """The weight of the penalties at this step."""
        if self.decay_steps is None or self.final_gamma is None:
            return self.gamma
        done = ops.cast(ops.convert_to_tensor(self.optimizer.iterations), "float32") / self.decay_steps
        left = (1 + ops.cos(np.pi * ops.minimum(done, 1.0))) / 2
        return self.final_gamma + (self.gamma - self.final_gamma) * left

    def discriminator_loss(self, real, fake, training):
        def penalty(batch):
            def on(images):
                return self.discriminate(self.with_images(batch, images), training)

            return losses.zero_centred_penalty(on, self.images_of(batch))

        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        regularised = self.gamma_now() / 2 * (penalty(real) + penalty(fake))  # R1 + R2
        return losses.relativistic_pairing_loss(real_logits, fake_logits) + regularised

    def generator_loss(self, real, fake, training):
        return losses.relativistic_pairing_loss(self.discriminate(fake, training), self.discriminate(real, training))

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.99) for player in self.players()}
