"""Health and metrics in containers, asked as a Prometheus on their networks asks: replicas by number."""

import json

import pytest

from container_stack import Stack
from metrics_parts import samples

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

_ASK = """
import json, socket, sys
from urllib import error, request

def ask(address, host=None):
    question = request.Request(f"http://{{address}}/metrics", headers={{"Host": host}} if host else {{}})
    try:
        with request.urlopen(question, timeout=10) as answer:
            return answer.read().decode()
    except error.HTTPError as refused:
        return refused.code

replicas = sorted({{found[4][0] for found in socket.getaddrinfo("chargepoint", 9003)}})
print(json.dumps({{
    "csms": ask("csms:{CSMS_HTTP_PORT}"),
    "memorybank": ask("memorybank:{MEMORYBANK_HTTP_PORT}"),
    "console": ask("console:{CONSOLE_PORT}"),
    "charger": ask("charger:9003"),
    "chargepoint": [ask(f"{{address}}:9003") for address in replicas],
    "rebound": [ask("charger:9003", "evil.example"), ask(f"{{replicas[0]}}:9003", "evil.example:9003")],
}}))
"""


def test_a_prometheus_on_the_networks_reads_every_process(stack: Stack) -> None:
    """The addresses of docs/metrics.md: the console is on both networks that it names."""
    told = json.loads(stack.python("console", _ASK.format(**stack.environ)))
    for service in ("csms", "memorybank", "console", "charger"):
        assert samples(service, told[service])["process_open_fds"] > 0
    identities = [
        name
        for text in told["chargepoint"]
        for name in samples("chargepoint", text)
        if name.startswith("info{")
    ]
    # Other tests may have scaled the stack before.
    replicas = len(stack.compose("ps", "--quiet", "chargepoint").split())
    assert replicas >= 2
    assert sorted(identities) == [f"info{{charge_point_id=CP-{k}}}" for k in range(1, replicas + 1)]
    assert told["rebound"] == [403, 403]


def test_the_health_port_is_not_published(stack: Stack) -> None:
    for service in ("charger", "chargepoint", "lab"):
        assert not stack.inspect(service)["NetworkSettings"]["Ports"]
