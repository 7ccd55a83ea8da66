"""Super-resolution: MATLAB's bicubic, the protocol, pixel shuffle, crops, network, losses, slider, table."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import ganzoo
from ganzoo import data, losses, metrics
from ganzoo.data.bicubic import bicubic_matrix
from ganzoo.engine.parts import Images
from ganzoo.layers import ICNR, BicubicEnlargement, Conv2D, PixelShuffle, turned
from ganzoo.layers.enlargement import reduced
from ganzoo.networks.interpolation import interpolate_weights
from ganzoo.networks.perceptual import feature_network, features_of
from ganzoo.networks.srresnet import srresnet_generator
from ganzoo.zoo import presets, reading

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import super_resolution  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
real_data = pytest.mark.skipif(not (SHARED / "sr_photos").is_dir(), reason="needs the photographs of shared/data")


def values(x):
    return ops.convert_to_numpy(x)


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def smooth(num, side, seed=0):
    """Pictures with something to enlarge: sums of waves, uint8 (num, side, side, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    images = np.zeros((num, side, side, 3))
    for image in images:
        for _ in range(4):
            angle, length, phase = rng.uniform(0, 2 * np.pi), rng.uniform(5, 30), rng.uniform(0, 6, 3)
            wave = (x * np.cos(angle) + y * np.sin(angle))[..., None] * 2 * np.pi / length
            image += 30 * np.sign(np.sin(wave + phase))
    return np.clip(images + 127, 0, 255).astype("uint8")


def tiny(**kwargs):
    keras.utils.set_random_seed(0)
    arguments = {"image_shape": (16, 16, 3), "width": 4, "blocks": 1, "discriminator_width": 4, "perceptual": None}
    return ganzoo.SRGAN(**{**arguments, "discriminator_layers": 2, "seed": 0, **kwargs})


# --- MATLAB's bicubic


@pytest.mark.backend_free
def test_bicubic_weights_in_closed_form():
    """Keys' kernel at eighths for x4; stretched by 4 for x1/4, where eight pixels to either side count."""
    near = np.array([0.0439453125, 0.2724609375])  # of kernel(1.375), kernel(.875) ... by hand below

    def kernel(x):
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    up = bicubic_matrix(9, 36)
    centre = (18 + 0.5) / 4 - 0.5  # of row 18: 4.125
    np.testing.assert_allclose(up[18], [kernel(centre - i) for i in range(9)], atol=1e-12)
    down = bicubic_matrix(64, 16)
    weights = np.array([kernel((8.5 * 4 - 0.5 - i) / 4) for i in range(64)])
    np.testing.assert_allclose(down[8], weights / weights.sum(), atol=1e-12)
    assert (down[8] != 0).sum() == 16 and near.shape == (2,)
    for matrix in (up, down, bicubic_matrix(7, 3), bicubic_matrix(1, 4), bicubic_matrix(3, 1)):
        np.testing.assert_allclose(matrix.sum(axis=1), 1)


@pytest.mark.backend_free
def test_bicubic_mirrors_at_the_border_and_keeps_size_and_dtype():
    line = np.array([10.0, 20.0, 40.0, 80.0, 60.0, 30.0])
    mirrored = np.concatenate([line[::-1], line, line[::-1]])
    inside = (bicubic_matrix(18, 72) @ mirrored)[24:48]
    np.testing.assert_allclose(bicubic_matrix(6, 24) @ line, inside, atol=1e-12)
    images = pictures(2, 12, 20, 3)
    np.testing.assert_array_equal(data.bicubic(images, (12, 20)), images)
    assert data.bicubic(images, (3, 5)).dtype == np.uint8 and data.bicubic(images[0], 8).shape == (8, 8, 3)
    floats = data.bicubic(images.astype("float32"), (3, 5))
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(data.bicubic(images, (3, 5)), np.clip(np.floor(floats + 0.5), 0, 255))
    with pytest.raises(ValueError, match=r"Received: images of shape \(4, 4\)"):
        data.bicubic(np.zeros((4, 4), "uint8"), 2)
    with pytest.raises(ValueError, match="dtype int64"):
        data.bicubic(np.zeros((4, 4, 1), "int64"), 2)
    with pytest.raises(ValueError, match="image_size"):
        data.bicubic(images, 0)


@real_data
@pytest.mark.backend_free
def test_bicubic_has_28_43_decibels_on_set5():
    decibels = []
    for photo in super_resolution.photographs(str(SHARED), None, None)["Set5"]:
        drawn = super_resolution.bicubic(super_resolution.reduced(photo))
        decibels.append(metrics.luminance_psnr(photo, drawn)[0])
    assert len(decibels) == 5 and np.mean(decibels) == pytest.approx(28.43, abs=0.006)


# --- Luminance


@pytest.mark.backend_free
def test_luminance_of_known_colours():
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
    np.testing.assert_allclose(metrics.luminance(colours)[:, 0], [16, 235, 81.481, 144.553, 40.966])
    np.testing.assert_allclose(metrics.luminance(np.array([[255], [0]]))[:, 0], [235, 16])
    with pytest.raises(ValueError, match="1 or 3 channels"):
        metrics.luminance(np.zeros((2, 2, 4)))


@pytest.mark.backend_free
def test_luminance_psnr_and_ssim_without_a_rim():
    from skimage.metrics import structural_similarity

    real, drawn = pictures(2, 24, 28, 3), pictures(2, 24, 28, 3, seed=1)
    x, y = (metrics.luminance(each)[:, 4:-4, 4:-4, 0] for each in (real, drawn))
    expected = 10 * np.log10(255**2 / ((x - y) ** 2).mean(axis=(1, 2)))
    np.testing.assert_allclose(metrics.luminance_psnr(real, drawn), expected)
    other = drawn.copy()
    other[:, :4] = 0
    np.testing.assert_allclose(metrics.luminance_psnr(real, other), expected)  # the rim does not count
    assert metrics.luminance_psnr(real, other, crop=3)[0] != pytest.approx(expected[0])
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    whole = [structural_similarity(a, b, full=True, **options)[1][5:-5, 5:-5].mean() for a, b in zip(x, y)]
    np.testing.assert_allclose(metrics.luminance_ssim(real, drawn), whole, atol=1e-6)
    with pytest.raises(ValueError, match="at least 19"):
        metrics.luminance_ssim(real[:, :18], drawn[:, :18])
    with pytest.raises(ValueError, match="crop"):
        metrics.luminance_psnr(real, drawn, crop=0)


# --- Layers


def test_pixel_shuffle_is_depth_to_space():
    x = np.arange(2 * 3 * 2 * 18, dtype="float32").reshape(2, 3, 2, 18)
    shuffled = values(PixelShuffle(3)(x))
    assert shuffled.shape == (2, 9, 6, 2)
    for i in range(3):
        for j in range(3):
            np.testing.assert_array_equal(shuffled[:, i::3, j::3], x[..., (3 * i + j) * 2 : (3 * i + j) * 2 + 2])
    assert PixelShuffle(2).compute_output_shape((None, None, 5, 8)) == (None, None, 10, 2)
    with pytest.raises(ValueError, match=r"a multiple of 4\. Received: 6 channels"):
        PixelShuffle(2)(np.zeros((1, 2, 2, 6), "float32"))


def test_icnr_begins_without_a_checkerboard():
    keras.utils.set_random_seed(0)
    layer = Conv2D(4 * 5, 3, padding="same", kernel_initializer=ICNR(2), name="up")
    drawn = values(PixelShuffle(2)(layer(pictures(1, 6, 7, 3).astype("float32"))))
    np.testing.assert_array_equal(drawn, drawn[:, ::2, ::2].repeat(2, 1).repeat(2, 2))  # every pixel repeated
    assert np.ptp(drawn[0, ::2, ::2, 0]) > 0 and np.abs(drawn[..., 0] - drawn[..., 1]).max() > 0
    again = keras.initializers.deserialize(keras.initializers.serialize(ICNR(2, keras.initializers.HeNormal(seed=1))))
    np.testing.assert_array_equal(values(again((1, 1, 2, 8))), values(again((1, 1, 2, 8))))
    with pytest.raises(ValueError, match="multiple of 4"):
        ICNR(2)((3, 3, 4, 6))


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(3, 3), (5, 9)])
def test_enlargement_in_the_network_is_that_of_the_data(factor, size):
    images = pictures(2, *size, 3).astype("float32")
    expected = data.bicubic(images.astype("float64"), (size[0] * factor, size[1] * factor))
    np.testing.assert_allclose(values(BicubicEnlargement(factor)(images)), expected, atol=1e-3)


