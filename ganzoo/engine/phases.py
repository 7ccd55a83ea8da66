"""Phases of one training: what moves in some of its steps and stands still in others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from keras import ops

from ganzoo.engine import backend

__all__ = ["check_intervals", "check_lengths", "every", "moved_if", "phase_of"]


@contextlib.contextmanager
def moved_if(condition: Any, variables: Iterable) -> Iterator[None]:
    """What is written inside to these variables stays where the condition is True; else they are what they were.

    A step is compiled once and is then the same program in every phase, so all of it is computed in each, and
    optimizers go on: their moments are warm and their schedules where they should be when a player begins to move.

    Args:
        condition: a boolean tensor of no axes, or a bool.
        variables: Keras variables: all weights of a network, of a layer.

    Example:

        >>> with moved_if(self.optimizer.iterations >= 1000, self.discriminator.weights):     # doctest: +SKIP
        ...     loss = self.update_discriminator(real, training)
    """
    if condition is True:
        yield
        return
    variables = list(variables)
    with backend.no_gradient():
        before = [ops.copy(variable.value) for variable in variables]
    yield
    with backend.no_gradient():
        for variable, value in zip(variables, before):
            variable.assign(ops.where(condition, variable.value, value))


def phase_of(step: Any, lengths: Sequence[int]) -> Any:
    """How many phases are over before a step: 0 in the first, `len(lengths)` after them all.

    Args:
        step: int tensor or variable, steps made before.
        lengths: ints, steps of each phase but the last, which has no end.

    Returns:
        An int32 tensor of no axes.

    Example:

    >>> [int(phase_of(ops.convert_to_tensor(step), (2, 1))) for step in range(5)]
    [0, 0, 1, 2, 2]
    """
    step = ops.convert_to_tensor(step)
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    return sum(ops.cast(step >= end, "int32") for end in ends)


def every(steps: int, step: Any, term: Callable[[], Any], otherwise: Callable | None = None) -> Any:
    """``term()`` in every so many steps, the first among them, else ``otherwise()``; only one of them is computed.

    Args:
        steps: int; 1 for in each.
        step: int tensor or variable, steps made before.
        term, otherwise: functions of nothing, to float32 tensors of the same shapes; by default 0 otherwise. They write
            no state, but inside of `ganzoo.engine.backend.input_gradient`.

    Example:

    >>> [int(every(3, step, lambda: ops.ones(()))) for step in range(5)]
    [1, 0, 0, 1, 0]
    """
    if steps == 1:
        return term()
    return ops.cond(ops.equal(ops.convert_to_tensor(step) % steps, 0), term, otherwise or (lambda: ops.zeros(())))


def check_intervals(intervals: Sequence[int], num: int = 2) -> tuple[int, ...]:
    """The argument `intervals`, as a tuple.

    Raises:
        ValueError: it is not `num` whole numbers of at least 1.
    """
    return _whole("intervals", intervals, num, 1, "one for each penalty, 1 for every step")


def check_lengths(pretraining: Sequence[int], num: int = 2) -> tuple[int, ...]:
    """The argument `pretraining`, as a tuple.

    Raises:
        ValueError: it is not `num` whole numbers of at least 0.
    """
    return _whole("pretraining", pretraining, num, 0, "one for each phase, 0 for none")


def _whole(name: str, given: Sequence[int], num: int, least: int, meaning: str) -> tuple[int, ...]:
    steps = tuple(given) if isinstance(given, (tuple, list)) else ()
    if len(steps) != num or any(isinstance(n, bool) or not isinstance(n, int) or n < least for n in steps):
        raise ValueError(f"`{name}` is {num} numbers of training steps, {meaning}. Received: {name}={given!r}")
    return steps
