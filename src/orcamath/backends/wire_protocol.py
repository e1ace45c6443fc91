"""What goes over the wire and what comes back, as pure functions: request bodies, replies, and what a failure means.

In: a `Request`, or the status, headers and bytes of an HTTP answer. Out: JSON bytes, or a `Reply` with what was billed, or a
`Fault` that says what to do next. Chat completions for messages, text completions for prompt ids. Nothing here does I/O.
"""

import datetime as dt
import email.utils
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import orjson

from orcamath.ports import Reply, Request, Usage

__all__ = [
    "Fault",
    "Parsed",
    "body_of",
    "fault_of",
    "is_refusal_of_content",
    "parse_reply",
    "retry_after",
    "split_reasoning",
    "without_echo",
]

Kind = Literal["busy", "wire", "race", "item", "refused"]
_FINISH: dict[str, Literal["stop", "length", "refused"]] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral: the context is full
    "content_filter": "refused",
    "refusal": "refused",
    "safety": "refused",  # Gemini's own words, passed on
    "recitation": "refused",
    "blocklist": "refused",
    "prohibited_content": "refused",
    "spii": "refused",
}
_BROKEN = ("error", "abort", "aborted", "cancelled", "timeout", "insufficient_system_resource")
"""Why a text ended that is no answer: a gateway's upstream failed, or the server let the request go."""
_QUOTA = re.compile(
    r"insufficient_quota|billing_hard_limit|exceeded your current quota|insufficient (?:balance|credits?)|"
    r"requires more credits|credit balance is too low",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|maximum model length|prompt is too long|"
    r"exceeds? the available context size|exceed_context_size|ContextWindowExceeded|"
    r"longer than the model's context length|input length \(\d+ tokens\) exceeds the maximum allowed length|"  # SGLang, Together
    r"`inputs` must have less than|"  # TGI; of prompt and `max_new_tokens` together every call may be too long
    r"requested input length \d+ exceeds|"  # DeepInfra
    r"greater than the context length|context length (?:is|of) only|"  # LM Studio, vLLM since its renderers
    r"input token count \(\d+\) exceeds",  # Gemini
    re.IGNORECASE,
)
_COUNTED = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"maximum context length (?:is|of) (?P<room>\d{1,12}) tokens.{0,200}?(?<!\d)(?<!at least )(?P<prompt>\d{1,12}) "
        r"(?:in (?:the messages|your prompt)|input tokens|tokens from the input)",
        r"passed (?P<prompt>\d{1,12}) input tokens.{0,200}?context length is only (?P<room>\d{1,12})",
    )
)
"""A prompt and its answer that are too long together: the prompt's tokens, and the context's."""
_FILTERED = re.compile(
    r"content_filter|content management policy|ResponsibleAIPolicy|"  # Azure
    r"input was flagged|"  # OpenRouter
    r"prompt was flagged|limited access to this content|"  # OpenAI, of its reasoning models
    r"violates usage guidelines|data_inspection_failed",  # xAI, DashScope
    re.IGNORECASE,
)
_FLAGGED = re.compile(
    r'"code": ?"content_filter"|your input was flagged|Content violates usage guidelines', re.IGNORECASE
)
"""The same beside a 403, which is the account's in other words."""
_RETRY_IN = re.compile(r"retry in (\d{1,9}(?:\.\d{1,9})?) ?s\b|\"retryDelay\": ?\"(\d{1,9}(?:\.\d{1,9})?)s\"")
_OF_A_DAY = re.compile(r"per ?day", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model_not_found|deploymentnotfound|invalid model name|is pinned to|model\b.{0,80}\bdoes not exist",
    re.IGNORECASE | re.DOTALL,
)
_NO_KEY = re.compile(
    r"AuthenticationError|API key (?:not valid|expired)|api_key client option must be set|Missing credentials",
    re.IGNORECASE,
)
MAX_SHOWN = 2_000
MIN_ECHO = 16
"""Characters of a prompt that an error is searched for; what is shorter says nothing of a call, and may be a word of its own."""


class Fault(Exception):
    """One call that brought no completion.

    `busy`: the endpoint is fine and asks for patience. `wire`: a retry may help. `race`: so
    probably will one at once, the connection was closed while the call went out. `item`: this request is at fault.
    `refused`: every request will be. `billed` tells whether the provider may charge for it all the same.
    """

    def __init__(
        self, kind: Kind, message: str, *, billed: bool = False, retry_after: float | None = None, status: int = 0
    ) -> None:
        super().__init__(message)
        self.kind, self.billed, self.retry_after, self.status = kind, billed, retry_after, status
        self.sent_at = 0.0


