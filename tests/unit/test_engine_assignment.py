"""Partitions are shared out evenly, each to one worker, with standby copies elsewhere."""

from __future__ import annotations

import copy

from faust.assignor.client_assignment import CopartitionedAssignment
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.engine.assignment import EvenAssignor

Assignments = dict[str, CopartitionedAssignment]


@st.composite
def what_clients_say_they_had(draw: st.DrawFn) -> tuple[Assignments, int]:
    """Draw what clients had before, which may be claimed by several of them, and how many partitions there are."""
    partitions = draw(st.integers(1, 16))
    some = st.sets(st.integers(0, partitions - 1))
    clients: Assignments = {}
    for number in range(draw(st.integers(1, 6))):
        actives = draw(some)
        clients[f"client-{number}"] = CopartitionedAssignment(actives, draw(some) - actives, {"topic"})
    return clients, partitions


def assign(clients: Assignments, partitions: int, replicas: int) -> Assignments:
    assignor = EvenAssignor({"topic"}, copy.deepcopy(clients), partitions, replicas)
    return dict(assignor.get_assignment())


@given(what_clients_say_they_had(), st.integers(0, 3))
def test_every_partition_has_one_owner_and_its_copies_and_none_has_two_more_than_another(
    before: tuple[Assignments, int], replicas: int
) -> None:
    clients, partitions = before
    after = assign(clients, partitions, replicas)
    counts = [len(assignment.actives) for assignment in after.values()]
    assert sorted(one for assignment in after.values() for one in assignment.actives) == list(range(partitions))
    assert max(counts) - min(counts) < 2
    copies = min(replicas, len(clients) - 1)
    assert sorted(one for assignment in after.values() for one in assignment.standbys) == sorted(
        [*range(partitions)] * copies
    )
    assert all(assignment.actives.isdisjoint(assignment.standbys) for assignment in after.values())


@given(what_clients_say_they_had(), st.integers(0, 3))
def test_what_is_shared_out_evenly_stays_where_it_is(before: tuple[Assignments, int], replicas: int) -> None:
    clients, partitions = before
    once = assign(clients, partitions, replicas)
    twice = assign(once, partitions, replicas)
    assert [assignment.actives for assignment in twice.values()] == [one.actives for one in once.values()]


def test_a_third_worker_gets_a_share_of_four_partitions_that_two_have_copies_of() -> None:
    clients = {
        "first": CopartitionedAssignment({0, 1}, {2, 3}, {"topic"}),
        "second": CopartitionedAssignment({2, 3}, {0, 1}, {"topic"}),
        "third": CopartitionedAssignment(set(), set(), {"topic"}),
    }
    after = assign(clients, 4, replicas=1)
    assert sorted(len(assignment.actives) for assignment in after.values()) == [1, 1, 2]
    assert len(after["first"].actives & {0, 1}) + len(after["second"].actives & {2, 3}) == 3
