"""Settings are read at the first call, noticed when they change, and named when they are missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corkboard import NotConfigured, settings
from tests.kit.test_sharing import run_python

KEY = "k" * 32


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in settings.NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "_loaded", None)  # a process keeps the file that it has found


def write(file: Path, url: str, key: str = KEY) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"# a comment\n\nCORKBOARD_URL='{url}'\nexport CORKBOARD_SECRET_KEY={key} # the key\nOTHER=1\n"
    )
    return file


def test_importing_the_kit_needs_no_setting_no_framework_and_no_server(tmp_path: Path) -> None:
    code = """
import sys, corkboard, corkboard.testing
found = {"flask", "django", "pydantic", "gevent", "sqlalchemy"} & set(sys.modules)
assert not found, found
"""
    run_python(code, folder=tmp_path)


def test_what_is_missing_is_named_with_the_next_step() -> None:
    with pytest.raises(NotConfigured, match=r"CORKBOARD_URL .*make up.*CORKBOARD_ENV_FILE.*off"):
        settings.load()


def test_a_missing_key_is_named_when_something_is_to_be_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORKBOARD_URL", "redis://127.0.0.1/0")
    with pytest.raises(NotConfigured, match="CORKBOARD_SECRET_KEY"):
        _ = settings.load().signing_key


@pytest.mark.parametrize("folder", [".corkboard", "corkboard/.corkboard"])
def test_the_file_is_found_in_the_current_folder_and_its_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    file = write(tmp_path / folder / "app.env", "redis://a:b@127.0.0.1:1/0")
    (tmp_path / "one" / "two").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "one" / "two")
    loaded = settings.load()
    assert (loaded.url, loaded.signing_key) == ("redis://a:b@127.0.0.1:1/0", KEY)
    assert loaded.source == str(file)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_that_somebody_else_has_put_there_is_not_taken_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / ".corkboard" / "app.env", "redis://evil/0")
    os.chown(file, 12345, 12345)
    with pytest.raises(NotConfigured, match="another user"):
        settings.load()
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(file))
    assert settings.load().url == "redis://evil/0"


def test_the_environment_goes_before_the_file_each_variable_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "my.env", "redis://a:b@127.0.0.1:1/0")
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(file))
    monkeypatch.setenv("CORKBOARD_HISTORY_LENGTH", "7")
    monkeypatch.setenv("CORKBOARD_SECRET_KEY", "")  # counts as absent
    loaded = settings.load()
    assert (loaded.signing_key, loaded.history_length) == (KEY, 7)
    monkeypatch.setenv("CORKBOARD_URL", "off")
    assert settings.load().off
    assert settings.load().signing_key == KEY


def test_a_key_file_of_ones_own_goes_before_the_key_in_app_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(write(tmp_path / "my.env", "redis://127.0.0.1/0")))
    own = tmp_path / "key"
    own.write_text(f"{'n' * 32}\n{'o' * 32}\n")
    monkeypatch.setenv("CORKBOARD_SECRET_KEY_FILE", str(own))
    assert settings.load().keys == ("n" * 32, "o" * 32)
    assert settings.load().signing_key == "n" * 32


def test_a_changed_file_or_environment_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LOOK_SECONDS", 0.0)
    file = tmp_path / ".corkboard" / "app.env"
    with pytest.raises(NotConfigured):
        settings.load()
    for port in (1, 2):
        write(file, f"redis://127.0.0.1:{port}/0")
        assert settings.load().url.endswith(f":{port}/0")
    monkeypatch.setenv("CORKBOARD_URL", "off")
    assert settings.load().off
    monkeypatch.delenv("CORKBOARD_URL")
    file.unlink()
    with pytest.raises(NotConfigured):
        settings.load()


def test_files_are_not_looked_at_for_every_event_but_the_environment_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LOOK_SECONDS", 3600.0)
    file = tmp_path / ".corkboard" / "app.env"
    write(file, "redis://127.0.0.1:1/0")
    settings.load()
    write(file, "redis://127.0.0.1:2/0")
    assert settings.load().url.endswith(":1/0")
    monkeypatch.setenv("CORKBOARD_HISTORY_LENGTH", "7")
    assert (settings.load().url, settings.load().history_length) == ("redis://127.0.0.1:2/0", 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORKBOARD_URL", "http://127.0.0.1"),
        ("CORKBOARD_URL", "redis://127.0.0.1:many/0"),
        ("CORKBOARD_URL", "localhost:6379"),
        ("CORKBOARD_SECRET_KEY", "short"),
        ("CORKBOARD_SECRET_KEY_FILE", "/nowhere"),
        ("CORKBOARD_ENV_FILE", "/nowhere"),
        ("CORKBOARD_HISTORY_LENGTH", "0"),
        ("CORKBOARD_HISTORY_LENGTH", "many"),
        ("CORKBOARD_TICKET_SECONDS", "9"),
        ("CORKBOARD_REFRESH_RATE", "-1"),
    ],
)
def test_an_invalid_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORKBOARD_URL", "redis://app:hidden@127.0.0.1/0")
    monkeypatch.setenv(name, value)
    with pytest.raises(NotConfigured, match=f"^{name}") as error:
        settings.load()
    assert "hidden" not in str(error.value)
