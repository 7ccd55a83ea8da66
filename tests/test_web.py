"""The page, driven in a real browser: Debian's Chromium (`apt install chromium chromium-driver`), without a screen."""

import base64
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo import plot
from ganzoo.cli import app
from ganzoo.web.pictures import as_png, painted
from ganzoo.web.translation import rgb, rgb_text

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
HERE = CHROMIUM and DRIVER
needs_browser = pytest.mark.skipif(not HERE, reason="needs Chromium: apt install chromium chromium-driver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
PATIENCE = 120  # seconds


@pytest.mark.backend_free
def test_continuous_integration_has_the_browser():
    assert HERE or not os.environ.get("CI"), "Install chromium and chromium-driver: these tests are not skipped here."


# --- What needs no browser


@pytest.mark.backend_free
def test_a_brush_paints_the_pixels_whose_middle_it_touched():
    dot = painted(np.array([[3.5, 4.5]]), 0.5, (8, 9))
    assert dot.sum() == 1 and dot[3, 4]
    line = painted(np.array([[0.5, 2.5], [6.5, 2.5]]), 1.0, (8, 9))  # whatever is between two points of a quick hand
    np.testing.assert_array_equal(line[:, 2], [True] * 8)
    assert line[:7, 1:4].all() and not line[:, 4:].any() and not line[:, 0].any()
    assert not painted(np.array([[-9.0, -9.0]]), 2.0, (8, 9)).any()


@pytest.mark.backend_free
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_are_files_of_just_their_pixels(channels):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), "uint8")
    read = np.asarray(Image.open(io.BytesIO(as_png(image))))
    expected = plot.images.visible(image) if channels == 2 else image
    np.testing.assert_array_equal(read.reshape(5, 7, -1), expected)


@pytest.mark.backend_free
def test_colours_that_are_none_are_black_and_nothing_else_gets_into_the_page():
    assert rgb("#ff8000") == (255, 128, 0) and rgb_text("#FF8000") == "#ff8000"
    for text in (None, "", "red", '"><script>', "#ff80", "#gg0000"):
        assert rgb(text) == (0, 0, 0) and rgb_text(text) == "#000000"


@pytest.mark.backend_free
def test_a_port_that_is_taken_and_a_preset_that_is_none_are_said_at_once():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = CliRunner().invoke(app, ["web", "--no-show", "--port", str(other.getsockname()[1])])
    assert taken.exit_code == 2 and "choose another --port" in taken.output
    unknown = CliRunner().invoke(app, ["web", "dcgan-mnits", "--no-show", "--port", str(free_port())])
    assert unknown.exit_code == 2 and "dcgan-mnist" in unknown.output


@pytest.mark.backend_free
def test_without_nicegui_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    result = CliRunner().invoke(app, ["web", "--no-show"])
    assert result.exit_code == 2 and "pip install 'keras-ganzoo[web]'" in result.output


# --- The page


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(log, *arguments: str):
    """A server of its own, and the address of its page."""
    port = free_port()
    command = [sys.executable, "-m", "ganzoo.cli", "web", *arguments, "--no-show", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environment) as server:
        try:
            wait_for(lambda: _answers(port) or server.poll() is not None)
            assert server.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}/"
            said = log.read_text()
        finally:
            server.terminate()
    assert "Traceback" not in said, said


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("web") / "log") as found:
        yield found


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, patience: float = PATIENCE):
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


class Page:
    """A browser on the page."""

    def __init__(self, address: str, folder, width: int = 1200):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS.split(), f"--window-size={width},1400", f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.address, self.driver = address, webdriver.Chrome(options=options, service=Service(DRIVER))

    def open(self, preset: str, tab: str | None = None) -> "Page":
        self.driver.get(f"{self.address}?preset={preset}")
        wait_for(lambda: self.all(".q-tab"))
        if tab is not None:
            self.click(".q-tab", tab)
        return self

    def click(self, selector: str, text: str) -> None:
        """The element that says this."""

        def found():
            return [each for each in self.all(selector) if text in each.get_attribute("textContent").lower()]

        self.driver.execute_script("arguments[0].click()", wait_for(found)[0])

    def press(self, slider: str, key: str) -> None:
        """A key on a slider of that name."""
        self.one(f'[aria-label="{slider}"] .q-slider__track-container').send_keys(key)

    def upload(self, path) -> None:
        self.one("input[type=file]").send_keys(str(path))

    def says(self, text: str) -> bool:
        """Whether a notice on the page says this."""
        return text in self.driver.execute_script(
            "return [...document.querySelectorAll('.q-notification')].map(e => e.textContent).join()"
        )

    def all(self, selector: str):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str):
        return wait_for(lambda: self.all(selector))[0]

    def picture(self, name: str, other=None) -> np.ndarray:
        """What a picture shows, (height, width, channels); where told another, once it shows something else."""

        def shown():
            source = self.driver.execute_script(
                "let e = document.querySelector(arguments[0]); return e && e.src;", f'[aria-label="{name}"] img'
            )
            if not (source or "").startswith("data:image/png;base64,"):
                return None
            found = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
            found = found[..., None] if found.ndim == 2 else found
            return None if other is not None and np.array_equal(found, other) else [found]

        return wait_for(shown)[0]

    def drag(self, element, *moves: tuple[int, int]) -> None:
        """From a place of the element, in pixels from its middle, on by such steps."""
        from selenium.webdriver.common.action_chains import ActionChains

        hand = ActionChains(self.driver).move_to_element_with_offset(element, *moves[0]).click_and_hold()
        for move in moves[1:]:
            hand = hand.move_by_offset(*move)
        hand.release().perform()

    def close(self) -> None:
        """Nothing went wrong in it, and it asked nobody else."""
        try:
            errors = [each for each in self.driver.get_log("browser") if each["level"] == "SEVERE"]
            asked = [json.loads(each["message"])["message"] for each in self.driver.get_log("performance")]
        finally:
            self.driver.quit()
        urls = [each["params"]["request"]["url"] for each in asked if each["method"] == "Network.requestWillBeSent"]
        assert errors == [] and any(url.startswith(self.address) for url in urls)
        assert [url for url in urls if not url.startswith((self.address, "data:", "chrome:", "blob:"))] == []


