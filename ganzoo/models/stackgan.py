"""StackGAN: a sentence to an image, small and then large. Zhang et al. 2016, arXiv:1612.03242; 2017, 1710.10916."""

from collections.abc import Sequence
from functools import cache, partial

import keras
from keras import ops

from ganzoo import losses
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images, Part, Text
from ganzoo.networks.stackgan import checked_shape, stackgan_discriminator, stackgan_generator, stages_of
from ganzoo.zoo.registry import register

__all__ = ["StackGAN"]


@register("stackgan")
@keras.saving.register_keras_serializable(package="ganzoo")
class StackGAN(GAN):
    """G reads a sentence t, and draws c from N(m(t), s(t)^2), a small image from c and z, from all of it a larger one.

    D has a judge for each of the two sizes i, with a logit of the image alone, ``U_i(x)``, and one of image and
    sentence, ``C_i(x, t)``. With y = G(z, t), t' the sentence of another image of the batch, and cross-entropies
    ``H1(a) = softplus(-a)``, ``H0(a) = softplus(a)``, D minimises ``sum_i E[H1(C_i(x, t)) + (H0(C_i(y, t)) + H0(C_i(x,
    t'))) / 2 + H1(U_i(x)) + H0(U_i(y))]``, G ``sum_i E[H1(C_i(y, t)) + H1(U_i(y))] + w_kl KL(N(m, s^2) || N(0, 1))``.

    Unknown words are one word, for which a part of the words stands in training; a sentence without words is the mean
    of none, and what is drawn for it depends on the noise alone. Words beyond `length` are left out, with a warning.

    Args:
        image_shape: (height, width, channels), height and width multiples of 16.
        vocabulary, length: those of `ganzoo.Text`; `ganzoo.engine.parts.vocabulary_of(sentences)` makes the first.
        captions: instead of the two `ganzoo.Vectors(n)`, what an encoder of your own makes of sentences.
        latent_dim, condition_dim, width, blocks, units: ints, see `ganzoo.networks.stackgan.stackgan_generator`.
        divergence_weight: float, w_kl.
        word_dropout: float in [0, 1), how many words are unknown in training.
        generator, discriminator: your own, from "captions" and latents (`stages_of`), and from "small" too.
        **kwargs: see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> model = ganzoo.StackGAN((64, 64, 3), ganzoo.engine.parts.vocabulary_of(sentences))
        >>> model.fit(images, sentences, batch_size=32, epochs=20)
        >>> model.generate(4, captions="a red heart", seed=0)          # c too: `condition_noise` is drawn, or given

    Reference: Zhang et al. 2016, arXiv:1612.03242, eq. 1 to 4; Zhang et al. 2017, arXiv:1710.10916, section 4

    Differs from the paper: the stages are trained together, as in the second; stage II is given the small image too;
        the encoders of sentences are small, one of G and one of D, and trained with them; the divergence is a mean over
        c, as in the authors' code; D is spectrally normalised, G has ReLU, and is averaged.
    """

    tiny = {"image_shape": (16, 16, 1), "vocabulary": ["red", "blue", "heart"], "length": 4, "width": 2}
    tiny |= {"latent_dim": 3, "condition_dim": 4, "units": 4}
    tiny_sizes, shaped_by = ((16, 16), (32, 48)), {"images": "image_shape", "captions": "vocabulary"}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        vocabulary: Sequence[str] = (),
        length: int = 8,
        captions: Part | None = None,
        latent_dim: int = 32,
        condition_dim: int = 64,
        width: int = 32,
        blocks: int = 1,
        units: int = 64,
        divergence_weight: float = 2.0,
        word_dropout: float = 0.1,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape, told = checked_shape(image_shape), captions or Text(vocabulary, length)
        half = (shape[0] // 2, shape[1] // 2, shape[2])
        super().__init__(
            generator or partial(stackgan_generator, shape, told, latent_dim, condition_dim, width, blocks, units),
            discriminator or partial(stackgan_discriminator, shape, told, width, units),
            **{"data": {"images": Images(shape), "captions": told, "small": Images(half, derived=True)}, **kwargs},
        )
        self.stages = cache(stages_of)  # a function, so that Keras does not count the weights twice
        self.condition_dim = self.stages(self.generator).outputs[2].shape[-1]
        self.arguments = {"image_shape": shape, "vocabulary": list(vocabulary), "length": length, "captions": captions}
        self.arguments |= {"latent_dim": latent_dim, "condition_dim": condition_dim, "width": width, "blocks": blocks}
        self.arguments |= {"units": units, "divergence_weight": divergence_weight, "word_dropout": word_dropout}

    def latents(self, num):
        names = {"latents": self.latent_dim, "condition_noise": self.condition_dim}
        return {name: self.noise("normal", (num, length)) for name, length in names.items()}

    def prepare(self, real, training):
        """With small images, and beside each image the sentence of the one before, and whether that is another."""
        captions, small = real["captions"], ops.average_pool(real["images"], (2, 2), (2, 2))
        other = ops.any(ops.not_equal(captions, ops.roll(captions, 1, axis=0)), axis=tuple(range(1, captions.ndim)))
        if training and hasattr(self.data["captions"], "num_words"):  # 1 is the number of unknown words
            forgotten = self.noise("uniform", ops.shape(captions)) < self.arguments["word_dropout"]
            captions = ops.where(ops.logical_and(forgotten, captions > 0), 1, captions)
        return {"small": small, **real, "captions": captions, "wrong": ops.roll(captions, 1, axis=0), "is_other": other}

    def fake(self, real, training):
        """The batch with the images of both sizes that are drawn, and what they are drawn from."""
        batch = {**real, **self.latents(ops.shape(real["captions"])[0])}
        images, small, mean, log_variance = self.run(self.stages(self.generator), batch, training)
        return {**batch, "images": images, "small": small, "mean": mean, "log_variance": log_variance}

    def discriminate(self, batch, training):
        if self.augment is None or not training:
            return super().discriminate(batch, training)
        moved = {**batch, "small": self.augment.change(batch["small"], self.noise)}
        self._observed = id(moved) if self._observed == id(batch) else self._observed
        return super().discriminate(moved, training)

    def discriminator_loss(self, real, fake, training):
        judge, other = partial(self.discriminate, training=training), ops.cast(real["is_other"], "float32")[:, None]
        reals, fakes, wrong, loss = judge(real), judge(fake), judge({**real, "captions": real["wrong"]}), 0.0
        for i in (0, 2):  # of images, of small ones: C_i, and behind it U_i
            mismatch = ops.sum(other * ops.softplus(wrong[i])) / ops.maximum(ops.sum(other), 1.0)
            loss += ops.mean(ops.softplus(-reals[i])) + (ops.mean(ops.softplus(fakes[i])) + mismatch) / 2
            loss += losses.non_saturating_discriminator_loss(reals[i + 1], fakes[i + 1])
        return loss

    def generator_loss(self, real, fake, training):
        adversarial = sum(map(losses.non_saturating_generator_loss, self.discriminate(fake, training)))
        divergence = losses.normal_divergence(fake["mean"], fake["log_variance"])
        return adversarial + self.arguments["divergence_weight"] * divergence
