"""CGAN: images of a class that is asked for. Mirza and Osindero 2014, arXiv:1411.1784."""

from functools import partial

import keras

from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.parts import Images, Labels
from ganzoo.models.dcgan import DCGAN
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.zoo.registry import register

__all__ = ["CGAN"]


@register("cgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class CGAN(DCGAN):
    """Both networks are told the class: the game is played within each, with the losses of the game without classes.

    ``min_G max_D E[log D(x|y)] + E[log(1 - D(G(z|y)|y))]`` (eq. 2), y of the real image for the generated one too. The
    losses are DCGAN's: a loss does not mention the condition that networks take.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4, at least 16.
        num_classes: int; labels are whole numbers from 0 to num_classes - 1.
        latent_dim, width, spectral_norm, discriminator_width, final_size: as for `ganzoo.DCGAN`.
        generator: your own network instead, from inputs named "latents" and "labels" to images: a `keras.Model` or a
            function that returns one.
        discriminator: likewise, from inputs named "images" and "labels" to logits.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Raises:
        ValueError: an image_shape that the strides do not allow; networks that do not fit together.

    Example:

        >>> model = ganzoo.CGAN(image_shape=(28, 28, 1), num_classes=10)
        >>> model.fit(images, labels, batch_size=64, epochs=10)
        >>> model.generate(16, labels=3).shape                  # sixteen threes
        (16, 28, 28, 1)
        >>> model.generate(labels=[0, 1, 2]).shape              # one of each
        (3, 28, 28, 1)

    Reference:
        Mirza and Osindero 2014, arXiv:1411.1784, eq. 2 and section 3.2.

    Differs from the paper:
        DCGAN's convolutional networks instead of perceptrons with maxout, and its non-saturating loss. The class enters
        the generator as a learned vector beside the latents, the discriminator as a learned plane beside the image,
        where the paper maps both sides to hidden layers first.
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
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        image_shape = as_image_shape(image_shape)
        d_width, normalization = discriminator_width or width, "spectral" if spectral_norm else "batch"
        super().__init__(
            image_shape,
            latent_dim,
            width,
            spectral_norm,
            discriminator_width,
            final_size,
            generator or partial(dcgan_generator, image_shape, latent_dim, width, num_classes),
            discriminator or partial(dcgan_discriminator, image_shape, d_width, normalization, final_size, num_classes),
            data={"images": Images(image_shape), "labels": Labels(num_classes)},
            **kwargs,
        )
        self.arguments["num_classes"] = num_classes
