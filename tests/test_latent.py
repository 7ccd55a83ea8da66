"""Latent-space tools: truncation, codes, arithmetic, directions, the latents of an image."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.optimize
from keras import ops
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import latent
from ganzoo.cli import app
from ganzoo.latent.lbfgs import minimize

CLASSES = 3


class Linear(ganzoo.GAN):
    """Of a tanh of a matrix times the latents, so that all that it draws is known."""

    def __init__(self, kernel=None, activation="tanh", before=None):
        self.kernel = np.random.default_rng(0).normal(0, 0.02, (5, 64)) if kernel is None else kernel
        latents = keras.Input((len(self.kernel),), name="latents")
        dense = keras.layers.Dense(64, activation, use_bias=False, name="dense")
        images = keras.layers.Reshape((8, 8, 1), name="image")(dense(before(latents) if before else latents))
        dense.kernel.assign(self.kernel)
        image = keras.Input((8, 8, 1))
        judge = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
        super().__init__(keras.Model(latents, images), judge)

    def generate(self, n=None, **inputs):
        self.told = inputs
        return super().generate(n, **inputs)


class Cube(Linear):
    """Its latents lie in a cube, off zero."""

    def latents(self, num):
        return 2 + 4 * self.noise("uniform", (num, 5))


def small_cgan():
    keras.utils.set_random_seed(0)
    return ganzoo.CGAN((16, 16, 1), CLASSES, latent_dim=4, width=4, seed=0)


def small_infogan():
    return ganzoo.InfoGAN((16, 16, 1), categories=4, num_codes=2, latent_dim=6, width=4, units=8, hidden=8)


# --- Codes


def test_one_code_changes_along_a_row_and_nothing_else():
    model = small_infogan()
    told: dict = {}
    draw = model.generate
    model.generate = lambda **inputs: told.update(inputs) or draw(**inputs)
    images = latent.traverse(model, "codes", 1, values=[-1, 0, 0.5], rows=2, seed=3)
    assert images.shape == (6, 16, 16, 1) and images.dtype == np.uint8
    drawn = model.inputs_for(2, 3)
    np.testing.assert_array_equal(told["latents"], drawn["latents"].repeat(3, axis=0))
    np.testing.assert_array_equal(told["category"], drawn["category"].repeat(3, axis=0))
    np.testing.assert_array_equal(told["codes"][:, 0], drawn["codes"][:, 0].repeat(3))
    np.testing.assert_array_equal(told["codes"][:, 1], [-1, 0, 0.5] * 2)
    latent.traverse(model, "category", rows=2)
    np.testing.assert_array_equal(told["category"], np.tile(np.eye(4), (2, 1)))
    latent.traverse(model, "codes", 0, rows=1)
    assert len(told["codes"]) == 11
    np.testing.assert_allclose(told["codes"][[0, -1], 0], [-0.99, 0.99], atol=0.02)  # what U(-1, 1) reaches


def test_all_classes_in_a_row():
    model = small_cgan()
    images = latent.traverse(model, "labels", rows=2, seed=1)
    alone = [model.generate(2, seed=1, labels=label) for label in range(CLASSES)]
    np.testing.assert_array_equal(images.reshape(2, CLASSES, 16, 16, 1).swapaxes(0, 1), alone)
    assert latent.traverse(model, "latents", 2, [0.0], rows=3, labels=[0, 1, 2]).shape == (3, 16, 16, 1)


def test_other_codes_may_be_one_for_each_row():
    model = small_infogan()
    images = latent.traverse(model, "latents", index=1, rows=3, codes=np.zeros((3, 2)), category=np.eye(4)[:3])
    assert images.shape == (33, 16, 16, 1)


def test_codes_that_cannot_change_are_told():
    with pytest.raises(ValueError, match="These can change: latents, labels"):
        latent.traverse(small_cgan(), "codes", labels=0)
    with pytest.raises(ValueError, match=r"Say which of `latents` changes, index= 0 to 3"):
        latent.traverse(small_cgan(), labels=0)
    with pytest.raises(ValueError, match="`labels` is what changes: leave it out"):
        latent.traverse(small_cgan(), "labels", labels=0)


# --- Truncation


@pytest.mark.parametrize("kind", [Linear, Cube])
def test_latents_beyond_the_threshold_are_drawn_anew(kind):
    model = kind()
    drawn = model.inputs_for(500, 0)["latents"]
    latent.truncate(model, [0.5], 500)
    cut = model.told["latents"]
    centre, scale = (0, 1) if kind is Linear else (4, 4 / np.sqrt(12))
    assert np.abs(cut - centre).max() <= 0.5 * scale * 1.1  # of 4096 draws
    near = np.abs(drawn - centre) < 0.5 * scale * 0.9
    np.testing.assert_array_equal(cut[near], drawn[near])
    assert np.unique(cut[~near]).size == (~near).sum() and abs(cut.mean() - centre) < 0.05
    assert latent.truncate(model, [3.0, 0.5], 4).shape == (8, 8, 8, 1)


def test_a_models_own_truncation_is_used():
    model = ganzoo.BigGAN(**ganzoo.BigGAN.tiny)
    images = latent.truncate(model, [0.3], 4, labels=1)
    np.testing.assert_array_equal(images, model.generate(4, seed=0, labels=1, truncation=0.3))


def test_thresholds_that_none_reaches_are_told(monkeypatch):
    monkeypatch.setattr("ganzoo.latent.codes.ROUNDS", 3)
    with pytest.raises(ValueError, match="none lies within the threshold"):
        latent.truncate(Linear(), [1e-9])
    with pytest.raises(ValueError, match="Thresholds are above 0"):
        latent.truncate(Linear(), [1, 0])


# --- Arithmetic


def test_a_sum_of_means():
    model = Linear()
    z = model.seeded_latents(9, seed=0)
    found = latent.arithmetic(model, [z[:3], z[3:5]], [z[5:9]], num_images=4, noise=0.1)
    total = z[:3].mean(0) + z[3:5].mean(0) - z[5:].mean(0)
    np.testing.assert_allclose(found.latents, total, atol=1e-6)
    np.testing.assert_array_equal(found.images[:1], model.generate(latents=total))
    np.testing.assert_array_equal(
        found.groups, model.generate(latents=np.stack([z[:3].mean(0), z[3:5].mean(0), z[5:].mean(0)]))
    )
    latent.arithmetic(model, [z[:3]], num_images=200, noise=0.1)
    around = model.told["latents"] - z[:3].mean(0)
    assert np.abs(around[1:]).max() <= 0.1 < 1.1 * np.abs(around).max() and not around[0].any()
    assert latent.arithmetic(small_cgan(), [np.zeros((2, 4))], labels=1).images.shape == (9, 16, 16, 1)
    with pytest.raises(ValueError, match=r"A group of `latents` has the shape \(n, 5\)"):
        latent.arithmetic(model, [np.zeros(5)])
    with pytest.raises(ValueError, match="Add a group"):
        latent.arithmetic(model, [])


# --- Directions


@pytest.mark.parametrize("activation", [None, "tanh"])
def test_sefa_gives_the_left_singular_vectors_of_the_first_layer(activation):
    model = Linear(activation=activation)
    found = latent.sefa(model, 5)
    left, scales, _ = np.linalg.svd(model.kernel)
    np.testing.assert_allclose(np.abs(np.sum(found.vectors * left.T, axis=1)), 1, rtol=1e-4)
    np.testing.assert_allclose(found.shares, scales**2 / np.sum(scales**2), rtol=1e-3)
    assert model.generator_ema.get_layer("dense").activation is keras.activations.get(activation or "linear")


def test_sefa_takes_all_layers_that_latents_go_into_and_no_other_input():
    latents, labels = keras.Input((4,), name="latents"), keras.Input((), dtype="int32", name="labels")
    first, second = ganzoo.layers.Split(2)(latents)
    told = keras.layers.Embedding(CLASSES, 7)(labels)
    x = keras.layers.Dense(64, "relu", name="one")(first)
    x = keras.layers.Add()([x, keras.layers.Dense(64, name="two")(keras.layers.Concatenate()([told, second]))])
    generator = keras.Model([latents, labels], keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(x)))
    image = keras.Input((8, 8, 1), name="images")
    judge = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
    data = {"images": ganzoo.Images((8, 8, 1)), "labels": ganzoo.Labels(CLASSES)}
    model = ganzoo.GAN(generator, judge, data=data)
    one = np.array(ops.convert_to_numpy(generator.get_layer("one").kernel))
    two = np.array(ops.convert_to_numpy(generator.get_layer("two").kernel))[7:]
    square = np.zeros((4, 4))
    square[:2, :2], square[2:, 2:] = one @ one.T, two @ two.T
    values, vectors = np.linalg.eigh(square)
    found = latent.sefa(model, 4)
    np.testing.assert_allclose(np.abs(np.sum(found.vectors * vectors.T[::-1], axis=1)), 1, rtol=1e-3)
    np.testing.assert_allclose(found.shares, values[::-1] / values.sum(), rtol=1e-3)


def test_sefa_refuses_what_is_not_linear():
    unit = keras.layers.UnitNormalization(name="unit")
    with pytest.raises(ValueError, match=r"not linear in `latents`, which SeFa needs: use ganspace"):
        latent.sefa(Linear(before=unit))
    with pytest.raises(ValueError, match="as many directions as latents, 5"):
        latent.sefa(Linear(), 6)
    with pytest.raises(ValueError, match="These latents can be moved: latents, codes"):
        latent.sefa(small_infogan(), 2, name="category")


def test_ganspace_finds_the_axes_of_a_linear_layer():
    kernel = np.zeros((3, 64))
    kernel[0, :20], kernel[1, 20:30], kernel[2, 30:32] = 1, 1, 1  # variances 20, 10, 2
    found = latent.ganspace(Linear(kernel, None), 3, num_samples=2000)
    np.testing.assert_allclose(found.vectors, np.eye(3), atol=0.1)
    np.testing.assert_allclose(found.shares, np.array([20, 10, 2]) / 32, atol=0.03)
    fewer = latent.ganspace(Linear(kernel, None), 3, num_samples=50)  # by the other square matrix
    np.testing.assert_allclose(np.abs(np.sum(fewer.vectors * found.vectors, axis=1)), 1, atol=0.1)


def test_ganspace_holds_what_does_not_move():
    """Components that are another code's are no directions of the latents."""
    model = small_infogan()
    held = {"category": np.eye(4)[1], "codes": np.zeros(2)}
    one, same = latent.ganspace(model, 2, num_samples=30, **held), latent.ganspace(model, 2, num_samples=30, **held)
    np.testing.assert_array_equal(one.vectors, same.vectors)
    other = latent.ganspace(model, 2, num_samples=30, category=np.eye(4)[2], codes=np.zeros(2))
    assert not np.array_equal(one.vectors, other.vectors), "directions of a class are its own"
    network = model.generator_ema.get_layer("dense").kernel
    network.assign(np.concatenate([np.zeros((6, 8)), ops.convert_to_numpy(network)[6:]]))
    with pytest.raises(ValueError, match="does not depend on `latents`"):
        latent.ganspace(model, 1, num_samples=20)


