"""How much of what small size costs a classifier Perceptual GAN gives back, beside controls: one table, in Markdown.

    python scripts/small_objects.py --train --data-dir ../shared/data --runs runs     # the same again goes on
    python scripts/small_objects.py --data-dir ../shared/data --runs runs --json runs/small_objects.json

The first trains all rows from five seeds in `runs/small_objects/SEED/ROW.keras`, by the recipes of both phases; what is
there is taken as it is. The second scores them on the 430 test signs, at full size and reduced to 8, 10, 12, 14 and 16
pixels. Rows, all of one network (but that "large" has no residual) and one augmentation:

- "large": the first phase, trained on images at full size. Full size is the upper bound, small size the lower one.
- "small", "both": the same network, all of it trained on small images from the beginning, or on as many at full size
  and small; as many steps as both phases together.
- "fine-tuned": "large", all of it trained on small images for the steps of the second phase.
- "without adversary": the second phase with the classes alone; "perceptual GAN": the second phase.

"Share" is that of the gap between "large" at full size and at small size which a row closes; 0 is "large" itself, 1 its
accuracy at full size. Intervals are 95 %, by bootstrap over test signs and seeds alike, for differences in pairs.
`--tune` chooses nothing: it prints what each row reaches at other learning rates, trained on 40 images of each class
and scored on the other 10, never on test signs; `RATES` holds what was chosen so. (The same physical sign may be among
the 40 and among the 10: these accuracies are too high, and serve to compare.)
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from controls import recipe_of
from keras import ops

import ganzoo
from ganzoo import losses
from ganzoo.data.shrinking import shrunk
from ganzoo.zoo import training
from ganzoo.zoo.recipes import Recipe

PRESET, LARGE = "perceptual_gan-gtsrb", "perceptual_gan-gtsrb_large"
SIZES = (8, 10, 12, 14, 16)
HELD_OUT = 10  # of each class, for `--tune`
RATES = {"small": 1e-3, "both": 1e-3, "fine-tuned": 1e-3}  # of the controls; the others have their recipes'
TRIED = (0.5, 1.0, 2.0)  # times these, by `--tune`
PAIRS = (("perceptual GAN", "without adversary"), ("perceptual GAN", "fine-tuned"), ("perceptual GAN", "small"))


@keras.saving.register_keras_serializable(package="small_objects")
class Plain(ganzoo.PerceptualGAN):
    """The same network, all of it trained to name the classes of small images, or of small and large ones."""

    def __init__(self, *args, sees: str = "small", **kwargs):
        super().__init__(*args, **kwargs)
        self.sees = sees
        self.arguments["sees"] = sees
        for layer in self.generator.layers:
            layer.trainable = True

    def prepare(self, real, training):
        real = super().prepare(real, training)
        if self.sees == "small" or not training:
            return real
        draws = self.noise("uniform", (ops.shape(real["images"])[0], 1, 1, 1))
        return {**real, "images": ops.where(draws < 0.5, real["large"], real["images"])}

    def discriminator_loss(self, real, fake, training):
        return losses.class_loss(self.discriminate(fake, training)[1], real["labels"])

    generator_loss = discriminator_loss


# --- Training


def rows() -> dict[str, dict]:
    """What to train: each row's recipe, as plain data, and whether it begins with "large"."""
    large, small = recipe_of(LARGE), recipe_of(PRESET)
    epochs = {
        "scratch": large["training"]["epochs"] + small["training"]["epochs"],
        "tuned": small["training"]["epochs"],
    }
    found = {"large": {"recipe": large}}
    for row in ("small", "both", "fine-tuned"):
        rate = {"learning_rate": RATES[row]}
        changed = {"epochs": epochs["tuned" if row == "fine-tuned" else "scratch"]}
        changed |= {"optimizer": {"generator": rate, "discriminator": rate}}
        found[row] = {"recipe": {**small, "training": {**large["training"], **changed}}}
        found[row] |= {"class": Plain, "sees": "both" if row == "both" else "small"}
    alone = {**small, "arguments": {**small["arguments"], "adversarial_weight": 0.0}}
    found |= {"without adversary": {"recipe": alone}, "perceptual GAN": {"recipe": small}}
    for row in ("fine-tuned", "without adversary", "perceptual GAN"):
        found[row]["begins"] = True
    return found


