"""A real MQTT broker (rumqttd, from the `iotcore` wheel) in its own process: loopback only, with accounts.

rumqttd has accounts but no access list, so that who may publish what is enforced in the containers' Mosquitto
only; here every account is one of this bench's own processes.
"""

import logging
import signal
import sys
from pathlib import Path

from iotcore.iotcore import IotCoreBroker

ACCOUNTS = ("csms", "chargepoint", "memorybank", "console", "lab", "detector")


def write_configuration(path: Path, port: int, passwords: dict[str, str]) -> None:
    """Write rumqttd's configuration, readable by us alone: it holds the passwords."""
    accounts = ", ".join(f'{user} = "{password}"' for user, password in sorted(passwords.items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        f"""id = 0

[router]
id = 0
max_connections = 2000
max_outgoing_packet_count = 1000
max_segment_size = 16777216
max_segment_count = 8

[v4.chargebench]
name = "chargebench"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v4.chargebench.connections]
connection_timeout_ms = 10000
max_payload_size = 4194304
max_inflight_count = 200
auth = {{ {accounts} }}
dynamic_filters = true
""",
        encoding="utf-8",
    )


def main() -> None:
    """Run the broker of the configuration file named by the only argument until a signal ends it."""
    # rumqttd logs every packet as an error; what it has to say shows at the clients.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    # The broker's loop is Rust and never comes back to Python to look for signals.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    IotCoreBroker(config_path=sys.argv[1]).run_forever()


if __name__ == "__main__":
    main()
