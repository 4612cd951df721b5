"""Looks for what keeps people from using a page, with axe-core: contrast, names, roles, keyboard."""

from dataclasses import dataclass
from functools import cache
from typing import Any

_SERIOUS = ("serious", "critical")
# What only a person can judge, or what concerns whole sites, is not asked.
_OPTIONS = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


@dataclass(frozen=True)
class Exemption:
    """What Streamlit renders itself and gives no way to change.

    Attributes:
        rule: The rule of axe-core that it breaks.
        inside: Selector of elements; those below them are exempt as well.
        why: Why it cannot be mended here.
    """

    rule: str
    inside: str
    why: str


_NAVIGATION = "[data-testid=stSidebarNav] [data-testid=stSidebarNavItems]"
_WHY_NAVIGATION = "st.navigation puts the groups of its list into <div>; the links are named and work by keyboard."
EXEMPT = (
    Exemption("list", _NAVIGATION, _WHY_NAVIGATION),
    Exemption("listitem", _NAVIGATION, _WHY_NAVIGATION),
)
_WHICH = """([found, exempt]) => found.map(({rule, target}) => {
    const place = Array.isArray(target) ? target.flat().reduce(
        (root, part) => root && ((root.shadowRoot || root).querySelector(part)), document) : null;
    return exempt.findIndex(one => one.rule === rule && place && place.closest(one.inside));
})"""


@cache
def _axe() -> Any:
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


@dataclass(frozen=True)
class Finding:
    """One element that breaks a rule.

    Attributes:
        rule: The rule of axe-core.
        impact: "serious" or "critical".
        target: Selector of the element.
        html: The element.
        why: What is wrong with it.
    """

    rule: str
    impact: str
    target: str
    html: str
    why: str

    def __str__(self) -> str:
        """The finding in a paragraph."""
        return f"{self.rule} ({self.impact}): {self.html[:220]}\n      {self.why[:300]}\n      at {self.target[:200]}"


def findings(page: Any) -> list[Finding]:
    """Serious and critical findings on a page as it is shown, without `EXEMPT`."""
    found, places = [], []
    for broken in _axe().run(page, options=_OPTIONS).response["violations"]:
        for node in broken["nodes"] if broken["impact"] in _SERIOUS else ():
            why = "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
            target = " ".join(str(part) for part in node["target"])
            found.append(Finding(broken["id"], broken["impact"], target, node["html"], why))
            places.append({"rule": broken["id"], "target": node["target"]})
    exempt = page.evaluate(_WHICH, [places, [one.__dict__ for one in EXEMPT]])
    return [one for one, number in zip(found, exempt, strict=True) if number < 0]
