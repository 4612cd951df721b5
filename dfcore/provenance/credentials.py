"""Content credentials (C2PA): read and validated by c2pa-python, which fetches nothing here."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from dfcore.provenance import source_types
from dfcore.provenance.evidence import Action, Credentials, CredentialState, Extent, Ingredient
from dfcore.provenance.texts import bounded

_TYPES = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff", "GIF": "image/gif",
    "AVIF": "image/avif", "HEIF": "image/heif",
}  # fmt: skip
_MOST = 50
# Without any of these in a file there is no credential in it, and no address of one: damage is then no sign of one.
_MARKS = (b"jumb", b"c2pa", b"caBX", b"provenance")
_STATES: dict[str, CredentialState] = {"Trusted": "trusted", "Valid": "unknown_signer"}
_UNTRUSTED = "signingCredential.untrusted"
# Reasons by the beginning of C2PA's status codes, the most telling first.
_REASONS = {
    "assertion.dataHash.mismatch": "the picture was changed after it was signed",
    "assertion.bmffHash.mismatch": "the picture was changed after it was signed",
    "assertion.boxesHash.mismatch": "the picture was changed after it was signed",
    "assertion.hashedURI.mismatch": "a statement in it was changed after it was signed",
    "assertion.missing": "a statement is missing from it",
    "claimSignature.mismatch": "its signature does not fit",
    "claimSignature.missing": "its signature is missing",
    "claimSignature.outsideValidity": "its certificate was not valid when it was signed",
    "signingCredential.expired": "its certificate has expired",
    "signingCredential.ocsp.revoked": "its certificate was revoked",
    "signingCredential.revoked": "its certificate was revoked",
    "signingCredential.invalid": "its certificate is not fit for signing pictures",
    "timeStamp": "its time stamp is not valid",
    "ingredient": "what it says of an earlier version is not valid",
}
_ACTIONS = {
    "c2pa.created": "created", "c2pa.opened": "opened", "c2pa.placed": "placed another picture into it",
    "c2pa.edited": "edited", "c2pa.edited.metadata": "changed the metadata", "c2pa.cropped": "cropped",
    "c2pa.resized": "resized", "c2pa.resized.proportional": "resized", "c2pa.color_adjustments": "adjusted colours",
    "c2pa.filtered": "applied a filter", "c2pa.drawing": "drew on it", "c2pa.orientation": "turned or mirrored",
    "c2pa.converted": "converted to another format", "c2pa.transcoded": "re-encoded", "c2pa.repackaged": "repackaged",
    "c2pa.published": "published", "c2pa.removed": "removed a part", "c2pa.redacted": "redacted a statement",
    "c2pa.watermarked": "added a watermark", "c2pa.enhanced": "enhanced", "c2pa.unknown": "did something unknown",
}  # fmt: skip
# Actions that leave a captured picture a captured picture.
_HARMLESS = {
    "c2pa.created", "c2pa.opened", "c2pa.edited.metadata", "c2pa.cropped", "c2pa.resized", "c2pa.resized.proportional",
    "c2pa.color_adjustments", "c2pa.orientation", "c2pa.converted", "c2pa.transcoded", "c2pa.repackaged",
    "c2pa.published", "c2pa.redacted",
}  # fmt: skip


@dataclass(frozen=True)
class Read:
    """A credential with what follows from it.

    Attributes:
        credentials: What it says.
        declares: Whether it declares generative AI; None for an invalid one, whatever it says.
        captured: Whether it says that a camera took the picture, and nothing generative was done; only if trusted.
    """

    credentials: Credentials
    declares: Extent | None = None
    captured: bool = False


def read_credentials(data: bytes, kind: str, trust_list: str) -> Read:
    """Reads and validates the credentials of a file.

    Args:
        data: The file.
        kind: Its format, see `containers.Blocks`.
        trust_list: Certificates that are trusted, PEM; may be empty.
    """
    from c2pa import C2paError, Context, Reader

    empty = Credentials(trust_list=bool(trust_list))
    if kind not in _TYPES or not any(mark in data for mark in _MARKS):
        return Read(empty)
    settings: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}}
    if trust_list:
        settings["trust"] = {"trust_anchors": trust_list}
    try:
        with Context.from_dict(settings) as context, Reader(_TYPES[kind], io.BytesIO(data), context=context) as reader:
            state = str(reader.get_validation_state())
            store = json.loads(reader.json())
    except C2paError as error:
        return _unread(empty, str(error))
    except (ValueError, RecursionError):
        return Read(replace(empty, state="invalid", reason="It cannot be read: it is nested too deeply or no JSON."))
    return _told(store, _STATES.get(state, "invalid"), empty)


def _unread(empty: Credentials, error: str) -> Read:
    kind, _, rest = error.partition(":")
    if kind == "ManifestNotFound":
        return Read(empty)
    if "remote" in kind.lower() or "remote" in rest.lower():
        reason = f"The file names a credential that is kept elsewhere, which is not fetched: {bounded(rest, 300)}"
        return Read(replace(empty, reason=reason))
    return Read(replace(empty, state="invalid", reason=f"It cannot be read: {bounded(rest or error, 200)}."))


def _told(store: dict[str, Any], state: CredentialState, empty: Credentials) -> Read:
    manifests = _dict(store.get("manifests"))
    active = _dict(manifests.get(str(store.get("active_manifest"))))
    signature = _dict(active.get("signature_info"))
    actions = list(_actions(active))
    own = _extent(actions)
    spoiled = _spoiled(store)
    ingredients, inherited = [], None
    for item in _list(active.get("ingredients"))[:_MOST]:
        relationship, label = str(item.get("relationship", "")), item.get("active_manifest")
        declares = None if _failed(item) else _inherited(manifests, label, spoiled)
        ingredients.append(Ingredient(bounded(item.get("title", ""), 200), bounded(relationship, 40), declares))
        if declares and relationship == "parentOf":
            inherited = _more(inherited, declares)
        elif declares and relationship == "componentOf":
            inherited = _more(inherited, "partly")
    result = Credentials(
        state,
        _reason(store) if state == "invalid" else "",
        _generator(active),
        bounded(signature.get("issuer") or signature.get("common_name") or "", 200),
        bounded(signature.get("time") or "", 60),
        tuple(actions),
        tuple(ingredients),
        empty.trust_list,
    )
    declares = None if state == "invalid" else _more(own, inherited)
    return Read(result, declares, state == "trusted" and declares is None and _is_capture(actions, ingredients))


def _actions(manifest: dict[str, Any]) -> Iterator[Action]:
    count = 0
    for assertion in _list(manifest.get("assertions")):
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        for item in _list(_dict(assertion.get("data")).get("actions")):
            count += 1
            if count > _MOST:
                return
            name, agent = bounded(item.get("action", ""), 100), item.get("softwareAgent")
            agent = agent.get("name", "") if isinstance(agent, dict) else agent or ""
            # A source type may stand in the parameters of an edit as well.
            source = item.get("digitalSourceType") or _dict(item.get("parameters")).get("digitalSourceType") or ""
            words = _ACTIONS.get(name, name)
            more = source_types.in_words(str(source))
            yield Action(name, f"{words}: {more}" if more else words, bounded(source_types.last_part(str(source)), 60),
                         bounded(agent, 100), bounded(item.get("when") or "", 40))  # fmt: skip


def _extent(actions: list[Action]) -> Extent | None:
    """What actions declare: a picture that was created by AI, or AI used on one that was not."""
    result: Extent | None = None
    for action in actions:
        declared = source_types.extent(action.source_type)
        if declared == "generated" and action.name != "c2pa.created":
            declared = "partly"
        result = _more(result, declared)
    return result


def _more(one: Extent | None, other: Extent | None) -> Extent | None:
    return "generated" if "generated" in (one, other) else one or other


def _inherited(manifests: dict[str, Any], label: Any, spoiled: set[str]) -> Extent | None:
    """What the credential of an earlier version declares, or those before it."""
    result: Extent | None = None
    seen: set[str] = set()
    waiting = [label]
    while waiting and len(seen) < _MOST:
        label = waiting.pop()
        if not isinstance(label, str) or label in seen or label in spoiled:
            continue
        seen.add(label)
        manifest = _dict(manifests.get(label))
        result = _more(result, _extent(list(_actions(manifest))))
        parts = _list(manifest.get("ingredients"))[:_MOST]
        sound = (part for part in parts if part.get("relationship") == "parentOf" and not _failed(part))
        waiting += [part.get("active_manifest") for part in sound]
    return result


def _is_capture(actions: list[Action], ingredients: list[Ingredient]) -> bool:
    made = [action for action in actions if action.name == "c2pa.created"]
    return (
        len(made) == 1
        and not ingredients
        and source_types.captured(made[0].source_type)
        and all(action.name in _HARMLESS for action in actions)
    )


def _spoiled(store: dict[str, Any]) -> set[str]:
    """Labels of earlier credentials that validation found to be wrong now."""
    result = set()
    for delta in _list(_dict(store.get("validation_results")).get("ingredientDeltas")):
        for failure in _list(_dict(delta.get("validationDeltas")).get("failure")):
            if failure.get("code") != _UNTRUSTED:
                parts = str(failure.get("url", "")).split("/")
                result.add(parts[2] if len(parts) > 2 else "")
    return result


def _failed(ingredient: dict[str, Any]) -> bool:
    """Whether an earlier version was not valid when the picture was made from it, as its own record says."""
    return bool(_failures(ingredient))


def _failures(validated: dict[str, Any]) -> list[str]:
    """Status codes of failures, but for an unknown signer, of the whole or of one ingredient."""
    results = _dict(validated.get("validation_results"))
    deltas = [_dict(delta.get("validationDeltas")) for delta in _list(results.get("ingredientDeltas"))]
    failures = [
        *_list(_dict(results.get("activeManifest")).get("failure")),
        *_list(validated.get("validation_status")),
        *(failure for delta in deltas for failure in _list(delta.get("failure"))),
    ]
    return [str(failure.get("code", "")) for failure in failures if failure.get("code") != _UNTRUSTED]


def _reason(store: dict[str, Any]) -> str:
    codes = _failures(store)
    for start, reason in _REASONS.items():
        if any(code.startswith(start) for code in codes):
            return f"{reason[0].upper()}{reason[1:]}."
    return f"Why is not known here (status: {bounded(codes[0], 80) if codes else 'none'})."


def _generator(manifest: dict[str, Any]) -> str:
    infos = _list(manifest.get("claim_generator_info"))
    if infos:
        return bounded(" ".join(str(infos[0].get(key, "")) for key in ("name", "version")).strip(), 200)
    return bounded(manifest.get("claim_generator") or "", 200)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
