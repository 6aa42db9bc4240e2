"""`chargebench COMMAND …`: looks the command up and lets its module perform it; imports nothing else."""

import importlib
import sys
from collections.abc import Callable
from typing import NamedTuple


class Command(NamedTuple):
    """`module` has `main(arguments) -> exit status`; it is given the whole line, the command first."""

    module: str
    help: str
    extra: str = "embedded"
    """Of the distribution: what brings the libraries that it needs."""
    make: str = "make .venv/demo"
    """What brings them in the source tree."""


COMMANDS = {
    "up": Command("embedded.__main__", "start the bench on this machine, without Docker"),
    "top": Command("embedded.__main__", "watch it in this terminal"),
    "backup": Command("embedded.__main__", "write the memory to a file"),
    "restore": Command("embedded.__main__", "put a backup in the place of the memory"),
    "scenario": Command(
        "console.scenario.__main__", "provoke anomalies on a running bench, compare the runs", "console"
    ),
    "simulate": Command("lab.simulated.__main__", "make a data set, much faster than real time"),
    "replay": Command("lab.replay.__main__", "what detectors would have told of recorded life"),
    "score": Command(
        "lab.score.__main__",
        "how well anomalies are found, beside trivial baselines",
        "score",
        "make .venv/dev, which make score does first",
    ),
}
"""In the order in which --help lists them. Looked up by name, since the parts do not import each other."""

_USAGE = "usage: chargebench COMMAND … (chargebench --help lists the commands)"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; exit status 0: it worked, 1: it did not, 2: it could not start."""
    line = sys.argv[1:] if arguments is None else arguments
    if not line:
        print(_USAGE, file=sys.stderr)
        return 2
    name = line[0]
    if name in ("-h", "--help"):
        print(_help())
        return 0
    command = COMMANDS.get(name)
    if command is None:
        print(f"chargebench: {name!r} is none of {', '.join(COMMANDS)} (see --help)", file=sys.stderr)
        return 2
    try:
        perform: Callable[[list[str]], int] = importlib.import_module(command.module).main
        return perform(line)
    except KeyboardInterrupt:  # while it was still loading
        return 130
    except ModuleNotFoundError as error:
        print(
            f"chargebench {name}: {error.name} is not installed; pip install 'chargebench[{command.extra}]', "
            f"or in the source tree: {command.make}",
            file=sys.stderr,
        )
        return 2


def _help() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join(
        (
            "usage: chargebench COMMAND …",
            "",
            "A test bench for EV-charging anomalies.",
            "",
            *(f"  {name:{width}}  {command.help}" for name, command in COMMANDS.items()),
            "",
            "chargebench COMMAND --help tells more. Example: chargebench up --charge-points 5 --duration 60",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
