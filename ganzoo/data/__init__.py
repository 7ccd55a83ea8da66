"""Images to train on: data sets by name, archives, folders, toy distributions; and what the engine asks of them.

>>> images = ganzoo.data.load("mnist")                                    # uint8 (60000, 28, 28, 1)
>>> images = ganzoo.data.load("photos/", image_shape=(64, 64, 3))         # any sizes, resized and cropped
>>> pairs = ganzoo.data.load_parts("facades")                             # {"photo": ..., "label_map": ...}
>>> films = ganzoo.data.load_films("clips/", image_size=64)               # frames to learn to continue
>>> points = ganzoo.data.gaussian_ring(10_000, seed=0)                    # float32 (10000, 2)
"""

from __future__ import annotations

from ganzoo.data.ages import age_class_names, age_labels, load_ages
from ganzoo.data.archives import load_npz
from ganzoo.data.attributes import attributes_of, load_attributes
from ganzoo.data.bicubic import bicubic
from ganzoo.data.coloured import coloured
from ganzoo.data.crops import load_crops
from ganzoo.data.derived import edges, grey
from ganzoo.data.diagnosis import check
from ganzoo.data.films import film_examples, load_films
from ganzoo.data.folders import load_folder
from ganzoo.data.moving import MovingDigits, moving_digits
from ganzoo.data.occluders import occluded
from ganzoo.data.part_folders import load_class_folders, load_domains, load_pairs
from ganzoo.data.parts import load_parts
from ganzoo.data.preprocessing import check_images, resize, resize_and_crop, to_float, to_uint8
from ganzoo.data.rendered import warped
from ganzoo.data.sentences import held_out, sentences_of
from ganzoo.data.shrinking import shrunk
from ganzoo.data.sources import load
from ganzoo.data.toys import gaussian_1d, gaussian_grid, gaussian_ring, grid_centres, ring_centres

__all__ = [
    "MovingDigits",
    "age_class_names",
    "age_labels",
    "attributes_of",
    "bicubic",
    "check",
    "check_images",
    "coloured",
    "edges",
    "film_examples",
    "gaussian_1d",
    "gaussian_grid",
    "gaussian_ring",
    "grey",
    "grid_centres",
    "held_out",
    "load",
    "load_ages",
    "load_attributes",
    "load_class_folders",
    "load_crops",
    "load_domains",
    "load_films",
    "load_folder",
    "load_npz",
    "load_pairs",
    "load_parts",
    "moving_digits",
    "occluded",
    "resize",
    "resize_and_crop",
    "ring_centres",
    "sentences_of",
    "shrunk",
    "to_float",
    "to_uint8",
    "warped",
]
