"""What a form shows for a setting: stands beside the field, as part of its annotation."""

from dataclasses import dataclass, field
from typing import Literal

Group = Literal["main", "optimisation", "data", "machine"]


@dataclass(frozen=True)
class FormField:
    """How a form shows one field of `TrainConfig`.

    The help is the field's description; its bounds and choices are those that pydantic checks.

    Attributes:
        label: what people read beside it.
        group: the part of the form that it belongs to.
        step: how far one click goes; None for whatever the form takes by itself.
        format: how a number is written, in printf's notation; None for the form's own.
        titles: what people read for each choice, in the order of the menu; empty where it is no choice.
        hidden: why the form does not offer it; empty where it does.
    """

    label: str
    group: Group
    step: float | None = None
    format: str | None = None
    titles: dict[str, str] = field(default_factory=dict)
    hidden: str = ""
