"""Text from strangers inside of ours."""

import re

from dfcore.utils.texts import printable

# Invisible, and no place for a line to break.
_JOINER = "\N{WORD JOINER}"
# What Streamlit rewrites after it has read the Markdown, escaped or not: addresses, icons, arrows, dashes.
_REWRITTEN = re.compile(r":(?=//)/|:[a-z]|@\w|(?i:www)\.|-[->]|<-")


def plain(text: object) -> str:
    """Text as it is, safe where Streamlit would read Markdown: names of files and runs come from strangers."""
    apart = _REWRITTEN.sub(lambda result: result[0][:-1] + _JOINER + result[0][-1], printable(text))
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", apart)
