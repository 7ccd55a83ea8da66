"""The guide `ganzoo/models/README.md` as code: every block runs, and what it defines trains as the zoo's own do."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from keras import ops

import ganzoo
from ganzoo.callbacks import Backup
from ganzoo.zoo import recipes

GUIDE = (Path(ganzoo.__file__).parent / "models" / "README.md").read_text()
RNG = np.random.default_rng(0)
GREY, COLOUR = (RNG.integers(0, 256, (24, 16, 16, channels), "uint8") for channels in (1, 3))
PAIRS = [RNG.integers(0, 256, (4, 64, 64, 3), "uint8") for _ in range(2)]
LABELS = np.arange(24) % 10
SENTENCES = [f"a {colour} {thing}" for colour in ("red", "blue") for thing in ("heart", "cat", "tree")] * 4


@pytest.fixture(scope="module")
def guide():
    """What the guide's Python defines, one block after the other."""
    names = {"__name__": "tests.guide"}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(block, names)
    return names


def build(guide, name):
    keras.utils.set_random_seed(0)
    return {
        "MyGAN": lambda: guide["MyGAN"](image_shape=(16, 16, 1), latent_dim=4, width=4, seed=0),
        "conditional": lambda: ganzoo.WGANGP(
            generator=guide["generator"],
            discriminator=guide["discriminator"],
            data=guide["parts"],
            discriminator_steps=2,
            seed=0,
        ),
        "Translator": lambda: guide["Translator"](width=2, seed=0),
        "Illustrator": lambda: guide["Illustrator"](["a", "red", "blue", "heart", "cat", "tree"], seed=0),
        "Lazy": lambda: guide["Lazy"](every=2, image_shape=(16, 16, 1), latent_dim=4, width=4, seed=0),
        "WithEncoder": lambda: guide["WithEncoder"](image_shape=(16, 16, 1), latent_dim=4, width=4, seed=0),
        "packed": lambda: ganzoo.LSGAN(
            (16, 16, 1),
            latent_dim=4,
            width=4,
            seed=0,
            discriminator=guide["packing"],
            augment=ganzoo.layers.DiffAugment(["translation"], seed=0),
        ),
    }[name]()


DATA = {
    "MyGAN": ((GREY,), {}),
    "conditional": ((GREY, LABELS), {"labels": [3, 1]}),
    "Translator": (tuple(PAIRS), {"source": PAIRS[0][:2]}),
    "Illustrator": ((COLOUR, SENTENCES), {"captions": ["a red cat", "a blue heart"], "calm": 0.5}),
    "Lazy": ((GREY,), {}),
    "WithEncoder": ((GREY,), {}),
    "packed": ((GREY,), {}),
}


class Crash(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", DATA)
def test_what_the_guide_shows_trains_resumes_and_draws(guide, name, tmp_path):
    (data, inputs), batch_size = DATA[name], 2 if name == "Translator" else 4
    straight = build(guide, name)
    straight.fit(*data, batch_size=batch_size, epochs=2, verbose=0)
    assert np.isfinite(list(straight.evaluate(*data, batch_size=batch_size, verbose=0).values())).all()
    with pytest.raises(KeyboardInterrupt):
        callbacks = [Backup(tmp_path / "backup", 1), Crash()]
        build(guide, name).fit(*data, batch_size=batch_size, epochs=2, verbose=0, callbacks=callbacks)
    resumed = build(guide, name)
    resumed.fit(*data, batch_size=batch_size, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "backup", 1)])
    for a, b in zip(straight.variables, resumed.variables, strict=True):
        if "evaluation_seed" not in a.path:
            np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b), err_msg=a.path)
    images = straight.generate(2, seed=0, **inputs)
    assert images.shape == (2, *straight.image_shape)
    np.testing.assert_array_equal(images, resumed.generate(2, seed=0, **inputs))
    straight.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        images, keras.saving.load_model(tmp_path / "model.keras").generate(2, seed=0, **inputs)
    )


def test_state_that_a_loss_moves_and_terms_of_every_second_step(guide):
    model = build(guide, "Lazy")
    losses = []
    for _ in range(4):
        losses += model.fit(GREY[:4], batch_size=4, verbose=0).history["discriminator_loss"]
    assert float(ops.convert_to_numpy(model.confidence)) != 0
    assert min(losses[0], losses[2]) > max(losses[1], losses[3])  # the penalty is positive, at steps 0 and 2


OLD_GUIDE = """
import keras
from functools import partial

from ganzoo import losses
from ganzoo.gan import GAN
from ganzoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from ganzoo.registry import register


@register("my_old_gan")
@keras.saving.register_keras_serializable(package="ganzoo")
class MyOldGAN(GAN):
    def __init__(self, image_shape=(64, 64, 3), latent_dim=100, width=64, generator=None, discriminator=None, **kwargs):
        super().__init__(
            generator or partial(dcgan_generator, image_shape, latent_dim, width),
            discriminator or partial(dcgan_discriminator, image_shape, width, "spectral"),
            **kwargs,
        )
        self.arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}

    def discriminator_loss(self, real, fake, training):
        real_logits = self.discriminator(real, training=training)
        fake_logits = self.discriminator(fake, training=training)
        return losses.non_saturating_discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, fake, training):
        return losses.non_saturating_generator_loss(self.discriminator(fake, training=training))
"""


def test_a_variant_of_the_guide_before_named_parts_works_on(guide):
    names = {"__name__": "tests.old_guide"}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        exec(OLD_GUIDE, names)
    messages = [str(warning.message) for warning in told if warning.category is DeprecationWarning]
    assert any("def generator_loss(self, real, fake, training)" in message for message in messages)
    assert any("ganzoo.gan is called ganzoo.engine.gan" in message for message in messages)
    keras.utils.set_random_seed(0)
    old = names["MyOldGAN"](image_shape=(16, 16, 1), latent_dim=4, width=4, seed=0)
    old.fit(GREY, batch_size=4, verbose=0)
    new = build(guide, "MyGAN")
    new.fit(GREY, batch_size=4, verbose=0)
    for a, b in zip(old.variables, new.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    with pytest.warns(DeprecationWarning, match=r"generate\(n, seed=\.\.\."):
        np.testing.assert_array_equal(
            old.generate(4, None, 0, 2, False), new.generate(4, seed=0, batch_size=2, averaged=False)
        )


@pytest.mark.backend_free
def test_the_guides_recipe_has_every_key_with_its_default(tmp_path):
    text = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[-1]
    (tmp_path / "mine.yaml").write_text(text)
    recipes.read_recipe(tmp_path / "mine.yaml")
    whole = yaml.safe_load(text)
    for model, given in (
        (recipes.Recipe, whole),
        (recipes.Dataset, whole["dataset"]),
        (recipes.Training, whole["training"]),
    ):
        assert set(given) == set(model.model_fields)
        for name, field in model.model_fields.items():
            assert field.is_required() or given[name] == field.default, name
