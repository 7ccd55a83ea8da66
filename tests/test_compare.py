"""The scripts that train variants beside one another: a page whose rows are what they say, trainings that go on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

import compare  # noqa: E402
import few_images  # noqa: E402

pytestmark = pytest.mark.backend_free


@pytest.fixture
def small(monkeypatch):
    from ganzoo import data, metrics

    images = np.random.default_rng(0).integers(0, 256, (300, 28, 28, 1), "uint8")
    labels = np.arange(300) % 10
    monkeypatch.setattr(
        data, "load", lambda *a, return_labels=False, **k: (images, labels) if return_labels else images
    )
    monkeypatch.setitem(
        metrics.PROTOCOLS, "standard", metrics.Protocol("standard", ("frechet", "neighbours"), 200, num_seeds=1)
    )
    monkeypatch.setattr(compare, "WATCHED", 200)


def command(monkeypatch, main, *arguments):
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    main()


def test_a_comparison_writes_its_page_and_trains_nothing_twice(small, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    network = '{"latent_dim": 4, "width": 4, "discriminator_width": 4}'
    arguments = ("lsgan", "wgan-mlp", "--output", out, "--updates", 100, "--batch-size", 4, "--network", network)
    command(monkeypatch, compare.main, *arguments)
    results = json.loads((out / "results.json").read_text())
    assert list(results) == ["lsgan", "wgan-mlp"]
    (row,), (other,) = results.values()
    assert row["steps"][-1] == 100 and other["steps"][-1] == 20 and other["discriminator_steps"] == 5  # equal updates
    assert len(row["curve"]) == len(row["discriminator_loss"]) == 10 and row["seconds_per_step"] > 0
    page = (out / "README.md").read_text()
    assert "| `wgan-mlp` |" in page and "--updates 100" in page
    assert all((out / name).is_file() for name in ("curves.png", "lsgan-0.png", "wgan-mlp-0.png"))
    assert not list(out.glob("*.safetensors"))
    monkeypatch.setattr(compare.Comparison, "_trained", None)
    command(monkeypatch, compare.main, *arguments)
    with pytest.raises(ValueError, match="pix"):
        compare.recipe_for("pix", "mnist", {}, 4)


def test_variants_get_the_common_networks_and_keep_the_rest():
    recipe = compare.recipe_for("wgan", "fashion_mnist", {"width": 12, "unknown": 3}, 16)
    assert recipe.arguments["width"] == 12 and recipe.arguments["clip"] == 0.01 and "unknown" not in recipe.arguments
    assert recipe.training.batch_size == 16
    assert compare.recipe_for("r3gan", "fashion_mnist", {}, 16).dataset.name == "fashion_mnist"


def test_few_images_compares_every_policy_on_the_same_images(small, tmp_path, monkeypatch):
    seen = []

    def trained(self, name, recipe, seed):
        seen.append((name, recipe.begin_with, recipe.freeze, recipe.training.augment, len(self.images)))
        row = {"steps": [1, 2], "discriminator_steps": 1, "seconds_per_step": 1.0, "curve": [2.0, 1.0]}
        return {**row, "discriminator_loss": [1.0, 2.0], **dict.fromkeys(compare.SHOWN, 0.5)}

    monkeypatch.setattr(compare.Comparison, "_trained", trained)
    command(monkeypatch, few_images.main, "--output", tmp_path, "--images", 60, "--seeds", 2, "--bound")
    assert [name for name, *_ in seen] == [*few_images.POLICIES] * 2 + ["all"]
    assert {images for *_, images in seen[:-1]} == {60} and seen[-1][-1] == 300
    assert [augment and augment.class_name for *_, augment, _ in seen[:4]] == [
        None,
        "DiffAugment",
        "AdaptiveAugment",
        "Consistency",
    ]
    assert seen[5][1:3] == (["dcgan-mnist"], 2)
    assert "| `transfer_frozen` | 0.5 ± 0 |" in (tmp_path / "README.md").read_text()


def test_the_plain_dcgan_of_cifar_goes_on_where_it_was(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    import plain_torch_cifar as plain

    images = np.random.default_rng(0).integers(0, 256, (130, 32, 32, 3), "uint8")
    loop, steps = plain.train(images, 0.01, tmp_path / "state.pt", width=4)
    assert steps >= 1 and loop.drawn(5).shape == (5, 32, 32, 3)
    kept = torch.load(tmp_path / "state.pt", weights_only=True)
    again, total = plain.train(images, kept["seconds"], tmp_path / "state.pt", width=4)  # nothing is left to do
    assert total == steps
    for one, other in zip(loop.generator.parameters(), again.generator.parameters(), strict=True):
        assert torch.equal(one, other)
    assert plain.train(images, kept["seconds"] + 0.01, tmp_path / "state.pt", width=4)[1] > steps
