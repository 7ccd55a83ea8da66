"""The speed benchmark: the plain loops train the same networks as ganzoo, and the programme runs end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

torch = pytest.importorskip("torch")

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

import benchmark  # noqa: E402
import plain_torch  # noqa: E402
from torch.nn.utils.parametrize import is_parametrized  # noqa: E402

from ganzoo.layers import SpectralNormalization, SwitchedDropout  # noqa: E402

FORMS = [(model, form) for model in ("dcgan", "cgan", "pix2pix") for form in benchmark.PLAIN_FORMS]
NEW_LATENTS = ("wgan_gp", "projection", "biggan", "sngan", "r3gan")
FORMS += [(model, form) for model in NEW_LATENTS for form in benchmark.PLAIN_FORMS if "reuse" not in form]
SIZES = {"pix2pix": {"size": 64}}  # fewer pixels than are measured


def run(*arguments):
    command = [sys.executable, str(SCRIPTS / "benchmark.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS.parent), "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)


def as_torch(name: str, value: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """A weight of ganzoo's networks in the plain loop's layout."""
    if value.ndim == 2 and like.ndim == 2:  # a dense layer, or a table of vectors
        value = value if "embeddings" in name or "class_vector" in name else value.T
    elif "project/kernel" in name:  # dense and reshape: a transposed convolution of one pixel
        value = value.reshape(len(value), 7, 7, -1).transpose(0, 3, 1, 2)
    elif "to_logit/kernel" in name:  # flattening and dense: a convolution of the whole map
        value = value.reshape(7, 7, -1, 1).transpose(3, 2, 0, 1)
    elif value.ndim == 3:  # a pattern (height, width, channels)
        value = value.transpose(2, 0, 1)
    elif value.ndim == 4:  # (height, width, in, out), or (height, width, out, in) where transposed
        value = value.transpose(3, 2, 0, 1)
    return torch.from_numpy(value.copy())


def inputs_of(model: str, network: keras.Model) -> dict[str, np.ndarray]:
    """An example of each input of one of ganzoo's networks, by its name."""
    rng, shapes = np.random.default_rng(0), {tensor.name: tensor.shape[1:] for tensor in network.inputs}
    values = {name: rng.uniform(-1, 1, (4, *shape)).astype("float32") for name, shape in shapes.items()}
    return {name: np.arange(4, dtype="int32") if name == "labels" else value for name, value in values.items()}


def as_plain(name: str, value: np.ndarray) -> torch.Tensor:
    value = value[:, :, None, None] if name == "latents" else value
    value = torch.from_numpy(value).to(plain_torch.DEVICE)
    return value.permute(0, 3, 1, 2) if value.ndim == 4 and name != "latents" else value


def in_order(plain: torch.nn.Module):
    """Parameters as ganzoo has them: of a layer the kernel first, also where it is spectrally normalised."""
    for module in plain.modules():
        if is_parametrized(module):
            yield module.parametrizations.weight.original
        yield from (own for name, own in module.named_parameters(recurse=False) if name != "original")


def settle_norms(network: keras.Model, plain: torch.nn.Module) -> None:
    """Sets the vectors of all spectral normalisations to the singular vectors of the largest singular value."""
    for layer in network.layers:
        if isinstance(layer, SpectralNormalization):
            matrix = ops.convert_to_numpy(layer._matrix(ops.convert_to_tensor(layer.layer.kernel)))
            layer.u.assign(np.linalg.svd(matrix, full_matrices=False)[2][0])
    for module in plain.modules():
        if is_parametrized(module):
            left, _, right = torch.linalg.svd(module.parametrizations.weight.original.flatten(1), full_matrices=False)
            module.parametrizations.weight[0]._u.copy_(left[:, 0])
            module.parametrizations.weight[0]._v.copy_(right[0])


@pytest.mark.parametrize("model", benchmark.IMAGES_PER_STEP)
def test_plain_loops_have_the_networks_of_ganzoo(model):
    """The same weights give the same results: at a width of 8 where the true one is of 40 million weights."""
    sizes = {"width": 8 if model == "pix2pix" else 64, **SIZES.get(model, {})}
    gan, batch_size = benchmark.build_ganzoo(model, **sizes)
    loop = benchmark.plain_loop(model)(**sizes)
    assert loop.batch_size == batch_size and getattr(loop, "latent_dim", None) == gan.latent_dim
    assert loop.images_per_step == batch_size * gan.discriminator_steps == benchmark.IMAGES_PER_STEP[model]
    rng = np.random.default_rng(0)
    for name in ("generator", "discriminator"):
        network, plain = getattr(gan, name), getattr(loop, name).eval()
        SwitchedDropout.switch(network, False)
        inputs = inputs_of(model, network)
        with torch.no_grad():
            for parameter, variable in zip(in_order(plain), network.trainable_weights, strict=True):
                variable.assign(ops.convert_to_numpy(variable) + rng.normal(0, 0.02, variable.shape).astype("float32"))
                parameter.copy_(as_torch(variable.path, ops.convert_to_numpy(variable), parameter))
            settle_norms(network, plain)
            expected = plain(*(as_plain(*item) for item in inputs.items())).cpu()
            x = inputs if len(inputs) > 1 else next(iter(inputs.values()))
            got = ops.convert_to_numpy(network(x, training=False))
        expected = expected.permute(0, 2, 3, 1) if expected.ndim == 4 else expected
        np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", benchmark.IMAGES_PER_STEP)
