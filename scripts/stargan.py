"""Evaluates the two presets of StarGAN beside controls, each in two tables, in Markdown.

    python scripts/stargan.py --data-dir ../shared/data --runs runs --json runs/stargan.json

takes a preset from its card, or before it has one from `runs/PRESET/model.keras`. The controls are the same networks,
trained as long: "without adversary" by the losses of classes and of reconstruction, "shuffled attributes" on images of
which each has the attributes of another. What is not trained yet is said, and its rows are left out:

    python scripts/stargan.py --train without_adversary --preset PRESET --data-dir ../shared/data --runs runs
    python scripts/stargan.py --train shuffled --preset PRESET --data-dir ../shared/data --runs runs

A translation gives all test images that have another value of an attribute this one. What it should be is known: of
clothing to the pixel (`ganzoo.data.coloured`), of emoji it is the same in the other style's drawing. A classifier of
our own judges attributes: another network than the presets' critics, trained here on the real training images, of
another seed, and kept in `runs/PRESET-classifier.keras`; "truth" shows what it makes of real images.

Columns: `asked`, how often it finds the value that was asked for; `kept`, how often the values that were not to change;
`error` and `rmse` to the truth, in grey levels of 255; `of_identity`, the error over that of the sources left as they
are. "nearest image" is the training image of the asked attributes that is nearest to the source by its pixels.
Intervals are 95 %, by bootstrap over the test images, of each of which the mean of its translations is taken: they say
nothing of another training.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from controls import means_by, model_of, recipe_of
from deocclusion import markdown, number
from keras import layers

import ganzoo

CLOTHING, EMOJI = "stargan-coloured_fashion_mnist", "stargan-emoji_styles"
CONTROLS = ("without_adversary", "shuffled")
BATCH, RATE, EPOCHS, MOST = 64, 1e-3, {CLOTHING: 4, EMOJI: 20}, 20_000  # of the classifier; images it is trained on
SHOWN = 8  # sources of a picture


@dataclasses.dataclass
class Task:
    """What a preset is tested on.

    Attributes:
        test, train: parts by name: `images`, and the attributes as arrays of str.
        attributes: values by attribute.
        truth: what test images of some rows should be with other attributes.
    """

    test: dict[str, np.ndarray]
    train: dict[str, np.ndarray]
    attributes: dict[str, list[str]]
    truth: Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]

    def translations(self):
        """(attribute, value, rows of the sources, what they are to have)."""
        for name, values in self.attributes.items():
            for value in values:
                rows = np.flatnonzero(self.test[name] != value)
                asked = {own: self.test[own][rows] for own in self.attributes}
                yield name, value, rows, asked | {name: np.full(len(rows), value)}


def task_of(preset: str, data_dir, limit: int | None) -> Task:
    """The data of a preset; of test images, the first so many."""
    recipe = recipe_of(preset)
    limit = max(limit - limit % 2, 2) if limit and preset == EMOJI else limit  # pairs
    test = {name: x[:limit] for name, x in parts_of(recipe, "test", data_dir).items()}
    train, attributes = parts_of(recipe, "train", data_dir), recipe["arguments"]["attributes"]
    if preset == EMOJI:  # the same in the other style is the image beside it
        return Task(test, train, attributes, lambda rows, asked: test["images"][rows ^ 1])
    grey = ganzoo.data.load("fashion_mnist", "test", data_dir=data_dir)[:limit]
    return Task(test, train, attributes, lambda rows, a: ganzoo.data.coloured(grey[rows], a["colour"], a["fill"]))


def parts_of(recipe: dict, split: str, data_dir) -> dict[str, np.ndarray]:
    """Images and their attributes."""
    dataset = recipe["dataset"]
    shape = dataset.get("image_shape")
    found = ganzoo.data.load_parts(dataset["name"], split, data_dir=data_dir, image_shape=shape and tuple(shape))
    return {name: found[name] for name in ("images", *recipe["arguments"]["attributes"])}


# --- The controls


def train_control(preset: str, kind: str, runs: Path, data_dir=None, **options) -> ganzoo.GAN:
    """Trains a control in `runs/PRESET-KIND` by the preset's recipe, or goes on with it.

    Args:
        preset, kind: one of the presets and of `CONTROLS`.
        runs: the folder of the trainings.
        data_dir, **options: those of `ganzoo.train`.
    """
    recipe = recipe_of(preset)
    if kind == "without_adversary":
        recipe["arguments"]["adversarial_weight"] = 0.0
    else:
        parts = options.pop("data", None) or parts_of(recipe, "train", data_dir)
        order = np.random.default_rng(0).permutation(len(parts["images"]))
        options["data"] = {name: x if name == "images" else x[order] for name, x in parts.items()}
    recipe |= {"description": f"{preset}, {kind}"}
    path = runs / f"{preset}-{kind}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recipe, indent=2) + "\n")  # JSON is YAML
    return ganzoo.train(path, runs / f"{preset}-{kind}", data_dir=data_dir, **options)


def models(preset: str, args: argparse.Namespace) -> dict[str, ganzoo.GAN]:
    """The trained ones, by the name of their row."""
    found: dict[str, ganzoo.GAN | None] = {}
    for kind in CONTROLS:
        command = f"python scripts/stargan.py --train {kind} --preset {preset} --data-dir FOLDER --runs {args.runs}"
        found[kind.replace("_", " ")] = model_of(args.runs / f"{preset}-{kind}", command)
    folder = args.runs / preset
    command = f"python scripts/train.py {preset} --data-dir FOLDER --output {folder}"
    found["preset"] = ganzoo.load(preset) if ganzoo.info(preset).pretrained else model_of(folder, command)
    return {name: model for name, model in found.items() if model is not None}


def nearest(sources: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The training image that is nearest to each source, by its pixels."""
    a, b = (x.reshape(len(x), -1).astype("float32") for x in (sources, train))
    return train[(np.square(b).sum(axis=1) - 2 * a @ b.T).argmin(axis=1)]


