"""BigGAN: a class-conditional generator that is told the class, and new latents, in every block. Brock et al. 2018."""

import math
from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Labels
from ganzoo.networks.making import standing_statistics
from ganzoo.networks.residual import residual_discriminator, residual_generator
from ganzoo.zoo.registry import register

__all__ = ["BigGAN"]


@register("biggan")
@keras.saving.register_keras_serializable(package="ganzoo")
class BigGAN(GAN):
    """Residual networks under the hinge loss; truncated latents trade variety for fidelity.

    A class has one vector for all blocks, and each block sets scale and shift of its BatchNorms from that vector and a
    part of the latents of its own. Every kernel is spectrally normalised, orthogonal at first, and in the generator
    kept near orthogonal: ``R(W) = beta |W^T W o (1 - I)|_F^2`` (eq. 3).

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        num_classes: int; labels are whole numbers from 0 to num_classes - 1.
        latent_dim: int, split evenly between the first layer and the blocks.
        width: int, channels of the finest level of either network.
        discriminator_width: int, in place of `width` for the discriminator.
        shared: int, length of the vector of a class.
        orthogonal: float, beta of eq. 3.
        discriminator_steps: int, updates of the discriminator before each of the generator, each on new images.
        generator: your own network instead, from inputs named "latents" and "labels" to images.
        discriminator: likewise, from inputs named "images" and "labels" to logits.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.BigGAN(image_shape=(32, 32, 3), num_classes=10)
        >>> model.fit(images, labels, batch_size=64, epochs=10)
        >>> model.standing_statistics(truncation=0.5)
        >>> model.generate(16, labels=3, truncation=0.5).shape
        (16, 32, 32, 3)

    Reference:
        Brock, Donahue and Simonyan 2018, arXiv:1809.11096, eq. 3, section 3.1 (truncation), appendices B and C.

    Differs from the paper:
        the network of small images, without attention; channels double with each halving; batches are what one likes.
        Its average ramps up from the first step, where the paper's begins after 20 000.
    """

    shaped_by = {"images": "image_shape", "labels": "num_classes"}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (32, 32, 3),
        num_classes: int = 10,
        latent_dim: int = 80,
        width: int = 64,
        discriminator_width: int | None = None,
        shared: int = 128,
        orthogonal: float = 1e-4,
        discriminator_steps: int = 2,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        draw = partial(residual_generator, image_shape, num_classes, latent_dim, width, shared, orthogonal)
        judge = partial(residual_discriminator, image_shape, num_classes, discriminator_width or width)
        data = {"images": Images(image_shape), "labels": Labels(num_classes)}
        super().__init__(generator or draw, discriminator or judge, data=data, **kwargs)
        self.discriminator_steps = discriminator_steps
        self.arguments = {"image_shape": image_shape, "num_classes": num_classes, "latent_dim": latent_dim}
        self.arguments |= {"width": width, "discriminator_width": discriminator_width, "shared": shared}
        self.arguments |= {"orthogonal": orthogonal, "discriminator_steps": discriminator_steps}

    def latents(self, num, truncation=None):
        """N(0, 1), or of it what lies within `truncation` of 0 (section 3.1), by the inverse of its distribution."""
        if truncation is None:
            return self.noise("normal", (num, self.latent_dim))
        within = math.erf(truncation / math.sqrt(2))  # the part of N(0, 1) that does
        uniform = 2 * self.noise("uniform", (num, self.latent_dim)) - 1
        return math.sqrt(2) * ops.erfinv(ops.clip(within * uniform, -1 + 1e-7, 1 - 1e-7))

    def standing_statistics(
        self, truncation: float | None = None, num: int = 4096, batch_size: int = 256, seed: int = 0
    ):
        """Takes the averaged generator's BatchNorm statistics anew, of images drawn as they shall be (appendix C).

        Args:
            truncation: float, that of the images to come; None for latents as in training.
            num: int, images that the statistics are taken of.
            batch_size: int.
            seed: int.
        """
        told = {} if truncation is None else {"truncation": truncation}

        def latents(count, index):
            return self.seeded_latents(count, seed=seed + index, **told)

        standing_statistics(self.generator_ema, self.arguments["num_classes"], latents, num, batch_size)

    def discriminator_loss(self, real, fake, training):
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.hinge_discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, real, fake, training):
        return losses.hinge_generator_loss(self.discriminate(fake, training))

    def default_optimizers(self):
        adam = partial(keras.optimizers.Adam, beta_1=0.0, beta_2=0.999, epsilon=1e-6)  # appendix C
        return {"discriminator": adam(2e-4), "generator": adam(2e-4)}
