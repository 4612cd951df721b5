"""The addresses of the service."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from dfcore import __version__
from dfcore.batch.names import AUTO
from dfcore.batch.predict import is_accident
from dfcore.confidence import FINDINGS, Finding
from dfcore.errors import DfcoreError, InputError
from dfcore.explanation import METHODS
from dfcore.imaging.decoder import FORMATS, MAX_PIXELS
from dfcore.service import answers
from dfcore.service.callers import Caller
from dfcore.service.judging import Choice, Explained, HeatmapJob, PictureJob
from dfcore.service.metrics import MEDIA_TYPE
from dfcore.service.problems import GONE, Problem, closing
from dfcore.service.queue import Job
from dfcore.service.state import Service
from dfcore.service.uploads import FIELD, uploads

PNG = "image/png"
_BINARY = {"type": "string", "format": "binary"}
_LATE = "The pictures were not judged within {:.0f} s, since many others are waiting. Try again later, with fewer."
# Seconds after which to try again what the machine failed at.
_MACHINE_SECONDS = 30


class HowToJudge(BaseModel):
    """How pictures are to be judged."""

    model_config = ConfigDict(extra="forbid")

    detector: str = Field(AUTO, max_length=255, description="A detector's name; auto: the one that fits each picture.")
    ignore_ood: bool = Field(False, description="Also decide on pictures unlike those that the detector learned from.")
    max_fpr: float | None = Field(
        None, ge=0, le=0.5, allow_inf_nan=False, description="Share of real pictures that may be called fake."
    )
    max_fnr: float | None = Field(
        None, ge=0, le=0.5, allow_inf_nan=False, description="Share of fakes that may be missed."
    )
    provenance: bool = Field(False, description="Also read what the file says of itself: credentials, metadata.")
    name: str = Field("image", max_length=255, description="What to call a file that is the body itself.")

    def choice(self) -> Choice:
        """The same for the bench."""
        return Choice(self.detector, self.ignore_ood, self.max_fpr, self.max_fnr, self.provenance)


class HowToExplain(HowToJudge):
    """What is asked of a heat-map."""

    method: Literal[tuple(METHODS)] = Field("gradcam", description="How it is made.")  # type: ignore[valid-type]
    evidence: Literal["fake", "real"] = Field("fake", description="The class whose evidence it shows.")
    view: str = Field("0", max_length=64, description="Number or name of the part of the picture, see /v1/detectors.")
    layer: str | None = Field(None, max_length=255, description="A layer, see /v1/detectors; by default the last one.")
    side: int = Field(64, ge=8, le=512, description="Longest side of the values, of an answer in JSON.")
    picture: Literal["overlay", "map"] = Field("overlay", description="Of a PNG: over the picture, or the map alone.")


def service(request: Request) -> Service:
    """The service that was asked."""
    return request.app.state.service


async def caller(
    request: Request,
    _bearer: Annotated[Any, Security(HTTPBearer(auto_error=False, description="A key, or a token of the provider."))],
    _key: Annotated[Any, Security(APIKeyHeader(name="X-API-Key", auto_error=False, description="A key."))],
) -> Caller:
    """Who asks; noted for the log."""
    door = service(request).door
    # A thread costs as much as the rest of this, and only a provider may have to be asked for its keys.
    found = await asyncio.to_thread(door.caller, request) if door.may_wait(request) else door.caller(request)
    request.state.facts["caller"] = found.name
    return found


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    texts = {
        401: "No key or token, or one that is not accepted.", 403: "Not from here.", 406: "No such form of answer.",
        408: "The body came too slowly.", 413: "Too large, or too many files.", 415: "Another kind of body.",
        422: "It cannot be done as asked; the message says why.",
        429: "Too many pictures at the moment; Retry-After says when to try again.",
        503: "Loading or ending, or the machine failed at it; Retry-After says when to try again.",
    }  # fmt: skip
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": answers.Refusal, "description": texts[status]} for status in statuses
    }
    return found


def _body(several: bool) -> dict[str, Any]:
    files: dict[str, Any] = {"type": "array", "items": _BINARY, "minItems": 1} if several else _BINARY
    form = {"type": "object", "properties": {FIELD: files}, "required": [FIELD]}
    kinds = {"multipart/form-data": form, "application/octet-stream": _BINARY, "image/*": _BINARY}
    return {"requestBody": {"required": True, "content": {kind: {"schema": one} for kind, one in kinds.items()}}}


_ALL = (401, 403, 408, 413, 415, 422, 429, 503)
router = APIRouter()


@router.post(
    "/v1/predict", response_model=answers.Results, responses=_refusals(*_ALL), openapi_extra=_body(True),
    summary="Verdicts on pictures", tags=["pictures"],
)  # fmt: skip
async def predict(
    request: Request, how: Annotated[HowToJudge, Query()], who: Annotated[Caller, Depends(caller)]
) -> Response:
    """Judges one or several pictures: a form with files in `files`, or a picture as the body.

    Each file has a record, in their order, with a verdict or the reason why there is none. If none of them can be
    judged, the answer is 422, or 503 if that may be the machine's fault alone, with the records beside the error.
    """
    own, choice = service(request), how.choice()
    own.open(choice)
    with own.queue.place() as places:
        own.rates.require(who)
        async with uploads(request, own.limits, own.spool, own.over, how.name, own.limits.files) as files:
            places.take(len(files) - 1)
            own.rates.spend(who, len(files))
            request.state.facts["pictures"] = len(files)
            rows = await _answered(request, own, [PictureJob(own.bench, one, choice) for one in files])
    if rows is None:
        return Response(status_code=GONE)
    for row in rows:
        own.metrics.verdicts.labels(row["finding"] or "error", row["detector"] or "none").inc()
    if all(row["error"] for row in rows):
        rest = f" The other {len(rows) - 1} cannot be judged either." if len(rows) > 1 else ""
        why = f"{rows[0]['path']}: {rows[0]['error']}{rest}"
        if all(row.get("accident") for row in rows):
            raise Problem(503, "machine", why, _MACHINE_SECONDS, {"results": rows})
        raise Problem(422, "image", why, more={"results": rows})
    return JSONResponse({"results": rows})


@router.post(
    "/v1/explain", response_model=answers.Explanation,
    responses=_refusals(*_ALL, 406) | {200: {"content": {PNG: {"schema": _BINARY}}}}, openapi_extra=_body(False),
    summary="A heat-map of the evidence", tags=["pictures"],
)  # fmt: skip
async def explain(
    request: Request, how: Annotated[HowToExplain, Query()], who: Annotated[Caller, Depends(caller)]
) -> Response:
    """Judges one picture and shows where the evidence lies: values as JSON, or a picture with `Accept: image/png`."""
    own, choice, drawn = service(request), how.choice(), how.picture if _wants_png(request) else None
    own.open(choice)
    asked = Explained(how.method, how.evidence, how.view, how.layer, how.side, drawn)
    with own.queue.place():
        own.rates.require(who)
        async with uploads(request, own.limits, own.spool, own.over, how.name, 1) as files:
            own.rates.spend(who, 1)
            request.state.facts["pictures"] = 1
            found = await _answered(request, own, [HeatmapJob(own.bench, files[0], choice, asked)])
    if found is None:
        return Response(status_code=GONE)
    row, heatmap, picture = found[0]
    own.metrics.verdicts.labels(row["finding"] or "error", row["detector"] or "none").inc()
    if picture is None:
        return JSONResponse({"result": row, "heatmap": heatmap})
    told = {"X-Detector": row["detector"], "X-Finding": row["finding"], "X-Peak": str(heatmap["peak"])}
    return Response(picture, media_type=PNG, headers={name: value.encode("ascii", "replace").decode()
                                                      for name, value in told.items()})  # fmt: skip


@router.get(
    "/v1/detectors", response_model=answers.Detectors, responses=_refusals(401, 403, 422, 503), summary="Detectors",
    tags=["pictures"],
)  # fmt: skip
async def detectors(request: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
    """The detectors of this service, what they may find, and how much a request may hold."""
    own = service(request)
    listed = await asyncio.to_thread(_listed, own)
    taken = {
        "file_bytes": own.limits.file_bytes, "files": own.limits.files, "body_bytes": own.limits.body_bytes,
        "pixels": MAX_PIXELS, "formats": list(FORMATS),
    }  # fmt: skip
    methods = {key: method.title for key, method in METHODS.items()}
    return JSONResponse(
        {"version": __version__, "default": AUTO, "detectors": listed, "methods": methods, "limits": taken}
    )


@router.get("/healthz", response_model=answers.State, summary="Whether the service lives", tags=["operation"])
async def healthz() -> Response:
    """Answers as long as the process does."""
    return JSONResponse({"status": "alive"})


@router.get(
    "/readyz", response_model=answers.State, summary="Whether it takes requests", tags=["operation"],
    responses={503: {"model": answers.State, "description": "Loading, full, or ending; the status says which."}},
)  # fmt: skip
async def readyz(request: Request) -> Response:
    """Says "ready" when the detectors are loaded, the queue has room, and the service is not being stopped."""
    status = service(request).status
    return JSONResponse({"status": status}, 200 if status == "ready" else 503)


@router.get(
    "/metrics", summary="Figures for Prometheus", tags=["operation"], response_class=Response,
    responses=_refusals(401, 403, 503) | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def metrics(request: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Requests, durations, queue, verdicts by finding, refusals."""
    return Response(service(request).metrics.text(), headers={"Content-Type": MEDIA_TYPE})


