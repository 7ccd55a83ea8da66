"""What models of latents and images did before data had parts, they do still: two epochs of training."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import ganzoo

# The mean loss of each of two epochs, and the loss of `evaluate`, of the engine that knew latents and images alone.
# On the machine where they were taken, all weights and images were equal bit by bit too.
BEFORE = {
    "tensorflow": {
        "DCGAN": (2.057947, 1.965611, 2.068923),
        "WGANGP": (9.943914, 9.926956, 9.915695),
        "VanillaGAN": (2.206557, 2.186596, 2.166271),
    },
    "jax": {
        "DCGAN": (2.0723, 1.982343, 2.06889),
        "WGANGP": (9.952824, 9.944957, 9.938728),
        "VanillaGAN": (1.957698, 2.004766, 1.971241),
    },
    "torch": {
        "DCGAN": (2.065717, 1.976309, 2.066141),
        "WGANGP": (9.951502, 9.945606, 9.941437),
        "VanillaGAN": (2.66747, 2.617918, 2.449363),
    },
}


@pytest.mark.parametrize("name", ["DCGAN", "WGANGP", "VanillaGAN"])
def test_two_epochs_are_what_they_were(name):
    images = np.random.default_rng(0).integers(0, 256, (100, 16, 16, 1), "uint8")
    keras.utils.set_random_seed(1)
    model = getattr(ganzoo, name)(image_shape=(16, 16, 1), latent_dim=8, width=8, seed=3)
    losses = model.fit(images, batch_size=8, epochs=2, verbose=0).history["loss"]
    evaluated = model.evaluate(images, verbose=0)["loss"]
    # Other processors round otherwise; another latent, order of images or step moves these by more than a hundredth.
    assert (*losses, evaluated) == pytest.approx(BEFORE[keras.config.backend()][name], rel=1e-3)
