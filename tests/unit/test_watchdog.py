"""A watchdog misses what gives no sign in time, and nothing else."""

from __future__ import annotations

from bp_faust.engine.watchdog import SILENCE_SECONDS, Watchdog


class Clock:
    """Hold a time in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Watchdog, Clock]:
    clock = Clock()
    return Watchdog(clock), clock


def test_a_sign_that_comes_in_time_is_not_missed() -> None:
    watchdog, clock = made()
    for _ in range(5):
        watchdog.expect("event loop")
        clock.now += SILENCE_SECONDS - 0.1
        assert not watchdog.overdue()


def test_a_sign_that_does_not_come_is_missed_and_then_given_up() -> None:
    watchdog, clock = made()
    watchdog.expect("event loop")
    clock.now += SILENCE_SECONDS
    assert watchdog.overdue() == {"event loop"}
    assert not watchdog.gone()
    clock.now += 60
    assert watchdog.gone() == {"event loop"}
    watchdog.expect("event loop")
    assert not watchdog.overdue()


def test_what_asked_for_time_gets_it() -> None:
    watchdog, clock = made()
    watchdog.expect("timer", 3600)
    clock.now += 3599
    assert not watchdog.overdue()
    clock.now += 2
    assert watchdog.overdue() == {"timer"}
    assert not watchdog.gone()
    clock.now += 9
    assert watchdog.gone() == {"timer"}


def test_what_is_expected_already_is_not_put_off() -> None:
    watchdog, clock = made()
    watchdog.expect_still("reading")
    clock.now += SILENCE_SECONDS / 2
    watchdog.expect_still("reading")
    clock.now += SILENCE_SECONDS / 2
    assert watchdog.overdue() == {"reading"}


def test_what_is_forgotten_is_not_missed() -> None:
    watchdog, clock = made()
    for duty in ("work on a/0", "work on a/1", "fetcher"):
        watchdog.expect(duty)
    watchdog.forget_all("work on ")
    clock.now += 100
    assert watchdog.overdue() == {"fetcher"}


def test_signs_are_given_for_the_duty_that_is_worked_for() -> None:
    watchdog, clock = made()
    watchdog.still_at_work()
    with watchdog.on_duty("work on a/0", lambda: True):
        watchdog.still_at_work(2)
    watchdog.still_at_work()
    clock.now += 3
    assert watchdog.overdue() == {"work on a/0"}


def test_work_that_nobody_waits_for_any_more_gives_no_signs_to_wait_for() -> None:
    """Else it would be missed when it ends: its partition has gone to another worker."""
    watchdog, clock = made()
    awaited = True
    with watchdog.on_duty("work on a/0", lambda: awaited):
        watchdog.still_at_work(2)
        watchdog.forget("work on a/0")
        awaited = False
        watchdog.still_at_work(2)
    clock.now += 3
    assert not watchdog.overdue()


def test_after_a_freeze_everyone_gets_as_much_time_more() -> None:
    watchdog, clock = made()
    watchdog.expect("event loop")
    clock.now += 75
    watchdog.excuse(75)
    assert not watchdog.overdue()
    assert not watchdog.gone()
