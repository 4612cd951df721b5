"""A drawn face that the face finder takes for one: tests need no photographs of people."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Centre and height of the face as shares of the picture's side; where the eyes and the mouth are, in pixels of 400.
CENTRE, HEIGHT = (0.5, 0.5125), 0.6
EYES, MOUTH = ((165, 184), (235, 184)), (200, 275)
_SKIN, _HAIR = (214, 168, 140), (60, 42, 34)


def drawn_face(side: int = 400) -> np.ndarray:
    """RGB uint8 (side, side, 3)."""
    picture = Image.new("RGB", (400, 400), (110, 130, 120))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((110, 40, 290, 330), fill=_HAIR)
    draw.rectangle((165, 300, 235, 400), fill=(196, 150, 124))
    draw.ellipse((122, 80, 278, 330), fill=_SKIN)
    for x, y in EYES:
        draw.ellipse((x - 21, y - 12, x + 21, y + 12), fill=(238, 232, 228))
        draw.ellipse((x - 11, y - 12, x + 11, y + 12), fill=(60, 45, 40))
        draw.line((x - 24, y - 24, x - 8, y - 32, x + 10, y - 32, x + 25, y - 24), fill=_HAIR, width=7)
        draw.arc((x - 22, y - 14, x + 22, y + 14), 180, 360, fill=(70, 45, 40), width=4)
    draw.polygon((197, 185, 203, 185, 216, 238, 184, 238), fill=(196, 148, 122))
    for x in (191, 209):
        draw.ellipse((x - 5, 232, x + 5, 240), fill=(120, 76, 66))
    draw.ellipse((168, 262, 232, 288), fill=(176, 86, 84))
    draw.line((168, 274, 232, 274), fill=(110, 50, 50), width=3)
    for x in (150, 250):
        draw.ellipse((x - 15, 215, x + 15, 260), fill=(220, 158, 134))
    blurred = picture.filter(ImageFilter.GaussianBlur(3))
    return np.asarray(blurred.resize((side, side), Image.Resampling.BICUBIC))


def scene(places: list[tuple[int, int, int]], height: int = 600, width: int = 800) -> np.ndarray:
    """Faces on a plain ground: each (left, top, side) of its picture."""
    rgb = np.full((height, width, 3), (110, 130, 120), np.uint8)
    for left, top, side in places:
        rgb[top : top + side, left : left + side] = drawn_face(side)
    return rgb
