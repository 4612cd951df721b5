"""Escaping of untrusted text for Markdown, and what people copy from a page."""

import re

from dfcore.utils.texts import printable

# Invisible, and prevents a line break.
_JOINER = "\N{WORD JOINER}"
# What Streamlit rewrites after parsing the Markdown, escaped or not: URLs, icons, arrows, dashes.
_REWRITTEN = re.compile(r":(?=//)/|:[a-z]|@\w|(?i:www)\.|-[->]|<-")

# Addresses and options of commands, as the workbench's own messages name them.
_COPIED = re.compile(r"(?<![\w-])(?:https?://|(?:hf|kaggle):(?=\w)|--(?=[a-z]))[\w./@:%?=&#+~-]*[\w/]")


def code(text: object) -> str:
    """A text as code: nothing in it is read as Markdown, and a copy of it holds no other sign."""
    shown = printable(text)
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    apart = " " if "`" in shown else ""
    return f"{fence}{apart}{shown}{apart}{fence}"


def message(text: object) -> str:
    """Escapes a message of the workbench; addresses and options in it are code, so that they can be copied."""
    shown, parts, at = printable(text), [], 0
    for found in _COPIED.finditer(shown):
        parts += [plain(shown[at : found.start()]), code(found[0])]
        at = found.end()
    return "".join([*parts, plain(shown[at:])])


def plain(text: object) -> str:
    """Escapes untrusted text, such as file and run names, so that Streamlit does not read it as Markdown."""
    apart = _REWRITTEN.sub(lambda result: result[0][:-1] + _JOINER + result[0][-1], printable(text))
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", apart)
