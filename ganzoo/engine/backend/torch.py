"""Gradients and steps on PyTorch."""

import torch
from keras import ops, tree
from torch.nn.attention import SDPBackend, sdpa_kernel

from ganzoo.engine.backend.scope import StepScope, listed
from ganzoo.engine.backend.torch_networks import direct_calls
from ganzoo.engine.backend.torch_updates import as_weight

no_gradient = torch.no_grad


def value_and_grad(loss_fn, variables):
    with torch.enable_grad(), StepScope() as scope:
        loss, *kept = listed(loss_fn())
    # Not `loss.backward()`: that would fill the other players' gradients too.
    weights = [v.value for v in variables]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    loss, *kept = tree.map_structure(lambda tensor: tensor.detach(), [loss, *kept])
    return (loss, *kept) if kept else loss, list(map(as_weight, gradients, weights)), scope.updates


def forward(fn):
    with torch.no_grad(), StepScope() as scope:
        result = fn()
    return tree.map_structure(lambda tensor: tensor.detach(), result), scope.updates


def input_gradient(fn, x):
    recording = torch.is_grad_enabled()
    # Flash attention has no second derivative.
    with torch.enable_grad(), StepScope(), sdpa_kernel(SDPBackend.MATH):
        if not x.requires_grad:
            x = x.detach().requires_grad_(True)
        total = ops.sum(ops.cast(fn(x), "float32"))
    (gradient,) = torch.autograd.grad(total, x, create_graph=recording, allow_unused=True, materialize_grads=True)
    return gradient


def compiled(fn):
    return fn


class StepMixin:
    """``train_step(data)`` and ``test_step(data)`` as Keras' PyTorch trainer calls them."""

    def train_step(self, data):
        with direct_calls(self.networks.values()):
            return self.training_logs(data)

    def test_step(self, data):
        return self.evaluation_logs(data)
