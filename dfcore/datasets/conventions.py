"""Conventions of names that tell what an image was taken from: of well-known data sets, and of common tools.

Each takes the paths of a data set, without folders of splits, and names the source of each image where it can.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dfcore.datasets.known_sets import actors, celeb_df, face_forensics
from dfcore.datasets.source_names import Name, Sources
from dfcore.datasets.variant_names import letters, variants
from dfcore.datasets.video_names import named_frames, series, video_folders


@dataclass(frozen=True)
class Convention:
    """A way of naming.

    Attributes:
        title: In words, as in "told by …".
        find: Maps paths to sources.
        whole_set: Whether a name means the same source wherever it occurs in a data set.
        of_films: Whether it also holds for names of films; numbers of films count films.
    """

    title: str
    find: Callable[[Sequence[Name]], Sources]
    whole_set: bool = False
    of_films: bool = False


CONVENTIONS = (
    Convention("the numbers of videos as in FaceForensics++", face_forensics, whole_set=True, of_films=True),
    Convention("the names of actors and scenes as in DeepFakeDetection", actors, whole_set=True, of_films=True),
    Convention("the names of videos as in Celeb-DF", celeb_df, whole_set=True, of_films=True),
    Convention("folders of frames", video_folders),
    Convention("names of frames", named_frames),
    Convention("names of crops and variants", variants, of_films=True),
    Convention("names with letters", letters),
    Convention("numbered series", series),
)
