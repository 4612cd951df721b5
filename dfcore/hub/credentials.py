"""Credentials of Kaggle and the Hugging Face Hub: where they are looked for, and that none is ever written down.

They come from the environment and the files of the services' own tools; the workbench neither asks for nor stores any.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from dfcore.hub.sources import Service

_VARIABLES = (
    "KAGGLE_API_TOKEN", "KAGGLE_KEY", "KAGGLE_IAP_TOKEN", "KAGGLE_USER_SECRETS_TOKEN", "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
)  # fmt: skip
# Kaggle's older credentials, of use only together.
_PAIR = ("KAGGLE_USERNAME", "KAGGLE_KEY")
_QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]*")
_LOGIN = re.compile(r"(https?://)[^\s/@'\"]+@")
_SHORTEST = 6


def where_from(service: Service) -> str | None:
    """Where the credentials for a service come from, in words, without what they are; None if there are none."""
    return _of_kaggle() if service is Service.KAGGLE else _of_the_hub()


def half_of(service: Service) -> str:
    """Says which half of the credentials for a service is missing; "" if there is neither, or both."""
    for there, missing in (_PAIR, _PAIR[::-1]) if service is Service.KAGGLE else ():
        if os.environ.get(there) and not os.environ.get(missing):
            return f"{there} is set without {missing}"
    return ""


def how_to_get(service: Service, may: str = "read") -> str:
    """How to get credentials that may do something ("read", "write") and where to put them, as sentences."""
    if service is Service.KAGGLE:
        return (
            "Make a token on https://www.kaggle.com/settings (API) and set the variable KAGGLE_API_TOKEN to it, or "
            "KAGGLE_USERNAME and KAGGLE_KEY, or save the file as ~/.kaggle/kaggle.json."
        )
    return f"Make a token that may {may} on https://huggingface.co/settings/tokens and set the variable HF_TOKEN to it."


def redacted(text: object) -> str:
    """A text without the credentials of this process, and without the signed part of addresses."""
    result = _LOGIN.sub(r"\1", _QUERY.sub(r"\1?…", str(text)))
    for secret in _secrets():
        result = result.replace(secret, "…")
    return result


def _secrets() -> list[str]:
    found = [os.environ.get(name, "") for name in _VARIABLES]
    for file in (_kaggle_folder() / "kaggle.json", _kaggle_folder() / "access_token", _hub_file()):
        with suppress(OSError, ValueError, UnicodeDecodeError):
            text = file.read_text(encoding="utf-8").strip()
            values = json.loads(text) if file.suffix == ".json" else {"key": text}
            found.append(str(values.get("key", "")) if isinstance(values, dict) else "")
    # A variable may name a file that holds the token.
    with suppress(OSError, ValueError, UnicodeDecodeError):
        found.append(Path(os.environ.get("KAGGLE_API_TOKEN") or os.devnull).read_text(encoding="utf-8").strip())
    return sorted({one for one in found if len(one) >= _SHORTEST}, key=len, reverse=True)


def _of_kaggle() -> str | None:
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "the variable KAGGLE_API_TOKEN"
    for name in ("access_token", "access_token.txt"):
        if (Path.home() / ".kaggle" / name).is_file():
            return f"~/.kaggle/{name}"
    if all(map(os.environ.get, _PAIR)):
        return "the variables KAGGLE_USERNAME and KAGGLE_KEY"
    file = _kaggle_folder() / "kaggle.json"
    return str(file) if file.is_file() else None


def _of_the_hub() -> str | None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(name):
            return f"the variable {name}"
    return str(_hub_file()) if _hub_file().is_file() else None


def _kaggle_folder() -> Path:
    return Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")


def _hub_file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = os.environ.get("HF_HOME") or Path(cache) / "huggingface"
    return Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token")
