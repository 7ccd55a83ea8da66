"""DiffAugment: brightness, place and holes, in every image that the discriminator sees."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from ganzoo.layers.augmenting import Augmentation, moved_by, per_image

__all__ = ["DiffAugment"]

POLICIES = ("color", "translation", "cutout")


@keras.saving.register_keras_serializable(package="ganzoo")
class DiffAugment(Augmentation):
    """Random colour, translation and cutout of real and generated images alike, in both players' steps.

    "color": brightness by up to half of the range, saturation between 0 and twice, contrast between half and one and a
    half; "translation": by up to an eighth of either side; "cutout": a square of half of either side becomes grey.

    Args:
        policies: Which of them, in the order of the paper.
        seed, **kwargs: see `ganzoo.layers.Augmentation`.

    Raises:
        ValueError: an unknown policy, or none.

    Reference:
        Zhao et al. 2020, arXiv:2006.10738, section 3.3 (strengths as in the authors' code, on images in [-1, 1]).

    Differs from the paper:
        images of more than three channels keep their saturation.

    Example:

        >>> model = ganzoo.DCGAN(image_shape=(28, 28, 1), augment=ganzoo.layers.DiffAugment())
        >>> model.fit(few_images, epochs=200)
    """

    def __init__(self, policies: Sequence[str] = POLICIES, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        if not policies or isinstance(policies, str) or not set(policies) <= set(POLICIES):
            raise ValueError(f"`policies` are some of {', '.join(POLICIES)}. Received: policies={policies!r}")
        self.policies = tuple(policies)

    def change(self, images, noise):
        for policy in self.policies:
            images = getattr(self, f"_{policy}")(images, noise)
        return images

    def _color(self, x, noise):
        x = x + (per_image(noise, "uniform", x) - 0.5)
        if x.shape[-1] == 3:
            mean = ops.mean(x, axis=3, keepdims=True)
            x = mean + (x - mean) * (2.0 * per_image(noise, "uniform", x))
        mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        return mean + (x - mean) * (per_image(noise, "uniform", x) + 0.5)

    def _translation(self, x, noise):
        draws = noise("uniform", (ops.shape(x)[0], 2))
        reach = [int(size / 8 + 0.5) for size in x.shape[1:3]]
        rows, columns = (ops.floor(draws[:, i] * (2 * reach[i] + 1)) - reach[i] for i in (0, 1))
        return moved_by(x, rows, columns)

    def _cutout(self, x, noise):
        draws = noise("uniform", (ops.shape(x)[0], 2))
        inside = []
        for i, size in enumerate(x.shape[1:3]):
            hole = int(size / 2 + 0.5)
            centre = ops.floor(draws[:, i] * (size + (1 - hole % 2)))
            away = ops.arange(size, dtype="float32")[None, :] - centre[:, None] + hole // 2
            inside.append(ops.logical_and(away >= 0, away < hole))
        cut = ops.logical_and(inside[0][:, :, None], inside[1][:, None, :])
        return x * ops.cast(ops.logical_not(cut), x.dtype)[..., None]

    def get_config(self):
        return {**super().get_config(), "policies": self.policies}
