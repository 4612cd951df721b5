"""Widgets shared by several pages: badges, empty states, errors, galleries, metrics."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from dashboard import detectors, uploads
from dashboard.markup import message as copyable
from dashboard.markup import plain
from dashboard.navigation import go, path
from dashboard.page_words import page_words, setting_words
from dfcore.confidence import FINDINGS
from dfcore.errors import BusyError, ConfigError, DfcoreError
from dfcore.labels import NAMES

if TYPE_CHECKING:
    from dfcore.evaluation import Metric

# What stands in a table where there is nothing.
MISSING = "\N{EN DASH}"
_CHART = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "toImageButtonOptions": {"format": "png", "scale": 2},
}
# Width in pixels: fits the longest title, and four tiles in a frame on a 1440-pixel page.
_TILE = 230
_NEXT = "widgets_next"

# What is said of an image, by `Verdict.finding`.
VERDICTS: dict[str | None, str] = {finding: text.capitalize() for finding, text in FINDINGS.items()} | {
    None: "No verdict"
}
VERDICT_STYLES = {
    "fake": ("warning", "orange"), "real": ("verified", "blue"), "inconclusive": ("help", "gray"),
    "no_sign": ("search_off", "gray"),
    None: ("broken_image", "gray"),
}  # fmt: skip
# Where no icon can stand: in strips and grids of our own.
VERDICT_SIGNS = {"fake": "▲", "real": "●", "no_sign": "○", "inconclusive": "?", None: "×"}
STATE_ICONS = {
    "queued": "hourglass_empty", "running": "play_circle", "stopping": "stop_circle", "completed": "check_circle",
    "stopped": "pause_circle", "failed": "error", "interrupted": "bolt", "damaged": "broken_image",
}  # fmt: skip
STATE_COLOURS: dict[str, Any] = {
    "completed": "green",
    "running": "violet",
    "failed": "red",
    "interrupted": "red",
    "damaged": "red",
}


@contextmanager
def errors(*, stop: bool = False) -> Iterator[None]:
    """Shows a `DfcoreError` as a message instead of breaking the page; `stop` ends the page after it."""
    try:
        yield
    except ConfigError as error:
        st.error("\n".join(f"- {told(setting_words(problem))}" for problem in error.problems), icon=":material/error:")
    except BusyError as error:
        st.warning(told(error), icon=":material/hourglass_top:")
        st.button("Try again", icon=":material/refresh:")
    except DfcoreError as error:
        st.error(told(error), icon=":material/error:")
        if stop:
            st.stop()


def told(message: object) -> str:
    """A message of the library as escaped Markdown, line by line, in the words of the pages."""
    return "  \n".join(copyable(line.strip()) for line in page_words(message).splitlines())


def empty(text: str, link: str, label: str, icon: str) -> None:
    """Empty state: a message and a link to the page with the next step."""
    with st.container(border=True):
        st.markdown(text)
        st.page_link(path(link), label=label, icon=f":material/{icon}:")


def link(page: str, label: str, help: str, icon: str, **parameters: str) -> None:
    """Link to what a card on a page is about.

    Args:
        page: Name of the page that shows it.
        label: Text of the link.
        help: Help text.
        icon: Name of a Material icon.
        parameters: Query parameters that name it.
    """
    st.page_link(path(page), label=label, icon=f":material/{icon}:", help=help, query_params=parameters)


def state_badge(state: str) -> None:
    """Shows a run's state as a badge with an icon."""
    st.badge(state, icon=f":material/{STATE_ICONS[state]}:", color=STATE_COLOURS.get(state, "gray"))


def verdict_words(finding: str | None) -> str:
    """What is said of an image, by `Verdict.finding`, as Markdown with icon and colour."""
    icon, colour = VERDICT_STYLES[finding]
    return f":{colour}[:material/{icon}: {VERDICTS[finding]}]"


def verdict_mark(finding: str | None) -> dict[str, str]:
    """The same for a component of our own: its `mark`, and its `colour` as CSS."""
    return {
        "mark": f"{VERDICT_SIGNS[finding]} {VERDICTS[finding]}",
        "colour": f"var(--st-{VERDICT_STYLES[finding][1]}-text-color, var(--st-text-color))",
    }


def class_words(label: object) -> str:
    """Class of an image as Markdown, with icon and colour; for anything but 0 and 1, that it has none."""
    name = dict(zip(("0", "1"), NAMES, strict=True)).get(str(label))
    if name is None:
        return ":gray[no class]"
    icon, colour = VERDICT_STYLES[name]
    return f":{colour}[:material/{icon}: {name}]"


def choose_detector(key: str = "detector") -> detectors.Entry | None:
    """Select box for a detector, stored in the URL. Without detectors, shows the empty state and returns None."""
    chosen = choose_detectors(key, automatic=False)
    return chosen[0] if chosen else None


