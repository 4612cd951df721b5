"""Pictures that the browser fetches by an address, once, instead of getting them with every message."""

import base64

from streamlit import runtime


def address(data_url: str, place: str) -> str:
    """The address of a picture, the same for the same picture; kept while a session shows it.

    Args:
        data_url: The picture, see `dfcore.utils.html.data_url`.
        place: Where the page shows it.

    Returns:
        Below the dashboard's own address; where no server runs, `data_url` itself.
    """
    if not runtime.exists():
        return data_url
    kind, _, content = data_url.removeprefix("data:").partition(";base64,")
    found = runtime.get_instance().media_file_mgr.add(base64.b64decode(content), kind, place)
    return found.lstrip("/")  # From the page's own place, wherever the dashboard is served.