def test_reduction_in_the_model_is_that_of_the_data():
    images = pictures(3, 16, 24, 3)
    small = values(reduced(data.to_float(images), 4))
    expected = data.bicubic(images, (4, 6))
    apart = np.abs(data.to_uint8(small).astype(int) - expected)
    assert apart.max() <= 1 and apart.mean() < 0.01  # halves may fall to either side
    np.testing.assert_allclose((small + 1) * 127.5, np.rint((small + 1) * 127.5), atol=1e-4)


def test_images_are_turned_alike_in_eight_ways():
    images = np.arange(4 * 4, dtype="float32").reshape(1, 4, 4, 1).repeat(400, 0)
    rng = np.random.default_rng(0)
    together = turned({"a": images, "b": -images}, lambda shape: rng.random(shape, "float32"))
    a, b = values(together["a"]), values(together["b"])
    np.testing.assert_array_equal(a, -b)
    ways, counts = np.unique(a.reshape(400, 16), axis=0, return_counts=True)
    assert len(ways) == 8 and counts.min() > 25
    assert {tuple(sorted(way)) for way in ways} == {tuple(range(16))}
    wide = turned(images[:, :2], lambda shape: rng.random(shape, "float32"))
    assert len(np.unique(values(wide).reshape(400, 8), axis=0)) == 4


