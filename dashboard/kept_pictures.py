"""Pictures that were asked to be kept: their thumbnails, and the way back into Inspect."""

from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from dashboard import filmstrip, uploads
from dashboard.navigation import go
from dfcore.errors import DfcoreError, InputError

if TYPE_CHECKING:
    from dfcore.cases import Picture, Store

_SIDE = 96


def thumbnail(store: "Store", picture: str, *, kept: bool, side: int = _SIDE) -> str | None:
    """A small picture as an address that holds it; None if the picture was not kept, or cannot be read any more."""
    if not kept:
        return None
    try:
        return _thumbnail(picture, side, store)
    except DfcoreError:  # A list goes on without it; opening it tells.
        return None


@st.cache_data(max_entries=2_048, show_spinner=False)
def _thumbnail(picture: str, side: int, _store: "Store") -> str | None:
    return filmstrip.thumbnail(picture, contents(_store, picture), side)


def contents(store: "Store", picture: str) -> bytes:
    """The kept file of a picture.

    Raises:
        InputError: If it was not kept.
        StorageError: If it was changed since, or cannot be read.
    """
    data = store.image(picture)
    if data is None:
        raise InputError("The picture itself was not kept, only its hashes.")
    return data


def inspect(store: "Store", picture: "Picture") -> NoReturn:
    """Opens a kept picture in Inspect; raises like `contents`."""
    uploads.add(uploads.Picture(picture.name, contents(store, picture.sha256)))
    go("inspect")
