"""Publishes a finished training as a preset: weights, card with numbers, sample sheet, and the gallery.

python scripts/publish.py runs/dcgan-mnist dcgan-mnist --data-dir ../shared/data
python scripts/publish.py runs/pix2pix-facades pix2pix-facades source=runs/maps    drawn for these, not for the data's
python scripts/publish.py --measure dcgan-mnist --data-dir ../shared/data     the numbers of a published preset anew
python scripts/publish.py --gallery                                           zoo_configs/README.md alone
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

GALLERY = Path(__file__).resolve().parent.parent / "zoo_configs" / "README.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="the folder of a finished training, e.g. runs/dcgan-mnist")
    parser.add_argument("preset", nargs="?", help="the preset that was trained, e.g. dcgan-mnist")
    parser.add_argument("shown", nargs="*", metavar="NAME=VALUE", help="what the sheet is drawn for, e.g. source=maps/")
    parser.add_argument("--measure", metavar="PRESET", help="measure a preset that is published already")
    parser.add_argument("--gallery", action="store_true", help="write the page of all presets and nothing else")
    parser.add_argument("--data-dir", help="folder with the data set's original files, where it cannot be downloaded")
    arguments = parser.parse_intermixed_args()
    if not (arguments.preset or arguments.measure or arguments.gallery):
        parser.error("name the folder of a training and its preset, or --measure PRESET, or --gallery")

    from ganzoo.cli import support
    from ganzoo.zoo import gallery, publishing
    from ganzoo.zoo.download import WeightsError

    try:
        if not arguments.gallery:
            if not arguments.measure:
                shown = support.split(arguments.shown)
                publishing.publish(arguments.folder, arguments.preset, arguments.data_dir, shown)
            preset = arguments.measure or arguments.preset
            card = publishing.measure(preset, arguments.folder, data_dir=arguments.data_dir)
            print(f"Published {card.preset}: {card.bytes / 1e6:.2f} MB, sha256 {card.sha256}")
        page = gallery.gallery()
    except (ValueError, OSError, WeightsError) as error:
        sys.exit(f"publish: {error}")
    GALLERY.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
