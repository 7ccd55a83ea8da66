"""SRGAN: small images to large ones. Ledig et al. 2017, arXiv:1609.04802; without an adversary, its SRResNet."""

from functools import partial
from typing import Any

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.layers import turned
from ganzoo.layers.enlargement import reduced
from ganzoo.networks.patchgan import patchgan_discriminator
from ganzoo.networks.srresnet import srresnet_generator
from ganzoo.zoo import perceptual as bundled
from ganzoo.zoo.registry import register

__all__ = ["SRGAN"]


@register("srgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class SRGAN(GAN):
    """A residual network draws what bicubic enlargement lacks; features of a frozen network say what looks alike.

    With a photograph y and its bicubic reduction x, the generator minimises (eq. 3, 4, 5, 6)
    ``pixel_weight E|y - G(x)|^2 + perceptual_weight E|phi(y) - phi(G(x))|^2 - adversarial_weight E[log D(G(x))]``,
    and D ``-E[log D(y)] - E[log(1 - D(G(x)))]`` (eq. 2). SRResNet is the first term alone: training begins with it.

    Args:
        image_shape: (height, width, channels) of photographs in training, height and width multiples of `factor`.
        factor: 2, 4 or 8. width, blocks, up_width: ints, see `ganzoo.networks.srresnet`.
        discriminator_width, discriminator_layers: ints, see `ganzoo.networks.patchgan`.
        pixel_weight, perceptual_weight, adversarial_weight: floats; with 0 for the last, G alone is trained.
        perceptual: the network phi: a bundled one's name, a `keras.Model` of your own, or None, for pixels alone.
        perceptual_layers: names of its layers; the squared errors of their features are added.
        **kwargs: ``generator``, ``discriminator`` of your own; see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> first = ganzoo.SRGAN((96, 96, 3), perceptual=None, pixel_weight=1.0, adversarial_weight=0.0)    # SRResNet
        >>> first.fit(crops, batch_size=16, epochs=20)                 # ganzoo.data.load_crops("photographs", 96)
        >>> second = ganzoo.SRGAN((96, 96, 3), generator=first.generator)
        >>> second.fit(crops, batch_size=16, epochs=10)
        >>> large = ganzoo.interpolate_weights(first, second, 0.8).generate(source=small)      # of any size

    Reference: Ledig et al. 2017, arXiv:1609.04802, section 2; sections 2.1.1 and 3.2 for the frozen VGG and weights.
    Differs from the paper: the generator's differences (`srresnet_generator`); phi is a small network of ours, not VGG,
        with weights of its own; D judges patches, with spectral normalisation and no dense layer; crops are turned and
        mirrored; reductions are rounded to grey levels, as files are; G is averaged.
    """

    shaped_by, augmentable = {"target": "image_shape"}, False  # images belong to their sources
    tiny = {"image_shape": (16, 16, 1), "width": 4, "blocks": 1, "perceptual": None, "discriminator_layers": 2}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (96, 96, 3),
        factor: int = 4,
        width: int = 64,
        blocks: int = 16,
        up_width: int | None = None,
        discriminator_width: int | None = None,
        discriminator_layers: int = 3,
        pixel_weight: float | None = None,
        perceptual_weight: float = 0.05,
        adversarial_weight: float = 1e-3,
        perceptual: str | keras.Model | None = "cifar10",
        perceptual_layers: tuple[str, ...] = ("relu2_2", "relu4_2"),
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape = as_image_shape(image_shape)
        drawing: Any = {"factor": factor, "width": width, "blocks": blocks, "up_width": up_width}
        judging: Any = {"width": discriminator_width or width, "num_layers": discriminator_layers}
        small = Images((shape[0] // factor, shape[1] // factor, shape[2]), derived=True)
        super().__init__(
            generator or partial(srresnet_generator, shape[2], **drawing),
            discriminator or partial(patchgan_discriminator, {"target": shape}, normalization="spectral", **judging),
            data={"source": small, "target": Images(shape, multiple=factor, cropped=True)},
            **kwargs,
        )
        self.arguments = {"image_shape": shape, **drawing, "discriminator_width": discriminator_width}
        self.arguments |= {"discriminator_layers": discriminator_layers, "pixel_weight": pixel_weight}
        self.arguments |= {"perceptual_weight": perceptual_weight, "adversarial_weight": adversarial_weight}
        self.arguments |= {"perceptual": perceptual, "perceptual_layers": tuple(perceptual_layers)}
        self.factor, self.adversarial_weight, self.perceptual_weight = factor, adversarial_weight, perceptual_weight
        self.pixel_weight = float(perceptual is None) if pixel_weight is None else pixel_weight
        self.perceptual = perceptual  # one's own network is saved with the model, of a bundled one its name
        self.features = None if perceptual is None else bundled.features(perceptual, perceptual_layers, shape[2])
        self.evaluation_metrics = (*(GAN.evaluation_metrics if adversarial_weight else ()), "psnr")

    def players(self):
        players = super().players()
        return players if self.adversarial_weight else {"generator": players["generator"]}

    def prepare(self, real, training):
        batch = turned(real, partial(self.noise, "uniform")) if training else real
        return {"source": reduced(batch["target"], self.factor), **batch}

    def update(self, reals, training):
        if self.adversarial_weight:
            return super().update(reals, training)
        loss = lambda: self.generator_loss(reals[-1], self.fake(reals[-1], training), training)  # noqa: E731
        return {"generator": self.minimize(loss, "generator", training)}

    def discriminator_loss(self, real, fake, training):
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits)  # eq. 2

    def generator_loss(self, real, fake, training):
        loss = self.pixel_weight * ops.mean(ops.square(real["target"] - fake["target"]))  # eq. 4
        if self.features is not None:
            loss += self.perceptual_weight * losses.perceptual_loss(self.features, real["target"], fake["target"])  # 5
        if self.adversarial_weight:
            loss += self.adversarial_weight * losses.non_saturating_generator_loss(self.discriminate(fake, training))
        return loss

    def evaluate_batch(self, real):
        errors = ops.square(real["target"] - self.fake(real, training=False)["target"])
        psnr = ops.mean(10.0 * ops.log10(4.0 / (ops.mean(errors, axis=(1, 2, 3)) + 1e-10)))
        return {**(super().evaluate_batch(real) if self.adversarial_weight else {}), "psnr": psnr}
