"""Settings: everything wrong at once, secrets by file and never shown."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis import settings
from chassis.settings import SettingsError, at_least, group, one_of, setting, within


@dataclass(frozen=True, slots=True)
class Example:
    url: str = setting("URL", "Where")
    number: int = setting("NUMBER", "Which")
    power_kw: float = setting("POWER_KW", "How much", default=1.5, check=at_least(0))
    law: str = setting("LAW", "How", default="share", check=one_of("share", "linear"))
    port: int = setting("PORT", "Where exactly", default=80, check=within(1, 65535))
    is_loud: bool = setting("IS_LOUD", "Whether", default=False)
    hosts: tuple[str, ...] = setting("HOSTS", "Who", default=())
    label: str | None = setting("LABEL", "What", default=None)
    token: str | None = setting("TOKEN", "Secret", default=None, check=one_of("right"), secret=True)


@dataclass(frozen=True, slots=True)
class Secret:
    password: str = setting("PASSWORD", "Secret", secret=True)


@dataclass(frozen=True, slots=True)
class Wrong:
    number: complex = setting("NUMBER", "Which")


GIVEN = {"URL": "ws://127.0.0.1", "NUMBER": "3"}


def test_what_is_not_given_has_its_default() -> None:
    assert settings.read(Example, GIVEN) == Example("ws://127.0.0.1", 3)


def test_what_is_given_is_read_by_its_type() -> None:
    given = {
        "POWER_KW": "2.5",
        "LAW": "linear",
        "PORT": "443",
        "IS_LOUD": "Yes",
        "HOSTS": " a, b:80 ,,",
        "LABEL": "x",
        "TOKEN": "right",
    }
    expected = Example("ws://127.0.0.1", 3, 2.5, "linear", 443, True, ("a", "b:80"), "x", "right")
    assert settings.read(Example, GIVEN | given) == expected


def test_empty_counts_as_not_given() -> None:
    """Compose files pass unset variables on as empty."""
    empty = dict.fromkeys(["POWER_KW", "PORT", "IS_LOUD", "HOSTS", "LABEL", "TOKEN", "TOKEN_FILE"], "")
    assert settings.read(Example, GIVEN | empty) == settings.read(Example, GIVEN)
    with pytest.raises(SettingsError, match="missing URL"):
        settings.read(Example, {"URL": "", "NUMBER": "3"})


def test_everything_wrong_is_named_at_once() -> None:
    wrong = {"POWER_KW": "-1", "LAW": "ohm", "PORT": "http", "IS_LOUD": "perhaps", "TOKEN_FILE": "/no/file"}
    with pytest.raises(SettingsError) as refused:
        settings.read(Example, wrong)
    parts = str(refused.value).split("; ")
    assert parts[0] == "missing URL, NUMBER"
    assert [part.partition(":")[0] for part in parts[1:]] == ["POWER_KW", "LAW", "PORT", "IS_LOUD", "TOKEN"]
    assert "-1.0 is below 0" in parts[1]
    assert "'ohm' is none of share, linear" in parts[2]
    assert "'http' is not a number" in parts[3]
    assert "'perhaps' is neither true nor false" in parts[4]
    assert "/no/file" in parts[5]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999", "1,5", "0x10", ""])
def test_number_must_be_finite(number: str) -> None:
    expected = "missing" if not number else "POWER_KW"
    with pytest.raises(SettingsError, match=expected):
        settings.read(Example, {"NUMBER": "3", "POWER_KW": number} | ({"URL": "x"} if number else {}))


@pytest.mark.parametrize("number", ["3.0", "three", "1e3", "--3"])
def test_integer_must_be_whole(number: str) -> None:
    with pytest.raises(SettingsError, match=f"NUMBER: '{number}' is not a number"):
        settings.read(Example, GIVEN | {"NUMBER": number})


def test_secret_is_read_from_its_file(tmp_path: Path) -> None:
    """As container engines hand secrets over; an editor's last line break is no part of it."""
    file = tmp_path / "password"
    file.write_text("open sesame\n", encoding="utf-8")
    assert settings.read(Secret, {"PASSWORD_FILE": str(file)}).password == "open sesame"
    assert settings.read(Secret, {"PASSWORD_FILE": str(file), "PASSWORD": "direct"}).password == "direct"


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_empty_secret_file_is_no_secret(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="missing PASSWORD"):
        settings.read(Secret, {"PASSWORD_FILE": str(file)})


def test_secret_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="PASSWORD: "):
        settings.read(Secret, {"PASSWORD_FILE": str(file)})


def test_only_secrets_are_read_from_files(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("ws://127.0.0.1", encoding="utf-8")
    with pytest.raises(SettingsError, match="missing URL"):
        settings.read(Example, {"NUMBER": "3", "URL_FILE": str(file)})


def test_secret_is_never_shown() -> None:
    """Neither by a record that is logged nor by the complaint about it."""
    assert "sesame" not in repr(settings.read(Secret, {"PASSWORD": "sesame"}))
    with pytest.raises(SettingsError, match="TOKEN: not acceptable") as refused:
        settings.read(Example, GIVEN | {"TOKEN": "sesame"})
    assert "sesame" not in str(refused.value)


def test_type_that_cannot_be_read_is_a_bug_of_ours() -> None:
    with pytest.raises(TypeError, match="complex"):
        settings.read(Wrong, {"NUMBER": "1"})


@dataclass(frozen=True)
class _Inner:
    size: int = setting("SIZE", "A size", default=1)


@dataclass(frozen=True)
class _Outer:
    inner: _Inner = group(_Inner)
    colour: str = setting("COLOUR", "A colour", default="red")

    def demand_safety(self) -> None:
        if self.colour == "invisible":
            raise SettingsError("COLOUR: nobody would see it")


def test_a_group_is_read_with_the_rest() -> None:
    read_one = settings.read(_Outer, {"SIZE": "3", "COLOUR": "blue"})
    assert (read_one.inner.size, read_one.colour) == (3, "blue")
    assert _Outer().inner == _Inner()


def test_faults_of_a_group_and_of_safety_are_named_together() -> None:
    with pytest.raises(SettingsError, match=r"SIZE: .*COLOUR: nobody would see it"):
        settings.read(_Outer, {"SIZE": "x", "COLOUR": "invisible"})
