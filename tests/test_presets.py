"""Presets: recipes and cards are read strictly, a fault is one error that names the fix; load, list, info."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import ganzoo
from ganzoo.zoo import presets, recipes

ROOT = Path(__file__).parent.parent
RECIPE = """\
model: dcgan
description: tiny
paper: Radford et al. 2015, arXiv:1511.06434
arguments: {image_shape: [16, 16, 1], latent_dim: 4, width: 4}
dataset: {name: toy}
training:
  epochs: 2
  batch_size: 8
  optimizer:
    generator: {learning_rate: 2e-4, beta_1: .5}
  schedule: {hold: .5}
"""


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """An empty configuration folder with one preset, `dcgan-toy`."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "dcgan-toy.yaml").write_text(RECIPE)
    monkeypatch.setattr(recipes, "config_dir", lambda: tmp_path)
    return tmp_path


def card(**changes):
    golden = presets.Golden.of(np.arange(2 * 16 * 16, dtype="uint8").reshape(2, 16, 16, 1), seed=3)
    content = {
        "preset": "dcgan-toy", "file": "dcgan-toy.safetensors", "sha256": "0" * 64, "bytes": 10, "seed": 0,
        "steps": 7, "epochs": 2, "batch_size": 8, "backend": "torch", "precision": "float32", "keras": "3.15.1",
        "commit": None, "golden": golden.model_dump(), "licence": "Apache-2.0", "dataset": "toy",
        "dataset_licence": None, "metrics": [{"name": "fd", "value": 1.23456, "std": 0.12, "protocol": "p1"}],
    }  # fmt: skip
    return content | changes


# --- Recipes


@pytest.mark.backend_free
def test_a_recipe_is_read(zoo):
    recipe = presets.read_recipe("dcgan-toy")
    assert recipe.model == "dcgan" and recipe.arguments["image_shape"] == [16, 16, 1]
    assert recipe.dataset.split == "train" and recipe.licence == "Apache-2.0"
    adam = recipe.training.optimizer["generator"]
    assert adam.class_name == "Adam" and adam.settings() == {"learning_rate": 2e-4, "beta_1": 0.5}
    assert recipe.training.schedule.hold == 0.5 and recipe.training.precision == "float32"


@pytest.mark.backend_free
@pytest.mark.parametrize("number", ["1e-4", "1E-4", "+1e-4", "1.e-4", ".1e-3", "1.0e-4", "0.0001"])
def test_any_notation_of_a_number_is_one(zoo, number):
    (zoo / "dcgan-toy.yaml").write_text(RECIPE.replace("2e-4", number))
    rate = presets.read_recipe("dcgan-toy").training.optimizer["generator"].learning_rate
    assert rate == pytest.approx(1e-4)


