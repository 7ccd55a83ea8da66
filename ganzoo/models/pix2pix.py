"""Pix2Pix: images to images, learned from pairs. Isola et al. 2017, arXiv:1611.07004."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.layers import SwitchedDropout, jitter
from ganzoo.networks.patchgan import patchgan_discriminator
from ganzoo.networks.unet import unet_generator
from ganzoo.zoo.registry import register

__all__ = ["Pix2Pix"]


@register("pix2pix")
@keras.saving.register_keras_serializable(package="ganzoo")
class Pix2Pix(GAN):
    """A U-Net draws the target of a source; a discriminator of patches sees both, and L1 keeps the drawing near.

    ``arg min_G max_D E[log D(x, y)] + E[log(1 - D(x, G(x)))] + lambda E[|y - G(x)|]`` (eq. 4).

    Args:
        source_shape, target_shape: (height, width, channels); one size, multiples of 32 and at least 64.
        width: int, channels of the first layer of either network.
        max_width: int, the most channels of a layer of the generator; by default 8 * width.
        discriminator_width: int, in place of `width` for the discriminator.
        l1_weight: float, lambda of eq. 4.
        enlarge: float, pairs are enlarged so many times in training, and cut back to size at random; 1: not.
        flip: bool, whether half of the pairs are mirrored in training.
        dropout: float in [0, 1), in three layers of the decoder: the only noise of the generator.
        dropout_at_test: bool, also an attribute to be set: whether dropout stays on in `generate`, as in the paper, so
            that each seed draws another image of a source.
        generator: your own network instead, from an input named "source" to images.
        discriminator: likewise, from inputs named "source" and "target" to logits.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.Pix2Pix(source_shape=(128, 128, 1), target_shape=(128, 128, 3))
        >>> model.fit(ganzoo.data.edges(pictures), pictures, batch_size=1, epochs=100)
        >>> drawn = model.generate(source=drawings)            # uint8 (n, 128, 128, 3)

    Reference:
        Isola et al. 2017, arXiv:1611.07004, eq. 4, section 3, appendix 6 (lambda 100, batches of 1, Adam 2e-4, .5).

    Differs from the paper:
        instance normalisation, for batches of one image the same as its batch normalisation, and the same in exported
        files. Jitter enlarges the images that are given, where the paper shrinks larger ones. G is averaged.
    """

    evaluation_metrics = (*GAN.evaluation_metrics, "l1")
    shaped_by = {"source": "source_shape", "target": "target_shape"}
    tiny = {"source_shape": (64, 64, 1), "target_shape": (64, 64, 3), "width": 2, "max_width": 4}
    tiny_sizes = ((64, 64), (96, 64))

    def __init__(
        self,
        source_shape: tuple[int, ...] = (256, 256, 3),
        target_shape: tuple[int, ...] = (256, 256, 3),
        width: int = 64,
        max_width: int | None = None,
        discriminator_width: int | None = None,
        l1_weight: float = 100.0,
        enlarge: float = 143 / 128,
        flip: bool = True,
        dropout: float = 0.5,
        dropout_at_test: bool = True,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        source_shape, target_shape = as_image_shape(source_shape), as_image_shape(target_shape)
        shapes = {"source": source_shape, "target": target_shape}
        draw = partial(unet_generator, source_shape, target_shape[-1], width, dropout, "instance", max_width)
        super().__init__(
            generator or draw,
            discriminator or partial(patchgan_discriminator, shapes, discriminator_width or width),  # of one size
            data={name: Images(shape) for name, shape in shapes.items()},
            **kwargs,
        )
        self.l1_weight, self.enlarge, self.flip = float(l1_weight), enlarge, flip
        self.arguments = {"source_shape": source_shape, "target_shape": target_shape, "width": width, "flip": flip}
        self.arguments |= {"max_width": max_width, "discriminator_width": discriminator_width, "dropout": dropout}
        self.arguments |= {"l1_weight": l1_weight, "enlarge": enlarge}
        self.dropout_at_test = dropout_at_test

    @property
    def dropout_at_test(self) -> bool:
        """Whether dropout stays on in `generate`, `predict` and `evaluate`."""
        return self.arguments.get("dropout_at_test", True)  # asked before the constructor has set it

    @dropout_at_test.setter
    def dropout_at_test(self, kept_on: bool):
        self.arguments["dropout_at_test"] = bool(kept_on)
        for network in (self.generator, self.generator_ema):
            SwitchedDropout.switch(network, kept_on)
        self.predict_function = self.test_function = None  # compiled with the switch as it was

    def prepare(self, real, training):
        noise = partial(self.noise, "uniform")
        return jitter(real, noise, self.enlarge, self.flip) if training else real  # appendix 6.2

    def discriminator_loss(self, real, fake, training):
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits) / 2  # section 3.3: D learns slower

    def generator_loss(self, real, fake, training):
        adversarial = losses.non_saturating_generator_loss(self.discriminate(fake, training))
        return adversarial + self.l1_weight * self.l1(real, fake)  # eq. 4

    def l1(self, real, fake):
        return ops.mean(ops.abs(real["target"] - fake["target"]))  # eq. 3, in units of [-1, 1]

    def evaluate_batch(self, real):
        return {**super().evaluate_batch(real), "l1": self.l1(real, self.fake(real, training=False))}
