"""Who may do what: sign-in through Streamlit's own OpenID Connect, and three roles.

Without `[auth]` in Streamlit's secrets there is no sign-in, and whoever reaches the server may do everything: it binds
to this machine alone then. With it, `[roles]` says who has which role:

    [roles]
    trainer = ["ada@example.org"]
    analyst = ["*@news.example.org"]
    viewer = ["*"]

Who is in none of them may not come in. The first role that fits, from the top, counts.
"""

from enum import IntEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import error_reporting
from dashboard.markup import plain
from dfcore.errors import AccessError


class Role(IntEnum):
    """What somebody may do; each role includes those below."""

    NONE = 0
    VIEWER = 1
    ANALYST = 2
    TRAINER = 3


def has_sign_in() -> bool:
    """Whether this server asks who somebody is."""
    return _secrets("auth") is not None


def current() -> Role:
    """The role of whoever looks at this page."""
    try:
        if not has_sign_in():
            return Role.TRAINER
    except AccessError:
        return Role.NONE
    if not st.user.is_logged_in:
        return Role.NONE
    # A provider that says that it did not check the address vouches for nothing.
    if str(st.user.get("email_verified", True)).lower() != "true" or not st.user.get("email"):
        return Role.NONE
    return role_of(str(st.user["email"]), _secrets("roles") or {})


def role_of(email: str, roles: dict[str, Any]) -> Role:
    """The highest role under which an address stands, or fits a pattern."""
    address = email.strip().lower()
    for role in sorted(Role, reverse=True):
        listed = roles.get(role.name.lower(), ())
        patterns = [listed] if isinstance(listed, str) else listed
        if role is not Role.NONE and any(fnmatchcase(address, str(pattern).lower()) for pattern in patterns):
            return role
    return Role.NONE


def who() -> str:
    """The address of whoever is signed in, for the log."""
    return str(st.user.get("email", "unknown")) if has_sign_in() and st.user.is_logged_in else "local user"


def require(role: Role, what: str) -> None:
    """Checks that whoever asks has a role.

    Raises:
        AccessError: with the role that it takes.
    """
    if current() < role:
        error_reporting.log().warning("Refused to %s (%s): %s", who(), current().name.lower(), what)
        raise AccessError(
            f"{what} requires the role of {role.name.lower()}; you have that of {current().name.lower()}. "
            "Whoever runs this server can give it to you."
        )


def may(role: Role) -> bool:
    """Whether whoever looks has a role; for what a page offers, not for what it does."""
    return current() >= role


def offer(role: Role, what: str) -> bool:
    """Whether to offer something; says what it takes where not."""
    if may(role):
        return True
    st.info(
        f"{what} requires the role of {role.name.lower()}; yours is {current().name.lower()}.", icon=":material/lock:"
    )
    return False


def gate() -> None:
    """Asks for sign-in where there is one, and ends the page for those who may not come in."""
    try:
        if not has_sign_in():
            return
    except AccessError as error:
        st.error(plain(error), icon=":material/lock:")
        st.stop()
    if not st.user.is_logged_in:
        st.title("Deepfake workbench")
        st.markdown("Sign in to go on.")
        st.button("Sign in", on_click=st.login, type="primary", icon=":material/login:")
        st.stop()
    role = current()
    with st.sidebar:
        st.caption(f"{plain(who())}, {role.name.lower()}")
        st.button("Sign out", on_click=st.logout, type="tertiary", icon=":material/logout:")
    if role is Role.NONE:
        st.error("You are signed in, but have no role here. Whoever runs this server can give you one.")
        st.stop()


def _secrets(section: str) -> dict[str, Any] | None:
    """A section of Streamlit's secrets, None where there is none; an empty one is one.

    Raises:
        AccessError: when there are some that cannot be read: nobody comes in until they can.
    """
    try:
        return dict(st.secrets[section]) if section in st.secrets else None
    except FileNotFoundError:  # Streamlit says so of damaged ones too.
        if any(Path(file).exists() for file in st.get_option("secrets.files")):
            error_reporting.log().exception("The secrets cannot be read")
            raise AccessError("This server's secrets cannot be read, so nobody may come in until they can.") from None
        return None
