"""Updates of many weights, where the framework's compiler makes one pass of them: TensorFlow and JAX."""

from __future__ import annotations

from keras import ops

__all__ = ["average", "prepared"]


def average(means, variables, keep) -> None:
    """Moves moving averages: mean <- variable + keep * (mean - variable).

    Args:
        means, variables: Keras variables, one for one.
        keep: float32 scalar in [0, 1).
    """
    for mean, variable in zip(means, variables):
        mean.assign(variable.value + ops.cast(keep, mean.dtype) * (mean.value - variable.value))


def prepared(optimizer):
    """The optimizer as it is."""
    return optimizer
