"""Making the database's files, also after an attempt that was cut off."""

from collections.abc import Iterator

import pytest

from embedded import postgres
from embedded.postgres import ROLES, SUPERUSER, PostgresFailed, PostgresFiles
from real_parts import PASSWORD, directory_open_to_postgres, free_port


@pytest.fixture
def files() -> Iterator[PostgresFiles]:
    with directory_open_to_postgres() as directory:
        yield PostgresFiles(directory / "postgres", free_port(), dict.fromkeys((SUPERUSER, *ROLES), PASSWORD))


def test_what_a_cut_off_attempt_left_is_no_database(
    files: PostgresFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are made whole or not at all, and no attempt leaves the password behind."""
    with monkeypatch.context() as short:
        short.setattr(postgres, "INITDB_S", 0.05)
        with pytest.raises(PostgresFailed, match=r"not done within 0\.05 s"):
            postgres.initialise(files)
    assert not (files.directory / "data").exists()
    postgres.initialise(files)
    assert sorted(path.name for path in files.directory.iterdir()) == ["data"]
    assert (files.directory / "data" / "postgresql.conf").exists()
