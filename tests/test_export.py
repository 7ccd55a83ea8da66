"""Export: the file draws what Keras draws, in a process without Keras; whatever fails leaves nothing behind."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
import types

import keras
import numpy as np
import pytest

import ganzoo
from ganzoo.engine.export import TOLERANCE, _second_process, export
from ganzoo.engine.parts import Images, Text
from ganzoo.layers import GroupNormalization, SwitchedDropout
from ganzoo.networks.unet import unet_generator

LATENTS = np.random.default_rng(1).normal(size=(5, 8)).astype("float32")

PLAIN_TENSORFLOW = """
import importlib.util, sys

find_spec = importlib.util.find_spec  # which TensorFlow asks for Keras' folder, without importing it
importlib.util.find_spec = lambda name, *a: None if sys.modules.get(name, 0) is None else find_spec(name, *a)
for name in ("keras", "tf_keras", "ganzoo", "jax", "torch"):
    sys.modules[name] = None  # importing it raises
import numpy as np
import tensorflow as tf

folder, inputs, output = sys.argv[1:]
generator = tf.saved_model.load(folder).signatures["serving_default"]
taken = generator.structured_input_signature[1].values()
print(sorted((each.name, each.dtype.name, *each.shape.as_list()) for each in taken))
print([(name, each.dtype.name, *each.shape.as_list()) for name, each in generator.structured_outputs.items()])
graph = generator.graph.as_graph_def()
nodes = [*graph.node, *(node for body in graph.library.function for node in body.node_def)]
assert not [node.op for node in nodes if "Random" in node.op]
with np.load(inputs) as inputs:
    inputs = dict(inputs)
halves = [{name: tf.constant(x[rows]) for name, x in inputs.items()} for rows in (slice(1), slice(1, None))]
np.save(output, np.concatenate([generator(**half)["images"] for half in halves]))
"""

CUSTOM = """
import keras

@keras.saving.register_keras_serializable(package="test_export")
class Scaled(keras.layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

class Unregistered(keras.layers.Dense):
    pass

@keras.saving.register_keras_serializable(package="test_export")
def wave(x):
    return keras.ops.sin(3 * x)
"""


def scramble(model, seed=0):
    """Other weights than a fresh network has, in BatchNorm's statistics too: a mistake must show."""
    rng = np.random.default_rng(seed)
    for variable in [v for each in model.generators() for v in model.average_of(each).weights]:
        noise = rng.normal(size=variable.shape)
        variable.assign(np.exp(noise / 4) if variable.path.endswith("variance") else noise / 3)


def model_of(generator, latent_dim=8):
    return types.SimpleNamespace(generator_ema=generator, latent_dim=latent_dim)


def small_generator(*layers):
    return keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(2, name="out")], name="small")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = ganzoo.DCGAN(image_shape=(16, 16, 3), latent_dim=8, width=4, seed=0)
    scramble(model)
    path = tmp_path_factory.mktemp("export") / "made" / "on the way"
    written = model.export(path, verbose=False)
    assert written == path
    return model, path


@pytest.fixture
def second_process(monkeypatch, tmp_path):
    """Puts a script in the place of the process that exports; its argument is the folder of the job."""

    def replace(body):
        script = tmp_path / "second_process"
        script.write_text(f"#!{sys.executable}\nimport sys, pathlib\nfolder = pathlib.Path(sys.argv[3])\n{body}\n")
        script.chmod(stat.S_IRWXU)
        monkeypatch.setattr(sys, "executable", str(script))

    return replace


def serve(path, folder, **inputs):
    """(what the file takes, what it gives, its images), by TensorFlow alone."""
    np.savez(folder / "inputs.npz", **inputs)
    command = [sys.executable, "-c", PLAIN_TENSORFLOW, path, folder / "inputs.npz", folder / "images.npy"]
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    taken, given = map(ast.literal_eval, done.stdout.splitlines())
    return taken, given, np.load(folder / "images.npy")


