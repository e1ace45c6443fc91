"""What a server says of the model behind a name: its own entry of `GET /v1/models`.

In: a model's settings. Out: the parts of the entry that tell one set of weights from another (vLLM's `root`, llama.cpp's `meta`,
a gateway's `digest`); empty where the server says nothing, or is not there. What changes from start to start (`created`,
permissions, the room it was given) is left out. No completion is asked for, and nothing is paid.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
import orjson

from orcamath.backends.wire_calls import at_most, join_url, proxied, sent
from orcamath.backends.wire_keys import Door, door_of
from orcamath.backends.wire_protocol import Fault
from orcamath.backends.wire_run import awaited
from orcamath.settings import ModelSettings
from orcamath.store.hosts import OPENAI, filled_in

__all__ = ["place_of_server", "said_by"]

TELLS = (
    "root",
    "parent",
    "owned_by",
    "meta",
    "digest",
    "sha",
    "hash",
    "revision",
    "quantization",
    "canonical_slug",
    "hugging_face_id",
)
"""Keys of an entry that say which weights answer."""
OF_THE_START = ("n_ctx", "n_slots")
"""What llama.cpp's `meta` says of how it was started."""
MAX_BYTES = 4_000_000
"""No list of models is longer."""
WAIT_S = 5.0


def place_of_server(settings: ModelSettings) -> str:
    """Return host and port of a model's endpoint, in lower case, without a user's name or key."""
    parts = urlsplit(filled_in(settings.base_url or OPENAI))
    return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")


def said_by(settings: ModelSettings) -> dict[str, object]:
    """Ask a server what it serves under the model's name; `{}` where it does not say. Raises RecipeError for a missing key."""
    door = door_of(settings, settings.base_url or OPENAI)
    try:
        listed = orjson.loads(awaited(lambda: _listed(door, trust_env=bool(settings.options.get("trust_env")))))
    except (aiohttp.ClientError, Fault, OSError, TimeoutError, ValueError):
        return {}
    rows = listed.get("data") if isinstance(listed, dict) else None
    entries = [e for e in rows if isinstance(e, dict)] if isinstance(rows, list) else []
    own = [e for e in entries if e.get("id") == settings.model]
    if not own and len(entries) == 1:  # a server of one model answers to any name
        name = entries[0].get("id")
        return _told(entries[0]) | {"id": name if isinstance(name, str) else None}
    return _told(own[0]) if own else {}


def _told(entry: Mapping[str, object]) -> dict[str, object]:
    told = {key: entry[key] for key in TELLS if entry.get(key) is not None and _is_plain(entry[key])}
    if isinstance(meta := told.get("meta"), dict):
        told["meta"] = {key: value for key, value in meta.items() if key not in OF_THE_START}
    return told


def _is_plain(value: object) -> bool:
    """Tell whether a value is nested no deeper than can be written down."""
    try:
        return bool(orjson.dumps(value))
    except TypeError:  # it says so of more than 254 levels
        return False


async def _listed(door: Door, *, trust_env: bool) -> bytes:
    """Return the body of the list; keys are hidden in it. Raises what aiohttp and `sent` raise, ValueError where it is no 200."""
    timeout, trusted = aiohttp.ClientTimeout(total=WAIT_S), proxied(door.url, wanted=trust_env)
    async with aiohttp.ClientSession(headers=door.headers, timeout=timeout, trust_env=trusted) as session:
        status, _, body = await sent(session, "GET", join_url(door.url, "models"), None, at_most(MAX_BYTES))
    if status != 200:
        raise ValueError(status)
    return door.secrets.hide_in(body)
