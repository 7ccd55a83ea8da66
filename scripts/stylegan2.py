"""StyleGAN2's presets beside controls: distances, truncation, path lengths, mixed styles, and the logs' curves.

    python scripts/stylegan2.py --data-dir ../shared/data --runs runs --json runs/stylegan2.json

takes each training that there is in the folder of `--runs`, by the name of its row:

    RUNS/stylegan2-emoji                        preset
    RUNS/stylegan2-emoji-without_ada            the same recipe without `augment`
    RUNS/stylegan2-emoji-dcgan                  a DCGAN (`dcgan-fashion_mnist`'s recipe), on the same data for as long

and likewise of `--preset stylegan2-fashion_mnist`, which has no augmentation to leave out. They are made by

    python scripts/stylegan2.py --train preset --preset stylegan2-emoji --data-dir ../shared/data --runs runs
    python scripts/stylegan2.py --train without_ada --preset stylegan2-emoji --data-dir ../shared/data --runs runs
    python scripts/stylegan2.py --train dcgan --preset stylegan2-emoji --data-dir ../shared/data --runs runs

(the same resumes; "preset" is `ganzoo train`, watched also where the data have no extractor of their own). The DCGAN
trains for as many epochs as take as long here: both models' steps are timed first, and `--epochs` says it instead.

Distances are Frechet's, precision and recall of `--limit` images to as many training images, as the papers measure
them, in the features of the data's classifier, of emoji at half their size in those of CIFAR-10's. "path length" is
`ganzoo.metrics.perceptual_path_length` in the same features, and "truncation" a table of these by psi. r_t and
`augment_p` are the last epoch's means. Pictures: PRESET-mixing.png, rows take coarse styles and columns fine ones;
PRESET-truncation.png; PRESET-curves.png, r_t and the Frechet distance of each training by its log.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
from controls import lines, model_of, recipe_of

import ganzoo
from ganzoo import metrics, plot
from ganzoo.zoo import presets, training

EMOJI, CLOTHING, DCGAN = "stylegan2-emoji", "stylegan2-fashion_mnist", "dcgan-fashion_mnist"
CONTROLS = {EMOJI: ("preset", "without_ada", "dcgan"), CLOTHING: ("preset", "dcgan")}
TRUNCATIONS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TIMED = 32  # steps, two rounds of the rarest penalty
SHOWN = 6  # sources of a sheet


def halved(images: np.ndarray) -> np.ndarray:
    """Images of half the height and width, means of four pixels; bytes stay bytes."""
    n, height, width, channels = images.shape
    small = images.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4), dtype="float32")
    return np.rint(small).astype("uint8") if images.dtype == np.uint8 else small


class Halved:
    """CIFAR-10's classifier, shown images at half their size."""

    def __init__(self):
        self._own = metrics.extractor("cifar10")
        self.name = self.id = f"{self._own.id}-half"

    def features(self, images: np.ndarray) -> np.ndarray:
        return self._own.features(halved(images))

    def float_features(self, images: np.ndarray) -> np.ndarray:
        return self._own.float_features(halved(images))


def extractor_of(preset: str):
    return Halved() if preset == EMOJI else metrics.extractor("fashion_mnist")


def images_of(preset: str, data_dir) -> np.ndarray:
    """Its training images."""
    dataset = recipe_of(preset)["dataset"]
    shape = dataset.get("image_shape")
    return ganzoo.data.load_parts(
        dataset["name"], dataset["split"], data_dir=data_dir, image_shape=shape and tuple(shape)
    )["images"]


# --- Trainings


def folder_of(runs: Path, preset: str, kind: str) -> Path:
    return runs / (preset if kind == "preset" else f"{preset}-{kind}")


def recipe_for(preset: str, kind: str) -> dict:
    """The recipe of a control."""
    recipe = recipe_of(preset)
    if kind == "without_ada":
        del recipe["training"]["augment"]
    if kind == "dcgan":
        other, shape = recipe_of(DCGAN), recipe["arguments"]["image_shape"]
        training_ = other["training"] | {"epochs": recipe["training"]["epochs"]}
        recipe |= {"model": other["model"], "paper": other["paper"], "training": training_}
        recipe["arguments"] = other["arguments"] | {"image_shape": shape}
    return recipe | {"description": f"{preset}, {kind.replace('_', ' ')}", "departures": []}


