"""The command settings: what is in force, where it came from, and no secret."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bp_faust.app import app
from bp_faust.settings.fields import FAUST_SETTINGS, Settings
from bp_faust.settings.in_force import settings_in_force

SECRET = "a-secret-of-enough-characters"


def rows() -> dict[str, dict[str, str]]:
    return {row["name"]: row for row in settings_in_force(Settings(), app.conf)}


def test_every_setting_is_shown() -> None:
    assert set(rows()) == {f"BP_FAUST_{name}".upper() for name in [*Settings.model_fields, *FAUST_SETTINGS]}


def test_origins_are_named_and_secrets_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    monkeypatch.setenv("BP_FAUST_WEB_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("BP_FAUST_FHIR_TOKEN", SECRET)
    monkeypatch.setenv("BP_FAUST_ELASTICSEARCH_URL", f"https://user:{SECRET}@search.example.org")
    monkeypatch.delenv("BP_FAUST_RETENTION_DAYS", raising=False)
    found = rows()
    assert found["BP_FAUST_WEB_TOKEN"]["value"] == "set"
    assert found["BP_FAUST_WEB_TOKEN"]["from"] == f"file {tmp_path / 'token'}"
    assert (found["BP_FAUST_FHIR_TOKEN"]["value"], found["BP_FAUST_FHIR_TOKEN"]["from"]) == ("set", "environment")
    assert found["BP_FAUST_RETENTION_DAYS"] == {"name": "BP_FAUST_RETENTION_DAYS", "value": "400", "from": "default"}
    assert SECRET not in str(found)


def test_the_console_script_runs_what_faust_runs() -> None:
    scripts = Path(sys.executable).parent
    told = [
        subprocess.run(
            [scripts / command[0], *command[1:], "settings"], capture_output=True, text=True, check=True
        ).stdout
        for command in (["bp-faust"], ["faust", "-A", "bp_faust"])
    ]
    assert told[0] == told[1]
    assert "BP_FAUST_POLICY" in told[0]
