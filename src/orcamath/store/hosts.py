"""Which host a URL leads to, and how far away that is. Names are compared by whole labels: `evilopenai.com` is not OpenAI's."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

__all__ = ["belongs", "host_of", "is_loopback", "reach"]

Reach = Literal["loopback", "private", "public"]


def host_of(url: str) -> str:
    """Return the host of a URL, in lower case and without the dot that may end it."""
    return (urlsplit(url).hostname or "").rstrip(".")


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
        return "public" if "." in host and not belongs(host, "local") and not belongs(host, "internal") else "private"
    if address.is_loopback:
        return "loopback"
    return "private" if address.is_private or address.is_link_local else "public"
