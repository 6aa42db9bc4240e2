"""Where a Grafana is, and whether its address and token can be used: pure, before anything is asked."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """A Grafana's address in its parts; it holds no secret, so it may be printed."""

    protocol: str
    host: str
    port: int | None
    prefix: str
    """The path below which it is served: empty, or with a slash at its end."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the parts of e.g. `http://127.0.0.1:3000` or `https://example.org/grafana`.

        Raises ValueError saying what is wrong, in words that repeat nothing which could be a secret.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("is no URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("is no http:// or https:// URL")
        if "@" in parts.netloc:
            raise ValueError(
                "carries a user: an address carries no secret, the token is a setting of its own"
            )
        if parts.query or parts.fragment:
            raise ValueError("has something after its path")
        path = parts.path.strip("/")
        return cls(parts.scheme, f"[{host}]" if ":" in host else host, port, f"{path}/" if path else "")

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}://{self.host}{port}/{self.prefix}".rstrip("/")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where no proxy leads."""
        return self.host in ("localhost", "[::1]") or self.host.startswith("127.")


def address_complaint(url: str) -> str | None:
    """Return what is wrong with an address, or None; empty is none at all."""
    try:
        Address.parse(url) if url else None
    except ValueError as error:
        return str(error)
    return None


def token_complaint(token: str) -> str | None:
    """Return what is wrong with a token, or None; empty is none at all."""
    # It goes into a header, and libraries quote a header that they refuse.
    is_one_word = token.isascii() and token.isprintable() and " " not in token
    return None if is_one_word else "is no single word of ASCII characters"
