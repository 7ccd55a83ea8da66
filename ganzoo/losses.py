"""Adversarial losses, in pairs of discriminator and generator, and the gradient penalty: pure functions.

Losses take logits of any shape (scores before any sigmoid: one per image, or a map of them) in any float dtype, and
return a float32 scalar, the mean over all logits. They stay finite for any logit, by -log sigmoid(x) = softplus(-x) and
-log(1 - sigmoid(x)) = softplus(x).
"""

from collections.abc import Callable

from keras import ops

from ganzoo.engine.backend import input_gradient


def non_saturating_discriminator_loss(real_logits, fake_logits):
    """Binary cross-entropy of the discriminator: ``E[softplus(-D(x))] + E[softplus(D(G(z)))]``.

    Args:
        real_logits, fake_logits: float tensors, logits of real and of generated images.

    Returns:
        A float32 scalar, at least 0; ``2 log 2`` for a discriminator at chance (all logits 0).

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, eq. 1 (with the sign turned: there D ascends).
    """
    return ops.mean(ops.softplus(-_float32(real_logits))) + ops.mean(ops.softplus(_float32(fake_logits)))


def non_saturating_generator_loss(fake_logits):
    """``-E[log sigmoid(D(G(z)))] = E[softplus(-D(G(z)))]``: strong gradients also while the discriminator wins.

    Args:
        fake_logits: float tensor, logits of generated images.

    Returns:
        A float32 scalar, at least 0.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, section 3 ("train G to maximize log D(G(z))").
    """
    return ops.mean(ops.softplus(-_float32(fake_logits)))


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
    return -ops.mean(ops.softplus(_float32(fake_logits)))


def wasserstein_discriminator_loss(real_logits, fake_logits):
    """``E[D(G(z))] - E[D(x)]``: minus the critic's estimate of the Wasserstein distance.

    Args:
        real_logits, fake_logits: float tensors, scores of real and of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Arjovsky et al. 2017, arXiv:1701.07875, eq. 2; Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, first part.
    """
    return ops.mean(_float32(fake_logits)) - ops.mean(_float32(real_logits))


def wasserstein_generator_loss(fake_logits):
    """``-E[D(G(z))]``.

    Args:
        fake_logits: float tensor, scores of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, Algorithm 1, line 12.
    """
    return -ops.mean(_float32(fake_logits))


def hinge_discriminator_loss(real_logits, fake_logits):
    """``E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]``: no gradient from images that are judged well enough.

    Args:
        real_logits, fake_logits: float tensors, scores of real and of generated images.

    Returns:
        A float32 scalar, at least 0; 2 for scores of 0.

    Reference:
        Lim and Ye 2017, arXiv:1705.02894, eq. 9; Miyato et al. 2018, arXiv:1802.05957, eq. 16.
    """
    return ops.mean(ops.relu(1 - _float32(real_logits))) + ops.mean(ops.relu(1 + _float32(fake_logits)))


def hinge_generator_loss(fake_logits):
    """``-E[D(G(z))]``, the generator's side of the hinge loss.

    Args:
        fake_logits: float tensor, scores of generated images.

    Returns:
        A float32 scalar of any sign.

    Reference:
        Miyato et al. 2018, arXiv:1802.05957, eq. 17.
    """
    return -ops.mean(_float32(fake_logits))


def class_loss(class_logits, labels):
    """Cross-entropy of classes, ``E[-log softmax(logits)[label]]``, in nats.

    Args:
        class_logits: float (batch, classes), scores before any softmax.
        labels: int (batch,), from 0.

    Returns:
        A float32 scalar, at least 0; ``log(classes)`` for equal logits.

    Reference:
        Odena et al. 2016, arXiv:1610.09585, eq. 3 (with the sign turned).
    """
    chosen = ops.one_hot(ops.convert_to_tensor(labels), class_logits.shape[-1], dtype="float32")
    return code_loss(class_logits, chosen)


def code_loss(code_logits, code):
    """Cross-entropy of a categorical code, ``E[-sum_k c_k log softmax(logits)_k]``, in nats.

    Args:
        code_logits: float (batch, categories), scores before any softmax.
        code: float (batch, categories), one-hot.

    Returns:
        A float32 scalar, at least 0. ``log(categories)`` minus it is a lower bound of the mutual information.

    Reference:
        Chen et al. 2016, arXiv:1606.03657, eq. 5, for a uniform categorical code.
    """
    return -ops.mean(ops.sum(ops.convert_to_tensor(code) * ops.log_softmax(_float32(code_logits)), axis=-1))


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
    gradient = _float32(input_gradient(discriminator, points))
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=list(range(1, len(gradient.shape)))) + 1e-12)
    return ops.mean(ops.square(norm - 1.0))


def _float32(values):
    return ops.cast(values, "float32")
