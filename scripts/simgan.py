"""Evaluates the presets of SimGAN beside controls, each in a table, in Markdown.

    python scripts/simgan.py --data-dir ../shared/data --runs runs --json runs/simgan.json

takes a preset from its card, or before it has one from `runs/PRESET/model.keras`; what is not trained yet is said, and
its rows are left out. The control "without adversary" is the same refiner, trained as long by the second term of its
loss; and the presets with other weights of that term are trained and scored alike:

    python scripts/simgan.py --train simgan-digits-without_adversary --data-dir ../shared/data --runs runs
    python scripts/simgan.py --train simgan-digits-l1_3 --data-dir ../shared/data --runs runs     # or l1_10, l1_0.5

The same command resumes a training. Every `runs/simgan-digits-l1_*` has a row.

*Digits.* A small classifier learns from labelled images and is tested on MNIST's test set: from digits of 100 fonts as
they are; from the same, each warped 20 times; from these warped ones refined, by each model; and from as many
handwritten ones, the upper bound. Learning rate and length are chosen for each row by itself, among four, by its
accuracy on the last 5000 of MNIST's training images, whose labels no row learns from; but refiners have seen all 60 000
of these images, unlabelled. Then five seeds, each of its own initial weights and order, the same in every row: mean
accuracy, and the difference to the warped digits (paired, Student's t).
"labels kept" is how often the bundled classifier of MNIST finds in an image the digit that was rendered; it does not
know fonts, and errs on some of the rendered digits themselves. "labels kept, of both" is by a classifier that learned
from handwritten digits and from all rendered ones (these, as they were rendered, it has seen), and "other fonts" the
same for fonts that no refiner has seen, nor one nearly like them. "change" is the mean of a pixel, from 0 to 1. Their
intervals are by bootstrap over the fonts. The Frechet distance to MNIST's test images is of the features of the bundled
classifier; of fewer images than in the other rows it would be larger, and is left out.

*Eyes.* "told apart" is how well a linear classifier of features tells images of the row from real ones: the area under
its ROC curve, .5 for not at all, on a fifth of either that it does not know, the mean of all five. "gaze" is the mean
error, in degrees, of a linear model of pixels that learns both angles from all rendered images but the one it is asked
about. As many real images as there are rendered ones, drawn at random, are a row of their own, the upper bound; all
rows are compared with the others, so that their numbers are the same. Images of training are among them.

Intervals are 95 %. All numbers compare only among themselves.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import controls
import facades
import keras
import numpy as np
from scipy import stats

import ganzoo
from ganzoo import metrics
from ganzoo.data.rendered import COPIES, font_digits, rendered_eyes
from ganzoo.metrics.extractors import build_classifier
from ganzoo.zoo.registry import register

DIGITS, EYES = "simgan-digits", "simgan-eyes"
CONTROL, WEIGHT = "-without_adversary", "-l1_"
BASELINE = "rendered, warped (baseline)"
WIDTHS, BATCH = (8, 16, 32, 32, 64), 64
RATES, STEPS = (1e-3, 4e-3), (400, 1200)
SEEDS, TUNING_SEED, HELD_OUT, FOLDS = 5, 100, 5000, 5
RIDGE = {"domain": 1.0, "gaze": 10.0}


# --- The trained models


@keras.saving.register_keras_serializable(package="simgan")
class WithoutAdversary(controls.WithoutAdversary, ganzoo.SimGAN):
    """A refiner that learns to draw what it is given."""

    extra_logs = ()

    def truth_loss(self, real, fake):
        return self.l1_weight * self.l1(real, fake)


def train(name: str, runs: Path, **options) -> ganzoo.GAN:
    """Trains a control, or a preset of another l1_weight, in `runs/name`, or goes on; options are `ganzoo.train`'s."""
    preset = next((preset for preset in (DIGITS, EYES) if name.startswith(f"{preset}-")), None)
    kind = name.removeprefix(preset or "")
    weight = kind.removeprefix(WEIGHT) if kind.startswith(WEIGHT) else ""
    if preset is None or not (kind == CONTROL or weight.replace(".", "", 1).isdecimal()):
        raise SystemExit(f"--train takes {DIGITS}{CONTROL}, {DIGITS}{WEIGHT}3 and the like. Received: {name}")
    recipe = controls.recipe_of(preset) | {"description": name}
    if weight:
        recipe["arguments"]["l1_weight"] = float(weight)
        path = runs / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(recipe, indent=2) + "\n")  # JSON is YAML
        return ganzoo.train(path, runs / name, **options)
    register("refiner_alone")(WithoutAdversary)
    # One update in a step, of one batch, so that as many are made in an epoch.
    recipe["model"], recipe["arguments"] = "refiner_alone", {**recipe["arguments"], "generator_steps": 1}
    return controls.train_without_adversary(recipe, runs / name, **options)


