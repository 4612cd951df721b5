"""Films become a data set of pictures: whole frames, or crops of the faces in them."""

from dfcore.films.dataset.frames_of import FrameSettings
from dfcore.films.dataset.make import Made, frames_of_films
from dfcore.films.dataset.record import LeftOutFilm

__all__ = ["FrameSettings", "LeftOutFilm", "Made", "frames_of_films"]