def choose_detectors(key: str = "detector", *, automatic: bool = True) -> list[detectors.Entry]:
    """Like `choose_detector`, but returns a list: the chosen detector, or the whole library for "Automatic"."""
    # One that knows a simulation alone is never the first choice.
    offers = sorted(detectors.detectors(), key=lambda entry: not entry.card.answers_unasked)
    entries = {entry.key: entry for entry in offers}
    if not entries:
        empty("There is no detector yet: train one first.", "train", "Train a detector", "model_training")
        return []
    library = [entry for entry in entries.values() if entry.run is None and entry.card.answers_unasked]
    offered = {"auto": "Automatic: the detector that fits the image"} if automatic and len(library) > 1 else {}
    chosen = addressed(
        "Detector",
        offered | {name: entry.title for name, entry in entries.items()},
        key,
        help="The detector that scores the images. Its card states what it was trained on and how reliable it is.",
    )
    return library if chosen == "auto" else [entries[chosen]]


def addressed(
    label: str, options: dict[str, str], name: str, *, help: str, place: Any = st, what: str = "", buttons: bool = False
) -> str:
    """Select box whose value is always in the URL under `name`, so that the view can be shared.

    Streamlit's own binding omits the first option from the URL; here the first option is the latest run, which changes
    over time.

    Args:
        label: Label of the box.
        options: {value in the URL: text shown}.
        name: Name of the query parameter.
        help: Help text.
        place: Container to draw into.
        what: What one option is, where the label does not say it.
        buttons: Draws all options side by side instead, for a few short ones.
    """
    # A URL value not written by this box overrides it; afterwards the box decides.
    asked = st.query_params.get(name)
    asked = None if asked == st.session_state.get(f"{name}_written") else asked
    wanted = [value for value in (asked, st.session_state.get(name)) if value is not None]
    if asked in options:
        st.session_state[name] = asked
    if st.session_state.get(name) not in options:
        st.session_state.pop(name, None)
    texts: dict[str, Any] = {"format_func": options.__getitem__, "help": help}
    if buttons:
        st.session_state.setdefault(name, next(iter(options)))
        picked = place.segmented_control(
            label, list(options), required=True, key=name, persist_state="session", **texts
        )
    else:
        picked = place.selectbox(label, list(options), key=name, persist_state="session", **texts)
    if wanted and wanted[0] not in options:
        st.session_state[f"{name}_gone"] = wanted[0], picked
    if (gone := still_gone(name, picked)) is not None:
        missing(what or label, gone, f"Shown is {options[picked]}.", place)
    st.query_params[name] = st.session_state[f"{name}_written"] = picked
    return picked


def addressed_several(
    label: str,
    options: dict[str, str],
    name: str,
    *,
    what: str,
    known: Container[str],
    most: int,
    help: str,
    place: Any = st,
) -> list[str]:
    """Like `addressed`, for any number of values.

    Args:
        label: Label of the box.
        options: {value in the URL: text shown}.
        name: Name of the query parameter, repeated for each value.
        what: What one option is, in a word.
        known: Values that exist, among the options or not; what is asked for beside them is told as missing.
        most: The largest number of values.
        help: Help text.
        place: Container to draw into.
    """
    asked, written = st.query_params.get_all(name), f"{name}_written"
    if asked and asked != st.session_state.get(written):
        st.session_state[name] = asked
    before = st.session_state.get(name, [])
    st.session_state[name] = [value for value in before if value in options][:most]
    picked = place.multiselect(label, list(options), format_func=options.__getitem__, key=name,
                               persist_state="session", max_selections=most, help=help)  # fmt: skip
    gone = [value for value in before if value not in known]
    if (lost := still_gone(name, picked, ", ".join(gone) or None)) is not None:
        missing(what, lost, place=place)
    st.query_params[name] = st.session_state[written] = picked
    return picked


def unfit(name: str, fits: Callable[[str], bool]) -> str | None:
    """What the address asks of a widget bound to it that cannot be; call it before Streamlit drops that in silence."""
    asked = st.query_params.get(name)
    return None if asked is None or fits(asked) else asked


def still_gone(name: str, picked: Any, asked: str | None = None) -> str | None:
    """What an address asked for in vain, told until the user picks something else; None if there is no such thing.

    Args:
        name: Name of the query parameter.
        picked: What is shown now.
        asked: What was asked for in this run, if it cannot be shown.
    """
    if asked is not None:
        st.session_state[f"{name}_gone"] = asked, picked
    gone, instead = st.session_state.get(f"{name}_gone", (None, None))
    return gone if instead == picked else None


def forget_address(name: str, value: str | None) -> None:
    """Has `addressed` choose anew, without a warning, after the user has deleted what was chosen."""
    if st.session_state.get(name) == value:
        del st.session_state[name]
    if st.query_params.get(name) == value:
        del st.query_params[name]


def missing(label: str, name: str, instead: str = "", place: Any = st) -> None:
    """Tells that what a link or an earlier choice names is no longer there."""
    text = f"{label} {name} is not there: it was deleted or renamed, or the link is wrong."
    place.warning(plain(f"{text} {instead}".strip()), icon=":material/link_off:")


