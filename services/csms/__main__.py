"""`python -m csms`: run the CSMS until a signal ends it."""

import asyncio

from chassis.process import run
from csms.service import running
from csms.settings import Settings


async def main(settings: Settings) -> None:
    """Run until cancelled."""
    async with running(settings):
        await asyncio.Event().wait()


if __name__ == "__main__":
    run("csms", Settings, main)
