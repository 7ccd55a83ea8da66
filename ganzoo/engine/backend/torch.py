"""Gradients and steps on PyTorch."""

import torch
from keras import ops, tree

from ganzoo.engine.backend.scope import StepScope

no_gradient = torch.no_grad


def value_and_grad(loss_fn, variables):
    with torch.enable_grad(), StepScope() as scope:
        loss = loss_fn()
    # Not `loss.backward()`: that would fill the other players' gradients too.
    gradients = torch.autograd.grad(loss, [v.value for v in variables], allow_unused=True, materialize_grads=True)
    return loss.detach(), list(gradients), scope.updates


def forward(fn):
    with torch.no_grad(), StepScope() as scope:
        result = fn()
    return tree.map_structure(lambda tensor: tensor.detach(), result), scope.updates


def input_gradient(fn, x):
    recording = torch.is_grad_enabled()
    with torch.enable_grad(), StepScope():
        if not x.requires_grad:
            x = x.detach().requires_grad_(True)
        total = ops.sum(ops.cast(fn(x), "float32"))
    (gradient,) = torch.autograd.grad(total, x, create_graph=recording, allow_unused=True, materialize_grads=True)
    return gradient


class StepMixin:
    """``train_step(data)`` and ``test_step(data)`` as Keras' PyTorch trainer calls them."""

    def train_step(self, data):
        return self.training_logs(data)

    def test_step(self, data):
        return self.evaluation_logs(data)
