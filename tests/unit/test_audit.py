"""Who acts by a command is noted on whatever machine it runs."""

from __future__ import annotations

import os

import pytest

from bp_faust.audit import of_command


def test_a_user_without_a_name_is_noted_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert of_command().user == str(os.getuid())
