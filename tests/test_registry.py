"""The registry: names, duplicates, suggestions."""

from __future__ import annotations

import pytest

import ganzoo
from ganzoo.zoo import registry

pytestmark = pytest.mark.backend_free


@pytest.fixture
def empty(monkeypatch):
    monkeypatch.setattr(registry, "_MODELS", {})


def test_the_zoo_registers_its_models():
    assert {"gan", "dcgan", "wgan_gp"} <= set(ganzoo.list_models())
    for name in ganzoo.list_models():
        assert isinstance(ganzoo.models.get_model(name), type)


@pytest.mark.parametrize(
    "class_name, name",
    [
        ("DCGAN", "dcgan"),
        ("WGANGP", "wgan_gp"),
        ("GAN", "gan"),
        ("ThreePlayerGAN", "three_player_gan"),
        ("StyleGAN2", "style_gan2"),
        ("StyleGAN2ADA", "style_gan2_ada"),
        ("MyNet", "my_net"),
    ],
)
def test_snake_case(class_name, name):
    assert registry.snake_case(class_name) == name


def test_registers_bare_called_and_named(empty):
    @registry.register
    class MyGAN:
        pass

    @registry.register()
    class OtherGAN:
        pass

    @registry.register("short")
    class LongGAN:
        pass

    assert registry.list_models() == ["my_gan", "other_gan", "short"]
    assert registry.get_model("my_gan") is MyGAN
    assert registry.get_model("other_gan") is OtherGAN
    assert registry.get_model("short") is LongGAN


def test_a_taken_name_is_an_error_and_the_first_class_stays(empty):
    @registry.register("mine")
    class First:
        pass

    with pytest.raises(ValueError, match=r"'mine' is taken by .*First.*Received: model=.*Second"):

        @registry.register("mine")
        class Second:
            pass

    assert registry.get_model("mine") is First


def test_the_same_definition_run_again_replaces_itself(empty):
    def cell():
        @registry.register
        class MyGAN:
            pass

        return MyGAN

    first, second = cell(), cell()
    assert first is not second and registry.get_model("my_gan") is second


@pytest.mark.parametrize("name", ["", "My GAN", "../x", "1gan", "a-b"])
def test_malformed_names_are_refused(empty, name):
    with pytest.raises(ValueError, match="lower-case letters"):
        registry.register(name)(type("X", (), {}))
    assert registry.list_models() == []


@pytest.mark.parametrize("wrong, right", [("dcgna", "dcgan"), ("WGAN-GP", "wgan_gp"), ("wgangp", "wgan_gp")])
def test_a_wrong_name_suggests_the_close_ones(wrong, right):
    with pytest.raises(ValueError, match=f"Did you mean .*'{right}'.*Received: name='{wrong}'"):
        registry.get_model(wrong)


def test_a_name_close_to_none_lists_all(empty):
    registry.register("dcgan")(type("A", (), {}))
    registry.register("wgan_gp")(type("B", (), {}))
    with pytest.raises(ValueError, match=r"Choose from: dcgan, wgan_gp\."):
        registry.get_model("zzz")