def test_k21_plain_tensorflow_draws_the_same_images(exported, tmp_path):
    model, path = exported
    taken, given, images = serve(path, tmp_path, latents=LATENTS)
    assert taken == [("latents", "float32", None, 8)]
    assert given == [("images", "float32", None, 16, 16, 3)]
    expected = model.predict(LATENTS, verbose=0)
    assert expected.std() > 0.1
    np.testing.assert_allclose(images, expected, atol=TOLERANCE)


def test_nothing_else_is_written(exported):
    _, path = exported
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_existing_path_is_refused(exported, tmp_path):
    model, path = exported
    with pytest.raises(FileExistsError, match="overwrite=True"):
        export(model, path)
    for precious in (tmp_path / "file", tmp_path / "folder" / "thesis.tex"):
        precious.parent.mkdir(exist_ok=True)
        precious.write_text("years of work")
    for taken in (tmp_path / "file", tmp_path / "folder"):
        with pytest.raises(FileExistsError, match="not a SavedModel"):
            export(model, taken, overwrite=True)
    assert (tmp_path / "folder" / "thesis.tex").read_text() == (tmp_path / "file").read_text() == "years of work"
    (tmp_path / "folder" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(FileExistsError, match=r"would be deleted with it.*holds thesis\.tex"):
        export(model, tmp_path / "folder", overwrite=True)


def test_custom_layers_under_mixed_bfloat16_are_exported_in_float32(tmp_path, monkeypatch):
    (tmp_path / "ganzoo_test_custom.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(tmp_path)
    custom = __import__("ganzoo_test_custom")
    policy = keras.DTypePolicy("mixed_bfloat16")
    unregistered = custom.Unregistered(6, activation=custom.wave, dtype=policy)
    scaled = keras.layers.Lambda(lambda x: x / 2, dtype=policy)
    network = small_generator(unregistered, custom.Scaled(0.5, dtype=policy), scaled)
    assert keras.backend.standardize_dtype(network.layers[1].compute_dtype) == "bfloat16"
    export(model_of(network), tmp_path / "custom", verbose=False)  # raises where an image differs by more than 1e-4
    assert (tmp_path / "custom" / "saved_model.pb").is_file()


def test_an_unknown_format_lists_what_there_is(exported, tmp_path):
    with pytest.raises(ValueError, match=r"tf_saved_model.*onnx"):
        exported[0].export(tmp_path / "x", format="onnx")


def test_without_tensorflow_the_error_says_how_to_get_it(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match="pip install tensorflow"):
        export(exported[0], tmp_path / "x")


def test_a_diverged_generator_is_refused(tmp_path):
    network = small_generator()
    network.set_weights([np.full(w.shape, np.nan) for w in network.get_weights()])
    with pytest.raises(ValueError, match="diverged"):
        export(model_of(network), tmp_path / "x")


def test_a_class_of_the_script_is_refused_with_the_way_out(tmp_path, monkeypatch):
    class Local(keras.layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"Local.*register_keras_serializable"):
        export(model_of(small_generator(Local())), tmp_path / "x")
    main = types.ModuleType("__main__")
    Local.__module__, Local.__qualname__, main.Local = "__main__", "Local", Local
    monkeypatch.setitem(sys.modules, "__main__", main)
    with pytest.raises(ValueError, match=r"'Local', defined in '__main__'"):
        export(model_of(small_generator(Local())), tmp_path / "x")


class Forgetful(keras.layers.Layer):
    """Its config lacks the factor."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {"name": self.name}


def test_a_layer_that_its_config_does_not_rebuild_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"other images.*get_config"):
        export(model_of(small_generator(Forgetful(3.0))), tmp_path / "x")


# Families


def discriminator_of(shape, name):
    return keras.Sequential([keras.Input(shape, name=name), keras.layers.Conv2D(1, 1, name="logits")], name="d")


class Translating(ganzoo.GAN):
    """A source to a target; losses are not looked at here."""

    def __init__(self, generator, source, target, **data):
        shape = generator.output_shape[1:]
        parts = {"source": Images(source), **data, "target": Images(target)}
        super().__init__(generator, discriminator_of(shape, "target"), data=parts)


def test_a_conditional_generator_is_served_by_plain_tensorflow(tmp_path):
    model = ganzoo.CGAN(image_shape=(16, 16, 1), num_classes=5, latent_dim=8, width=4, seed=0)
    scramble(model)
    model.export(tmp_path / "cgan", verbose=False)
    labels = np.array([4, 0, 1, 4, 2], "int32")
    taken, given, images = serve(tmp_path / "cgan", tmp_path, latents=LATENTS, labels=labels)
    assert taken == [("labels", "int32", None), ("latents", "float32", None, 8)]
    assert given == [("images", "float32", None, 16, 16, 1)]
    expected = model.predict({"latents": LATENTS, "labels": labels}, verbose=0)
    others = model.predict({"latents": LATENTS, "labels": labels[::-1]}, verbose=0)
    assert np.abs(expected - others).max() > 100 * TOLERANCE  # the label counts
    np.testing.assert_allclose(images, expected, atol=TOLERANCE)


@pytest.mark.parametrize("normalization", ["instance", "batch"])
def test_k50_a_unet_is_exported_with_its_dropout_off(normalization, tmp_path):
    network = unet_generator((64, 64, 1), 3, width=4, normalization=normalization, max_width=4)
    model = Translating(network, (64, 64, 1), (64, 64, 3))
    scramble(model)
    source = model.data["source"].examples(3, seed=5)
    before = model.predict({"source": source}, verbose=0)
    path = model.export(tmp_path / "unet", verbose=False)
    again = model.predict({"source": source}, verbose=0)
    assert np.abs(again - before).max() > 10 * TOLERANCE  # still on in the model
    taken, given, images = serve(path, tmp_path, source=source / np.float32(127.5) - 1)
    assert taken == [("source", "float32", None, 64, 64, 1)]
    assert given == [("images", "float32", None, 64, 64, 3)]
    for layer in model.generator_ema.layers:
        if isinstance(layer, SwitchedDropout):
            layer.kept_on = False
    drawn = model.generate(source=source)
    assert drawn.std() > 10 and np.abs(model.generate(source=source[::-1])[::-1] - drawn).max() == 0
    np.testing.assert_allclose((images + 1) * 127.5, drawn, atol=0.51)


def test_an_export_leaves_the_switches_as_they_were(tmp_path, second_process):
    """The switches are as before, and no value of theirs is caught in a compiled function."""
    source = keras.Input((8,), name="latents")
    inner = keras.Sequential([keras.Input((8,)), SwitchedDropout(0.5, name="inner")], name="block")
    model = model_of(keras.Model(source, inner(source)))
    ones = np.ones((4, 8), "float32")
    second_process(GOOD.replace("numpy.zeros((8, 2))", "numpy.load(folder / 'arrays.npz')['0/latents']"))
    for value in (True, False):
        inner.get_layer("inner").kept_on = value
        export(model, tmp_path / str(value), verbose=False)  # equal to the latents: what was expected had it off
        assert inner.get_layer("inner").kept_on is value
        assert (model.generator_ema.predict_on_batch(ones) == 1).all() != value


def any_size():
    source, mask = keras.Input((None, None, 3), name="source"), keras.Input((None, None, 1), name="mask")
    words, style = keras.Input((4,), dtype="int32", name="captions"), keras.Input((6,), name="style")
    x = keras.layers.Concatenate(name="both")([source, mask])
    x = ganzoo.layers.Conv2D(4, 3, 2, "same", name="down")(x)
    x = GroupNormalization(groups=-1, name="norm")(x)
    read = keras.layers.GlobalAveragePooling1D(name="mean")(keras.layers.Embedding(5, 4, name="words")(words))
    scale = keras.layers.Dense(4, name="scale")(keras.layers.Concatenate(name="told")([read, style]))
    x = keras.layers.Multiply(name="scaled")([x, keras.layers.Reshape((1, 1, 4), name="map")(scale)])
    x = ganzoo.layers.Conv2DTranspose(2, 4, 2, "same", activation="tanh", name="up")(x)
    return keras.Model([words, source, style, mask], x, name="generator")


class AnySize(Translating):
    def latents(self, num):
        return {"style": self.noise("normal", (num, 6))}


def test_every_kind_of_part_at_any_size(tmp_path):
    captions = Text(["red", "blue", "heart"], length=4)
    open_size = (None, None, 3)
    model = AnySize(any_size(), open_size, (None, None, 2), mask=Images((None, None, 1)), captions=captions)
    scramble(model)
    path = model.export(tmp_path / "any", verbose=False)  # raises where the examples of 64x64 or 64x128 differ
    rng = np.random.default_rng(0)
    sources, masks = (rng.integers(0, 256, (3, 20, 36, c), "uint8") for c in (3, 1))
    told = {"captions": captions.check(["red heart", "blue", ""], "captions"), "style": LATENTS[:3, :6]}
    pixels = {"source": sources / np.float32(127.5) - 1, "mask": masks / np.float32(127.5) - 1}
    taken, given, images = serve(path, tmp_path, **pixels, **told)
    assert taken == [
        ("captions", "int32", None, 4),
        ("mask", "float32", None, None, None, 1),
        ("source", "float32", None, None, None, 3),
        ("style", "float32", None, 6),
    ]
    assert given == [("images", "float32", None, None, None, 2)]
    expected = model.predict({"source": sources, "mask": masks, **told}, verbose=0)
    assert images.shape == (3, 20, 36, 2) and expected.std() > 0.1
    np.testing.assert_allclose(images, expected, atol=TOLERANCE)


class Both(ganzoo.GAN):
    """Two domains and a generator of each, the second to the first domain."""

    def __init__(self):
        def generator(name, shift):
            source = keras.Input((4, 4, 1), name=name)
            return keras.Model(source, keras.layers.Dense(1, bias_initializer=shift, name=f"from_{name}")(source))

        data = {"a": Images((4, 4, 1)), "b": Images((4, 4, 1))}
        super().__init__(lambda: generator("a", "zeros"), discriminator_of((4, 4, 1), "b"), data=data)
        self.back = self.make_network(lambda: generator("b", "ones"), "back", average=True)

    def generators(self):
        return [self.generator, self.back]


def test_of_several_generators_one_is_named(tmp_path):
    model = Both()
    for of in (None, "c", "latents"):
        with pytest.raises(
            ValueError, match=rf"several generators.*of='a' or of='b' .*--of a or --of b\)\. Received: of={of!r}"
        ):
            model.export(tmp_path / "x", of=of)
    assert not any(tmp_path.iterdir())
    model.back_ema.set_weights([np.array([[0.5]]), np.array([0.25])])
    path = model.export(tmp_path / "back", of="b", verbose=False)
    source = np.random.default_rng(0).uniform(-1, 1, (3, 4, 4, 1)).astype("float32")
    taken, _, images = serve(path, tmp_path, b=source)
    assert taken == [("b", "float32", None, 4, 4, 1)]
    np.testing.assert_allclose(images, source / 2 + 0.25, atol=1e-6)


def test_of_one_generator_none_need_be_named(tmp_path):
    with pytest.raises(ValueError, match=r"one generator.*leave `of` out\. Received: of='b'"):
        export(model_of(small_generator()), tmp_path / "x", of="b")


def test_latents_of_several_names_without_a_model_of_their_own(tmp_path):
    inputs = [keras.Input((8,), name="latents"), keras.Input((3,), name="codes")]
    network = keras.Model(inputs, keras.layers.Concatenate()(inputs))
    export(model_of(network), tmp_path / "x", verbose=False)
    assert (tmp_path / "x" / "saved_model.pb").is_file()


def test_an_input_that_nothing_is_named_after_is_refused(tmp_path):
    model = AnySize(any_size(), (None, None, 3), (None, None, 2), mask=Images((None, None, 1)))
    with pytest.raises(ValueError, match=r"takes 'captions', which is no part.*source, mask, target; latents style"):
        model.export(tmp_path / "x")
    assert not any(tmp_path.iterdir())


class Restless(keras.layers.Layer):
    """Draws from no generator of its own."""

    def call(self, x):
        return x + keras.random.normal((1, 8))


class Block(keras.layers.Layer):
    """Keeps dropout on in a layer inside of a layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = keras.layers.Dropout(0.5, name="the_culprit")

    def call(self, x):
        return self.drop(x, training=True)


def test_a_layer_that_draws_in_inference_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"random numbers.*SwitchedDropout.*Received: the layer 'the_culprit' \(Drop"):
        export(model_of(small_generator(Block(name="block"))), tmp_path / "x")
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras refuses such a layer by itself on JAX")
def test_a_random_operation_without_a_seed_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"random numbers in inference.*without keras\.random\.SeedGenerator"):
        export(model_of(small_generator(Restless())), tmp_path / "x")
    assert not any(tmp_path.iterdir())


