"""The page of `ganzoo web` in a browser without a screen: how soon it answers, and a picture of it.

    python scripts/page.py --picture zoo_configs/pictures/page.png

Prints for each preset the milliseconds from a key on the slider "pictures" to the new picture (median and largest of
20; up to four images are drawn), and takes a picture of an edit by hand. Needs Chromium: apt install chromium
chromium-driver. KERAS_BACKEND says what the server runs on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PRESETS = ("dcgan-mnist", "cgan-fashion_mnist", "r3gan-cifar10")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync --window-size=1000,1200"
)
TURNS, PAUSE = 20, 0.3
ANSWER = """
const [code, done] = arguments;
const picture = document.querySelector('[aria-label="pictures"] img'), before = picture.src, begin = performance.now();
document.querySelector('[aria-label="pictures"] .q-slider__track-container')
    .dispatchEvent(new KeyboardEvent('keydown', {keyCode: code, bubbles: true}));
const look = () => picture.src !== before ? done(performance.now() - begin) : requestAnimationFrame(look);
look();
"""
LEFT, RIGHT = 37, 39


@contextlib.contextmanager
def served() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "ganzoo.cli", "web", "--no-show", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if server.poll() is not None:
                    sys.exit(f"the server ended: {' '.join(command)}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


@contextlib.contextmanager
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or sys.exit("apt install chromium chromium-driver")
    with tempfile.TemporaryDirectory() as folder:
        for flag in (*FLAGS.split(), f"--user-data-dir={folder}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        driver.implicitly_wait(120)
        try:
            yield driver
        finally:
            driver.quit()


def answers(driver, address: str, preset: str) -> list[float]:
    driver.get(f"{address}?preset={preset}")
    wait = 'img[src^="data:image/png"]'
    driver.find_element("css selector", f'[aria-label="pictures"] {wait}')
    for code in [LEFT] * 14 + [RIGHT, LEFT] * 2:  # down to two pictures, every number compiled
        driver.execute_async_script(ANSWER, code)
    found = []
    for turn in range(TURNS):
        time.sleep(PAUSE)
        found.append(driver.execute_async_script(ANSWER, LEFT if turn % 2 else RIGHT))
    return found


def picture(driver, address: str, path: Path) -> None:
    from PIL import Image
    from selenium.webdriver.common.action_chains import ActionChains

    driver.get(f"{address}?preset=dcgan-mnist")
    next(tab for tab in driver.find_elements("css selector", ".q-tab") if "hand" in tab.text.lower()).click()
    canvas = driver.find_element("css selector", ".canvas")
    time.sleep(3)
    ActionChains(driver).move_to_element_with_offset(canvas, -60, 110).click_and_hold().move_by_offset(
        0, -90
    ).release().perform()
    driver.find_element("css selector", ".candidate")
    time.sleep(2)
    shot = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    shot.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--presets", nargs="*", default=PRESETS)
    arguments = parser.parse_args()
    with served() as address, browser() as driver:
        for preset in arguments.presets:
            found = answers(driver, address, preset)
            print(f"{preset}: {statistics.median(found):.0f} ms, at most {max(found):.0f}", flush=True)
        if arguments.picture is not None:
            picture(driver, address, arguments.picture)


if __name__ == "__main__":
    main()
