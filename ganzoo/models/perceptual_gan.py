"""Perceptual GAN: features of small objects made like those of large ones. Li et al. 2017, arXiv:1706.05274."""

from functools import partial

import keras
import numpy as np
from keras import ops

from ganzoo import losses
from ganzoo.data.preprocessing import as_image_shape, resize
from ganzoo.data.shrinking import checked_range
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Labels, Vectors
from ganzoo.layers.augmentation import jitter
from ganzoo.layers.shrinking import shrunk_by
from ganzoo.networks.perceptual_gan import feature_shape, perceptual_discriminator, perceptual_generator, train_only
from ganzoo.zoo.registry import register

__all__ = ["PerceptualGAN"]


@register("perceptual_gan")
@keras.saving.register_keras_serializable(package="ganzoo")
class PerceptualGAN(GAN):
    """A classifier that sees more in images of small objects: a residual is added to their features.

    An extractor gives low-level features f and high-level ones, F_l of a large object and F_s of a small one. The
    generator makes ``F_s + G(f)`` of the small one. Of the discriminator's branches the one, D, tells it from F_l, the
    other, p, names the class: it minimises ``w (-E[log D(F_l)] - E[log(1 - D(F_s + G(f)))]) - E[log p(y|F_l)]``, the
    generator ``-w E[log D(F_s + G(f))] - E[log p(y|F_s + G(f))]``. There are two phases, two models in turn: in "large"
    extractor and perception branch learn ``-E[log p(y|F_l)]``, in "small" the rest of the generator and both branches.

    Args:
        image_shape: (height, width, channels), at least 16 pixels on a side.
        num_classes: int, labels are whole numbers from 0 to num_classes - 1.
        phase: "large" or "small"; adversarial_weight: float, w of the second.
        small: (least, most) pixels to which a side is reduced, drawn for each image; by default 1/4 and 1/2 of it.
        width, num_blocks, discriminator_width: ints, see `perceptual_generator` and `perceptual_discriminator`.
        generator, discriminator: those of the phase before; or your own, the first with a layer "extractor".
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> large = ganzoo.PerceptualGAN((32, 32, 3), 43, phase="large")
        >>> large.fit(images, labels, batch_size=64, epochs=30)
        >>> model = ganzoo.PerceptualGAN((32, 32, 3), 43, generator=large.generator, discriminator=large.discriminator)
        >>> model.fit(images, labels, batch_size=64, epochs=30)
        >>> model.classify(images_of_12x12).argmax(axis=1)      # model.generate(images=...) are the features

    Reference: Li et al. 2017, arXiv:1706.05274, section 3.
    Differs from the paper: each image shows one object: no boxes, no regions. Small networks, Adam. The extractor stays
        as it is in the second phase; images are jittered; generator and discriminator are averaged.
    """

    shaped_by = {"images": "image_shape", "labels": "num_classes"}
    taken_by_losses = ("labels",)
    augmentable = False  # features are judged, not images
    tiny = {"image_shape": (16, 16, 1), "num_classes": 5, "width": 4, "discriminator_width": 8}
    evaluation_metrics = (*GAN.evaluation_metrics, "accuracy")

    def __init__(
        self,
        image_shape: tuple[int, ...] = (32, 32, 3),
        num_classes: int = 43,
        phase: str = "small",
        small: tuple[int, int] | None = None,
        width: int = 32,
        num_blocks: int = 2,
        discriminator_width: int = 256,
        adversarial_weight: float = 1.0,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape = as_image_shape(image_shape)
        features, side = feature_shape(shape, width), min(shape[:2])
        judge = discriminator or partial(perceptual_discriminator, features, num_classes, discriminator_width)
        parts = {"features": Vectors(features, derived=True), "images": Images(shape), "labels": Labels(num_classes)}
        draw = generator or partial(perceptual_generator, shape, width, num_blocks)
        super().__init__(draw, judge, data=parts, **kwargs)
        self.average(self.discriminator, judge, "discriminator")
        train_only(self.generator, phase)
        self.phase, self.small = phase, checked_range(small or (side // 4, side // 2), side)
        self.adversarial_weight = adversarial_weight if phase == "small" else 0.0
        self.arguments = {"image_shape": shape, "num_classes": num_classes, "phase": phase, "small": self.small}
        self.arguments |= {"width": width, "num_blocks": num_blocks, "discriminator_width": discriminator_width}
        self.arguments["adversarial_weight"] = adversarial_weight

    def prepare(self, real, training):
        large = jitter(real["images"], partial(self.noise, "uniform"), flip=False) if training else real["images"]
        real = {**real, "large": large, "images": large}
        if self.phase == "small":
            real["images"] = shrunk_by(large, self.noise("uniform", (ops.shape(large)[0],)), *self.small)
        return {**real, "features": self.without_updates(lambda: self.extracted(large, training))}

    def extracted(self, images, training):  # F
        return self.generator.get_layer("extractor")(images, training=training)[1]

    def fake(self, real, training):
        if self.phase == "large":
            return self.with_images(real, self.extracted(real["images"], training))
        return super().fake(real, training)

    def discriminator_loss(self, real, fake, training):
        (real_logits, classes), (fake_logits, _) = self.discriminate(real, training), self.discriminate(fake, training)
        adversarial = losses.non_saturating_discriminator_loss(real_logits, fake_logits)
        return self.adversarial_weight * adversarial + losses.class_loss(classes, real["labels"])

    def generator_loss(self, real, fake, training):
        logits, classes = self.discriminate(fake, training)
        adversarial = losses.non_saturating_generator_loss(logits)
        return self.adversarial_weight * adversarial + losses.class_loss(classes, real["labels"])

    def evaluate_batch(self, real):
        _, classes = self.discriminator_ema(self.generator_ema(real["images"], training=False), training=False)
        right = ops.equal(ops.argmax(classes, axis=-1), ops.cast(real["labels"], "int32"))
        return {**super().evaluate_batch(real), "accuracy": ops.mean(ops.cast(right, "float32"))}

    def classify(self, images, batch_size: int = 256) -> np.ndarray:
        """Class probabilities, float32 (n, num_classes), of images: uint8 of any size, or float in [-1, 1] of the
        model's. They are found from the features that `generate` gives."""
        if getattr(images, "dtype", None) == np.uint8 and np.ndim(images) == 4:
            images = resize(images, self.arguments["image_shape"][:2])
        features = self.predict({"images": images}, batch_size=batch_size, verbose=0)
        _, classes = self.discriminator_ema.predict(features, batch_size=batch_size, verbose=0)
        return ops.convert_to_numpy(ops.softmax(classes))
