"""Invariance of classes: what class an image is taken for is not to change with its slant, size and stroke."""

from __future__ import annotations

import keras
from keras import ops

from ganzoo.layers.augmenting import Augmentation, matrix, per_image, sampled

__all__ = ["Invariance"]


@keras.saving.register_keras_serializable(package="ganzoo")
class Invariance(Augmentation):
    """``lambda E[H(q(x), q(T(x))) + H(q(T(x)), q(x))]`` over real images is added to the discriminator's loss.

    q are the class probabilities of the discriminator's second output, H the cross-entropy, of which only the second
    argument learns; T rotates, slants, scales and shifts an image and thickens or thins its strokes. Classes that are
    found without labels (`ganzoo.InfoGAN`) then divide images by something else. From the first step on it may keep
    classes from being found at all: let it begin `after` some.

    The images that the players' losses see stay as they are. A step has two more passes of the discriminator.

    Args:
        weight: float, lambda.
        after: int, training steps without it.
        rotation: float, radians at most, to either side.
        shear: float, how far a row moves against the next, at most, in pixels.
        zoom: float, the part by which height and width, each for itself, change at most.
        shift: float, pixels at most, in either direction.
        stroke: float in [0, 1], how far an image is brought to the brightest, or the darkest, of 3x3 pixels at most.
        seed, **kwargs: see `ganzoo.layers.Augmentation`.

    Attributes:
        steps: variable, training steps so far.

    Raises:
        ValueError: in the first step, a discriminator that has logits alone.

    Reference:
        Ojha et al. 2020, arXiv:1910.01112, section 3.3, which asks the same of Q's features by a contrastive loss.

    Example:

        >>> invariance = ganzoo.layers.Invariance(after=2000)
        >>> model = ganzoo.InfoGAN(image_shape=(28, 28, 1), augment=invariance)
        >>> model.fit(images, batch_size=128, epochs=12)
    """

    def __init__(
        self,
        weight: float = 1.0,
        after: int = 0,
        rotation: float = 0.17,
        shear: float = 0.3,
        zoom: float = 0.1,
        shift: float = 1.0,
        stroke: float = 0.5,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(seed, **kwargs)
        if after < 0 or not 0 <= stroke <= 1 or not 0 <= zoom < 1:
            raise ValueError(f"after is 0 or more, stroke and zoom in [0, 1]. Received: {after=}, {stroke=}, {zoom=}")
        self.weight, self.after = float(weight), int(after)
        self.reach = {"rotation": rotation, "shear": shear, "zoom": zoom, "shift": shift, "stroke": stroke}
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, aggregation="mean", name="steps")
        self.built = True

    def change(self, images, noise):
        return images

    def moved(self, images, noise):
        """T(x)."""
        by = self.reach
        strokes = by["stroke"] * (2 * per_image(noise, "uniform", images) - 1)
        thick, thin = (
            sign * ops.max_pool(sign * images, 3, 1, "same", data_format="channels_last") for sign in (1, -1)
        )
        x = images + ops.relu(strokes) * (thick - images) + ops.relu(-strokes) * (thin - images)
        draws = 2 * noise("uniform", (ops.shape(images)[0], 6)) - 1
        angle, shear = by["rotation"] * draws[:, 0], by["shear"] * draws[:, 1]
        tall, wide = (1 + by["zoom"] * draws[:, i] for i in (2, 3))
        down, right = (by["shift"] * draws[:, i] for i in (4, 5))
        one, zero = ops.ones_like(angle), ops.zeros_like(angle)
        c, s = ops.cos(angle), ops.sin(angle)
        rotated = matrix(c, -s, zero, s, c, zero, zero, zero, one)
        return sampled(x, ops.matmul(rotated, matrix(tall, zero, down, shear, wide, right, zero, zero, one)))

    def penalty(self, judge, images, noise):
        begun = ops.cast(self.steps >= self.after, "float32")
        self.steps.assign(self.steps + 1.0)
        one, other = (self._classes(judge(each)) for each in (images, self.moved(images, noise)))
        return self.weight * begun * (_cross_entropy(one, other) + _cross_entropy(other, one))

    def _classes(self, answer):
        if not isinstance(answer, (list, tuple)):
            raise ValueError(
                "Invariance is about classes: the discriminator's second output must be their logits, as those of "
                "InfoGAN, ACGAN and SemiSupervisedGAN are. Received: a discriminator of one output"
            )
        return ops.cast(answer[1], "float32")

    def get_config(self):
        return {**super().get_config(), "weight": self.weight, "after": self.after, **self.reach}


def _cross_entropy(kept, learning):
    """``-sum_k softmax(kept)_k log softmax(learning)_k``, mean over the batch."""
    told = ops.stop_gradient(ops.softmax(kept))
    return -ops.mean(ops.sum(told * ops.log_softmax(learning), axis=-1))
