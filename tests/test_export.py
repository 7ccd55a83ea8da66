"""Export: the file draws what Keras draws, in a process without Keras; whatever fails leaves nothing behind."""

from __future__ import annotations

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

LATENTS = np.random.default_rng(1).normal(size=(5, 8)).astype("float32")

PLAIN_TENSORFLOW = """
import importlib.util, sys

find_spec = importlib.util.find_spec  # which TensorFlow asks for Keras' folder, without importing it
importlib.util.find_spec = lambda name, *a: None if sys.modules.get(name, 0) is None else find_spec(name, *a)
for name in ("keras", "tf_keras", "ganzoo", "jax", "torch"):
    sys.modules[name] = None  # importing it raises
import numpy as np
import tensorflow as tf

folder, latents, output = sys.argv[1:]
generator = tf.saved_model.load(folder).signatures["serving_default"]
(argument,) = generator.structured_input_signature[1].values()
assert (argument.name, argument.dtype, argument.shape.as_list()) == ("latents", tf.float32, [None, 8]), argument
images = generator.structured_outputs["images"]
assert (list(generator.structured_outputs), images.dtype) == (["images"], tf.float32)
assert images.shape.as_list() == [None, 16, 16, 3], images
latents = np.load(latents)
np.save(output, np.concatenate([generator(latents=tf.constant(z))["images"] for z in (latents[:1], latents[1:])]))
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
    for variable in model.generator_ema.weights:
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


def test_k21_plain_tensorflow_draws_the_same_images(exported, tmp_path):
    model, path = exported
    np.save(tmp_path / "latents.npy", LATENTS)
    command = [sys.executable, "-c", PLAIN_TENSORFLOW, path, tmp_path / "latents.npy", tmp_path / "images.npy"]
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    images = np.load(tmp_path / "images.npy")
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


def test_a_generator_of_more_than_latents_is_refused(tmp_path):
    inputs = [keras.Input((8,), name="latents"), keras.Input((3,), name="labels")]
    network = keras.Model(inputs, keras.layers.Concatenate()(inputs))
    with pytest.raises(ValueError, match=r"latents alone.*labels"):
        export(model_of(network), tmp_path / "x")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("(folder / 'error.txt').write_text('OSError: disk full'); sys.exit(1)", "disk full"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        (
            "import numpy; (folder / 'saved_model').mkdir(); numpy.save(folder / 'images.npy', numpy.zeros((8, 2)))",
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
numpy.save(folder / 'images.npy', numpy.zeros((8, 2)))
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
    job = '{"config": {}, "objects": {"Mine": ["no_such_module", "Mine"]}, "latent_dim": 8}'
    (tmp_path / "job.json").write_text(job)
    np.savez(tmp_path / "arrays.npz", latents=LATENTS)
    with pytest.raises(ModuleNotFoundError):
        _second_process(str(tmp_path))
    assert "no_such_module" in (tmp_path / "error.txt").read_text()
