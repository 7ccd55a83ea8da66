"""Films: digits that move as the formula says, films of one's own, and what a model of prediction learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo import data, plot
from ganzoo.data.films import as_channels, feed_back
from ganzoo.data.moving import crops
from ganzoo.engine.frames import Frames
from ganzoo.engine.parts import Images
from ganzoo.zoo import reading

pytestmark = pytest.mark.backend_free


def digits(num=6, side=12, seed=0):
    """Bright boxes of several sizes at several places in dark images, each with a value of its own; and labels."""
    rng = np.random.default_rng(seed)
    images = np.zeros((num, side, side, 1), "uint8")
    for i, image in enumerate(images):
        top, left = rng.integers(1, 4, 2)
        height, width = rng.integers(4, 8, 2)
        image[top : top + height, left : left + width] = 25 * (i + 1)
    return images, np.arange(num) + 3


def triangle(start, velocity, span, frames):
    """A walk of one coordinate, step by step: reflected where it leaves."""
    found, place = [], start
    for _ in range(frames):
        found.append(place)
        place += velocity
        while not 0 <= place <= span:
            place, velocity = (-place, -velocity) if place < 0 else (2 * span - place, -velocity)
    return found


# --- Moving digits


def test_films_are_a_function_of_the_seed():
    images, labels = digits()
    one, again, other = (data.moving_digits(images, labels, 8, frames=6, size=20, seed=s) for s in (1, 1, 2))
    for a, b in zip(one, again):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.films, other.films)
    assert one.films.shape == (8, 6, 20, 20, 1) and one.films.dtype == np.uint8
    assert one.positions.shape == (8, 6, 1, 2) and one.velocities.shape == (8, 1, 2) and one.labels.shape == (8, 1)


@pytest.mark.parametrize("size", [20, (16, 24)])
def test_a_digit_is_where_it_is_said_to_be_and_all_of_it(size):
    images, labels = digits()
    moving = data.moving_digits(images, labels, 20, frames=30, size=size, speed=(1, 5), seed=3)
    for film, where, label in zip(moving.films, moving.positions[:, :, 0], moving.labels[:, 0]):
        image = images[label - 3]
        np.testing.assert_array_equal(crops(film, where, 12), np.broadcast_to(image, (30, *image.shape)))
        assert (film.astype(int).sum(axis=(1, 2, 3)) == image.astype(int).sum()).all()  # no pixel is beyond the rim


def test_velocities_and_bounces_are_those_of_a_reflected_walk():
    images, labels = digits()
    moving = data.moving_digits(images, labels, 30, frames=25, size=20, speed=(2, 6), seed=4)
    speeds = np.linalg.norm(moving.velocities, axis=-1)
    assert (speeds >= 2).all() and (speeds <= 6).all()
    bounced = 0
    for where, velocity, label in zip(moving.positions[:, :, 0], moving.velocities[:, 0], moving.labels[:, 0]):
        rows, columns = np.nonzero(images[label - 3, :, :, 0])
        for axis, inked in enumerate((rows, columns)):
            place, span = where[:, axis] + inked.min(), 20 - (inked.max() - inked.min() + 1)
            assert place.min() >= 0 and place.max() <= span
            starts = np.linspace(place[0] - 0.5, place[0] + 0.5, 201).clip(0, span)  # it was rounded
            walks = np.array([triangle(start, velocity[axis], span, 25) for start in starts])
            assert np.abs(walks - place).max(axis=1).min() <= 0.5 + 0.01
            steps = np.diff(place)
            bounced += steps.min() < 0 < steps.max()
    assert bounced > 20  # otherwise nothing was tested


def test_two_digits_overlap_by_the_brighter_pixel():
    images, labels = digits()
    moving = data.moving_digits(images, labels, 5, frames=4, size=14, number=2, seed=0)
    for n in range(5):
        for t in range(4):
            alone = np.zeros((2, 40, 40, 1), "uint8")
            for canvas, (top, left), label in zip(alone, moving.positions[n, t], moving.labels[n]):
                canvas[13 + top : 25 + top, 13 + left : 25 + left] = images[label - 3]
            np.testing.assert_array_equal(moving.films[n, t], alone.max(axis=0)[13:27, 13:27])


def test_what_does_not_move_for_want_of_room_and_black_images():
    image = np.full((1, 8, 8, 1), 9, "uint8")
    moving = data.moving_digits(image, np.zeros(1, int), 3, frames=5, size=8)
    assert (moving.films == 9).all() and (moving.positions == 0).all()
    assert not data.moving_digits(0 * image, np.zeros(1, int), 1, frames=2, size=16).films.any()


@pytest.mark.parametrize(
    "change, told",
    [
        ({"size": 4}, r"say size=\(\d, \d\) or more"),
        ({"speed": (3, 1)}, "least and the most"),
        ({"n": 0}, "Received: n=0"),
        ({"labels": np.zeros(3, int)}, "each of 6 images"),
        ({"images": digits()[0] / np.float32(255)}, "uint8"),
    ],
)
def test_errors_of_moving_digits(change, told):
    images, labels = digits()
    with pytest.raises(ValueError, match=told):
        data.moving_digits(**{"images": images, "labels": labels, "n": 2, "size": 20, **change})


def test_the_parts_of_moving_mnist_are_made_of_the_split_s_digits(tmp_path, monkeypatch):
    images, labels = digits(num=9, side=28)
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels % 10, x_test=images // 2, y_test=labels % 10)
    train, test = (data.load_parts("moving_mnist", split, data_dir=tmp_path) for split in ("train", "test"))
    assert train["history"].shape == (30_000, 32, 32, 4) and train["next"].shape == (30_000, 32, 32, 1)
    assert test["history"].shape == (2000, 32, 32, 4) and test["labels"].shape == (2000,)
    moving = data.moving_digits(images, labels % 10, 30_000, frames=5, size=32, seed=0)
    np.testing.assert_array_equal(train["history"][:9], np.moveaxis(moving.films[:9, :4, ..., 0], 1, -1))
    np.testing.assert_array_equal(train["next"], moving.films[:, 4])
    assert test["next"].max() <= images.max() // 2
    assert data.load_parts("moving_mnist", "test", data_dir=tmp_path, image_shape=48)["next"].shape[1:] == (48, 48, 1)
    with pytest.raises(ValueError, match="grey"):
        data.load_parts("moving_mnist", "test", data_dir=tmp_path, image_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="several parts"):
        data.load("moving_mnist", data_dir=tmp_path)


def test_moving_mnist_from_the_original_files(data_dir):
    parts = data.load_parts("moving_mnist", "test", data_dir=data_dir)
    assert {name: part.shape for name, part in parts.items()} == {
        "history": (2000, 32, 32, 4),
        "next": (2000, 32, 32, 1),
        "labels": (2000,),
    }
    assert set(parts["labels"]) == set(range(10))


# --- Films of one's own


def frames(num, seed=0, size=(8, 10), channels=1):
    return np.random.default_rng(seed).integers(0, 256, (num, *size, channels), "uint8")


def write_frames(folder: Path, film):
    folder.mkdir(parents=True)
    for i, frame in enumerate(film):
        plot.save_png(folder / f"{i:03}.png", frame)


def write_gif(path: Path, film):
    first, *others = (Image.fromarray(frame[..., 0]) for frame in film)
    first.save(path, save_all=True, append_images=others)


def test_subfolders_animations_and_loose_frames_are_films(tmp_path):
    films = [frames(n, seed) for seed, n in enumerate((5, 7, 6))]
    write_frames(tmp_path / "clips" / "a", films[0])
    write_gif(tmp_path / "clips" / "b.gif", films[1])
    found = data.load_films(tmp_path / "clips", (8, 10), "L")
    assert [film.shape for film in found] == [(5, 8, 10, 1), (7, 8, 10, 1)]
    for film, expected in zip(found, films):
        np.testing.assert_array_equal(film, expected)
    write_frames(tmp_path / "loose", films[2])
    (film,) = data.load_films(tmp_path / "loose", (8, 10), "L")
    np.testing.assert_array_equal(film, films[2])
    (film,) = data.load_films(tmp_path / "clips" / "b.gif", (8, 10), "L")
    np.testing.assert_array_equal(film, films[1])
    assert data.load_films(tmp_path / "clips", 16)[0].shape == (5, 16, 16, 3)


@pytest.mark.parametrize("key, shape", [("films", (3, 6, 8, 8, 1)), ("anything", (3, 6, 8, 8)), ("x", (3, 6, 8, 8, 3))])
def test_archives_of_films(tmp_path, key, shape):
    stack = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    np.savez(tmp_path / "films.npz", **{key: stack})
    found = data.load_films(tmp_path / "films.npz")
    np.testing.assert_array_equal(np.stack(found), stack.reshape(*shape[:4], -1))
    assert data.load_films(tmp_path / "films.npz", 16, "L")[0].shape == (6, 16, 16, 1)


def test_errors_of_films(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such folder"):
        data.load_films(tmp_path / "nothing", 8)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="No images"):
        data.load_films(tmp_path / "empty", 8)
    with pytest.raises(ValueError, match="image_size="):
        data.load_films(tmp_path)
    np.savez(tmp_path / "two.npz", a=np.zeros(3), b=np.zeros(3))
    with pytest.raises(ValueError, match="Received: the arrays a, b"):
        data.load_films(tmp_path / "two.npz")
    np.savez(tmp_path / "float.npz", films=np.zeros((2, 3, 8, 8, 1)))
    with pytest.raises(ValueError, match="float64 of shape"):
        data.load_films(tmp_path / "float.npz")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.gif").write_bytes(b"GIF89a nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        data.load_films(tmp_path / "broken", 8)


def test_examples_are_all_runs_of_frames_and_what_follows():
    films = [frames(4, 0, channels=3), frames(6, 1, channels=3), frames(3, 2, channels=3)]
    with pytest.warns(UserWarning, match="1 films of 3 frames or fewer"):
        history, following = data.film_examples(films, num_frames=3)
    assert history.shape == (4, 8, 10, 9) and following.shape == (4, 8, 10, 3)
    expected = [(films[0], 0), (films[1], 0), (films[1], 1), (films[1], 2)]
    for row, (film, begin) in enumerate(expected):
        for k in range(3):  # the oldest first
            np.testing.assert_array_equal(history[row, ..., 3 * k : 3 * k + 3], film[begin + k])
        np.testing.assert_array_equal(following[row], film[begin + 3])
    with pytest.raises(ValueError, match="at least 9 frames"):
        data.film_examples(films, num_frames=8)
    with pytest.raises(ValueError, match="of one size"):
        data.film_examples([frames(4), frames(4, size=(6, 6))])


def test_feeding_back_shifts_on_and_on():
    """A predictor that moves the last frame by one column: after k steps it has moved k columns."""
    films = frames(3, 0, size=(4, 6))[None].repeat(2, axis=0)
    films[1] = films[1][::-1]
    film = feed_back(lambda seen: np.roll(seen[..., -1:], 1, axis=2), films, steps=5, num_frames=2)
    assert film.shape == (2, 5, 4, 6, 1)
    for step in range(5):
        np.testing.assert_array_equal(film[:, step], np.roll(films[:, -1], step + 1, axis=2))
    seen = []
    feed_back(lambda x: seen.append(x) or np.full((2, 4, 6, 1), 10 + len(seen), "uint8"), films, 3, num_frames=2)
    np.testing.assert_array_equal(seen[0], as_channels(films[:, -2:]))
    assert (seen[2] == [11, 12]).all()  # what was predicted first is the older one
    with pytest.raises(ValueError, match="at least 4 frames"):
        feed_back(lambda x: x, films, 1, num_frames=4)


# --- As parts of a model


PARTS = {"source": Frames((8, 10, 3), num_frames=3), "target": Images((8, 10, 1))}


def test_films_become_the_parts_of_a_model_of_frames(tmp_path):
    films = [frames(5, 0), frames(4, 1)]
    for name, film in zip("ab", films):
        write_frames(tmp_path / "train" / name, film)
    history, following = data.film_examples(films, num_frames=3)
    found = reading.read_parts(PARTS, tmp_path)
    np.testing.assert_array_equal(found["source"], history)
    np.testing.assert_array_equal(found["target"], following)
    larger = reading.read_parts(PARTS, tmp_path, image_shape=(16, 16, 3))
    assert larger["source"].shape == (3, 16, 16, 9) and larger["target"].shape == (3, 16, 16, 3)
    np.savez(tmp_path / "stack.npz", films=np.stack([films[0], films[0]]))
    assert reading.read_parts(PARTS, tmp_path / "stack.npz")["source"].shape == (4, 8, 10, 3)
    assert "3 frames of a film" in reading.how_read(PARTS, tmp_path, "train", {})
    assert reading.layout_of(PARTS) == "images"
    np.testing.assert_array_equal(reading.read_parts(PARTS, (history, following))["source"], history)
    with pytest.raises(ValueError, match="Received: skip_unreadable"):
        reading.read_parts(PARTS, tmp_path, reading={"skip_unreadable": True})


def test_frames_know_their_film(tmp_path):
    part = PARTS["source"]
    assert type(part).from_config(part.get_config()).get_config() == part.get_config()
    values = np.arange(2 * 8 * 10 * 3).reshape(2, 8, 10, 3)
    np.testing.assert_array_equal(np.concatenate(part.frames_of(values), axis=-1), values)
    film = frames(6)
    write_gif(tmp_path / "film.gif", film)
    np.testing.assert_array_equal(part.read(str(tmp_path / "film.gif"), "source"), as_channels(film[None, -3:]))
    write_gif(tmp_path / "short.gif", film[:2])
    with pytest.raises(ValueError, match="at least 3 frames"):
        part.read(str(tmp_path / "short.gif"), "source")
    with pytest.raises(ValueError, match="4 times a frame's channels"):
        Frames((8, 8, 6), num_frames=4)


# --- Pictures and measures


def test_films_are_written_as_an_animation(tmp_path):
    films = np.zeros((2, 3, 4, 5, 1), "uint8")
    films[0] = np.arange(3).reshape(3, 1, 1, 1) * 100
    path = plot.save_film(tmp_path / "film.gif", films, columns=2, scale=2, frames_per_second=10)
    with Image.open(path) as written:
        assert written.n_frames == 3 and written.size == (2 * (2 * 5 + 3 * 2), 2 * (4 + 2 * 2))
        for i in range(3):
            written.seek(i)
            pixels = np.asarray(written.convert("L"))
            assert pixels[6, 6] == 100 * i and pixels[6, 6 + 14] == 0
            assert written.info["duration"] == (100 if i < 2 else 1100)
    for wrong in ({"films": films[0, 0]}, {"frames_per_second": 0}, {"scale": 0}):
        with pytest.raises(ValueError, match="Received: "):
            plot.save_film(**{"path": tmp_path / "film.gif", "films": films, **wrong})


def test_sharpness_difference_is_its_formula():
    rng = np.random.default_rng(0)
    real, drawn = rng.integers(0, 256, (2, 3, 6, 7, 2), "uint8")
    x, y = real / 255, drawn / 255
    expected = []
    for n in range(3):
        total = 0.0
        for i in range(1, 6):
            for j in range(1, 7):
                for c in range(2):
                    slope = [
                        abs(z[n, i, j, c] - z[n, i - 1, j, c]) + abs(z[n, i, j, c] - z[n, i, j - 1, c]) for z in (x, y)
                    ]
                    total += abs(slope[0] - slope[1])
        expected.append(10 * np.log10(1 / (total / (5 * 6 * 2))))
    np.testing.assert_allclose(ganzoo.metrics.sharpness_difference(real, drawn), expected, rtol=1e-12)


def test_sharpness_difference_of_known_images():
    ramp = np.broadcast_to(np.arange(0, 80, 10, dtype="uint8")[None, None, :, None], (1, 8, 8, 1)).copy()
    measure = ganzoo.metrics.sharpness_difference
    assert np.isinf(measure(ramp, ramp)) and np.isinf(measure(ramp, ramp + 5))
    assert measure(ramp, np.zeros_like(ramp)) == pytest.approx(10 * np.log10(255 / 10))
    assert measure(ramp, np.zeros_like(ramp)) < measure(ramp, ramp // 2)
    with pytest.raises(ValueError, match="at least 2 pixels"):
        measure(ramp[:, :1], ramp[:, :1])
