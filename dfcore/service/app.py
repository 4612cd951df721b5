"""The application: addresses, what goes around them, and what is answered when something is wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from dfcore import __version__
from dfcore.service import docs_page, queries
from dfcore.service.edge import Edge
from dfcore.service.problems import GONE, Problem
from dfcore.service.routes import router
from dfcore.service.settings import is_loopback
from dfcore.service.state import Service

WEB = Path(__file__).parent / "web"
_ABOUT = (
    "Looks for signs that a picture was made by a machine. A verdict is an aid to judgement and no proof; what a "
    "detector was measured to do, and on which pictures, stands beside it."
)
_CODES = {404: "not_found", 405: "method"}
_MOST_PATH = 200


def make_app(service: Service) -> FastAPI:
    """The application of a service; it loads the detectors once it is started."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(service.load())
        yield
        loading.cancel()
        service.queue.close()

    around = [Middleware(Edge, service=service)]
    if origins := list(service.settings.origins):
        around.append(
            Middleware(
                CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "X-API-Key"],
                expose_headers=["Retry-After", "X-Request-Id", "X-Detector", "X-Finding", "X-Peak"],
            )
        )  # fmt: skip
    app = FastAPI(
        title="Deepfake workbench", version=__version__, description=_ABOUT, lifespan=lifespan, middleware=around,
        docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        # Traces and measurements go nowhere, whatever else is installed.
        telemetry={
            "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False,
        },
    )  # fmt: skip
    app.state.service = service
    app.include_router(router)
    _handle_errors(app, service)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(
            docs_page.page(app.openapi(), _address(request)), headers={"Content-Security-Policy": docs_page.POLICY}
        )

    # File by file: a mount at "/" would also take requests with a wrong method, and call their addresses unknown.
    page = StaticFiles(directory=WEB, html=True)
    app.router.routes.extend(Route(f"/{name}", page) for name in ("", *(file.name for file in WEB.iterdir())))
    return app


def _address(request: Request) -> str:
    """The service's address for examples, in which a key is sent: one to be filled in, unless it is this machine's or
    known to be asked over TLS."""
    base = request.base_url
    if base.scheme == "https" or is_loopback(base.hostname or ""):
        return str(base).rstrip("/")
    return f"https://SERVICE{base.path}".rstrip("/")


def _handle_errors(app: FastAPI, service: Service) -> None:
    """Every refusal is a JSON object with an error, and counted."""

    def refused(problem: Problem) -> Response:
        service.metrics.refusals.labels(problem.code).inc()
        return problem.response()

    async def of_problem(request: Request, error: Any) -> Response:
        request.state.facts["code"] = error.code
        return refused(error)

    async def of_query(request: Request, error: Any) -> Response:
        address = app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
        return refused(Problem(422, "query", queries.in_words(error.errors(), address.get("parameters", ()))))

    async def of_http(request: Request, error: Any) -> Response:
        code, headers = _CODES.get(error.status_code, "http"), error.headers or {}
        path = request.url.path[:_MOST_PATH]
        words = {
            "not_found": f"Expected one of the addresses that /docs describes. Received: {path}.",
            "method": f"Expected {headers.get('Allow')} for {path}. Received: {request.method}.",
        }
        response = refused(Problem(error.status_code, code, words.get(code, f"{error.detail}. See /docs.")))
        response.headers.update(headers)
        return response

    async def of_gone(*_: Any) -> Response:
        return Response(status_code=GONE)

    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(RequestValidationError, of_query)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(ClientDisconnect, of_gone)
