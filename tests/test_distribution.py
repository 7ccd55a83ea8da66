"""Training on two devices is training on one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganzoo.engine.backend import BACKEND

WORKER = Path(__file__).with_name("distribution_worker.py")
ROOT = WORKER.parents[1]


@pytest.mark.skipif(BACKEND == "torch", reason="Keras distributes on TensorFlow and JAX")
def test_k18_two_devices_train_as_one(tmp_path):
    trained = {}
    for devices in ("one", "two"):
        path = tmp_path / f"{devices}.npz"
        command, environment = [sys.executable, WORKER, devices, path], {**os.environ, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert run.returncode == 0, run.stderr[-2000:]
        trained[devices] = dict(np.load(path))
    assert len(trained["one"]) > 20 and trained["one"].keys() == trained["two"].keys()
    for name, value in trained["one"].items():
        tolerance = {"atol": 1} if name == "drawn" else {"atol": 1e-6, "rtol": 1e-5}
        np.testing.assert_allclose(trained["two"][name].astype(float), value.astype(float), **tolerance, err_msg=name)
