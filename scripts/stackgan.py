"""Measures whether `stackgan-emoji` draws what it is told, in tables in Markdown.

    python scripts/stackgan.py --data-dir ../shared/data --runs runs --json runs/stackgan.json --pictures runs/stackgan

takes the preset from its card, or before it has one from `runs/stackgan-emoji/model.keras`. Training captions and held
out ones, whose words were all seen and which were not, stand apart throughout.

R-precision: of 100 captions, one of them that of the image and 99 others of the same part, how often its own is the
nearest. Nearness is that of a matcher of our own: two small networks, of images and of sentences, trained here on the
real training pairs, so that each knows its own of a batch. No GAN is trained with it. There are five, of five seeds,
kept in `runs/stackgan-matcher-SEED.keras`; each judges images drawn from a seed of its own. "real" is what they make of
the real images of the same captions, which of training captions they were trained on; "shuffled" of images drawn for
another caption. Numbers are means over the five, and the standard deviation.

Groups (faces, animals, flags, ...): how often a classifier, trained here on the real training images, finds that of the
caption. Colours: by the median of an image's pixels that are not background, for captions that begin with one of eight
colours. The heart: of 16 seeds, how many have this colour, and an outline that overlaps that of a real heart by 4 parts
of 5 (intersection over union). Neighbours: the root mean square distance of an image to the nearest real training
image, in grey levels; how often that is one of its own caption; and the distance of real images that were held out.

With `--pictures`: captions with what is drawn for them, the hearts, drawn images above their nearest training images,
and compositions of seen words that no emoji has.
"""

from __future__ import annotations

import argparse
import colorsys
import json
from pathlib import Path

import keras
import numpy as np
from controls import lines, model_of
from keras import layers, ops

import ganzoo
from ganzoo.engine.parts import Text, vocabulary_of
from ganzoo.networks.sentences import sentence_encoder

PRESET, LENGTH, SENTENCES = "stackgan-emoji", 9, 4
SIDE, UNITS, BATCH, RATE = 32, 64, 128, 1e-3  # of the judges
CANDIDATES, SEEDS, HEARTS, OUTLINE = 100, 5, 16, 0.8
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black")
COMPOSITIONS = (
    *(
        "purple cat",
        "blue apple",
        "green dog face",
        "red car",
        "yellow fish",
        "orange bird",
        "pink star",
        "black flower",
    ),
    *("blue heart with arrow", "green broken heart", "red tree", "white house", "brown heart on fire", "yellow book"),
    *("cat with tongue", "dog with sunglasses", "sun with hat", "tree with heart", "red moon", "green fire"),
)


# --- The data


