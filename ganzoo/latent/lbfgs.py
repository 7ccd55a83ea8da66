"""L-BFGS within a box, for many small problems at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

__all__ = ["minimize"]

SUFFICIENT = 1e-4  # of the decrease that the slope promises
HALVINGS = 20  # of a step, before a row is left where it is

Function = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def minimize(function: Function, start: np.ndarray, low, high, steps: int, memory: int = 10):
    """Minimises a function of each row, all rows at once and each with its own steps and curvature.

    The direction is ``-H slope``, H the inverse Hessian that the last `memory` steps and changes of slope tell (the
    two-loop recursion); a step is halved until the value has decreased enough (Armijo). Numbers at an edge of the box
    that the slope pushes out of it are held there.

    Args:
        function: Of (n, d) to values (n,) and their slopes (n, d).
        start: (n, d).
        low, high: Edges of the box, (d,) or numbers; infinite ones hold nothing.
        steps: At most so many. A row that such a step makes no less takes the steepest one, and where that does not
            help either, stays.
        memory: Steps that are remembered.

    Returns:
        float64 (n, d), and the values there, (n,).

    Reference:
        Nocedal 1980, "Updating quasi-Newton matrices with limited storage"; Liu and Nocedal 1989.
    """
    x = np.clip(np.asarray(start, "float64"), low, high)
    value, slope = _in_double(function, x)
    history: deque = deque(maxlen=memory)
    scale = 1 / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)  # a first step of length 1
    stuck, done = np.zeros((len(x), 1), bool), np.zeros((len(x), 1), bool)
    for _ in range(steps):
        free = ~((x <= low) & (slope > 0) | (x >= high) & (slope < 0))
        direction = free * -_recursion(free * slope, history, scale)
        steepest = stuck | (_dot(direction, slope) >= 0)
        direction = ~done * np.where(steepest, free * -slope * scale, direction)
        moved, new_value, new_slope = _search(function, x, value, slope, direction, low, high)
        step, change = moved - x, new_slope - slope
        stays = ~step.any(axis=1, keepdims=True)
        stuck, done = stays, done | (stays & steepest)
        if done.all():
            break
        product, square = _dot(step, change), _dot(change, change)
        curved = product > 1e-10 * square  # else the row learns nothing from this step
        inverse = np.divide(1.0, product, out=np.zeros_like(product), where=curved)
        history.append((step, change, inverse))
        scale = np.where(curved, np.divide(product, square, out=np.ones_like(square), where=curved), scale)
        x, value, slope = moved, new_value, new_slope
    return x, value


def _recursion(slope: np.ndarray, history: deque, scale: np.ndarray) -> np.ndarray:
    """H slope, by the two loops: from the latest step back, and forth again."""
    result, weights = slope.copy(), []
    for step, change, inverse in reversed(history):
        weights.append(inverse * _dot(step, result))
        result -= weights[-1] * change
    result *= scale
    for step, change, inverse in history:
        result += (weights.pop() - inverse * _dot(change, result)) * step
    return result


def _search(function: Function, x, value, slope, direction, low, high):
    """Where each row is after the longest of the steps 1, 1/2, 1/4, ... that decreases enough; else where it was."""
    found, length, pending = [x.copy(), value.copy(), slope.copy()], np.ones((len(x), 1)), np.ones(len(x), bool)
    for _ in range(HALVINGS):
        trial = np.where(pending[:, None], np.clip(x + length * direction, low, high), found[0])
        values, slopes = _in_double(function, trial)
        promised = np.minimum(_dot(slope, trial - x)[:, 0], 0)
        enough = pending & (values < value) & (values <= value + SUFFICIENT * promised)
        for kept, new in zip(found, (trial, values, slopes)):
            kept[enough] = new[enough]
        pending &= ~enough & (trial != x).any(axis=1)
        if not pending.any():
            break
        length /= 2
    return found


def _in_double(function: Function, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, slopes = function(x)
    return np.asarray(values, "float64"), np.asarray(slopes, "float64")


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum(a * b, axis=1, keepdims=True)
