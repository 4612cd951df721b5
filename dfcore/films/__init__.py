"""Films: read frame by frame in a process of their own, judged over time, whole and face by face."""

from dfcore.films.facts import FilmFacts
from dfcore.films.reader import Ending, Film, open_film
from dfcore.films.sampling import Position, Sample, Sampling

__all__ = ["Ending", "Film", "FilmFacts", "Position", "Sample", "Sampling", "open_film"]
