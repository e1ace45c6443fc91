"""Who may talk to the viewer: only a page that it served itself, on this machine, with the token that it printed.

A page on another site can make this browser send requests here, and a name on the internet can be made to point here; so the
token stands in the path, the Host header must name this very address, and what changes anything must come from our own page.
"""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

__all__ = ["REPORT_POLICY", "TOKEN", "let_through"]

TOKEN: web.AppKey[str] = web.AppKey("token", str)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The report has no script and brings its own style."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def let_through(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through, or refuse it with nothing said of what is here; every answer carries the headers above."""
    try:
        refused = _refusal(request)
        response = web.Response(status=refused, text="refused\n") if refused else await handler(request)
    except web.HTTPException as e:
        response = web.Response(status=e.status, text=f"{e.reason}\n")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refusal(request: web.Request) -> int:
    """Return the status with which a request is refused, 0 where it is let through."""
    if request.headers.get("Host", "") not in _names(request):
        return 421
    given = request.path.split("/")[1] if request.path.startswith("/") else ""
    if not hmac.compare_digest(given.encode(), request.app[TOKEN].encode()):
        return 403
    origin = request.headers.get("Origin")
    if origin is not None and origin not in {f"http://{name}" for name in _names(request)}:
        return 403
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"} and _dest(request) != "document":
        return 403
    if request.method == "POST" and request.content_type != "application/json":
        return 415
    return 0 if request.method in {"GET", "HEAD", "POST"} else 405


def _names(request: web.Request) -> set[str]:
    """Return what this server may be called: its own address and port."""
    address: tuple[str, int] | None = (
        request.transport.get_extra_info("sockname") if request.transport is not None else None
    )
    return {f"{host}:{address[1]}" for host in ("127.0.0.1", "localhost")} if address else set()


def _dest(request: web.Request) -> str:
    return request.headers.get("Sec-Fetch-Dest", "")
