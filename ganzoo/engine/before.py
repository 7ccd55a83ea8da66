"""What was written for earlier versions, and still works with a warning that names the line to change."""

from __future__ import annotations

import functools
import inspect
import warnings

__all__ = ["adapt", "named_arguments"]


def adapt(cls: type) -> None:
    """Lets a class whose `generator_loss` takes (fake, training) be called with (real, fake, training)."""
    loss = vars(cls).get("generator_loss")
    if not inspect.isfunction(loss) or len(inspect.signature(loss).parameters) != 3:
        return
    change = (
        f"{cls.__name__}.generator_loss takes the real batch now: change its line to "
        "`def generator_loss(self, real, fake, training):`"
    )
    if "generator_loss" in loss.__code__.co_names:  # which no longer takes what this one hands on
        raise TypeError(f"{change}, and its call to `super().generator_loss(real, fake, training)`.")
    warnings.warn(f"{change}.", DeprecationWarning, stacklevel=4)

    @functools.wraps(loss)
    def with_real(self, *arguments):
        return loss(self, *arguments[-2:])  # (real, fake, training), or as an `update` of before calls it

    cls.generator_loss = with_real  # type: ignore[attr-defined]


def named_arguments(before: tuple) -> dict:
    """The arguments of a call of `generate` that gives them by position, after the number of images."""
    warnings.warn(
        "generate takes all but n by name now: generate(n, seed=..., batch_size=..., averaged=...).",
        DeprecationWarning,
        stacklevel=3,
    )
    names = ("labels", "seed", "batch_size", "averaged")
    if len(before) > len(names):
        raise TypeError(f"generate takes n, and all else by name. Received: {1 + len(before)} arguments by position")
    return dict(zip(names, before))
