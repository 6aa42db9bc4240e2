"""docker-compose.yml, .env.example and what reads them say the same."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
OF_THE_IMAGES = re.compile(r"GF_|POSTGRES_(DB|PASSWORD)$|XDG_CONFIG_HOME$|SERVICE$")


def test_the_example_has_every_variable_with_its_default() -> None:
    """Who copies .env.example to .env changes nothing."""
    used = {}
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE):
        assert used.setdefault(name, default) == default or name == "HTTP_PASSWORD", f"{name}: two defaults"
    assert dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE)) == used | {"HTTP_PASSWORD": ""}


def test_every_variable_has_a_default() -> None:
    """So that `docker compose up` works without a .env; and a bare `$` is always meant."""
    assert re.findall(r"(?<!\$)\$(?![${])\w+|\$\{\w+\}", COMPOSE.replace("$$", "")) == []


def test_every_variable_that_a_container_is_given_is_read() -> None:
    """A misspelt one would silently leave a default."""
    given = set(re.findall(r"(?:^\s+|[{,] )([A-Z][A-Z0-9_]+): ", COMPOSE, re.MULTILINE))
    read = ""
    for pattern in ("services/**/*.py", "deploy/*/*", "grafana/provisioning/**/*.yaml"):
        read += "".join(path.read_text() for path in ROOT.glob(pattern) if path.is_file())
    assert "MQTT_HOST" in given
    assert {name for name in given if not OF_THE_IMAGES.match(name) and name not in read} == set()


def test_no_password_but_the_marked_ones() -> None:
    """Each is `development-only` or empty, and says so by that."""
    defaults = re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN)):-([^}]*)\}", COMPOSE)
    assert len(defaults) > 15
    assert {default for _, default in defaults} <= {"development-only", "", "none"}
