"""Gradients and steps on TensorFlow."""

import contextlib

import tensorflow as tf
from keras import ops

from ganzoo.engine.backend.scope import StepScope, listed
from ganzoo.engine.backend.tensorflow_data import Pipelines


def value_and_grad(loss_fn, variables):
    values = [v.value for v in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        with StepScope() as scope:
            loss, *kept = listed(loss_fn())
        # Keras sums the gradients of all replicas.
        scaled = loss / tf.cast(tf.distribute.get_strategy().num_replicas_in_sync, loss.dtype)
    gradients = tape.gradient(scaled, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # An embedding's gradient is a list of rows, one row perhaps twice, whose squares Adam would take one by one.
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    return (loss, *tf.nest.map_structure(tf.stop_gradient, kept)) if kept else loss, gradients, scope.updates


def forward(fn):
    with StepScope() as scope:
        result = fn()
    return tf.nest.map_structure(tf.stop_gradient, result), scope.updates


def input_gradient(fn, x):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        with StepScope():
            total = ops.sum(ops.cast(fn(x), "float32"))
    return tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


no_gradient = contextlib.nullcontext


def compiled(fn):
    return tf.function(fn)


class StepMixin(Pipelines):
    """``train_step(data)`` and ``test_step(data)`` as Keras' TensorFlow trainer calls them."""

    def train_step(self, data):
        return self.training_logs(data)

    def test_step(self, data):
        return self.evaluation_logs(data)