def seconds_of(recipe: dict, images: np.ndarray, path: Path) -> float:
    """What an epoch of a recipe takes here, by some steps of it."""
    path.write_text(json.dumps(recipe) + "\n")
    checked = presets.read_recipe(path)
    model, batch = training.compiled(checked, len(images), path), checked.training.batch_size
    some = images[np.arange(TIMED * batch) % len(images)]
    model.fit(some, batch_size=batch, verbose=0)
    begin = time.perf_counter()
    model.fit(some, batch_size=batch, verbose=0)
    return (time.perf_counter() - begin) / TIMED * (len(images) // batch)


def train(preset: str, kind: str, runs: Path, data_dir=None, epochs: int | None = None, **options) -> ganzoo.GAN:
    """Trains a preset or a control of it in its folder of `runs`, or goes on with it; options are `ganzoo.train`'s."""
    folder = folder_of(runs, preset, kind)
    runs.mkdir(parents=True, exist_ok=True)
    given = {"extractor": extractor_of(preset), "data_dir": data_dir, "augment": False, **options}  # but the recipe's
    if kind == "preset":
        return ganzoo.train(preset, folder, epochs=epochs, **given)
    path = folder.with_name(f"{folder.name}.yaml")
    if not path.is_file():  # which holds how long it trains
        recipe = recipe_for(preset, kind)
        if epochs is None and kind == "dcgan":
            images, trial = images_of(preset, data_dir), runs / "timed.yaml"
            lasts = recipe_of(preset)["training"]["epochs"] * seconds_of(recipe_of(preset), images, trial)
            epochs = max(1, round(lasts / seconds_of(recipe, images, trial)))
            trial.unlink()
        recipe["training"]["epochs"] = epochs or recipe["training"]["epochs"]
        path.write_text(json.dumps(recipe, indent=2) + "\n")  # JSON is YAML
    return ganzoo.train(path, folder, **given)


def models(preset: str, runs: Path) -> dict[str, ganzoo.GAN]:
    """The trained ones, by the name of their row."""
    found = {}
    for kind in CONTROLS[preset]:
        folder = folder_of(runs, preset, kind)
        command = f"python scripts/stylegan2.py --train {kind} --preset {preset} --data-dir FOLDER --runs {runs}"
        published = kind == "preset" and ganzoo.info(preset).pretrained and not (folder / "model.keras").is_file()
        found[kind.replace("_", " ")] = ganzoo.load(preset) if published else model_of(folder, command)
    return {name: model for name, model in found.items() if model is not None}


# --- Measures


def number(value: float) -> dict:
    return {"value": float(value)}


def path_length(model: ganzoo.GAN, see, num: int) -> float:
    """Perceptual path length along arcs of latents; all else that the model draws from stays."""
    drawn = model.seeded_latents(num, 0)
    held = {name: x for name, x in drawn.items() if name != "latents"} if isinstance(drawn, dict) else {}
    return metrics.perceptual_path_length(
        model.predict_on_batch, see.float_features, model.latent_dim, num_samples=num, inputs=held
    )


def row(model: ganzoo.GAN, reference: metrics.Reference, num: int, see, **told) -> dict[str, dict]:
    found = metrics.score(model.generate(num, seed=0, **told), reference)
    shown = {name: number(found[name]) for name in ("frechet_distance", "precision", "recall")}
    return shown if told else shown | {"path_length": number(path_length(model, see, num))}


def log_of(folder: Path) -> dict[str, list[float]]:
    """The columns of a training's log that are whole; none of a training elsewhere."""
    if not (folder / "log.csv").is_file():
        return {}
    with open(folder / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [each[name] for each in rows] for name in (rows[0] if rows else ())}
    return {name: [float(x) for x in column] for name, column in columns.items() if "NA" not in column}


def evaluate(preset: str, args: argparse.Namespace) -> dict:
    """{"rows": ..., "truncation": ...: numbers by row and column, "logs": by row, "protocol": what they depend on}."""
    see, images = extractor_of(preset), images_of(preset, args.data_dir)
    num = min(args.limit, len(images))
    some = images[np.sort(np.random.default_rng(0).permutation(len(images))[:num])]
    reference, trained = metrics.Reference(see, some), models(preset, args.runs)
    rows = {name: row(model, reference, num, see) for name, model in trained.items()}
    logs = {kind.replace("_", " "): log_of(folder_of(args.runs, preset, kind)) for kind in CONTROLS[preset]}
    for name, found in rows.items():
        found |= {key: number(logs[name][key][-1]) for key in ("r_t", "augment_p") if key in logs[name]}
    truncation = {}
    if "preset" in trained:
        model = trained["preset"]
        truncation = {f"{psi:g}": row(model, reference, num, see, truncation=psi) for psi in args.truncations}
        pictures(preset, model, args.runs, args.truncations)
    curves(preset, logs, args.runs)
    about = f"{num} images to as many training images, in the features of {see.id}; seed 0"
    return {"rows": rows, "truncation": truncation, "logs": logs, "protocol": about}


# --- Pictures


def pictures(preset: str, model: ganzoo.GAN, runs: Path, truncations) -> None:
    """Sheets of mixed and of truncated styles."""
    blank = np.full((1, *model.image_shape), 255, "uint8")
    coarse, fine = (model.seeded_latents(SHOWN, seed)["latents"] for seed in (1, 2))
    above, left = (model.generate(latents=z, seed=0) for z in (fine, coarse))
    for crossover in sorted({2, model.num_layers // 2}):
        cells = [blank, *above[:, None]]
        for z, own in zip(coarse, left):
            drawn = model.generate(SHOWN, seed=0, latents=z, mixed=fine, crossover=crossover)
            cells += [own[None], *drawn[:, None]]
        sheet = plot.image_grid(np.concatenate(cells), columns=SHOWN + 1)
        plot.save_png(runs / f"{preset}-mixing{crossover}.png", sheet)
    drawn = [model.generate(latents=coarse, seed=0, truncation=psi) for psi in truncations]
    sheet = plot.image_grid(np.stack(drawn, axis=1).reshape(-1, *model.image_shape), columns=len(drawn))
    plot.save_png(runs / f"{preset}-truncation.png", sheet)


def curves(preset: str, logs: dict[str, dict[str, list[float]]], runs: Path) -> None:
    """r_t, its aim and the Frechet distance by epoch."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
    for axis, key in zip(axes, ("r_t", "augment_p", "frechet_distance")):
        for color, (name, log) in zip(plot.COLORS, logs.items()):
            if key in log:
                axis.plot(np.arange(1, len(log[key]) + 1), log[key], color=color, label=name)
        axis.set(xlabel="epoch", title=key.replace("_", " "))
    axes[0].axhline(0.6, color="0.7", linewidth=1)
    axes[2].legend()
    figure.savefig(runs / f"{preset}-curves.png", dpi=120)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with emoji_captions/ and fashion_mnist/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings, and of pictures")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--preset", choices=[*CONTROLS], help="that alone")
    parser.add_argument("--train", choices=CONTROLS[EMOJI], help="train the preset or a control of it, and no more")
    parser.add_argument("--epochs", type=int, help="of that training")
    parser.add_argument("--limit", type=int, default=5000, help="images")
    parser.add_argument("--truncations", type=float, nargs="*", default=TRUNCATIONS)
    args = parser.parse_args(arguments)
    if args.train:
        if args.preset is None or args.train not in CONTROLS[args.preset]:
            parser.error(f"say of which preset, --preset {EMOJI}: {CLOTHING} has no augmentation to leave out")
        train(args.preset, args.train, args.runs, args.data_dir, args.epochs)
        return
    args.runs.mkdir(parents=True, exist_ok=True)
    tables = {}
    for preset in [args.preset] if args.preset else CONTROLS:
        table = tables[preset] = evaluate(preset, args)
        print(f"\n{preset}\n\n{lines(table['rows'])}\n\n{lines(table['truncation'], 'psi')}\n\n{table['protocol']}")
    if args.json:
        args.json.write_text(json.dumps(tables, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
