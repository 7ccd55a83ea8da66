"""The seam between ganzoo and the three frameworks: the only package that imports one.

Each backend module offers the same eight names:

- ``value_and_grad(loss_fn, variables)``: loss, its gradients and the state that computing it would have written;
  of a `loss_fn` that returns ``(loss, other)`` that pair, without gradient, in the loss's place;
- ``forward(fn)``: result and state writes of ``fn()``, without gradient;
- ``input_gradient(fn, x)``: d sum(fn(x)) / dx, differentiable again, never writing state;
- ``no_gradient()``: a context in which nothing is recorded for differentiation;
- ``compiled(fn)``: the same function of tensors, faster from its second call on where the framework compiles;
- ``average(means, variables, keep)``: one step of moving averages, which it writes;
- ``prepared(optimizer)``: a Keras optimizer, made to take the same steps faster where that can be;
- ``StepMixin``: ``train_step`` and ``test_step`` with the signature that Keras' trainer of that backend expects.

Nothing else here writes a variable: writes come back as ``[(variable, value), ...]`` and the caller decides which hold.
"""

from __future__ import annotations

import contextlib

import keras

from ganzoo.engine.backend.scope import listed
from ganzoo.engine.quiet import starting

BACKEND = keras.config.backend()

if BACKEND == "tensorflow":
    from ganzoo.engine.backend.tensorflow import (
        StepMixin,
        compiled,
        forward,
        input_gradient,
        no_gradient,
        value_and_grad,
    )
    from ganzoo.engine.backend.updates import average, prepared
elif BACKEND == "jax":
    from ganzoo.engine.backend.jax import StepMixin, compiled, forward, input_gradient, no_gradient, value_and_grad  # type: ignore
    from ganzoo.engine.backend.updates import average, prepared  # type: ignore
elif BACKEND == "torch":
    from ganzoo.engine.backend.torch import StepMixin, compiled, forward, input_gradient, no_gradient, value_and_grad  # type: ignore
    from ganzoo.engine.backend.torch_updates import average, prepared  # type: ignore
else:
    raise ImportError(
        "ganzoo runs on the Keras backends tensorflow, jax and torch: set the environment variable KERAS_BACKEND to "
        f"one of them before Keras is imported. Received: backend={BACKEND!r}"
    )

__all__ = [
    "BACKEND",
    "StepMixin",
    "average",
    "compiled",
    "forward",
    "import_tensorflow",
    "input_gradient",
    "keep_tensorflow_off_gpu",
    "listed",
    "no_gradient",
    "prepared",
    "read_torch_file",
    "value_and_grad",
]


def import_tensorflow():
    """Imports TensorFlow; where another backend trains, TensorFlow's GPUs are hidden first, so that it takes no memory.

    Returns:
        The ``tensorflow`` module.

    Raises:
        ImportError: TensorFlow is not installed.
    """
    try:
        with starting():
            import tensorflow
    except ImportError as error:
        raise ImportError("This needs TensorFlow, which is not installed: `pip install tensorflow`.") from error
    if BACKEND != "tensorflow":
        with contextlib.suppress(RuntimeError):  # already initialised by the user's own code: theirs to decide
            tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow


def read_torch_file(path) -> dict:
    """Reads the arrays of a state dict that PyTorch has saved, on any backend: NumPy arrays by name.

    Raises:
        ImportError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"{path} is read by PyTorch, which is not installed: `pip install torch`.") from error
    return {name: value.numpy() for name, value in torch.load(path, map_location="cpu", weights_only=True).items()}


def keep_tensorflow_off_gpu() -> None:
    """To call before Keras functions that import TensorFlow on their own when it is installed (saving, cloning)."""
    if BACKEND != "tensorflow":
        with contextlib.suppress(ImportError):
            import_tensorflow()
