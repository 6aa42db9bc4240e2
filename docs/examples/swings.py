"""A detector that is not ChargeBench's: a current that falls by half and comes back, three times a minute.

It imports nothing of ChargeBench. Two ways to run it:
  chargebench score --detector "python docs/examples/swings.py"     lines in, lines out: scored
  MQTT_HOST=… MQTT_USER=detector MQTT_PASSWORD=… python docs/examples/swings.py --mqtt    lives with a bench
"""

import json
import os
import sys
from collections import defaultdict, deque
from datetime import datetime
from typing import Any
from urllib.parse import quote

NAME = "swings"
SWINGS, WITHIN_S, QUIET_S = 3, 60.0, 60.0


class Place:
    """What is remembered of one connector."""

    def __init__(self) -> None:
        self.peak_a = 0.0
        self.is_low = False
        self.swings_s: deque[float] = deque(maxlen=SWINGS)
        self.told_s = float("-inf")

    def swung(self, at_s: float, current_a: float) -> bool:
        """Take a reading; return whether there is something to tell now."""
        self.peak_a = max(self.peak_a, current_a)
        if not self.is_low:
            self.is_low = self.peak_a > 10 and current_a < self.peak_a / 2
            return False
        if current_a < self.peak_a * 0.8:
            return False
        self.is_low = False
        self.swings_s.append(at_s)
        is_often = len(self.swings_s) == SWINGS and at_s - self.swings_s[0] <= WITHIN_S
        is_told = at_s - self.told_s < QUIET_S
        if is_often:
            self.told_s = at_s
        return is_often and not is_told


PLACES: defaultdict[tuple[str, int], Place] = defaultdict(Place)


def verdicts_on(message: bytes | str) -> list[dict[str, Any]]:
    """Return what there is to say of one message: a batch of events, as it is on MQTT."""
    verdicts = []
    for event in json.loads(message)["events"]:
        current_a = event.get("current_a")
        if event["kind"] != "reading" or event["origin"] != "can" or current_a is None:
            continue
        at_s = datetime.fromisoformat(event["at"]).timestamp()
        place = PLACES[event["charge_point_id"], event["connector"]]
        if place.swung(at_s, current_a):
            verdicts.append(
                {
                    "detector": NAME,
                    "kind": "repeated-current-fluctuation",
                    "charge_point_id": event["charge_point_id"],
                    "connector": event["connector"],
                    "at": event["at"],
                    "score": float(SWINGS),
                    "explanation": f"{SWINGS} times to half of {place.peak_a:.0f} A and back within a minute",
                }
            )
    return verdicts


def answer_lines() -> None:
    """Answer each line with one: a list of verdicts, mostly empty."""
    for line in sys.stdin:
        print(json.dumps(verdicts_on(line)), flush=True)


def live_with_mqtt() -> None:
    """Listen to a bench and publish what there is to say, until it is ended."""
    import paho.mqtt.client as paho  # noqa: PLC0415 - the scores need no broker

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=NAME, clean_session=False)
    client.username_pw_set(os.environ["MQTT_USER"], os.environ["MQTT_PASSWORD"])

    def connected(_client: Any, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            sys.exit(f"the broker says: {reason}")
        client.subscribe("chargebench/v1/events/+/+/+", qos=1)
        print("listening", flush=True)

    def heard(_client: Any, _user: Any, message: paho.MQTTMessage) -> None:
        for verdict in verdicts_on(message.payload):
            place = quote(verdict["charge_point_id"], safe="")
            client.publish(f"chargebench/v1/verdicts/{NAME}/{place}", json.dumps(verdict), qos=1)

    client.on_connect, client.on_message = connected, heard
    client.connect(os.environ.get("MQTT_HOST", "127.0.0.1"), int(os.environ.get("MQTT_PORT", "1883")))
    client.loop_forever()


if __name__ == "__main__":
    live_with_mqtt() if "--mqtt" in sys.argv else answer_lines()