FAULTS = {
    "mistyped key": ("epochs: 2", "epoch: 2", r"training\.epoch: unknown key\. Did you mean 'epochs'\? .*epoch=2"),
    "mistyped key at the top": ("paper:", "papers:", r"papers: unknown key\. Did you mean 'paper'\?"),
    "key at the wrong level": ("dataset:", "seed: 3\ndataset:", r"seed: unknown key\. It belongs at 'training.seed'"),
    "mistyped key deep down": ("beta_1", "beta1", r"optimizer\.generator\.beta1: .*mean 'beta_1' or 'beta_2'"),
    "key close to none": ("  epochs: 2", "  epochs: 2\n  qqq: 2", r"training\.qqq: .* Choose from: augment"),
    "missing key": ("  batch_size: 8\n", "", r"training\.batch_size: this key is missing"),
    "text for a number": ("epochs: 2", "epochs: two", r"training\.epochs: .*valid integer.*epochs='two'"),
    "quoted number": ("epochs: 2", "epochs: '2'", r"training\.epochs: .*valid integer.*epochs='2'"),
    "truth for a number": ("epochs: 2", "epochs: true", r"training\.epochs: .*valid integer.*epochs=True"),
    "fraction for a count": ("epochs: 2", "epochs: 2.5", r"training\.epochs: .*valid integer"),
    "no epochs": ("epochs: 2", "epochs: 0", r"training\.epochs: .*greater than 0.*epochs=0"),
    "negative rate": ("2e-4", "-2e-4", r"generator\.learning_rate: .*greater than 0"),
    "infinite rate": ("2e-4", ".inf", r"generator\.learning_rate: .*finite"),
    "beta of one": ("beta_1: .5", "beta_1: 1.0", r"beta_1: .*less than 1"),
    "hold over one": ("hold: .5", "hold: 1.5", r"training\.schedule\.hold: .*less than or equal to 1"),
    "unsupported precision": (
        "epochs: 2", "epochs: 2\n  precision: mixed_float16", r"precision: .*'float32' or 'mixed_bfloat16'",
    ),
    "value for a mapping": ("dataset: {name: toy}", "dataset: toy", r"dataset: .*dictionary.*dataset='toy'"),
    "optimizer without players": (
        "    generator: {learning_rate: 2e-4, beta_1: .5}", "    learning_rate: 2e-4", r"optimizer\.learning_rate: ",
    ),
    "key given twice": ("epochs: 2", "epochs: 2\n  epochs: 3", r"the key 'epochs' is there twice"),
    "not YAML": ("model: dcgan", "model: [dcgan", r"not valid YAML"),
    "impossible date": ("model: dcgan", "model: 2020-13-45", r"not valid YAML.*month"),
    "Python object": ("model: dcgan", "model: !!python/object:os.system {}", r"not valid YAML"),
}  # fmt: skip


@pytest.mark.backend_free
def test_recipes_may_merge_mappings_and_be_named_by_a_path(zoo):
    old = "    generator: {learning_rate: 2e-4, beta_1: .5}"
    assert old in RECIPE
    merged = RECIPE.replace(old, "    generator: {<<: {beta_1: .5}, learning_rate: 2e-4}")
    path = zoo / "merged.yaml"
    path.write_text(merged)
    assert presets.read_recipe(path).training.optimizer["generator"].beta_1 == 0.5
    assert ganzoo.info(Path("merged")).name == "merged"


@pytest.mark.backend_free
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_recipe_is_one_error_that_names_file_key_and_fix(zoo, fault):
    old, new, message = FAULTS[fault]
    assert old in RECIPE
    path = zoo / "dcgan-toy.yaml"
    path.write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as error:
        presets.read_recipe("dcgan-toy")
    assert str(error.value).startswith(str(path))


@pytest.mark.backend_free
def test_every_fault_of_a_recipe_is_told_at_once(zoo):
    (zoo / "dcgan-toy.yaml").write_text(RECIPE.replace("epochs: 2", "epoch: 2").replace("hold", "holt"))
    with pytest.raises(ValueError) as error:
        presets.read_recipe("dcgan-toy")
    for part in ("training.epoch:", "training.epochs: this key is missing", "training.schedule.holt:"):
        assert part in str(error.value)


@pytest.mark.backend_free
@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "dcgan"])
def test_a_recipe_that_is_no_mapping(zoo, text):
    (zoo / "dcgan-toy.yaml").write_text(text)
    with pytest.raises(ValueError, match="must hold a mapping"):
        presets.read_recipe("dcgan-toy")


@pytest.mark.backend_free
def test_a_recipe_by_its_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    assert presets.read_recipe(path).dataset.name == "toy"
    assert presets.info(str(path)).name == "mine"
    with pytest.raises(ValueError, match=r"no recipe file at that path.*absent\.yaml"):
        presets.read_recipe(tmp_path / "absent.yaml")


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ["dcgan-mnits", "DCGAN-MNIST", "dcgan_mnist"])
def test_a_wrong_name_suggests_the_close_ones(name):
    with pytest.raises(ValueError, match=f"Did you mean .*'dcgan-mnist'.*Received: preset='{name}'"):
        ganzoo.load(name)


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ["", "../dcgan-toy", "weights/../dcgan-toy", "/etc/passwd"])
def test_a_name_is_never_a_path_out_of_the_zoo(zoo, name):
    with pytest.raises(ValueError, match="There is no preset of that name"):
        presets.read_recipe(name)


