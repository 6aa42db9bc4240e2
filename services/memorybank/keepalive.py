"""How a connection to the database notices that its peer vanished without a word."""

from typing import Any

# Both sides within 15 s; the system's own patience is two hours.
CLIENT_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
SERVER_KEEPALIVE = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2"
"""For libpq's `options`."""


def as_writer(application_name: str) -> dict[str, Any]:
    """Return psycopg's arguments for a connection of memorybank_writer, in autocommit."""
    return {
        "autocommit": True,
        "connect_timeout": 5,
        "application_name": application_name,
        **CLIENT_KEEPALIVE,
        "options": SERVER_KEEPALIVE,
    }
