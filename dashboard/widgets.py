"""Widgets shared by several pages: badges, empty states, errors, galleries, metrics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from dashboard import detectors, uploads
from dashboard.markup import plain
from dashboard.navigation import path
from dashboard.page_words import page_words
from dfcore.confidence import FINDINGS
from dfcore.errors import BusyError, ConfigError, DfcoreError
from dfcore.labels import NAMES

if TYPE_CHECKING:
    from dfcore.evaluation import Metric

# Width in pixels: fits the longest title, and four tiles in a frame on a 1440-pixel page.
_TILE = 230

# What is said of an image, by `Verdict.finding`.
VERDICTS: dict[str | None, str] = {finding: text.capitalize() for finding, text in FINDINGS.items()} | {
    None: "No verdict"
}
VERDICT_STYLES = {
    "fake": ("warning", "orange"), "real": ("verified", "blue"), "inconclusive": ("help", "gray"),
    "no_sign": ("search_off", "gray"),
    None: ("broken_image", "gray"),
}  # fmt: skip
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
        st.error("\n".join(f"- {told(problem)}" for problem in error.problems), icon=":material/error:")
    except BusyError as error:
        st.warning(told(error), icon=":material/hourglass_top:")
        st.button("Try again", icon=":material/refresh:")
    except DfcoreError as error:
        st.error(told(error), icon=":material/error:")
        if stop:
            st.stop()


def told(message: object) -> str:
    """A message of the library as escaped Markdown, line by line, in the words of the pages."""
    return "  \n".join(plain(line.strip()) for line in page_words(message).splitlines())


def empty(text: str, link: str, label: str, icon: str) -> None:
    """Empty state: a message and a link to the page with the next step."""
    with st.container(border=True):
        st.markdown(text)
        st.page_link(path(link), label=label, icon=f":material/{icon}:")


def state_badge(state: str) -> None:
    """Shows a run's state as a badge with an icon."""
    st.badge(state, icon=f":material/{STATE_ICONS[state]}:", color=STATE_COLOURS.get(state, "gray"))


def verdict_words(finding: str | None) -> str:
    """What is said of an image, by `Verdict.finding`, as Markdown with icon and colour."""
    icon, colour = VERDICT_STYLES[finding]
    return f":{colour}[:material/{icon}: {VERDICTS[finding]}]"


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


def addressed(label: str, options: dict[str, str], name: str, *, help: str, place: Any = st) -> str:
    """Select box whose value is always in the URL under `name`, so that the view can be shared.

    Streamlit's own binding omits the first option from the URL; here the first option is the latest run, which changes
    over time.

    Args:
        label: Label of the box.
        options: {value in the URL: text shown}.
        name: Name of the query parameter.
        help: Help text.
        place: Container to draw into.
    """
    # A URL value not written by this box overrides it; afterwards the box decides.
    asked = st.query_params.get(name)
    asked = None if asked == st.session_state.get(f"{name}_written") else asked
    wanted = [value for value in (asked, st.session_state.get(name)) if value is not None]
    if asked in options:
        st.session_state[name] = asked
    if st.session_state.get(name) not in options:
        st.session_state.pop(name, None)
    picked = place.selectbox(
        label, list(options), format_func=options.__getitem__, key=name, persist_state="session", help=help
    )
    if wanted and wanted[0] not in options:
        st.session_state[f"{name}_gone"] = wanted[0], picked
    gone, instead = st.session_state.get(f"{name}_gone", (None, None))
    if gone is not None and instead == picked:  # Said until something else is picked.
        missing(label, gone, f"Shown is {options[picked]}.", place)
    st.query_params[name] = st.session_state[f"{name}_written"] = picked
    return picked


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
        number = st.number_input(f"Page (of {pages})", 1, pages, key=f"{key}_page", width=160)
    chosen = None
    shown = items[(number - 1) * page_size : number * page_size]
    for start in range(0, len(shown), columns):
        for place, (item, caption, picture) in zip(st.columns(columns), shown[start : start + columns], strict=False):
            with place, st.container(gap=None):
                if picture is None:
                    st.caption("not readable")
                else:
                    st.image(picture, width="stretch")
                st.caption(caption)
                name = Path(item).name
                if picture is not None and st.button(
                    "Inspect", key=f"{key}_{item}", icon=":material/frame_inspect:", help=plain(name), type="tertiary"
                ):
                    chosen = item
    return chosen


def inspect(name: str, data: bytes) -> None:
    """Opens an image in Inspect."""
    uploads.open_alone(uploads.Picture(name, data))
    st.switch_page(path("inspect"))


def progress(text: str) -> Callable[[int, int], None]:
    """Progress bar that counts images; shows `text` until the first one is done."""
    bar = st.progress(0.0, text)

    def show(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), f"{done:,} of {total:,} images")

    return show
