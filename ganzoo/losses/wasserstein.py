"""The Wasserstein distance of a critic's scores, and the gradient penalty."""

from collections.abc import Callable

from keras import ops

from ganzoo.engine.backend import input_gradient
from ganzoo.losses.numbers import float32


def wasserstein_discriminator_loss(real_logits, fake_logits):
    """``E[D(G(z))] - E[D(x)]``: minus the critic's estimate of the Wasserstein distance.

    Args:
        real_logits, fake_logits: float tensors, scores of real and of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Arjovsky et al. 2017, arXiv:1701.07875, eq. 2; Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, first part.
    """
    return ops.mean(float32(fake_logits)) - ops.mean(float32(real_logits))


def wasserstein_generator_loss(fake_logits):
    """``-E[D(G(z))]``.

    Args:
        fake_logits: float tensor, scores of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, Algorithm 1, line 12.
    """
    return -ops.mean(float32(fake_logits))


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
    gradient = float32(input_gradient(discriminator, points))
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=list(range(1, len(gradient.shape)))) + 1e-12)
    return ops.mean(ops.square(norm - 1.0))
