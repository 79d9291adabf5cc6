"""A setting that cannot be meant is refused, in a line that names it."""

from __future__ import annotations

import pytest

from bp_faust.settings.reading import read_settings


@pytest.mark.parametrize("interval", ["0.0000001", "-1", "inf", "often"])
def test_an_interval_at_which_nobody_can_send_is_refused(interval: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_FAUST_SIMULATION_INTERVAL", interval)
    with pytest.raises(SystemExit, match=rf"BP_FAUST_SIMULATION_INTERVAL is '{interval}', but: ") as ended:
        read_settings()
    assert "\n" not in str(ended.value)


@pytest.mark.parametrize("interval", ["0", "0.0002", "60"])
def test_no_simulation_and_any_pace_a_worker_keeps_are_taken(interval: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_FAUST_SIMULATION_INTERVAL", interval)
    assert read_settings().simulation_interval == float(interval)