@pytest.fixture
def page(address, tmp_path):
    with contextlib.closing(Page(address, tmp_path / "profile")) as found:
        yield found


@needs_browser
def test_the_page_draws_what_generate_draws_and_follows_its_keys(page):
    from selenium.webdriver.common.keys import Keys

    model = ganzoo.load("dcgan-mnist")
    sheet = page.open("dcgan-mnist").picture("pictures")
    expected = plot.image_grid(model.generate(16, seed=0))
    assert np.abs(sheet.astype(int) - expected).max() <= 1
    page.press("pictures", Keys.ARROW_LEFT)
    fewer = page.picture("pictures", other=sheet)
    assert np.abs(fewer.astype(int) - plot.image_grid(model.generate(15, seed=0))).max() <= 1
    page.one('[aria-label="next seed"]').click()
    other = page.picture("pictures", other=fewer)
    assert np.abs(other.astype(int) - plot.image_grid(model.generate(15, seed=1))).max() <= 1


@needs_browser
def test_a_stroke_is_followed_and_the_candidates_are_offered(page):
    page.open("dcgan-mnist", "edit by hand")
    before = page.picture("edited", other=np.zeros((28, 28, 1), "uint8"))
    canvas = page.one(".canvas")
    page.drag(canvas, (-60, 100), (0, -70), (0, -70))
    wait_for(lambda: len(page.all(".candidate")) == 6)
    after = page.picture("edited", other=before)
    factor = 420 // 28
    mask = painted(np.array([[14 + 100 / factor, 14 - 4.0], [14 - 40 / factor, 14 - 4.0]]), 1.75, (28, 28))
    assert after[mask].mean() > before[mask].mean() + 60
    page.all(".candidates button")[3].click()
    chosen = page.picture("edited", other=after)
    page.click("button", "go on")
    wait_for(lambda: not page.all(".candidate"))
    canvas = page.picture("picture to edit")[::factor, ::factor, :1]
    np.testing.assert_array_equal(canvas, chosen)


@needs_browser
@pytest.mark.backend_free
def test_films_go_from_one_picture_to_another(page):
    from selenium.webdriver.common.keys import Keys

    model = ganzoo.load("dcgan-mnist")
    page.open("dcgan-mnist", "a to b")
    first = page.picture("A to B")
    assert np.abs(first.astype(int) - model.generate(1, seed=0)[0]).max() <= 1
    page.press("A to B, position", 24 * Keys.ARROW_RIGHT)
    end = model.generate(1, seed=1)[0].astype(int)
    wait_for(lambda: np.abs(page.picture("A to B") - end).max() <= 1)
    last = page.picture("A to B")
    page.one('[aria-label="play"]').click()
    page.picture("A to B", other=last)


@needs_browser
@pytest.mark.backend_free
@pytest.mark.parametrize("preset", ["infogan-mnist", "cgan-mnist", "biggan-fashion_mnist"])
def test_every_tab_of_a_preset_draws(page, preset):
    page.open(preset)
    sheet = page.picture("pictures")
    assert sheet.std() > 10
    for tab, name in (("a to b", "A to B"), ("change one thing", "change"), ("edit by hand", "picture to edit")):
        page.click(".q-tab", tab)
        wait_for(lambda name=name: page.picture(name).std() > 1)
    assert not page.all(".q-notification")


