"""Trains on one device or on two, of a machine's processor; `test_distribution.py` compares the two.

python tests/distribution_worker.py one|two FILE.npz
"""

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # JAX; read when it is imported

import contextlib

import keras
import numpy as np
from keras import ops

import ganzoo


def two_devices():
    """What the training is to be built in."""
    devices = ["cpu:0", "cpu:1"]
    if keras.config.backend() == "jax":
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
        return contextlib.nullcontext()
    import tensorflow as tf

    logical = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
    return tf.distribute.MirroredStrategy(devices).scope()


def main(devices: str, path: str) -> None:
    # TensorFlow gives each device its part of a batch, normalises in that part, and draws noise for it alone: equal
    # halves and constant noise make that the same as one device. SGD, because Adam does not feel the gradients' scale.
    halves = np.random.default_rng(0).integers(0, 256, (5, 1, 4, 16, 16, 1), dtype="uint8")
    images = np.broadcast_to(halves, (5, 2, 4, 16, 16, 1)).reshape(-1, 16, 16, 1)
    with two_devices() if devices == "two" else contextlib.nullcontext():
        keras.utils.set_random_seed(0)
        model = ganzoo.WGANGP((16, 16, 1), 4, 4, seed=0)
        model.noise = lambda kind, shape: ops.full(shape, 0.5)
        model.compile({player: keras.optimizers.SGD(0.01) for player in model.players()})
        history = model.fit(images, batch_size=8, epochs=2, shuffle=False, verbose=0)
        results = {str(i): ops.convert_to_numpy(v) for i, v in enumerate(model.weights)}
        np.savez(path, loss=history.history["loss"], drawn=model.generate(4, seed=0), **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
