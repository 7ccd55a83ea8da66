"""The GAN with R1 regularisation. Mescheder, Geiger and Nowozin 2018, arXiv:1801.04406."""

import keras

from ganzoo import losses
from ganzoo.data.preprocessing import check_positive
from ganzoo.engine.phases import every
from ganzoo.models.dcgan import DCGAN
from ganzoo.zoo.registry import register

__all__ = ["R1GAN"]


@register("r1")
@keras.saving.register_keras_serializable(package="ganzoo")
class R1GAN(DCGAN):
    """The non-saturating loss, and a discriminator that is to be flat at the real images.

    ``R1 = gamma / 2 E[||grad D(x)||^2]`` over real images (eq. 9) is added to the discriminator's loss: at equilibrium
    it has no reason to push the generator away, so that training converges locally.

    Args:
        image_shape, latent_dim, width, spectral_norm, discriminator_width, final_size, generator, discriminator,
        **kwargs: those of `ganzoo.DCGAN`; the discriminator has no normalisation.
        gamma: float; scales with what a pixel's change means: 10 in the paper, less for small images.
        penalty_every: int, the penalty is computed in every so many steps only, so many times as strong ("lazy", Karras
            et al. 2019, arXiv:1912.04958, appendix B); in `evaluate` always.

    Example:

        >>> model = ganzoo.R1GAN(image_shape=(28, 28, 1), gamma=1.0)
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Mescheder et al. 2018, arXiv:1801.04406, eq. 9, section 4.1.

    Differs from the paper:
        the networks are DCGAN's without BatchNorm in the discriminator; Adam instead of RMSprop.
    """

    normalization = None
    penalised = ("discriminator",)

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        latent_dim: int = 100,
        width: int = 64,
        gamma: float = 10.0,
        penalty_every: int = 1,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, width, **kwargs)
        check_positive(penalty_every=penalty_every)
        self.gamma, self.penalty_every = float(gamma), int(penalty_every)
        self.arguments |= {"gamma": gamma, "penalty_every": penalty_every}

    def discriminator_loss(self, real, fake, training):
        def on(points):
            return self.discriminate(self.with_images(real, points), training)

        def r1():
            return self.gamma / 2 * losses.zero_centred_penalty(on, self.images_of(real))

        interval = self.penalty_every if training else 1
        penalty = every(interval, self.optimizer.iterations, lambda: interval * r1())
        return super().discriminator_loss(real, fake, training) + penalty

    def default_optimizers(self):
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.99) for player in self.players()}
