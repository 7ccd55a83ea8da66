"""Images of any size by tiles: where tiles lie, models of any and of one size, files of all kinds, folders."""

from __future__ import annotations

import itertools
import struct
import warnings
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import cli
from ganzoo.data.pictures import read_picture
from ganzoo.data.tiles import Side, blend, drawn_by_tiles, num_tiles
from ganzoo.plot.png import write_png
from ganzoo.zoo import translating

RNG = np.random.default_rng(0)
layers = keras.layers


@keras.saving.register_keras_serializable("test_translating")
class Sketch(ganzoo.GAN):
    """Images to images by whatever network."""

    def __init__(self, generator, channels=3, shape=(None, None), multiple=1, extra={}, discriminator=None, **kwargs):
        drawn = generator.outputs[0].shape[1:] if hasattr(generator, "outputs") else (*shape, channels)
        data = {"source": ganzoo.Images((*shape, channels), multiple=multiple), **extra, "target": ganzoo.Images(drawn)}
        super().__init__(generator, discriminator or (lambda: judge(drawn)), data=data, **kwargs)
        self.arguments = {"channels": channels, "shape": shape, "multiple": multiple, "extra": extra}


def judge(shape):
    target = keras.Input(shape, name="target")
    x = layers.GlobalAveragePooling2D(name="mean")(layers.Conv2D(1, 3, padding="same", name="see")(target))
    return keras.Model(target, x, name="discriminator")


def network(channels=3, kernel=3, depth=2, factor=1, stride=1, shape=(None, None), out=None):
    """Convolutions, by which a pixel depends on those at most depth * (kernel // 2) * stride away."""
    x = source = keras.Input((*shape, channels), name="source")
    if stride > 1:
        x = layers.Conv2D(8, stride, stride, "same", name="down")(x)
    for i in range(depth):
        x = layers.Conv2D(8, kernel, padding="same", activation="relu", name=f"conv{i}")(x)
    if stride * factor > 1:
        x = layers.UpSampling2D(stride * factor, name="up")(x)
    x = layers.Conv2D(out or channels, 1, activation="tanh", name="to_image")(x)
    return keras.Model(source, x, name="generator")


def sketch(channels=3, multiple=1, seed=0, **kwargs):
    keras.utils.set_random_seed(seed)
    return Sketch(network(channels, **kwargs), channels, kwargs.get("shape", (None, None)), multiple)


def identity(channels=3, factor=1, shape=(None, None)):
    source = keras.Input((*shape, channels), name="source")
    x = layers.UpSampling2D(factor, name="repeat")(source) if factor > 1 else layers.Identity(name="same")(source)
    return Sketch(keras.Model(source, x, name="generator"), channels, shape)


def noise(*shape, dtype="uint8"):
    return RNG.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


# --- Tiles


@pytest.mark.backend_free
@pytest.mark.parametrize("length", [1, 20, 48, 49, 72, 73, 96, 200, 431])
def test_tiles_cover_a_side_and_count_one_together(length):
    for overlap, multiple, factor in itertools.product([0, 1, 2, 5, 12, 24], [1, 4, 12], [1, 3]):
        side = Side(length, 48, overlap, multiple)
        begins, ends = np.array(side.begins), np.array(side.begins) + side.size
        assert begins[0] == 0 and ends[-1] == side.padded and 0 <= side.padded - max(length, 48) < multiple
        assert not (begins % multiple).any() and (np.diff(begins) > 0).all()
        assert (ends[:-1] - begins[1:] >= overlap).all(), "neighbours share as much as was asked for"
        assert begins[-1] < length, "no tile of what is not there"
        total = np.zeros(side.padded * factor)
        for begin, weights in zip(begins * factor, side.weights(overlap, factor)):
            assert (weights >= 0).all()
            total[begin : begin + len(weights)] += weights
        np.testing.assert_allclose(total, 1.0, rtol=1e-12)


