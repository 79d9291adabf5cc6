"""Read blood pressure from FHIR, and write it. Pure: no clock, no chance, no Kafka, no Elasticsearch.

``parse`` is the one door in: bytes become readings, and refusals that say why.
"""

from bp_faust.fhir.flags import time_flags
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.parsing import parse
from bp_faust.fhir.reasons import Reason, reason_table

__all__ = ["ParseOptions", "Reason", "parse", "reason_table", "time_flags"]
