"""The socket that paho is given: all that has come is read at once, all that is to go is sent at once.

paho reads a packet in three pieces and sends each by itself, every time by a call of the system. What is
published to us, most of all packets, goes past it, and so does what we publish at quality of service 0; the
others are left to it, and whatever is odd.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

Published: TypeAlias = Callable[[str, bytes, int, Callable[[], None]], None]
"""Called with topic, payload, quality of service (0 or 1) and what acknowledges it."""

_READ_BYTES = 256 * 1024
_MOST_UNSENT_BYTES = 4 * 1024 * 1024
_PUBLISH, _PUBACK = 0x30, 0x40
_ACKNOWLEDGEMENT = struct.Struct("!BBH")
_NUMBER = struct.Struct("!H")
_LONGEST_LENGTH = 4
"""Bytes in which a packet's length is spelled, by the protocol."""


class Wire:
    """One connection; once `open` was called it is the loop's."""

    def __init__(
        self, connection: socket.socket, on_published: Published, on_other: Callable[[], object]
    ) -> None:
        """`on_other` is called when there is something for paho to read."""
        # Acknowledgements are small packets: held back for others, they hold up a broker's window.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._on_published = on_published
        self._on_other = on_other
        self._loop: asyncio.AbstractEventLoop | None = None
        self._partial = b""
        """What has come of a packet that is not whole yet."""
        self._others = b""
        self._read = 0
        """How much of `_others` paho has read."""
        self._unsent = bytearray()
        self._is_flushing = False
        """Whether what is unsent will be sent without another word."""
        self._is_over = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve the connection in a loop, until it is closed."""
        self._loop = loop
        loop.add_reader(self._connection, self._readable)

    def acknowledge(self, number: int) -> None:
        """Tell the broker that a message is dealt with; to a connection that is over it is said in vain."""
        self._write(_ACKNOWLEDGEMENT.pack(_PUBACK, 2, number))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at quality of service 0; raises struct.error for a topic of more than 65,535 bytes."""
        name = topic.encode()
        length = _NUMBER.size + len(name) + len(payload)
        head = bytes((_PUBLISH | retain, *_spelled(length))) + _NUMBER.pack(len(name))
        self._write(head + name + payload)

    @property
    def is_full(self) -> bool:
        """Whether so much is unsent that nothing more should be given."""
        return len(self._unsent) >= _MOST_UNSENT_BYTES

    def cut(self) -> None:
        """End the connection without a farewell; paho finds it lost."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._is_over = True
        self._on_other()

    # What paho calls.

    def recv(self, size: int) -> bytes:
        """Return the next bytes of packets that are for paho."""
        begin = self._read
        part = self._others[begin : begin + size]
        if not part and not self._is_over:
            raise BlockingIOError
        self._read += len(part)
        return part

    def send(self, data: bytes | bytearray) -> int:
        """Take all of it: what is in flight has a bound already, and who gives more asks `is_full`."""
        self._write(data)
        return len(data)

    def close(self) -> None:
        """Send what can be sent at once, and close."""
        self._flush()
        self._is_over = True
        if self._loop is not None:
            self._loop.remove_reader(self._connection)
            self._loop.remove_writer(self._connection)
            self._loop = None
        self._unsent.clear()
        self._connection.close()

    def fileno(self) -> int:
        """Return the connection's own."""
        return self._connection.fileno()

    def setblocking(self, flag: bool) -> None:
        """As of a socket; the loop needs it not to block."""
        self._connection.setblocking(flag)

    def _write(self, data: bytes | bytearray) -> None:
        if self._loop is None:
            return
        self._unsent += data
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        if not self._unsent or self._is_over:
            return
        try:
            sent = self._connection.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the reader is told, too
        del self._unsent[:sent]
        if self._unsent and self._loop is not None:
            self._is_flushing = True
            self._loop.add_writer(self._connection, self._writable)

    def _writable(self) -> None:
        if self._loop is not None:
            self._loop.remove_writer(self._connection)
        self._flush()

    def _readable(self) -> None:
        try:
            came = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        if not came:
            self._is_over = True
            self._on_other()
            return
        self._partial = self._taken(self._partial + came if self._partial else came)

    def _taken(self, came: bytes) -> bytes:
        """Hand on all whole packets in order; return what is left."""
        begin = handed_on = 0
        while (found := _packet(came, begin)) is not None:
            body, end = found
            if came[begin] & 0xF0 == _PUBLISH and (published := _published(came, begin, body, end)):
                self._leave(came[handed_on:begin])
                if self._is_over:  # paho found that it is
                    return b""
                topic, payload, quality, number = published
                ack = partial(self.acknowledge, number) if quality else _nothing
                self._on_published(topic, payload, quality, ack)
                handed_on = end
            begin = end
        self._leave(came[handed_on:begin])
        return came[begin:]

    def _leave(self, packets: bytes) -> None:
        """Have paho read whole packets."""
        self._others, self._read = packets, 0
        while self._read < len(packets) and not self._is_over:
            self._on_other()


def _nothing() -> None:
    """Acknowledge what asks for no acknowledgement."""


def _spelled(length: int) -> Iterator[int]:
    """Give the bytes in which a packet's length is spelled: seven bits each, the lowest first."""
    while length > 0x7F:
        yield length & 0x7F | 0x80
        length >>= 7
    yield length


def _packet(came: bytes, begin: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `begin` begins, and where it ends; None: it is not whole."""
    length = 0
    for index in range(_LONGEST_LENGTH + 1):
        at = begin + 1 + index
        if at >= len(came):
            return None
        length |= (came[at] & 0x7F) << 7 * index
        if came[at] < 0x80:
            break
    else:
        return at + 1, at + 1  # spelled too long: paho says so
    end = at + 1 + length
    return (at + 1, end) if end <= len(came) else None


def _published(came: bytes, begin: int, body: int, end: int) -> tuple[str, bytes, int, int] | None:
    """Return topic, payload, quality of service and number of what is published; None where it is odd."""
    quality = came[begin] >> 1 & 3
    if quality > 1 or end - body < _NUMBER.size:
        return None
    (length,) = _NUMBER.unpack_from(came, body)
    topic_end = body + _NUMBER.size + length
    payload = topic_end + _NUMBER.size * quality
    if length == 0 or payload > end:
        return None
    try:
        topic = came[body + _NUMBER.size : topic_end].decode()
    except UnicodeDecodeError:
        return None
    number = _NUMBER.unpack_from(came, topic_end)[0] if quality else 0
    return topic, came[payload:end], quality, number