@pytest.mark.backend_free
@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 32, *range(59, 67), 96, 255, 256, 257, 300])
def test_a_side_shorter_than_a_tile_is_one_tile(length):
    """Also where that tile is just as long as tiles overlap, or shorter."""
    for size, overlap, multiple in [(256, 64, 1), (256, 64, 4), (128, 32, 1), (64, 32, 8), (256, 0, 4)]:
        side = Side(length, size, overlap, multiple, least=16)
        if length <= size:
            assert side.begins == [0] and side.size == side.padded == -(-max(length, 16) // multiple) * multiple
            np.testing.assert_array_equal(side.weights(overlap, 2), np.ones((1, side.size * 2)))
        else:
            assert side.size == size and side.padded >= length and len(side.begins) > 1


@pytest.mark.backend_free
def test_a_tile_counts_nothing_in_the_outer_quarter_of_an_overlap_and_rises_as_sine_squared():
    weights = blend(64, 32)
    np.testing.assert_array_equal(weights[:8], 0)
    np.testing.assert_array_equal(weights[24:40], 1)
    np.testing.assert_allclose(weights[8:24], np.sin(np.pi / 2 * (np.arange(16) + 0.5) / 16) ** 2)
    np.testing.assert_allclose(weights[:32] + weights[::-1][:32][::-1], 1.0)
    np.testing.assert_array_equal(blend(64, 32, before=False, after=False), 1)
    np.testing.assert_array_equal(blend(6, 0), 1)


@pytest.mark.backend_free
@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("size", [(5, 90), (33, 16), (100, 131), (1, 1), (16, 16)], ids=str)
def test_what_changes_nothing_changes_nothing_by_tiles(size, factor, batch):
    image = RNG.uniform(-1, 1, (*size, 2)).astype("float32")
    rows, columns = (Side(length, 16, 5, 1) for length in size)
    given = []

    def draw(tiles):
        given.append(tiles.shape)
        return tiles.repeat(factor, 1).repeat(factor, 2)

    strips = list(drawn_by_tiles(image, draw, rows, columns, 5, factor, batch))
    np.testing.assert_allclose(np.concatenate(strips), image.repeat(factor, 0).repeat(factor, 1), atol=1e-6)
    assert len(strips) == len(rows.begins) and {shape[1:] for shape in given} == {(16, 16, 2)}
    assert max(shape[0] for shape in given) <= batch and sum(s[0] for s in given) == num_tiles(rows, columns)


@pytest.mark.backend_free
def test_beyond_the_border_an_image_is_mirrored():
    seen = []
    image = np.arange(5.0).reshape(1, 5, 1)
    draw = lambda tiles: seen.append(tiles) or tiles  # noqa: E731
    list(drawn_by_tiles(image, draw, Side(1, 1, 0), Side(5, 8, 0), 0))
    np.testing.assert_array_equal(seen[0].ravel(), [0, 1, 2, 3, 4, 3, 2, 1])


# --- Arrays


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_by_tiles_as_if_whole_where_the_receptive_field_fits(factor):
    """Three convolutions of 3x3 see three pixels: a quarter of an overlap of 12."""
    model = sketch(depth=3, factor=factor)
    image = RNG.uniform(-1, 1, (131, 100, 3)).astype("float32")
    whole = model.generate(source=image, dtype="float32")[0]
    drawn = ganzoo.translate(model, image, tile=32, overlap=12)
    assert drawn.dtype == np.float32 and drawn.shape == (131 * factor, 100 * factor, 3)
    np.testing.assert_allclose(drawn, whole, atol=1e-5)
    less = ganzoo.translate(model, image, tile=32, overlap=4)
    assert np.abs(less - whole).max() > 1e-3, "a test that could not fail"
    eight = ganzoo.data.to_uint8(image)
    assert (ganzoo.translate(model, eight, tile=32, overlap=12) == model.generate(source=eight)[0]).mean() > 0.999


@pytest.mark.parametrize(("stride", "said"), [(4, 1), (4, 4), (6, 3), (2, 2)])
def test_sizes_that_strides_do_not_allow_are_mirrored_to_such(stride, said):
    model = sketch(stride=stride, depth=1, multiple=said)
    translator = translating.Translator(model, None, 4 * stride * 3, None, 0, {})
    assert translator.multiple % stride == 0 and translator.factor == 1
    image = noise(101, 70, 3)
    drawn = ganzoo.translate(model, image, tile=12 * stride, overlap=6 * stride)
    padded = np.pad(image, ((0, -101 % stride), (0, -70 % stride), (0, 0)), "reflect")
    whole = model.generate(source=padded)[0][:101, :70]
    inner = slice(0, -2 * translator.multiple)
    assert drawn.shape == image.shape
    assert (drawn == whole)[inner, inner].mean() > 0.999


def test_an_image_of_one_tile_is_what_generate_draws():
    model = ganzoo.CycleGAN(**{**ganzoo.CycleGAN.tiny, "source_shape": (16, 16, 1)})
    image = noise(48, 28, 1)
    for part in ("source", "target"):
        np.testing.assert_array_equal(
            ganzoo.translate(model, image, of=part), model.generate(**{part: image})[0], err_msg=part
        )
    assert (ganzoo.translate(model, image) == ganzoo.translate(model, image, of="source")).all()
    assert (ganzoo.translate(model, image) != ganzoo.translate(model, image, of="target")).any()
    assert ganzoo.translate(model, image[:3, :5]).shape == (3, 5, 1)


@pytest.mark.parametrize("size", [(64, 64), (64, 65), (150, 64), (1, 1), (30, 200)], ids=str)
def test_a_model_of_one_size_draws_tiles_of_it(size):
    model = ganzoo.Pix2Pix(**ganzoo.Pix2Pix.tiny, dropout_at_test=False)
    image = noise(*size, 1)
    drawn = ganzoo.translate(model, image)
    assert drawn.shape == (*size, 3) and drawn.dtype == np.uint8
    if size == (64, 64):
        np.testing.assert_array_equal(drawn, model.generate(source=image)[0])
    for top, left in ((0, 0), (size[0] - 64, size[1] - 64)):  # a corner that one tile alone shows
        if min(size) >= 64:
            alone = model.generate(source=image[top : top + 64, left : left + 64])[0]
            corner = (slice(0, 8), slice(0, 8)) if not top + left else (slice(-8, None), slice(-8, None))
            got = drawn[top : top + 64, left : left + 64][corner]
            assert np.abs(got.astype(int) - alone[corner]).max() <= 255 * (size in ((64, 65),))


def test_a_fully_connected_model_translates_too():
    source = keras.Input((8, 6, 1), name="source")
    x = layers.Dense(48, activation="tanh", name="dense")(layers.Flatten(name="flat")(source))
    model = Sketch(keras.Model(source, layers.Reshape((8, 6, 1), name="image")(x), name="generator"), 1, (8, 6))
    image = noise(41, 17, 1)
    drawn = ganzoo.translate(model, image, overlap=2)
    assert drawn.shape == image.shape
    first = model.generate(source=image[:8, :6])[0]
    np.testing.assert_array_equal(drawn[:6, :4], first[:6, :4])


@pytest.mark.parametrize("size", [(64, 64), (63, 300), (256, 64), (61, 62), (32, 32)], ids=str)
def test_images_as_large_as_an_overlap(size):
    image = noise(*size, 3)
    np.testing.assert_array_equal(ganzoo.translate(identity(), image), image)  # tiles of 256 that share 64
    model = ganzoo.IDCGAN(**ganzoo.IDCGAN.tiny)
    assert ganzoo.translate(model, noise(*size, model.data["source"].shape[-1])).shape[:2] == size
    if size == (32, 32):
        four = identity(factor=4)  # of 128 that share 32
        np.testing.assert_array_equal(ganzoo.translate(four, image), image.repeat(4, 0).repeat(4, 1))


def test_layers_that_draw_draw_the_same_for_all_tiles():
    source = keras.Input((16, 16, 1), name="source")
    x = ganzoo.layers.SwitchedDropout(0.5, name="dropout")(source)
    model = Sketch(keras.Model(source, x, name="generator"), 1, (16, 16))
    image = np.full((16, 64, 1), 0.5, "float32")
    drawn = ganzoo.translate(model, image, overlap=0, seed=3)
    first = model.generate(source=image[:, :16], seed=3, dtype="float32")[0]
    assert 0 < (first == 0).mean() < 1, "a test that could not fail"
    for left in (0, 16, 32, 48):
        np.testing.assert_array_equal(drawn[:, left : left + 16], first)


def test_arrays_come_back_as_they_were_given():
    model, image = identity(), noise(20, 30, 3)
    deep = noise(20, 30, 3, dtype="uint16")
    for given in (image, deep, ganzoo.data.to_float(image)):
        drawn = ganzoo.translate(model, given)
        np.testing.assert_array_equal(drawn, given)
        assert drawn.dtype == given.dtype
    several = ganzoo.translate(model, np.stack([image, image[::-1]]))
    np.testing.assert_array_equal(several, [image, image[::-1]])
    listed = ganzoo.translate(model, [image, deep[:7, :5]])
    assert isinstance(listed, list) and [each.shape for each in listed] == [(20, 30, 3), (7, 5, 3)]
    np.testing.assert_array_equal(ganzoo.translate(identity(1), np.zeros((9, 9, 1))), np.zeros((9, 9, 1)))


def test_inputs_beside_the_image_are_the_same_for_all_tiles():
    source, labels = keras.Input((None, None, 1), name="source"), keras.Input((), dtype="int32", name="labels")
    latents = keras.Input((1,), name="latents")
    plane = layers.Reshape((1, 1, 1), name="plane")(layers.Embedding(3, 1, name="class")(labels))
    drawn = layers.Reshape((1, 1, 1), name="drawn")(latents)
    x = layers.Activation("tanh", name="tanh")(layers.Add(name="add")([source, plane, drawn]))
    generator = keras.Model([source, labels, latents], x, name="generator")
    model = Sketch(generator, 1, extra={"labels": ganzoo.Labels(3)})
    image = np.zeros((70, 50, 1), "float32") - 0.5
    first, other = (ganzoo.translate(model, image, tile=16, labels=label, seed=3) for label in (0, 1))
    assert np.ptp(first) < 1e-6 and np.ptp(other) < 1e-6 and abs(first[0, 0, 0] - other[0, 0, 0]) > 1e-4
    assert np.ptp(ganzoo.translate(model, image, tile=16, labels=0, seed=4) - first) < 1e-6
    assert abs(ganzoo.translate(model, image, labels=0, seed=4) - first).max() > 1e-3, "by the seed"
    with pytest.raises(ValueError, match="labels"):
        ganzoo.translate(model, image)
    with pytest.raises(ValueError, match="knows no `label`"):
        ganzoo.translate(model, image, label=1)


def test_generate_draws_floats_that_are_finer_than_8_bits():
    model = sketch()
    image = noise(16, 16, 3)
    drawn = model.generate(source=image, dtype="float32")
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(ganzoo.data.to_uint8(drawn), model.generate(source=image))
    np.testing.assert_array_equal(model.generate(source=image, dtype="uint8"), model.generate(source=image))
    assert np.abs(drawn * 127.5 - np.rint(drawn * 127.5)).max() > 0.1
    with pytest.raises(ValueError, match="uint8 or float32"):
        model.generate(source=image, dtype="uint16")


def refusals():
    image = noise(16, 16, 3)
    return [
        ((image,), {"of": "target"}, r"say of='source' \(--of source\)"),
        ((image,), {"tile": 8}, "at least 16"),
        ((image,), {"tile": 0}, "positive integer"),
        ((image,), {"tile": 32, "overlap": 17}, "16 pixels at most"),
        ((image,), {"overlap": -1}, "0 or more"),
        ((image,), {"overlap": 2.5}, "0 or more"),
        ((image[..., :1],), {}, r"repeat\(3"),
        ((image[:0],), {}, "no pixels"),
        ((image[0],), {}, "shape"),
        ((image.astype("int64"),), {}, "uint8 or float"),
        ((image.astype("float32"),), {}, "127.5"),
        ((np.full((16, 16, 3), np.nan),), {}, "NaN"),
        (([image, None],), {}, "uint8 or float"),
    ]


@pytest.mark.parametrize(("arguments", "options", "message"), refusals())
def test_what_cannot_be_translated_is_told(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ganzoo.translate(identity(), *arguments, **options)


def test_models_that_do_not_draw_images_of_images_are_refused():
    names = r"Presets that do: pix2pix-emoji_edges, .*pix2pix-facades, pix2pix-facades_labels"
    with pytest.raises(ValueError, match=f"DCGAN does not draw images of images. {names}"):
        ganzoo.translate(ganzoo.DCGAN(**ganzoo.DCGAN.tiny), noise(16, 16, 1))
    with pytest.raises(ValueError, match="PerceptualGAN does not draw images of images"):  # it draws features
        ganzoo.translate(ganzoo.PerceptualGAN(**ganzoo.PerceptualGAN.tiny), noise(16, 16, 1))
    with pytest.raises(ValueError, match="FramePrediction does not draw") as told:
        ganzoo.translate(ganzoo.FramePrediction(**ganzoo.FramePrediction.tiny), noise(16, 16, 2))
    assert "prediction" not in str(told.value) and "gan-mnist" not in str(told.value)
    source = keras.Input((None, None, 3), name="source")
    smaller = keras.Model(source, layers.AveragePooling2D(2, name="half")(source), name="generator")
    with pytest.raises(ValueError, match="nor a whole number of times as large"):
        ganzoo.translate(Sketch(smaller), noise(16, 16, 3))
    with pytest.raises(ValueError, match="leave `tile` out"):
        ganzoo.translate(identity(shape=(16, 16)), noise(16, 16, 3), tile=32)
    with pytest.raises(ValueError, match="multiples of 4"):
        ganzoo.translate(sketch(stride=4), noise(16, 16, 3), tile=30)


def test_tiles_of_networks_that_enlarge_are_smaller_and_few_at_a_time():
    sizes = {}
    for factor in (1, 2, 4):
        translator = translating.Translator(identity(factor=factor), None, None, None, 0, {})
        sizes[factor] = (translator.tile, translator.overlap, translator.batch)
        assert translator.factor == factor
    assert sizes == {1: ((256, 256), 64, 1), 2: ((256, 256), 64, 1), 4: ((128, 128), 32, 1)}
    small = translating.Translator(identity(shape=(64, 32)), None, None, None, 0, {})
    assert (small.tile, small.overlap, small.batch) == ((64, 32), 8, 32)


# --- PNG


def decoded(data):
    """A PNG file by its specification, and its texts."""
    at, chunks = 8, []
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        chunks.append((kind, content))
        at += 12 + length
    width, height, bits, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    raw = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    step = {0: 1, 4: 2, 2: 3, 6: 4}[colour] * bits // 8
    rows, up, kinds = [], [0] * (width * step), set()
    for y in range(height):
        line = raw[y * (width * step + 1) :][: width * step + 1]
        row: list[int] = []
        kinds.add(line[0])
        for x, rest in enumerate(line[1:]):
            a, b = row[x - step] if x >= step else 0, up[x]
            c = up[x - step] if x >= step else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row.append((rest + (0, a, b, (a + b) // 2, paeth)[line[0]]) % 256)
        rows.append(row)
        up = row
    pixels = np.array(rows, "uint8").reshape(height, -1)
    values = pixels.view(">u2") if bits == 16 else pixels
    texts = dict(content.decode("latin-1").split("\0") for kind, content in chunks if kind == b"tEXt")
    return values.reshape(height, width, -1).astype(f"uint{bits}"), texts, kinds


@pytest.mark.backend_free
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_in_strips(tmp_path, channels, dtype):
    y, x = np.mgrid[:140, :23]
    smooth = np.stack([y * 5 + x, x * y, 2000 - y, y // 9], axis=-1)[..., :channels].astype(dtype)
    image = np.concatenate([smooth, noise(9, 23, channels, dtype=dtype), np.zeros((4, 23, channels), dtype)])
    with open(tmp_path / "a.png", "wb") as file:
        write_png(file, (153, 23), [image[:1], image[1:30], image[30:30], image[30:]], {"ganzoo": "here"})
    got, texts, kinds = decoded((tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(got, image)
    assert texts == {"ganzoo": "here"} and len(kinds) > 1
    with Image.open(tmp_path / "a.png") as opened:
        if dtype == "uint8":
            np.testing.assert_array_equal(np.asarray(opened).reshape(image.shape), image)
        assert opened.info["ganzoo"] == "here"


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "strips",
    [[np.zeros((3, 4, 5), "uint8")], [np.zeros((3, 4, 1))], [np.zeros((2, 4, 1), "uint8")], [],
     [np.zeros((3, 5, 1), "uint8")], [np.zeros((2, 4, 1), "uint8"), np.zeros((1, 4, 3), "uint8")]],
)  # fmt: skip
def test_png_refuses_what_it_cannot_hold(tmp_path, strips):
    with open(tmp_path / "a.png", "wb") as file, pytest.raises(ValueError, match="Received"):
        write_png(file, (3, 4), strips)


# --- Files


def save(path, array, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    if array.dtype == np.uint16:
        with open(path, "wb") as file:
            write_png(file, array.shape[:2], [array])
    else:
        Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(path, **kwargs)
    return path


def pixels(path):
    return decoded(Path(path).read_bytes())[0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_alpha_and_16_bits_stay_where_they_were(tmp_path, channels, dtype):
    """Through a network that changes nothing, and opaque or half transparent pixels: to the last bit."""
    image = noise(30, 21, channels, dtype=dtype)
    top = np.iinfo(dtype).max
    if channels in (2, 4):
        image[..., -1] = RNG.choice([0, 1, top // 2, top], image.shape[:2])
        image[image[..., -1] == 1, :-1] = 0
    save(tmp_path / "in.png", image)
    done = ganzoo.translate_files(identity(), tmp_path / "in.png", tmp_path / "out.png")
    assert done.written == [tmp_path / "out.png"] and not done.failed
    got, expected = pixels(tmp_path / "out.png"), image
    if channels < 3:  # a model of colours draws colours
        expected = np.concatenate([image[..., :1]] * 3 + [image[..., 1:]], axis=-1)
    assert got.dtype == dtype and got.shape == expected.shape
    if channels in (2, 4):
        np.testing.assert_array_equal(got[..., -1], expected[..., -1])
        seen = expected[..., -1:] > 0
        error = np.abs(got[..., :3].astype(int) - expected[..., :3])[seen[..., 0]]
        opaque = expected[..., -1][seen[..., 0]] == top
        assert error[opaque].max() == 0 and error[expected[..., -1][seen[..., 0]] == top // 2].max() <= 2
    else:
        np.testing.assert_array_equal(got, expected)


def test_16_bits_are_drawn_finer_than_8(tmp_path):
    model = sketch()
    ramp = np.linspace(20000, 22000, 40 * 40).astype("uint16").reshape(40, 40, 1).repeat(3, -1)
    save(tmp_path / "in.png", ramp)
    ganzoo.translate_files(model, tmp_path / "in.png", tmp_path / "out.png")
    expected = model.generate(source=ramp.astype("float32") / 32767.5 - 1, dtype="float32")[0]
    assert np.abs(pixels(tmp_path / "out.png") / 32767.5 - 1 - expected).max() < 1e-4
    assert len(np.unique(pixels(tmp_path / "out.png"))) > 300


def test_what_is_drawn_of_a_transparent_image_is_drawn_of_it_on_white(tmp_path):
    image = noise(20, 20, 4)
    image[..., 3] = RNG.choice([0, 255], (20, 20))
    save(tmp_path / "in.png", image)
    model = sketch()
    ganzoo.translate_files(model, tmp_path / "in.png", tmp_path / "out.png")
    on_white = np.where(image[..., 3:] == 255, image[..., :3], 255).astype("uint8")
    got = pixels(tmp_path / "out.png")
    np.testing.assert_array_equal(got[..., :3], model.generate(source=on_white)[0])
    np.testing.assert_array_equal(got[..., 3], image[..., 3])


def test_larger_images_have_larger_transparency(tmp_path):
    image = np.full((150, 90, 4), 255, "uint8")
    image[:75, :, 3] = 0
    save(tmp_path / "in.png", image)
    ganzoo.translate_files(identity(factor=4), tmp_path / "in.png", tmp_path / "out.png", tile=32)
    got = pixels(tmp_path / "out.png")
    assert got.shape == (600, 360, 4)
    assert (got[:292, :, 3] == 0).all() and (got[308:, :, 3] == 255).all() and (got[..., :3] == 255).all()


def test_a_model_of_four_channels_draws_its_own_transparency(tmp_path):
    for dtype in ("uint8", "uint16"):
        image = noise(20, 20, 4, dtype=dtype)
        save(tmp_path / "in.png", image)
        ganzoo.translate_files(identity(4), tmp_path / "in.png", tmp_path / "out.png", overwrite=True)
        np.testing.assert_array_equal(pixels(tmp_path / "out.png"), image)
    save(tmp_path / "grey.png", noise(20, 20, 1, dtype="uint16"))
    ganzoo.translate_files(identity(4), tmp_path / "grey.png", tmp_path / "out.png", overwrite=True)
    assert (pixels(tmp_path / "out.png")[..., 3] == 65535).all()


def modes():
    image = Image.fromarray(noise(24, 18, 3))
    palette = image.quantize(16)
    return {
        "1": image.convert("1"), "L": image.convert("L"), "P": palette, "RGB": image, "CMYK": image.convert("CMYK"),
        "YCbCr": image.convert("YCbCr"), "LA": image.convert("LA"), "PA": image.quantize(8).convert("PA"),
    }  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", sorted(modes()))
def test_colour_modes_are_read_as_for_training(tmp_path, mode, channels):
    path = tmp_path / ("in.tif" if mode in ("CMYK", "YCbCr", "PA") else "in.png")
    image = modes()[mode]
    if mode == "PA":
        path, image = tmp_path / "in.png", image.convert("RGBA")
    image.save(path)
    ganzoo.translate_files(identity(channels), path, tmp_path / "out.png")
    got = pixels(tmp_path / "out.png")
    expected = ganzoo.data.load_folder(tmp_path, (24, 18), {1: "L", 3: "RGB"}[channels], limit=1)[0]
    np.testing.assert_array_equal(got[..., :channels], expected)
    assert got.shape[-1] == channels + (mode in ("LA", "PA"))


def test_a_transparent_palette_stays_transparent(tmp_path):
    palette = Image.fromarray(noise(24, 18, 3)).quantize(4)
    palette.save(tmp_path / "in.png", transparency=2)
    ganzoo.translate_files(identity(), tmp_path / "in.png", tmp_path / "out.png")
    got = pixels(tmp_path / "out.png")
    np.testing.assert_array_equal(got[..., 3] == 0, np.asarray(palette) == 2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "rgba", "tif16", "png16"])
def test_orientation_is_applied_once(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.zeros((16, 24, 3), "uint8")
    upright[:8, :8] = (255, 255, 255)  # white above on the left
    flat = upright
    turned = {
        1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1), 6: lambda x: np.rot90(x, 1), 7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }[orientation]  # fmt: skip
    stored = np.ascontiguousarray(turned(flat))
    path = tmp_path / f"in.{kind[:3]}"
    if kind == "rgba":
        path = tmp_path / "in.png"
        alpha = np.full((16, 24, 1), 255, "uint8")
        alpha[-4:] = 0
        Image.fromarray(np.ascontiguousarray(turned(np.concatenate([flat, alpha], -1)))).save(path, exif=exif)
    elif kind == "tif16":
        Image.fromarray(stored[..., 0].astype("uint16") * 257).save(path, exif=exif)
    elif kind == "png16":
        save(path, stored.astype("uint16") * 257)
        data, block = path.read_bytes(), exif.tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", zlib.crc32(b"eXIf" + block))
        path.write_bytes(data[:33] + chunk + data[33:])
    else:
        Image.fromarray(stored).save(path, exif=exif, **({"quality": 100} if kind == "jpg" else {}))
    ganzoo.translate_files(identity(), path, tmp_path / "out.png")
    got = pixels(tmp_path / "out.png")
    assert got.shape[:2] == (16, 24)
    full = np.iinfo(got.dtype).max
    assert (got[:7, :7, :3] > 0.9 * full).all() and (got[9:, :, :3][got[9:, :, -1] > 0.99 * full] < full).all()
    assert (got[:11, 9:, :3] < 0.1 * full).all()
    if kind == "rgba":
        np.testing.assert_array_equal(got[..., 3], np.where(np.arange(16) < 12, 255, 0)[:, None].repeat(24, 1))
    with Image.open(tmp_path / "out.png") as image:
        assert image.getexif().get(0x0112) is None


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["raw", "lzw"])
def test_16_bits_of_tiff(tmp_path, options):
    tifffile = pytest.importorskip("tifffile")
    colour, grey = noise(20, 16, 3, dtype="uint16"), noise(20, 16, 1, dtype="uint16")
    for order in "<>":
        packed = {"compression": "zlib"} if options else {}
        tifffile.imwrite(tmp_path / "in.tif", colour, photometric="rgb", byteorder=order, **packed)
        ganzoo.translate_files(identity(), tmp_path / "in.tif", tmp_path / "out.png", overwrite=True)
        np.testing.assert_array_equal(pixels(tmp_path / "out.png"), colour)
    Image.fromarray(grey[..., 0]).save(tmp_path / "grey.tif", **options)
    ganzoo.translate_files(identity(1), tmp_path / "grey.tif", tmp_path / "grey.png")
    np.testing.assert_array_equal(pixels(tmp_path / "grey.png"), grey)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_16_bits_of_tiff_that_would_be_read_wrong_are_failures(tmp_path, compression):
    """In planes, CMYK, with alpha multiplied in, or counting down from white."""
    tifffile = pytest.importorskip("tifffile")
    (tmp_path / "in").mkdir()
    three, four = noise(3, 20, 16, dtype="uint16"), noise(20, 16, 4, dtype="uint16")
    kinds = {
        "planes": (three, {"photometric": "rgb", "planarconfig": "separate"}, "in planes"),
        "cmyk": (four, {"photometric": "separated"}, "it is CMYK of 16 bits"),
        "alpha": (four, {"photometric": "rgb", "extrasamples": ["assocalpha"]}, "alpha not multiplied in"),
        "white": (four[..., 0], {"photometric": "miniswhite"}, "min-is-white"),
    }
    for name, (image, options, _) in kinds.items():
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", image, compression=compression, **options)
    tifffile.imwrite(tmp_path / "in" / "cmyk8.tif", noise(20, 16, 4), photometric="separated")
    done = ganzoo.translate_files(identity(), tmp_path / "in", tmp_path / "out")
    assert written(tmp_path / "out") == ["cmyk8.png"] and len(done.failed) == len(kinds)
    for name, (_, _, message) in kinds.items():
        assert message in done.failed[tmp_path / "in" / f"{name}.tif"]
    with pytest.raises(ValueError, match="min-is-white"):  # nor does a training learn from a negative
        ganzoo.data.load_folder(tmp_path / "in", 16, "L")


@pytest.mark.backend_free
def test_colours_of_16_bits_are_read_in_a_networks_channels(tmp_path):
    image = noise(9, 9, 3, dtype="uint16")
    save(tmp_path / "a.png", image)
    grey = read_picture(tmp_path / "a.png", 1).image
    luminance = image @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose((grey[..., 0] + 1) * 32767.5, luminance, atol=1)
    eight = ganzoo.data.load_folder(tmp_path, 9, "L")[0]
    assert np.abs((grey + 1) * 127.5 - eight).max() <= 1.5


def test_white_of_12_bits_is_said(tmp_path):
    save(tmp_path / "in.png", image := RNG.integers(0, 4096, (12, 12, 1), "uint16"))
    with pytest.warns(UserWarning, match="max_value=4095"):
        ganzoo.translate_files(identity(1), tmp_path / "in.png", tmp_path / "out.png")
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), image)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ganzoo.translate_files(identity(1), tmp_path / "in.png", tmp_path / "out.png", max_value=4095, overwrite=True)
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), image)
    assert read_picture(tmp_path / "in.png", 1, 4095).image.max() > 0.9
    Image.fromarray(RNG.uniform(0, 7, (12, 12)).astype("float32")).save(tmp_path / "f.tif")
    done = ganzoo.translate_files(identity(1), tmp_path / "f.tif", tmp_path / "f.png")
    assert "max_value=" in done.failed[tmp_path / "f.tif"]
    ganzoo.translate_files(identity(1), tmp_path / "f.tif", tmp_path / "f.png", max_value=7)
    assert pixels(tmp_path / "f.png").dtype == np.uint16


def test_the_profile_of_colours_is_kept(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, mode in (("rgb", "RGB"), ("grey", "L")):
        Image.fromarray(noise(20, 20, 3)).convert(mode).save(tmp_path / f"{name}.png", icc_profile=profile)
        ganzoo.translate_files(identity(), tmp_path / f"{name}.png", tmp_path / f"{name}-out.png")
        with Image.open(tmp_path / f"{name}-out.png") as image:
            assert image.info.get("icc_profile") == (profile if mode == "RGB" else None)


def test_pages_beyond_the_first_are_told(tmp_path):
    first, second = Image.fromarray(noise(16, 16, 1)[..., 0]), Image.fromarray(noise(16, 16, 1)[..., 0])
    first.save(tmp_path / "in.tif", save_all=True, append_images=[second])
    with pytest.warns(UserWarning, match="1 files have several pages"):
        ganzoo.translate_files(identity(1), tmp_path / "in.tif", tmp_path / "out.png")
    np.testing.assert_array_equal(pixels(tmp_path / "out.png")[..., 0], np.asarray(first))


# --- Folders


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.jpg", "deep/c.png", "deep/deeper/d e.bmp"):
        save(tmp_path / "in" / name, noise(20, 24, 3))
    (tmp_path / "in" / "notes.txt").write_text("none")
    (tmp_path / "in" / ".hidden.png").write_bytes(b"none")
    return tmp_path / "in"


def written(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


NAMES = ["a.png", "b.png", "deep/c.png", "deep/deeper/d e.png"]


def test_a_folder_is_gone_on_with_where_it_was(folder, tmp_path, monkeypatch):
    model, out = identity(), tmp_path / "out" / "of it"
    drawn, original = [], translating.Translator.write

    def interrupted(self, picture, goal, mark):
        if len(drawn) == 2:
            raise KeyboardInterrupt
        drawn.append(goal)
        original(self, picture, goal, mark)

    monkeypatch.setattr(translating.Translator, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ganzoo.translate_files(model, folder, out)
    assert written(out) == NAMES[:2]
    monkeypatch.setattr(translating.Translator, "write", original)
    before = [(out / name).stat().st_mtime_ns for name in NAMES[:2]]
    done = ganzoo.translate_files(model, folder, out)
    assert [path.relative_to(out).as_posix() for path in done.written] == NAMES[2:]
    assert [path.relative_to(out).as_posix() for path in done.skipped] == NAMES[:2]
    assert written(out) == NAMES and [(out / name).stat().st_mtime_ns for name in NAMES[:2]] == before
    assert len(ganzoo.translate_files(model, folder, out).skipped) == 4
    save(folder / "a.png", changed := noise(10, 10, 3))  # another source
    done = ganzoo.translate_files(model, folder, out)
    assert done.written == [out / "a.png"] and len(done.skipped) == 3
    np.testing.assert_array_equal(pixels(out / "a.png"), changed)


@pytest.mark.parametrize("change", [{"tile": 32}, {"overlap": 3}, {"seed": 1}, {"max_value": 9.0}, "weights"])
def test_what_another_model_or_other_options_drew_is_not_replaced_unasked(folder, tmp_path, change):
    out = tmp_path / "out"
    ganzoo.translate_files(sketch(), folder, out)
    before = [(out / name).read_bytes() for name in NAMES]
    model, options = (sketch(seed=1), {}) if change == "weights" else (sketch(), change)
    with pytest.raises(ValueError, match=r"4 files are there already.*overwrite=True \(--overwrite\)"):
        ganzoo.translate_files(model, folder, out, **options)
    assert [(out / name).read_bytes() for name in NAMES] == before
    assert len(ganzoo.translate_files(model, folder, out, overwrite=True, **options).written) == 4
    assert len(ganzoo.translate_files(model, folder, out, **options).skipped) == 4


def test_files_of_others_are_not_replaced_unasked(folder, tmp_path):
    out = tmp_path / "out"
    save(out / "deep" / "c.png", mine := noise(4, 4, 3))
    (out / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="2 files are there already"):
        ganzoo.translate_files(identity(), folder, out)
    assert written(out) == ["b.png", "deep/c.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(out / "deep" / "c.png")), mine)
    ganzoo.translate_files(identity(), folder, out, overwrite=True)
    assert written(out) == NAMES


@pytest.mark.parametrize("way", ["file", "folder"])
def test_what_is_drawn_of_another_source_is_not_replaced_unasked(folder, tmp_path, way):
    other, out = tmp_path / "other", tmp_path / "out"
    save(other / "a.png", noise(20, 24, 3))
    first, second = (folder, other) if way == "folder" else (folder / "a.png", other / "a.png")
    out.mkdir()
    ganzoo.translate_files(identity(), first, out)
    before = (out / "a.png").read_bytes()
    with pytest.raises(ValueError, match=r"1 files are there already.*of other sources: .*a\.png"):
        ganzoo.translate_files(identity(), second, out)
    assert (out / "a.png").read_bytes() == before
    save(other / "a.png", np.asarray(Image.open(folder / "a.png")))  # the same picture, copied or moved
    assert ganzoo.translate_files(identity(), second, out).skipped == [out / "a.png"]
    save(other / "a.png", noise(20, 24, 3))
    assert ganzoo.translate_files(identity(), second, out, overwrite=True).written == [out / "a.png"]
    save(other / "a.png", changed := noise(20, 24, 3))
    assert ganzoo.translate_files(identity(), second, out).written == [out / "a.png"], "changed at its place"
    np.testing.assert_array_equal(pixels(out / "a.png"), changed)


def test_no_output_lands_among_the_sources(folder, tmp_path, monkeypatch):
    save(tmp_path / "in" / "in" / "a.png", noise(9, 9, 3))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.chdir(tmp_path)
    links = tmp_path / "links"
    links.mkdir()
    (links / "deep").symlink_to(folder / "deep")
    outside = save(tmp_path / "elsewhere" / "f.png", noise(9, 9, 3))
    (folder / "linked").symlink_to(outside.parent)
    for output in (".", links, outside.parent):
        for overwrite in (False, True):
            with pytest.raises(ValueError, match=r"among the images that are read: choose .* beside them"):
                ganzoo.translate_files("no-preset", "in", output, overwrite=overwrite)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_an_output_of_very_many_pixels_is_known_again(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    ganzoo.translate_files(identity(), folder, out)
    for most in (100, 300):  # of 480 pixels: Pillow raises beyond twice as many, and warns
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(ganzoo.translate_files(identity(), folder, out).skipped) == 4


def test_a_file_that_cannot_be_drawn_loses_no_other(folder, tmp_path, monkeypatch):
    original = translating.Translator.strips

    def strips(self, image):
        if image.shape[0] == 21:
            raise ValueError("too little memory")
        return original(self, image)

    save(folder / "aa.png", noise(21, 24, 3))
    monkeypatch.setattr(translating.Translator, "strips", strips)
    done = ganzoo.translate_files(identity(), folder, tmp_path / "out")
    assert done.failed == {folder / "aa.png": "too little memory"} and written(tmp_path / "out") == NAMES


def test_unreadable_files_are_told_at_the_end_and_lose_no_other(folder, tmp_path):
    (folder / "aa.png").write_bytes((folder / "a.png").read_bytes()[:300])
    (folder / "b.webp").write_text("no picture")
    (folder / "b.jpg").rename(folder / "z.jpg")
    done = ganzoo.translate_files(identity(), folder, tmp_path / "out")
    assert set(done.failed) == {folder / "aa.png", folder / "b.webp"} and all(done.failed.values())
    assert written(tmp_path / "out") == ["a.png", "deep/c.png", "deep/deeper/d e.png", "z.png"]


def test_nothing_is_left_half_written(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".a.png.999999999").write_bytes(b"of a process that was killed")

    def broken(self, image):
        yield np.zeros((5, image.shape[1], 3), "float32")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(translating.Translator, "strips", broken)
    with pytest.raises(OSError, match="No space"):
        ganzoo.translate_files(identity(), folder, out)
    assert written(out) == []


def test_names_that_would_collide_are_refused(folder, tmp_path):
    save(folder / "deep" / "c.jpg", noise(8, 8, 3))
    with pytest.raises(ValueError, match=r"one name, ending in .png: .*c.jpg and .*c.png. Rename"):
        ganzoo.translate_files(identity(), folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_outputs_that_cannot_be_are_refused_before_the_model_is_opened(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    cases = [
        (tmp_path / "none.png", tmp_path / "out.png", FileNotFoundError, "no such file"),
        (folder / "a.png", tmp_path / "out.jpg", ValueError, "must end in .png"),
        (folder / "a.png", tmp_path / "out", ValueError, "must end in .png"),
        (folder / "a.png", folder / "a.png", ValueError, "replace the source"),
        (folder / "a.png", folder, ValueError, "replace the source"),
        (folder, folder, ValueError, "beside it"),
        (folder, folder / "out", ValueError, "beside it"),
        (folder, folder / "a.png", ValueError, "this is a file"),
        (tmp_path / "empty", tmp_path / "out", FileNotFoundError, "No images"),
    ]
    for source, output, error, message in cases:
        with pytest.raises(error, match=message):
            ganzoo.translate_files("no-preset", source, output)


def test_a_file_into_a_folder_keeps_its_name(folder, tmp_path):
    (tmp_path / "out").mkdir()
    done = ganzoo.translate_files(identity(), folder / "b.jpg", tmp_path / "out")
    assert done.written == [tmp_path / "out" / "b.png"]
    done = ganzoo.translate_files(identity(), folder / "a.png", tmp_path / "new" / "folder" / "x.png")
    assert done.written[0].is_file()


def test_a_model_of_other_channels_takes_arrays_alone(tmp_path):
    save(tmp_path / "a.png", noise(16, 16, 1))
    with pytest.raises(ValueError, match=r"ganzoo.translate. Received: a model of 2 to 2"):
        ganzoo.translate_files(identity(2), tmp_path / "a.png", tmp_path / "b.png")
    assert ganzoo.translate(identity(2), noise(16, 16, 2)).shape == (16, 16, 2)


# --- The command


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "cyclegan.keras"
    if not path.exists():
        ganzoo.CycleGAN(**{**ganzoo.CycleGAN.tiny, "source_shape": (16, 16, 3)}).save(path)
    return path


def test_the_command_translates_a_folder_and_goes_on(saved, folder, tmp_path):
    out = tmp_path / "out"
    result = run("translate", saved, folder, out, "--of", "target")
    assert result.exit_code == 0 and f"Wrote 4 images to {out}" in result.stdout, result.output
    result = run("translate", saved, folder, out, "--of", "target")
    assert "Wrote 0 images" in result.stdout and "4 were there already" in result.stdout
    result = run("translate", saved, folder, out)
    assert result.exit_code == 2 and "--overwrite" in result.stderr
    model = keras.saving.load_model(saved)
    image = np.asarray(Image.open(folder / "a.png"))
    np.testing.assert_array_equal(pixels(out / "a.png"), model.generate(target=image)[0])


def test_the_command_tells_what_it_could_not_read(saved, folder, tmp_path):
    (folder / "bad.png").write_bytes(b"none")
    result = run("translate", saved, folder, tmp_path / "out")
    assert result.exit_code == 1 and "Wrote 4 images" in result.stdout
    assert result.stderr.count("ganzoo: ") == 1 and "bad.png cannot be translated" in result.stderr


def test_the_command_refuses_bad_input_in_one_line(saved, folder, tmp_path):
    cases = [
        (("dcgan-mnist", folder, tmp_path / "out"), "pix2pix-facades"),
        (("no-preset", folder, tmp_path / "out"), "no-preset"),
        ((saved, tmp_path / "none", tmp_path / "out"), "no such file"),
        ((saved, folder / "a.png", tmp_path / "out.gif"), "must end in .png"),
        ((saved, folder, tmp_path / "out", "--of", "x"), "--of source"),
        ((saved, folder, tmp_path / "out", "labels=3"), "knows no `labels`"),
        ((saved, folder, tmp_path / "out", "labels"), "NAME=VALUE"),
        ((saved, folder, tmp_path / "out", "tile=32"), "--tile"),
        ((saved, folder, tmp_path / "out", f"source={folder / 'a.png'}"), "as IN"),
        ((saved, folder, tmp_path / "out", "--tile", "30"), "multiples of 4"),
    ]
    for arguments, message in cases:
        result = run("translate", *arguments)
        assert result.exit_code == 2 and result.stdout == "", result.output
        assert result.stderr.count("\n") == 1 and message in result.stderr, result.stderr
    assert not (tmp_path / "out").exists()


def test_the_command_reads_16_bits_as_the_training_did(saved, tmp_path, monkeypatch):
    from ganzoo.cli import support

    save(tmp_path / "in.png", RNG.integers(0, 4096, (16, 16, 3), "uint16"))
    monkeypatch.setattr(support, "learned_reading", lambda source: {"max_value": 4095.0})
    for name, options in (("default", ()), ("said", ("--max-value", "4095")), ("other", ("--max-value", "65535"))):
        result = run("translate", saved, tmp_path / "in.png", tmp_path / f"{name}.png", *options)
        assert result.exit_code == 0, result.output
    default, said, other = (pixels(tmp_path / f"{name}.png") for name in ("default", "said", "other"))
    assert (default == said).all() and (default != other).any()


def test_ctrl_c_says_how_to_go_on(saved, folder, tmp_path, monkeypatch):
    def stop(self, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(translating.Translator, "write", stop)
    result = run("translate", saved, folder, tmp_path / "out")
    assert result.exit_code == 130 and "run the same command again" in result.stderr


def test_a_published_preset_translates_a_file(tmp_path):
    save(tmp_path / "map.png", noise(200, 150, 3))
    result = run("translate", "pix2pix-facades", tmp_path / "map.png", tmp_path / "photo.png")
    assert result.exit_code == 0 and f"Wrote {tmp_path / 'photo.png'}" in result.stdout, result.output
    assert pixels(tmp_path / "photo.png").shape == (200, 150, 3)
