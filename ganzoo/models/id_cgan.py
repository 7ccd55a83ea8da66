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
    """A rainy photograph x to a clean one y: near it in pixels, near in features, and not to be told from a clean one.

    G minimises ``L_E + lambda_a L_A + lambda_p L_P`` with ``L_E = E[|y - G(x)|^2]``, ``L_P = E[|V(y) - V(G(x))|^2]``,
    the features V of a frozen network, and ``L_A = E[-log D(x, G(x))]``; all are means over pixels and channels, in
    units of [-1, 1]. D, of patches, maximises ``E[log D(x, y)] + E[log(1 - D(x, G(x)))]``. It learns whatever else is
    to be taken out of images as well as rain, from pairs that lie on one another.

    Args:
        image_shape: (height, width, channels) of the pairs.
        crop: int, side of the square windows of which training sees `crops` of each pair; None: whole images.
        flip: bool, whether half of the windows are mirrored.
        width, residual: see `ganzoo.networks.id_cgan.id_cgan_generator`.
        discriminator_width, discriminator_layers: ints, see `ganzoo.networks.patchgan.patchgan_discriminator`.
        adversarial_weight: float, lambda_a; with 0 the generator alone is trained.
        perceptual_weight: float, lambda_p; with 0 no features are computed.
        features, layer: V: a bundled network (`ganzoo.zoo.perceptual`) or your own, and the name of its layer.
        generator, discriminator: your own, the one from "source" to images, the other from "source" and "target".
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:

        >>> model = ganzoo.IDCGAN(image_shape=(256, 256, 3))
        >>> model.fit(rainy, clean, batch_size=2, epochs=200)
        >>> dry = model.generate(source=photographs)           # of any height and width

    Reference:
        Zhang, Sindagi and Patel 2017, arXiv:1701.05957 (lambda_a .0066, lambda_p 1), networks of the released code.

    Differs from the paper:
        G predicts what is to be added (`residual`); V is a network of ours in the place of VGG-16, and lambda_p is set
        for it; D gives logits; windows of whole images, not images enlarged and cut; G is averaged.
    """

    evaluation_metrics = (*GAN.evaluation_metrics, "psnr")
    shaped_by = {"source": "image_shape", "target": "image_shape"}
    augmentable = False  # images belong to their sources
    tiny = {"image_shape": (24, 24, 3), "crop": 20, "crops": 2, "width": 4, "discriminator_width": 2}
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
            raise ValueError(f"`crop` is at most the images' height and width, or None. Received: {crop=}, {image_shape=}")
        seen = shape if crop is None else (crop, crop, shape[-1])
        judge = partial(patchgan_discriminator, {"source": seen, "target": seen}, any_size=True)
        super().__init__(
            generator or partial(id_cgan_generator, shape[-1], width, residual),
            discriminator or partial(judge, discriminator_width, discriminator_layers, "batch"),
            data={"source": Images(shape), "target": Images(shape)},
            **kwargs,
        )
        self.adversarial_weight, self.perceptual_weight = float(adversarial_weight), float(perceptual_weight)
        self.features = perceptual.features(features, [layer]) if perceptual_weight else None
        self.cut = partial(random_crop, side=crop, num=crops, uniform=partial(self.noise, "uniform"))
        self.arguments = {"image_shape": shape, "crop": crop, "crops": crops, "flip": flip, "width": width}
        self.arguments |= {"residual": residual, "discriminator_width": discriminator_width}
        self.arguments |= {"discriminator_layers": discriminator_layers, "adversarial_weight": adversarial_weight}
        self.arguments |= {"perceptual_weight": perceptual_weight, "features": features, "layer": layer}

    def players(self):
        players = super().players()
        return players if self.adversarial_weight else {"generator": players["generator"]}

    def prepare(self, real, training):
        if not training:
            return real
        real = real if self.arguments["crop"] is None else self.cut(real)
        return jitter(real, partial(self.noise, "uniform"), 1.0, self.arguments["flip"])

    def update(self, reals, training):
        if self.adversarial_weight:
            return super().update(reals, training)
        loss = lambda: self.generator_loss(reals[-1], self.fake(reals[-1], training), training)  # noqa: E731
        return {"generator": self.minimize(loss, "generator", training)}

    def discriminator_loss(self, real, fake, training):
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, real, fake, training):
        loss = ops.mean(ops.square(real["target"] - fake["target"]))
        if self.perceptual_weight:
            loss += self.perceptual_weight * losses.perceptual_loss(self.features, real["target"], fake["target"])
        if self.adversarial_weight:
            logits = self.discriminate(fake, training)
            loss += self.adversarial_weight * losses.non_saturating_generator_loss(logits)
        return loss

    def evaluate_batch(self, real):
        fake = self.fake(real, training=False)
        errors = ops.mean(ops.square(real["target"] - fake["target"]), axis=(1, 2, 3))
        psnr = 10 * ops.log10(4.0 / ops.maximum(errors, 1e-10))  # of whole images, before they are rounded
        return {**super().evaluate_batch(real), "psnr": ops.mean(psnr)}
