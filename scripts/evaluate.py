"""Measures a preset, a model or images in a file under a protocol: the same as `ganzoo evaluate`."""

import sys

from ganzoo.cli import app

if __name__ == "__main__":
    app(["evaluate", *sys.argv[1:]], prog_name="evaluate.py")
