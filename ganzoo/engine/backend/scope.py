"""The scope in which every pass of a step runs: variables are read through it, writes are collected, none happens."""

from __future__ import annotations

import threading

import keras

_active = threading.local()


class StepScope(keras.StatelessScope):
    """Collects the writes of the code inside it.

    A scope opened inside another starts from the values that the outer one holds at that moment; Keras' own scopes do
    not fall back to the one around them.

    Args:
        values: ``[(variable, value), ...]`` that replace the variables' own inside the scope.
        strict: whether a write to a variable not known to the scope raises. JAX would lose such a write silently: its
            step can only return the state that Keras handed to it. Inherited by inner scopes.
    """

    def __init__(self, values=(), strict: bool = False):
        super().__init__(initialize_variables=False)
        outer = current()
        self._known: set[int] | None = None
        if outer is not None:
            self.state_mapping.update(outer.state_mapping)
            self._known = outer._known
        values = list(values)
        self.state_mapping.update((id(variable), value) for variable, value in values)
        if strict:
            self._known = {id(variable) for variable, _ in values}
        self._written: dict[int, keras.Variable] = {}

    def __enter__(self):
        self._outer, _active.scope = current(), self
        return super().__enter__()

    def __exit__(self, *exception):
        _active.scope = self._outer
        return super().__exit__(*exception)

    def add_update(self, update):
        variable, _ = update
        if self._known is not None and id(variable) not in self._known:
            raise RuntimeError(
                f"The variable {variable.path!r} was written inside a training step, but it is not part of the model's "
                "state, so its new value would be lost. Make it a weight of a layer or of the model (`add_weight`, or "
                "an attribute holding a Layer, Variable or SeedGenerator)."
            )
        super().add_update(update)
        self._written[id(variable)] = variable

    @property
    def updates(self) -> list:
        """``[(variable, new value), ...]`` of all variables written inside, each with its last value."""
        return [(variable, self.state_mapping[key]) for key, variable in self._written.items()]


def current() -> StepScope | None:
    """The innermost open scope of this thread."""
    return getattr(_active, "scope", None)


def listed(result) -> list:
    """What a loss function returns: its loss, and in a tuple what else is to come back beside it."""
    return list(result) if isinstance(result, tuple) else [result]
