"""The divergence of Gaussians from N(0, 1)."""

from keras import ops

from ganzoo.losses.numbers import float32

__all__ = ["normal_divergence"]


def normal_divergence(mean, log_variance):
    """``E[(mean^2 + exp(log_variance) - 1 - log_variance) / 2]``: the mean of KL(N(mean, variance) || N(0, 1)).

    Args:
        mean, log_variance: float tensors of one shape, Gaussians that are independent of one another.

    Returns:
        A float32 scalar, at least 0: the mean over all of them, not the sum over the dimensions of a vector.

    Reference:
        Kingma and Welling 2013, arXiv:1312.6114, appendix B.
    """
    mean, log_variance = float32(mean), float32(log_variance)
    return ops.mean(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance) / 2.0
