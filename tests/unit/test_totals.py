"""What patients make together: the same, whether it is kept from one batch to the next or counted anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bp_faust.clinical.totals import Totals, together
from bp_faust.models import Acknowledgement, Alert, Alerting, PatientState, Track, Tracks


def alert(identity: str, severity: int, opened: float) -> Alert:
    return Alert(identity, "high", "open", "seed/hypertension", severity, opened, opened, "o")


def state(
    readings: int, anomalies: dict[str, int], severity: int | None = None, acknowledged: float | None = None
) -> PatientState:
    """Return a patient's state with an alert opened at time 10, of which somebody knew at a time."""
    standing = alert("a", severity, 10.0) if severity is not None else None
    known = {"a": Acknowledgement("p", "a", "nurse", "called", acknowledged)} if acknowledged is not None else {}
    return PatientState(
        readings=readings,
        anomalies=anomalies,
        alerting=Alerting(current=Tracks(high=Track(alert=standing))),
        acknowledged=known,
    )


STATES = st.builds(
    state,
    st.integers(0, 20),
    st.dictionaries(st.sampled_from(["Hypertension", "Hypotension", "Elevated"]), st.integers(1, 5)),
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from([5.0, 20.0]),
)


def counted(states: list[PatientState]) -> Totals:
    totals = Totals()
    for one in states:
        totals.add(one)
    return together([totals])


def test_alerts_are_counted_by_severity_and_whether_somebody_knows_of_what_they_are_now() -> None:
    states = [
        state(3, {"Hypertension": 2}, severity=3),
        state(1, {}, severity=2, acknowledged=20.0),
        state(1, {"Hypertension": 1}, severity=2, acknowledged=5.0),  # before it grew worse
        state(2, {}),
    ]
    states[0].missing = alert("m", 1, 10.0)
    totals = counted(states)
    assert (totals.patients, totals.readings, totals.anomalies) == (4, 7, {"Hypertension": 3})
    assert totals.open_alerts == {"severe": 1, "mild": 1, "moderate": 1}
    assert totals.acknowledged_alerts == {"moderate": 1}


@given(st.lists(st.tuples(STATES, STATES), max_size=8), st.lists(STATES, max_size=3), st.lists(STATES, max_size=3))
def test_the_difference_of_a_batch_leads_to_what_a_count_of_all_says(
    changed: list[tuple[PatientState, PatientState]], unchanged: list[PatientState], new: list[PatientState]
) -> None:
    before = counted([was for was, _ in changed] + unchanged)
    difference = Totals()
    for was, now in changed:
        difference.add(was, -1)
        difference.add(now)
    for one in new:
        difference.add(one)
    assert together([before, difference]) == counted([now for _, now in changed] + unchanged + new)
