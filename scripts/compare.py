"""Variants on the same data, with the same networks and budget: a page of curves, samples and a table.

    python scripts/compare.py lsgan wgan wgan_gp hinge --data-dir ../shared/data --output runs/compare
    python scripts/compare.py lsgan my_recipe.yaml --dataset mnist --updates 5000 --seeds 3 --output runs/mine

A variant is trained as its preset's recipe says, but with the networks' arguments of `--network` as far as it takes
them, on the data set's training images, for as many discriminator updates as the others, each on `--batch-size` new
images. A recipe is taken as it is, but for its data and length. Writes to the folder `README.md`, the page;
`curves.png`, the Frechet distance of 2000 images to as many test images against updates and against seconds; a sheet
of samples for each; and `results.json`. The table is under the protocol `standard`, of the last weights. Seconds are
the median step's, times the steps: what else the machine did meanwhile does not count. Finished trainings are not
made again, an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import inspect
import json
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

WATCHED = 2000  # images of a curve's points
MLP = "-mlp"  # after the name of a variant: with perceptrons
SHOWN = ("frechet_distance", "precision", "recall", "coverage")


class Clock(keras.callbacks.Callback):
    """The time of each training step."""

    def __init__(self):
        super().__init__()
        self.seconds: list[float] = []

    def on_train_batch_begin(self, batch, logs=None):
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self._begin)


class Comparison:
    """The data of a comparison, and its trainings, each made once.

    Args:
        output: A folder for all that is written.
        dataset: A data set that has an extractor.
        updates: Of the discriminator.
        points: Of a curve.
        few: So many training images alone, the first of a fixed shuffle.
    """

    def __init__(
        self, output: Path, dataset: str, updates: int, points: int = 10, few: int | None = None, data_dir=None
    ):
        from ganzoo import data, metrics

        self.output, self.dataset, self.updates, self.points = output, dataset, updates, points
        self.data_dir = data_dir
        output.mkdir(parents=True, exist_ok=True)
        self.images, self.labels = data.load(dataset, data_dir=data_dir, return_labels=True)
        if few is not None:
            chosen = np.random.default_rng(0).permutation(len(self.images))[:few]
            self.images, self.labels = self.images[chosen], self.labels[chosen]
        test = data.load(dataset, "test", data_dir=data_dir)
        watched = np.sort(np.random.default_rng(0).permutation(len(test))[:WATCHED])
        self.measure = metrics.scorer(metrics.Reference(metrics.extractor(dataset), test[watched]))

    def row(self, name: str, recipe, seed: int) -> dict[str, Any]:
        """A training's curve, times and metrics."""
        path = self.output / f"{name}-{seed}.json"
        if not path.is_file():
            print(f"training {name}, seed {seed}", flush=True)
            row = self._trained(name, recipe, seed)
            path.write_text(json.dumps(row, indent=1) + "\n")
        return json.loads(path.read_text())

    def _trained(self, name: str, recipe, seed: int) -> dict[str, Any]:
        from ganzoo import callbacks, metrics, plot
        from ganzoo.zoo import training

        batch = recipe.training.batch_size
        budget = recipe.training.model_copy(update={"seed": seed, "epochs": 1})
        recipe = recipe.model_copy(update={"training": budget})
        networks = perceptrons(recipe) if name.endswith(MLP) else {}
        model = training.compiled(recipe, self.updates * batch, name, **networks)
        backup = self.output / f"{name}-{seed}.safetensors"
        if not backup.is_file():
            training.begin_with(recipe, model, self.output, self.data_dir, 0)
        steps = self.updates // model.discriminator_steps // self.points
        clock, monitor = Clock(), callbacks.MetricMonitor(self.measure)
        log = keras.callbacks.CSVLogger(self.output / f"{name}-{seed}.csv", append=backup.is_file())
        parts = {key: self.labels if key == "labels" else self.images for key in model.data}
        model.fit(
            parts,
            batch_size=batch,
            steps_per_epoch=steps,
            epochs=self.points,
            callbacks=[clock, monitor, log, callbacks.Backup(backup, 500)],
            verbose=0,
        )
        found = metrics.evaluate(model, self.dataset, data_dir=self.data_dir)
        plot.save_samples(self.output / f"{name}-{seed}.png", model, 64, seed=0)
        per_step = float(np.median(clock.seconds or [float("nan")]))
        logged = np.atleast_1d(np.genfromtxt(self.output / f"{name}-{seed}.csv", delimiter=",", names=True))
        backup.unlink()
        return {
            "steps": (steps * np.arange(1, self.points + 1)).tolist(),
            "discriminator_steps": model.discriminator_steps,
            "seconds_per_step": per_step,
            "curve": logged["frechet_distance"].tolist(),
            "discriminator_loss": logged["discriminator_loss"].tolist(),
            "backend": keras.config.backend(),
            **{metric["name"]: metric["value"] for metric in found},
        }


