"""Watch blood pressure on live FHIR streams: find what is wrong and show it to the people who must act.

``faust -A bp_faust worker`` finds the Faust application here. It reads, from top to bottom: ``models``, ``app``,
``topics``, ``tables``, ``agents``, ``timers``, ``views``, ``commands``; what decides is pure and lives in ``fhir``,
``clinical`` and ``simulation``.
"""

from bp_faust.app import app

__all__ = ["app"]
