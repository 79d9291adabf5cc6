"""Hold what a site decides about reading FHIR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from zoneinfo import ZoneInfo

UnitPolicy = Literal["assume-mmHg", "refuse"]
Validation = Literal["off", "rejects", "all"]


@dataclass(frozen=True)
class ParseOptions:
    """Hold a site's choices for ``parse``; raise ValueError for one that does not exist.

    The default limits of plausibility, in mmHg, are wider than any reading of a living adult; a value on a limit is
    plausible.
    """

    #: What a value without any unit is: millimetres of mercury, or refused.
    unit_policy: UnitPolicy = "assume-mmHg"
    #: The IANA name of the zone of times that name none.
    default_time_zone: str = "UTC"
    systolic_limits: tuple[float, float] = (30, 370)
    diastolic_limits: tuple[float, float] = (10, 330)
    #: Whether readings outside the limits, or whose systolic pressure is not the higher one, are flagged implausible.
    flag_implausible: bool = True
    #: The longest record, as it came and unzipped.
    max_bytes: int = 10 * 1024 * 1024
    #: Whether fhir.resources checks nothing, explains what is refused, or must accept what is read.
    validation: Validation = "rejects"

    def __post_init__(self) -> None:
        if self.unit_policy not in get_args(UnitPolicy):
            raise ValueError(f"unit_policy is one of {', '.join(get_args(UnitPolicy))}, not {self.unit_policy!r}.")
        if self.validation not in get_args(Validation):
            raise ValueError(f"validation is one of {', '.join(get_args(Validation))}, not {self.validation!r}.")
        try:
            ZoneInfo(self.default_time_zone)
        except (OSError, ValueError, LookupError) as error:
            raise ValueError(
                f"default_time_zone is an IANA name such as Africa/Accra; {self.default_time_zone!r} is not known here."
            ) from error
