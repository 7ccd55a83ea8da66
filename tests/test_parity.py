"""The three backends compute the same: from the same weights, images and noise, and from one another's files."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.backend_free

BACKENDS = ("tensorflow", "jax", "torch")
VARIANTS = ("dcgan", "dcgan_spectral", "gan", "gan_minimax", "wgan_gp", "cgan")
PAIRS = [("tensorflow", "jax"), ("tensorflow", "torch")]
WORKER = Path(__file__).with_name("parity_worker.py")


def run_all(mode: str, folder: Path) -> None:
    processes = []
    for backend in BACKENDS:
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(WORKER.parents[1])}
        command = [sys.executable, str(WORKER), mode, str(folder)]
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    for backend, process in zip(BACKENDS, processes):
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, f"{backend}: {errors[-2000:]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    missing = [backend for backend in BACKENDS if importlib.util.find_spec(backend) is None]
    if missing:
        pytest.skip(f"needs all three backends; missing: {missing}")
    folder = tmp_path_factory.mktemp("parity")
    run_all("train", folder)
    run_all("draw", folder)
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    return {backend: dict(np.load(folder / f"{backend}.npz")) for backend in BACKENDS}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_k36_weights_after_one_update_agree(trained, variant, pair):
    a, b = (trained[backend] for backend in pair)
    keys = [key for key in a if key.startswith(f"{variant}|weight|")]
    assert len(keys) >= 12 and set(a) == set(b)
    for key in keys:
        np.testing.assert_allclose(a[key], b[key], atol=1e-6, rtol=1e-6, err_msg=key)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_k36_losses_over_five_steps_agree(trained, variant, pair):
    for loss in ("generator_loss", "discriminator_loss"):
        a, b = (trained[backend][f"{variant}|{loss}"] for backend in pair)
        assert a.shape == (5,) and len(set(a.tolist())) == 5  # it trains
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_saved_on_one_backend_draws_the_same_on_the_others(folder, variant):
    drawn = {backend: dict(np.load(folder / f"{backend}.draw.npz")) for backend in BACKENDS}
    for saved_on in BACKENDS:
        at_home = drawn[saved_on][f"{variant}.{saved_on}"]
        assert at_home.std() > 1e-3
        for backend in BACKENDS:
            np.testing.assert_allclose(drawn[backend][f"{variant}.{saved_on}"], at_home, atol=1e-4)


@pytest.mark.parametrize("variant", ["dcgan", "wgan_gp", "cgan"])
def test_a_model_saved_on_one_backend_is_trained_on_by_the_others(folder, variant):
    after = {backend: dict(np.load(folder / f"{backend}.draw.npz")) for backend in BACKENDS}
    for saved_on in BACKENDS:
        at_home = after[saved_on][f"{variant}.{saved_on}.after"]
        for backend in BACKENDS:
            np.testing.assert_allclose(after[backend][f"{variant}.{saved_on}.after"], at_home, atol=1e-5)
