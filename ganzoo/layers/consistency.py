"""Consistency regularisation: the discriminator's answer is not to change with an image's place."""

from __future__ import annotations

import keras
from keras import ops

from ganzoo.layers.augmenting import Augmentation, moved_by

__all__ = ["Consistency"]


@keras.saving.register_keras_serializable(package="ganzoo")
class Consistency(Augmentation):
    """``lambda E[(D(x) - D(T(x)))^2]`` over real images is added to the discriminator's loss; T shifts and mirrors.

    The images that the players' losses see stay as they are. A step has two more passes of the discriminator.

    Args:
        weight: float, lambda.
        mirror: bool, T also turns half of the images left to right.
        seed, **kwargs: see `ganzoo.layers.Augmentation`.

    Reference:
        Zhang et al. 2019, arXiv:1910.12027, eq. 5 and Algorithm 1 (lambda 10, shifts of a few pixels and mirroring).

    Example:

        >>> model = ganzoo.SNGAN(image_shape=(28, 28, 1), augment=ganzoo.layers.Consistency())
        >>> model.fit(few_images, epochs=200)
    """

    def __init__(self, weight: float = 10.0, mirror: bool = True, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        self.weight, self.mirror = float(weight), mirror

    def change(self, images, noise):
        return images

    def moved(self, images, noise):
        """T(x): shifted by up to an eighth of either side, and mirrored."""
        draws = noise("uniform", (ops.shape(images)[0], 3))
        reach = [max(round(size / 8), 1) for size in images.shape[1:3]]
        rows, columns = (ops.floor(draws[:, i] * (2 * reach[i] + 1)) - reach[i] for i in (0, 1))
        moved = moved_by(images, rows, columns)
        if not self.mirror:
            return moved
        return ops.where(ops.reshape(draws[:, 2], (-1, 1, 1, 1)) < 0.5, ops.flip(moved, 2), moved)

    def penalty(self, judge, images, noise):
        one, other = (_logits(judge(each)) for each in (images, self.moved(images, noise)))
        return self.weight * ops.mean(ops.square(one - other))

    def get_config(self):
        return {**super().get_config(), "weight": self.weight, "mirror": self.mirror}


def _logits(answer):
    return ops.cast(answer[0] if isinstance(answer, (list, tuple)) else answer, "float32")
