"""What a data set gives, by name: images and labels, pairs, two domains, images with captions."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from ganzoo.data.archives import SPLITS, choose_keys, open_archive
from ganzoo.data.coloured import COLOURED, coloured_parts
from ganzoo.data.films import film_examples
from ganzoo.data.moving import MOVING, moving_digits
from ganzoo.data.part_sets import SETS, load_set
from ganzoo.data.preprocessing import parse_shape, resize
from ganzoo.data.rendered import COPIES, RENDERED, font_digits, rendered_eyes
from ganzoo.data.sources import as_path, read_source

__all__ = ["load_parts"]


def load_parts(
    source: str | os.PathLike,
    split: str = "train",
    *,
    data_dir: str | os.PathLike | None = None,
    image_shape: int | tuple[int, ...] | None = None,
) -> dict[str, np.ndarray]:
    """All that a data set gives, by name.

    Whatever `load` reads gives ``images`` (n, height, width, channels), and where it has classes, ``labels``, int64
    (n,); an archive also its other arrays of as many rows, ``captions`` for example. So does ``"gtsrb"``, traffic signs
    of 43 classes, 32x32, from ``gtsrb_subset/gtsrb32_subset.npz`` below the folder of `data_dir`. Further names have
    parts of their own. Some are read from their files below the folder that `data_dir` or the environment variable
    ``GANZOO_DATA`` names, an archive where it lies or the same unpacked:

    - ``"facades"`` (``facades/facades.zip``): ``photo`` and ``label_map``, pairs of 256x256. Its test part has but 25
      pairs, so 75 of its 400 training pairs are held out too: those that come last when they are sorted by the SHA-256
      of their file name without its ending. ``"train"`` has 325 pairs, ``"test"`` these 75 and after them the 25.
    - ``"summer2winter"`` (``summer2winter/summer2winter128.zip``): ``summer`` and ``winter``, 128x128, no pairs: their
      numbers may differ.
    - ``"photos"`` (``sr_photos/sr_photos.zip``): ``photo``, random crops of 96x96, or of `image_shape`, of photographs
      that are not resized (`load_crops`): 8000 of its 60 of BSDS500 to train with; ``"test"``: 400 of its 40 others.
    - ``"rain100l"`` (``rain100l/rain100l_256.zip``): ``rainy`` and ``clean``, 80 pairs of 256x256 to train on and
      20 to test with.
    - ``"emoji"`` (``emoji_captions/emoji72.zip`` and ``captions.csv``): ``twemoji`` and ``noto``, the same emoji in two
      styles, 72x72, and their ``captions``, an array of str. About 1 of 10 is ``"test"``: where the SHA-256 of the file
      name without its ending, as a number, is divisible by 10.
    - ``"emoji_captions"``, from the same files: ``images`` in both styles, one after the other, and ``captions``: all
      of them four times, with the sentences of `sentences_of` in turn (keywords of at least three emoji). ``"test"``
      has the captions alone, of at most one emoji in ten, whose words all stand in captions to train on (`held_out`):
      the split is another than that of ``"emoji"``. Beside them ``emoji`` and ``group``, names.
    - ``"emoji_styles"``, from the same files: ``images`` in both styles, and their ``style``, "noto" or "twemoji": each
      emoji in Twemoji's, followed by the same in Noto's.

    Two have ``rendered`` images and ``real`` ones, which are no pairs, and what is known of the rendered:

    - ``"simgan_digits"`` (``simgan/digits_fonts28.npz``, and MNIST's own files): digits of 100 fonts, each 20 times
      `warped` from seed 0, with ``labels``, beside all of MNIST's training digits; ``"test"``: of 11 other fonts, of
      which none is nearly one of these, 10 times from seed 1, beside MNIST's test digits.
    - ``"simgan_eyes"`` (``simgan/eyes_mpiigaze_syntheyes.npz``): grey eyes of 35x55, 52 rendered with ``gaze``, two
      angles in radians, and 144 real; of either every fourth is ``"test"``, and the others are there 10 times,
      stretched and shifted a little.

    And others are made:

    - ``"moving_mnist"`` and ``"moving_fashion_mnist"``: ``history``, four frames of a film as channels, ``next``, the
      frame that follows, and ``labels``, of one digit that moves over 32x32 pixels (`moving_digits`): 30 000 films of
      the set's training digits from seed 0; ``"test"``: 2000 of its test digits from seed 1.
    - ``"coloured_mnist"`` and ``"coloured_fashion_mnist"``: ``images`` of the set, 32x32, each in a ``colour`` and a
      ``fill`` (`coloured`) that are drawn from seed 0, of ``"test"`` from seed 1; and its ``labels``.

    Args:
        source: a name; or a path of what `load` reads. The names above win over a path.
        split: ``"train"`` or ``"test"``; for other names what `load` accepts.
        data_dir: as for `load`.
        image_shape: (height, width, channels) or (height, width) or one number for both: images of another size are
            resized and cropped by a Lanczos filter (`resize`), a `label_map` by nearest neighbour, so that it gains no
            new colours.

    Returns:
        A dictionary of arrays; images are uint8, an archive of floats stays float.

    Raises:
        ValueError: an unknown name or split, images that cannot be read or have another size than the set's.
        OSError: files that are missing or damaged.

    Example:
        >>> {name: part.shape for name, part in load_parts("mnist", "test").items()}     # doctest: +SKIP
        {'images': (10000, 28, 28, 1), 'labels': (10000,)}
        >>> pairs = load_parts("facades", data_dir="data", image_shape=128)     # doctest: +SKIP
        >>> pairs["photo"].shape, pairs["label_map"].shape     # doctest: +SKIP
        ((325, 128, 128, 3), (325, 128, 128, 3))
    """
    if isinstance(source, str) and source in MOVING:
        return _moving(source, split, data_dir, image_shape)
    if isinstance(source, str) and source in RENDERED:
        return _rendered(source, split, data_dir, image_shape)
    if isinstance(source, str) and source in COLOURED:
        return _coloured(source, split, data_dir, image_shape)
    if source == "emoji_styles":
        return _styles(load_set("emoji", split, data_dir, *parse_shape(image_shape)))
    if isinstance(source, str) and source in SETS:
        return load_set(source, split, data_dir, *parse_shape(image_shape))
    loaded = read_source(source, split, data_dir, image_shape, return_labels=None)
    parts = dict(zip(("images", "labels"), loaded)) if isinstance(loaded, tuple) else {"images": loaded}
    path = as_path(source)
    return {**_beside(path, split, parts), **parts} if path is not None and path.suffix == ".npz" else parts


def _moving(source: str, split: str, data_dir, image_shape) -> dict[str, np.ndarray]:
    """Films of four frames and the next, of the digits of a split."""
    size, mode = parse_shape(image_shape)
    if mode not in (None, "L"):
        raise ValueError(f"{source!r} is grey: say image_shape=32, or another size. Received: {image_shape=}")
    images, labels = read_source(MOVING[source], split, data_dir, None, return_labels=True)
    num, seed = (2000, 1) if split.startswith("test") else (30_000, 0)
    moving = moving_digits(images, labels, num, frames=5, size=size or 32, seed=seed)
    history, following = film_examples(moving.films, num_frames=4)
    return {"history": history, "next": following, "labels": moving.labels[:, 0]}


def _rendered(source: str, split: str, data_dir, image_shape) -> dict[str, np.ndarray]:
    """Rendered and real images, and what is known of the rendered ones."""
    size, mode = parse_shape(image_shape)
    if mode not in (None, "L"):
        raise ValueError(f"{source!r} is grey: say image_shape=32, or another size. Received: {image_shape=}")
    read = rendered_eyes if source == "simgan_eyes" else font_digits
    parts = read(split, data_dir, COPIES[source].get(split))
    if "real" not in parts:
        parts["real"] = read_source("mnist", split, data_dir, None, return_labels=True)[0]
    return {name: part if size is None or part.ndim != 4 else resize(part, size) for name, part in parts.items()}


def _coloured(source: str, split: str, data_dir, image_shape) -> dict[str, np.ndarray]:
    """Images of a set in colours and fills."""
    size, mode = parse_shape(image_shape)
    if mode not in (None, "RGB"):
        raise ValueError(f"{source!r} is in colour: say image_shape=32, or another size. Received: {image_shape=}")
    images, labels = read_source(COLOURED[source], split, data_dir, None, return_labels=True)
    return {**coloured_parts(images, int(split.startswith("test")), size or 32), "labels": labels}


def _styles(emoji: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Emoji in two styles as images of one attribute, those that are the same one after the other."""
    styles = ("twemoji", "noto")
    images = np.stack([emoji[style] for style in styles], axis=1)
    return {"images": images.reshape(-1, *images.shape[2:]), "style": np.array(styles * len(images))}


def _beside(path: Path, split: str, parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The other arrays of an archive that have a row for each image, as `captions` or `captions_train`."""
    with open_archive(path) as archive:
        used, others = {*choose_keys(path, list(archive), split)}, {}
        for key in (key for key in archive if key not in used):
            name = key.removesuffix(f"_{split}").removeprefix(f"{split}_")
            of_other = any(key.endswith(f"_{other}") or key.startswith(f"{other}_") for other in SPLITS)
            with contextlib.suppress(ValueError):  # of Python objects, which are not read
                if (name != key or not of_other) and archive[key].shape[:1] == parts["images"].shape[:1]:
                    others[name] = archive[key]
    return others
