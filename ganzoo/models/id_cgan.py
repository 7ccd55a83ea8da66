"""ID-CGAN: rain is taken out of photographs. Zhang, Sindagi and Patel 2017, arXiv:1701.05957."""

from functools import partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.layers import jitter, random_crop
from ganzoo.networks.id_cgan import id_cgan_generator
from ganzoo.networks.patchgan import patchgan_discriminator
from ganzoo.zoo import perceptual
from ganzoo.zoo.registry import register

__all__ = ["IDCGAN"]


@register("id_cgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class IDCGAN(GAN):
    """A rainy photograph x to a clean one y: near it in pixels and in features, and not to be told from a clean one.

    G minimises ``L_E + lambda_a L_A + lambda_p L_P``: ``L_E = E[|y - G(x)|^2]``, ``L_A = E[-log D(x, G(x))]``,
    ``L_P = E[|V(y) - V(G(x))|^2]`` with features V of a frozen network, all of them means, of images in [-1, 1]. D, of
    patches, maximises ``E[log D(x, y)] + E[log(1 - D(x, G(x)))]``. Pairs of other faults are learned as those of rain.

    Args:
        image_shape: (height, width, channels) of the pairs.
        crop, crops: ints; training sees so many square windows of each pair, of that side. None: whole images.
        flip: bool, whether half of them are mirrored.
        width, residual: see `ganzoo.networks.id_cgan.id_cgan_generator`.
        discriminator_width, discriminator_layers: ints, see `ganzoo.networks.patchgan.patchgan_discriminator`.
        adversarial_weight, perceptual_weight: floats, lambda_a and lambda_p; with 0 for the first, the generator alone
            is trained, and with 0 for the second no features are computed.
        features, layer: V, a bundled network (`ganzoo.zoo.perceptual`) or your own, and the name of its layer.
        generator, discriminator: your own, the one from "source" to images, the other from "source" and "target".
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> model = ganzoo.IDCGAN(image_shape=(256, 256, 3))
        >>> model.fit(rainy, clean, batch_size=2, epochs=200)
        >>> dry = model.generate(source=photographs)           # of any height and width

    Reference: Zhang, Sindagi and Patel 2017, arXiv:1701.05957 (lambda_a .0066, lambda_p 1); networks of its code.
    Differs from the paper: G predicts what is added to x (`residual`); V is a small network of ours, not VGG-16, and
        lambda_p is set for it; D gives logits; training sees windows of the images; G is averaged.
    """

    evaluation_metrics = (*GAN.evaluation_metrics, "psnr")
    shaped_by = {"source": "image_shape", "target": "image_shape"}
    augmentable = False  # images belong to their sources
    tiny = {"image_shape": (24, 24, 3), "crop": 20, "width": 4, "discriminator_width": 2, "perceptual_weight": 0}
    tiny_sizes = ((24, 24), (32, 48), (20, 64))

    def __init__(
        self,
        image_shape: tuple[int, ...] = (256, 256, 3),
        crop: int | None = 64,
        crops: int = 4,
        flip: bool = True,
        width: int = 64,
        residual: bool = True,
        discriminator_width: int = 48,
        discriminator_layers: int = 3,
        adversarial_weight: float = 6.6e-3,
        perceptual_weight: float = 0.04,
        features: str | keras.Model = "cifar10",
        layer: str = "relu2_2",
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape = as_image_shape(image_shape)
        if crop is not None and crop > min(shape[:2]):
            raise ValueError(f"`crop` is at most the height and the width, or None. Received: {crop=}, {image_shape=}")
        shapes = dict.fromkeys(("source", "target"), shape if crop is None else (crop, crop, shape[-1]))
        judge = partial(patchgan_discriminator, shapes, discriminator_width, discriminator_layers, "batch")
        super().__init__(
            generator or partial(id_cgan_generator, shape[-1], width, residual),
            discriminator or partial(judge, any_size=True),
            data={name: Images(shape) for name in shapes},
            **kwargs,
        )
        self.adversarial_weight, self.perceptual_weight = float(adversarial_weight), float(perceptual_weight)
        self.crop, self.crops, self.flip = crop, crops, flip
        self.features = perceptual.features(features, [layer], shape[-1]) if perceptual_weight else None
        self.arguments = {"image_shape": shape, "crop": crop, "crops": crops, "flip": flip, "width": width}
        self.arguments |= {"residual": residual, "discriminator_width": discriminator_width, "layer": layer}
        self.arguments |= {"discriminator_layers": discriminator_layers, "adversarial_weight": adversarial_weight}
        self.arguments |= {"perceptual_weight": perceptual_weight, "features": features}

    def players(self):
        players = super().players()
        return players if self.adversarial_weight else {"generator": players["generator"]}

    def prepare(self, real, training):
        if not training:
            return real
        uniform = partial(self.noise, "uniform")
        windows = real if self.crop is None else random_crop(real, self.crop, uniform, self.crops)
        return jitter(windows, uniform, enlarge=1.0, flip=self.flip)

    def update(self, reals, training):
        if self.adversarial_weight:
            return super().update(reals, training)
        loss = lambda: self.generator_loss(reals[-1], self.fake(reals[-1], training), training)  # noqa: E731
        return {"generator": self.minimize(loss, "generator", training)}

    def discriminator_loss(self, real, fake, training):
        return losses.non_saturating_discriminator_loss(*(self.discriminate(x, training) for x in (real, fake)))

    def generator_loss(self, real, fake, training):
        loss = ops.mean(ops.square(real["target"] - fake["target"]))
        if self.perceptual_weight:
            loss += self.perceptual_weight * losses.perceptual_loss(self.features, real["target"], fake["target"])
        if self.adversarial_weight:
            loss += self.adversarial_weight * losses.non_saturating_generator_loss(self.discriminate(fake, training))
        return loss

    def evaluate_batch(self, real):
        errors = ops.mean(ops.square(real["target"] - self.fake(real, training=False)["target"]), axis=(1, 2, 3))
        return {**super().evaluate_batch(real), "psnr": ops.mean(10 * ops.log10(4.0 / ops.maximum(errors, 1e-10)))}