def test_plain_loops_have_as_many_weights_as_ganzoo(model):
    gan, _ = benchmark.build_ganzoo(model)
    with torch.device("meta"):
        networks = benchmark.plain_loop(model).networks(as_measured(model), 64, True)
    for network, plain in zip((gan.generator, gan.discriminator), networks):
        assert sum(p.numel() for p in plain.parameters()) == sum(np.prod(v.shape) for v in network.trainable_weights)


def as_measured(model: str):
    """A loop without networks, of the default size."""
    loop = object.__new__(benchmark.plain_loop(model))
    loop.size = 128
    return loop


@pytest.mark.parametrize("model", benchmark.IMAGES_PER_STEP)
def test_plain_loops_have_the_optimizers_of_ganzoo(model):
    gan, _ = benchmark.build_ganzoo(model, width=4, **SIZES.get(model, {}))
    gan.compile()
    for optimizer in gan.optimizer.optimizers:
        rate = float(ops.convert_to_numpy(optimizer.learning_rate))
        settings = benchmark.plain_loop(model).adam
        assert rate == pytest.approx(settings["lr"])
        assert (optimizer.beta_1, optimizer.beta_2) == settings["betas"]


@pytest.mark.backend_free
@pytest.mark.parametrize(("model", "form"), FORMS)
def test_each_form_of_the_plain_loops_trains_both_networks(model, form):
    sizes = {"width": 8, "batch_size": 4, **SIZES.get(model, {})}
    loop = benchmark.plain_loop(model)(**benchmark.PLAIN_FORMS[form], **sizes)
    before = [p.detach().clone() for network in (loop.generator, loop.discriminator) for p in network.parameters()]
    for _ in range(2):  # R3GAN's blocks begin as nothing: what is within one moves from the second step on
        loop.step(*loop.random_batch())
    after = [p for network in (loop.generator, loop.discriminator) for p in network.parameters()]
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in after)
    still = [p.numel() for old, p in zip(before, after) if torch.equal(old, p)]
    # A critic's last bias moves no difference of its scores, nor do hinges that are all open.
    assert still == ([1] if model in ("wgan_gp", "sngan") else [])


def test_plain_pix2pix_has_the_losses_of_ganzoo(monkeypatch):
    """Without dropout, both players' losses of the same weights on the same pair."""
    gan, _ = benchmark.build_ganzoo("pix2pix", width=4, size=64)
    gan.dropout_at_test = False
    loop = benchmark.plain_loop("pix2pix")(width=4, size=64)
    seen = []
    for name in ("generator", "discriminator"):
        weights = (p for p in getattr(gan, name).trainable_weights)
        with torch.no_grad():
            for parameter, variable in zip(getattr(loop, name).parameters(), weights, strict=True):
                parameter.copy_(as_torch(variable.path, ops.convert_to_numpy(variable), parameter))
        monkeypatch.setattr(getattr(loop, f"{name}_optimizer"), "step", lambda: None)  # both losses at the start
        getattr(loop, name).eval()
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: seen.append(loss.item()))
    images = [np.random.default_rng(i).uniform(-1, 1, (1, 64, 64, 3)).astype("float32") for i in range(2)]
    loop.step(*(torch.from_numpy(x).permute(0, 3, 1, 2) for x in images))
    real = gan.as_batch(*images)
    fake = gan.fake(real, training=False)
    losses = [gan.discriminator_loss(real, fake, False), gan.generator_loss(real, fake, False)]
    np.testing.assert_allclose([float(ops.convert_to_numpy(loss)) for loss in losses], seen, rtol=1e-4)


@pytest.mark.backend_free
def test_plain_penalty_is_that_of_ganzoo_on_a_linear_critic():
    loop = plain_torch.PlainWGANGP(width=4, batch_size=4)
    loop.discriminator = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 1, bias=False))
    torch.nn.init.constant_(loop.discriminator[1].weight, 0.5)  # a gradient of norm .5 * 28 everywhere
    loop.discriminator_optimizer = torch.optim.SGD(loop.discriminator.parameters(), lr=1.0)
    loop.generator = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(128, 784), torch.nn.Unflatten(1, (1, 28, 28))
    )
    torch.nn.init.zeros_(loop.generator[1].weight), torch.nn.init.zeros_(loop.generator[1].bias)
    loop.update_critic(torch.ones(4, 1, 28, 28))
    # d/dw [10 (28 w - 1)^2 / 784 ways] = 20 (14 - 1) / 28 for each weight, and -1 from the distance
    expected = 0.5 - (20 * 13 / 28 - 1)
    np.testing.assert_allclose(loop.discriminator[1].weight.detach().numpy(), expected, rtol=1e-5)


