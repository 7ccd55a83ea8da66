"""What is asked of features instead of scores."""

from keras import ops

from ganzoo.losses.numbers import float32


def feature_matching_loss(real_features, fake_features):
    """``mean((E f(x) - E f(G(z)))^2)``: the mean features of generated images are to be those of real ones.

    Args:
        real_features, fake_features: float tensors (batch, ...) of one shape, what a hidden layer of the discriminator
            says of real and of generated images.

    Returns:
        A float32 scalar, at least 0.

    Reference:
        Salimans et al. 2016, arXiv:1606.03498, section 3.1.

    Differs from the paper:
        the mean over features instead of the sum, as in the authors' code.
    """
    return ops.mean(ops.square(ops.mean(float32(real_features), axis=0) - ops.mean(float32(fake_features), axis=0)))
