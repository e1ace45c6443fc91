"""A model behind an OpenAI-style endpoint: OpenAI, Azure, vLLM, SGLang, llama.cpp, Ollama, gateways.

Chat completions for messages, text completions for prompt ids, over aiohttp + orjson. One reply a request; what fails for
good is `Reply.error`. A failed call is tried again up to `max_tries` times with full-jitter backoff; a throttled one waits
as it is told to, without using up tries. What no retry can mend raises: TeacherRefused (key, model, quota), WireDown,
CapReached. `Pace` holds concurrency and limits, `Quirks` what the model does not take, `Secrets` what must not be shown.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import aiohttp
import orjson
from pydantic import Field

from orcamath.backends import wire_run
from orcamath.backends.wire_calls import at_most, billed, check_body, join_url, proxied, sent
from orcamath.backends.wire_keys import Door, door_of
from orcamath.backends.wire_pace import Pace, backoff, bounded
from orcamath.backends.wire_protocol import (
    Fault,
    Parsed,
    body_of,
    fault_of,
    is_refusal_of_content,
    parse_reply,
    without_echo,
)
from orcamath.backends.wire_quirks import Quirks
from orcamath.errors import RecipeError, TeacherRefused
from orcamath.ports import Replies, Reply, Request, Sampling, Usage
from orcamath.records import Settings, digest
from orcamath.settings import ModelSettings, read_options
from orcamath.store.budget import Meter, most_tokens
from orcamath.store.hosts import OPENAI
from orcamath.store.literals import refuse_literals
from orcamath.store.prices import price_of
from orcamath.store.under_way import meter

__all__ = ["OpenAICompatible", "WireOptions", "fingerprint_of", "open_chat"]

MAX_REPLY_BYTES = 16_000_000
_READ = at_most(MAX_REPLY_BYTES)
MAX_WAITS = 60
"""How often one call lets itself be put off by a throttling endpoint."""
BAD_REQUESTS = 3
"""That many requests refused as malformed before any completion: it is the recipe, not the items."""
_CONNECT_S = 15.0
_KEEP_ALIVE_S = 4.0  # below the 5 s after which common servers close an idle connection


class WireOptions(Settings):
    """What a recipe may say under `options`."""

    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    first_backoff_s: float = Field(default=0.5, ge=0)
    """The wait before a second try is drawn up to here, and twice as far for each further one."""
    pause_s: float = Field(default=1.0, ge=0)
    """Between two probes of an endpoint that is down, doubled each time."""
    trust_env: bool = False
    """Use a proxy that the environment names."""
    fingerprint: str | None = None
    price: object = None
    """[prompt, completion], see `store.prices`."""


def fingerprint_of(settings: ModelSettings) -> str:
    """Return the name under which this model's answers are remembered: declared model, revision, extra body.

    Host, price and speed are not in it, so a run may change endpoints. A student of ours is served under its own
    fingerprint, which `options.fingerprint` then holds.
    """
    if declared := settings.options.get("fingerprint"):
        return str(declared)
    name = f"{settings.model}@{settings.revision or '-'}"
    return f"{name}#{digest(settings.body)[:12]}" if settings.body else name


def open_chat(settings: ModelSettings) -> "OpenAICompatible":
    """Return the model as a Chat; nothing is sent yet. Raises RecipeError on a wrong option."""
    if not settings.model:
        raise RecipeError("`model` is empty: give the name under which the endpoint serves the model")
    return OpenAICompatible(settings)


class OpenAICompatible:
    """The Chat. Every call on the wire is held and settled on the books of the stage under way."""

    chunk: int | None = None

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.fingerprint = fingerprint_of(settings)
        self.base_url = settings.base_url or OPENAI
        check_body(settings.model, settings.body)
        refuse_literals(settings)
        self._meter: Meter | None = None
        self._options = read_options(WireOptions, settings.options, "backend `openai_compatible`")
        self._quirks = Quirks(settings.model)
        self._pace = Pace(
            settings.concurrency,
            requests_per_minute=self._options.requests_per_minute,
            tokens_per_minute=self._options.tokens_per_minute,
            pause_s=self._options.pause_s,
            timeout_s=settings.timeout_s,
        )
        self._session: aiohttp.ClientSession | None = None
        self._flight = wire_run.Flight()
        self._completions = self._bad_requests = 0
        self._paying = 0
        self._settled: asyncio.Event | None = None

    @cached_property
    def _door(self) -> Door:
        """URL, headers and further fields with their secrets, read when the first call is made: a plan needs no key."""
        return door_of(self.settings, self.base_url)

    @cached_property
    def _urls(self) -> tuple[str, str]:
        """Where chat completions and text completions are asked for."""
        return join_url(self._door.url, "chat/completions"), join_url(self._door.url, "completions")

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer the requests, in any order."""
        assert self._door is not None  # a missing one is said here, where it can be raised
        self._flight = wire_run.Flight()
        self._meter = meter(lambda: price_of(self.settings, "openai_compatible"))
        window = self.settings.concurrency
        return wire_run.run_requests(
            self._ask, requests, self.fingerprint, window, self._flight, opening=self._open, closing=self._close
        )

    async def _open(self) -> None:
        self._pace.start()
        self._paying, self._settled = 0, asyncio.Event()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=_KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout_s, sock_connect=_CONNECT_S),
            headers={"Content-Type": "application/json", **self._door.headers},
            trust_env=proxied(self._door.url, wanted=self._options.trust_env),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, request: Request, key: bytes) -> Reply:
        tries, waits, raced = 0, 0, False
        loop = asyncio.get_running_loop()
        n_tokens = self._most(request) if self._options.tokens_per_minute else 0
        while not self._flight.stopping:
            held = await self._reserve(request)
            try:
                reply = await self._once(request, key, n_tokens, held)
            except _AskDifferently:
                self._pace.alive()
                continue
            except Fault as fault:
                message = self._door.secrets.hide(str(fault))
                if fault.kind == "refused":
                    raise TeacherRefused(f"model `{self.settings.model}` at {self.base_url}: {message}") from None
                if fault.kind == "item":
                    self._pace.alive()
                    return self._bad_request(fault, message, key)
                if fault.kind == "busy" and waits < MAX_WAITS:
                    waits += 1
                    self._pace.throttled(fault.sent_at, loop.time(), fault.retry_after)
                    if fault.retry_after is None:
                        await asyncio.sleep(backoff(waits, self._options.first_backoff_s))
                    continue
                if fault.kind == "race" and not raced and not self._pace.down:
                    raced = True
                    continue
                tries += 1
                self._pace.failed(fault.sent_at, loop.time(), message)
                if tries >= self.settings.max_tries:
                    return Reply(key, error=f"{message} (tried {tries} times)")
                await asyncio.sleep(max(bounded(fault.retry_after), backoff(tries - 1, self._options.first_backoff_s)))
            else:
                return reply
        raise asyncio.CancelledError

    def _most(self, request: Request) -> int:
        """Return the most tokens that a call can take, prompt and answer; each call reads its whole body for that."""
        most = most_tokens(request, self._door.body)
        return most.prompt_tokens + most.completion_tokens

    async def _once(self, request: Request, key: bytes, n_tokens: int, held: int) -> Reply:
        """Make one call on the wire. Raises Fault; settles with the meter whatever happens."""
        sent, bill, ours, task = False, None, False, asyncio.current_task()
        try:
            sent_at = await self._pace.turn(n_tokens)
            try:
                if self._flight.stopping:  # refused for good while this call waited for its turn
                    raise asyncio.CancelledError
                sent = True
                self._flight.on_wire.add(task)
                parsed = await self._post(request, key)
                self._pace.answered(sent_at, asyncio.get_running_loop().time())
                if self._meter is not None:
                    bill, ours = billed(parsed, request, self._door.body, self.settings.model)
                self._completions += 1
                return self._clean(parsed.reply, request.sampling)
            except _AskDifferently:
                sent = False
                raise
            except Fault as fault:
                sent, fault.sent_at = fault.billed, sent_at
                self._flight.stopping |= fault.kind == "refused"
                raise
            finally:
                self._flight.on_wire.discard(task)
                self._pace.left()
        finally:
            self._settle(held, bill, sent=sent, replaced=ours)

    def _clean(self, reply: Reply, sampling: Sampling) -> Reply:
        """Take our key out of an answer that repeats it, and what a server leaves of a stop string and behind it."""
        hide = self._door.secrets.hide
        text, reasoning = sampling.before_stop(hide(reply.text)), reply.reasoning and hide(reply.reasoning)
        if text == reply.text and reasoning == reply.reasoning:
            return reply
        return replace(reply, text=text, reasoning=reasoning)

    async def _post(self, request: Request, key: bytes) -> Parsed:
        assert self._session is not None
        url = self._urls[request.token_ids is not None]
        body = self._quirks.apply(body_of(request, self.settings.model, self._door.body))
        try:
            status, headers, payload = await sent(self._session, "POST", url, orjson.dumps(body), _READ)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as e:
            looks = f"is a server running there? `curl {self.base_url}/models` tells"
            raise Fault("wire", f"cannot connect to {self.base_url}: {e} ({looks})") from e
        except TimeoutError:
            raise Fault("wire", f"no answer within {self.settings.timeout_s:g} s", billed=True) from None
        except aiohttp.ServerDisconnectedError as e:
            raise Fault("race", f"the connection broke: {e}", billed=True) from e
        except (aiohttp.ClientError, OSError) as e:
            raise Fault("wire", f"the connection broke: {type(e).__name__} {e}", billed=True) from e
        payload = self._door.secrets.hide_in(payload)
        texts = [m.content for m in request.messages]
        if status == 200:
            return parse_reply(key, payload, texts)
        payload = without_echo(payload, texts)
        fault = fault_of(status, headers, payload)
        if fault.kind == "item" and self._quirks.learn(body, payload):
            raise _AskDifferently
        raise fault

    def _bad_request(self, fault: Fault, message: str, key: bytes) -> Reply:
        """Judge a 400: a verdict on this text is data, else the item fails; raise where every call gets one."""
        if is_refusal_of_content(fault, others_pass=bool(self._completions)):
            return Reply(key, finish_reason="refused")
        self._bad_requests += 1
        if not self._completions and self._bad_requests >= BAD_REQUESTS:
            raise TeacherRefused(
                f"model `{self.settings.model}` at {self.base_url} takes no request of ours: {message}"
            )
        return Reply(key, error=message)

    async def _reserve(self, request: Request) -> int:
        """Hold the most this call can cost; waits for calls under way to settle, raises CapReached when none is."""
        if self._meter is None:
            return 0
        assert self._settled is not None
        while (held := self._meter.reserve(request, self._door.body)) is None:
            if not self._paying:
                raise self._meter.reached(request, self._door.body)
            self._settled.clear()
            await self._settled.wait()
        self._paying += 1
        return held

    def _settle(self, held: int, bill: Usage | None, *, sent: bool, replaced: bool) -> None:
        if self._meter is not None:
            self._paying -= 1
            self._meter.settle(held, bill, sent=sent, replaced=replaced)
            if self._settled is not None:
                self._settled.set()


class _AskDifferently(Exception):
    """A field that the model refuses was left out or renamed: ask again."""
