"""Id tags replaced by keyed hashes: who charged cannot be read, the same tag is the same name everywhere."""

import hashlib
import hmac
import re
from functools import lru_cache
from typing import Any

_PREFIX = "tag-"
_DIGITS = 16
"""Together 20 characters, the longest id tag of OCPP 1.6; 64 bits keep millions of tags apart."""
_TAG_KEYS = frozenset({"idtag", "parentidtag"})
_TAG_IN_TEXT = re.compile(r'((?:parent)?_?id_?tag\\*"\s*:\s*\\*")((?:[^"\\]|\\(?!"))*)', re.IGNORECASE)
_TOLD_KEYS = frozenset({"errordescription", "errordetails", "reason"})
_QUOTED = re.compile(r"""(["']).*?\1""", re.DOTALL)


class Pseudonyms:
    """Names instead of id tags, by a key: without it nobody can try tags out."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.of = lru_cache(100_000)(self._of)

    def _of(self, tag: str) -> str:
        """Return the name of a tag; OCPP's tags are the same in capitals and in small letters."""
        digest = hmac.new(self._key, tag.casefold().encode("utf-8", "surrogatepass"), hashlib.sha256)
        return _PREFIX + digest.hexdigest()[:_DIGITS]

    def replace(self, value: Any) -> Any:
        """Return the same JSON without id tags: neither as values nor in texts that hold or quote them."""
        match value:
            case dict():
                return {key: self._in_field(key, inner) for key, inner in value.items()}
            case list():
                return [self.replace(inner) for inner in value]
            case str() if '"' in value:
                return _TAG_IN_TEXT.sub(lambda found: found[1] + self.of(found[2]), value)
            case _:
                return value

    def _in_field(self, key: str, value: Any) -> Any:
        name = key.replace("_", "").lower()
        if isinstance(value, str):
            if name in _TAG_KEYS:
                return self.of(value)
            if name in _TOLD_KEYS:
                # What was wrong with a message may be told by quoting it.
                return _QUOTED.sub('"…"', value)
        return self.replace(value)