def test_ganspace_of_a_layer_by_its_name():
    model = Linear(activation=None)
    np.testing.assert_array_equal(latent.ganspace(model, 2, layer="image").vectors, latent.ganspace(model, 2).vectors)
    with pytest.raises(ValueError, match="The generator's layers are latents, dense, image"):
        latent.ganspace(model, layer="nope")
    with pytest.raises(ValueError, match="does not depend on `latents`"):
        latent.ganspace(small_cgan(), 1, layer="label_vector", num_samples=20)


@pytest.mark.parametrize("variant", ["dcgan", "gan", "wgan_gp", "acgan", "infogan", "projection", "biggan"])
def test_every_generator_of_latents_has_directions(variant):
    model = ganzoo.models.get_model(variant)
    model = model(**model.tiny)
    for found in (latent.sefa(model, 3), latent.ganspace(model, 3, num_samples=20)):
        np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)
        assert found.vectors.shape == (3, model.latent_dim) and (np.diff(found.shares) <= 0).all()


def test_a_walk_begins_in_the_middle():
    model = Linear()
    directions = np.eye(5)[:2]
    images = latent.walk(model, directions, reach=2, steps=5, seed=4)
    start = model.seeded_latents(1, seed=4)
    np.testing.assert_allclose(model.told["latents"][5:], start + np.linspace(-2, 2, 5)[:, None] * directions[1])
    np.testing.assert_array_equal(images[[2, 7]], model.generate(2, latents=start))
    with pytest.raises(ValueError, match=r"Directions are \(n, 5\)"):
        latent.walk(model, np.eye(4))