@needs_browser
@pytest.mark.backend_free
def test_what_is_drawn_on_the_pad_becomes_a_picture(page):
    page.open("pix2pix-emoji_edges")
    empty = page.picture("drawn")
    page.drag(page.one(".canvas"), (-80, 0), (40, -90), (80, 0), (40, 90), (-40, 90), (-80, 0), (-40, -90))
    drawn = page.picture("drawn", other=empty)
    drawing = page.picture("drawing pad")
    assert drawing.shape == (64, 64, 1) and 40 < (drawing == 0).sum() < 400
    expected = ganzoo.translate("pix2pix-emoji_edges", drawing)
    assert np.abs(drawn.astype(int) - expected).max() <= 1


@needs_browser
@pytest.mark.backend_free
def test_files_are_translated_and_bad_ones_are_told(page, tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (12, 20, 3), "uint8")
    plot.save_png(tmp_path / "small.png", small)
    (tmp_path / "none.png").write_text("no picture")
    Image.new("1", (10_000, 10_001)).save(tmp_path / "huge.png")
    page.open("srresnet-photos")
    page.upload(tmp_path / "small.png")
    drawn = page.picture("after")
    assert drawn.shape == (48, 80, 3)
    assert np.abs(drawn.astype(int) - ganzoo.translate("srresnet-photos", small)).max() <= 1
    np.testing.assert_array_equal(page.picture("before"), small)
    for name, said in (("none.png", "none.png is no picture"), ("huge.png", "100 million pixels")):
        page.upload(tmp_path / name)
        wait_for(lambda said=said: page.says(said))
    plot.save_png(tmp_path / "other.png", small[:8])
    page.upload(tmp_path / "other.png")
    assert page.picture("after", other=drawn).shape == (32, 80, 3)  # and goes on


@needs_browser
@pytest.mark.backend_free
def test_a_narrow_screen_has_all_of_it(address, tmp_path):
    with contextlib.closing(Page(address, tmp_path / "profile", width=500)) as page:
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
        )
        for tab in ("draw", "edit by hand"):
            page.open("dcgan-mnist", tab)
            page.picture("pictures" if tab == "draw" else "picture to edit")
            assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 360


@needs_browser
@pytest.mark.backend_free
def test_two_visitors_and_a_closed_tab(address, page, tmp_path):
    with contextlib.closing(Page(address, tmp_path / "other")) as other:
        other.open("dcgan-mnist", "edit by hand")
        other.picture("edited", other=np.zeros((28, 28, 1), "uint8"))
        page.open("dcgan-fashion_mnist")
        other.drag(other.one(".canvas"), (-60, 100), (0, -140))
    sheet = page.picture("pictures")  # while the other's stroke is followed, and its tab is gone
    page.one('[aria-label="next seed"]').click()
    expected = plot.image_grid(ganzoo.load("dcgan-fashion_mnist").generate(16, seed=1))
    assert np.abs(page.picture("pictures", other=sheet).astype(int) - expected).max() <= 1


@needs_browser
@pytest.mark.backend_free
def test_another_picture_is_not_edited_by_the_strokes_on_the_one_before(page):
    model = ganzoo.load("dcgan-mnist")
    page.open("dcgan-mnist", "edit by hand")
    page.picture("edited", other=np.zeros((28, 28, 1), "uint8"))
    page.drag(page.one(".canvas"), (-60, 100), (0, -140))
    page.one('[aria-label="next seed"]').click()
    wanted = model.generate(1, seed=1)[0].astype(int)
    wait_for(lambda: np.abs(page.picture("edited") - wanted).max() <= 1)
    wait_for(lambda: not any(sign.is_displayed() for sign in page.all(".sign")))
    assert np.abs(page.picture("edited") - wanted).max() <= 1 and not page.all(".candidate")


@needs_browser
@pytest.mark.backend_free
def test_attributes_that_are_not_said_stay_as_they_are(tmp_path):
    model = ganzoo.StarGAN(**ganzoo.StarGAN.tiny)
    model.save(tmp_path / "own.keras")
    picture = model.data["images"].examples(1)[0]
    plot.save_png(tmp_path / "picture.png", picture)
    with (
        serving(tmp_path / "log", str(tmp_path / "own.keras")) as address,
        contextlib.closing(Page(address, tmp_path / "profile")) as page,
    ):
        page.driver.get(address)
        page.upload(tmp_path / "picture.png")
        drawn = page.picture("after")
        told = {name: values[0] for name, values in model.attributes_of(picture[None]).items()}
        assert np.abs(drawn.astype(int) - ganzoo.translate(model, picture, **told)).max() <= 1
        page.upload(tmp_path / "picture.png")  # the same once more
        assert not page.says("reduce the picture")


@needs_browser
@pytest.mark.backend_free
def test_an_address_opens_presets_and_nothing_else(page):
    page.driver.get(f"{page.address}?preset=/etc/passwd")
    assert page.picture("pictures").std() > 10
    assert page.one('input[aria-label="preset"]').get_attribute("value") == "dcgan-mnist"
