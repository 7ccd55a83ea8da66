"""Gradients and steps on JAX: pure functions of the state, made from imperative code by nested scopes."""

import contextlib

import jax
from keras import ops

from ganzoo.engine.backend.jax_state import KeepsState
from ganzoo.engine.backend.scope import StepScope, listed


def value_and_grad(loss_fn, variables):
    written = []  # the variables in the order of `values` below; the same at every trace

    def pure(parameters):
        with StepScope(zip(variables, parameters)) as scope:
            loss, *kept = listed(loss_fn())
        written[:] = [variable for variable, _ in scope.updates]
        return loss, (kept, [value for _, value in scope.updates])

    (loss, (kept, values)), gradients = jax.value_and_grad(pure, has_aux=True)([v.value for v in variables])
    return (loss, *kept) if kept else loss, gradients, list(zip(written, values))


def forward(fn):
    with StepScope() as scope:
        result = fn()
    return jax.lax.stop_gradient(result), scope.updates


def input_gradient(fn, x):
    def total(x):
        with StepScope():
            return ops.sum(ops.cast(fn(x), "float32"))

    return jax.grad(total)(x)


no_gradient = contextlib.nullcontext


compiled = jax.jit


class StepMixin(KeepsState):
    """``train_step(state, data)`` and ``test_step(state, data)`` as Keras' JAX trainer calls them."""

    def train_step(self, state, data):
        variables = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        return _run(self.training_logs, variables, state, data)

    def test_step(self, state, data):
        variables = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        return _run(self.evaluation_logs, variables, state, data)


def _run(step, variables, state, data):
    pairs = [pair for group, values in zip(variables, state) for pair in zip(group, values)]
    with StepScope(pairs, strict=True) as scope:
        logs = step(data)
    return logs, tuple([scope.get_current_value(variable) for variable in group] for group in variables)
