"""Age-cGAN: the same face at another age. Antipov, Baccouche and Dugelay 2017, arXiv:1702.01983."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from ganzoo.data.preprocessing import as_image_shape
from ganzoo.models.cgan import CGAN
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.networks.encoder import latent_encoder
from ganzoo.zoo.registry import register

__all__ = ["AgeCGAN"]


@register("age_cgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class AgeCGAN(CGAN):
    """A conditional GAN by age, and the way back: of a given face the latents, from which it is drawn at another age.

    ``min_G max_D E[log D(x, y)] + E[log(1 - D(G(z, y), y))]`` (section 2.1), y the age's class, one-hot. The encoder
    minimises ``|z - E(G(z, y))|^2``. A face x of age y is what is drawn from
    ``z* = argmin_z |FR(x) - FR(G(z, y))|``, begun at E(x), FR the features of a network that recognises who it is
    (section 2.2); at the age y' it is ``G(z*, y')``. What else than age and identity may be "age" and "identity", data
    and FR say: any classes, and whatever FR looks at.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        num_classes: int, classes of age; `ganzoo.data.load_ages` makes the paper's six.
        latent_dim, width, spectral_norm, discriminator_width, final_size: as for `ganzoo.DCGAN`.
        encoder_width: int, in place of `width` for the encoder, see `latent_encoder`.
        generator, discriminator: your own networks instead, as for `ganzoo.CGAN`.
        encoder: likewise, from images to latents.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> images, ages, names = ganzoo.data.load_ages("UTKFace", 64)
        >>> model = ganzoo.AgeCGAN(image_shape=(64, 64, 3))
        >>> model.fit(images, ages, batch_size=64, epochs=100)
        >>> old = model.change_age(images[:8], ages[:8], 5, embed=recognizer)      # the same eight, of 60 and more

    Reference:
        Antipov, Baccouche and Dugelay 2017, arXiv:1702.01983, sections 2.1 and 2.2.

    Differs from the paper:
        the encoder is trained beside the GAN, in each step on new images of the averaged generator, not afterwards on
        100 000 fixed ones. Kernels of 4 in G and D. Latents stay where nearly all are drawn, and each face has a search
        of its own. No network that recognises faces is bundled: without `embed` pixels are compared.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        num_classes: int = 6,
        latent_dim: int = 100,
        width: int = 64,
        spectral_norm: bool = False,
        discriminator_width: int | None = None,
        final_size: int | None = None,
        encoder_width: int | None = None,
        generator=None,
        discriminator=None,
        encoder=None,
        **kwargs,
    ):
        shape, of_encoder = as_image_shape(image_shape), encoder_width or width
        d_width, normalization = discriminator_width or width, "spectral" if spectral_norm else "batch"
        judge = partial(dcgan_discriminator, shape, d_width, normalization, final_size, num_classes, one_hot=True)
        super().__init__(
            shape,
            num_classes,
            latent_dim,
            width,
            spectral_norm,
            discriminator_width,
            final_size,
            generator or partial(dcgan_generator, shape, latent_dim, width, num_classes, one_hot=True),
            discriminator or judge,
            **kwargs,
        )
        encode = partial(latent_encoder, self.image_shape, self.latent_dim or 0, of_encoder, 4 * of_encoder)
        self.encoder = self.make_network(encoder or encode, "encoder")
        self.arguments |= {"encoder_width": encoder_width, "encoder": encoder and self.encoder}

    def players(self):
        return {"encoder": [self.encoder], **super().players()}

    def update(self, reals, training):
        latents = self.latents(ops.shape(reals[0]["images"])[0])
        given = {**reals[0], "latents": latents}
        drawn = self.without_updates(lambda: self.run(self.generator_ema, given, training=False))
        error = partial(self.encoder_loss, drawn, latents, training)
        return {"encoder": self.minimize(error, "encoder", training), **super().update(reals, training)}

    def encoder_loss(self, drawn, latents, training):
        """The mean square of what E is off, of images drawn from these latents; 1 for an E that tells nothing."""
        return ops.mean(ops.square(latents - self.encoder(drawn, training=training)))  # section 2.2

    def encode(self, images, batch_size: int = 256) -> np.ndarray:
        """float32 (n, latent_dim), E(x) of images, uint8 or float in [-1, 1], (n, height, width, channels)."""
        return self.answers(images, batch_size, self.encoder)

    def change_age(self, images, labels, to, embed: Callable[[Any], Any] | None = None, steps: int = 30) -> np.ndarray:
        """Images of the age class `to`, which keep of the given ones, of the classes `labels`, what `embed` looks at.

        Args:
            images: uint8, or float in [-1, 1], (n, height, width, channels).
            labels, to: int or int (n,).
            embed: from images, tensors in [-1, 1], to features (`ganzoo.latent.feature_distance`); None: pixels.
            steps: int, of L-BFGS.

        Returns:
            uint8 (n, height, width, channels).
        """
        from ganzoo.latent import feature_distance, project

        distance = None if embed is None else feature_distance(embed)
        found = project(
            self, images, steps=steps, distance=distance, method="lbfgs", begin=self.encode(images), labels=labels
        )
        return self.generate(latents=found.latents, labels=to)
