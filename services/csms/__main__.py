"""`python -m csms`: run the CSMS until a signal ends it."""

import asyncio

from chassis.process import run
from csms.service import running
from csms.settings import Settings, read_links


async def main(settings: Settings) -> None:
    """Run until cancelled."""
    mqtt, http = read_links(settings)
    async with running(settings, mqtt, http):
        await asyncio.Event().wait()


if __name__ == "__main__":
    run("csms", Settings, main)
