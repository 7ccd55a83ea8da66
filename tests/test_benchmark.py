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

FORMS = [("dcgan", form) for form in benchmark.PLAIN_FORMS]
FORMS += [("wgan_gp", form) for form in benchmark.PLAIN_FORMS if "reuse" not in form]


def run(*arguments):
    command = [sys.executable, str(SCRIPTS / "benchmark.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS.parent), "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)


def as_torch(name: str, value: np.ndarray) -> torch.Tensor:
    """A weight of ganzoo's DCGAN networks in the plain loop's layout."""
    if "project/kernel" in name:  # dense and reshape: a transposed convolution of one pixel
        value = value.reshape(len(value), 7, 7, -1).transpose(0, 3, 1, 2)
    elif "to_logit/kernel" in name:  # flattening and dense: a convolution of the whole map
        value = value.reshape(7, 7, -1, 1).transpose(3, 2, 0, 1)
    elif value.ndim == 4:  # (height, width, in, out), or (height, width, out, in) where transposed
        value = value.transpose(3, 2, 0, 1)
    return torch.from_numpy(value.copy())


@pytest.mark.parametrize("model", benchmark.IMAGES_PER_STEP)
def test_plain_loops_have_the_networks_of_ganzoo(model):
    gan, batch_size = benchmark.build_ganzoo(model)
    loop = plain_torch.LOOPS[model]()
    assert (loop.latent_dim, loop.batch_size) == (gan.latent_dim, batch_size)
    assert loop.images_per_step == batch_size * gan.discriminator_steps == benchmark.IMAGES_PER_STEP[model]
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((4, gan.latent_dim), dtype="float32")
    inputs = {"generator": latents, "discriminator": rng.uniform(-1, 1, (4, 28, 28, 1)).astype("float32")}
    for name in ("generator", "discriminator"):
        network, plain = getattr(gan, name), getattr(loop, name).eval()
        assert sum(p.numel() for p in plain.parameters()) == sum(np.prod(v.shape) for v in network.trainable_weights)
        with torch.no_grad():
            for parameter, variable in zip(plain.parameters(), network.trainable_weights, strict=True):
                variable.assign(ops.convert_to_numpy(variable) + rng.normal(0, 0.02, variable.shape).astype("float32"))
                parameter.copy_(as_torch(variable.path, ops.convert_to_numpy(variable)))
            x = inputs[name]
            x = x[:, :, None, None] if name == "generator" else x.transpose(0, 3, 1, 2)
            expected = plain(torch.from_numpy(x).to(plain_torch.DEVICE)).cpu()
            got = ops.convert_to_numpy(network(inputs[name], training=False))
        expected = expected.permute(0, 2, 3, 1) if name == "generator" else expected
        np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", benchmark.IMAGES_PER_STEP)
def test_plain_loops_have_the_optimizers_of_ganzoo(model):
    gan, _ = benchmark.build_ganzoo(model)
    gan.compile()
    for optimizer in gan.optimizer.optimizers:
        rate = float(ops.convert_to_numpy(optimizer.learning_rate))
        settings = plain_torch.LOOPS[model].adam
        assert rate == pytest.approx(settings["lr"])
        assert (optimizer.beta_1, optimizer.beta_2) == settings["betas"]


@pytest.mark.backend_free
@pytest.mark.parametrize(("model", "form"), FORMS)
def test_each_form_of_the_plain_loops_trains_both_networks(model, form):
    loop = plain_torch.LOOPS[model](**benchmark.PLAIN_FORMS[form], width=8, batch_size=4)
    before = [p.detach().clone() for network in (loop.generator, loop.discriminator) for p in network.parameters()]
    loop.step(torch.rand(loop.images_per_step, 1, 28, 28) * 2 - 1)
    after = [p for network in (loop.generator, loop.discriminator) for p in network.parameters()]
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in after)
    still = [p.numel() for old, p in zip(before, after) if torch.equal(old, p)]
    assert still == ([1] if model == "wgan_gp" else [])  # a critic's last bias moves no difference of its scores


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
    plain, other = (table["mnist"][name]["frechet_distance"] for name in names[:2])
    assert plain["ratio"] == 1 and other["ratio"] == pytest.approx(other["value"] / plain["value"])
    assert plain["std"] is None and other["std"] > 0
    assert plain["protocol"].split("/")[:5] == other["protocol"].split("/")[:5]
    before = (tmp_path / "out/plain-mnist-epochs1-seed0.npz").stat().st_mtime_ns
    monkeypatch.setattr(quality, "SHOWN", ("frechet_distance",))
    quality.show(quality.quality(tmp_path / "out", None, epochs=1, seed=0, seeds=2))
    assert (tmp_path / "out/plain-mnist-epochs1-seed0.npz").stat().st_mtime_ns == before, (
        "what is there is not trained again"
    )
    assert names[1] in capsys.readouterr().out


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
