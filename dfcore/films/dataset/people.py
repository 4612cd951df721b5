"""Which of the faces in a film become pictures.

Nothing says which person of a film was changed. So of a fake that shows several at once only the largest is taken; of
a real film everyone who is seen in most samples.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from dfcore.labels import FAKE


@dataclass(frozen=True)
class Seen:
    """A face in a sample.

    Attributes:
        sample: Number of the sample.
        track: Number of its track, see `dfcore.films.tracks`.
        side: Side of its crop in pixels.
    """

    sample: int
    track: int
    side: float


def chosen_tracks(faces: Sequence[Seen], samples: int, label: int) -> tuple[frozenset[int], str]:
    """The tracks whose faces are taken.

    Args:
        faces: All faces that were found.
        samples: Number of samples that were looked at.
        label: Of the film, 0 real, 1 fake.

    Returns:
        Their numbers, and a sentence if a person had to be chosen, else "".
    """
    at_once = Counter(face.sample for face in faces)
    tracks: dict[int, list[float]] = defaultdict(list)
    for face in faces:
        tracks[face.track].append(face.side)
    if max(at_once.values(), default=0) <= 1:
        # One person at a time; where it moved far between two samples its track is in pieces.
        return frozenset(tracks), ""
    often = [track for track, sides in tracks.items() if len(sides) > samples / 2]
    if not often:
        longest = max(tracks, key=lambda track: (len(tracks[track]), median(tracks[track]), -track))
        return frozenset(
            {longest}
        ), "No face could be followed through most of its samples; the longest track was taken."
    if label == FAKE and len(often) > 1:
        largest = max(often, key=lambda track: (median(tracks[track]), -track))
        return frozenset({largest}), "It shows several people and nothing says who was changed; the largest was taken."
    return frozenset(often), ""
