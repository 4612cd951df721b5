"""Form metadata of a setting, given in the annotation of its field."""

from dataclasses import dataclass, field
from typing import Literal

Group = Literal["main", "optimisation", "data", "machine"]


@dataclass(frozen=True)
class FormField:
    """Describes how a form shows a field of `TrainConfig`.

    The help text, bounds and choices come from the pydantic field.

    Attributes:
        label: Label of the input.
        group: Section of the form.
        step: Increment of a number; None for the form's default.
        format: printf-style format of a number; None for the form's default.
        titles: Display name of each choice, in menu order; empty if the field is not a choice.
        hidden: The reason why the form does not show the field; empty if it does.
    """

    label: str
    group: Group
    step: float | None = None
    format: str | None = None
    titles: dict[str, str] = field(default_factory=dict)
    hidden: str = ""
