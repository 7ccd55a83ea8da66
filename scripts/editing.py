"""Editing by hand: how near the three projections come, and how far edits follow strokes.

    python scripts/editing.py --data-dir ../shared/data --pictures zoo_configs/pictures --json runs/editing.json

For each preset an encoder is trained on 20 000 training images (and as many drawn ones); then, of 50 test images, the
mean error (root mean square, in steps of 255) of what is drawn from the encoder's guess, of a descent from the nearest
of 2000 drawn images, and of the hybrid: the same descent from the guess. `optimisation of 4` has four starts, and four
times the time.

Strokes are rectangles of 6 by 10 pixels, at places and in grey levels drawn by chance, on the projections of 30 test
images: how far the pixels under them are from what was asked (root mean square) before and after, how much the others
change, and both where a second stroke of half the weight holds the others. The control takes of 2000 drawn images the
one that follows the stroke best. Last, how much of the edit is left undone where it is done to the picture itself.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np

PRESETS = ("dcgan-mnist", "dcgan-fashion_mnist", "wgan_gp-fashion_mnist")
NUM, EDITED, STEPS, TRAINED, HELD = 50, 30, 100, 20_000, 0.5


def rms(difference: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(difference.astype("float32")).mean(axis=tuple(range(1, difference.ndim))))


def projections(model, train: np.ndarray, test: np.ndarray, epochs: int, steps: int):
    """A row of mean errors, and the hybrid's projection."""
    import ganzoo

    keras.utils.set_random_seed(0)
    encoder = ganzoo.editing.fit_encoder(model, train, num_drawn=len(train), epochs=epochs)
    one, four = (ganzoo.latent.project(model, test, starts=n, steps=steps) for n in (1, 4))
    hybrid = ganzoo.editing.invert(model, test, encoder, steps=steps)
    row = {
        "encoder": hybrid.nearest_error,
        "nearest drawn": one.nearest_error,
        "optimisation": one.error,
        "optimisation of 4": four.error,
        "hybrid": hybrid.error,
    }
    return {name: float(values.mean()) for name, values in row.items()}, hybrid


def rectangles(num: int, shape: tuple[int, ...], seed: int = 0):
    """Masks (num, height, width) and grey levels."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((num, *shape[:2]), bool)
    for mask in masks:
        top, left = rng.integers(shape[0] // 6, 5 * shape[0] // 6 - 6), rng.integers(shape[1] // 6, shape[1] // 2)
        mask[top : top + 6, left : left + 10] = True
    return masks, rng.integers(0, 256, num)


def edits(model, found, num: int, starts: int):
    """A row of means, and the edits."""
    from ganzoo import editing

    masks, levels = rectangles(num, model.image_shape)
    pool = model.generate(2000, seed=0).astype("float32")
    rows, kept = [], []
    for mask, level, latents, before in zip(masks, levels, found.latents, found.images):
        stroke = [editing.stroke(mask, level)]
        near = editing.edit(model, stroke, latents, candidates=4, starts=starts)
        rest = editing.stroke(~mask, before, HELD)
        held = editing.edit(model, [*stroke, rest], latents, candidates=4, starts=starts)
        control = pool[np.square(pool[:, mask] - level).mean(axis=(1, 2)).argmin()]
        row = {"under the stroke, before": (before, mask), "after": (near.images[0], mask)}
        row |= {"after, the rest held": (held.images[0], mask), "control": (control, mask)}
        values = {name: rms((image[where].astype("float32") - level)[None])[0] for name, (image, where) in row.items()}
        others = {"elsewhere": near.images[0], "elsewhere, the rest held": held.images[0]}
        others["elsewhere, control"] = control
        values |= {name: rms((x.astype("float32") - before)[~mask][None])[0] for name, x in others.items()}
        rows.append(values)
        kept.append((mask, level, held))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}, kept


def transfers(model, test, found, kept):
    """A row, and the pictures with the edits done to them."""
    from ganzoo import editing

    done, left = [], []
    for picture, latents, (_, _, edited) in zip(test, found.latents, kept):
        moved = editing.transfer(picture, editing.morph(model, latents, edited.latents[0], 8))
        done.append(moved.image)
        left.append(moved.error / max(moved.change, 1e-6))
    return {"share of the edit that is not transferred": float(np.median(left))}, np.stack(done)


def painted(image: np.ndarray, mask: np.ndarray, level: int) -> np.ndarray:
    image = image.copy()
    image[mask] = level
    return image


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--pictures", type=Path, help="folder to draw sheets to")
    parser.add_argument("--images", type=int, default=NUM)
    parser.add_argument("--edited", type=int, default=EDITED)
    parser.add_argument("--train", type=int, default=TRAINED)
    parser.add_argument("--epochs", type=int, default=5, help="of the encoder, on drawn and on real images")
    parser.add_argument("--steps", type=int, default=STEPS, help="of projections")
    parser.add_argument("--starts", type=int, default=16, help="of edits")
    args = parser.parse_args(arguments)
    import ganzoo

    table = {}
    for preset in args.presets:
        model, recipe = ganzoo.load(preset), ganzoo.info(preset).recipe
        train = ganzoo.data.load(recipe.dataset.name, f"train[:{args.train}]", data_dir=args.data_dir)
        test = ganzoo.data.load(recipe.dataset.name, "test", data_dir=args.data_dir)[: args.images]
        row, found = projections(model, train, test, args.epochs, args.steps)
        more, kept = edits(model, found, min(args.edited, args.images), args.starts)
        last, done = transfers(model, test, found, kept)
        table[preset] = row | more | last
        print(preset)
        for name, value in table[preset].items():
            print(f"  {name:44} {value:8.3f}", flush=True)
        if args.pictures:
            columns = [
                [x, p, painted(p, mask, level), *edited.images, y]
                for x, p, y, (mask, level, edited) in zip(test, found.images, done, kept)
            ][:8]
            args.pictures.mkdir(parents=True, exist_ok=True)
            rows = np.stack([image for row in columns for image in row])
            ganzoo.plot.save_png(args.pictures / f"edited-{preset}.png", rows, columns=len(columns[0]), scale=2)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
