"""Do generated images help a classifier of few real ones? Paired trainings with and without.

    python scripts/augmentation.py --data-dir ../shared/data --runs runs/augmentation --json runs/augmentation.json

One small classifier of Fashion-MNIST (three convolutions of stride 2 and a linear layer) learns from 10, 50, 200 and
1000 real images of each class, 32 in a batch, alone and with as many generated ones in every batch:

* by a GAN that saw those images only ("own": a small CGAN of 3000 steps), or all 60 000 ("all": the presets
  cgan-fashion_mnist, and for images without a class dcgan-fashion_mnist);
* labelled by the class that was asked for, or by one of the three schemes for images without a class: "pseudo", the
  class that the classifier in training thinks most likely, anew every 100 steps; "uniform", 1/K (LSRO); "new", one
  class more.

All is chosen on 10 000 training images that the classifier does not see (the presets of "all" were trained on them
too): for the real images alone the length of the training and whether they are shifted by up to two pixels (6
trials), for each arm the weight of generated images (3 trials, with the baseline's length and shifts). Then five
seeds, each of its own images, initial weights and order, the same for every arm (but "new", whose network has one
output more): test accuracies, and the differences to the baseline with 95 % intervals (Student's t, paired; of 32
intervals one or two miss by chance). One pool of generated images serves all seeds of a preset.

A training that is in the JSON is not made again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np

PER_CLASS = (10, 50, 200, 1000)
SEEDS, TUNING_SEED = range(5), 100
SOURCES, SCHEMES = ("own", "all"), ("condition", "pseudo", "uniform", "new")
LENGTHS, WEIGHTS = (500, 1000, 2000), (0.1, 0.3, 1.0)
CLASSES, BATCH, POOL, REFRESH = 10, 32, 6000, 100
GAN_STEPS = 3000
T = {5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # 97.5 % of Student's t by the number of pairs


class Study:
    """Data, generated images and trainings, each made once."""

    def __init__(self, arguments):
        from ganzoo import data

        self.runs, self.json = arguments.runs, arguments.json
        self.runs.mkdir(parents=True, exist_ok=True)
        train = data.load("fashion_mnist", data_dir=arguments.data_dir, return_labels=True)
        self.train, self.held_out = [each[:50_000] for each in train], [each[50_000:] for each in train]
        self.test = data.load("fashion_mnist", "test", data_dir=arguments.data_dir, return_labels=True)
        self.done = json.loads(self.json.read_text()) if self.json.is_file() else {}
        self.models: dict = {}

    def real(self, per_class: int, seed: int):
        images, labels = self.train
        rng = np.random.default_rng([seed, per_class])
        rows = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:per_class] for c in range(CLASSES)])
        return images[rows], labels[rows]

    def generated(self, source: str, scheme: str, per_class: int, seed: int):
        """Images and their labels, soft ones (n, K + 1)."""
        import ganzoo

        preset = "cgan-fashion_mnist" if scheme == "condition" else "dcgan-fashion_mnist"
        name = f"own-{per_class}-{seed}" if source == "own" else preset
        path = self.runs / f"{name}.npz"
        if not path.is_file():
            model = self._gan(per_class, seed) if source == "own" else ganzoo.load(preset)
            conditional = source == "own" or scheme == "condition"
            images, labels = ganzoo.augment(model, POOL, None if conditional else "new", num_classes=CLASSES)
            np.savez_compressed(path, images=images, labels=labels)
        with np.load(path) as file:
            images, labels = file["images"], file["labels"]
        soft = np.zeros((len(images), CLASSES + 1), "float32")
        if scheme == "condition":
            soft[np.arange(len(images)), labels] = 1
        elif scheme == "uniform":
            soft[:, :CLASSES] = 1 / CLASSES
        elif scheme == "new":
            soft[:, CLASSES] = 1
        return images, soft  # pseudo labels come from the classifier

    def _gan(self, per_class: int, seed: int):
        import ganzoo

        images, labels = self.real(per_class, seed)
        keras.utils.set_random_seed(seed)
        model = ganzoo.CGAN(
            (28, 28, 1), CLASSES, latent_dim=32, width=32, spectral_norm=True, seed=seed, dtype="mixed_bfloat16"
        )
        steps = len(images) // 32
        model.fit(images, labels, batch_size=32, steps_per_epoch=steps, epochs=-(-GAN_STEPS // steps), verbose=0)
        return model

    def accuracy(self, per_class, seed, length, shifted, source="", scheme="", weight=0.0, test=True) -> float:
        key = f"{per_class} {seed} {length} {int(shifted)} {source} {scheme} {weight} {'test' if test else 'held out'}"
        if key not in self.done:
            self.done[key] = self._train(per_class, seed, length, shifted, source, scheme, weight, test)
            self.json.write_text(json.dumps(self.done, indent=1) + "\n")
            print(f"{key}: {self.done[key]:.4f}", flush=True)
        return self.done[key]

    def _train(self, per_class, seed, length, shifted, source, scheme, weight, test) -> float:
        outputs = CLASSES + (scheme == "new")
        classifier = self._fresh(outputs, seed)
        images, labels = self.real(per_class, seed)
        real = images, np.eye(CLASSES + 1, dtype="float32")[labels]
        fake = self.generated(source, scheme, per_class, seed) if source else None
        rng, other = np.random.default_rng(seed), np.random.default_rng([seed, 1])
        for begin in range(0, length, REFRESH):
            if scheme == "pseudo" and begin:
                scores = classifier.predict(fake[0].astype("float32"), batch_size=500, verbose=0)
                fake = fake[0], np.eye(CLASSES + 1, dtype="float32")[scores.argmax(axis=1)]
            classifier.optimizer.learning_rate = 3e-3 * 0.5 * (1 + np.cos(np.pi * begin / length))
            x, y = _some(*real, rng, shifted)
            w = np.ones(len(x), "float32")
            if fake is not None and (begin or scheme != "pseudo"):  # which has no labels before the first 100 steps
                x, y, w = _beside((x, y, w), (*_some(*fake, other, shifted), np.full(len(x), weight, "float32")))
            classifier.fit(x, y[:, :outputs], sample_weight=w, batch_size=len(x) // REFRESH, shuffle=False, verbose=0)
        images, labels = self.test if test else self.held_out
        found = classifier.predict(images.astype("float32"), batch_size=500, verbose=0)
        return float(np.mean(found[:, :CLASSES].argmax(axis=1) == labels))

    def _fresh(self, outputs: int, seed: int):
        """A classifier as it is before its first step, compiled once."""
        keras.utils.set_random_seed(seed)
        network = build_classifier(outputs)
        if outputs not in self.models:
            self.models[outputs] = network
            network.compile(
                keras.optimizers.AdamW(3e-3, weight_decay=0.05),
                keras.losses.CategoricalCrossentropy(from_logits=True),
                steps_per_execution=20,
                jit_compile=keras.backend.backend() == "jax",
            )
        classifier = self.models[outputs]
        classifier.set_weights(network.get_weights())
        for variable in classifier.optimizer.variables:
            if variable is not classifier.optimizer._learning_rate:
                variable.assign(keras.ops.zeros_like(variable))
        return classifier


def build_classifier(outputs: int) -> keras.Model:
    """From float32 images in [0, 255] to logits. Averages of statistics are of the last tens of steps."""
    from ganzoo import layers

    images = keras.Input((28, 28, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    for width, kernel in ((24, 5), (48, 3), (96, 3)):
        x = layers.Conv2D(width, kernel, 2, padding="same", use_bias=False, data_format="channels_last")(x)
        x = keras.layers.ReLU()(layers.BatchNormalization(axis=-1, momentum=0.9)(x))
    return keras.Model(images, keras.layers.Dense(outputs)(keras.layers.Flatten()(x)))


def _some(images, labels, rng, move: bool):
    """What 100 steps see."""
    from ganzoo.metrics.classifier import shifted

    chosen = rng.integers(0, len(images), REFRESH * BATCH)
    x = images[chosen].astype("float32")
    return (shifted(x, rng, 2) if move else x), labels[chosen]


def _beside(real, fake):
    """Batches of which one half is real."""
    return [
        np.stack([a.reshape(REFRESH, BATCH, *a.shape[1:]), b.reshape(REFRESH, BATCH, *b.shape[1:])], axis=1).reshape(
            2 * len(a), *a.shape[1:]
        )
        for a, b in zip(real, fake)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/augmentation"))
    parser.add_argument("--json", type=Path, default=Path("runs/augmentation.json"))
    parser.add_argument("--per-class", type=int, nargs="*", default=PER_CLASS)
    arguments = parser.parse_args()
    study = Study(arguments)
    for per_class in arguments.per_class:
        report(study, per_class)


def report(study: Study, per_class: int) -> None:
    def held_out(*trial) -> float:
        return study.accuracy(per_class, TUNING_SEED, *trial, test=False)

    length, shifted = max(((n, s) for n in LENGTHS for s in (False, True)), key=lambda trial: held_out(*trial))
    alone = np.array([study.accuracy(per_class, seed, length, shifted) for seed in SEEDS])
    print(f"\n{per_class} of a class, {length} steps{', shifted' * shifted}: alone {alone.mean():.4f}")
    for source in SOURCES:
        for scheme in SCHEMES:
            trials = {weight: held_out(length, shifted, source, scheme, weight) for weight in WEIGHTS}
            weight = max(trials, key=trials.__getitem__)
            found = [study.accuracy(per_class, seed, length, shifted, source, scheme, weight) for seed in SEEDS]
            gain = np.array(found) - alone
            half = T[len(gain)] * gain.std(ddof=1) / np.sqrt(len(gain))
            print(
                f"  {source:4} {scheme:10} weight {weight:3}: {np.mean(found):.4f}, "
                f"{100 * gain.mean():+.2f} +- {100 * half:.2f} points",
                flush=True,
            )


if __name__ == "__main__":
    main()
