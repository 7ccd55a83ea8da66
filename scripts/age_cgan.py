"""Three ways from an image to latents, compared as Antipov et al. 2017 do, beside controls: two tables, in Markdown.

    python scripts/age_cgan.py --data-dir ../shared/data --runs runs --json runs/age_cgan.json --picture age_cgan.png

takes the preset from its card, or before it has one from `runs/age_cgan-mnist/model.keras`. It needs two embedders,
which it trains in `runs` by

    python scripts/age_cgan.py --train-embedders --data-dir ../shared/data --runs runs

The digit stands for the age, and how it is written for the identity. That is not what makes a face somebody's: nothing
here says how well faces are kept. Who wrote a digit MNIST does not tell, so that identity means "this image among the
others of its digit". An embedder learns it without labels: two views of an image (shifted, noisy, a square erased,
brighter) are to be nearer to each other than to views of others. The two embedders have different widths and halves of
the training images and were trained apart; "optimised" is the one whose distance the latents make small, "judge" the
other, which they have not seen. Both learn by one recipe, so that they have more in common than strangers.

The first table is of the image drawn again, as the digit it is. "recognised": how often the nearest of the test images
of its digit is its own, by the judge; "judge" and "classifier": the distance to it over that between two test images
of one digit, by the judge's embedding and by the features of the bundled classifier; error in steps of 255 (root mean
square); "digit": how often the classifier still reads it; rank correlations of slant and width of strokes with those of
the image, each less the mean of its digit. The second table is of another digit drawn from the same latents, each of
the other nine in turn: how often the classifier reads the digit that was asked for, and the same two correlations.

Rows: the image itself (the bound); what the encoder finds; pixels optimised from there; the distance of embeddings; the
distance of the bundled classifier's features (of which it is then no judge: it has no "digit", and its "classifier" is
what was made small); and as controls latents drawn at random and the nearest training image (of the digit asked for, in
pixels). Intervals are 95 %, by bootstrap over the images: they say nothing of another training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from controls import cell, model_of
from keras import ops

import ganzoo
from ganzoo import metrics
from ganzoo.metrics.classifier import shifted
from ganzoo.metrics.extractors import build_classifier

PRESET, BY_CLASSIFIER = "age_cgan-mnist", "classifier's features optimised"
EMBEDDERS = {"optimised": (16, 32, 64, 64, 128), "judge": (12, 24, 48, 96, 96)}  # widths
FEATURES, TEMPERATURE, BATCH = 64, 0.1, 256


# --- Embedders


@keras.saving.register_keras_serializable(package="age_cgan")
class UnitLength(keras.layers.Layer):
    def call(self, x):
        return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-12)


class Views(keras.utils.PyDataset):
    """Batches of two views of each image; which of the others is its own is what a batch asks."""

    def __init__(self, images: np.ndarray, seed: int, batch_size: int):
        super().__init__()
        self.images, self.rng, self.batch_size = images, np.random.default_rng(seed), batch_size
        self.on_epoch_end()

    def __len__(self):
        return len(self.images) // self.batch_size

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.images))

    def __getitem__(self, index):
        chosen = self.images[self.order[index * self.batch_size :][: self.batch_size]]
        return (self.view(chosen), self.view(chosen)), np.arange(len(chosen))

    def view(self, images: np.ndarray) -> np.ndarray:
        """Moved by up to two pixels, of another brightness, with noise, a square of 7 pixels erased: in [0, 255]."""
        num, height, width, _ = images.shape
        seen = shifted(images, self.rng, 2) * self.rng.uniform(0.7, 1.3, (num, 1, 1, 1))
        top, left = self.rng.integers(0, height - 7, (num, 1)), self.rng.integers(0, width - 7, (num, 1))
        rows, columns = np.arange(height) - top, np.arange(width) - left
        erased = ((rows >= 0) & (rows < 7))[:, :, None] & ((columns >= 0) & (columns < 7))[:, None]
        seen = np.where(erased[..., None], 0, seen) + self.rng.normal(0, 25, seen.shape)
        return np.clip(seen, 0, 255).astype("float32")


def train_embedder(images: np.ndarray, widths: tuple[int, ...], seed: int, epochs: int, batch_size: int = BATCH):
    """A network from images in [0, 255] to vectors of length 1, by the contrastive loss of arXiv:2002.05709, eq. 1."""
    keras.utils.set_random_seed(seed)
    network = build_classifier(images.shape[1:], FEATURES, widths)
    embedder = keras.Model(network.input, UnitLength(name="unit")(network.output[1]), name="embedder")
    first, second = (keras.Input(images.shape[1:], name=name) for name in ("first", "second"))
    likeness = ops.matmul(embedder(first), ops.transpose(embedder(second))) / TEMPERATURE
    both = keras.Model([first, second], likeness)
    batches = Views(images, seed, batch_size)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, max(epochs * len(batches), 1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    both.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), loss, metrics=["accuracy"])
    both.fit(batches, epochs=epochs, verbose=2)
    return embedder


def path_of(runs: Path, name: str) -> Path:
    return runs / f"age_cgan-embedder-{name}.keras"


def train_embedders(args: argparse.Namespace) -> None:
    """Each of its half of the training images; one that is there stays."""
    images = digits(args, "train")[0]
    halves = np.array_split(images, len(EMBEDDERS))
    args.runs.mkdir(parents=True, exist_ok=True)
    for seed, ((name, widths), half) in enumerate(zip(EMBEDDERS.items(), halves)):
        if not path_of(args.runs, name).is_file():
            train_embedder(half, widths, seed, args.epochs, min(BATCH, len(half))).save(path_of(args.runs, name))


def embedder_of(runs: Path, name: str) -> keras.Model:
    if not (path := path_of(runs, name)).is_file():
        raise SystemExit(f"{path} is missing. Make it with: python scripts/age_cgan.py --train-embedders")
    return keras.saving.load_model(path, compile=False)


# --- Latents


def preset_of(args: argparse.Namespace) -> ganzoo.AgeCGAN:
    if args.model is None and ganzoo.info(PRESET).pretrained:
        return ganzoo.load(PRESET)
    folder = args.model or args.runs / PRESET
    model = model_of(folder, f"python scripts/train.py {PRESET} --data-dir FOLDER --output {folder}")
    if model is None:
        raise SystemExit(f"There is no {PRESET}.")
    return model


def latents_of(model: ganzoo.AgeCGAN, images: np.ndarray, labels: np.ndarray, embed, steps: int) -> dict:
    """By the name of their row: the paper's three, and those of controls."""
    classifier = metrics.extractor("mnist").network
    distances = {
        "pixels optimised": None,
        "identity optimised": lambda x: embed(127.5 * (x + 1), training=False),
        BY_CLASSIFIER: lambda x: classifier(127.5 * (x + 1), training=False)[0],
    }
    encoded = model.encode(images)
    found = {"encoder": encoded}
    for name, features in distances.items():
        distance = features and ganzoo.latent.feature_distance(features)
        options = {"method": "lbfgs", "steps": steps, "distance": distance}
        found[name] = np.concatenate(
            [
                ganzoo.latent.project(model, images[part], begin=encoded[part], labels=labels[part], **options).latents
                for part in np.array_split(np.arange(len(images)), -(-len(images) // 250))
            ]
        )
    return found | {"random latents": model.seeded_latents(len(images), seed=1)}


def nearest(images: np.ndarray, asked: np.ndarray, among: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Of each image the nearest of those of the class asked for, in pixels."""
    found = np.empty_like(images)
    flat = lambda x: x.reshape(len(x), -1).astype("float32")  # noqa: E731
    for label in np.unique(asked):
        rows, others = asked == label, among[classes == label]
        found[rows] = others[metrics.nearest_neighbours(flat(images[rows]), flat(others))[1]]
    return found


# --- Measures


def number(per_image: np.ndarray) -> dict:
    return {"value": float(np.mean(per_image)), "interval": metrics.interval(per_image)}


def recognised(given: np.ndarray, drawn: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the nearest of the given ones of its class is an image's own: float64 (n,), of features (n, d)."""
    own = np.zeros(len(given))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        own[rows] = metrics.nearest_neighbours(drawn[rows], given[rows])[1] == np.arange(len(rows))
    return own


def relative_distance(given: np.ndarray, drawn: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The distance of features to the image's own, over the mean one between two given ones of a class: (n,)."""
    within = []
    for label in np.unique(labels):
        each = given[labels == label]
        within.append(np.linalg.norm(each - np.roll(each, 1, axis=0), axis=1))
    return np.linalg.norm(given - drawn, axis=1) / np.concatenate(within).mean()


def kept(measure, given: np.ndarray, labels: np.ndarray, drawn: np.ndarray, asked: np.ndarray) -> dict:
    """The rank correlation of a measure of images before and after, each less the mean of its class."""
    before, after = measure(given), measure(drawn)
    for values, classes in ((before, labels), (after, asked)):
        for label in np.unique(classes):
            values[classes == label] -= values[classes == label].mean()
    told = before.std() > 0 and after.std() > 0
    return {"value": metrics.rank_correlation(before, after) if told else 0.0}


def style(given, labels, drawn, asked) -> dict[str, dict]:
    measures = {"slant": metrics.slant, "stroke": metrics.stroke_width}
    return {name: kept(measure, given, labels, drawn, asked) for name, measure in measures.items()}


def read_as(images: np.ndarray, asked: np.ndarray) -> dict:
    logits = metrics.extractor("mnist").logits(images)
    return number((logits.argmax(axis=1) == asked).astype("float64"))


def drawn_again(given: np.ndarray, drawn: np.ndarray, labels: np.ndarray, judge: keras.Model) -> dict[str, dict]:
    """A row of the first table."""
    by_judge = [judge.predict(x.astype("float32"), batch_size=250, verbose=0) for x in (given, drawn)]
    by_classifier = [metrics.extractor("mnist").features(x) for x in (given, drawn)]
    squares = np.square(given.astype("float64") - drawn).mean(axis=(1, 2, 3))
    return {
        "recognised": number(recognised(*by_judge, labels)),
        "judge": number(relative_distance(*by_judge, labels)),
        "classifier": number(relative_distance(*by_classifier, labels)),
        "error": number(np.sqrt(squares)),
        "digit": read_as(drawn, labels),
        **style(given, labels, drawn, labels),
    }


# --- The tables


def digits(args: argparse.Namespace, split: str) -> tuple[np.ndarray, np.ndarray]:
    found = ganzoo.data.load_parts("mnist", split, data_dir=args.data_dir)
    return found["images"], found["labels"]


def evaluate(args: argparse.Namespace) -> dict:
    """{"again": numbers by row and column, "changed": the same, "protocol": what they depend on}."""
    images, labels = (each[: args.limit] for each in digits(args, "test"))
    training = digits(args, "train")
    asked = (labels + 1 + np.arange(len(labels)) % 9) % 10
    model, judge = preset_of(args), embedder_of(args.runs, "judge")
    latents = latents_of(model, images, labels, embedder_of(args.runs, "optimised"), args.steps)
    again = {"image itself": images}
    again |= {name: model.generate(latents=z, labels=labels) for name, z in latents.items()}
    again["nearest training image"] = nearest(images, labels, *training)
    changed = {name: model.generate(latents=z, labels=asked) for name, z in latents.items()}
    changed["nearest training image"] = nearest(images, asked, *training)
    if args.picture:
        draw(model, images, labels, latents, args.picture)
    return {
        "again": judged({name: drawn_again(images, x, labels, judge) for name, x in again.items()}),
        "changed": judged(
            {name: {"digit": read_as(x, asked), **style(images, labels, x, asked)} for name, x in changed.items()}
        ),
        "protocol": f"{len(images)} test images, {args.steps} steps of L-BFGS from the encoder's latents",
    }


def judged(rows: dict[str, dict]) -> dict[str, dict]:
    """Rows without what the classifier would say of latents that it was optimised by."""
    row = {key: x for key, x in rows[BY_CLASSIFIER].items() if key != "digit"}
    return {**rows, BY_CLASSIFIER: row}


def draw(model, images: np.ndarray, labels: np.ndarray, latents: dict, path: Path) -> None:
    """Of each digit an image, what the three ways draw of it again, and the identity's as all ten digits."""
    from ganzoo import plot

    rows = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
    again = [
        model.generate(latents=latents[name][rows], labels=labels[rows])
        for name in ("encoder", "pixels optimised", "identity optimised")
    ]
    kept = latents["identity optimised"][rows]
    ten = [model.generate(latents=kept, labels=label) for label in range(10)]
    sheet = np.stack([images[rows], *again, *ten], axis=1)
    plot.save_png(path, sheet.reshape(-1, *sheet.shape[2:]), columns=sheet.shape[1])


def markdown(table: dict) -> str:
    parts = []
    for title in ("again", "changed"):
        rows = table[title]
        columns = list(next(iter(rows.values())))
        lines = [[title, *columns], ["---", *["--:"] * len(columns)]]
        lines += [[name, *(cell(row.get(column)) for column in columns)] for name, row in rows.items()]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*parts, table["protocol"]])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with mnist/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--model", type=Path, help=f"folder of a training instead of {PRESET}")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--picture", type=Path, help="file to draw ten images and what becomes of them to")
    parser.add_argument("--train-embedders", action="store_true", help="train the two embedders, and no more")
    parser.add_argument("--epochs", type=int, default=6, help="of the embedders")
    parser.add_argument("--steps", type=int, default=30, help="of L-BFGS")
    parser.add_argument("--limit", type=int, default=1000, help="test images")
    args = parser.parse_args(arguments)
    if args.train_embedders:
        train_embedders(args)
        return
    table = evaluate(args)
    print(markdown(table))
    if args.json:
        args.json.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
