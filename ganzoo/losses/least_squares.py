"""Least squares of scores to fixed aims."""

from keras import ops

from ganzoo.losses.numbers import float32


def least_squares_discriminator_loss(real_logits, fake_logits):
    """``E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2``: a = 0, b = 1.

    Args:
        real_logits, fake_logits: float tensors, scores of real and of generated images, without a sigmoid.

    Returns:
        A float32 scalar, at least 0; 1/4 for a discriminator that gives 1/2 to all.

    Reference:
        Mao et al. 2016, arXiv:1611.04076, eq. 9, the first line.
    """
    return (ops.mean(ops.square(float32(real_logits) - 1.0)) + ops.mean(ops.square(float32(fake_logits)))) / 2.0


def least_squares_generator_loss(fake_logits):
    """``E[(D(G(z)) - 1)^2] / 2``: c = 1.

    Args:
        fake_logits: float tensor, scores of generated images.

    Returns:
        A float32 scalar, at least 0.

    Reference:
        Mao et al. 2016, arXiv:1611.04076, eq. 9, the second line.
    """
    return ops.mean(ops.square(float32(fake_logits) - 1.0)) / 2.0
