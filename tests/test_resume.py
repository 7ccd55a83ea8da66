"""Interrupted training ends where uninterrupted training does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import ganzoo
from ganzoo.callbacks import Backup

ROOT = Path(__file__).parent.parent


def state(model) -> dict[int, np.ndarray]:
    return {
        i: ops.convert_to_numpy(v).copy()
        for i, v in enumerate([*model.variables, *model.optimizer.variables])
        if "evaluation_seed" not in v.path
    }


def assert_same(a: dict, b: dict) -> None:
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=str(name))


def tiny(model=ganzoo.DCGAN, **kwargs):
    keras.utils.set_random_seed(7)
    return model(**{"image_shape": (16, 16, 1), "latent_dim": 4, "width": 4, "seed": 3, **kwargs})


class Crash(keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.at, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("model", "at"),
    [
        *((ganzoo.DCGAN, at) for at in [(0, 1), (1, 0), (1, 2), (1, 3)]),
        (ganzoo.VanillaGAN, (1, 1)),
        (ganzoo.WGANGP, (0, 1)),
    ],
)
def test_k30_resume_in_mid_epoch_is_exact(model, at, images, tmp_path):
    images = images[: 40 * 4] if model is ganzoo.WGANGP else images[: 8 * 4]
    straight = tiny(model)
    straight.fit(images, batch_size=8, epochs=3, verbose=0)
    broken = tiny(model)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(images, batch_size=8, epochs=3, verbose=0, callbacks=[Backup(tmp_path / "b", 1), Crash(*at)])
    resumed = tiny(model)
    history = resumed.fit(images, batch_size=8, epochs=3, verbose=0, callbacks=[Backup(tmp_path / "b", 1)])
    assert history.epoch == list(range(at[0], 3))  # also when it stopped after the last of the four steps
    assert_same(state(straight), state(resumed))


def test_a_second_interruption_in_the_same_epoch(images, tmp_path):
    straight = tiny()
    straight.fit(images[:64], batch_size=8, epochs=2, verbose=0)
    for batch in (2, 3):  # of what is left of the epoch
        with pytest.raises(KeyboardInterrupt):
            tiny().fit(
                images[:64], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 1), Crash(0, batch)]
            )
    resumed = tiny()
    resumed.fit(images[:64], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 1)])
    assert_same(state(straight), state(resumed))


def test_resume_of_ready_made_batches(images, tmp_path):
    batches = [images[i : i + 8] for i in range(0, 48, 8)]
    straight = tiny()
    straight.fit(batches, epochs=2, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        tiny().fit(batches, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 2), Crash(0, 4)])
    resumed = tiny()
    resumed.fit(batches, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 2)])
    assert_same(state(straight), state(resumed))


def test_resume_of_batches_that_go_on_over_epochs(images, tmp_path):
    batches = [images[i : i + 8] for i in range(0, 40, 8)]  # five; an epoch is three
    straight = tiny()
    straight.fit(batches, epochs=4, steps_per_epoch=3, verbose=0)
    for at in [(0, 1), (2, 2)]:
        with pytest.raises(KeyboardInterrupt):
            callbacks = [Backup(tmp_path / "b", 1), Crash(*at)]
            tiny().fit(batches, epochs=4, steps_per_epoch=3, verbose=0, callbacks=callbacks)
    resumed = tiny()
    resumed.fit(batches, epochs=4, steps_per_epoch=3, verbose=0, callbacks=[Backup(tmp_path / "b", 1)])
    assert_same(state(straight), state(resumed))


def test_resume_with_dropout_that_has_no_seed(images, tmp_path):
    def own():
        keras.utils.set_random_seed(7)
        layers = [keras.layers.Flatten(), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
        return tiny(discriminator=keras.Sequential([keras.Input((16, 16, 1)), *layers]))

    straight = own()
    straight.fit(images[:32], batch_size=8, epochs=2, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        own().fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 1), Crash(0, 1)])
    resumed = own()
    resumed.fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 1)])
    assert_same(state(straight), state(resumed))


def test_resume_with_dropout_that_belongs_to_the_model(images, tmp_path):
    class Dropped(ganzoo.DCGAN):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.drop = keras.layers.Dropout(0.5)

        def discriminator_loss(self, real, fake, training):
            return super().discriminator_loss(self.drop(real, training=training), fake, training)

    straight = tiny(Dropped)
    straight.fit(images[:32], batch_size=8, epochs=2, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        tiny(Dropped).fit(
            images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 1), Crash(0, 2)]
        )
    resumed = tiny(Dropped)
    resumed.fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 1)])
    assert_same(state(straight), state(resumed))


def test_a_flipped_bit_in_a_backup_is_refused(images, tmp_path):
    tiny().fit(images[:16], batch_size=8, verbose=0, callbacks=[Backup(tmp_path / "b")])
    content = bytearray((tmp_path / "b").read_bytes())
    content[-100] ^= 1
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        tiny().fit(images[:16], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b")])


def test_another_process_resumes_whatever_seeds_its_layers_begin_with(images, tmp_path):
    def fresh(seed):
        keras.utils.set_random_seed(seed)
        return ganzoo.VanillaGAN(image_shape=(16, 16, 1), width=4, latent_dim=4)

    first, second = fresh(1), fresh(2)
    dropouts = [m.discriminator.get_layer("dropout1").seed for m in (first, second)]
    assert dropouts[0] != dropouts[1]

    class Copy(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                shutil.copy(tmp_path / "b", tmp_path / "in the middle")

    first.fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b", 1), Copy()])
    second.fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "in the middle", 1)])
    assert_same(state(first), state(second))


def test_a_changed_digit_of_the_steps_is_refused(images, tmp_path):
    tiny().fit(images[:32], batch_size=8, verbose=0, callbacks=[Backup(tmp_path / "b")])
    content = (tmp_path / "b").read_bytes()
    assert content.count(b'\\"epoch\\": 1,') == 1
    (tmp_path / "b").write_bytes(content.replace(b'\\"epoch\\": 1,', b'\\"epoch\\": 0,'))
    with pytest.raises(ValueError, match="damaged"):
        tiny().fit(images[:32], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b")])


def test_fit_goes_on_after_a_callback_moved_the_rates(images, tmp_path):
    model, schedule = tiny(), keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (1 + epoch))
    for epochs in (1, 2):
        callbacks = [schedule, Backup(tmp_path / "b")]
        history = model.fit(images[:32], batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    assert history.epoch == [1]


def test_backup_and_restore_of_keras_at_epoch_boundaries(images, tmp_path):
    straight = tiny()
    straight.fit(images[:32], batch_size=8, epochs=3, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        tiny().fit(
            images[:32],
            batch_size=8,
            epochs=3,
            verbose=0,
            callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "keras"), Crash(2, 0)],
        )
    resumed = tiny()
    resumed.fit(
        images[:32], batch_size=8, epochs=3, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "keras")]
    )
    assert_same(state(straight), state(resumed))


def test_more_epochs_continue_and_finished_training_stays(images, tmp_path):
    straight = tiny()
    straight.fit(images[:16], batch_size=8, epochs=3, verbose=0)
    tiny().fit(images[:16], batch_size=8, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b")])
    longer = tiny()
    longer.fit(images[:16], batch_size=8, epochs=3, verbose=0, callbacks=[Backup(tmp_path / "b")])
    assert_same(state(straight), state(longer))
    again = tiny()
    again.fit(images[:16], batch_size=8, epochs=3, verbose=0, callbacks=[Backup(tmp_path / "b")])
    assert_same(state(longer), state(again))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ema_decay": 0.5}, "ema_decay: 0.999 -> 0.5"),
        ({"width": 8}, "width: 4 -> 8"),
        ({"batch_size": 16}, "batch_size: 8 -> 16"),
        ({"rate": 1e-3}, "optimizer.generator.learning_rate"),
        ({"model": ganzoo.VanillaGAN}, "model: DCGAN -> VanillaGAN"),
    ],
)
def test_resume_under_other_settings_is_refused_naming_them(change, named, images, tmp_path):
    tiny().fit(images[:32], batch_size=8, verbose=0, callbacks=[Backup(tmp_path / "b")])
    change = dict(change)
    batch_size, rate = change.pop("batch_size", 8), change.pop("rate", None)
    other = tiny(**change)
    if rate:
        other.compile({"generator": keras.optimizers.Adam(rate, beta_1=0.5)})
    before = state(other) if other.compiled else None
    with pytest.raises(ValueError, match=named.replace(".", r"\.")):
        other.fit(images[:32], batch_size=batch_size, epochs=2, verbose=0, callbacks=[Backup(tmp_path / "b")])
    if before:
        assert_same(before, state(other))


def test_networks_of_ones_own_are_compared_layer_by_layer(images, tmp_path):
    def discriminator(slope=0.2):
        layers = [keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.LeakyReLU(slope)]
        layers += [keras.layers.Lambda(lambda x: x), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
        return keras.Sequential([keras.Input((16, 16, 1)), *layers])

    def train(slope, epochs):
        model = tiny(discriminator=discriminator(slope))
        model.fit(images[:16], batch_size=8, epochs=epochs, verbose=0, callbacks=[Backup(tmp_path / "b")])
        return model

    train(0.2, 1)
    same = train(0.2, 2)  # Keras gives its layers other names
    assert int(keras.ops.convert_to_numpy(same.optimizer.iterations)) == 4
    with pytest.raises(ValueError, match=r"discriminator\.0\.4 LeakyReLU\.negative_slope: 0\.2 -> 0\.3"):
        train(0.3, 3)


def test_a_file_that_is_no_backup_is_refused(images, tmp_path):
    (tmp_path / "b").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a training backup"):
        tiny().fit(images[:16], batch_size=8, verbose=0, callbacks=[Backup(tmp_path / "b")])
    with pytest.raises(ValueError, match="save_freq"):
        Backup(tmp_path / "b", save_freq=0)


SCRIPT = """
import sys
import keras, numpy as np, ganzoo
from ganzoo.callbacks import Backup
file, end = sys.argv[1:]
keras.utils.set_random_seed(7)
images = np.random.default_rng(0).integers(0, 255, (800, 16, 16, 1), dtype="uint8")
model = ganzoo.DCGAN(image_shape=(16, 16, 1), latent_dim=4, width=4, seed=3)
model.fit(images, batch_size=8, epochs=3, verbose=0, callbacks=[Backup(file, save_freq=7)] if file else None)
state = [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]
np.savez(end, *state)
"""


def test_killed_and_started_again(tmp_path):
    def start(file, end):
        command = [sys.executable, "-c", SCRIPT, str(file), str(end)]
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})

    assert start("", tmp_path / "straight.npz").wait() == 0
    backup = tmp_path / "backup"
    for _ in range(2):
        before = backup.stat().st_mtime_ns if backup.exists() else 0
        process = start(backup, tmp_path / "resumed.npz")
        while process.poll() is None and not (backup.exists() and backup.stat().st_mtime_ns > before):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "resumed.npz").exists()
    assert start(backup, tmp_path / "resumed.npz").wait() == 0
    straight, resumed = np.load(tmp_path / "straight.npz"), np.load(tmp_path / "resumed.npz")
    assert len(straight.files) > 20
    for name in straight.files:
        np.testing.assert_array_equal(straight[name], resumed[name])
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []
