"""What all of editing asks of its numbers."""

import numpy as np

__all__ = ["check_not_negative"]


def check_not_negative(**values) -> None:
    """Refuses what is no finite number of at least 0; takes the values by their names.

    Raises:
        ValueError: naming the first of them that is wrong.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < np.inf:
            raise ValueError(f"`{name}` must be a finite number, not below 0. Received: {name}={value!r}")
