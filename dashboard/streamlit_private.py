"""Private Streamlit attributes that the dashboard patches, collected in one module that checks they exist.

Streamlit has no public alternative; another version may lack them.
"""

import importlib
from typing import Any

import streamlit as st

from dfcore.errors import DfcoreError

# {purpose: (module, object in it or "", attribute)}.
PARTS = {
    "keeps networks in memory": ("streamlit.runtime.scriptrunner.script_runner", "", "_clean_problem_modules"),
    "asks who somebody is before it shows a page": (
        "streamlit.runtime.pages_manager", "PagesManager", "uses_pages_directory",
    ),
    "tells the browser where to send a slice of a file": (
        "streamlit.runtime.uploaded_file_manager", "UploadedFileManager", "get_upload_urls",
    ),
    "takes a slice of a file": (
        "streamlit.runtime.uploaded_file_manager", "UploadedFileManager", "get_files",
    ),
    "forgets a slice of a file": (
        "streamlit.runtime.memory_uploaded_file_manager", "MemoryUploadedFileManager", "remove_file",
    ),
    "tells which pages are still open": ("streamlit.runtime.runtime", "Runtime", "is_active_session"),
}  # fmt: skip


def require() -> None:
    """Checks that this version of Streamlit has all of `PARTS`.

    Raises:
        DfcoreError: If any is missing; names the version, the missing attributes and what they are needed for.
    """
    missing = [f"{_name(part)}, by which the dashboard {use}" for use, part in PARTS.items() if not _has(part)]
    if missing:
        raise DfcoreError(
            f"Streamlit {st.__version__} is not one that this dashboard works with: it has no {'; no '.join(missing)}. "
            "Expected the version in requirements.txt; `pip install -r requirements.txt` installs it."
        )


def keep_networks() -> None:
    """Stops Streamlit from clearing the Keras session.

    Streamlit clears it after every run, because many scripts build a model each time. Here models are shared by all
    sessions: each would be recompiled for the next heat-map, and clearing blocks every session.
    """
    _set("keeps networks in memory", _nothing)


def leave_pages_directory() -> None:
    """Makes Streamlit take pages from `st.navigation` only, not from the files under `pages/`."""
    _set("asks who somebody is before it shows a page", False)


def slice_address() -> tuple[str, str]:
    """Address to which the browser may send one file of this session, and the file's id.

    It is the address of `st.file_uploader`, with all its checks: the session is at hand, its token against forged
    requests comes along, the file is no larger than `server.maxUploadSize`.
    """
    context = _context()
    (result,) = context.uploaded_file_mgr.get_upload_urls(context.session_id, ["slice"])
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{'/' if base else ''}{base}{result.upload_url}", result.file_id


def take_slice(file_id: str) -> bytes | None:
    """What the browser sent under an id of this session, once; None if nothing is there."""
    context = _context()
    found = context.uploaded_file_mgr.get_files(context.session_id, [file_id])
    context.uploaded_file_mgr.remove_file(context.session_id, file_id)
    return found[0].data if found else None


def session() -> str:
    """Id of the session that the current page belongs to; "" outside of one."""
    context = _context()
    return context.session_id if context is not None else ""


def is_open(session: str) -> bool:
    """Whether the page of a session is still open in a browser; False for none."""
    from streamlit import runtime

    return bool(session) and runtime.exists() and runtime.get_instance().is_active_session(session)


def _context() -> Any:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx()


def _set(use: str, value: Any) -> None:
    require()
    setattr(_owner(PARTS[use]), PARTS[use][2], value)


def _has(part: tuple[str, str, str]) -> bool:
    try:
        return hasattr(_owner(part), part[2])
    except (ImportError, AttributeError):
        return False


def _owner(part: tuple[str, str, str]) -> Any:
    module = importlib.import_module(part[0])
    return getattr(module, part[1]) if part[1] else module


def _name(part: tuple[str, str, str]) -> str:
    return ".".join(name for name in part if name)


def _nothing() -> None:
    """Replaces Streamlit's clearing of the Keras session."""
