"""De-occlusion: where something stands before a thing, and what is behind it, learned from occluders with truth."""

from functools import cache, partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.occluders import num_draws, occlude
from ganzoo.data.preprocessing import as_image_shape, to_float
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.networks.deocclusion import branches_of, deocclusion_generator
from ganzoo.networks.patchgan import patchgan_discriminator
from ganzoo.zoo.registry import register

__all__ = ["Deocclusion"]


@register("deocclusion")
@keras.saving.register_keras_serializable(package="ganzoo")
class Deocclusion(GAN):
    """One network finds the occluder, a mask m, and draws what is behind it, c: the image is ``m c + (1 - m) x``.

    With an image y, its occluded version x and the true mask t, the generator minimises
    ``adversarial_weight E[-log D(m c + (1 - m) x)] + l1_weight sum(t |c - y|) / sum(t) + mask_weight H(t, m)``,
    H the binary cross-entropy. D judges patches of images, and is not told x: what is not hidden is the same in both.
    Occluders are drawn anew in each step; in `evaluate`, of shapes that training never draws (`ganzoo.data.occluded`).

    Args:
        image_shape: (height, width, channels); height and width multiples of 4 and at least 16.
        width, max_width, num_blocks, discriminator_width: ints, see `deocclusion_generator`, `patchgan_discriminator`.
        adversarial_weight, l1_weight, mask_weight: floats.
        generator, discriminator: your own, the one with layers "mask_logits" and "completion".
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> model = ganzoo.Deocclusion(image_shape=(28, 28, 1))
        >>> model.fit(images, batch_size=32, epochs=20)        # or fit(images, occluded), with occluders of your own
        >>> whole, masks = model.generate(source=hidden), model.mask_of(hidden)

    Reference:
        Dong et al. 2020, "Occlusion-aware GAN for face de-occlusion in the wild" (mask, completion, composition).

    Differs from the paper:
        one body for mask and completion, not two in turn; no losses of features or attributes, no images without
        truth. m is 0 where the logit is below -3 (a probability of 5 %): nothing is changed there.
    """

    evaluation_metrics = (*GAN.evaluation_metrics, "l1", "mask_iou")
    shaped_by = {"target": "image_shape"}
    augmentable = False  # images belong to their sources
    tiny = {"image_shape": (16, 16, 1), "width": 4}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        width: int = 32,
        max_width: int | None = None,
        num_blocks: int = 2,
        discriminator_width: int | None = None,
        adversarial_weight: float = 1.0,
        l1_weight: float = 30.0,
        mask_weight: float = 10.0,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape, judging = as_image_shape(image_shape), discriminator_width or width
        super().__init__(
            generator or partial(deocclusion_generator, shape, width, max_width, num_blocks),
            discriminator or partial(patchgan_discriminator, {"target": shape}, judging, 2, "spectral"),
            data={"source": Images(shape, derived=True), "target": Images(shape)},
            **kwargs,
        )
        self.branches = cache(branches_of)  # a function, so that Keras does not count the weights twice
        self.branches(self.generator), self.branches(self.generator_ema)
        self.arguments = {"image_shape": shape, "width": width, "max_width": max_width, "num_blocks": num_blocks}
        self.arguments |= {"discriminator_width": discriminator_width, "l1_weight": l1_weight}
        self.arguments |= {"adversarial_weight": adversarial_weight, "mask_weight": mask_weight}

    def prepare(self, real, training):
        images = real["target"]
        if "source" in real:  # given: the occluder is where the two differ by more than four grey levels
            apart = ops.max(ops.abs(real["source"] - images), axis=-1, keepdims=True)
            return {**real, "mask": ops.cast(apart > 4 / 127.5, "float32")}
        draws = self.noise("uniform", (ops.shape(images)[0], num_draws(images.shape[-1])))
        source, mask = occlude(images, draws, "training" if training else "testing", ops)
        return {**real, "source": source, "mask": mask}

    def fake(self, real, training):
        """The batch with the images that are drawn, and what they are put together of."""
        image, mask_logits, completion = self.branches(self.generator)(real["source"], training=training)
        return {**real, "target": image, "mask_logits": mask_logits, "completion": completion}

    def discriminator_loss(self, real, fake, training):
        real_logits, fake_logits = self.discriminate(real, training), self.discriminate(fake, training)
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits) / 2

    def generator_loss(self, real, fake, training):
        adversarial = losses.non_saturating_generator_loss(self.discriminate(fake, training))
        return self.arguments["adversarial_weight"] * adversarial + self.supervised_loss(real, fake)

    def supervised_loss(self, real, fake):
        """The last two terms: what is left without the adversary."""
        logits = fake["mask_logits"]
        cross_entropy = ops.mean(ops.softplus(logits) - real["mask"] * logits)  # H(t, sigmoid(logit))
        return self.arguments["l1_weight"] * self.l1(real, fake) + self.arguments["mask_weight"] * cross_entropy

    def l1(self, real, fake):
        """Of the completion inside of the true mask, in units of [-1, 1]."""
        errors = ops.mean(ops.abs(real["target"] - fake["completion"]), axis=-1, keepdims=True)
        return ops.sum(real["mask"] * errors) / ops.maximum(ops.sum(real["mask"]), 1.0)

    def evaluate_batch(self, real):
        fake, true = self.fake(real, training=False), real["mask"]
        found = ops.cast(fake["mask_logits"] > 0, "float32")
        iou = ops.sum(found * true) / ops.maximum(ops.sum(ops.maximum(found, true)), 1.0)
        return {**super().evaluate_batch(real), "l1": self.l1(real, fake), "mask_iou": iou}

    def mask_of(self, images, batch_size: int = 256):
        """The m of images, uint8 or float in [-1, 1]: float32 (n, height, width, 1) in [0, 1], 1 on occluders."""
        images = to_float(self.data["source"].check(images, "images", allow_nonnegative=True))
        logits = self.branches(self.generator_ema).predict(images, batch_size=batch_size, verbose=0)[1]
        return (logits / 6 + 0.5).clip(0, 1)