async def _answered(request: Request, own: Service, jobs: Sequence[Job]) -> list[Any] | None:
    """The answers of jobs; None if the caller went away, whose jobs are then given up."""
    futures = (asyncio.wrap_future(job.future) for job in jobs)
    waiting: asyncio.Future[Any] = asyncio.gather(*futures, return_exceptions=True)
    gone: asyncio.Future[Any] = asyncio.ensure_future(_gone(request))
    try:
        for job in jobs:
            own.queue.submit(job)
        await asyncio.wait({waiting, gone}, timeout=own.limits.seconds, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return [_or_raise(answer) for answer in waiting.result()]
        if gone.done():
            return None
        raise Problem(429, "late", _LATE.format(own.limits.seconds), own.queue.pace.wait(own.queue.taken))
    finally:
        gone.cancel()
        for job in jobs:
            job.future.cancel()


def _or_raise(answer: Any) -> Any:
    if isinstance(answer, asyncio.CancelledError):
        raise closing()
    if is_accident(answer):
        raise Problem(503, "machine", str(answer), _MACHINE_SECONDS)
    if isinstance(answer, InputError):
        raise Problem(422, "image" if type(answer).__name__.endswith("ImageError") else "input", str(answer))
    if isinstance(answer, DfcoreError):
        raise Problem(503, "machine", str(answer), _MACHINE_SECONDS)
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def _gone(request: Request) -> None:
    """Returns when the caller has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _wants_png(request: Request) -> bool:
    """Whether a PNG is wanted rather than JSON.

    Raises:
        Problem: If neither is.
    """
    parts = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    for part in parts:
        if part in ("application/json", "application/*", "*/*"):
            return False
        if part in (PNG, "image/*"):
            return True
    raise Problem(406, "accept", f"Expected Accept: application/json or {PNG}. Received: {', '.join(parts)[:200]}.")


def _listed(own: Service) -> list[dict[str, Any]]:
    result = []
    for name, detector in own.bench.detectors.items():
        card = detector.card
        covered = list(card.openvino.layers) if card.openvino else []
        says: tuple[Finding, ...] = ("fake", "inconclusive", "real" if card.thresholds.says_real else "no_sign")
        result.append({
            "name": name, "title": card.title, "engine": detector.engine.name,
            "model_sha256": card.model_sha256, "card_sha256": answers.card_sha256(card),
            "thresholds": card.thresholds.told(), "words": [FINDINGS[one] for one in says],
            "views": list(detector.spec.view_titles), "layers": covered or detector.explainer().layers,
            "limits": list(card.limits), "results": card.results,
        })  # fmt: skip
    return answers.finite(result)
