"""DRAGAN: a gradient penalty around the real images. Kodali et al. 2017, arXiv:1705.07215."""

import keras
from keras import ops

from ganzoo import losses
from ganzoo.models.dcgan import DCGAN
from ganzoo.zoo.registry import register

__all__ = ["DRAGAN"]


@register("dragan")
@keras.saving.register_keras_serializable(package="ganzoo")
class DRAGAN(DCGAN):
    """The non-saturating loss, and a discriminator whose gradient has norm 1 in the neighbourhood of real images.

    ``lambda E_{x, d ~ N(0, c I)}[(||grad D(x + d)|| - 1)^2]`` (eq. 1) is added to the discriminator's loss: sharp peaks
    at the real images, to which modes collapse, are smoothed away.

    Args:
        image_shape, latent_dim, width, spectral_norm, discriminator_width, final_size, generator, discriminator,
            **kwargs: those of `ganzoo.DCGAN`; the discriminator has no BatchNorm, which would tie the gradients of
            a batch to one another.
        penalty_weight: float, lambda.
        noise_scale: float, the root of c in standard deviations of the batch's pixels.

    Example:

        >>> model = ganzoo.DRAGAN(image_shape=(28, 28, 1))
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Kodali et al. 2017, arXiv:1705.07215, eq. 1 and Algorithm 1 (lambda 10, k 1).

    Differs from the paper:
        d is Gaussian, as in eq. 1, where the authors' code draws half a standard deviation times a uniform number; the
        gradient is that of the logit, not of its sigmoid; no BatchNorm in the discriminator.
    """

    normalization = None
    penalised = ("discriminator",)

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 100,
        width: int = 64,
        penalty_weight: float = 10.0,
        noise_scale: float = 0.5,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, width, **kwargs)
        self.penalty_weight, self.noise_scale = float(penalty_weight), float(noise_scale)
        self.arguments |= {"penalty_weight": penalty_weight, "noise_scale": noise_scale}

    def discriminator_loss(self, real, fake, training):
        x = self.images_of(real)
        moved = x + self.noise_scale * ops.std(x) * self.noise("normal", ops.shape(x))

        def on(points):
            return self.discriminate(self.with_images(real, points), training)

        return super().discriminator_loss(real, fake, training) + self.penalty_weight * losses.norm_penalty(on, moved)
