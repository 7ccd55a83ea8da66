"""Adversarial losses: pure functions of logits, in pairs of discriminator and generator.

All take logits of any shape (the scores *before* any sigmoid; one per image, or a map of them) in any float dtype and
return a float32 scalar: the mean over all logits. A sigmoid is never applied and then logged; softplus does both in one
step and stays finite for any logit.

    -log sigmoid(x) = softplus(-x)          -log(1 - sigmoid(x)) = softplus(x)
"""

from __future__ import annotations

from keras import ops

__all__ = [
    "minimax_generator_loss",
    "non_saturating_discriminator_loss",
    "non_saturating_generator_loss",
    "wasserstein_discriminator_loss",
    "wasserstein_generator_loss",
]


def non_saturating_discriminator_loss(real_logits, fake_logits):
    """Binary cross-entropy of the discriminator: ``E[softplus(-D(x))] + E[softplus(D(G(z)))]``.

    Args:
        real_logits: float tensor, logits of real images.
        fake_logits: float tensor, logits of generated images.

    Returns:
        A float32 scalar, at least 0; ``2 log 2`` for a discriminator at chance (all logits 0).

    Example:

        >>> float(non_saturating_discriminator_loss(ops.zeros((4, 1)), ops.zeros((4, 1))))  # 2 log 2
        1.3862943649291992

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, eq. 1 (with the sign turned: there D ascends).
    """
    return _mean(ops.softplus(-_float32(real_logits))) + _mean(ops.softplus(_float32(fake_logits)))


def non_saturating_generator_loss(fake_logits):
    """``-E[log sigmoid(D(G(z)))] = E[softplus(-D(G(z)))]``: strong gradients also while the discriminator wins.

    Args:
        fake_logits: float tensor, logits of generated images.

    Returns:
        A float32 scalar, at least 0.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, section 3 ("train G to maximize log D(G(z))").
    """
    return _mean(ops.softplus(-_float32(fake_logits)))


def minimax_generator_loss(fake_logits):
    """``E[log(1 - sigmoid(D(G(z))))] = -E[softplus(D(G(z)))]``: the generator's side of the minimax game.

    Its gradient vanishes where the discriminator is sure that an image is generated: kept for study, not for use.

    Args:
        fake_logits: float tensor, logits of generated images.

    Returns:
        A float32 scalar, at most 0.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, eq. 1 and Algorithm 1.
    """
    return -_mean(ops.softplus(_float32(fake_logits)))


def wasserstein_discriminator_loss(real_logits, fake_logits):
    """``E[D(G(z))] - E[D(x)]``: minus the critic's estimate of the Wasserstein distance.

    Args:
        real_logits: float tensor, scores of real images.
        fake_logits: float tensor, scores of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Arjovsky et al. 2017, arXiv:1701.07875, eq. 2; Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, first part.
    """
    return _mean(_float32(fake_logits)) - _mean(_float32(real_logits))


def wasserstein_generator_loss(fake_logits):
    """``-E[D(G(z))]``.

    Args:
        fake_logits: float tensor, scores of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, Algorithm 1, line 12.
    """
    return -_mean(_float32(fake_logits))


def _float32(logits):
    return ops.cast(logits, "float32")


def _mean(values):
    return ops.mean(values)