@pytest.mark.backend_free
def test_train_plain_dcgan_draws_uint8_images_fixed_by_the_seed():
    images = np.random.default_rng(0).integers(0, 256, (130, 28, 28, 1), "uint8")
    samples = [plain_torch.train_plain_dcgan(images, 1, seed, num_samples=3) for seed in (0, 0, 1)]
    assert samples[0].shape == (3, 28, 28, 1) and samples[0].dtype == np.uint8
    assert np.array_equal(samples[0], samples[1]) and not np.array_equal(samples[0], samples[2])
    with pytest.raises(ValueError, match=r"uint8 .* Received: images of shape \(130, 28, 28, 1\) and dtype float32"):
        plain_torch.train_plain_dcgan(images.astype("float32"), 1, 0)


def test_speed_runs_end_to_end(tmp_path):
    backend, output = keras.config.backend(), tmp_path / "speed.json"
    quick = ["speed", "--quick", "--alternations", 1, "--steps", 2, "--precisions", "float32"]
    result = run(*quick, "--backends", backend, "--output", output)
    assert result.returncode == 0, result.stderr
    for part in ("plain float32", f"ganzoo {backend} float32", "images/s", "ratio"):
        assert part in result.stdout, result.stdout
    measured = json.loads(output.read_text())
    plain, own = measured["contestants"].values()
    assert measured["best"] == f"ganzoo {backend} float32" and measured["versions"]["keras"] == keras.__version__
    speeds = [row["images_per_second"]["median"] for row in (own, plain)]
    assert own["ratio_to_plain_float32"]["median"] == pytest.approx(speeds[0] / speeds[1])


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["--alternations", 6], "--alternations 6"),
        (["--quick", "--alternations", 0], "--alternations 0"),
        (["--steps", 0], "--steps 0"),
        (["--model", "vae"], "--model vae"),
        (["--batch-size", 16], "--batch-size 16"),
        (["--model", "pix2pix", "--batch-size", 0], "--batch-size 0"),
        (["--backends", "torch,mxnet"], "--backends torch,mxnet"),
        (["--precisions", "float16"], "--precisions float16"),
        (["--output", "missing/folder/speed.json"], "--output missing/folder/speed.json"),
        (["--steps", "many"], "invalid int value: 'many'"),
    ],
)
def test_refused_arguments_give_exit_code_2_and_one_line(arguments, received):
    result = run("speed", *arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("benchmark: ") and result.stderr.endswith(f"{received}\n")
    assert result.stderr.count("\n") == 1


# --- quality and modes


def test_quality_scores_the_plain_loop_and_the_presets_under_one_protocol(tmp_path, monkeypatch, capsys):
    import quality

    from ganzoo import data, metrics
    from ganzoo.zoo import presets

    small = metrics.Protocol("standard", ("frechet",), num_images=200)
    monkeypatch.setitem(metrics.PROTOCOLS, "standard", small)
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path / "home"))
    images = np.random.default_rng(0).integers(0, 256, (256, 28, 28, 1), "uint8")
    monkeypatch.setattr(data, "load", lambda *args, **options: images)
    monkeypatch.setattr(quality, "DATASETS", ("mnist",))
    table = quality.quality(tmp_path / "out", None, epochs=1, seed=0, seeds=2)
    names = ["plain loop, 1 epochs", *presets.list_presets(dataset="mnist", pretrained=True)]
    assert list(table["mnist"]) == names and json.loads((tmp_path / "out/quality.json").read_text()) == table
    plain, other = (table["mnist"][name]["frechet_distance"] for name in (names[0], "dcgan-mnist"))
    assert plain["ratio"] == 1 and other["ratio"] == pytest.approx(other["value"] / plain["value"])
    assert plain["std"] is None and other["std"] > 0
    assert plain["protocol"].split("/")[:5] == other["protocol"].split("/")[:5]
    before = (tmp_path / "out/plain-mnist-epochs1-seed0.npz").stat().st_mtime_ns
    monkeypatch.setattr(quality, "SHOWN", ("frechet_distance",))
    quality.show(quality.quality(tmp_path / "out", None, epochs=1, seed=0, seeds=2))
    assert (tmp_path / "out/plain-mnist-epochs1-seed0.npz").stat().st_mtime_ns == before, (
        "what is there is not trained again"
    )
    assert "dcgan-mnist" in capsys.readouterr().out


def test_modes_counts_each_variant_and_keeps_what_is_done(tmp_path, monkeypatch, capsys):
    import modes

    monkeypatch.setattr(modes, "UPDATES", {"ring": 10, "grid": 10})
    table = modes.modes(tmp_path, ["ring", "grid"], ["gan", "dcgan", "wgan_gp"], 2, None)
    assert {task: list(rows) for task, rows in table.items()} == {t: ["gan", "wgan_gp"] for t in ("ring", "grid")}
    assert all(len(numbers["modes"]) == 2 for rows in table.values() for numbers in rows.values())
    monkeypatch.setattr(modes, "_train", None)  # nothing is trained again
    modes.show(modes.modes(tmp_path, ["ring", "grid"], ["gan", "wgan_gp"], 2, None))
    assert "wgan_gp" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"grid,ring,stacked_mnist. Received: squares"):
        modes.modes(tmp_path, ["squares"], ["gan"], 1, None)