def pairs(split: str, data_dir) -> dict[str, np.ndarray]:
    """Images, captions, emoji and groups: each emoji in two styles, with its caption alone."""
    parts = ganzoo.data.load_parts("emoji_captions", split, data_dir=data_dir, image_shape=64)
    return {name: x[: len(x) // (SENTENCES if split == "train" else 1)] for name, x in parts.items()}


def small(images: np.ndarray) -> np.ndarray:
    """float32 (n, 32, 32, 3) in [-1, 1], means of squares."""
    k = images.shape[1] // SIDE
    return images.reshape(-1, SIDE, k, SIDE, k, 3).mean(axis=(2, 4), dtype="float32") / 127.5 - 1


def moved(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each a few pixels aside, white coming in, so that places are not learned by heart."""
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), constant_values=1)
    places = rng.integers(0, 7, (len(images), 2))
    return np.stack([each[i : i + SIDE, j : j + SIDE] for each, (i, j) in zip(padded, places)])


# --- The judges


def image_tower(units: int, name: str) -> keras.Model:
    x = images = keras.Input((SIDE, SIDE, 3), name=f"{name}_images")
    for i, channels in enumerate((24, 48, 96), 1):
        x = layers.Conv2D(channels, 3, 2, "same", use_bias=False, name=f"{name}_conv{i}")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm{i}")(x))
    x = layers.Dropout(0.2, seed=0, name=f"{name}_dropout")(layers.Flatten()(x))
    return keras.Model(images, layers.Dense(units, name=f"{name}_dense")(x), name=name)


def matcher(captions: Text) -> keras.Model:
    """Images and sentences of a batch to cosines (batch, batch), over a temperature of .07."""
    images, (told, sentence) = image_tower(UNITS, "of_images"), sentence_encoder(captions, UNITS)
    texts = keras.Model(told, layers.Dense(UNITS, name="of_text_dense")(sentence), name="of_texts")
    one, other = (layers.UnitNormalization(name=f"vector_{t.name}")(t(t.input)) for t in (images, texts))
    return keras.Model([images.input, told], ops.matmul(one, ops.transpose(other)) / 0.07, name="matcher")


def matching_loss(emoji, cosines):
    """Cross-entropy of each image's own sentences among those of the batch, and of each sentence's images."""
    same = ops.cast(ops.equal(emoji, ops.transpose(emoji)), "float32")
    wanted = same / ops.sum(same, axis=1, keepdims=True)
    rows, columns = (ops.log_softmax(cosines, axis=axis) for axis in (1, 0))
    return -ops.sum(wanted * rows + ops.transpose(ops.transpose(wanted) * columns), axis=1) / 2


def trained_matcher(path: Path, parts: dict[str, np.ndarray], words: Text, seed: int, epochs: int) -> keras.Model:
    """The matcher in `path`; where there is none, it is trained on all sentences of the training images."""
    if path.is_file():
        return keras.saving.load_model(path, compile=False)
    keras.utils.set_random_seed(seed)
    network, rng = matcher(words), np.random.default_rng(seed)
    network.compile(keras.optimizers.AdamW(RATE, weight_decay=0.01), matching_loss)
    images, told = small(parts["images"]), words.check(parts["captions"], "captions")
    emoji = np.unique(parts["emoji"], return_inverse=True)[1].astype("float32")[:, None]
    for _ in range(epochs):
        network.fit([moved(images, rng), told], emoji, batch_size=min(BATCH, len(images)), verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    return network


def vectors_of(network: keras.Model, images: np.ndarray, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of images and of sentences, each (n, units)."""
    outputs = [network.get_layer(f"vector_{name}").output for name in ("of_images", "of_texts")]
    inner = keras.Model(network.inputs, outputs)
    one, other = inner.predict([images, told], batch_size=256, verbose=0)
    return one, other


def r_precision(images: np.ndarray, sentences: np.ndarray, emoji: np.ndarray, rng: np.random.Generator) -> float:
    """How often an image (n, units) is nearer to its own sentence than to 99, or all there are, of other emoji."""
    names, first = np.unique(emoji, return_index=True)
    right = []
    for one, own, name in zip(images, sentences, emoji):
        others = first[names != name]
        chosen = rng.choice(others, min(CANDIDATES - 1, len(others)), replace=False)
        right.append(one @ own > (sentences[chosen] @ one).max(initial=-2))
    return float(np.mean(right))


def trained_classifier(path: Path, parts: dict[str, np.ndarray], groups: np.ndarray, epochs: int) -> keras.Model:
    """Of groups, in `path`; where there is none, it is trained on the real training images."""
    if path.is_file():
        return keras.saving.load_model(path, compile=False)
    keras.utils.set_random_seed(0)
    network, rng, rows = image_tower(len(groups), "of_groups"), np.random.default_rng(0), parts["group"] != ""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.AdamW(RATE, weight_decay=0.01), loss)
    images, labels = small(parts["images"][rows]), np.searchsorted(groups, parts["group"][rows])
    for _ in range(epochs):
        network.fit(moved(images, rng), labels, batch_size=min(BATCH, len(images)), verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    return network


# --- What is measured without a network


def inside(images: np.ndarray) -> np.ndarray:
    """bool (n, height, width): what is not the white background."""
    return images.min(axis=-1) < 225


def colour_of(image: np.ndarray) -> str:
    """Which of `COLOURS`, or "white" or "grey", an image is: that of the median of its pixels inside."""
    pixels = image[inside(image)]
    if not len(pixels):
        return "white"
    hue, saturation, value = colorsys.rgb_to_hsv(*np.median(pixels, axis=0) / 255)
    hue *= 360
    if value < 0.35 and saturation < 0.6:
        return "black"
    if saturation < 0.25:
        return "grey"
    if 8 <= hue < 45 and value < 0.78:
        return "brown"
    ends = {"red": 15, "orange": 39, "yellow": 68, "green": 165, "blue": 250, "purple": 315, "red again": 361}
    return next(name for name, end in ends.items() if hue < end).removesuffix(" again")


def coloured(captions: np.ndarray) -> np.ndarray:
    """Rows of captions that begin with a colour."""
    return np.flatnonzero([caption.split(" ")[0] in COLOURS for caption in captions])


def colours_right(images: np.ndarray, captions: np.ndarray) -> np.ndarray:
    return np.array([colour_of(x) == caption.split(" ")[0] for x, caption in zip(images, captions)])


def overlap(images: np.ndarray, outlines: np.ndarray) -> np.ndarray:
    """The largest intersection over union of each image's outline with any of some outlines."""
    own = inside(images).reshape(len(images), 1, -1)
    known = outlines.reshape(1, len(outlines), -1)
    return ((own & known).sum(-1) / np.maximum((own | known).sum(-1), 1)).max(axis=1)


def nearest(images: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the row of the nearest training image, and how far it is, in grey levels."""
    a, b = (x.reshape(len(x), -1).astype("float32") for x in (images, train))
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    rows = squares.argmin(axis=1)
    return rows, np.sqrt(np.maximum(squares[np.arange(len(a)), rows], 0) / a.shape[1])


def hearts(model, train: dict[str, np.ndarray], num: int) -> tuple[dict[str, dict], np.ndarray]:
    """A row of right colours, outlines and both for each of eight colours, and what was drawn."""
    real = np.isin(train["captions"], [f"{colour} heart" for colour in COLOURS])
    outlines, rows, drawn = inside(train["images"][real]), {}, []
    for colour in COLOURS:
        images = model.generate(num, captions=f"{colour} heart", seed=0)
        told, shaped = np.array([colour_of(x) == colour for x in images]), overlap(images, outlines) >= OUTLINE
        both = {"colour": told, "outline": shaped, "right": told & shaped}
        rows[colour] = {name: {"value": int(each.sum())} for name, each in both.items()} | {"of": {"value": num}}
        drawn.append(images)
    return rows, np.concatenate(drawn)


# --- The tables


def spread(values: list[float]) -> dict:
    return {"value": float(np.mean(values)), "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def cell(found: dict | None) -> str:
    if found is None or found["value"] is None:
        return ""
    if isinstance(found["value"], int):
        return str(found["value"])
    return f"{found['value']:.3f}" + (f" ± {found['std']:.3f}" if "std" in found else "")


def judged(
    images: np.ndarray, parts: dict[str, np.ndarray], told, network, judge, groups, seed: int
) -> dict[str, float]:
    """What the judges make of images for these captions, `told` in numbers."""
    known, hued = parts["group"] != "", coloured(parts["captions"])
    precision = r_precision(*vectors_of(network, small(images), told), parts["emoji"], np.random.default_rng(seed))
    found = groups[judge.predict(small(images[known]), batch_size=256, verbose=0).argmax(axis=1)]
    values = {"r_precision": precision, "group": float((found == parts["group"][known]).mean())}
    right = colours_right(images[hued], parts["captions"][hued])
    return values | ({"colour": float(right.mean())} if len(hued) else {})


def evaluate(model, args: argparse.Namespace) -> dict[str, dict]:
    """The tables: rows by the names of columns."""
    train, test = pairs("train", args.data_dir), pairs("test", args.data_dir)
    every = ganzoo.data.load_parts("emoji_captions", "train", data_dir=args.data_dir, image_shape=64)
    words, groups = Text(vocabulary_of(every["captions"]), LENGTH), np.unique(train["group"][train["group"] != ""])
    judge = trained_classifier(args.runs / "stackgan-groups.keras", train, groups, args.epochs)
    seeds = range(args.seeds)
    paths = [args.runs / f"stackgan-matcher-{seed}.keras" for seed in seeds]
    matchers = [trained_matcher(path, every, words, seed, args.epochs) for path, seed in zip(paths, seeds)]
    table, neighbours = dict[str, dict](), dict[str, dict]()
    for name, whole in (("training captions", train), ("held-out captions", test)):
        parts = {own: x[: 2 * args.limit if args.limit else None] for own, x in whole.items()}  # both styles of each
        told, found = words.check(parts["captions"], "captions"), dict[str, list]()
        away = np.roll(np.arange(len(told)), 2 * (len(told) // 4) or 2)
        for seed, network in zip(seeds, matchers):
            drawn = model.generate(captions=parts["captions"].tolist(), seed=seed)
            for own, images in {"drawn": drawn, "real": parts["images"], "shuffled": drawn[away]}.items():
                found.setdefault(own, []).append(judged(images, parts, told, network, judge, groups, seed))
        for own, values in found.items():
            table[f"{name}, {own}"] = {key: spread([each[key] for each in values]) for key in values[0]}
        drawn = model.generate(captions=parts["captions"].tolist(), seed=0)
        closest, far = nearest(drawn, train["images"])
        own_caption = {"value": float((train["emoji"][closest] == parts["emoji"]).mean())}
        neighbours[f"{name}, drawn"] = {"distance": {"value": float(far.mean())}, "own_caption": own_caption}
    far = nearest(test["images"], train["images"])[1]
    neighbours["held-out images, real"] = {"distance": {"value": float(far.mean())}}
    return {"captions": table, "hearts": hearts(model, train, args.hearts)[0], "neighbours": neighbours}


def pictures(model, folder: Path, args: argparse.Namespace) -> None:
    """Sheets: held-out captions (real, real, drawn six times), hearts, neighbours, compositions never seen."""
    train, test = pairs("train", args.data_dir), pairs("test", args.data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    lines_of, listed = [], list(dict.fromkeys(test["captions"].tolist()))[:16]
    for caption in listed:
        real = test["images"][test["captions"] == caption]
        lines_of.append(np.concatenate([real, model.generate(6, captions=caption, seed=0)]))
    known = train["captions"][::2][:8].tolist() + listed[:8]
    drawn = model.generate(captions=known, seed=0)
    beside = train["images"][nearest(drawn, train["images"])[0]]
    composed = [model.generate(6, captions=caption, seed=0) for caption in COMPOSITIONS]
    sheets = {
        "held_out": (np.concatenate(lines_of), 8),
        "hearts": (hearts(model, train, args.hearts)[1], args.hearts),
        "neighbours": (np.concatenate([drawn, beside]), len(drawn)),
        "compositions": (np.concatenate(composed), 6),
    }
    for name, (images, columns) in sheets.items():
        ganzoo.plot.save_png(folder / f"{name}.png", ganzoo.plot.image_grid(images, columns=columns))
    told = {"held_out": listed, "hearts": list(COLOURS), "neighbours": known, "compositions": list(COMPOSITIONS)}
    (folder / "captions.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with emoji_captions/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings")
    parser.add_argument("--model", type=Path, help=f"folder of a training instead of {PRESET}")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--pictures", type=Path, help="folder to draw sheets to")
    parser.add_argument("--epochs", type=int, default=15, help="of the judges")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="matchers")
    parser.add_argument("--hearts", type=int, default=HEARTS, help="of each colour")
    parser.add_argument("--limit", type=int, help="emoji of either part, by default all")
    args = parser.parse_args(arguments)
    folder = args.model or args.runs / PRESET
    pretrained = args.model is None and ganzoo.info(PRESET).pretrained
    command = f"python scripts/train.py {PRESET} --data-dir FOLDER --output {folder}"
    model = ganzoo.load(PRESET) if pretrained else model_of(folder, command)
    if model is None:
        raise SystemExit(2)
    tables = evaluate(model, args)
    for name, rows in tables.items():
        print(f"\n{lines(rows, name, cell)}")
    if args.pictures:
        pictures(model, args.pictures, args)
    if args.json:
        args.json.write_text(json.dumps(tables, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
