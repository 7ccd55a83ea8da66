"""Losses of how much more real a real image seems than a generated one."""

from keras import ops

from ganzoo.losses.numbers import float32


def relativistic_average_loss(logits, other_logits):
    """``E[softplus(-(C(a) - E C(b)))] + E[softplus(C(b) - E C(a))]``: each against the mean of the others.

    The discriminator's loss with a the real and b the generated images; the generator's with the two exchanged.

    Args:
        logits: float tensor, scores of the images that are to seem more real.
        other_logits: float tensor, scores of the others.

    Returns:
        A float32 scalar, at least 0; ``2 log 2`` where all scores are equal.

    Reference:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 13 and 14 (RaSGAN), with -log sigmoid(x) = softplus(-x).
    """
    a, b = float32(logits), float32(other_logits)
    return ops.mean(ops.softplus(ops.mean(b) - a)) + ops.mean(ops.softplus(b - ops.mean(a)))


def relativistic_pairing_loss(logits, other_logits):
    """``E[softplus(-(D(a) - D(b)))]`` over pairs: image i of one batch against image i of the other.

    The discriminator's loss with a the real and b the generated images; the generator's with the two exchanged.

    Args:
        logits: float tensor, scores of the images that are to seem more real.
        other_logits: float tensor of the same shape, scores of the others.

    Returns:
        A float32 scalar, at least 0; ``log 2`` where both of each pair have the same score.

    Reference:
        Huang et al. 2024, arXiv:2501.05441, eq. 2, with f(t) = -log(1 + exp(-t)) (there D ascends).
    """
    return ops.mean(ops.softplus(float32(other_logits) - float32(logits)))