def train(row: str, seed: int, folder: Path, images, labels, epochs: int | None = None, factor: float = 1.0):
    """A row's model, trained from a seed in `folder`, or what is there already."""
    path = folder / f"{row.replace(' ', '_')}.keras"
    if path.is_file():
        return keras.saving.load_model(path, compile=False)
    plan = rows()[row]
    begun = train("large", seed, folder, images, labels, epochs) if plan.get("begins") else None
    recipe = plan["recipe"]
    recipe["training"] |= {"seed": seed} | ({"epochs": epochs} if epochs else {})
    for optimizer in recipe["training"]["optimizer"].values():
        optimizer["learning_rate"] *= factor
    recipe.pop("begin_with", None)
    keras.utils.set_random_seed(seed)
    checked = Recipe.model_validate(recipe).training
    model = plan.get("class", ganzoo.PerceptualGAN)(
        **recipe["arguments"], **({"sees": plan["sees"]} if "sees" in plan else {}), seed=seed, dtype=checked.precision
    )
    if begun is not None:
        for own, given in ((model.generator, begun.generator_ema), (model.discriminator, begun.discriminator_ema)):
            own.set_weights(given.get_weights())
            model.average_of(own).set_weights(given.get_weights())
    steps = max(len(images) // checked.batch_size, 1)
    training.compile_for(model, checked, steps * checked.epochs)
    model.fit(images, labels, batch_size=checked.batch_size, epochs=checked.epochs, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")  # what is cut off while it is written is not taken for a training
    model.save(beside)
    os.replace(beside, path)
    print(f"Trained {row}, seed {seed}: {path}", flush=True)
    return model


# --- Scores


def right(model, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Whether each image is classified rightly, at full size and at each of `SIZES`; float64 (n,)."""
    seen = {"full": images, **{str(size): shrunk(images, size) for size in SIZES}}
    return {size: (model.classify(x).argmax(axis=1) == labels).astype("float64") for size, x in seen.items()}


def measures(found: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Accuracies and shares of each row from (seeds, 1 + sizes, signs) of right answers, full size first."""
    bound = found["large"].mean(axis=(0, 2))
    gap = bound[0] - bound[1:].mean()
    table = {}
    for row, answers in found.items():
        full, *small = answers.mean(axis=(0, 2))
        overall = float(np.mean(small))
        numbers = {"full": full, **dict(zip(map(str, SIZES), small)), "small": overall}
        table[row] = numbers | {"share": (overall - bound[1:].mean()) / gap if gap else 0.0}
    for one, other in PAIRS:
        if one in table and other in table:
            table[f"{one} - {other}"] = {key: table[one][key] - table[other][key] for key in table[one]}
    return table


def with_intervals(found: dict[str, np.ndarray], draws: int = 2000) -> dict[str, dict[str, dict]]:
    """`measures`, each with its 95 % interval by bootstrap over signs and seeds."""
    rng, values = np.random.default_rng(0), measures(found)
    seeds, _, signs = found["large"].shape
    drawn = []
    for _ in range(draws):
        by_seed, by_sign = rng.integers(seeds, size=seeds), rng.integers(signs, size=signs)
        drawn.append(measures({row: answers[by_seed][..., by_sign] for row, answers in found.items()}))
    return {
        row: {
            key: {"value": float(value), "interval": np.quantile([d[row][key] for d in drawn], (0.025, 0.975)).tolist()}
            for key, value in numbers.items()
        }
        for row, numbers in values.items()
    }


def evaluate(args: argparse.Namespace, data: Callable) -> dict:
    images, labels = data("test", args)
    found: dict[str, list] = {}
    for seed in range(args.seeds):
        for row in rows():
            path = args.runs / "small_objects" / str(seed) / f"{row.replace(' ', '_')}.keras"
            if not path.is_file():
                raise SystemExit(f"{path} is missing: make it with python scripts/small_objects.py --train")
            answers = right(keras.saving.load_model(path, compile=False), images, labels)
            found.setdefault(row, []).append(np.stack(list(answers.values())))
    table = with_intervals({row: np.stack(answers) for row, answers in found.items()}, args.draws)
    for row, answers in found.items():
        table[row]["small"]["by_seed"] = [float(each[1:].mean()) for each in answers]
    if args.preset or ganzoo.info(PRESET).pretrained:
        model = ganzoo.load(PRESET) if not args.preset else keras.saving.load_model(args.preset, compile=False)
        alone = {"value": right(model, images, labels)}["value"]
        table["preset"] = {size: {"value": float(x.mean())} for size, x in alone.items()}
        table["preset"]["small"] = {"value": float(np.mean([alone[str(size)].mean() for size in SIZES]))}
    return {"rows": table, "protocol": f"{len(images)} test images, {args.seeds} seeds, {args.draws} bootstrap draws"}


def tune(args: argparse.Namespace, data: Callable) -> None:
    """Prints what each row reaches on images that are held out, at its learning rate times each of `TRIED`."""
    images, labels = data("train", args)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held_out[np.random.default_rng(0).permutation(np.flatnonzero(labels == label))[:HELD_OUT]] = True
    for row in rows():
        for factor in TRIED if row != "large" else (1.0,):  # the phase that others begin with has one rate
            folder = args.runs / "small_objects" / f"tune-{factor:g}"
            model = train(row, 0, folder, images[~held_out], labels[~held_out], args.epochs, factor)
            answers = right(model, images[held_out], labels[held_out])
            small = np.mean([answers[str(size)].mean() for size in SIZES])
            print(f"{row}, rates times {factor:g}: full {answers['full'].mean():.4f}, small {small:.4f}", flush=True)


def markdown(table: dict) -> str:
    columns = ["full", *map(str, SIZES), "small", "share"]
    lines = [["", *columns], ["---", *["--:"] * len(columns)]]
    lines += [[row, *(cell(numbers.get(key)) for key in columns)] for row, numbers in table["rows"].items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{table['protocol']}"


def cell(found: dict | None) -> str:
    if found is None:
        return ""
    return f"{found['value']:.3f}" + (" ({:.3f} to {:.3f})".format(*found["interval"]) if "interval" in found else "")


def signs(split: str, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    found = ganzoo.data.load_parts("gtsrb", split, data_dir=args.data_dir)
    return found["images"], found["labels"]


def main(arguments: list[str] | None = None, data: Callable = signs) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with gtsrb_subset/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--train", action="store_true", help="train what is not there, and no more")
    parser.add_argument("--tune", action="store_true", help="compare learning rates on held-out images, and no more")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="of each training, instead of the recipes'")
    parser.add_argument("--draws", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--preset", type=Path, help="a model.keras, a row of its own, instead of the published preset")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    args = parser.parse_args(arguments)
    if args.tune:
        return tune(args, data)
    if args.train:
        images, labels = data("train", args)
        for seed in range(args.seeds):
            for row in rows():
                train(row, seed, args.runs / "small_objects" / str(seed), images, labels, args.epochs)
        return None
    table = evaluate(args, data)
    print(markdown(table))
    if args.json:
        args.json.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n")
    return None


if __name__ == "__main__":
    main()