# --- The shipped presets


@pytest.mark.backend_free
@pytest.mark.parametrize("name", presets.list_presets())
def test_shipped_presets_are_sound(name):
    info = presets.info(name)
    model = {"srresnet-photos": "srresnet"}.get(name, info.recipe.model)  # its paper's name for SRGAN's first phase
    base = f"{model}-{info.recipe.dataset.name.removeprefix(f'{model}_')}"
    longer, shorter = sorted((f"{base}_", f"{name}_"), key=len, reverse=True)  # a part of the data, or all kinds
    assert longer.startswith(shorter)
    assert info.recipe.dataset.licence
    assert "arXiv:" in info.recipe.paper or "de-occlusion" in info.recipe.paper  # which has a title and no preprint
    if info.card is not None:
        assert info.card.preset == name and info.card.dataset == info.recipe.dataset.name


@pytest.mark.parametrize("name", presets.list_presets())
def test_shipped_recipes_build_within_the_size_budget(name):
    from ganzoo.zoo import perceptual, publishing

    recipe = presets.read_recipe(name)
    defaults = inspect.signature(ganzoo.zoo.registry.get_model(recipe.model).__init__).parameters
    networks = [recipe.arguments.get(x, defaults[x].default) for x in ("perceptual", "features") if x in defaults]
    if not {*networks} <= {None, *perceptual.names()}:
        pytest.skip("zoo_configs/perceptual/cifar10.card.json is not there yet: scripts/train_perceptual.py makes it")
    model = ganzoo.load(name, weights=None)
    shapes = {part: recipe.arguments.get(argument) for part, argument in model.shaped_by.items()}
    assert model.data[model.target].derived or model.image_shape == tuple(shapes[model.target])  # features are derived
    assert set(recipe.training.optimizer) <= set(model.players())
    assert 2 * sum(network.count_params() for network in model.networks.values()) < publishing._limit(model)


def test_what_is_no_preset_and_what_builds_no_model_are_told():
    for wrong in (None, 123):
        with pytest.raises(ValueError, match=f"A preset is a name.*preset={wrong}"):
            ganzoo.load(wrong)
        with pytest.raises(ValueError, match=f"A preset is a name.*preset={wrong}"):
            ganzoo.info(wrong)
    for weights in (5, True):
        with pytest.raises(ValueError, match=f'"pretrained", None, or .*weights={weights}'):
            ganzoo.load("dcgan-mnist", weights)
    for arguments, message in (
        ({"ema_decay": "x"}, r"DCGAN cannot be built of these arguments \(.*ema_decay='x'\).*must lie in"),
        ({"width": "wide"}, r"width='wide', .*\): `width` must be a positive integer"),
    ):
        with pytest.raises(ValueError, match=message):
            ganzoo.load("dcgan-mnist", weights=None, **arguments)


# --- Cards


@pytest.mark.backend_free
def test_no_card_means_not_pretrained(zoo):
    assert presets.read_card("dcgan-toy") is None
    with pytest.raises(ValueError, match=r"no pretrained weights yet\. Train it with `ganzoo train dcgan-toy`"):
        ganzoo.load("dcgan-toy")


@pytest.mark.backend_free
def test_a_card_is_read_and_its_golden_images_survive(zoo):
    (zoo / "dcgan-toy.card.json").write_text(json.dumps(card()))
    read = presets.read_card("dcgan-toy")
    assert read.golden.array().dtype == np.uint8
    np.testing.assert_array_equal(read.golden.array().ravel(), np.arange(512, dtype="uint8"))


