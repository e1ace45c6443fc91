"""The viewer's server: one run folder, this machine only, until it is interrupted.

In: an opened run. Out: a page of our own HTML, style and script, and JSON beside it. Nothing is fetched from elsewhere, and of
the run nothing is written but the index and the reader's marks. Each request works in a thread with its own reading
connection, so that a long search holds nobody up.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib import resources

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from orcamath.errors import UsageError
from orcamath.view.compare import compare
from orcamath.view.doubts import LISTS, doubts
from orcamath.view.find import PAGE, Query, facets, page, record_totals
from orcamath.view.guard import REPORT_POLICY, TOKEN, let_through
from orcamath.view.kinds import FACETS
from orcamath.view.opened import Opened
from orcamath.view.tree import problem_behind, story
from orcamath.view.whole import inert, marked_as, named, question_behind, raw_text, whole

__all__ = ["application", "serve_view"]

log = logging.getLogger(__name__)
UPDATE_EVERY_S = 3.0
MAX_BODY = 64_000
SCRIPTS = ("app.js", "parts.js", "records.js", "story.js", "compare.js", "doubts.js", "live.js")
FILES = {
    "": ("index.html", "text/html"),
    "style.css": ("style.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    **{name: (name, "text/javascript") for name in SCRIPTS},
}
"""What is served as it lies; nothing typed in an address becomes a path."""
Answer = Callable[[Opened, web.Request, object], object]
"""What makes the JSON of one address; the last is the body of a POST."""
Told = Callable[[Exception], str]
"""What one message says of an exception."""
OPENED: web.AppKey[Opened] = web.AppKey("opened", Opened)
TOLD: web.AppKey[Told] = web.AppKey("told")


def application(opened: Opened, token: str, told: Told) -> web.Application:
    """Build the server of one run; everything is below `/TOKEN/`. Whatever goes wrong is said as `told` says it."""
    app = web.Application(middlewares=[let_through, _answered], client_max_size=MAX_BODY)
    app[TOKEN], app[OPENED], app[TOLD] = token, opened, told
    for name, (file, kind) in FILES.items():
        app.router.add_get(f"/{{token}}/{name}", _file(file, kind))
    app.router.add_get("/{token}/report.html", _report)
    for name, answer in GET.items():
        app.router.add_get(f"/{{token}}/api/{name}", _json(answer))
    app.router.add_post("/{token}/api/mark", _json(_mark, posted=True))
    app.router.add_get("/{token}/raw/{record:[0-9]+}", _raw)
    app.cleanup_ctx.append(_updating)
    return app


async def serve_view(opened: Opened, port: int, announce: Callable[[str], None], told: Told) -> None:
    """Serve until cancelled; `announce` gets the address, token and all. Raises OSError where the port is taken."""
    token = secrets.token_urlsafe(24)
    runner = web.AppRunner(application(opened, token, told), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        bound = runner.addresses[0][1]
        announce(f"http://127.0.0.1:{bound}/{token}/")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        opened.index.close()


async def _updating(app: web.Application) -> AsyncIterator[None]:
    """Keep the index up to date while the server runs."""

    async def update() -> None:
        said = ""
        while True:
            try:  # a run may be moved or begun again under our eyes
                await asyncio.to_thread(app[OPENED].update)
            except Exception as e:
                if repr(e) != said:
                    log.warning("the list of records is not up to date: %s", app[TOLD](e))
                said = repr(e)
            await asyncio.sleep(UPDATE_EVERY_S)

    task = asyncio.create_task(update())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let whatever goes wrong be one message, as JSON."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as e:
        body = orjson.dumps({"error": inert(request.app[TOLD](e))})
        return web.Response(
            body=body, status=400 if isinstance(e, UsageError) else 500, content_type="application/json"
        )


def _file(name: str, kind: str) -> Handler:
    async def send(_: web.Request) -> web.Response:
        content = (resources.files(__package__) / "static" / name).read_bytes()
        return web.Response(body=content, content_type=kind, charset="utf-8")

    return send


async def _report(request: web.Request) -> web.StreamResponse:
    path = request.app[OPENED].folder / "report.html"
    if not path.exists():
        raise web.HTTPNotFound
    body = await asyncio.to_thread(path.read_bytes)
    return web.Response(
        body=body, content_type="text/html", charset="utf-8", headers={"Content-Security-Policy": REPORT_POLICY}
    )


async def _raw(request: web.Request) -> web.Response:
    opened, record = request.app[OPENED], int(request.match_info["record"][:18])

    def read() -> str | None:
        with opened.reading() as db:
            return raw_text(db, record, opened.spelling())

    text = await asyncio.to_thread(read)
    if text is None:
        raise web.HTTPNotFound
    return web.Response(text=text, content_type="text/plain", charset="utf-8")


def _json(answer: Answer, *, posted: bool = False) -> Handler:
    async def send(request: web.Request) -> web.Response:
        body = None
        if posted:
            try:
                body = orjson.loads(await request.read())
            except orjson.JSONDecodeError:
                raise web.HTTPBadRequest from None
        found = await asyncio.to_thread(answer, request.app[OPENED], request, body)
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    return send


def _query(request: web.Request) -> Query:
    asked = request.query
    filters = {f: asked[f] for f in FACETS if asked.get(f)}
    return Query(
        asked.get("kind", "problems"),
        asked.get("q", "")[:1000],
        filters,
        asked.get("order", "stored"),
        _number(asked.get("offset"), 0),
        _number(asked.get("limit"), PAGE),
        asked.get("problem", ""),
    )


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 12 else otherwise


def _live(opened: Opened, _request: web.Request, _body: object) -> object:
    with opened.reading() as db:
        return opened.overview() | {"totals": record_totals(db)}


def _records(opened: Opened, request: web.Request, _body: object) -> object:
    with opened.reading() as db:
        found = page(db, _query(request))
    marks = opened.marks.of
    of = [marks.get(marked_as(row["kind"], row["name"], row.get("stage"))) for row in found.rows]
    rows = [row | ({"mark": mark.mark} if mark else {}) for row, mark in zip(found.rows, of, strict=True)]
    return {"rows": rows, "n": found.n, "more": found.more}


def _facets(opened: Opened, request: web.Request, _body: object) -> object:
    with opened.reading() as db:
        return facets(db, _query(request))


def _record(opened: Opened, request: web.Request, _body: object) -> object:
    """One record, by kind and name; the `nth` of those that share it."""
    asked = request.query
    with opened.reading() as db:
        rows = named(db, asked.get("kind", ""), asked.get("name", ""))[_number(asked.get("nth"), 0) :]
        if not rows:
            raise UsageError("this run has no such record; it may not be indexed yet")
        found = whole(db, row := rows[0], opened.spelling())
        if found is None:
            raise UsageError("this record is gone; its stage was made again")
        problem = found.get("problem_id") or found.get("item")
        question = question_behind(db, problem, opened.spelling()) if problem and "question" not in found else ""
        if asked.get("kind") == "attempts":
            said = (whole(db, i, opened.spelling()) for i in named(db, "verdicts", asked.get("name", "")))
            found["verdicts"] = [v for v in said if v is not None]
    name = marked_as(asked.get("kind", ""), asked.get("name", ""), found.get("stage"))
    mark = opened.marks.of.get(name)
    marked = {"mark_id": inert(name), "mark": inert(mark._asdict()) if mark else None}
    return {"row": row, "record": found, "question": inert(question), **marked}


def _story(opened: Opened, request: web.Request, _body: object) -> object:
    with opened.reading() as db:
        found = story(db, request.query.get("id", ""), opened.spelling())
    mark = opened.marks.of.get(found["focus"])
    return found | {"mark": inert(mark._asdict()) if mark else None}


def _resolve(opened: Opened, request: web.Request, _body: object) -> object:
    with opened.reading() as db:
        return {"problem": problem_behind(db, request.query.get("id", ""))}


def _students(opened: Opened, _request: web.Request, _body: object) -> object:
    return inert([s._asdict() for s in opened.students()])


def _compare(opened: Opened, request: web.Request, _body: object) -> object:
    known = {s.key: s for s in opened.students()}
    one, two = (known.get(request.query.get(side, "")) for side in ("first", "second"))
    if one is None or two is None:
        raise UsageError("name two measured students, `first` and `second`")
    return inert(compare(one, two, opened.folders(), opened.store), 4_000)


def _lists(_opened: Opened, _request: web.Request, _body: object) -> object:
    return [{"name": name, "title": found.title, "about": found.about} for name, found in LISTS.items()]


def _doubts(opened: Opened, request: web.Request, _body: object) -> object:
    with opened.reading() as db:
        items = doubts(request.query.get("list", ""), opened.sources(db))
    marks = opened.marks.of
    return [item | ({"mark": inert(marks[item["id"]]._asdict())} if item["id"] in marks else {}) for item in items]


def _mark(opened: Opened, _request: web.Request, body: object) -> object:
    if not isinstance(body, dict):
        raise UsageError("a mark is an object with `id`, `mark` and `note`")
    return inert(opened.marks.add(body.get("id"), body.get("mark"), body.get("note", ""))._asdict())


GET: dict[str, Answer] = {
    "live": _live,
    "records": _records,
    "facets": _facets,
    "record": _record,
    "story": _story,
    "resolve": _resolve,
    "students": _students,
    "compare": _compare,
    "lists": _lists,
    "doubts": _doubts,
}
