"""Keys out of the bytes that a terminal sends. Pure."""

import re

_SEQUENCES = {
    "A": "up",
    "B": "down",
    "H": "home",
    "F": "end",
    "1~": "home",
    "7~": "home",
    "4~": "end",
    "8~": "end",
    "5~": "page up",
    "6~": "page down",
}
_CONTROLS = {
    "\x03": "ctrl-c",
    "\x08": "backspace",
    "\x7f": "backspace",
    "\r": "enter",
    "\n": "enter",
}
# Control Sequence Introducer or Single Shift 3, parameters, one final letter (ECMA-48).
_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?]*[ -/]*[@-~])|O([@-~]))")
_BEGUN = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*|O)?\Z")


def keys_in(data: bytes, *, is_all: bool = False) -> tuple[list[str], bytes]:
    """Return the keys in what was typed, and the bytes that may be the beginning of one more.

    `is_all`: nothing followed for a while, so a lone escape is the key of that name. A character is a key of
    its own; what is no key is passed over.
    """
    text, rest = _decoded(data, is_all=is_all)
    keys: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "\x1b":
            key = _CONTROLS.get(text[at], text[at])
            if len(key) > 1 or key.isprintable():
                keys.append(key)
            at += 1
        elif found := _SEQUENCE.match(text, at):
            name = _SEQUENCES.get(found[1] or found[2])
            keys += [name] if name else []
            at = found.end()
        elif not is_all and _BEGUN.match(text, at):
            return keys, text[at:].encode() + rest
        else:
            keys.append("escape")
            at += 1
    return keys, rest


def _decoded(data: bytes, *, is_all: bool) -> tuple[str, bytes]:
    """Return the text, and the bytes at the end that begin a character."""
    try:
        return data.decode(), b""
    except UnicodeDecodeError as error:
        if not is_all and error.reason == "unexpected end of data" and len(data) - error.start < 4:
            return data[: error.start].decode(errors="replace"), data[error.start :]
        return data.decode(errors="replace"), b""
