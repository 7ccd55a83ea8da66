"""Updates of many weights on PyTorch: Adam and moving averages, piece by piece, so that a piece stays in the cache.

Keras' Adam passes over all weights of a player ten times, and takes new memory for as much five times. What is computed
here is the same to the last bit, one piece of a weight after another.
"""

from __future__ import annotations

import functools

import keras
import torch

__all__ = ["as_weight", "average", "prepared"]

PIECE = 2**17  # numbers
SMALL = 2**12  # too few for their order to matter


def average(means, variables, keep) -> None:
    """Moves moving averages: mean <- variable + keep * (mean - variable).

    Args:
        means, variables: Keras variables, one for one.
        keep: float32 scalar in [0, 1).
    """
    for mean, variable in zip(means, variables):
        kept = keep.to(mean.value.dtype)
        for old, new in _pieces(mean.value, variable.value):
            old.copy_((old - new).mul_(kept).add_(new))


def prepared(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer itself; an Adam of Keras takes its steps by `adam_step` from now on."""
    own = type(optimizer).__module__ == "keras.src.backend.torch.optimizers.torch_adam"  # no subclass of another's
    if own and not optimizer.amsgrad and "_parallel_update_step" not in vars(optimizer):
        whole = optimizer._parallel_update_step
        optimizer._parallel_update_step = functools.partial(adam_step, optimizer, whole)
    return optimizer


def adam_step(optimizer, whole, gradients, variables, learning_rate) -> None:
    """One step of Adam, as Keras computes it; on accelerators, whose memory is fast, by Keras' own code (`whole`)."""
    if any(variable.value.device.type != "cpu" for variable in variables):
        return whole(gradients, variables, learning_rate)
    dtype = variables[0].value.dtype
    step = (optimizer.iterations.value + 1).to(dtype)
    powers = [torch.pow(torch.as_tensor(beta, dtype=dtype), step) for beta in (optimizer.beta_1, optimizer.beta_2)]
    rate = keras.ops.cast(learning_rate, dtype) * torch.sqrt(1 - powers[1]) / (1 - powers[0])
    for gradient, variable in zip(gradients, variables):
        index, weight = optimizer._get_variable_index(variable), variable.value
        moments = [settled(slots[index], weight) for slots in (optimizer._momentums, optimizer._velocities)]
        for piece in _pieces(weight, gradient, *moments):
            _adam_piece(optimizer, rate, *piece)


def _adam_piece(optimizer, rate, weight, gradient, mean, square) -> None:
    mean.mul_(optimizer.beta_1).add_(gradient, alpha=1 - optimizer.beta_1)
    square.mul_(optimizer.beta_2).add_(gradient * gradient, alpha=1 - optimizer.beta_2)
    weight.sub_((mean * rate).div_(square.sqrt().add_(optimizer.epsilon)))


def settled(slot, weight):
    """The value of an optimizer's variable, from now on in the order in which its weight lies in memory."""
    if slot.value.stride() != weight.stride():
        slot.value.data = torch.empty_like(weight).copy_(slot.value)
    return slot.value


def as_weight(gradient, weight):
    """The gradient in the order in which its weight lies in memory."""
    if gradient.stride() == weight.stride() or gradient.numel() <= SMALL:
        return gradient
    if weight.is_contiguous() and (turned := gradient.movedim(-1, 0)).is_contiguous():  # of torch's convolutions
        return turned.view(len(turned), -1).t().contiguous().view(gradient.shape)
    return torch.empty_like(weight).copy_(gradient)


def _pieces(*tensors):
    """Pieces of tensors of one shape, the same of each at a time."""
    first = tensors[0]
    alike = all(tensor.stride() == first.stride() for tensor in tensors)
    if first.numel() <= PIECE or not alike or first.device.type != "cpu":
        return [tensors]
    if not first.is_contiguous():  # a settled kernel
        tensors = tuple(tensor.movedim(-1, 0) for tensor in tensors)
    if not tensors[0].is_contiguous():
        return [tensors]
    return zip(*(tensor.view(-1).split(PIECE) for tensor in tensors))
