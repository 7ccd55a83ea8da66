"""InfoGAN: latent codes that come to mean something without a label. Chen et al. 2016, arXiv:1606.03657."""

from functools import partial

import keras
import numpy as np
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.networks.infogan import infogan_discriminator, infogan_generator
from ganzoo.zoo.registry import register

__all__ = ["InfoGAN"]


@register("infogan")
@keras.saving.register_keras_serializable(package="ganzoo")
class InfoGAN(GAN):
    """Of the latents some are codes, and the image must tell them: what they change becomes visible, and sorted.

    ``min_{G,Q} max_D V(D, G) - lambda L_I(G, Q)`` (eq. 6), where ``L_I = E[log Q(c|G(z, c))] + H(c)`` (eq. 5) is a
    lower bound of the mutual information of code and image. Q shares all convolutions with D.

    The generator's inputs are ``latents`` (from U(-1, 1)), ``category`` (one-hot, float32 (batch, categories)) and
    ``codes`` (float32 (batch, num_codes), from U(-1, 1)); each is drawn unless `generate` is given it. Latents of a
    larger variance drown the category, and come to say what it should.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        categories: int, values of the categorical code.
        num_codes: int, continuous codes.
        latent_dim, width, discriminator_width: as for `ganzoo.DCGAN`.
        units: int, of the fully connected layer of the generator, and of that which D and Q share.
        hidden: int, units of Q's own layer.
        category_weight, code_weight: floats, lambda for the categorical and for the continuous codes.
        generator: your own network instead, from "latents", "category" and "codes" to images.
        discriminator: likewise, from images to a list: logits, logits of the categories, means of the codes.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.InfoGAN(image_shape=(28, 28, 1), categories=10, num_codes=2)
        >>> model.fit(images, batch_size=128, epochs=11)
        >>> ten = model.generate(10, category=np.eye(10))
        >>> found = model.codes_of(images)                     # {"category": (n, 10), "codes": (n, 2)}

    Reference:
        Chen et al. 2016, arXiv:1606.03657, eq. 5 and 6, sections 6 and appendix C.1.

    Differs from the paper:
        Q gives the mean of a continuous code, whose likelihood is a Gaussian of fixed variance 1, as in the authors'
        code for this data. Weights begin as DCGAN's.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...] = (28, 28, 1),
        categories: int = 10,
        num_codes: int = 2,
        latent_dim: int = 62,
        width: int = 64,
        discriminator_width: int | None = None,
        units: int = 1024,
        hidden: int = 128,
        category_weight: float = 1.0,
        code_weight: float = 0.1,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        codes = {"category": categories, "codes": num_codes}
        d_width = discriminator_width or width
        super().__init__(
            generator or partial(infogan_generator, image_shape, latent_dim, codes, width, units),
            discriminator or partial(infogan_discriminator, image_shape, codes, d_width, units, hidden),
            **kwargs,
        )
        self.categories, self.num_codes = categories, num_codes
        self.category_weight, self.code_weight = float(category_weight), float(code_weight)
        self.arguments = {"image_shape": image_shape, "categories": categories, "num_codes": num_codes}
        self.arguments |= {"latent_dim": latent_dim, "width": width, "discriminator_width": discriminator_width}
        self.arguments |= {"units": units, "hidden": hidden}
        self.arguments |= {"category_weight": category_weight, "code_weight": code_weight}

    def latents(self, num):
        drawn = ops.floor(self.noise("uniform", (num,)) * self.categories)  # below 1: never the number itself
        return {
            "latents": 2 * self.noise("uniform", (num, self.latent_dim)) - 1,
            "category": ops.one_hot(ops.cast(drawn, "int32"), self.categories, dtype="float32"),
            "codes": 2 * self.noise("uniform", (num, self.num_codes)) - 1,
        }

    def information_loss(self, fake, category, codes):
        """-lambda L_I, but for the constant entropy of the codes (eq. 5)."""
        gaussian = ops.mean(ops.sum(ops.square(fake["codes"] - codes), axis=-1)) / 2  # -log N(c; mean, 1)
        return self.category_weight * losses.code_loss(category, fake["category"]) + self.code_weight * gaussian

    def discriminator_loss(self, real, fake, training):
        real_logits, *_ = self.discriminate(real, training)
        fake_logits, category, codes = self.discriminate(fake, training)
        adversarial = losses.non_saturating_discriminator_loss(real_logits, fake_logits)
        return adversarial + self.information_loss(fake, category, codes)  # eq. 6: D and Q are one network here

    def generator_loss(self, real, fake, training):
        logits, category, codes = self.discriminate(fake, training)
        return losses.non_saturating_generator_loss(logits) + self.information_loss(fake, category, codes)

    def codes_of(self, images, batch_size: int = 256) -> dict[str, np.ndarray]:
        """What Q reads from images.

        Args:
            images: uint8, or float in [-1, 1], (n, height, width, channels).
            batch_size: int.

        Returns:
            "category": float32 (n, categories), probabilities; "codes": float32 (n, num_codes), means.
        """
        _, category, codes = self.answers(images, batch_size)
        return {"category": ops.convert_to_numpy(ops.softmax(category)), "codes": codes}