# --- The classifier


def classifier(shape: tuple[int, ...], attributes: dict[str, list[str]]) -> keras.Model:
    """Images, 0 to 255, to logits of the values of each attribute."""
    images = keras.Input(shape, name="images")
    x = layers.Rescaling(1 / 127.5, -1, name="scale")(images)
    for i, channels in enumerate((16, 32, 64, 64), 1):
        x = layers.Conv2D(channels, 3, 1 if i == 1 else 2, "same", use_bias=False, name=f"conv{i}")(x)
        x = layers.ReLU(name=f"relu{i}")(layers.BatchNormalization(momentum=0.9, name=f"norm{i}")(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    heads = {name: layers.Dense(len(values), name=name)(x) for name, values in attributes.items()}
    return keras.Model(images, heads, name="judge")


def trained_classifier(path: Path, task: Task, epochs: int) -> keras.Model:
    """The classifier in `path`; where there is none, it is trained and written there."""
    if path.is_file():
        return keras.saving.load_model(path)
    images = task.train["images"][:MOST]
    keras.utils.set_random_seed(1)
    network = classifier(images.shape[1:], task.attributes)
    network.compile(
        keras.optimizers.Adam(RATE),
        {name: keras.losses.SparseCategoricalCrossentropy(from_logits=True) for name in task.attributes},
    )
    numbers = {name: numbers_of(task.train[name][:MOST], values) for name, values in task.attributes.items()}
    network.fit(images.astype("float32"), numbers, batch_size=BATCH, epochs=epochs, verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    return network


def numbers_of(names: np.ndarray, values: list[str]) -> np.ndarray:
    return (names[:, None] == np.array(values)).argmax(axis=1)


def seen_by(network: keras.Model, images: np.ndarray, attributes: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """The values that the classifier finds, by attribute."""
    logits = network.predict(images.astype("float32"), batch_size=256, verbose=0)
    return {name: np.array(values)[logits[name].argmax(axis=1)] for name, values in attributes.items()}


# --- The tables


def measured(
    rows: np.ndarray, drawn: np.ndarray, truth: np.ndarray, name: str, asked: dict, seen: dict
) -> dict[str, np.ndarray]:
    """Numbers of each image of one translation, and the rows of the test set that its sources are."""
    apart = drawn.astype("float64") - truth
    others = [own for own in asked if own != name]
    kept = np.mean([seen[own] == asked[own] for own in others], axis=0) if others else np.zeros(0)
    return {
        "rows": rows,
        "asked": (seen[name] == asked[name]).astype("float64"),
        "kept": kept,
        "error": np.abs(apart).mean(axis=(1, 2, 3)),
        "squared": np.square(apart).mean(axis=(1, 2, 3)),
    }


def row_of(found: list[dict[str, np.ndarray]], identity: list[dict[str, np.ndarray]]) -> dict[str, dict]:
    """A row of the table, of one translation or of several."""
    whole = {key: np.concatenate([each[key] for each in found]) for key in found[0]}
    unchanged = np.concatenate([each["error"] for each in identity]).mean()
    keys = [key for key in ("asked", "kept", "error") if len(whole[key])]
    row = {key: number(means_by(whole[key], whole["rows"])) for key in keys}  # an image has as many rows as any other
    row["rmse"] = {"value": float(np.sqrt(whole["squared"].mean()))}
    return row | {"of_identity": {"value": float(whole["error"].mean() / unchanged)}}


def evaluate(preset: str, args: argparse.Namespace) -> dict[str, dict]:
    """Rows of the controls and the preset over all translations, and of each translation by the preset."""
    task = task_of(preset, args.data_dir, args.limit)
    epochs = args.classifier_epochs or EPOCHS[preset]
    network = trained_classifier(args.runs / f"{preset}-classifier.keras", task, epochs)
    trained, found = models(preset, args), dict[str, list]()
    names = []
    for name, value, rows, asked in task.translations():
        sources, truth = task.test["images"][rows], task.truth(rows, asked)
        drawn = {"identity": sources}
        if preset == EMOJI:
            drawn["nearest image"] = nearest(sources, task.train["images"][task.train[name] == value])
        drawn |= {own: model.generate(source=sources, seed=0, **asked) for own, model in trained.items()}
        drawn["truth (upper bound)"] = truth
        for own, images in drawn.items():
            seen = seen_by(network, images, task.attributes)
            found.setdefault(own, []).append(measured(rows, images, truth, name, asked, seen))
        names.append(f"{name}: {value}")
    table = {own: row_of(each, found["identity"]) for own, each in found.items()}
    best = "preset" if "preset" in found else "truth (upper bound)"
    each = {f"{best}, {name}": row_of([one], [same]) for name, one, same in zip(names, found[best], found["identity"])}
    seen = seen_by(network, task.test["images"], task.attributes)
    right = {name: f"{(seen[name] == task.test[name]).mean():.4f}" for name in task.attributes}
    told = ", ".join(f"{name} {accuracy}" for name, accuracy in right.items())
    protocol = f"{len(task.test['images'])} test images; the classifier is right about {told} of the real ones"
    return {"all": {"rows": table, "protocol": protocol}, "each": {"rows": each, "protocol": protocol}}


def picture(preset: str, args: argparse.Namespace) -> np.ndarray | None:
    """Eight sources, below them all translations of each, on the right what they should be; None without a preset."""
    task = task_of(preset, args.data_dir, args.limit)
    model, first = models(preset, args).get("preset"), np.arange(min(SHOWN, len(task.test["images"])))
    if model is None:
        return None
    lines = [np.concatenate([task.test["images"][first]] * 2)]
    for name, values in task.attributes.items():
        for value in values:
            asked = {own: task.test[own][first] for own in task.attributes} | {name: np.full(len(first), value)}
            as_is = (task.test[name][first] == value)[:, None, None, None]
            truth = np.where(as_is, task.test["images"][first], task.truth(first, asked))
            lines.append(np.concatenate([model.generate(source=task.test["images"][first], seed=0, **asked), truth]))
    return ganzoo.plot.image_grid(np.concatenate(lines), columns=2 * len(first))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with fashion_mnist/ and emoji_captions/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--preset", choices=[CLOTHING, EMOJI], help="one of the two")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--picture", type=Path, help="folder to draw PRESET.png to, of translations beside the truth")
    parser.add_argument("--train", choices=CONTROLS, help="train a control of --preset, and no more")
    parser.add_argument("--epochs", type=int, help="of the control, instead of the recipe's")
    parser.add_argument("--classifier-epochs", type=int, help="instead of 4 (clothing) and 20 (emoji)")
    parser.add_argument("--limit", type=int, default=1000, help="test images")
    args = parser.parse_args(arguments)
    if args.train:
        if not args.preset:
            parser.error("say of which preset: --preset")
        train_control(args.preset, args.train, args.runs, args.data_dir, epochs=args.epochs)
        return
    tables = {}
    for preset in [args.preset] if args.preset else [CLOTHING, EMOJI]:
        tables[preset] = evaluate(preset, args)
        for which, table in tables[preset].items():
            print(f"\n{preset}, {which}\n\n{markdown(table)}")
        if args.picture and (sheet := picture(preset, args)) is not None:
            args.picture.mkdir(parents=True, exist_ok=True)
            ganzoo.plot.save_png(args.picture / f"{preset}.png", sheet)
    if args.json:
        args.json.write_text(json.dumps(tables, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
