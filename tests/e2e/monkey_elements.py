"""What can be done on a page: every control that is shown, named by its kind and label."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# {kind: where its elements are}. An element belongs to the first kind that it fits.
_KINDS = {
    "download": "[data-testid=stDownloadButton] button",
    "button": "[data-testid=stButton] button, [data-testid=stFormSubmitButton] button",
    "choice": "[data-testid=stButtonGroup] button, [data-testid=stRadio] label",
    "popover": "[data-testid=stPopover] button",
    "expander": "[data-testid=stExpander] summary",
    "tab": "[role=tab]",
    "select": "[data-testid=stSelectbox] input, [data-testid=stMultiSelect] input",
    "slider": "[data-testid=stSlider] input[type=range], [data-testid=stSlider] [role=slider]",
    "number": "[data-testid=stNumberInput] input",
    "text": "[data-testid=stTextInput] input, [data-testid=stTextArea] textarea",
    "toggle": "[data-testid=stCheckbox] label",
    "upload": "[data-testid=stFileUploader] input[type=file], .upload input.many",
    "link": "[data-testid=stPageLink] a, [data-testid=stSidebarNav] a",
    "chart": "[data-testid=stPlotlyChart]",
    "grid": "[data-testid=stDataFrame]",
    "other": "button, [role=button], input, [tabindex='0']",
}
# Streamlit's own: its menu, tools of tables and pictures, help, the sidebar's handle, what opens a chooser of files.
_NOT_OURS = (
    "[data-testid=stToolbar], [data-testid=stElementToolbar], [data-testid=stTooltipIcon], [data-testid=stHeader], "
    "[data-testid=stSidebarHeader], [data-testid=stSidebarCollapsedControl], [data-testid=stToast], "
    "[data-testid=stSelectbox] button, [data-testid=stMultiSelect] button, "
    "[data-testid=stFileUploaderDropzone] button, .upload input.tree, .upload button.files, .upload button.folder"
)
_COLLECT = """([kinds, notOurs]) => {
    const deep = (root, selector) => [...root.querySelectorAll(selector),
        ...[...root.querySelectorAll("*")].filter(e => e.shadowRoot).flatMap(e => deep(e.shadowRoot, selector))];
    const shown = e => {
        const place = e.type === "file" ? e.closest("[data-testid=stFileUploader], .upload") : e;
        const box = place.getBoundingClientRect();
        return box.width > 0 && box.height > 0 && !e.closest("[inert], [aria-hidden=true]");
    };
    const dead = e => e.disabled || e.getAttribute("aria-disabled") === "true";
    const text = e => e ? (e.innerText || e.textContent || "") : "";
    const label = e => {
        const widget = e.closest("[data-testid^=st]:has([data-testid=stWidgetLabel])");
        const around = text(widget && widget.querySelector("[data-testid=stWidgetLabel]"));
        const own = text(e) || e.getAttribute("aria-label") || e.getAttribute("title") || e.placeholder || "";
        if (e.matches("input, textarea")) return around || e.getAttribute("aria-label") || e.placeholder || "";
        return e.closest("[data-testid=stButtonGroup], [data-testid=stRadio]") ? `${around}: ${own}` : own;
    };
    const dialogs = [...document.querySelectorAll("[role=dialog]")].filter(shown);
    const scope = dialogs.length ? dialogs[dialogs.length - 1] : document.body;
    document.querySelectorAll("[data-monkey]").forEach(e => e.removeAttribute("data-monkey"));
    const taken = new Set(), result = [];
    for (const [kind, selector] of Object.entries(kinds)) {
        for (const e of deep(scope, selector)) {
            if (taken.has(e) || !shown(e) || dead(e) || e.closest(notOurs)) continue;
            if (kind === "other" && [...taken].some(t => t.contains(e) || e.contains(t))) continue;
            if (e.tagName === "A" && new URL(e.href).origin !== location.origin) continue;
            taken.add(e);
            e.setAttribute("data-monkey", String(result.length));
            result.push({kind, label: ["chart", "grid"].includes(kind) ? "" : label(e)});
        }
    }
    return result;
}"""
_RUN = re.compile(r"\d{8}-\d{6}-\d{3}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")
_ARROW = re.compile("keyboard_arrow_(right|down)|expand_(more|less)")  # Icons that say whether a thing is open.
_UNSEEN = re.compile("[\N{WORD JOINER}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}]")


@dataclass(frozen=True)
class Element:
    """A control on a page.

    Attributes:
        kind: What can be done with it, a key of `_KINDS`.
        label: Its label as shown, without what differs from walk to walk.
        nth: How many of this kind and label come before it.
    """

    kind: str
    label: str
    nth: int = 0


@dataclass(frozen=True)
class Step:
    """One step of a walk: all that is needed to take it again.

    Attributes:
        tab: Number of the browser's tab.
        do: A kind of element, or "open", "gone", "bend", "back", "forward", "reload", "escape", "close".
        label: The element's label.
        nth: Its number among those of its kind and label.
        value: What is chosen, typed, uploaded or opened.
    """

    tab: int
    do: str
    label: str = ""
    nth: int = 0
    value: str = ""

    def __str__(self) -> str:
        """The step in words."""
        which = f" {self.label!r}" + (f" (number {self.nth + 1})" if self.nth else "") if self.label else ""
        return f"tab {self.tab}: {self.do}{which}" + (f" <- {self.value[:120]!r}" if self.value else "")

    def to_dict(self) -> dict[str, Any]:
        """The step as it is stored."""
        return asdict(self)


def same(text: str, workspace: Path) -> str:
    """A label without spaces that are not seen, places and times: these differ when a walk is taken again."""
    text = _ARROW.sub("", _UNSEEN.sub("", text)).replace(str(workspace), "~")
    return " ".join(_TIME.sub("TIME", _RUN.sub("RUN", text)).split())[:160]


def elements(page: Any, workspace: Path) -> list[Element]:
    """All controls that can be used now, in the order of the page; `find` leads to them until the page changes."""
    found, seen = [], {}
    for item in page.evaluate(_COLLECT, [_KINDS, _NOT_OURS]):
        key = item["kind"], same(item["label"], workspace)
        found.append(Element(*key, nth=seen.setdefault(key, 0)))
        seen[key] += 1
    return found


def find(page: Any, wanted: Element, workspace: Path, seconds: float = 5) -> Any | None:
    """The locator of an element; None if it does not appear within some seconds."""
    for _ in range(max(int(seconds * 4), 1)):
        there = elements(page, workspace)
        if wanted in there:
            return page.locator(f'[data-monkey="{there.index(wanted)}"]')
        page.wait_for_timeout(250)
    return None