# Failures


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("(folder / 'error.txt').write_text('OSError: disk full'); sys.exit(1)", "disk full"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        (
            "import numpy; (folder / 'saved_model').mkdir(); numpy.savez(folder / 'images.npz', numpy.zeros((8, 2)))",
            "draws other images",
        ),
    ],
)
def test_a_failed_export_leaves_what_was_there(second_process, tmp_path, body, reason):
    second_process(body)
    path = tmp_path / "out" / "gan"
    path.mkdir(parents=True)
    (path / "saved_model.pb").write_text("the old one")
    with pytest.raises(RuntimeError, match=reason):
        export(model_of(small_generator()), path, overwrite=True)
    assert [str(entry.relative_to(path.parent)) for entry in path.parent.rglob("*")] == ["gan", "gan/saved_model.pb"]
    assert (path / "saved_model.pb").read_text() == "the old one"


GOOD = """
import numpy
(folder / 'saved_model').mkdir()
(folder / 'saved_model' / 'saved_model.pb').write_text('new')
numpy.savez(folder / 'images.npz', numpy.zeros((8, 2)))
"""


def zeros():
    network = small_generator()
    network.set_weights([np.zeros(w.shape) for w in network.get_weights()])
    return model_of(network)


def test_overwriting_replaces_the_old_one(second_process, tmp_path, capsys):
    second_process(GOOD)
    path = tmp_path / "out" / "gan"
    path.mkdir(parents=True)
    export(zeros(), path)  # an empty folder is not in the way
    (path / "variables").write_text("old")
    export(zeros(), path, overwrite=True)
    assert [entry.name for entry in path.iterdir()] == ["saved_model.pb"]
    assert [entry.name for entry in path.parent.iterdir()] == ["gan"]
    assert str(path) in capsys.readouterr().out


def test_the_old_one_comes_back_when_the_last_move_fails(second_process, tmp_path, monkeypatch):
    second_process(GOOD)
    path = tmp_path / "gan"
    path.mkdir()
    (path / "saved_model.pb").write_text("the old one")
    rename = os.replace

    def failing(source, target):
        if os.path.basename(source) == "saved_model":
            raise OSError("disk on fire")
        rename(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="disk on fire"):
        export(zeros(), path, overwrite=True)
    assert (path / "saved_model.pb").read_text() == "the old one"


def test_the_second_process_reports_why_it_failed(tmp_path):
    job = '{"config": {}, "objects": {"Mine": ["no_such_module", "Mine"]}, "signature": {}}'
    (tmp_path / "job.json").write_text(job)
    np.savez(tmp_path / "arrays.npz", **{"0/latents": LATENTS})
    with pytest.raises(ModuleNotFoundError):
        _second_process(str(tmp_path))
    assert "no_such_module" in (tmp_path / "error.txt").read_text()
