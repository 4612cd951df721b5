"""Text from strangers inside of ours."""

import re

from dfcore.texts import printable


def plain(text: object) -> str:
    """Text as it is, safe where Streamlit would read Markdown: names of files and runs come from strangers."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", printable(text))
