"""AC-GAN: a discriminator that also names the class. Odena, Olah and Shlens 2016, arXiv:1610.09585."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Labels
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.zoo.registry import register

__all__ = ["ACGAN"]


@register("acgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class ACGAN(GAN):
    """The generator is told a class; the discriminator is not, and has to name it besides telling real from generated.

    ``L_S = E[log P(real|x)] + E[log P(generated|G(z, c))]`` (eq. 2) and ``L_C = E[log P(c|x)] + E[log P(c|G(z, c))]``
    (eq. 3): D is trained to maximise ``L_S + L_C``, G to maximise ``L_C - L_S``, in its non-saturating form.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        num_classes: int; labels are whole numbers from 0 to num_classes - 1.
        latent_dim, width, spectral_norm, discriminator_width, final_size: as for `ganzoo.DCGAN`.
        class_weight: float, what L_C weighs beside L_S.
        generator: your own network instead, from inputs named "latents" and "labels" to images.
        discriminator: likewise, from images to a list of two: logits, and num_classes class logits.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.ACGAN(image_shape=(28, 28, 1), num_classes=10)
        >>> model.fit(images, labels, batch_size=64, epochs=10)
        >>> model.generate(16, labels=3).shape
        (16, 28, 28, 1)

    Reference:
        Odena et al. 2016, arXiv:1610.09585, eq. 2 and 3, section 3.

    Differs from the paper:
        DCGAN's networks instead of its own with dropout; the generator learns a vector for each class. Classes of
        generated images are drawn anew, each as likely, as in the paper; those of the real images are the data's.
    """

    shaped_by = {"images": "image_shape", "labels": "num_classes"}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (28, 28, 1),
        num_classes: int = 10,
        latent_dim: int = 100,
        width: int = 64,
        spectral_norm: bool = False,
        discriminator_width: int | None = None,
        final_size: int | None = None,
        class_weight: float = 1.0,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        d_width, normalization = discriminator_width or width, "spectral" if spectral_norm else "batch"
        heads = {"classes": num_classes}
        judge = partial(dcgan_discriminator, image_shape, d_width, normalization, final_size, heads=heads)
        super().__init__(
            generator or partial(dcgan_generator, image_shape, latent_dim, width, num_classes),
            discriminator or judge,
            data={"images": Images(image_shape), "labels": Labels(num_classes)},
            **kwargs,
        )
        self.class_weight = float(class_weight)
        self.arguments = {"image_shape": image_shape, "num_classes": num_classes, "latent_dim": latent_dim}
        self.arguments |= {"width": width, "spectral_norm": spectral_norm, "final_size": final_size}
        self.arguments |= {"discriminator_width": discriminator_width, "class_weight": class_weight}

    def fake(self, real, training):
        if training:  # of classes drawn anew; in `evaluate` of the real ones'
            classes = self.data["labels"].num_classes
            draws = self.noise("uniform", (ops.shape(real["labels"])[0],))
            real = {**real, "labels": ops.cast(ops.floor(draws * classes), "int32")}  # draws lie below 1
        return super().fake(real, training)

    def discriminator_loss(self, real, fake, training):
        real_logits, real_classes = self.discriminate(real, training)
        fake_logits, fake_classes = self.discriminate(fake, training)
        named = losses.class_loss(real_classes, real["labels"]) + losses.class_loss(fake_classes, fake["labels"])
        adversarial = losses.non_saturating_discriminator_loss(real_logits, fake_logits)
        return adversarial + self.class_weight * named  # -(L_S + L_C)

    def generator_loss(self, real, fake, training):
        logits, classes = self.discriminate(fake, training)
        named = losses.class_loss(classes, fake["labels"])
        return losses.non_saturating_generator_loss(logits) + self.class_weight * named  # -(L_C - L_S)