# --- The latents of an image


def test_what_the_generator_drew_is_found_again():
    model = Linear(np.random.default_rng(0).normal(0, 0.3, (5, 64)))
    images = model.generate(2, seed=99)
    found = latent.project(model, images, starts=3, steps=150, num_drawn=50)
    assert (found.error < 0.3 * found.nearest_error).all(), (found.error, found.nearest_error)
    np.testing.assert_array_equal(found.images, model.generate(latents=found.latents))
    difference = found.nearest.astype(float) - images
    np.testing.assert_allclose(np.sqrt(np.square(difference).mean((1, 2, 3))), found.nearest_error, rtol=1e-5)
    assert found.start_errors.shape == (2, 3) and (found.start_errors.min(axis=1) == found.error).all()
    pool = model.generate(50, seed=0).astype(float)
    true = np.sqrt(np.square(pool[:, None] - images).mean((2, 3, 4))).min(axis=0)
    np.testing.assert_allclose(found.nearest_error, true, rtol=1e-5)


def test_latents_stay_where_the_model_draws_them_and_labels_are_held():
    model = Cube()
    found = latent.project(model, np.full((8, 8, 1), 255, "uint8"), starts=2, steps=30, learning_rate=1.0, num_drawn=20)
    assert found.latents.min() >= 2 and found.latents.max() <= 6
    conditional = small_cgan()
    asked = latent.project(conditional, conditional.generate(1, seed=7, labels=2), steps=2, num_drawn=9, labels=2)
    np.testing.assert_array_equal(asked.images, conditional.generate(latents=asked.latents, labels=2))
    with pytest.raises(ValueError, match="images"):
        latent.project(model, np.zeros((1, 9, 8, 1), "uint8"))


