"""Access control: sign-in through Streamlit's OpenID Connect support, and three roles.

Without `[auth]` in Streamlit's secrets there is no sign-in and every visitor has full access; the server then listens
on localhost only. With `[auth]`, `[roles]` assigns roles:

    [roles]
    trainer = ["ada@example.org"]
    analyst = ["*@news.example.org"]
    viewer = ["*"]

Users without a role are refused. If several roles match, the highest one applies.
"""

from enum import IntEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import error_reporting, streamlit_private
from dashboard.markup import plain
from dfcore.errors import AccessError


class Role(IntEnum):
    """Permission levels; each includes those below it."""

    NONE = 0
    VIEWER = 1
    ANALYST = 2
    TRAINER = 3


def has_sign_in() -> bool:
    """Whether this server requires sign-in."""
    return _secrets("auth") is not None


def current() -> Role:
    """The role of the current user."""
    try:
        if not has_sign_in():
            return Role.TRAINER
    except AccessError:
        return Role.NONE
    if not st.user.is_logged_in:
        return Role.NONE
    # An address that the provider has not verified proves nothing.
    if str(st.user.get("email_verified", True)).lower() != "true" or not st.user.get("email"):
        return Role.NONE
    return role_of(str(st.user["email"]), _secrets("roles") or {})


def role_of(email: str, roles: dict[str, Any]) -> Role:
    """The highest role that lists an address or a pattern matching it.

    Args:
        email: Address of the user; case is ignored.
        roles: {role: address or pattern, or a list of them}.
    """
    address = email.strip().lower()
    for role in sorted(Role, reverse=True):
        listed = roles.get(role.name.lower(), ())
        patterns = [listed] if isinstance(listed, str) else listed
        if role is not Role.NONE and any(fnmatchcase(address, str(pattern).lower()) for pattern in patterns):
            return role
    return Role.NONE


def who() -> str:
    """The current user's address, for the log; "local user" without sign-in."""
    return str(st.user.get("email", "unknown")) if has_sign_in() and st.user.is_logged_in else "local user"


def person() -> str:
    """Tells apart whoever uses the server: the address; without sign-in, the session."""
    return who() if has_sign_in() else streamlit_private.session()


def is_me(other: str) -> bool:
    """Whether the current user is somebody that `person` told of.

    Without sign-in also where that session is closed: a page that is loaded again is a new session.
    """
    return other == person() or not (has_sign_in() or streamlit_private.is_open(other))


def require(role: Role, what: str) -> None:
    """Checks that the current user has a role.

    Args:
        role: Lowest role that suffices.
        what: Name of the action, for the error.

    Raises:
        AccessError: If not; names the required role.
    """
    if current() < role:
        error_reporting.log().warning("Refused to %s (%s): %s", who(), current().name.lower(), what)
        raise AccessError(
            f"{what} requires the role of {role.name.lower()}; you have that of {current().name.lower()}. "
            "The server's administrator can assign it."
        )


def may(role: Role) -> bool:
    """Whether the current user has a role; decides what a page offers, while `require` protects the action."""
    return current() >= role


def offer(role: Role, what: str) -> bool:
    """Whether the current user has a role; if not, shows which one is required."""
    if may(role):
        return True
    st.info(
        f"{what} requires the role of {role.name.lower()}; yours is {current().name.lower()}.", icon=":material/lock:"
    )
    return False


def gate() -> None:
    """Requires sign-in if it is configured; stops the page for users without a role."""
    try:
        if not has_sign_in():
            return
    except AccessError as error:
        st.error(plain(error), icon=":material/lock:")
        st.stop()
    if not st.user.is_logged_in:
        st.title("Deepfake workbench")
        st.markdown("Sign in to continue.")
        st.button("Sign in", on_click=st.login, type="primary", icon=":material/login:")
        st.stop()
    role = current()
    with st.sidebar:
        st.caption(f"{plain(who())}, {role.name.lower()}")
        st.button("Sign out", on_click=st.logout, type="tertiary", icon=":material/logout:")
    if role is Role.NONE:
        st.error("You are signed in, but have no role here. The server's administrator can assign one.")
        st.stop()


def _secrets(section: str) -> dict[str, Any] | None:
    """A section of Streamlit's secrets; None if it does not exist, {} if it is empty.

    Raises:
        AccessError: If the secrets exist but cannot be read; access is then refused to everyone.
    """
    try:
        return dict(st.secrets[section]) if section in st.secrets else None
    except FileNotFoundError:  # Streamlit raises it for damaged secrets too.
        if any(Path(file).exists() for file in st.get_option("secrets.files")):
            error_reporting.log().exception("The secrets cannot be read")
            raise AccessError("This server's secrets cannot be read; access is refused until they can.") from None
        return None
