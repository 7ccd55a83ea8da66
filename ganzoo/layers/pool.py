"""Generated images of earlier steps, kept for the discriminator, so that it does not forget what it has seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from ganzoo.layers.minibatch import check_positive

__all__ = ["ImagePool"]


@keras.saving.register_keras_serializable(package="ganzoo")
class ImagePool(keras.layers.Layer):
    """A history of generated images, from which a discriminator's batch is made in part.

    `exchange` gives each image back or, one time in two, an older one, whose place it takes (CycleGAN). `mix` keeps
    half of a batch and fills the rest with older ones (SimGAN). Either way the first `size` images fill the pool.

    The images and their number are weights that no optimizer moves: they are saved and resumed with the model that
    holds the layer. What is random comes from the noise that is handed over, `model.noise`. Call it where no gradient
    is taken, outside of `minimize`, in training alone.

    Args:
        size: int, images that are kept; 0 for a pool that hands on what it is given and keeps nothing.
        shape: (height, width, channels) of one.
        chance: float in [0, 1], how often `exchange` gives an older image out.
        **kwargs: those of `keras.layers.Layer`.

    Attributes:
        images: float32 variable (size, height, width, channels); None where size is 0.
        count: int32 variable, how many of them are filled.

    Raises:
        ValueError: a negative size, a shape that is not known, a chance outside of [0, 1].

    Example:

        >>> pool = ImagePool(50, (128, 128, 3), name="pool")  # an attribute of a model
        >>> seen = pool.exchange(fake, self.noise)            # in the model's `update`

    Reference:
        Shrivastava et al. 2017, arXiv:1612.07828, section 2.3; Zhu et al. 2017, arXiv:1703.10593, section 4.

    Differs from the papers:
        Images of one batch are exchanged for images of earlier batches alone, never for one another; with CycleGAN's
        batches of one image it is the same.
    """

    def __init__(self, size: int, shape: tuple[int | None, ...], chance: float = 0.5, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ValueError(f"`size` is a number of images, 0 for none. Received: size={size!r}")
        sides = [n for n in shape if n is not None]
        if len(sides) < len(shape):
            raise ValueError(f"A pool keeps images of one size: say height and width. Received: shape={tuple(shape)}")
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(sides)})
        if not 0 <= chance <= 1:
            raise ValueError(f"`chance` lies in [0, 1]. Received: chance={chance!r}")
        self.size, self.shape, self.chance = size, tuple(map(int, sides)), float(chance)
        self.images: Any = None
        self.count: Any = None
        if size:
            fixed: dict[str, Any] = {"initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
            self.images = self.add_weight(shape=(size, *self.shape), name="images", **fixed)
            self.count = self.add_weight(shape=(), dtype="int32", name="count", **fixed)
        self.built = True

    def exchange(self, images, noise: Callable[[str, Any], Any]):
        """The images, some of them exchanged for older ones.

        Args:
            images: float32 (batch, height, width, channels), without gradient.
            noise: function of ``"uniform"`` and a shape, to float32 numbers from U[0, 1).

        Returns:
            float32 of the same shape. Those that are not exchanged are kept in the pool only while it fills.
        """
        if not self.size:
            return images
        num = _at_most(ops.shape(images)[0], self.size)
        slots, is_empty = self._slots(noise, num)
        taken, rest = images[:num], images[num:]
        swapped = ops.logical_and(ops.logical_not(is_empty), noise("uniform", (num,)) < self.chance)
        older = ops.take(self.images, slots, axis=0)
        self._write(slots, ops.where(_each(ops.logical_or(is_empty, swapped)), taken, older), num)
        return ops.concatenate([ops.where(_each(swapped), older, taken), rest], axis=0)

    def mix(self, images, noise: Callable[[str, Any], Any]):
        """The first half of the images and as many older ones, which then make room for those of the first half.

        Half of the batch is drawn, each time another, from all that the pool holds; where it holds fewer, the second
        half stays as it is. Then as many places, drawn anew, are overwritten by the first half; empty ones first.

        Args:
            images: float32 (batch, height, width, channels), without gradient.
            noise: function of ``"uniform"`` and a shape, to float32 numbers from U[0, 1).

        Returns:
            float32 of the same shape: the odd image of an odd batch is among the new ones.
        """
        if not self.size:
            return images
        half = _at_most(ops.shape(images)[0] // 2, self.size)
        drawn = self._order(noise, -1.0)[:half]  # from the filled ones, which come first
        older = ops.take(self.images, drawn, axis=0)
        begin = ops.shape(images)[0] - half
        second = ops.where(ops.convert_to_tensor(self.count) >= half, older, images[begin:])
        slots, _ = self._slots(noise, half)
        self._write(slots, images[:half], half)
        return ops.concatenate([images[:begin], second], axis=0)

    def _slots(self, noise, num):
        """`num` different places, the empty ones first and in order; and whether each is empty."""
        slots = self._order(noise, 1.0)[:num]
        return slots, slots >= ops.convert_to_tensor(self.count)

    def _order(self, noise, empty_first: float):
        """All places in random order, before or after them the empty ones in theirs."""
        places = ops.arange(self.size, dtype="int32")
        is_empty = places >= ops.convert_to_tensor(self.count)
        offset = ops.cast(places, "float32") - empty_first * (self.size + 1)
        return ops.cast(ops.argsort(ops.where(is_empty, offset, noise("uniform", (self.size,)))), "int32")

    def _write(self, slots, images, num) -> None:
        kept = ops.scatter_update(ops.convert_to_tensor(self.images), slots[:, None], ops.cast(images, "float32"))
        self.images.assign(kept)
        self.count.assign(ops.minimum(self.count + ops.cast(num, "int32"), self.size))

    def get_config(self):
        return {**super().get_config(), "size": self.size, "shape": self.shape, "chance": self.chance}


def _each(conditions):
    """(batch,) as (batch, 1, 1, 1)."""
    return ops.reshape(conditions, (-1, 1, 1, 1))


def _at_most(num, most: int):
    """The lesser of a batch's size, which in a step is not known on TensorFlow, and a number."""
    return min(num, most) if isinstance(num, int) else ops.minimum(num, most)
