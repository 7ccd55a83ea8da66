"""The Wasserstein distance of a critic's scores."""

from keras import ops

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
