"""One HTTP call of a model's wire: its address, where it may be led, how much is read, what its body may not say, its bill.

Redirects are followed to the same origin only, with the same method and body: another one would be given headers and prompts.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from orcamath.backends.wire_protocol import Fault, Parsed
from orcamath.errors import RecipeError
from orcamath.ports import Request, Usage
from orcamath.store.bill import believed, limits, most_tokens, plain_name, prompt_bytes
from orcamath.store.hosts import host_of, is_loopback

__all__ = ["at_most", "billed", "check_body", "fetched", "join_url", "proxied", "sent"]

MAX_HOPS = 4
MAX_LOCATION = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_IS_THE_CALL = frozenset(
    """model models engine deploymentid fallbacks userconfig baseurl apibase extrabody messages prompt prompts promptembeds
    input inputs n bestof numreturnsequences numgenerations numresponses candidatecount prediction stream streamoptions
    background""".split()
)
"""By whatever name some endpoint knows it: a list of models to fall back on is another model, with another price. Without
underscores and in small letters, since there are endpoints (those written in Go) that read `N` and `Stream` as well."""
log = logging.getLogger("orcamath.wire")


def check_body(model: str, body: Mapping[str, Any]) -> None:
    """Raise RecipeError where a recipe's `body` changes what a call is: who is asked, what, how often, in which form."""
    for name in body:
        if plain_name(name) in _IS_THE_CALL:
            raise RecipeError(
                f"`body.{name}` of model `{model}` is no further field but the call itself. Leave it out: prompts, draws, models "
                f"have settings of their own"
            )
    for name, limit in limits(body):
        if not (type(limit) is int and limit > 0):
            raise RecipeError(f"`body.{name}` of model `{model}` is {limit!r}: give a whole number above 0")


def billed(parsed: Parsed, request: Request, extra: Mapping[str, object], model: str) -> tuple[Usage | None, bool]:
    """Return what to book for an answer, and whether it is our own count; None where the endpoint says nothing."""
    if parsed.claim is None:
        return None, False
    most, reply = most_tokens(request, extra), parsed.reply
    came = sum(len(t.encode("utf-8", "surrogatepass")) for t in (reply.text, reply.reasoning or ""))
    asked = prompt_bytes(request) * (4 if request.token_ids is not None else 1)
    prompt, first = believed(parsed.claim[0], asked, most.prompt_tokens)
    completion, second = believed(parsed.claim[1], came + 4 * bool(came), most.completion_tokens)  # and the end
    if first or second:
        _say_replaced(model)
    return Usage(prompt, completion), first or second


@cache
def _say_replaced(model: str) -> None:
    log.warning("model `%s` says a usage that cannot be: its calls are booked at half their bytes where it does", model)


def join_url(base_url: str, path: str, query: str = "") -> str:
    """Append a path to an endpoint's address, and a query to the one it has (Azure's `?api-version=`)."""
    parts = urlsplit(base_url)
    queries = "&".join(filter(None, (parts.query, query)))
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}", query=queries))


def at_most(n_bytes: int) -> Callable[[aiohttp.ClientResponse], Awaitable[bytes]]:
    """Return what reads a body of at most so many bytes. It raises Fault for a longer one."""

    async def read(response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length
        if length is not None and length <= n_bytes and "Content-Encoding" not in response.headers:
            return await response.read()
        parts, n = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            n += len(part)
            if n > n_bytes:
                raise Fault("wire", f"the answer is longer than {n_bytes} bytes", billed=True)
        return b"".join(parts)

    return read


async def sent(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    data: object,
    read: Callable[[aiohttp.ClientResponse], Awaitable[bytes]],
) -> tuple[int, Mapping[str, str], bytes]:
    """Make a call; return status, headers, and what `read` reads. Redirects are followed within the call's origin.

    Raises Fault naming the place where one leads elsewhere, or in a circle.
    """
    place = begun = URL(url)
    for _ in range(MAX_HOPS):
        async with session.request(method, place, data=data, allow_redirects=False) as response:
            if response.status not in REDIRECTS:
                return response.status, response.headers, await read(response)
            status, place = response.status, _led(place, response)
        if _origin(place) != _origin(begun) or place.user is not None or status == 303:
            break
    raise Fault(
        "refused",
        f"the endpoint redirects to `{place}`, which is not followed: headers and prompts are for the host that the recipe "
        f"names. Put that place into `base_url` if you trust it",
        status=status,
    )


async def fetched(
    session: aiohttp.ClientSession,
    url: str,
    timeout: aiohttp.ClientTimeout,
    read: Callable[[aiohttp.ClientResponse], Awaitable[bytes]],
) -> tuple[int, Mapping[str, str], bytes]:
    """Fetch a file, whose host may redirect to where it keeps files: there without any header of ours."""
    async with session.get(url, allow_redirects=False) as response:
        if response.status not in REDIRECTS:
            return response.status, response.headers, await read(response)
        place = _led(URL(url), response)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as bare:
        for _ in range(MAX_HOPS):
            if place.scheme != "https" and not is_loopback(host_of(str(place))):
                raise Fault(
                    "refused", f"the file is said to be at `{place}`, which is not https: it is not fetched there"
                )
            async with bare.get(place, allow_redirects=False) as response:
                if response.status not in REDIRECTS:
                    return response.status, response.headers, await read(response)
                place = _led(place, response)
    raise Fault("refused", f"the file at `{url}` leads on and on, last to `{place}`: it is not fetched")


def _led(place: URL, response: aiohttp.ClientResponse) -> URL:
    """Return where a redirect leads, as the one who connects reads it. Raises Fault where that is no address."""
    said = response.headers.get("Location", "")
    try:
        to = place.join(URL(said))
        to.origin()
        _origin(to)  # reads host and port, which may be none
    except ValueError:
        message = f"the endpoint redirects to `{said[:MAX_LOCATION]}`, which is no address"
        raise Fault("refused", message, status=response.status) from None
    return to


def proxied(url: str, *, wanted: bool) -> bool:
    """Tell whether a proxy of the environment may be used: never towards this machine."""
    return wanted and not is_loopback(host_of(url))


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, (url.host or "").rstrip("."), url.port