# --- Photographs


def folder_of_photographs(path, sizes=((40, 50), (64, 48), (48, 48))):
    path.mkdir(exist_ok=True)
    for i, size in enumerate(sizes):
        Image.fromarray(pictures(*size, 3, seed=i)).save(path / f"{i}.png")
    return path


@pytest.mark.backend_free
def test_crops_are_parts_of_the_photographs(tmp_path):
    folder = folder_of_photographs(tmp_path / "photos")
    crops = data.load_crops(folder, (20, 24), num=30, seed=1)
    assert crops.shape == (30, 20, 24, 3) and crops.dtype == np.uint8
    photos = [pictures(*size, 3, seed=i) for i, size in enumerate([(40, 50), (64, 48), (48, 48)])]
    for i, crop in enumerate(crops):
        windows = np.lib.stride_tricks.sliding_window_view(photos[i // 10], (20, 24, 3))[:, :, 0]
        assert (windows == crop).all(axis=(2, 3, 4)).any()
    assert len({crop.tobytes() for crop in crops}) > 25
    np.testing.assert_array_equal(crops, data.load_crops(folder, (20, 24), num=30, seed=1))
    (folder / "1.png").unlink()  # what is cut of a photograph does not depend on the others
    np.testing.assert_array_equal(
        data.load_crops(folder, (20, 24), num=20, seed=1), crops[[*range(10), *range(20, 30)]]
    )
    assert data.load_crops(folder, 16, "L", num=1).shape == (2, 16, 16, 1)


@pytest.mark.backend_free
def test_photographs_that_are_too_small_are_named(tmp_path):
    folder = folder_of_photographs(tmp_path / "photos", ((40, 50), (20, 48)))
    with pytest.raises(ValueError, match=r"1\.png \(it has 48x20 pixels, and a crop 32x32\).*skip_unreadable"):
        data.load_crops(folder, 32)
    with pytest.warns(UserWarning, match=r"Left out: .*1\.png"):
        assert data.load_crops(folder, 32, num=8, skip_unreadable=True).shape == (4, 32, 32, 3)
    with pytest.raises(FileNotFoundError, match="No images"):
        data.load_crops(tmp_path / "photos" / "..", 32) if (tmp_path / "empty").mkdir() else data.load_crops(
            tmp_path / "empty", 32
        )
    with pytest.raises(ValueError, match="num"):
        data.load_crops(folder, 16, num=0)


@pytest.mark.backend_free
def test_a_folder_is_read_by_crops_for_a_model_of_photographs(tmp_path):
    folder = folder_of_photographs(tmp_path / "photos")
    parts = {"source": Images((4, 4, 3), derived=True), "target": Images((16, 16, 3), multiple=4, cropped=True)}
    read = reading.read_parts(parts, folder)
    np.testing.assert_array_equal(read["target"], data.load_crops(folder, 16))
    with pytest.raises(ValueError, match=r"not resized.*Received: fit"):
        reading.read_parts(parts, folder, reading={"fit": "pad"})
    again = Images.from_config(parts["target"].get_config())
    assert again.cropped and again.multiple == 4 and "cropped" not in Images((4, 4, 3)).get_config()


@pytest.mark.backend_free
def test_the_named_set_of_photographs(tmp_path):
    for name in ("BSDS500_train", "BSDS500_val"):
        (tmp_path / "sr_photos" / "sr_photos").mkdir(parents=True, exist_ok=True)
        folder_of_photographs(tmp_path / "sr_photos" / "sr_photos" / name, ((130, 100), (100, 120)))
    train = data.load_parts("photos", data_dir=tmp_path, image_shape=(16, 16, 3))["photo"]
    assert train.shape == (8000, 16, 16, 3)
    test = data.load_parts("photos", "test", data_dir=tmp_path)["photo"]
    assert test.shape == (20, 96, 96, 3)
    with pytest.raises(ValueError, match="has the splits 'train' and 'test'"):
        data.load_parts("photos", "validation", data_dir=tmp_path)


# --- The network and the model


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_network_begins_at_bicubic_and_takes_any_size(factor):
    network = srresnet_generator(3, factor, width=4, blocks=2)
    for size in ((7, 12), (16, 3)):
        images = data.to_float(smooth(2, 16)[:, : size[0], : size[1]])
        expected = data.bicubic(images, (size[0] * factor, size[1] * factor)).clip(-1, 1)
        drawn = values(network(images))
        assert drawn.shape == expected.shape
        assert 0 < np.abs(drawn - expected).max() < 0.1
    assert network.output_shape == (None, None, None, 3)
    with pytest.raises(ValueError, match=r"2, 4 or 8 times\. Received: factor=3"):
        srresnet_generator(3, 3)
    with pytest.raises(ValueError, match="blocks"):
        srresnet_generator(3, 4, blocks=0)


def test_losses_in_closed_form():
    network = feature_network((3, 4))
    model = tiny(perceptual=network, perceptual_layers=["relu1_2", "relu2_2"], pixel_weight=0.5)
    real = model.as_batch(smooth(4, 16))
    fake = model.fake(real, training=False)
    y, x = values(real["target"]), values(fake["target"])
    logits = values(model.discriminate(fake, False))
    content = losses.perceptual_loss(features_of(network, ["relu1_2", "relu2_2"]), y, x)
    expected = 0.5 * np.mean((y - x) ** 2) + 0.05 * float(content) + 1e-3 * np.log1p(np.exp(-logits)).mean()
    assert float(model.generator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)
    truth = values(model.discriminate(real, False))
    expected = np.log1p(np.exp(-truth)).mean() + np.log1p(np.exp(logits)).mean()
    assert float(model.discriminator_loss(real, fake, False)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(values(real["source"]), values(reduced(y, 4)), atol=1e-6)


def test_without_an_adversary_it_learns_and_has_no_discriminator_to_train():
    """SRResNet: better than bicubic on pictures like those it has seen."""
    model = tiny(adversarial_weight=0.0, width=8, ema_decay=0.9)
    assert list(model.players()) == ["generator"] and model.pixel_weight == 1
    model.compile({"generator": keras.optimizers.Adam(3e-3)})
    crops, unseen = smooth(128, 16), smooth(32, 16, seed=1)
    before = model.evaluate(unseen, verbose=0)
    model.fit(crops, batch_size=16, epochs=12, verbose=0)
    after = model.evaluate(unseen, verbose=0)
    assert set(after) == {"loss", "generator_loss", "psnr"}
    assert after["psnr"] > before["psnr"] + 0.08


def test_small_images_of_ones_own_are_taken_and_turned_alike():
    model = tiny()
    large, small = smooth(8, 16), pictures(8, 4, 4, 3)
    batch = model.as_batch((large, small))
    np.testing.assert_allclose(values(batch["source"]), data.to_float(small), atol=1e-6)
    squares = np.zeros((16, 16, 16, 3), "uint8")
    squares[:, :4, :8] = 255
    real = {"source": data.to_float(squares[:, ::4, ::4]), "target": data.to_float(squares)}
    prepared = {name: values(x) for name, x in model.prepare(real, training=True).items()}
    np.testing.assert_array_equal(prepared["target"][:, ::4, ::4], prepared["source"])
    model.fit(large, small, batch_size=4, verbose=0)


def test_drawn_at_any_size_and_saved_with_its_own_network_or_by_name(tmp_path):
    model = tiny(perceptual=feature_network((3, 4)), perceptual_layers=("relu2_2",))
    model.fit(smooth(8, 16), batch_size=4, verbose=0)
    assert model.generate(source=pictures(2, 9, 6, 3)).shape == (2, 36, 24, 3)
    assert all(v.trainable is False for v in model.perceptual.variables)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(model.perceptual.get_weights(), loaded.perceptual.get_weights()):
        np.testing.assert_array_equal(a, b)
    batch = model.as_batch(smooth(4, 16))
    fake = model.fake(batch, False)
    assert float(loaded.generator_loss(batch, fake, False)) == pytest.approx(
        float(model.generator_loss(batch, fake, False)), rel=1e-5
    )


@pytest.mark.backend_free
def test_exported_it_takes_any_size(tmp_path):
    pytest.importorskip("tensorflow")
    from test_export import serve

    model = tiny()
    rng = np.random.default_rng(0)
    model.generator_ema.set_weights([w + 0.05 * rng.normal(size=w.shape) for w in model.generator_ema.get_weights()])
    path = model.export(tmp_path / "there", verbose=False)
    images = data.to_float(pictures(3, 9, 14, 3))
    taken, _, drawn = serve(path, tmp_path, source=images)
    assert taken == [("source", "float32", None, None, None, 3)]
    np.testing.assert_allclose(drawn, model.predict({"source": images}, verbose=0), atol=1e-4)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"multiples of 4.*Received: shape=\(18, 16, 3\)"):
        tiny(image_shape=(18, 16, 3))
    with pytest.raises(ValueError, match="2, 4 or 8"):
        tiny(factor=5, image_shape=(20, 20, 3))
    with pytest.raises(ValueError, match="no layer of that name"):
        tiny(perceptual=feature_network((3, 4)))


def test_what_features_cannot_be_of_is_refused_when_the_model_is_made():
    network = feature_network((3, 4))
    with pytest.raises(ValueError, match=r"SRGAN\(perceptual=None\).*Received: channels=4"):
        tiny(image_shape=(16, 16, 4), perceptual=network, perceptual_layers=("relu2_2",))
    with pytest.raises(ValueError, match=r"IDCGAN\(perceptual_weight=0\).*Received: channels=2"):
        ganzoo.IDCGAN((24, 24, 2), crop=20, features=network)
    tiny(image_shape=(16, 16, 4))
    tiny(image_shape=(16, 16, 1), perceptual=network, perceptual_layers=("relu2_2",))


# --- Interpolation


def test_the_slider_between_two_models():
    first, second = tiny(adversarial_weight=0.0), tiny()
    second.generator.set_weights([w + 0.25 for w in first.generator.get_weights()])
    second.generator_ema.set_weights([w + 0.5 for w in first.generator_ema.get_weights()])
    middle = interpolate_weights(first, second, 0.25)
    assert type(middle) is ganzoo.SRGAN and list(middle.players()) == ["discriminator", "generator"]
    for name, distance in (("generator", 0.25), ("generator_ema", 0.5)):
        for a, m in zip(getattr(first, name).get_weights(), getattr(middle, name).get_weights()):
            np.testing.assert_allclose(m, a + 0.25 * distance, atol=1e-6)
    images = pictures(1, 5, 5, 3)
    np.testing.assert_array_equal(
        ganzoo.interpolate_weights(first, second, 0).generate(source=images), first.generate(source=images)
    )
    np.testing.assert_array_equal(
        ganzoo.interpolate_weights(first, second, 1.0).generate(source=images), second.generate(source=images)
    )
    network = interpolate_weights(first.generator, second.generator, 1.0)
    np.testing.assert_array_equal(network.get_weights()[0], second.generator.get_weights()[0])
    with pytest.raises(ValueError, match=r"alpha=1\.5"):
        interpolate_weights(first, second, 1.5)
    with pytest.raises(ValueError, match="one architecture"):
        interpolate_weights(first, tiny(width=6), 0.5)


# --- Recipes and the table


@pytest.mark.backend_free
def test_recipes_are_two_phases_of_one_network():
    first, second = (presets.read_recipe(name) for name in ("srresnet-photos", "srgan-photos"))
    assert second.begin_with == ["srresnet-photos"]
    for key in ("image_shape", "factor", "width", "blocks", "up_width"):
        assert first.arguments[key] == second.arguments[key]
    assert first.licence == second.licence == "research use" and not first.dataset.shown


def test_recipes_are_small_enough():
    for name in ("srresnet-photos", "srgan-photos"):
        recipe = presets.read_recipe(name)
        model = presets.build(recipe, perceptual=None)
        assert 2 * sum(network.count_params() for network in model.networks.values()) <= 3_000_000


def test_the_table_in_small(tmp_path, capsys, monkeypatch):
    folder = folder_of_photographs(tmp_path / "photos", ((48, 57), (64, 48)))
    for name, model in (("srresnet-photos", tiny(adversarial_weight=0.0)), ("srgan-photos", tiny())):
        (tmp_path / "runs" / name).mkdir(parents=True)
        model.save(tmp_path / "runs" / name / "model.keras")
    monkeypatch.setattr(ganzoo, "info", lambda name: types.SimpleNamespace(pretrained=False))  # those of the runs
    chosen = ["--photos", str(folder), "--runs", str(tmp_path / "runs"), "--between", "0.5"]
    written = ["--json", str(tmp_path / "table.json"), "--pictures", str(tmp_path / "pictures")]
    super_resolution.main(chosen + written)
    told = capsys.readouterr()
    whole = json.loads((tmp_path / "table.json").read_text())
    table, differences = whole["rows"]["photos"], whole["differences"]["photos"]
    assert list(table) == ["nearest", "bicubic", "SRResNet", "SRGAN", "between, a = 0.5"]
    assert (
        "| photos | bicubic |" in told.out and "--train-control" in told.err
    )  # the control is missing, and said to be
    photo = super_resolution._read(folder / "0.png")
    assert photo.shape == (1, 48, 56, 3)
    assert {"psnr", "ssim", "distance (cifar10 extractor)"} <= set(table["bicubic"])
    by_hand = [
        metrics.luminance_psnr(x, super_resolution.bicubic(super_resolution.reduced(x)))[0]
        for x in (photo, super_resolution._read(folder / "1.png"))
    ]
    assert table["bicubic"]["psnr"]["value"] == pytest.approx(np.mean(by_hand))
    assert (tmp_path / "pictures" / "photos_0_SRGAN.png").is_file()
    assert list(differences) == ["SRResNet over bicubic", "SRGAN over bicubic", "SRGAN over SRResNet"]
    gains = np.array(by_hand) - [
        metrics.luminance_psnr(x, super_resolution.nearest(super_resolution.reduced(x)))[0]
        for x in (photo, super_resolution._read(folder / "1.png"))
    ]
    monkeypatch.setattr(super_resolution, "PAIRS", [("bicubic", "nearest")])
    super_resolution.main([*chosen, *written])
    paired = json.loads((tmp_path / "table.json").read_text())["differences"]["photos"]["bicubic over nearest"]
    assert paired["psnr"]["value"] == pytest.approx(gains.mean())
    assert paired["psnr"]["interval"] == pytest.approx([gains.min(), gains.max()]), "of pairs, over photographs"


def test_the_card_comes_before_what_a_training_left(tmp_path, monkeypatch):
    (tmp_path / "srgan-photos").mkdir()
    tiny().save(tmp_path / "srgan-photos" / "model.keras")
    card, real = tiny(width=6), ganzoo.info
    told = types.SimpleNamespace(pretrained=True)
    monkeypatch.setattr(ganzoo, "info", lambda name: told)
    monkeypatch.setattr(ganzoo, "load", lambda name: card)
    assert super_resolution.preset_of("srgan-photos", tmp_path, None) is card
    chosen = super_resolution.preset_of("srgan-photos", tmp_path, tmp_path / "srgan-photos")
    assert chosen is not card and chosen.arguments["width"] == tiny().arguments["width"]
    monkeypatch.setattr(ganzoo, "info", real)


def test_the_other_network_is_the_extractor_for_any_size():
    images = pictures(2, 32, 32, 3)
    found = [values(each) for each in super_resolution.by_extractor(data.to_float(images))]
    assert len(found) == 5
    np.testing.assert_allclose(found[-1].mean(axis=(1, 2)), super_resolution.extractor().features(images), atol=1e-3)
    assert super_resolution.by_extractor(data.to_float(images[:, :20]))[-1].shape == (2, 5, 8, 256)


def test_the_control_is_trained_by_the_recipe_without_its_adversary(tmp_path, monkeypatch):
    """A recipe in small is written, from which ganzoo.train would train, once there is a beginning for both."""
    seen, recipe = {}, ganzoo.info("srgan-photos").recipe
    monkeypatch.setattr(ganzoo, "info", lambda name: types.SimpleNamespace(pretrained=False, recipe=recipe))
    with pytest.raises(SystemExit, match=r"srresnet-photos has no card yet.*train.py srresnet-photos.*publish.py"):
        super_resolution.main(["--train-control", "--runs", str(tmp_path)])
    monkeypatch.setattr(ganzoo, "info", lambda name: types.SimpleNamespace(pretrained=True, recipe=recipe))
    monkeypatch.setattr(
        super_resolution.controls.ganzoo, "train", lambda path, folder, **o: seen.update(path=path, **o)
    )
    super_resolution.main(["--train-control", "--runs", str(tmp_path), "--epochs", "1"])
    recipe = json.loads(Path(seen["path"]).read_text())
    assert recipe["arguments"]["adversarial_weight"] == 0 and recipe["begin_with"] == ["srresnet-photos"]
    assert "discriminator" not in recipe["training"]["optimizer"] and seen["epochs"] == 1
    presets.build(presets.read_recipe(seen["path"]), perceptual=None)
