"""The page on which one draws, and the picture follows: `ganzoo web`.

On NiceGUI (the extra `[web]`): its scripts, styles and fonts lie beside it, so that the page asks no other host for
anything, and its pictures tell where a pointer is in pixels of theirs, of which brush and pad are made.
"""

from ganzoo.web.serving import serve

__all__ = ["serve"]