def show_metrics(metrics: Mapping[str, Any], shown: "Iterable[Metric]") -> None:
    """Shows metrics as tiles with help; for a metric that is not computed, the help says why."""
    why = metrics.get("not_computed", {})
    with tiles():
        for metric in shown:
            text = f"{metric.help} {why.get(metric.key) or ''}".strip()
            tile(metric.title, metric.shown(metrics.get(metric.key)), text)


def titles(shown: "Iterable[Metric]") -> dict[str, str]:
    """Titles of metrics, {key: title}."""
    return {metric.key: metric.title for metric in shown}


def tiles() -> Any:
    """Container for tiles: four per row on a wide page, two on a narrow one."""
    return st.container(horizontal=True)


def tile(title: str, shown: str, help: str | None = None, *, width: int | Literal["stretch"] = _TILE) -> None:
    """Shows one value with its title, by default wide enough for the longest."""
    st.metric(title, shown, help=help, border=True, width=width)


def set_next(values: Mapping[str, Any]) -> None:
    """Has widgets take these values, by their keys, when the page runs next: what is drawn cannot be set."""
    st.session_state[_NEXT] = dict(values)


def close(popover: str) -> None:
    """Closes a popover that has this key when the page runs next: what it asked for is done."""
    set_next({popover: False})


def set_now() -> None:
    """Sets what `set_next` asked for; comes before any widget."""
    for key, value in st.session_state.pop(_NEXT, {}).items():
        st.session_state[key] = value


def folded(label: str, key: str, **options: Any) -> Any | None:
    """Expander whose contents are computed only while it is open.

    Args:
        label: Label of the expander.
        key: Key of its state.
        options: Further arguments of `st.expander`.

    Returns:
        Container to draw into; None while closed.
    """
    place = st.expander(label, key=key, on_change="rerun", **options)
    return place if place.open else None


def chart(figure: Any, key: str, alt: str, **options: Any) -> Any:
    """A Plotly figure with a text alternative; its toolbar appears while the pointer is on it.

    Args:
        figure: The figure.
        key: Key of the element, so that it is kept while it updates.
        alt: What the figure shows, in words, for those who do not see it.
        options: Further arguments of `st.plotly_chart`.
    """
    config = _CHART | options.pop("config", {})
    return st.plotly_chart(figure, key=key, alt=alt, config=config, **options)


def table(data: Any, alt: str, *, place: Any = st, **options: Any) -> Any:
    """A table with a text alternative, in which what is missing is an en dash, without a column of numbers.

    Args:
        data: Rows, as for `st.dataframe`.
        alt: What the table lists, in words.
        place: Container to draw into.
        options: Further arguments of `st.dataframe`.
    """
    return place.dataframe(data, alt=alt, **{"hide_index": True, "placeholder": MISSING} | options)


def gallery(items: Sequence[tuple[str, str, bytes | None]], key: str, columns: int = 6) -> str | None:
    """Paged thumbnails with captions; returns the path whose button was pressed, or None.

    Args:
        items: (path, caption, PNG bytes or None if unreadable).
        key: Prefix of the widget keys.
        columns: Thumbnails per row; a page has three rows.
    """
    page_size = 3 * columns
    pages = max(1, -(-len(items) // page_size))
    number = 1
    if pages > 1:
        number = st.number_input(
            f"Page (of {pages})", 1, pages, key=f"{key}_page", width=160, help=f"{page_size} images on each page."
        )
    chosen = None
    shown = items[(number - 1) * page_size : number * page_size]
    for start in range(0, len(shown), columns):
        for place, (item, caption, picture) in zip(st.columns(columns), shown[start : start + columns], strict=False):
            name = Path(item).name
            with place, st.container(gap=None):
                if picture is None:
                    st.caption("not readable")
                else:
                    st.image(picture, width="stretch", alt=f"{name}, {caption}")
                st.caption(caption)
                if picture is not None and st.button(
                    "Inspect", key=f"{key}_{item}", icon=":material/frame_inspect:", help=plain(name), type="tertiary"
                ):
                    chosen = item
    return chosen


def inspect(name: str, data: bytes, detector: str = "") -> None:
    """Opens an image in Inspect, with the detector of this key if one is given; says why where there is no room."""
    with errors():
        uploads.add(uploads.Picture(name, data))
        go("inspect", **({"detector": detector} if detector else {}))


def inspect_file(file: Path, film: object = None, detector: str = "") -> None:
    """Opens a file of a data set in Inspect, see `inspect`; if it is a frame of a film, its name says of which."""
    of = f"{PurePosixPath(film).name}, " if isinstance(film, str) and film else ""
    inspect(f"{of}{file.name}", file.read_bytes(), detector)


def progress(text: str) -> Callable[[int, int], None]:
    """Progress bar that counts images; shows `text` until the first one is done."""
    bar = st.progress(0.0, text)

    def show(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), f"{done:,} of {total:,} images")

    return show
