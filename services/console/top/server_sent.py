"""Server-Sent Events out of the bytes of a response, as they come. Pure."""

from collections.abc import Iterator

MAX_EVENT_BYTES = 32 << 20


class TooLong(ValueError):  # noqa: N818 - named after what is wrong
    """An event of more than MAX_EVENT_BYTES."""


class ServerSent:
    """Takes bytes in whatever pieces they come and gives whole events: (kind, data)."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._kind = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """Give the events that end in this piece. Raises TooLong."""
        begin = 0
        while (end := chunk.find(b"\n", begin)) >= 0:
            self._line += chunk[begin:end]
            begin = end + 1
            line = bytes(self._line.removesuffix(b"\r"))
            self._line.clear()
            if event := self._take(line):
                yield event
        self._line += chunk[begin:]
        if len(self._line) + self._size > MAX_EVENT_BYTES:
            raise TooLong(f"an event of more than {MAX_EVENT_BYTES} bytes")

    def _take(self, line: bytes) -> tuple[str, bytes] | None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if line == b"":
            kind, data = self._kind or b"message", b"\n".join(self._data)
            has_data = bool(self._data)
            self._kind, self._data, self._size = b"", [], 0
            return (kind.decode(errors="replace"), data) if has_data else None
        if field == b"event":
            self._kind = value
        elif field == b"data":
            self._data.append(value)
            self._size += len(value)
        return None