def models(preset: str, runs: Path) -> dict[str, ganzoo.GAN]:
    """The trained ones, by the name of their row."""
    command = f"python scripts/simgan.py --train {preset}{CONTROL} --data-dir FOLDER --runs {runs}"
    found = {"without adversary": controls.model_of(runs / f"{preset}{CONTROL}", command)}
    if ganzoo.info(preset).pretrained:
        found["preset"] = ganzoo.load(preset)
    else:
        command = f"python scripts/train.py {preset} --data-dir FOLDER --output {runs / preset}"
        found["preset"] = controls.model_of(runs / preset, command)
    for folder in sorted(runs.glob(f"{preset}{WEIGHT}*/")):
        found[f"l1_weight {folder.name.rpartition('_')[2]}"] = controls.model_of(folder, "ganzoo train, as above")
    return {name: model for name, model in found.items() if model is not None}


def refine(model: ganzoo.GAN, images: np.ndarray) -> np.ndarray:
    return model.generate(source=images, seed=0, batch_size=250)


def change(images: np.ndarray, refined: np.ndarray, groups: np.ndarray | None = None) -> dict:
    return over(np.abs(refined.astype("float64") - images).mean(axis=(1, 2, 3)) / 255, groups)


def over(each: np.ndarray, groups: np.ndarray | None = None) -> dict:
    """The mean over images, and its interval over groups of them that are alike."""
    means = each if groups is None else controls.means_by(each, groups)
    return {"value": float(each.mean()), "interval": metrics.interval(means)}


# --- A classifier of digits


Labelled = Sequence[np.ndarray]  # images and labels


def batches(images: np.ndarray, labels: np.ndarray, seed: int):
    """Endless batches in random order."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(images))
        for i in range(0, max(len(images) - BATCH, 0) + 1, BATCH):
            chosen = order[i : i + BATCH]
            yield images[chosen].astype("float32"), labels[chosen]


def classifier(data: Labelled, rate: float, steps: int, seed: int) -> keras.Model:
    random.seed(seed)  # where Keras' initial weights come from
    whole = build_classifier(data[0].shape[1:], 10, WIDTHS)
    network = keras.Model(whole.inputs, whole.outputs[1])
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(schedule), loss)
    network.fit(batches(*data, seed), steps_per_epoch=steps, shuffle=False, verbose=0)
    return network


def logits_of(network: keras.Model, images: np.ndarray) -> np.ndarray:
    return network.predict(images.astype("float32"), batch_size=500, verbose=0)


def accuracy(network: keras.Model, data: Labelled) -> float:
    return float((logits_of(network, data[0]).argmax(axis=1) == data[1]).mean())


def accuracies(train_set: Labelled, held_out: Labelled, test: Labelled, seeds: int) -> tuple[list[float], str]:
    """On the test set, of each seed; and what was chosen on the images held out."""
    tried = [(rate, steps) for rate in RATES for steps in STEPS]
    score = {settings: accuracy(classifier(train_set, *settings, TUNING_SEED), held_out) for settings in tried}
    best = max(score, key=lambda settings: score[settings])
    found = [accuracy(classifier(train_set, *best, seed), test) for seed in range(seeds)]
    return found, "rate {:g}, {} steps".format(*best)


def mean(values: np.ndarray) -> dict:
    """Mean over seeds, with Student's t."""
    values = np.asarray(values, "float64")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"value": float(values.mean()), "interval": (float(values.mean() - half), float(values.mean() + half))}


# --- Digits