def test_a_distance_of_ones_own():
    model = Linear()

    def left(drawn, given):
        return ops.mean(ops.abs(drawn - given)[:, :, :4], axis=(1, 2, 3))

    found = latent.project(model, model.generate(1, seed=5), starts=2, steps=40, num_drawn=20, distance=left)
    assert found.error[0] < found.nearest_error[0]


# --- L-BFGS


def quadratics(num, size):
    """Functions (x A x / 2 - b x) of their own, row by row."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(num, size, size)), 3 * rng.normal(size=(num, size))
    a = a @ a.transpose(0, 2, 1) + 0.1 * np.eye(size)

    def function(x):
        slope = np.einsum("nij,nj->ni", a, x)
        return (slope * x).sum(1) / 2 - (b * x).sum(1), slope - b

    return function, np.linalg.solve(a, b[..., None])[..., 0]


def rosenbrock(x):
    return np.array([scipy.optimize.rosen(row) for row in x]), np.array([scipy.optimize.rosen_der(row) for row in x])


@pytest.mark.backend_free
def test_lbfgs_solves_each_rows_equations():
    function, solution = quadratics(6, 8)
    calls = []
    found, least = minimize(lambda x: calls.append(1) or function(x), np.zeros((6, 8)), -np.inf, np.inf, 200)
    np.testing.assert_allclose(found, solution, atol=1e-5)
    np.testing.assert_allclose(least, function(solution)[0], atol=1e-9)
    assert len(calls) < 400
    alone = [minimize(lambda x: function(np.tile(x, (6, 1))), np.zeros((1, 8)), -np.inf, np.inf, 0)[0]]
    np.testing.assert_array_equal(alone[0], np.zeros((1, 8)))  # no step


@pytest.mark.backend_free
def test_lbfgs_finds_what_scipy_finds_in_a_box():
    function, _ = quadratics(6, 8)
    found, _ = minimize(function, np.zeros((6, 8)), -1, 1, 200)
    for index, row in enumerate(found):

        def alone(x, index=index):
            values, slopes = function(np.tile(x, (6, 1)))
            return values[index], slopes[index]

        theirs = scipy.optimize.minimize(alone, np.zeros(8), jac=True, method="L-BFGS-B", bounds=[(-1, 1)] * 8)
        np.testing.assert_allclose(row, theirs.x, atol=1e-4)
    assert (np.abs(found) == 1).any(axis=1).all()


@pytest.mark.backend_free
@pytest.mark.parametrize("high", [np.inf, 0.5])
def test_lbfgs_ends_where_no_slope_is_left_but_out_of_the_box(high):
    found, least = minimize(rosenbrock, np.random.default_rng(0).normal(size=(5, 4)), -1.5, high, 500)
    values, slopes = rosenbrock(found)
    np.testing.assert_allclose(least, values, atol=1e-12)
    np.testing.assert_allclose(np.clip(found - slopes, -1.5, high), found, atol=1e-6)
    assert (np.abs(least) < 1e-9).sum() == (4 if high > 1 else 0)  # one row in the other valley


@pytest.mark.backend_free
def test_a_value_that_is_no_number_is_no_step():
    def function(x):
        values = np.where(x[:, 0] < -1, np.nan, x[:, 0] ** 2 - np.minimum(x[:, 0], 0))
        return values, 2 * x - (x < 0)

    found, least = minimize(function, np.full((1, 1), 8.0), -np.inf, np.inf, 50)
    assert 0 <= least[0] < 64 and found[0, 0] >= -1


def test_lbfgs_finds_what_the_generator_drew_in_fewer_steps():
    model = Linear(np.random.default_rng(0).normal(0, 0.3, (5, 64)))
    images = model.generate(2, seed=99)
    options = {"starts": 3, "steps": 15, "num_drawn": 50}
    found, slower = latent.project(model, images, method="lbfgs", **options), latent.project(model, images, **options)
    assert (found.error < 0.05 * found.nearest_error).all() and (found.error < slower.error).all()
    np.testing.assert_array_equal(found.images, model.generate(latents=found.latents))
    with pytest.raises(ValueError, match=r"The methods are adam and lbfgs\. Received: method='newton'"):
        latent.project(model, images, method="newton")


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_a_search_begins_where_it_is_told_with_a_class_for_each_image(method):
    model = small_cgan()
    model.generator_ema.set_weights([8 * w if w.ndim > 1 else w for w in model.generator_ema.get_weights()])  # contrast
    begin, labels = np.random.default_rng(1).normal(size=(3, 4)).astype("float32"), [0, 2, 1]
    images = model.generate(3, seed=7, labels=labels)
    found = latent.project(model, images, steps=3, method=method, begin=begin, labels=labels)
    np.testing.assert_array_equal(found.nearest, model.generate(latents=begin, labels=labels))
    np.testing.assert_array_equal(found.images, model.generate(latents=found.latents, labels=labels))
    assert found.start_errors.shape == (3, 1) and (found.error <= found.nearest_error).all()
    one = latent.project(model, images[1:2], steps=3, method=method, begin=begin[1:2], labels=2)
    np.testing.assert_allclose(found.latents[1:2], one.latents, atol=0.01)  # each image by itself
    with pytest.raises(ValueError, match=r"`labels` is one for all images.*begin=latents.*Received: 3 labels"):
        latent.project(model, images, labels=labels)
    for wrong in (begin[:2], begin[:, :3], np.full((3, 4), np.nan)):
        with pytest.raises(ValueError, match=r"`begin` are finite `latents`, a row for each image, \(3, 4\)"):
            latent.project(model, images, begin=wrong, labels=labels)


def test_a_distance_of_features():
    distance = latent.feature_distance(lambda x: x[:, 0, :, 0])
    drawn, given = np.random.default_rng(0).normal(size=(2, 3, 8, 8, 1)).astype("float32")
    expected = np.square(drawn - given)[:, 0].sum(axis=(1, 2))
    found = distance(*map(ops.convert_to_tensor, (drawn, given)))
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5)


# --- The command


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, model in (("cgan", small_cgan()), ("infogan", small_infogan())):
        model.save(folder / f"{name}.keras")
    Image.fromarray(small_cgan().generate(1, seed=0, labels=1)[0, :, :, 0]).save(folder / "digit.png")
    return folder


VERBS = {
    "interpolate {}/cgan.keras labels=1 --paths 3 --steps 4 --path linear": (4, 3),
    "truncate {}/cgan.keras --thresholds 1,.5 --columns 3": (3, 2),
    "arithmetic {}/cgan.keras '0,1-2+3,5' labels=2 --seed 3": (9, 2),
    "traverse {}/cgan.keras labels --rows 2": (3, 2),
    "traverse {}/infogan.keras codes:1 --values=-1,0,1,2 --rows 2": (4, 2),
    "directions {}/cgan.keras -n 3 --steps 5": (5, 3),
    "directions {}/infogan.keras --method ganspace -n 2 --steps 5": (5, 2),
    "project {}/cgan.keras {}/digit.png labels=1 --steps 2 --starts 1": (3, 1),
    "project {}/cgan.keras {}/digit.png labels=1 --steps 2 --method lbfgs": (3, 1),
}


def run(command: str, saved: Path, *more: str):
    words = [word.strip("'").replace("{}", str(saved)) for word in command.split()]
    return CliRunner().invoke(app, ["latent", *words, *more])


@pytest.mark.parametrize("command", VERBS)
def test_every_verb_writes_a_sheet(command, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(command, saved)
    assert done.exit_code == 0, done.output
    (sheet,) = tmp_path.iterdir()
    columns, rows = VERBS[command]
    assert Image.open(sheet).size == (18 * columns + 2, 18 * rows + 2)
    again = run(command, saved)
    assert again.exit_code == 2 and "is there already" in again.output
    moving = run(command, saved, "-o", "new/moving.gif")
    assert moving.exit_code == 0, moving.output
    with Image.open(tmp_path / "new" / "moving.gif") as frames:
        assert 1 <= frames.n_frames <= columns  # equal frames are one


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("arithmetic {}/cgan.keras 0,x", "A sum is written"),
        ("arithmetic {}/cgan.keras 0,64", "say -n 65"),
        ("arithmetic {}/cgan.keras 0,1", "are of one labels: say it, labels=3"),
        ("directions {}/cgan.keras --method pca", "The methods are sefa and ganspace"),
        ("traverse {}/infogan.keras codes:x", "A code is written NAME:NUMBER"),
        ("interpolate {}/cgan.keras --path round", "A path is spherical or linear"),
        ("truncate {}/cgan.keras --thresholds a", "Numbers, with commas between them"),
        ("project {}/cgan.keras nothing.png", "There is no image file of that name"),
        ("interpolate {}/cgan.keras -o paths.jpg", "A sheet is a .png file"),
    ],
)
def test_bad_input_to_a_verb(command, says, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(command, saved)
    assert done.exit_code == 2 and says in done.output, done.output
    assert not list(tmp_path.iterdir())
