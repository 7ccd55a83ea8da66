"""What scripts of images to images share: trained models, the same network without its adversary, tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import ganzoo


class WithoutAdversary:
    """Mixed into a variant: its generator alone is trained, by `truth_loss(real)`."""

    evaluation_metrics = ("l1",)
    generator_loss = discriminator_loss = ganzoo.GAN.generator_loss  # none: HealthMonitor watches no untrained critic

    def players(self):
        return {"generator": [self.generator]}

    def update(self, reals, training):
        def loss():
            return self.truth_loss(reals[-1], self.fake(reals[-1], training))

        return {"generator": self.minimize(loss, "generator", training)}

    def evaluate_batch(self, real):
        return {"l1": self.l1(real, self.fake(real, training=False))}


def means_by(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Means (k,) of values (n,) that are alike, those of one group: what an interval is taken of."""
    _, number = np.unique(groups, return_inverse=True)
    return np.bincount(number, values) / np.bincount(number)


def recipe_of(preset: str) -> dict:
    """A preset's recipe, as plain data."""
    return ganzoo.info(preset).recipe.model_dump(mode="json", by_alias=True, exclude_none=True)


def train_without_adversary(recipe: dict, folder: Path, **options) -> ganzoo.GAN:
    """Trains by a recipe, but for its discriminator's optimizer, in a folder, or goes on with it.

    Args:
        recipe: Plain data; it is written beside the folder.
        folder: Of the training.
        **options: Those of `ganzoo.train`: `data_dir`, `epochs`, ...
    """
    recipe["training"]["optimizer"].pop("discriminator", None)
    path = folder.with_name(f"{folder.name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recipe, indent=2) + "\n")  # JSON is YAML
    return ganzoo.train(path, folder, **options)


def model_of(folder: Path, command: str) -> ganzoo.GAN | None:
    """What a training left in `folder`, in float32 whatever it was trained in; None, and the command, without one."""
    if not (path := folder / "model.keras").is_file():
        print(f"{path} is missing, its rows are left out. Make it with: {command}", file=sys.stderr)
        return None
    trained = keras.saving.load_model(path, compile=False)
    model = type(trained)(**trained.arguments)
    for own, given in ((model.networks, trained.networks), (model.moving_averages, trained.moving_averages)):
        for name, network in given.items():
            own[name].set_weights(network.get_weights())
    return model


def cell(found: dict | None) -> str:
    """A value and, where it has one, its interval; nothing for None."""
    if found is None:
        return ""
    return f"{found['value']:.3f}" + (" ({:.3f}-{:.3f})".format(*found["interval"]) if "interval" in found else "")


def lines(rows: dict[str, dict], title: str = "", cell: Callable[[dict | None], str] = cell) -> str:
    """Rows of numbers by name as a table in Markdown, with a column for each name that any of them has."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    written = [[title, *(column.replace("_", " ") for column in columns)], ["---", *["--:"] * len(columns)]]
    written += [[name, *(cell(row.get(column)) for column in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in written)
