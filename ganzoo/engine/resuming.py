"""`fit` from the middle of an epoch, where a training was interrupted."""

from __future__ import annotations

import keras

__all__ = ["OneTraining", "resume"]


def resume(model, callbacks, settings: dict, feed) -> tuple[int, int] | None:
    """The epoch to begin with, and how many of its steps are done already, by a callback that knows."""
    states = [callback.resume(model, settings) for callback in callbacks if hasattr(callback, "resume")]
    state = next((state for state in states if state is not None), None)
    if state is not None:
        feed.catch_up(state[0] * len(feed))
    return state


class OneTraining(keras.callbacks.CallbackList):
    """Lets callbacks see two calls of Keras' `fit`, the rest of an epoch and the epochs after it, as one training.

    Keras' `fit` wants epochs of one length: on TensorFlow, data that ends early costs half a step of state.
    """

    def __init__(self, callbacks, *, verbose, **kwargs):
        super().__init__(callbacks, add_history=True, add_progbar=verbose != 0, verbose=verbose, **kwargs)
        self._begun, self._logs = False, None

    def on_train_begin(self, logs=None):
        if not self._begun:
            super().on_train_begin(logs)
        self._begun = True

    def on_train_end(self, logs=None):
        self._logs = logs

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.on_train_begin()  # where no epoch was left: a training without epochs, as Keras has it
            super().on_train_end(self._logs)
