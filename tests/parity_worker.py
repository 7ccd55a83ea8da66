"""Trains each variant from given weights, images and noise on one backend; `test_parity.py` compares the backends.

python tests/parity_worker.py train FOLDER     five steps of each variant; losses and weights to FOLDER/<backend>.npz
python tests/parity_worker.py draw FOLDER      images of all models that were saved there, and their weights after
                                               one more step, to FOLDER/<backend>.draw.npz
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import ops

import ganzoo

VARIANTS = {
    "dcgan": (ganzoo.DCGAN, {}),
    "dcgan_spectral": (ganzoo.DCGAN, {"spectral_norm": True}),
    "gan": (ganzoo.VanillaGAN, {"dropout": 0.0}),  # dropout draws its masks with each framework's own generator
    "gan_minimax": (ganzoo.VanillaGAN, {"dropout": 0.0, "minimax": True}),
    "wgan_gp": (ganzoo.WGANGP, {}),
    "cgan": (ganzoo.CGAN, {}),
}
STEPS, BATCH = 5, 8
TRAINED_ON = ("dcgan", "wgan_gp", "cgan")


def build(name):
    """A small model whose random weights, latents and mixing weights come from NumPy."""
    cls, arguments = VARIANTS[name]
    model = cls(image_shape=(16, 16, 1), latent_dim=8, width=8, seed=0, **arguments)
    rng = np.random.default_rng(0)
    for network in (model.discriminator, model.generator):
        for v in network.weights:
            if not v.name.startswith("moving"):
                v.assign(rng.normal(v.name == "gamma", 0.1, v.shape).astype("float32"))
    model.generator_ema.set_weights(model.generator.get_weights())
    model.noise = noise_of(rng)
    return model


def noise_of(rng):
    def noise(kind, shape):
        draw = {"normal": rng.standard_normal, "uniform": rng.random}[kind]
        return ops.convert_to_tensor(draw([int(n) for n in shape], dtype="float32"))

    return noise


class Losses(keras.callbacks.Callback):
    """Keras logs running means; five epochs of a step each give the losses themselves."""

    def __init__(self):
        super().__init__()
        self.weights = None

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.weights = [ops.convert_to_numpy(v).copy() for v in self.model.weights]


def train(folder: Path) -> None:
    results = {}
    for name in VARIANTS:
        model = build(name)
        model.compile(run_eagerly=True)  # so that the noise is drawn anew at each step
        data = data_for(model)
        recorder = Losses()
        history = model.fit(data, batch_size=BATCH, epochs=STEPS, shuffle=False, verbose=0, callbacks=[recorder])
        for key in ("generator_loss", "discriminator_loss"):
            results[f"{name}|{key}"] = np.array(history.history[key])
        for variable, value in zip(model.weights, recorder.weights):
            results[f"{name}|weight|{variable.path}|{len(results)}"] = value
        del model.noise
        model.save(folder / f"{name}.{keras.config.backend()}.keras")
    np.savez(folder / f"{keras.config.backend()}.npz", **results)


def data_for(model):
    num = BATCH * model.discriminator_steps
    images = np.random.default_rng(1).integers(0, 255, (num, *model.image_shape), "uint8")
    return {**{name: part.examples(num) for name, part in model.data.items()}, model.target: images}


def inputs_for(model, num=16):
    rng = np.random.default_rng(2)
    latents = {"latents": rng.standard_normal((num, model.latent_dim), dtype="float32")} if model.latent_dim else {}
    return {**latents, **{name: model.data[name].examples(num) for name in model.conditions()}}


def draw(folder: Path) -> None:
    drawn = {}
    for path in sorted(folder.glob("*.keras")):
        model = keras.saving.load_model(path)
        drawn[path.stem] = model.predict(inputs_for(model), verbose=0)
        assert model.compiled and int(ops.convert_to_numpy(model.optimizer.iterations)) == STEPS
        if path.name.split(".")[0] not in TRAINED_ON:
            continue
        model.noise = noise_of(np.random.default_rng(3))
        model.fit(data_for(model), batch_size=BATCH, shuffle=False, verbose=0)
        weights = [ops.convert_to_numpy(v).ravel() for v in model.generator.weights + model.discriminator.weights]
        drawn[f"{path.stem}.after"] = np.concatenate(weights)
    np.savez(folder / f"{keras.config.backend()}.draw.npz", **drawn)


if __name__ == "__main__":
    {"train": train, "draw": draw}[sys.argv[1]](Path(sys.argv[2]))
