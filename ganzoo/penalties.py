"""Gradient penalties: functions of a discriminator and images, part of the discriminator's own update."""

from __future__ import annotations

from collections.abc import Callable

from keras import ops

from ganzoo.backend import input_gradient

__all__ = ["gradient_penalty"]


def gradient_penalty(discriminator: Callable, real, fake, alpha):
    """``E[(||grad_x D(x)||_2 - 1)^2]`` at points between real and generated images.

    The points are ``x = alpha * real + (1 - alpha) * fake``. The norm is taken per image, over height, width and
    channels. Without the weight (lambda, 10 in the paper): multiply it yourself.

    Args:
        discriminator: callable from images to scores, one or more per image. It must not normalise over the batch, or
            the gradient of one image's score would depend on the others.
        real: float32 (batch, ...), real images.
        fake: float32 (batch, ...), generated images, without gradient.
        alpha: float32 in [0, 1], one number per image: (batch, 1, 1, 1) for images.

    Returns:
        A float32 scalar, at least 0, differentiable with respect to the discriminator's weights.

    Example:

        >>> critic = lambda x: 3.0 * ops.sum(x, axis=(1, 2, 3))          # gradient 3 at each of 4 pixels, norm 6
        >>> x = ops.zeros((2, 2, 2, 1))
        >>> float(gradient_penalty(critic, x, x, ops.zeros((2, 1, 1, 1))))  # (6 - 1)^2
        25.0

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, eq. 3 and Algorithm 1, lines 4 to 7.

    Differs from the paper:
        1e-12 is added under the root, which has no derivative at 0; it changes no norm above 1e-5.
    """
    points = alpha * real + (1.0 - alpha) * fake
    gradient = ops.cast(input_gradient(discriminator, points), "float32")
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=list(range(1, len(gradient.shape)))) + 1e-12)
    return ops.mean(ops.square(norm - 1.0))
