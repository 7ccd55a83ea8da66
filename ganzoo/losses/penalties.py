"""Penalties on the gradient of a discriminator by its images."""

from collections.abc import Callable

from keras import ops

from ganzoo.engine.backend import input_gradient
from ganzoo.losses.numbers import float32


def gradient_penalty(discriminator: Callable, real, fake, alpha, one_sided: bool = False):
    """``E[(||grad_x D(x)||_2 - 1)^2]`` at points between real and generated images.

    The points are ``x = alpha * real + (1 - alpha) * fake``. The norm is taken per image, over height, width and
    channels. Without the weight (lambda, 10 in the paper): multiply it yourself.

    Args:
        discriminator: callable from images to scores, one or more per image. It must not normalise over the batch, or
            the gradient of one image's score would depend on the others.
        real: float32 (batch, ...), real images.
        fake: float32 (batch, ...), generated images, without gradient.
        alpha: float32 in [0, 1], one number per image: (batch, 1, 1, 1) for images.
        one_sided: bool, norms below 1 are not penalised: ``E[max(0, ||grad_x D(x)||_2 - 1)^2]``.

    Returns:
        A float32 scalar, at least 0, differentiable with respect to the discriminator's weights.

    Example:

        >>> critic = lambda x: 3.0 * ops.sum(x, axis=(1, 2, 3))          # gradient 3 at each of 4 pixels, norm 6
        >>> x = ops.zeros((2, 2, 2, 1))
        >>> float(gradient_penalty(critic, x, x, ops.zeros((2, 1, 1, 1))))  # (6 - 1)^2
        25.0

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, eq. 3 and Algorithm 1, lines 4 to 7; one-sided: its section 4, and
        Petzka et al. 2017, arXiv:1709.08894, eq. 7.

    Differs from the paper:
        1e-12 is added under the root, which has no derivative at 0; it changes no norm above 1e-5.
    """
    return norm_penalty(discriminator, alpha * real + (1.0 - alpha) * fake, one_sided)


def norm_penalty(discriminator: Callable, points, one_sided: bool = False):
    """``E[(||grad_x D(x)||_2 - 1)^2]`` at given points.

    Args:
        discriminator, one_sided: see `gradient_penalty`.
        points: float32 (batch, ...), images.

    Returns:
        A float32 scalar, at least 0.

    Reference:
        Kodali et al. 2017, arXiv:1705.07215, eq. 1, with k = 1: the points are real images moved by noise.
    """
    excess = ops.sqrt(_square_norms(discriminator, points) + 1e-12) - 1.0
    return ops.mean(ops.square(ops.relu(excess) if one_sided else excess))


def zero_centred_penalty(discriminator: Callable, images):
    """``E[||grad_x D(x)||^2]``: R1 on real images, R2 on generated ones.

    Without the weight (gamma / 2 in the paper): multiply it yourself.

    Args:
        discriminator: see `gradient_penalty`.
        images: float32 (batch, ...), without gradient.

    Returns:
        A float32 scalar, at least 0, differentiable with respect to the discriminator's weights.

    Example:

        >>> critic = lambda x: 3.0 * ops.sum(x, axis=(1, 2, 3))
        >>> float(zero_centred_penalty(critic, ops.zeros((2, 2, 2, 1))))     # 4 pixels of gradient 3
        36.0

    Reference:
        Mescheder et al. 2018, arXiv:1801.04406, eq. 9 (R1) and 10 (R2).
    """
    return ops.mean(_square_norms(discriminator, images))


def _square_norms(discriminator: Callable, points):
    gradient = float32(input_gradient(discriminator, points))
    return ops.sum(ops.square(gradient), axis=list(range(1, len(gradient.shape))))


def path_length_penalty(synthesis: Callable, styles, directions, mean, decay: float = 0.01):
    """``E[(|J_w^T y| - a)^2]``: a step of a style w shall move images as far wherever w is.

    ``|J_w^T y|``, a path length, is how far an image moves along y, a random direction of its pixels. Where each layer
    has a style of its own, it is the root of the mean over layers of squares. a is their running mean, and no gradient
    passes through it.

    Args:
        synthesis: callable from styles to images, float32 (batch, height, width, channels).
        styles: float32 (batch, layers, n), or (batch, n); the penalty's gradient passes on to them.
        directions: float32, as the images: N(0, I) over the root of the number of pixels.
        mean: float32 scalar, a before.
        decay: float, by how much a moves towards the mean of these lengths first.

    Returns:
        The penalty, a float32 scalar, without the weight (2 in the authors' code); and a, without gradient.

    Example:

        >>> synthesis = lambda w: 3.0 * w[:, None, None, :]               # a pixel of two channels: lengths 3 |y|
        >>> y = ops.array([[[[3.0, 4.0]]]])
        >>> [float(x) for x in path_length_penalty(synthesis, ops.zeros((1, 2)), y, 0.0, decay=0.0)]     # (15 - 0)^2
        [225.0, 0.0]

    Reference:
        Karras et al. 2019, arXiv:1912.04958, section 3.2, eq. 4; the mean over layers: the authors' code.

    Differs from the paper:
        1e-12 is added under the root, which has no derivative at 0.
    """
    slope = float32(input_gradient(lambda w: ops.sum(float32(synthesis(w)) * directions), styles))
    squares = ops.sum(ops.square(slope), axis=-1)
    lengths = ops.sqrt((squares if len(squares.shape) == 1 else ops.mean(squares, axis=1)) + 1e-12)
    mean = ops.stop_gradient(mean + decay * (ops.mean(lengths) - mean))
    return ops.mean(ops.square(lengths - mean)), mean