def digits(args: argparse.Namespace) -> tuple[dict, str]:
    """Rows of numbers, and what they depend on."""
    load = partial(ganzoo.data.load_parts, data_dir=args.data_dir)
    cut = lambda part: part[: args.limit]  # noqa: E731
    mnist, tested = (load("mnist", split).values() for split in ("train", "test"))
    held_out, test = [cut(part[-HELD_OUT:]) for part in mnist], [cut(part) for part in tested]
    warped, others = (
        [load("simgan_digits", split)[key] for key in ("rendered", "labels")] for split in ("train", "test")
    )
    once = list(font_digits("train", args.data_dir).values())
    order = np.random.default_rng(0).permutation(len(warped[0]))[: args.limit]
    copies = COPIES["simgan_digits"]
    font_of_once, font_of_others = cut(font_of_each(once[0], None)), font_of_each(others[0], copies["test"])
    font, warped = font_of_each(warped[0], copies["train"])[order], [part[order] for part in warped]
    found = models(DIGITS, args.runs)
    learned = {"rendered, as they are": [cut(part) for part in once]}
    learned[BASELINE] = warped
    learned |= {name: [refine(model, warped[0]), warped[1]] for name, model in found.items()}
    learned["handwritten (upper bound)"] = [part[: len(order)] for part in mnist]
    both = [np.concatenate(parts) for parts in zip([part[: len(order)] for part in mnist], warped, others)]
    reader = classifier(both, max(RATES), max(STEPS), TUNING_SEED)
    rows, classify, base = {}, metrics.extractor("mnist"), []
    for name, data in learned.items():
        scores, chosen = accuracies(data, held_out, test, args.seeds)
        base = scores if name == BASELINE else base
        rows[name] = {"accuracy": mean(scores), "chosen": chosen}
        if base and name != BASELINE:
            rows[name]["gain"] = mean(np.subtract(scores, base))
        groups = {"rendered, as they are": font_of_once, "handwritten (upper bound)": None}.get(name, font)
        rows[name]["labels_kept"] = kept(classify.logits, data, groups)
        rows[name]["labels_kept,_of_both"] = kept(partial(logits_of, reader), data, groups)
        if len(data[0]) == len(order):
            sides = [metrics.GaussianMoments().update(classify.features(images)) for images in (test[0], data[0])]
            rows[name]["frechet"] = {"value": sides[0].distance(sides[1])}
    rows[BASELINE]["other_fonts"] = kept(partial(logits_of, reader), others, font_of_others)
    for name, model in found.items():
        refined = refine(model, others[0]), others[1]
        rows[name]["other_fonts"] = kept(partial(logits_of, reader), refined, font_of_others)
        rows[name]["change"] = change(warped[0], learned[name][0], font)
    told = f"{len(order)} images to learn from, {len(held_out[0])} to tune on, {len(test[0])} test images"
    return rows, f"{told}, {args.seeds} seeds; {classify.id}"


