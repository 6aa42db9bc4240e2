"""Id tags replaced by keyed hashes: who charged cannot be read, the same tag is the same name everywhere."""

import contextlib
import hashlib
import hmac
import json
import re
from functools import lru_cache
from typing import Any

_PREFIX = "tag-"
_DIGITS = 16
"""Together 20 characters, the longest id tag of OCPP 1.6; 64 bits keep millions of tags apart."""
_TAG_KEYS = frozenset({"idtag", "parentidtag", "idtags"})
_TAG_IN_TEXT = re.compile(
    r"""(id[_ -]?tags?(?!\w)\\*["'`]?   # the name, and what closes it
         \s*[:=>]\s*)                    # in JSON, in a query, in XML
        (?: (\\*["'`]) ((?:(?!\2)(?:\\.|.))*)   # a text, as far as to what closes it
          | ([^\s"'`\\<>,;&(){}\[\]]+) )""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_TOLD_KEYS = frozenset({"errordescription", "errordetails", "reason"})
_QUOTES = "\"'`"
_TAG_NAMED = re.compile(r"(id[_ -]?tag\b\W*).+", re.IGNORECASE | re.DOTALL)


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
            case str() if "tag" in value.lower():
                return self._in_text(value)
            case _:
                return value

    def _in_field(self, key: str, value: Any) -> Any:
        if _is_tag(key):
            return self._named(value)
        return self._told(value) if key.replace("_", "").lower() in _TOLD_KEYS else self.replace(value)

    def _named(self, value: Any) -> Any:
        """Return what stands for a tag, whatever a peer took for one: numbers too, and all in a list."""
        match value:
            case None | bool():
                return value
            case dict():
                return {key: self._named(inner) for key, inner in value.items()}
            case list():
                return [self._named(inner) for inner in value]
            case _:
                return self.of(str(value))

    def _in_text(self, text: str) -> str:
        """Return a text whose tags are replaced: in JSON as in JSON, elsewhere after their name."""
        if text.lstrip()[:1] in ("{", "["):
            with contextlib.suppress(ValueError, RecursionError):
                held = json.loads(text)
                replaced = self.replace(held)
                return text if replaced == held else json.dumps(replaced, ensure_ascii=False)
        return _TAG_IN_TEXT.sub(
            lambda found: found[1] + (found[2] or "") + self.of(found[3] if found[2] else found[4]), text
        )

    def _told(self, value: Any) -> Any:
        """Return what tells of a faulty message without what it quotes of it."""
        match value:
            case dict():
                return {key: self._told_in_field(key, inner) for key, inner in value.items()}
            case list():
                return [self._told(inner) for inner in value]
            case str():
                return _unquoted(value)
            case _:
                return value

    def _told_in_field(self, key: str, value: Any) -> Any:
        return self._named(value) if _is_tag(key) else self._told(value)


def _is_tag(key: str) -> bool:
    return "".join(filter(str.isalpha, key)).lower() in _TAG_KEYS


def _unquoted(text: str) -> str:
    """Return a text with … for what it quotes: from the first mark to the last, to the end if one is open."""
    places = [place for place, character in enumerate(text) if character in _QUOTES]
    if not places:
        return _TAG_NAMED.sub(r"\1…", text)
    is_open = any(text.count(mark) % 2 for mark in _QUOTES)
    return f'{text[: places[0]]}"…"{"" if is_open else text[places[-1] + 1 :]}'
