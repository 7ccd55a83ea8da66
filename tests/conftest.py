"""Shared by all tests: tiny models and data, and a guard against a backend that was asked for and is not there."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from PIL import Image

TESTS = itertools.count(1)
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def images():
    """uint8 (160, 16, 16, 1): a bright square on black, somewhere."""
    rng = np.random.default_rng(0)
    images = np.zeros((160, 16, 16, 1), "uint8")
    for image, (top, left) in zip(images, rng.integers(0, 10, (160, 2))):
        image[top : top + 6, left : left + 6] = rng.integers(150, 255)
    return images


@pytest.fixture
def data_dir():
    """The folder of original data sets; only machines that train have it."""
    if not DATA.is_dir():
        pytest.skip("needs the original data sets beside the checkout")
    return DATA


@pytest.fixture
def cifar10(data_dir):
    """Reads CIFAR-10, kept there as lossless sheets of 5000 images, 100 to a row: ``cifar10("test")`` all 10 000 of the
    split, ``cifar10("train", 1)`` those of the first sheet; uint8 (n, 32, 32, 3) and their classes, uint8 (n,)."""

    def read(split, sheets=None):
        sheets = [np.asarray(Image.open(p)) for p in sorted((data_dir / "cifar10").glob(f"{split}_*.webp"))[:sheets]]
        tiles = [sheet.reshape(-1, 32, 100, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3) for sheet in sheets]
        images = np.concatenate(tiles)
        return images, np.load(data_dir / "cifar10" / f"{split}_labels.npy")[: len(images)]

    return read


@pytest.fixture(autouse=True)
def no_endless_memory():
    """Gives back, now and then, what earlier tests took: gigabytes by the end, and of the 65 530 mappings of a process
    several for each program that JAX compiled."""
    yield
    if next(TESTS) % 25 == 0:
        if keras.backend.backend() == "jax":
            import jax

            jax.clear_caches()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # glibc keeps what is freed for later
            ctypes.CDLL("libc.so.6").malloc_trim(0)
