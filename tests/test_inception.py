"""The Inception of the FID against torch-fidelity's, on random weights, block by block."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch
from metric_references import torch_fidelity

from ganzoo.metrics import inception
from ganzoo.zoo import download

BLOCKS = [f"Mixed_{name}" for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")]


@pytest.fixture(scope="module")
def reference():
    """torch-fidelity's network with random weights, statistics of BatchNorm among them."""
    theirs = torch_fidelity("feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda *arguments, **options: None)
        network = theirs("reference", ["2048", "logits_unbiased"], feature_extractor_weights_path="none")
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 1.5)
            module.bias.uniform_(-0.5, 0.5)
    return network


@pytest.fixture(scope="module")
def network(reference):
    network = inception.build_inception()
    inception.load_state(network, {name: value.numpy() for name, value in reference.state_dict().items()})
    return network


def test_every_block_gives_what_the_reference_gives(reference, network):
    images = np.random.default_rng(0).integers(0, 256, (1, 40, 33, 3), "uint8")
    seen = {}
    for name in BLOCKS:
        getattr(reference, name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: output.permute(0, 2, 3, 1).numpy()})
        )
    expected = reference(torch.from_numpy(images).permute(0, 3, 1, 2))
    probe = keras.Model(network.input, [*(network.get_layer(name).output for name in BLOCKS), *network.output])
    *blocks, features, logits = probe.predict_on_batch(inception.resize_like_tensorflow_1(images, 299))
    for name, block in zip(BLOCKS, blocks):
        scale = np.abs(seen[name]).max()
        np.testing.assert_allclose(block / scale, seen[name] / scale, atol=1e-5, err_msg=name)
    for ours, theirs in zip((features, logits), expected):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.backend_free
@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (1, 299, 299, 3), (1, 500, 310, 3)])
def test_images_are_resized_as_by_the_reference(shape):
    images = np.random.default_rng(1).integers(0, 256, shape, "uint8")
    resize = torch_fidelity("interpolate_compat_tensorflow").interpolate_bilinear_2d_like_tensorflow1x
    expected = resize(torch.from_numpy(images).permute(0, 3, 1, 2).float(), size=(299, 299), align_corners=False)
    ours = inception.resize_like_tensorflow_1(images, 299)
    np.testing.assert_allclose(ours, expected.permute(0, 2, 3, 1).numpy(), atol=2e-2 if shape[1] > 299 else 1e-3)


def test_extractor_reads_the_published_format_and_refuses_another_file(reference, monkeypatch, tmp_path):
    path = tmp_path / "random.pth"
    torch.save(reference.state_dict(), path)
    with pytest.raises(download.WeightsError, match="inception"):
        inception.Inception(path).network  # noqa: B018
    described = download.WeightsFile("inception", path.name, download.sha256(path), path.stat().st_size)
    monkeypatch.setattr(inception, "WEIGHTS", described)
    extractor = inception.Inception(path, batch_size=2)
    assert extractor.id == f"inception-{described.sha256[:8]}"
    images = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), "uint8")
    assert extractor.features(images).shape == (3, 2048) and extractor.logits(images).shape == (3, 1008)
    with pytest.raises(ValueError, match=r"RGB.*\(3, 32, 32, 1\)"):
        extractor.features(images[..., :1])


@pytest.mark.backend_free
def test_weights_that_cannot_be_had_are_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("GANZOO_HOME", str(tmp_path))
    monkeypatch.setattr(inception, "URL", "http://127.0.0.1:9/inception.pth")
    with pytest.raises(download.WeightsError, match=r"127\.0\.0\.1"):
        inception.Inception().network  # noqa: B018
