"""Binary cross-entropy of logits: the losses of the first paper.

They stay finite for any logit, by -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x).
"""

from keras import ops

from ganzoo.losses.numbers import float32


def non_saturating_discriminator_loss(real_logits, fake_logits, smoothing: float = 0.0):
    """Binary cross-entropy of the discriminator: ``E[softplus(-D(x))] + E[softplus(D(G(z)))]``.

    Args:
        real_logits, fake_logits: float tensors, logits of real and of generated images.
        smoothing: float in [0, 1), one-sided label smoothing: real images are to be real with probability
            ``1 - smoothing`` (.9 in the paper), which keeps the discriminator from being ever surer. To cross-entropy
            with that aim ``softplus(-D(x)) + smoothing * D(x)`` is equal.

    Returns:
        A float32 scalar, at least 0; ``2 log 2`` for a discriminator at chance (all logits 0).

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, eq. 1 (with the sign turned: there D ascends); smoothing: Salimans et
        al. 2016, arXiv:1606.03498, section 3.4.
    """
    loss = ops.mean(ops.softplus(-float32(real_logits))) + ops.mean(ops.softplus(float32(fake_logits)))
    return loss + smoothing * ops.mean(float32(real_logits)) if smoothing else loss


def non_saturating_generator_loss(fake_logits):
    """``-E[log sigmoid(D(G(z)))] = E[softplus(-D(G(z)))]``: strong gradients also while the discriminator wins.

    Args:
        fake_logits: float tensor, logits of generated images.

    Returns:
        A float32 scalar, at least 0.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, section 3 ("train G to maximize log D(G(z))").
    """
    return ops.mean(ops.softplus(-float32(fake_logits)))


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
    return -ops.mean(ops.softplus(float32(fake_logits)))
