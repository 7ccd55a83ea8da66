"""What losses are computed in."""

from keras import ops


def float32(values):
    """Values in float32, whatever the networks computed in."""
    return ops.cast(values, "float32")
