"""Which host a URL leads to, and how far away that is. Names are compared by whole labels: `evilopenai.com` is not OpenAI's."""

import ipaddress
import os
import re
import unicodedata
from typing import Literal
from urllib.parse import urlsplit

from orcamath.store.literals import VARIABLE

__all__ = ["OPENAI", "belongs", "filled_in", "host_named", "host_of", "is_loopback", "reach"]

OPENAI = "https://api.openai.com/v1"
"""Where a model is that has no `base_url`."""
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*")
Reach = Literal["loopback", "private", "public"]


def host_of(url: str) -> str:
    """Return the host of a URL as it is looked up: in lower case, wide letters and dots as plain ones, no dot at its end."""
    return unicodedata.normalize("NFKC", urlsplit(url).hostname or "").replace("\u3002", ".").casefold().rstrip(".")


def filled_in(base_url: str) -> str:
    """Return an address of a recipe with `${NAME}` filled in where the environment has it. Never for what a server sends."""
    return VARIABLE.sub(lambda match: os.environ.get(match[1], "").strip() or match[0], base_url)


def host_named(base_url: str) -> str:
    """Return the host that an address of a recipe leads to; the variable that names it where nobody has set that."""
    url = filled_in(base_url)
    authority = (url.partition("://")[2] or url).partition("/")[0]
    return authority if VARIABLE.search(authority) else host_of(url)


def belongs(host: str, domain: str) -> bool:
    """Tell whether a host is a domain or below it."""
    return host == domain or host.endswith(f".{domain}")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    return reach(host) == "loopback"


def reach(host: str) -> Reach:
    """Return how far a host is: this machine, a private network (by number, or by a name of one label), or anywhere."""
    if belongs(host, "localhost"):
        return "loopback"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBER.fullmatch(host):  # another spelling of an address, which is looked up as one
            return "public"
        return "public" if "." in host and not belongs(host, "local") and not belongs(host, "internal") else "private"
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return "loopback"
    return "private" if address.is_private or address.is_link_local else "public"
