"""Escaping of untrusted text for Markdown."""

import re

from dfcore.utils.texts import printable

# Invisible, and prevents a line break.
_JOINER = "\N{WORD JOINER}"
# What Streamlit rewrites after parsing the Markdown, escaped or not: URLs, icons, arrows, dashes.
_REWRITTEN = re.compile(r":(?=//)/|:[a-z]|@\w|(?i:www)\.|-[->]|<-")


def plain(text: object) -> str:
    """Escapes untrusted text, such as file and run names, so that Streamlit does not read it as Markdown."""
    apart = _REWRITTEN.sub(lambda result: result[0][:-1] + _JOINER + result[0][-1], printable(text))
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", apart)
