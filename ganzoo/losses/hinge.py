"""The hinge loss of a discriminator's scores."""

from keras import ops

from ganzoo.losses.numbers import float32


def hinge_discriminator_loss(real_logits, fake_logits):
    """``E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]``: no gradient from images that are judged well enough.

    Args:
        real_logits, fake_logits: float tensors, scores of real and of generated images.

    Returns:
        A float32 scalar, at least 0; 2 for scores of 0.

    Reference:
        Lim and Ye 2017, arXiv:1705.02894, eq. 9; Miyato et al. 2018, arXiv:1802.05957, eq. 16.
    """
    return ops.mean(ops.relu(1 - float32(real_logits))) + ops.mean(ops.relu(1 + float32(fake_logits)))


def hinge_generator_loss(fake_logits):
    """``-E[D(G(z))]``, the generator's side of the hinge loss.

    Args:
        fake_logits: float tensor, scores of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Miyato et al. 2018, arXiv:1802.05957, eq. 17.
    """
    return -ops.mean(float32(fake_logits))
