"""CycleGAN (CORRECTNESS V05): networks and losses against NumPy, updates, two groups, pools over interruptions."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo import CycleGAN, Images, losses
from ganzoo.callbacks import Backup
from ganzoo.engine.gan import GAN
from ganzoo.layers import ReflectionPadding2D
from ganzoo.networks.resnet import resnet_generator

RNG = np.random.default_rng(0)
SOURCES, TARGETS = RNG.integers(0, 256, (10, 16, 16, 1), "uint8"), RNG.integers(0, 256, (7, 16, 16, 1), "uint8")


def values(x):
    return ops.convert_to_numpy(x).copy()


def build(**arguments):
    keras.utils.set_random_seed(7)
    return CycleGAN(**{**CycleGAN.tiny, "seed": 3, **arguments})


def shaken(network, seed=0):
    """Weights that leave no gradient so small that rounding decides on Adam's first step."""
    rng = np.random.default_rng(seed)
    for v in network.trainable_variables:
        v.assign(v + 0.3 * rng.standard_normal(v.shape).astype("float32"))


# ------------------------------------------------------------------------------------------------------------ networks
def convolved(x, kernel, bias, stride=1):
    """A "valid" convolution, in float64."""
    size = kernel.shape[0]
    rows, columns = ((n - size) // stride + 1 for n in x.shape[1:3])
    y = np.zeros((len(x), rows, columns, kernel.shape[3]))
    for i in range(size):
        for j in range(size):
            window = x[:, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride]
            y += window @ kernel[i, j]
    return y + bias


def reference(weights, x, blocks, mode, resize):
    """The generator of Johnson et al., in float64."""
    kinds = {"reflect": "reflect", "zeros": "constant"}

    def padded(x, before, after=None, mode=kinds[mode]):
        return np.pad(x, [(0, 0), *[(before, before if after is None else after)] * 2, (0, 0)], mode)

    def normal(x, name):
        x = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
        return x * weights[f"{name}_norm/gamma"] + weights[f"{name}_norm/beta"]

    def unit(x, name, relu=True, size=3):
        x = normal(convolved(padded(x, size // 2), weights[f"{name}/kernel"], 0.0), name)
        return np.maximum(x, 0) if relu else x

    def doubled(x, name):
        if resize:
            return unit(x.repeat(2, 1).repeat(2, 2), name)
        kernel, wide = weights[f"{name}/kernel"], np.zeros((len(x), 2 * x.shape[1] + 1, 2 * x.shape[2] + 1, 0))
        wide = np.zeros((*wide.shape[:3], kernel.shape[2]))
        for i in range(3):  # "same", of stride 2: what would stick out below and on the right is cut off
            for j in range(3):
                wide[:, i : i + 2 * x.shape[1] : 2, j : j + 2 * x.shape[2] : 2] += x @ kernel[i, j].T
        return np.maximum(normal(wide[:, :-1, :-1], name), 0)

    x = unit(x.astype("float64"), "from_image", size=7)
    for i in (1, 2):
        padded_x = padded(x, 0, 1, mode="constant")
        x = np.maximum(normal(convolved(padded_x, weights[f"down{i}/kernel"], 0.0, 2), f"down{i}"), 0)
    for i in range(1, blocks + 1):
        x = x + unit(unit(x, f"block{i}_conv1"), f"block{i}_conv2", relu=False)
    for i in (1, 2):
        x = doubled(x, f"up{i}")
    return np.tanh(convolved(padded(x, 3), weights["to_image/kernel"], weights["to_image/bias"]))


@pytest.mark.parametrize("padding,enlargement", [("reflect", "transposed"), ("zeros", "resize")])
def test_v05_the_generator_computes_what_the_reference_does(padding, enlargement):
    network = resnet_generator(2, 3, 2, 2, padding=padding, enlargement=enlargement, source="photo", name="there")
    assert network.name == "there" and [x.name for x in network.inputs] == ["photo"]
    assert (network.input_shape, network.output_shape) == ((None, None, None, 2), (None, None, None, 3))
    shaken(network)
    weights = {v.path: values(v).astype("float64") for v in network.weights}
    for size in ((8, 12), (20, 16)):
        x = RNG.uniform(-1, 1, (2, *size, 2)).astype("float32")
        expected = reference(weights, x, 2, padding, enlargement == "resize")
        np.testing.assert_allclose(values(network(x, training=False)), expected, atol=2e-4)
        assert expected.shape == (2, *size, 3) and expected.std() > 0.1


@pytest.mark.backend_free
def test_v05_the_generators_of_the_paper_have_their_weights():
    # A quadratic of the width: three narrow networks tell that of the paper's, of width 64.
    for blocks, papers in (
        (9, 11_378_179),
        (6, 7_837_699),
    ):  # of the authors' code, which has biases, and norms without
        widths = [1, 2, 4]
        counts = [resnet_generator(3, 3, width, blocks).count_params() for width in widths]
        ours = round(np.polyval(np.linalg.solve(np.vander(widths, 3).astype(float), counts), 64))
        channels = 64 + 128 + 256 + 2 * blocks * 256 + 128 + 64
        assert ours == papers - channels + 2 * channels  # a scale and a centre instead of a bias


@pytest.mark.backend_free
def test_v06_zero_padding_leaves_none_of_the_mirrors():
    network = resnet_generator(3, 3, 2, 1, padding="zeros", normalization=None)
    assert not any(isinstance(layer, ReflectionPadding2D) for layer in network.layers)
    assert network.get_layer("block1_conv1").use_bias


@pytest.mark.backend_free
@pytest.mark.parametrize("wrong", [{"padding": "mirror"}, {"enlargement": "bilinear"}, {"normalization": "spectral"}])
def test_unknown_kinds_of_networks_are_refused(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` is one of .*Received"):
        resnet_generator(1, 1, 2, 1, **wrong)


# -------------------------------------------------------------------------------------------------- losses and updates
def mean_absolute(one, other):
    return np.abs(one.astype("float64") - other).mean()


def test_v05_l06_losses_are_those_of_the_paper():
    model = build()
    for seed, network in enumerate([model.generator, model.back, model.discriminator, model.source_discriminator]):
        shaken(network, seed)
    real = {"source": SOURCES[:3], "target": TARGETS[:2]}
    evaluated = model.evaluate(real, batch_size=3, verbose=0)
    x, y = (part / np.float32(127.5) - 1 for part in real.values())

    def answers(network, name=None):
        given = (lambda x: {name: ops.convert_to_tensor(x)}) if name else ops.convert_to_tensor
        return lambda images: values(network(given(images), training=False))

    g, f = answers(model.generator), answers(model.back)
    dy, dx = answers(model.discriminator, "target"), answers(model.source_discriminator, "source")
    cycle = mean_absolute(f(g(x)), x) + mean_absolute(g(f(y)), y)
    identity = mean_absolute(g(y), y) + mean_absolute(f(x), x)
    adversarial = ((dy(g(x)) - 1) ** 2).mean() + ((dx(f(y)) - 1) ** 2).mean()
    judged = sum(((d(t) - 1) ** 2).mean() / 2 + (d(w) ** 2).mean() / 2 for d, t, w in ((dy, y, g(x)), (dx, x, f(y))))
    assert evaluated["generator_loss"] == pytest.approx(adversarial + 10 * cycle + 5 * identity, rel=1e-4)
    assert evaluated["discriminator_loss"] == pytest.approx(judged, rel=1e-4)
    assert evaluated["cycle"] == pytest.approx(cycle / 2, rel=1e-4)


def test_v05_generators_move_first_and_discriminators_see_what_they_drew_before():
    """A whole update without Adam's scale: plain gradient steps, redone one player at a time."""
    model = build(pool_size=0, enlarge=1, flip=False)
    for seed, network in enumerate([model.generator, model.back, model.discriminator, model.source_discriminator]):
        shaken(network, seed)
    other = build(pool_size=0, enlarge=1, flip=False)
    other.set_weights(model.get_weights())
    sgd = lambda: {p: keras.optimizers.SGD(0.01) for p in ("generator", "discriminator")}  # noqa: E731
    for each in (model, other):
        each.compile(sgd())
    x, y = SOURCES[:2], TARGETS[:2]
    losses_of = model.fit(x, y, batch_size=2, verbose=0).history

    def redone(reals, training):
        (real,) = reals
        fake = other.without_updates(lambda: other.fake(real, training))
        d = other.minimize(lambda: other.discriminator_loss(real, fake, training), "discriminator", training)
        return {"discriminator": d, "generator": ops.zeros(())}

    other.update = redone
    redone_losses = other.fit(x, y, batch_size=2, verbose=0).history
    assert losses_of["discriminator_loss"] == pytest.approx(redone_losses["discriminator_loss"], rel=1e-4)
    for one, two in zip(model.players()["discriminator"], other.players()["discriminator"]):
        for a, b in zip(one.get_weights(), two.get_weights()):  # drawn by generators that had not moved
            np.testing.assert_allclose(a, b, atol=2e-5)


def test_v05_generator_gradients_agree_with_differences_of_the_loss():
    model = build(pool_size=0, enlarge=1, flip=False, ema_decay=0.0)
    for seed, network in enumerate([model.generator, model.back, model.discriminator, model.source_discriminator]):
        shaken(network, seed)
    rate = 1e-3
    model.compile({p: keras.optimizers.SGD(rate if p == "generator" else 0.0) for p in model.players()})
    real = {"source": SOURCES[:2], "target": TARGETS[:2]}
    batch = model.as_batch(real)
    before = [values(v) for v in model.trainable_variables_of("generator")]
    loss = lambda: float(ops.convert_to_numpy(model.generator_loss(batch, model.fake(batch, False), False)))  # noqa: E731
    model.fit(real, batch_size=2, verbose=0)
    moved = [values(v) for v in model.trainable_variables_of("generator")]
    slopes = [(a - b) / rate for a, b in zip(before, moved)]
    step = 3e-4 / np.sqrt(sum((s**2).sum() for s in slopes))
    at = []
    for sign in (1, -1):
        for v, value, slope in zip(model.trainable_variables_of("generator"), before, slopes):
            v.assign(value + sign * step * slope)
        at.append(loss())
    expected = step * sum((s.astype("float64") ** 2).sum() for s in slopes)
    assert (at[0] - at[1]) / 2 == pytest.approx(expected, rel=0.05)  # along the gradient of both generators


def test_v05_one_optimizer_each_of_both_generators_and_of_both_discriminators():
    model = build()
    model.compile()
    assert list(model.optimizer.players) == ["discriminator", "generator"]
    held = {id(v) for v in model.optimizer["generator"]._trainable_variables}
    assert held == {id(v) for network in (model.generator, model.back) for v in network.trainable_variables}
    for player in model.players():
        assert isinstance(model.optimizer[player], keras.optimizers.Adam) and model.optimizer[player].beta_1 == 0.5
        assert float(values(model.optimizer[player].learning_rate)) == pytest.approx(2e-4)


def test_v05_without_identity_its_passes_are_skipped():
    counts = {}
    for weight in (0.5, 0):
        model, calls = build(identity_weight=weight), []
        fake = model.fake
        model.fake = lambda real, training, fake=fake, calls=calls: calls.append(1) or fake(real, training)
        model.evaluate(SOURCES[:2], TARGETS[:2], batch_size=2, verbose=0)
        counts[weight] = len(calls)
    assert counts[0.5] - counts[0] >= 1 and counts[0] > 0


# ------------------------------------------------------------------------------------------ two groups, and their pools
def test_groups_of_different_lengths_have_orders_of_their_own():
    model, seen = build(pool_size=0), []
    model.compile(run_eagerly=True)
    update = model.update

    def watch(reals, training):
        seen.append({name: values(reals[0][name]).mean() for name in ("source", "target")})
        return update(reals, training)

    model.update, model.prepare = watch, lambda real, training: real
    sources, targets = (
        np.full((n, 16, 16, 1), 0, "uint8") + np.arange(n, dtype="uint8")[:, None, None, None] for n in (6, 4)
    )
    model.fit(sources, targets, batch_size=1, epochs=2, verbose=0)
    told = {name: [round((each[name] + 1) * 127.5) for each in seen] for name in ("source", "target")}
    assert len(seen) == 12  # an epoch is a pass over the longer
    assert sorted(told["source"][:6]) == sorted(told["source"][6:]) == list(range(6))
    assert sorted(told["target"][:4]) == list(range(4)) and told["source"][:4] != told["target"][:4]


class Crash(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 6:
            raise KeyboardInterrupt


def test_k30_the_pools_are_resumed_and_saved_exactly(tmp_path):
    data = {"x": SOURCES, "y": TARGETS, "batch_size": 1, "epochs": 2, "verbose": 0}
    straight = build(pool_size=4)
    straight.fit(**data)
    with pytest.raises(KeyboardInterrupt):
        build(pool_size=4).fit(**data, callbacks=[Backup(tmp_path / "b", 1), Crash()])
    resumed = build(pool_size=4)
    resumed.fit(**{**data, "epochs": 1}, callbacks=[Backup(tmp_path / "b", 1)])
    resumed.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for name in ("source", "target"):
        assert int(values(loaded.pools[name].count)) == 4
        np.testing.assert_array_equal(values(loaded.pools[name].images), values(resumed.pools[name].images))
        assert np.abs(values(loaded.pools[name].images)).min(axis=(1, 2, 3)).max() > 0
    loaded.fit(**data, initial_epoch=1)
    for a, b in zip(straight.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(values(a), values(b), err_msg=a.path)


def test_evaluating_and_drawing_leave_the_pools_alone():
    model = build(pool_size=4)
    model.fit(SOURCES[:3], TARGETS[:3], batch_size=1, verbose=0)
    before = [values(v) for pool in model.pools.values() for v in pool.variables]
    assert [int(b) for b in before if b.ndim == 0] == [3, 3]
    model.evaluate(SOURCES, TARGETS, batch_size=2, verbose=0)
    model.generate(target=TARGETS)
    for a, v in zip(before, [v for pool in model.pools.values() for v in pool.variables]):
        np.testing.assert_array_equal(a, values(v))


# ---------------------------------------------------------------------------------------- what a user asks of the model
def test_either_direction_at_any_size_of_averaged_generators(tmp_path):
    model = build()
    model.fit(SOURCES[:2], TARGETS[:2], batch_size=1, verbose=0)
    shaken(model.generator_ema, 1)
    shaken(model.back_ema, 2)
    for name, network in (("source", model.generator_ema), ("target", model.back_ema)):
        for size in ((16, 16), (24, 40)):
            images = RNG.integers(0, 256, (2, *size, 1), "uint8")
            drawn = model.generate(**{name: images})
            expected = values(network(ops.convert_to_tensor(images / np.float32(127.5) - 1), training=False))
            assert drawn.shape == (2, *size, 1)
            assert np.abs(drawn - ganzoo.data.to_uint8(expected).astype(int)).max() <= 1
            assert model.predict({name: images}, verbose=0).shape == (2, *size, 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.generate(target=TARGETS), model.generate(target=TARGETS))
    with pytest.raises(ValueError, match=r"multiples of 4.*Received: source of shape \(1, 18, 16, 1\)"):
        model.generate(source=np.zeros((1, 18, 16, 1), "uint8"))
    with pytest.raises(ValueError, match=r"ask one of them, generate\(source=\.\.\.\) or generate\(target=\.\.\.\)"):
        model.generate(4)


@pytest.mark.backend_free
def test_both_generators_are_stored_and_read_again(tmp_path):
    from ganzoo.zoo.weights import load_weights, save_weights

    model = build()
    shaken(model.back_ema, 2)
    save_weights(model, tmp_path / "w.safetensors", half=False)
    other = build()
    load_weights(other, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other.generate(target=TARGETS), model.generate(target=TARGETS))


@pytest.mark.backend_free
@pytest.mark.parametrize("of", ["source", "target"])
def test_either_generator_is_exported_for_any_size(of, tmp_path):
    from test_export import serve

    model = build()
    shaken(model.average_of({"source": model.generator, "target": model.back}[of]), 3)
    path = model.export(tmp_path / "there", of=of, verbose=False)
    images = RNG.integers(0, 256, (3, 20, 36, 1), "uint8")
    taken, _, drawn = serve(path, tmp_path, **{of: images / np.float32(127.5) - 1})
    assert taken == [(of, "float32", None, None, None, 1)]
    np.testing.assert_allclose(drawn, model.predict({of: images}, verbose=0), atol=1e-4)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "arguments,reason",
    [
        ({"target_shape": (20, 16, 1)}, "one height and width"),
        ({"target_shape": (16, 16, 3)}, "identity_weight=0"),
        ({"source_shape": (18, 16, 1)}, "multiples of 4"),
        ({"source_shape": (16,)}, "one height and width"),
        ({"augment": ganzoo.layers.DiffAugment()}, "would spoil"),
        ({"pool_size": -1}, "0 for none"),
    ],
)
def test_what_cannot_be_translated_is_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        build(**arguments)


def test_domains_of_other_channels_are_translated_without_identity():
    model = build(target_shape=(16, 16, 3), identity_weight=0)
    model.fit(SOURCES[:2], RNG.integers(0, 256, (3, 16, 16, 3), "uint8"), batch_size=1, verbose=0)
    assert model.generate(source=SOURCES).shape == (10, 16, 16, 3)
    assert model.generate(target=np.zeros((2, 16, 16, 3), "uint8")).shape == (2, 16, 16, 1)


def test_ones_own_networks_of_either_side(tmp_path):
    other = build()
    own = {"generator": other.generator, "back": other.back, "discriminator": other.discriminator}
    model = build(**own, source_discriminator=other.source_discriminator)
    assert model.back is other.back and model.source_discriminator is other.source_discriminator
    model.fit(SOURCES[:2], TARGETS[:2], batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.generate(target=TARGETS), model.generate(target=TARGETS))


# --------------------------------------------------------------------------------------------------------- the engine
class Pair(GAN):
    """Hands on what its loss has drawn."""

    def __init__(self):
        images = keras.Input((4, 4, 1), name="images")
        latents = keras.Input((2,), name="latents")
        drawn = keras.layers.Reshape((4, 4, 1), name="image")(keras.layers.Dense(16, name="draw")(latents))
        score = keras.layers.Dense(1, name="score")(keras.layers.Flatten(name="flat")(images))
        super().__init__(keras.Model(latents, drawn, name="generator"), keras.Model(images, score, name="d"), seed=0)
        self.kept = self.add_weight(shape=(3, 4, 4, 1), initializer="zeros", trainable=False, name="kept")

    def update(self, reals, training):
        def g_loss():
            fake = self.fake(reals[0], training)
            return ops.mean(ops.square(self.discriminate(fake, training) - 1.0)), {"fake": fake, "none": ()}

        loss, others = self.minimize(g_loss, "generator", training)
        self.kept.assign(others["fake"])

        def d_loss():
            return ops.mean(self.discriminate(others["fake"], training)) - ops.mean(
                self.discriminate(reals[0], training)
            )

        return {"discriminator": self.minimize(d_loss, "discriminator", training), "generator": loss}

    def evaluate_batch(self, real):
        return {}

    evaluation_metrics = ()


def test_what_a_loss_hands_on_comes_back_as_it_was_before_the_step_and_without_gradient():
    keras.utils.set_random_seed(0)
    model = Pair()
    images = RNG.uniform(-1, 1, (3, 4, 4, 1)).astype("float32")
    before = [values(v) for v in model.generator.weights]
    model.fit(images, batch_size=3, verbose=0)
    assert not np.array_equal(before[0], values(model.generator.weights[0]))
    kernel, bias = before
    drawn = values(model.kept).reshape(3, 16)  # each an affine map of latents by the old weights
    rest = (drawn - bias) - (drawn - bias) @ np.linalg.pinv(kernel) @ kernel
    assert np.abs(rest).max() < 1e-4 and np.abs(drawn - bias).max() > 1e-2
    model.evaluate(images, batch_size=3, verbose=0)


@pytest.mark.backend_free
def test_images_of_a_multiple():
    part = Images((None, None, 3), multiple=4)
    assert part.check(np.zeros((2, 8, 12, 3), "uint8"), "source").shape == (2, 8, 12, 3)
    with pytest.raises(ValueError, match=r"multiples of 4.*Received: source of shape \(2, 8, 10, 3\)"):
        part.check(np.zeros((2, 8, 10, 3), "uint8"), "source")
    with pytest.raises(ValueError, match=r"multiples of 4.*Received: shape=\(10, 8, 3\)"):
        Images((10, 8, 3), multiple=4)
    again = Images.from_config(part.get_config())
    assert again.multiple == 4 and "multiple" not in Images((8, 8, 1)).get_config()
    assert part.of_shape((8, 8, 3)).multiple == 4 and part.of_shape(part.shape) is part


@pytest.mark.backend_free
def test_absolute_errors_are_summed_over_what_is_named():
    one, other = ({name: RNG.normal(size=(2, 3)).astype("float32") for name in "ab"} for _ in range(2))
    expected = sum(np.abs(one[name].astype("float64") - other[name]).mean() for name in "ab")
    assert float(values(losses.absolute_error(one, other))) == pytest.approx(expected, rel=1e-6)
    assert float(values(losses.absolute_error(one["a"], one["a"] + 2))) == pytest.approx(2)


# ------------------------------------------------------------------------------------------------------------ presets
@pytest.mark.backend_free
@pytest.mark.parametrize("preset", ["cyclegan-summer2winter", "cyclegan-facades"])
def test_presets_fit_into_six_megabytes(preset):
    model = ganzoo.load(preset, weights=None)
    halves = sum(2 * int(np.prod(v.shape)) for network in model.networks.values() for v in network.weights)
    assert halves < 5.95e6
    assert model.generators()[0].output_shape == (None, None, None, 3)


RECIPE = """
model: cyclegan
description: two domains
paper: Somebody 2020
arguments:
  {source_shape: [16, 16, 3], target_shape: [16, 16, 3], width: 2, blocks: 1, discriminator_layers: 1, pool_size: 2}
dataset: {name: none}
training: {epochs: 1, batch_size: 1}
"""


@pytest.mark.backend_free
def test_a_users_two_folders_are_the_domains(tmp_path):
    from PIL import Image

    for domain, count in (("horses", 3), ("zebras", 5)):
        (tmp_path / "data" / domain).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(np.full((40, 40, 3), 10 * i, "uint8")).save(tmp_path / "data" / domain / f"{i}.png")
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(RECIPE)
    model = ganzoo.train(recipe, tmp_path / "run", data=tmp_path / "data", verbose=0)
    assert int(values(model.optimizer.iterations)) == 5
    assert (Path(tmp_path) / "run" / "samples.png").is_file()


@pytest.mark.backend_free
def test_a_training_of_two_domains_is_published_with_both_generators(tmp_path, monkeypatch):
    from ganzoo.zoo import download, presets, publishing, recipes, records

    zoo = tmp_path / "zoo"
    zoo.mkdir()
    monkeypatch.setattr(recipes, "config_dir", lambda: zoo)
    monkeypatch.setattr(download, "bundled_dir", lambda: zoo / "weights")
    (zoo / "cyclegan-toy.yaml").write_text(RECIPE.replace("name: none", "name: none, shown: false"))
    sources, targets = (RNG.integers(0, 256, (n, 16, 16, 3), "uint8") for n in (2, 3))
    data = {"source": sources, "target": targets}
    model = ganzoo.train("cyclegan-toy", tmp_path / "run", data=data, verbose=0)
    record = records.read_record(tmp_path / "run")
    record["dataset"] = presets.read_recipe("cyclegan-toy").dataset.model_dump()
    records.write_record(tmp_path / "run", record)
    card = publishing.publish(tmp_path / "run", "cyclegan-toy")
    assert card.half_precision_error < 2 and (zoo / "samples" / "cyclegan-toy.png").is_file()
    assert publishing.measure("cyclegan-toy") == card and card.metrics == []
    loaded = presets.load("cyclegan-toy")
    for given in ({"source": sources}, {"target": targets}):
        assert np.abs(loaded.generate(**given).astype(int) - model.generate(**given)).mean() < 2
