"""Scores over the time of a film, and the moment of it that is looked at, which the address holds."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import widgets
from dfcore import figures
from dfcore.figures import Line, Moment, Panel
from dfcore.utils.texts import counted

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob
    from dfcore.films.rows import JudgedSample, Row

LOOK = "film_look"
_KEY, _AT, _PART = "film_timeline", "film_at", "film_part"
# Faces with a line of their own; points of a line; samples from which a part of the film can be chosen.
_FACES, _POINTS, _LONG = 10, 1500, 150
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def chosen(film: "FilmJob", samples: "Sequence[JudgedSample]", rows: "Sequence[Row]") -> int:
    """Number of the sample that is looked at: the address's, or that with the highest score."""
    of, written = st.session_state.get(_AT, ("", ""))
    asked = st.query_params.get("at", "")
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else -1
    if (of in ("", film.id) or asked != written) and 0 <= number < len(samples):
        result = number
    else:
        from dfcore.films.timeline import worst

        result = next((row.sample for row in worst(rows, 1)), 0)
    st.session_state[_AT] = film.id, str(result)
    st.query_params["at"] = str(result)
    return result


def look_at(sample: int, track: int | None = None) -> None:
    """Has the page look at another sample when it runs next, and there at a face, or at the whole frame."""
    of = st.session_state.get(_AT, ("", ""))[0]
    st.session_state[_AT] = of, str(sample)
    st.session_state[LOOK] = track or 0
    st.query_params["at"] = str(sample)


def show(film: "FilmJob", samples: "Sequence[JudgedSample]", rows: "Sequence[Row]", at: int) -> None:
    """Shows the timeline; a click on one of its points looks at that moment."""
    end = max(samples[-1].position.seconds, film.status().length)
    part = _choose_part(film, end) if len(samples) > _LONG else (0.0, end)
    drawn = panels(film.judges(), rows, part)
    if not drawn:
        st.info("Nothing in the film was judged, so there is no timeline.", icon=":material/show_chart:")
        return
    widgets.chart(
        figures.timeline(drawn, part, samples[at].position.seconds), _KEY, alt(drawn), on_select=_clicked,
        selection_mode="points", config={"displayModeBar": False},
    )  # fmt: skip
    st.caption(f"Click a point to look at that moment. Hollow points are not used. {_left_out(rows)}".strip())


def panels(judges: Mapping[str, Any], rows: "Sequence[Row]", part: tuple[float, float] | None = None) -> list[Panel]:
    """The whole frame's line, and those of the faces that were seen longest.

    Args:
        judges: Who judged, see `FilmJob.judges`.
        rows: What was said.
        part: Beginning and end of what is wanted, in seconds; None for all.
    """
    from dfcore.films.rows import series
    from dfcore.films.timeline import stretches

    by_track, found = series(rows), stretches(rows)
    result = []
    for title, key, tracks in (("Whole frame", "chosen", [None]), ("Faces", "face", _longest(by_track))):
        name = judges.get(key)
        lines = [_line(track, by_track[track], part) for track in tracks if track in by_track]
        lines = [line for line in lines if any(line.moments)]
        if not lines or not name:
            continue
        at = (judges.get("judges", {}).get(name) or {}).get("thresholds") or {}
        whole = key == "chosen"
        spans = [(one.start, one.end) for one in found if (one.track is None) == whole]
        panel = Panel(f"{title}, judged by {name}", lines, at.get("real_below"), at.get("fake_from"), spans)
        result.append(panel)
    return result


def show_strongest(rows: "Sequence[Row]") -> None:
    """Shows buttons that lead to the moments with the highest scores."""
    from dfcore.films.timeline import worst

    moments = worst(rows, apart=min(1.0, rows[-1].seconds / 10))
    if not moments:
        st.caption("No score is used, so there are no strongest moments.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            "**Strongest moments**", width="content",
            help="The highest scores that are used, at least a second apart in films of ten seconds and more. The "
            "highest of many scores is high by chance too.",
        )  # fmt: skip
        for row in moments:
            what = "" if row.track is None else f", face {row.track}"
            st.button(
                f"{figures.clock(row.seconds)}{what}: {row.score:.2f}",
                key=f"film_strong_{row.sample}_{row.track or 0}", on_click=look_at, args=(row.sample, row.track),
                type="tertiary",
            )  # fmt: skip


def _clicked() -> None:
    points = st.session_state.get(_KEY, {}).get("selection", {}).get("points", [])
    if points and len(points[0].get("customdata") or ()) == 4:
        sample, _, _, track = points[0]["customdata"]
        look_at(int(sample), int(track) or None)


def _choose_part(film: "FilmJob", end: float) -> tuple[float, float]:
    last = _BEGINNING + timedelta(seconds=end)
    low, high = st.slider(
        "Part of the film", _BEGINNING, last, (_BEGINNING, last), timedelta(seconds=1), key=f"{_PART}_{film.id}",
        format="mm:ss" if end < 3600 else "HH:mm:ss", help="The timeline shows this part, with each of its samples.",
    )  # fmt: skip
    start, stop = (low - _BEGINNING).total_seconds(), (high - _BEGINNING).total_seconds()
    return (start, stop) if stop > start else (0.0, end)


def _longest(by_track: "dict[int | None, list[Row]]") -> list[int | None]:
    faces = sorted(_judged(by_track), key=lambda track: -len(by_track[track]))
    return sorted(faces[:_FACES], key=lambda track: track or 0)


def _judged(by_track: "dict[int | None, list[Row]]") -> list[int | None]:
    """The faces that were judged at some time."""
    return [track for track, rows in by_track.items() if track is not None and any(row.detector for row in rows)]


def _line(track: int | None, rows: "Sequence[Row]", part: tuple[float, float] | None) -> Line:
    moments: list[Moment | None] = []
    before = None
    for row in rows:
        if part and not part[0] <= row.seconds <= part[1]:
            continue
        if before is not None and row.sample != before + 1:
            moments.append(None)  # The face was not there.
        before = row.sample
        known = row.score is not None
        moments.append(Moment(row.sample, row.seconds, row.score or 0.0, row.is_used, row.says) if known else None)
    name = "whole frame" if track is None else f"face {track}"
    return Line(name, _fewer(moments), track or 0)


def _fewer(moments: "list[Moment | None]") -> "list[Moment | None]":
    """At most so many points: of each group of neighbours the highest that is used, or else the highest."""
    group = -(-len(moments) // _POINTS)
    if group < 2:
        return moments
    groups = (moments[start : start + group] for start in range(0, len(moments), group))
    return [max((one for one in some if one), key=lambda one: (one.used, one.score), default=None) for some in groups]


def _left_out(rows: "Sequence[Row]") -> str:
    from dfcore.films.rows import series

    by_track = series(rows)
    faces, most = len(_judged(by_track)), max(map(len, by_track.values()))
    text = ""
    if faces > _FACES:
        text = f"Drawn are the {_FACES} faces that were seen longest, of {faces}; the CSV holds all."
    if most > _POINTS:
        text += f" Of each {-(-most // _POINTS)} neighbouring samples the highest is drawn; a shorter part shows all."
    return text


def alt(drawn: "Sequence[Panel]") -> str:
    """A chart in words."""
    lines: list[Any] = [line.name for panel in drawn for line in panel.lines]
    count = counted(sum(len(panel.stretches) for panel in drawn), "stretch", "stretches")
    return f"Scores over time of {', '.join(lines)}; {count} called likely fake"
