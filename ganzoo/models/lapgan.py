"""LAPGAN: a Laplacian pyramid of GANs. Denton, Chintala, Szlam and Fergus 2015, arXiv:1506.05751."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Labels
from ganzoo.layers import Grow, Shrink
from ganzoo.networks.lapgan import lapgan_discriminator, lapgan_generator, sizes_of
from ganzoo.zoo.registry import register

__all__ = ["LAPGAN"]


@register("lapgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class LAPGAN(GAN):
    """A small image from latents, then level by level twice the size and the residual that is missing.

    With ``l_k = u(d(I_k))``, the image halved and enlarged again, and ``h_k = I_k - l_k``, the pair of level k
    plays for residuals given ``l_k`` (section 3.2): the generator draws ``h~_k = G_k(z_k, l_k)``, and ``D_k`` tells
    ``h_k`` from ``h~_k``. Each level is trained on true ``l_k``, independently of the others; drawing is from
    coarse to fine, ``I~_k = u(I~_(k-1)) + G_k(z_k, u(I~_(k-1)))`` (eq. 5), one `generate`.

    Args:
        image_shape: (height, width, channels); height and width halve `levels` - 1 times.
        levels: int, sizes of the pyramid, at least 2.
        latent_dim: int, latents of the coarsest level; each finer one has a plane of noise, `noise1`, `noise2` ...
        width, discriminator_width: ints, channels at the finer levels of either network.
        num_classes: int, for images of a class, which every level is told: `fit(images, labels)`.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Raises:
        ValueError: sizes that do not halve so often.

    Example:

        >>> model = ganzoo.LAPGAN(image_shape=(28, 28, 1), levels=3)         # 7, 14 and 28 pixels
        >>> model.fit(images, batch_size=64, epochs=10)

    Reference:
        Denton et al. 2015, arXiv:1506.05751, section 3, eq. 5, appendix (networks).

    Differs from the paper:
        the levels learn side by side, which is the same, for they share no weight; Adam instead of SGD; spectral
        normalisation in the discriminators instead of dropout.
    """

    shaped_by = {"images": "image_shape", "labels": "num_classes"}
    augmentable = False  # the levels would move against one another
    tiny = {"image_shape": (16, 16, 1), "levels": 3, "latent_dim": 4, "width": 4}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        levels: int = 3,
        latent_dim: int = 100,
        width: int = 64,
        num_classes: int | None = None,
        discriminator_width: int | None = None,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape = as_image_shape(image_shape)
        self.sizes = sizes_of(shape, levels)
        data = {"images": Images(shape), **({"labels": Labels(num_classes)} if num_classes else {})}
        super().__init__(
            generator or partial(lapgan_generator, shape, levels, latent_dim, width, num_classes),
            discriminator or partial(lapgan_discriminator, shape, levels, discriminator_width or width, num_classes),
            data=data,
            **kwargs,
        )
        self.shrink, self.grow = Shrink(dtype="float32"), Grow(dtype="float32")
        self.arguments = {"image_shape": shape, "levels": levels, "latent_dim": latent_dim, "width": width}
        self.arguments |= {"num_classes": num_classes, "discriminator_width": discriminator_width}

    def latents(self, num):
        planes = {f"noise{i}": self.noise("normal", (num, *size, 1)) for i, size in enumerate(self.sizes[1:], 1)}
        return {"latents": self.noise("normal", (num, self.latent_dim)), **planes}

    def pyramid(self, images) -> list[tuple]:
        """(image, its coarse version enlarged) of each level, the coarsest first, which has no coarser one."""
        found: list[tuple] = []
        for _ in self.sizes[1:]:
            images, finer = self.shrink(images), images
            found.insert(0, (finer, self.grow(images)))
        return [(images, None), *found]

    def fake(self, real, training):
        """The batch with what each level draws for the true coarse images: `level0` ..., the finest as `images`."""
        drawn, given = dict(real), self.latents(ops.shape(real["images"])[0])
        told = [real["labels"]] if "labels" in real else []
        for i, (_, larger) in enumerate(self.pyramid(real["images"])):
            noise = given["latents"] if larger is None else given[f"noise{i}"]
            inputs = [noise, *([] if larger is None else [larger]), *told]
            level = self.generator.get_layer(f"level{i}")
            image = level(inputs if len(inputs) > 1 else noise, training=training)
            drawn[f"level{i}"] = ops.cast(image, "float32") + (0.0 if larger is None else larger)
        return drawn | {"images": drawn[f"level{len(self.sizes) - 1}"]}

    def judged(self, batch, images: list, training) -> list:
        """Logits of each level for its own image, beside the true coarse one."""
        told, found = [batch["labels"]] if "labels" in batch else [], []
        for i, (image, (_, larger)) in enumerate(zip(images, self.pyramid(batch["images"]))):
            given = [image, *([] if larger is None else [larger]), *told]
            level = self.discriminator.get_layer(f"level{i}")
            found.append(level(given if len(given) > 1 else given[0], training=training))
        return found

    def discriminator_loss(self, real, fake, training):
        true = [image for image, _ in self.pyramid(real["images"])]
        drawn = [fake[f"level{i}"] for i in range(len(true))]
        pairs = zip(self.judged(real, true, training), self.judged(real, drawn, training))
        return sum(losses.non_saturating_discriminator_loss(*pair) for pair in pairs)

    def generator_loss(self, real, fake, training):
        coarser = [fake[f"level{i}"] for i in range(len(self.sizes) - 1)]
        logits = self.judged(real, [*coarser, fake["images"]], training)
        return sum(map(losses.non_saturating_generator_loss, logits))