@pytest.mark.backend_free
def test_golden_images_measure_the_worst_pixel():
    images = np.full((2, 4, 4, 1), 200, "uint8")
    golden = presets.Golden.of(images, seed=5)

    class Model:
        def generate(self, num, seed):
            assert (num, seed) == (2, 5)
            drawn = images.copy()
            drawn[1, 2, 3] = 10  # 190 below: a difference of uint8 would wrap to 66
            return drawn

    assert golden.difference(Model()) == 190


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sha256": "abc"}, "sha256: "),
        ({"bytes": 0}, "bytes: .*greater than 0"),
        ({"stepps": 1}, "stepps: unknown key. Did you mean 'steps'"),
        ({"golden": {"seed": 0, "shape": [1]}}, "golden.images: this key is missing"),
    ],
)
def test_a_faulty_card_is_an_error(zoo, changes, message):
    (zoo / "dcgan-toy.card.json").write_text(json.dumps(card(**changes)))
    with pytest.raises(ValueError, match=rf"dcgan-toy\.card\.json: .*{message}"):
        presets.read_card("dcgan-toy")


@pytest.mark.backend_free
def test_a_truncated_card_is_an_error(zoo):
    (zoo / "dcgan-toy.card.json").write_text(json.dumps(card())[:-20])
    with pytest.raises(ValueError, match="not valid JSON"):
        presets.info("dcgan-toy")


# --- list and info


@pytest.mark.backend_free
def test_list_and_its_filters(zoo):
    (zoo / "gan-toy.yaml").write_text(RECIPE.replace("model: dcgan", "model: gan"))
    (zoo / "dcgan-other.yaml").write_text(RECIPE.replace("name: toy", "name: other"))
    (zoo / "dcgan-toy.card.json").write_text(json.dumps(card()))
    assert ganzoo.list_presets() == ["dcgan-other", "dcgan-toy", "gan-toy"]
    assert ganzoo.list_presets(model="gan") == ["gan-toy"]
    assert ganzoo.list_presets(dataset="toy") == ["dcgan-toy", "gan-toy"]
    assert ganzoo.list_presets(pretrained=True) == ["dcgan-toy"]
    assert ganzoo.list_presets(pretrained=False) == ["dcgan-other", "gan-toy"]
    assert ganzoo.list_presets(model="gan", dataset="other") == []


@pytest.mark.backend_free
def test_info_prints_recipe_card_and_commands(zoo):
    text = str(ganzoo.info("dcgan-toy"))
    for part in ("dcgan width=4", "latent_dim=4", "2 epochs", "Adam(0.0002", "not published", "ganzoo train dcgan-toy"):
        assert part.split()[0] in text and part.split()[-1] in text
    assert not ganzoo.info("dcgan-toy").pretrained
    (zoo / "dcgan-toy.card.json").write_text(json.dumps(card()))
    text = repr(ganzoo.info("dcgan-toy"))
    for part in ("0" * 64, "7 steps", "fd 1.235 +- 0.12", "p1", "ganzoo generate dcgan-toy"):
        assert part in text