def recipe_for(name: str, dataset: str, network: Mapping[str, Any], batch_size: int):
    """A variant's recipe with the common networks, or a recipe as it is."""
    from ganzoo.zoo import presets
    from ganzoo.zoo.registry import get_model

    if name.endswith(".yaml"):
        return presets.read_recipe(name)
    name = name.removesuffix(MLP)
    model = get_model(name)
    recipes = [recipe for recipe in map(presets.read_recipe, presets.list_presets()) if recipe.model == name]
    if not recipes:
        raise ValueError(f"The zoo has no recipe of {name!r}: give a recipe of your own (.yaml).")
    recipe = next((recipe for recipe in recipes if recipe.dataset.name == dataset), recipes[0])
    known = inspect.signature(model.__init__).parameters
    common = {key: value for key, value in network.items() if key in known}
    training = recipe.training.model_copy(update={"batch_size": batch_size})
    return recipe.model_copy(update={"arguments": {**recipe.arguments, **common}, "training": training})


def perceptrons(recipe) -> dict[str, Any]:
    """The networks of the original GAN for a variant of latents and images."""
    import ganzoo

    plain = ganzoo.VanillaGAN(tuple(recipe.arguments["image_shape"]), recipe.arguments["latent_dim"], 256, dropout=0.0)
    return {"generator": plain.generator, "discriminator": plain.discriminator}


def page(comparison: Comparison, rows: Mapping[str, list[dict]], title: str) -> Path:
    """Writes the table, the curves and what goes with them; returns the page."""
    from ganzoo import metrics

    output = comparison.output
    (output / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    shortest = min(_seconds(row)[-1] for own in rows.values() for row in own)
    command = shlex.join(["python", *sys.argv])
    lines = [f"# {title}", "", f"`{command}`", ""]
    head = [name.replace("_", " ") for name in SHOWN]
    lines.append(
        f"| | {' | '.join(head)} | ms per step | seconds | frechet distance after {shortest:.0f} s | rank correlation |"
    )
    lines.append("|---" + "|--:" * (len(SHOWN) + 4) + "|")
    for name, own in rows.items():
        cells = [_spread([row[key] for row in own]) for key in SHOWN]
        cells += [f"{1000 * np.median([row['seconds_per_step'] for row in own]):.1f}"]
        cells += [f"{np.median([_seconds(row)[-1] for row in own]):.0f}"]
        early = [np.interp(shortest, _seconds(row), row["curve"]) for row in own]
        told = [metrics.rank_correlation(-np.array(row["discriminator_loss"]), row["curve"]) for row in own]
        lines.append(f"| `{name}` | {' | '.join([*cells, _spread(early), _spread(told)])} |")
    lines += ["", f"Frechet distances after {shortest:.0f} s are of {WATCHED} images, which are larger. The rank"]
    lines += ["correlation is that of minus the discriminator's loss, which of the Wasserstein variants estimates a"]
    lines += ["distance, with the Frechet distance along the training.", ""]
    _curves(rows, output / "curves.png")
    lines += ["![curves](curves.png)", ""]
    for name in rows:
        lines += [f"`{name}`, seed 0:", "", f"![{name}]({name}-0.png)", ""]
    (output / "README.md").write_text("\n".join(lines), encoding="utf-8")
    return output / "README.md"


def _seconds(row: Mapping[str, Any]) -> np.ndarray:
    return np.array(row["steps"]) * row["seconds_per_step"]


def _spread(values) -> str:
    return f"{np.mean(values):.3g}" + (f" ± {np.std(values, ddof=1):.1g}" if len(values) > 1 else "")


def _curves(rows: Mapping[str, list[dict]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for i, (name, own) in enumerate(rows.items()):
        for row in own:
            updates = np.array(row["steps"]) * row["discriminator_steps"]
            for axis, x in zip(axes, (updates, _seconds(row)), strict=True):
                axis.plot(x, row["curve"], color=f"C{i}", label=name if row is own[0] else None, alpha=0.8)
    axes[0].set(xlabel="discriminator updates", ylabel=f"Frechet distance of {WATCHED} images", yscale="log")
    axes[1].set(xlabel="seconds")
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "contestants", nargs="+", help="variants of the zoo (`wgan-mlp`: with perceptrons), or recipes (.yaml)"
    )
    parser.add_argument("--dataset", default="fashion_mnist")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--output", type=Path, default=Path("runs/compare"))
    parser.add_argument("--updates", type=int, default=10_000, help="of the discriminator")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--network", type=json.loads, default={"latent_dim": 32, "width": 32, "discriminator_width": 32}
    )
    arguments = parser.parse_args()
    comparison = Comparison(arguments.output, arguments.dataset, arguments.updates, data_dir=arguments.data_dir)
    recipes = {
        Path(name).stem: recipe_for(name, arguments.dataset, arguments.network, arguments.batch_size)
        for name in arguments.contestants
    }
    rows: dict = {}
    for seed in range(arguments.seeds):
        for name, recipe in recipes.items():
            rows.setdefault(name, []).append(comparison.row(name, recipe, seed))
    title = f"{len(recipes)} variants on {arguments.dataset}"
    print(f"wrote {page(comparison, rows, title)}")


if __name__ == "__main__":
    main()
