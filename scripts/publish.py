"""Publishes a finished training as a preset: weights, card with numbers, sample sheet, and the table of the README.

python scripts/publish.py runs/dcgan-mnist dcgan-mnist --data-dir ../shared/data
python scripts/publish.py runs/pix2pix-facades pix2pix-facades source=runs/maps    drawn for these, not for the data's
python scripts/publish.py --measure dcgan-mnist --data-dir ../shared/data     the numbers of a published preset anew
python scripts/publish.py --readme                                            the table alone
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="the folder of a finished training, e.g. runs/dcgan-mnist")
    parser.add_argument("preset", nargs="?", help="the preset that was trained, e.g. dcgan-mnist")
    parser.add_argument("shown", nargs="*", metavar="NAME=VALUE", help="what the sheet is drawn for, e.g. source=maps/")
    parser.add_argument("--measure", metavar="PRESET", help="measure a preset that is published already")
    parser.add_argument("--readme", action="store_true", help="write the table of the README and nothing else")
    parser.add_argument("--data-dir", help="folder with the data set's original files, where it cannot be downloaded")
    arguments = parser.parse_intermixed_args()
    if not (arguments.preset or arguments.measure or arguments.readme):
        parser.error("name the folder of a training and its preset, or --measure PRESET, or --readme")

    from ganzoo.cli import support
    from ganzoo.zoo import publishing
    from ganzoo.zoo.download import WeightsError

    try:
        if not arguments.readme:
            if not arguments.measure:
                shown = support.split(arguments.shown)
                publishing.publish(arguments.folder, arguments.preset, arguments.data_dir, shown)
            preset = arguments.measure or arguments.preset
            card = publishing.measure(preset, arguments.folder, data_dir=arguments.data_dir)
            print(f"Published {card.preset}: {card.bytes / 1e6:.2f} MB, sha256 {card.sha256}")
        table = publishing.readme_table()
    except (ValueError, OSError, WeightsError) as error:
        sys.exit(f"publish: {error}")
    text = README.read_text(encoding="utf-8")
    block = re.compile(r"(<!-- presets -->\n).*?(\n<!-- end -->)", re.DOTALL)
    README.write_text(block.sub(lambda match: match[1] + table + match[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
