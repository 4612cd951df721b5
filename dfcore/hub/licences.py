"""Identifiers of licences that the Hugging Face Hub knows, from its documentation (repositories-licenses)."""

from dfcore.errors import InputError

OTHER = "other"
KNOWN = frozenset((
    "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m", "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0", "epl-2.0",
    "etalab-2.0", "eupl-1.1", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0",
    "isc", "lppl-1.3c", "ms-pl", "mpl-2.0", "odc-by", "odbl", "openrail++", "osl-3.0", "postgresql", "ofl-1.1",
    "ncsa", "unlicense", "zlib", "pddl", "lgpl-lr", "unknown", "other",
))  # fmt: skip


def require_known(licence: str) -> str:
    """Checks an identifier, in whatever case; returns it as the Hub writes it.

    Raises:
        InputError: If the Hub does not know it.
    """
    if (plain := licence.strip().lower()) not in KNOWN:
        raise InputError(
            "Expected the identifier of a licence as the Hugging Face Hub lists them, such as apache-2.0, mit, "
            "cc-by-4.0, cc-by-nc-sa-4.0 or other (https://huggingface.co/docs/hub/repositories-licenses). Received: "
            f"{licence!r:.80}."
        )
    return plain


def of_hub(text: str) -> tuple[str, str]:
    """What a repository stated, "mit" or "other (its-name)": (identifier, name), each "" if there is none."""
    identifier, _, name = text.strip().removesuffix(")").partition(" (")
    return (identifier, name) if identifier in KNOWN else ("", "")


def of_card(text: str) -> tuple[str, str]:
    """What a card's words on its licence are on the Hub: (identifier, name), each "" if there is none.

    Words that are no identifier are "other", with the name "as-stated"; what they say stands in the model card.
    """
    plain = text.strip().lower()
    if not plain:
        return "", ""
    return (plain, "") if plain in KNOWN else (OTHER, "as-stated")
