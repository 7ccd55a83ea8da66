"""Prediction: the next frame of a film from the last ones. Mathieu, Couprie and LeCun 2015, arXiv:1511.05440."""

from functools import partial
from typing import Any

import keras
from keras import ops

from ganzoo import losses
from ganzoo.data.films import feed_back
from ganzoo.data.preprocessing import as_image_shape, to_uint8
from ganzoo.engine.frames import Frames
from ganzoo.engine.gan import GAN
from ganzoo.engine.parts import Images
from ganzoo.layers.pyramid import pyramid
from ganzoo.networks.prediction import judged, predicted, prediction_discriminator, prediction_generator
from ganzoo.zoo.registry import register

__all__ = ["FramePrediction"]


@register("prediction")
@keras.saving.register_keras_serializable(package="ganzoo")
class FramePrediction(GAN):
    """The next frame, from coarse to fine; at each size a discriminator tells true frames from predicted ones.

    Of frames X_k and the next one Y_k at size k, and u that enlarges, ``Y~_k = u(Y~_(k-1)) + G_k(X_k, u(Y~_(k-1)))``.
    G minimises, summed over k, ``w_adv BCE(D_k(X_k, Y~_k), 1) + w_lp |Y_k - Y~_k|^p + w_gdl GDL(Y_k, Y~_k)``, where GDL
    is ``||dY| - |dY~||^alpha`` of neighbours' differences d; D ``BCE(D_k(X_k, Y_k), 1) + BCE(D_k(X_k, Y~_k), 0)``.

    Args:
        image_shape: (height, width, channels) of a frame; height and width halve `levels` - 1 times, to 4 at least.
        num_frames: int, frames that the next one is predicted from, in `source` the oldest first, as channels.
        levels: int, sizes, at least 2. p, alpha: ints, 1 or more.
        width, discriminator_width: ints, channels of either network's first convolutions.
        adversarial_weight, lp_weight, gdl_weight: floats; with 0 for the first, the generator alone is trained.
        **kwargs: ``ema_decay``, ``seed``, ``dtype``, ``name``: see `ganzoo.engine.base.BaseGAN`.

    Example:
        >>> model = ganzoo.FramePrediction(image_shape=(64, 64, 1))
        >>> model.fit(*ganzoo.data.film_examples(ganzoo.data.load_films("clips", 64, "L")), batch_size=16)
        >>> film = model.predict_film(frames, steps=8)            # uint8 (n, 8, 64, 64, 1)

    Reference: Mathieu, Couprie and LeCun 2015, arXiv:1511.05440, sections 3.1 (sizes), 3.2 (adversary), 3.3 (GDL).
    Differs from the paper: Adam instead of SGD; errors are means over pixels and channels; both players see the same
        batch; narrower networks, the discriminators with spectral normalisation; G is averaged.
    """

    shaped_by = {"target": "image_shape"}
    augmentable = False  # the frames would move against one another
    tiny = {"image_shape": (16, 16, 1), "num_frames": 2, "levels": 2, "width": 4}

    def __init__(
        self,
        image_shape: tuple[int, ...] = (64, 64, 3),
        num_frames: int = 4,
        levels: int = 4,
        width: int = 32,
        discriminator_width: int | None = None,
        p: int = 1,
        alpha: int = 1,
        adversarial_weight: float = 0.05,
        lp_weight: float = 1.0,
        gdl_weight: float = 1.0,
        generator=None,
        discriminator=None,
        **kwargs,
    ):
        shape = as_image_shape(image_shape)
        layout: Any = {"image_shape": shape, "num_frames": num_frames, "levels": levels}
        super().__init__(
            generator or partial(prediction_generator, **layout, width=width),
            discriminator or partial(prediction_discriminator, **layout, width=discriminator_width or width),
            data={"source": Frames((*shape[:2], num_frames * shape[2]), num_frames), "target": Images(shape)},
            **kwargs,
        )
        self.num_frames, self.levels, self.p, self.alpha = num_frames, levels, p, alpha
        self.adversarial_weight, self.lp_weight, self.gdl_weight = adversarial_weight, lp_weight, gdl_weight
        self.arguments = {**layout, "width": width, "discriminator_width": discriminator_width, "p": p, "alpha": alpha}
        self.arguments |= {"adversarial_weight": adversarial_weight, "lp_weight": lp_weight, "gdl_weight": gdl_weight}

    def players(self):
        players = super().players()
        return players if self.adversarial_weight else {"generator": players["generator"]}

    def update(self, reals, training):
        if self.adversarial_weight:
            return super().update(reals, training)
        loss = lambda: self.generator_loss(reals[-1], self.fake(reals[-1], training), training)  # noqa: E731
        return {"generator": self.minimize(loss, "generator", training)}

    def fake(self, real, training):
        """The batch with what is predicted at each size, the smallest first, as `sizes`; the largest as `target`."""
        sizes = predicted(self.generator, real["source"], self.levels, training)
        return {**real, "sizes": sizes, "target": sizes[-1] if training else ops.clip(sizes[-1], -1.0, 1.0)}

    def discriminator_loss(self, real, fake, training):
        logits = partial(judged, self.discriminator, real["source"], training=training)
        true, drawn = pyramid(real["target"], self.levels), [*fake["sizes"][:-1], fake["target"]]
        return sum(map(losses.non_saturating_discriminator_loss, logits(true), logits(drawn)))  # section 3.2

    def generator_loss(self, real, fake, training):
        drawn, loss = [*fake["sizes"][:-1], fake["target"]], 0.0
        for y, guess in zip(pyramid(real["target"], self.levels), drawn):
            loss += self.lp_weight * power(y - guess, self.p)
            for true, own in zip(slopes(y), slopes(guess)):
                loss += self.gdl_weight * power(true - own, self.alpha)  # section 3.3
        if self.adversarial_weight:
            logits = judged(self.discriminator, real["source"], drawn, training)
            loss += self.adversarial_weight * sum(map(losses.non_saturating_generator_loss, logits))
        return loss

    def predict_film(self, frames, steps: int, batch_size: int = 256):
        """uint8 (n, steps, height, width, channels): what follows on films of at least `num_frames` frames, uint8 or
        float in [-1, 1], (n, frames, height, width, channels). Predicted frames are fed back."""
        following = partial(self.generate, seed=0, batch_size=batch_size)
        return feed_back(lambda seen: following(source=seen), to_uint8(frames), steps, self.num_frames)


def power(error, exponent: int):
    return ops.mean(ops.abs(error) if exponent == 1 else ops.power(ops.abs(error), exponent))


def slopes(x) -> tuple:
    return ops.abs(x[:, 1:] - x[:, :-1]), ops.abs(x[:, :, 1:] - x[:, :, :-1])