@pytest.mark.backend_free
def test_listing_does_not_import_keras_or_a_framework():
    code = (
        "import sys, ganzoo; print(*ganzoo.list_presets()); str(ganzoo.info('dcgan-mnist')); import ganzoo.cli;"
        "print([m for m in ('keras', 'tensorflow', 'torch', 'jax', 'matplotlib', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    names, imported = done.stdout.splitlines()
    assert "dcgan-mnist" in names and imported == "[]"


# --- load


@pytest.fixture
def published(zoo):
    """`dcgan-toy` with bundled weights, and the model that they are from."""
    from ganzoo.zoo import weights

    model = ganzoo.load("dcgan-toy", weights=None)
    for network in (model.generator, model.generator_ema):  # fresh weights of .02 draw next to nothing
        network.set_weights([10 * value for value in network.get_weights()])
    path = zoo / "weights" / "dcgan-toy.safetensors"
    weights.save_weights(model, path, half=False)
    content = card(sha256=weights.sha256(path), bytes=path.stat().st_size)
    (zoo / "dcgan-toy.card.json").write_text(json.dumps(content))
    return model


@pytest.fixture
def bundled(zoo, monkeypatch):
    from ganzoo.zoo import download

    monkeypatch.setattr(download, "bundled_dir", lambda: zoo / "weights")
    monkeypatch.delenv("GANZOO_WEIGHTS", raising=False)


def test_load_gives_the_published_model(zoo, bundled, published):
    expected = published.generate(2, seed=0)
    np.testing.assert_array_equal(ganzoo.load("dcgan-toy").generate(2, seed=0), expected)
    weights_file = zoo / "weights" / "dcgan-toy.safetensors"
    elsewhere = shutil.move(weights_file, zoo / "moved.safetensors")
    np.testing.assert_array_equal(ganzoo.load("dcgan-toy", weights=elsewhere).generate(2, seed=0), expected)
    fresh = ganzoo.load("dcgan-toy", weights=None).generate(2, seed=0)
    assert np.abs(fresh.astype(int) - expected.astype(int)).max() > 20


def test_a_loaded_model_trains_without_ceremony(zoo, bundled, published):
    model = ganzoo.load("dcgan-toy")
    before = model.generator.get_weights()[0].copy()
    images = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 1), dtype="uint8")
    history = model.fit(images, batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert np.abs(model.generator.get_weights()[0] - before).max() > 0


def test_the_hash_decides(zoo, bundled, published):
    from ganzoo.zoo.download import WeightsError

    path = zoo / "weights" / "dcgan-toy.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="wrong hash"):
        ganzoo.load("dcgan-toy")


def test_weights_of_ones_own_for_a_preset_without_a_card(zoo, published):
    (zoo / "dcgan-toy.card.json").unlink()
    path = zoo / "weights" / "dcgan-toy.safetensors"
    images = ganzoo.load("dcgan-toy", weights=path).generate(2, seed=0)
    np.testing.assert_array_equal(images, published.generate(2, seed=0))
    with pytest.raises(ValueError, match=r"no card to verify weights by.*https://example\.com/x"):
        ganzoo.load("dcgan-toy", weights="https://example.com/x.safetensors")


def test_arguments_replace_those_of_the_recipe(zoo):
    model = ganzoo.load("dcgan-toy", weights=None, image_shape=(32, 16, 3), latent_dim=5)
    assert model.generate(2).shape == (2, 32, 16, 3) and model.latent_dim == 5


@pytest.mark.parametrize("wrong, right", [("widht", "width"), ("latent_dims", "latent_dim"), ("ema_decy", "ema_decay")])
def test_an_unknown_argument_suggests_the_close_one(zoo, wrong, right):
    with pytest.raises(ValueError, match=f"DCGAN has no argument '{wrong}'.*'{right}'.*Received: {wrong}=3"):
        ganzoo.load("dcgan-toy", weights=None, **{wrong: 3})
    content = yaml.safe_load(RECIPE)
    content["arguments"][wrong] = 3
    (zoo / "dcgan-toy.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=right):
        ganzoo.load("dcgan-toy", weights=None)


def test_an_unknown_model_suggests_the_close_one(zoo):
    (zoo / "dcgan-toy.yaml").write_text(RECIPE.replace("model: dcgan", "model: dcgann"))
    with pytest.raises(ValueError, match="'dcgan'"):
        ganzoo.load("dcgan-toy", weights=None)


def test_load_keeps_the_ambient_precision(zoo):
    import keras

    content = RECIPE.replace("  epochs: 2", "  epochs: 2\n  precision: mixed_bfloat16")
    (zoo / "dcgan-toy.yaml").write_text(content)
    assert ganzoo.load("dcgan-toy", weights=None).dtype_policy.name == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_the_two_lines_of_the_front_page():
    assert list(inspect.signature(ganzoo.load).parameters)[:2] == ["preset", "weights"]
    assert inspect.signature(ganzoo.load).parameters["weights"].default == "pretrained"


def test_a_recipe_that_is_large_once_its_anchors_are_written_out_is_refused(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    for text in ("\n".join(lines), "a: &a [*a]"):
        (tmp_path / "bomb.yaml").write_text(text)
        with pytest.raises(ValueError, match=r"bomb\.yaml is not valid YAML: it holds more than 100000 values"):
            ganzoo.info(tmp_path / "bomb.yaml")
    (tmp_path / "long.yaml").write_text("# " + "x" * 5_000_000)
    with pytest.raises(ValueError, match=r"long\.yaml is not valid YAML: it is larger than 4 MB"):
        ganzoo.info(tmp_path / "long.yaml")
