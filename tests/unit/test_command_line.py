"""`chargebench`: every command of the table has who performs it, and nonsense is told kindly."""

import importlib

import pytest

from chargebench.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_who_performs_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each tells of itself, by its full name and with an example."""
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(COMMANDS[name].module).main([name, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"chargebench {name}" in told
    assert "Example" in told


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("line", [[], ["simulat"]])
def test_nonsense_ends_with_status_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 2
    assert "chargebench" in capsys.readouterr().err


def test_a_library_that_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make demo`'s environment has no scipy."""

    def without(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {module}", name="scipy")

    monkeypatch.setattr(importlib, "import_module", without)
    assert main(["score"]) == 2
    assert (
        "chargebench score: scipy is not installed; pip install 'chargebench[score]'"
        in capsys.readouterr().err
    )
