"""Every secret may come from a file, and what is wrong with one is told without its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from bp_faust.settings.fields import Settings
from bp_faust.settings.reading import read_settings
from bp_faust.settings.secret_files import is_secret

SECRETS = [name for name, field in Settings.model_fields.items() if is_secret(field)]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"BP_FAUST_{name.upper()}", raising=False)


def refusal() -> str:
    with pytest.raises(SystemExit) as ended:
        read_settings()
    return str(ended.value)


def test_the_secrets_are_known_as_such() -> None:
    assert {"broker_password", "elasticsearch_api_key", "elasticsearch_password", "web_token"} <= {*SECRETS}
    assert "broker_username" not in SECRETS


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_is_read_from_its_file_without_the_end_of_its_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = " jsons://host/a secret, long enough "
    (tmp_path / "secret").write_text(f"{secret}\r\n")
    monkeypatch.setenv(f"BP_FAUST_{name.upper()}_FILE", str(tmp_path / "secret"))
    settings = read_settings()
    assert settings.secret(name) == secret
    assert secret not in repr(settings)


def test_a_secret_that_is_set_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("sixteen or more characters")
    monkeypatch.setenv("BP_FAUST_WEB_TOKEN", "sixteen or more characters")
    monkeypatch.setenv("BP_FAUST_WEB_TOKEN_FILE", str(tmp_path / "secret"))
    assert refusal() == "Error: BP_FAUST_WEB_TOKEN and BP_FAUST_WEB_TOKEN_FILE are both set: leave one of them out."


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff", "not UTF-8")]
)
def test_a_file_without_a_secret_is_named(
    content: bytes | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("BP_FAUST_BROKER_PASSWORD_FILE", str(path))
    assert told in refusal()
    assert f"BP_FAUST_BROKER_PASSWORD_FILE is {path}" in refusal()
    assert "\n" not in refusal()


def test_a_secret_in_a_file_is_checked_like_any_other_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("too short")
    monkeypatch.setenv("BP_FAUST_WEB_TOKEN_FILE", str(tmp_path / "secret"))
    assert refusal().startswith("Error: BP_FAUST_WEB_TOKEN is set, but: ")
    assert "too short" not in refusal()


def test_what_is_no_secret_comes_from_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "name").write_text("someone")
    monkeypatch.setenv("BP_FAUST_BROKER_USERNAME_FILE", str(tmp_path / "name"))
    assert read_settings().broker_username is None


@pytest.mark.parametrize("name", ["TOPIC_PARTITIONS", "BROKER_SESSION_TIMEOUT"])
def test_a_number_of_fausts_that_is_none_is_told_in_a_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"BP_FAUST_{name}", "many")
    assert refusal().startswith(f"Error: BP_FAUST_{name} is 'many', and must be a number")
