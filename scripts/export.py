"""`ganzoo export` from a checkout: python scripts/export.py dcgan-mnist -o dcgan"""

from __future__ import annotations

import sys

from ganzoo.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "export")
    main()