def font_of_each(images: np.ndarray, copies: int | None) -> np.ndarray:
    """The font of each image (n,), in the order of `font_digits`: by digit, of these by font, its copies together."""
    glyphs = np.arange(len(images)) // (copies or 1)
    return glyphs % max((glyphs[-1] + 1) // 10, 1)


def kept(logits: Callable[[np.ndarray], np.ndarray], data: Labelled, groups: np.ndarray | None = None) -> dict:
    """How often a classifier finds in an image what was rendered; groups of images are alike."""
    return over((logits(data[0]).argmax(axis=1) == data[1]).astype("float64"), groups)


# --- Eyes


def eyes(args: argparse.Namespace) -> tuple[dict, str]:
    """Rows of numbers, and what they depend on."""
    train, test = (rendered_eyes(split, args.data_dir) for split in ("train", "test"))
    rendered, real, gaze = (np.concatenate([train[key], test[key]]) for key in ("rendered", "real", "gaze"))
    degrees = np.degrees(gaze.astype("float64"))
    images = {"rendered (baseline)": rendered}
    images |= {name: refine(model, rendered) for name, model in models(EYES, args.runs).items()}
    rows: dict[str, dict] = {"mean angles (lower bound)": {"gaze": number(np.abs(degrees - degrees.mean(axis=0)))}}
    seen = features_of(real)[np.random.default_rng(0).permutation(len(real))]
    some, seen = seen[: len(rendered)], seen[len(rendered) :]
    for name, each in images.items():
        rows[name] = likeness(features_of(each), seen)
        rows[name]["gaze"] = number(gaze_errors(rendered, each, degrees))
        rows[name] |= {"change": change(rendered, each)} if each is not rendered else {}
    rows["as many real ones (upper bound)"] = likeness(some, seen)
    told = f"{len(rendered)} images in each row, compared with {len(seen)} real ones"
    return rows, f"{told}; {extractor().id}, crops of {SIDE}x{SIDE}"


SIDE, STEPS_OF_CROPS = 32, (3, 6)  # pixels: of a crop, from one to the next


@functools.cache
def extractor() -> metrics.Extractor:
    return metrics.extractor("cifar10")


def features_of(images: np.ndarray) -> np.ndarray:
    """float64 (n, crops, d): features of crops, as grey in colour."""
    height, width = images.shape[1:3]
    rows, columns = (range(0, side - SIDE + 1, step) for side, step in zip((height, width), STEPS_OF_CROPS))
    places = [(a, b) for a in rows for b in columns]
    crops = np.stack([images[:, a : a + SIDE, b : b + SIDE] for a, b in places], axis=1).reshape(-1, SIDE, SIDE, 1)
    found = extractor().features(crops.repeat(3, axis=-1))
    return found.astype("float64").reshape(len(images), len(places), -1)


def likeness(found: np.ndarray, seen: np.ndarray) -> dict[str, dict]:
    """Of features (n, crops, d) to those of real images."""
    return {"told_apart": told_apart(found.mean(axis=1), seen.mean(axis=1)), "frechet": facades.frechet(seen, found)}


def told_apart(some: np.ndarray, others: np.ndarray, seed: int = 0) -> dict:
    """Area under the ROC curve of a linear classifier, on each fold of both sides that it did not learn from; the mean.

    Not by leaving out one image at a time: what is left has its mean on the other side of it, and the area for images
    that do not differ is below .5.
    """
    x, y = np.concatenate([some, others]), np.repeat([-1.0, 1.0], [len(some), len(others)])
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    rng = np.random.default_rng(seed)
    folds = np.concatenate([rng.permutation(len(each)) % FOLDS for each in (some, others)])
    scores = left_out(x, x, y[:, None], RIDGE["domain"] * x.shape[1], folds)[:, 0]
    areas = [area(scores[(folds == fold) & (y < 0)], scores[(folds == fold) & (y > 0)]) for fold in range(FOLDS)]
    return {"value": float(np.mean(areas))}


def area(low: np.ndarray, high: np.ndarray) -> float:
    """How often a score of `high` exceeds one of `low`; half for equal ones."""
    apart = high[:, None] - low
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def gaze_errors(rendered: np.ndarray, refined: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Absolute errors (n, 2) of angles read from refined images, by what was learned from rendered ones."""
    flat = [images.reshape(len(images), -1) / 255.0 for images in (rendered, refined)]
    learned, asked = (each - each.mean(axis=1, keepdims=True) for each in flat)
    return np.abs(left_out(learned, asked, degrees, RIDGE["gaze"]) - degrees)


def left_out(
    x: np.ndarray, asked: np.ndarray, y: np.ndarray, ridge: float, folds: np.ndarray | None = None
) -> np.ndarray:
    """What ridge regression says of rows of `asked`, having learned from x (n, d) and y (n, k) but those of their fold.

    Without `folds` (n,), each row is one.
    """
    found, folds = np.empty(y.shape), np.arange(len(x)) if folds is None else folds
    for fold in np.unique(folds):
        own = folds == fold
        centre, middle = x[~own].mean(axis=0), y[~own].mean(axis=0)
        others = x[~own] - centre
        weights = np.linalg.solve(others @ others.T + ridge * np.eye(len(others)), y[~own] - middle)
        found[own] = (asked[own] - centre) @ others.T @ weights + middle
    return found


def number(errors: np.ndarray) -> dict:
    each = errors.mean(axis=1)
    return {"value": float(each.mean()), "interval": metrics.interval(each)}


# --- The command


def markdown(rows: dict[str, dict]) -> str:
    """A table of rows of {"value", "interval"}, and of words."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    cell = lambda found: found if isinstance(found, str) else facades.cell(found)  # noqa: E731
    lines = [["", *(column.replace("_", " ") for column in columns)], ["---", *["--:"] * len(columns)]]
    lines += [[name, *(cell(row.get(column)) for column in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with mnist/ and simgan/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--only", choices=[DIGITS, EYES], help="one of the two")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--train", metavar="NAME", help="train a control or another weight in RUNS/NAME, and no more")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each classifier")
    parser.add_argument("--limit", type=int, help="only so many images of each set of digits, to try the script")
    args = parser.parse_args(arguments)
    if args.train:
        train(args.train, args.runs, data_dir=args.data_dir)
        return
    found = {}
    for preset, evaluate in ((DIGITS, digits), (EYES, eyes)):
        if args.only in (None, preset):
            rows, protocol = evaluate(args)
            found[preset] = {"rows": rows, "protocol": protocol}
            print(f"\n{preset} ({protocol})\n\n{markdown(rows)}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
