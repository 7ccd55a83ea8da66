"""Networks between two of the same architecture: a slider from the one to the other."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["interpolate_weights"]


def interpolate_weights(first: Any, second: Any, alpha: float) -> Any:
    """What lies between two models whose trainings have a beginning in common: ``(1 - alpha) first + alpha second``.

    Of a network trained by squared errors and its continuation with an adversary, `alpha` is a slider from smooth and
    near the truth to sharp; the images of networks in between are of one piece, as mixed images are not.

    Args:
        first, second: two `ganzoo.GAN` of one class and architecture, or two networks.
        alpha: float in [0, 1].

    Returns:
        A new model, as `second` but for the weights of its generators and their averages; or a new network.

    Raises:
        ValueError: other architectures, or an alpha out of range.

    Example:
        >>> ganzoo.interpolate_weights(ganzoo.load("srresnet-photos"), ganzoo.load("srgan-photos"), 0.8)

    Reference: Wang et al. 2018, arXiv:1809.00219, section 3.4.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"`alpha` runs from 0, the first, to 1, the second. Received: alpha={alpha!r}")
    if not hasattr(first, "generators") or not hasattr(second, "generators"):
        return _mix(first, second, keras.models.clone_model(second), alpha)
    made = type(second).from_config(second.get_config())
    made.set_weights(second.get_weights())
    for a, b, between in zip(first.generators(), second.generators(), made.generators(), strict=True):
        _mix(a, b, between, alpha)
        if made.average_of(between) is not between:
            _mix(first.average_of(a), second.average_of(b), made.average_of(between), alpha)
    return made


def _mix(first: keras.Model, second: keras.Model, made: keras.Model, alpha: float) -> keras.Model:
    ours, theirs = first.get_weights(), second.get_weights()
    if [w.shape for w in ours] != [w.shape for w in theirs]:
        raise ValueError(
            "Only networks of one architecture have others between them: build both with the same arguments. "
            f"Received: networks of {first.count_params()} and {second.count_params()} numbers"
        )
    made.set_weights([(1 - alpha) * a + alpha * b for a, b in zip(ours, theirs)])
    return made