class Parsed(NamedTuple):
    """A well-formed completion, and what the endpoint claims that prompt and completion come to (None: it does not say)."""

    reply: Reply
    claim: tuple[object, object] | None


def body_of(request: Request, model: str, extra: Mapping[str, object]) -> dict[str, object]:
    """Return the JSON body of one request. `extra` is the recipe's and wins.

    The seed is the request's own, cut to 31 bits because some servers take no more; greedy calls send none.
    """
    s = request.sampling
    body: dict[str, object] = {"model": model}
    if request.token_ids is not None:
        body["prompt"] = list(request.token_ids)
    else:
        body["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
    body["temperature"] = s.temperature
    body["max_tokens"] = s.max_tokens
    if s.top_p != 1.0 or request.token_ids is not None:  # a server of open weights has a default of its own
        body["top_p"] = s.top_p
    if s.stop:
        body["stop"] = list(s.stop)
    if s.temperature > 0:
        body["seed"] = request.seed() & 0x7FFF_FFFF
    body.update(extra)
    return body


def split_reasoning(text: str) -> tuple[str, str | None]:
    """Part `<think>…</think>` at the start of an answer from the answer; an unclosed one is all reasoning."""
    start = text.lstrip()
    if not start.startswith("<think>"):
        return text, None
    thought, closed, answer = start.removeprefix("<think>").partition("</think>")
    return (answer.lstrip("\n"), thought.strip()) if closed else ("", thought.strip())


def parse_reply(key: bytes, payload: bytes, texts: Iterable[str] = ()) -> Parsed:
    """Read a 200 answer to a call of those texts. Raises a Fault where it is no completion, which may be charged for."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise Fault("wire", f"the answer is no JSON: {_shown(payload)}", billed=True) from None
    if isinstance(body, dict) and body.get("error"):  # some gateways wrap a failure in a 200
        code = body["error"].get("code") if isinstance(body["error"], dict) else None
        status = code if isinstance(code, int) and code >= 400 else 502
        fault = fault_of(status, {}, without_echo(payload, texts))
        fault.billed = bool(body.get("usage") or body.get("choices"))  # made, and counted
        raise fault
    try:
        choice = body["choices"][0]
        message = choice.get("message")
        text, thought, refusal = _content(choice if message is None else message)
        finish, broken = choice.get("finish_reason"), choice.get("error")
        claim = _claim(body.get("usage"))
        ids = choice.get("token_ids")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Fault("wire", f"the answer has not the shape of a completion: {_shown(payload)}", billed=True) from None
    finish = finish.casefold().partition(":")[0] if isinstance(finish, str) else finish
    if broken or finish in _BROKEN:
        raise Fault("wire", f"the answer was broken off by the server: {_shown(payload)}", billed=True)
    if thought is None:
        text, thought = split_reasoning(text)
    tokens = tuple(ids) if isinstance(ids, list) and all(type(i) is int for i in ids) else None
    if tokens is not None and not all(0 <= i < 2**32 for i in tokens):
        raise Fault("wire", f"the answer has token ids that no vocabulary has: {_shown(payload)}", billed=True)
    reason = "refused" if refusal else _FINISH.get(finish if isinstance(finish, str) else "", "stop")
    return Parsed(Reply(key, text, reason, _usage(claim), tokens, None, thought), claim)


def _content(part: dict[str, object]) -> tuple[str, str | None, bool]:
    """Return text, reasoning told apart by the server, and whether the model refused."""
    content = part["text"] if "text" in part else part["content"]
    if isinstance(content, list):  # parts; only text is read
        content = "".join(p["text"] for p in content if p.get("type") == "text")
    refusal = part.get("refusal")
    if content is None:
        content = refusal or ""
    if not isinstance(content, str):
        raise TypeError
    thought = part.get("reasoning_content") or part.get("reasoning")
    return content, thought if isinstance(thought, str) else None, bool(refusal)


def _claim(usage: object) -> tuple[object, object] | None:
    if not isinstance(usage, dict) or not {"prompt_tokens", "completion_tokens"} <= usage.keys():
        return None
    prompt, completion, total = (usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
    if type(prompt) is int and type(completion) is int and type(total) is int:
        completion = max(completion, total - prompt)  # Gemini and Grok count what was thought in the sum alone
    return prompt, completion


def _usage(claim: tuple[object, object] | None) -> Usage:
    """Return the usage to remember: what is claimed, if those are numbers of tokens at all."""
    n_in, n_out = (n if type(n) is int and 0 <= n < 2**63 else 0 for n in claim or (0, 0))
    return Usage(n_in, n_out)


def fault_of(status: int, headers: Mapping[str, str], payload: bytes) -> Fault:
    """Say what an HTTP failure means. Nothing is charged for an answer that says no."""
    said = _shown(payload)
    message = f"HTTP {status}: {said}"
    wait = retry_after(headers)
    if (status in (400, 422) and _FILTERED.search(said)) or (status == 403 and _FLAGGED.search(said)):
        return Fault("item", message, status=status)
    if status == 429 and wait is None:
        wait = _of_a_minute(said)
    if status == 402 or (_QUOTA.search(said) and not (status == 429 and _of_a_minute(said) is not None)):
        return Fault("refused", f"{message}. The account is out of quota: add credit, then run again", status=status)
    if status in (401, 403) or (
        status in (400, 500) and _NO_KEY.search(said)
    ):  # gateways pass an upstream's 401 on as they like
        return Fault(
            "refused", f"{message}. Check the key: `api_key_env` names the variable that holds it", status=status
        )
    if status == 404 or (status == 400 and _NO_MODEL.search(said)):
        return Fault(
            "refused", f"{message}. Check `model` and `base_url` (up to and including /v1) in the recipe", status=status
        )
    if status in (429, 529) or (status == 503 and wait is not None):
        return Fault("busy", message, retry_after=wait, status=status)
    if status == 500 and _TOO_LONG.search(said):
        return Fault("item", message, status=status)
    if status in (408, 409, 425) or status >= 500:
        return Fault("wire", message, retry_after=wait, status=status)
    return Fault("item", message, status=status)


def without_echo(payload: bytes, texts: Iterable[str]) -> bytes:
    """Return an error without the texts of its own call, however it spells them: their words say nothing of what is wrong."""
    for text in texts:
        spelled = {text} if len(text) >= MIN_ECHO else set[str]()
        for _ in range(2):  # as JSON, and as JSON that a gateway wraps into its own
            spelled |= {json.dumps(s, ensure_ascii=plain)[1:-1] for s in spelled for plain in (True, False)}
        for one in spelled:
            payload = payload.replace(one.encode(errors="replace"), b"(the prompt)")
    return payload


def is_refusal_of_content(fault: Fault, *, others_pass: bool = False) -> bool:
    """Tell whether an answer is the provider's verdict on this very text: data, like a model's refusal.

    A prompt that fits alone is too long with its answer: where `others_pass` it is the text's, else the limit's.
    """
    said = str(fault)
    too_long = bool(_TOO_LONG.search(said)) and (others_pass or not _fits(said))
    return fault.kind == "item" and (too_long or bool(_FILTERED.search(said)))


def _of_a_minute(said: str) -> float | None:
    """Return the seconds until a minute's limit is over, which Gemini calls the quota too; None where that is really used up."""
    asked = _RETRY_IN.search(said)
    if asked is None or _OF_A_DAY.search(said) or "insufficient_quota" in said:
        return None
    return float(asked[1] or asked[2])


def _fits(said: str) -> bool:
    """Tell whether the prompt alone would fit: then it is the recipe's limit of tokens that does not."""
    return any(m is not None and int(m["prompt"]) < int(m["room"]) for m in (p.search(said) for p in _COUNTED))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds an answer asks to wait (`retry-after-ms`, or `Retry-After` in seconds or as a date)."""
    try:
        if (ms := headers.get("retry-after-ms")) is not None:
            return _finite(float(ms) / 1000)
        if (value := headers.get("Retry-After")) is None:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return _finite(float(value))
        until = email.utils.parsedate_to_datetime(value)
        if until.tzinfo is None:
            until = until.replace(tzinfo=dt.UTC)
        return _finite((until - dt.datetime.now(tz=dt.UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _finite(seconds: float) -> float | None:
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _shown(payload: bytes) -> str:
    return payload[:MAX_SHOWN].decode("utf-8", "replace").strip()
