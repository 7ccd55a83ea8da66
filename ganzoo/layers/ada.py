"""Adaptive discriminator augmentation."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from ganzoo.layers.augmenting import Augmentation, matrix, per_image, sampled

__all__ = ["AdaptiveAugment"]


@keras.saving.register_keras_serializable(package="ganzoo")
class AdaptiveAugment(Augmentation):
    """A pipeline of transformations, each applied with a probability p that rises while the discriminator overfits.

    The sign of the discriminator's answers to real images says how sure it is of them: with ``r_t = E[sign(D(x))]`` p
    rises while r_t is above `target` and falls while it is below, from 0 to 1 in `ramp` images. A transformation that
    happens with p below about .8 does not leak into what is drawn.

    The transformations: mirroring, turns by 90 degrees, shifts by whole pixels; scaling, rotation, stretching, shifts
    by parts of a pixel (one affine map, bilinear, the image reflected at its border); brightness, contrast, inversion
    of brightness, and of colour images hue and saturation.

    Args:
        target: float, r_t to be kept; None keeps p as it is. The sign means something where 0 divides the scores of
            real and generated images; of relativistic, Wasserstein and least squares losses it does not, and models
            of these take a fixed p: ``AdaptiveAugment(target=None, initial=0.2)``.
        ramp: int, images in which p goes from 0 to 1 if r_t stays on one side.
        initial: float, p at first.
        turns: bool, mirroring, turns by 90 degrees and rotation: not for what may be seen one way only in few images.
        seed, **kwargs: see `ganzoo.layers.Augmentation`.

    Attributes:
        p, r: variables, p and a running mean of the sign.

    Reference:
        Karras et al. 2020, arXiv:2006.06676, section 2 and 3, appendix B ("bgc").

    Differs from the paper:
        r_t is a running mean over about sixteen steps, and p moves in every step; bilinear sampling without
        supersampling; no filtering, noise or cutout, as in its own default.

    Example:

        >>> model = ganzoo.R1GAN(image_shape=(28, 28, 1), augment=ganzoo.layers.AdaptiveAugment())
        >>> model.fit(few_images, epochs=200)
    """

    def __init__(
        self,
        target: float | None = 0.6,
        ramp: int = 500_000,
        initial: float = 0.0,
        turns: bool = True,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(seed, **kwargs)
        if (target is not None and not 0 < target < 1) or not 0 <= initial <= 1 or ramp < 1:
            raise ValueError(
                f"target lies in (0, 1), initial in [0, 1], ramp above 0. Received: {target=}, {initial=}, {ramp=}"
            )
        self.target, self.ramp, self.initial, self.turns = target, int(ramp), float(initial), turns
        constant = keras.initializers.Constant(self.initial)
        self.p = self.add_weight(shape=(), initializer=constant, trainable=False, aggregation="mean", name="p")
        self.r = self.add_weight(shape=(), initializer="zeros", trainable=False, aggregation="mean", name="r")
        self.built = True

    @property
    def follows(self) -> bool:
        """Whether it follows the sign of the answers to real images."""
        return self.target is not None

    def observe(self, logits):
        if self.target is None:
            return
        signs = ops.stop_gradient(ops.sign(ops.cast(logits, "float32")))
        r = self.r + (ops.mean(signs) - self.r) / 16.0
        step = ops.cast(ops.shape(logits)[0], "float32") / self.ramp
        self.r.assign(r)
        self.p.assign(ops.clip(self.p + ops.sign(r - self.target) * step, 0.0, 1.0))

    def change(self, images, noise):
        p = ops.convert_to_tensor(self.p)
        return self._recoloured(self._moved(images, noise, p), noise, p)

    def _moved(self, x, noise, p):
        """One affine map for each image, from where it is drawn to where it comes from, in pixels from the centre."""
        n = ops.shape(x)[0]
        _, height, width, _ = x.shape
        uniform, normal = noise("uniform", (n, 20)), noise("normal", (n, 6))

        def happens(i, chance=p):
            return ops.cast(uniform[:, i] < chance, "float32")

        one, zero = ops.ones_like(uniform[:, 0]), ops.zeros_like(uniform[:, 0])

        def scaled(a, b):
            return matrix(a, zero, zero, zero, b, zero, zero, zero, one)

        def rotated(angle):
            c, s = ops.cos(angle), ops.sin(angle)
            return matrix(c, -s, zero, s, c, zero, zero, zero, one)

        def shifted(down, right):
            return matrix(one, zero, down, zero, one, right, zero, zero, one)

        maps = []
        if self.turns:
            maps.append(scaled(one, 1 - 2 * happens(0) * ops.cast(uniform[:, 1] < 0.5, "float32")))
            maps.append(rotated(happens(2) * ops.floor(uniform[:, 3] * 4) * (np.pi / 2)))
        down, right = (
            happens(4) * ops.round((2 * uniform[:, 5 + i] - 1) * size / 8) for i, size in enumerate((height, width))
        )
        maps.append(shifted(down, right))
        size = ops.power(2.0, 0.2 * normal[:, 0] * happens(7))
        maps.append(scaled(size, size))
        rarely = 1 - ops.sqrt(1 - p)  # twice, so that a rotation happens with p
        if self.turns:
            maps.append(rotated(happens(8, rarely) * (2 * uniform[:, 9] - 1) * np.pi))
        stretch = ops.power(2.0, 0.2 * normal[:, 1] * happens(10))
        maps.append(scaled(stretch, 1 / stretch))
        if self.turns:
            maps.append(rotated(happens(11, rarely) * (2 * uniform[:, 12] - 1) * np.pi))
        moved = happens(13)
        maps.append(shifted(moved * normal[:, 2] * height / 8, moved * normal[:, 3] * width / 8))
        whole = maps[0]
        for each in maps[1:]:
            whole = ops.matmul(whole, each)
        return sampled(x, whole)

    def _recoloured(self, x, noise, p):
        channels = x.shape[-1]

        def happens():
            return ops.cast(per_image(noise, "uniform", x) < p, "float32")

        x = x + 0.2 * per_image(noise, "normal", x) * happens()
        x = x * ops.power(2.0, 0.5 * per_image(noise, "normal", x) * happens())
        flip = happens() * ops.cast(per_image(noise, "uniform", x) < 0.5, "float32")
        if channels != 3:
            return x * (1 - 2 * flip)
        axis = ops.full((1, 1, 1, 3), 3**-0.5)
        grey = ops.sum(x * axis, axis=-1, keepdims=True) * axis  # along the axis of brightness
        colour = x - grey
        angle = (2 * per_image(noise, "uniform", x) - 1) * np.pi * happens()
        turned = ops.roll(colour, 1, axis=-1) - ops.roll(
            colour, -1, axis=-1
        )  # across it, by a right angle, times root 3
        colour = colour * ops.cos(angle) + turned * (3**-0.5) * ops.sin(angle)
        colour = colour * ops.power(2.0, per_image(noise, "normal", x) * happens())
        return grey * (1 - 2 * flip) + colour

    def get_config(self):
        own = {"target": self.target, "ramp": self.ramp, "initial": self.initial, "turns": self.turns}
        return {**super().get_config(), **own}
