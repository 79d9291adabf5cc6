"""Share partitions out evenly: Faust leaves a worker idle where others have standby copies of all they could give."""

from __future__ import annotations

from collections.abc import MutableMapping

from faust.assignor import partition_assignor
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor


class EvenAssignor(CopartitionedAssignor):
    """Give no client two partitions more than another, and move no more of them than that takes."""

    def get_assignment(self) -> MutableMapping[str, CopartitionedAssignment]:
        """Return the assignment of each client."""
        for assignment in self._client_assignments.values():
            assignment.unassign_extras(self.max_capacity, self.replicas)
        self._assign(active=True)
        self._even_out()
        self._assign(active=False)
        return self._client_assignments

    def _even_out(self) -> None:
        assignments = list(self._client_assignments.values())
        while True:
            fewest = min(assignments, key=_actives)
            most = max(assignments, key=_actives)
            if _actives(most) - _actives(fewest) < 2:
                return
            # One that it has a copy of needs no recovery.
            partition = min(most.actives & fewest.standbys or most.actives)
            most.unassign_partition(partition, active=True)
            fewest.standbys.discard(partition)
            fewest.assign_partition(partition, active=True)


def _actives(assignment: CopartitionedAssignment) -> int:
    return assignment.num_assigned(active=True)


def share_evenly() -> None:
    """Let Faust's partition assignor, which takes its class from its own module, share out as above."""
    setattr(partition_assignor, "CopartitionedAssignor", EvenAssignor)  # noqa: B010
