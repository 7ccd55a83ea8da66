"""Editing by hand: a picture's latents, strokes that the latents follow, and the way back to the picture."""

from ganzoo.editing.constraints import moved, sketch, stroke
from ganzoo.editing.edits import Edit, edit, morph
from ganzoo.editing.encoding import fit_encoder, invert
from ganzoo.editing.transfer import Transfer, transfer

__all__ = ["Edit", "Transfer", "edit", "fit_encoder", "invert", "morph", "moved", "sketch", "stroke", "transfer"]
