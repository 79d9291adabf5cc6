"""Post one blood pressure to a worker, as an app would: python post_reading.py PATIENT SYSTOLIC DIASTOLIC."""

import json
import os
import sys
import urllib.error
import urllib.request
from datetime import datetime, timezone

patient, systolic, diastolic = sys.argv[1:]
code, unit = {"system": "http://loinc.org"}, {"system": "http://unitsofmeasure.org", "code": "mm[Hg]", "unit": "mmHg"}
observation = {
    "resourceType": "Observation",
    "id": os.urandom(16).hex(),  # sent again with the same id, it counts once
    "status": "final",
    "code": {"coding": [{**code, "code": "85354-9"}]},
    "subject": {"reference": f"Patient/{patient}"},
    "effectiveDateTime": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    "component": [
        {"code": {"coding": [{**code, "code": part}]}, "valueQuantity": {**unit, "value": float(value)}}
        for part, value in (("8480-6", systolic), ("8462-4", diastolic))
    ],
}
url = os.environ.get("BP_FAUST_ADDRESS", "http://127.0.0.1:6066") + "/fhir/Observation"
headers = {"Authorization": f"Bearer {os.environ['BP_FAUST_FHIR_TOKEN']}", "Content-Type": "application/fhir+json"}
try:
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(observation).encode(), headers)) as answer:
        print(answer.headers["Location"])
except urllib.error.HTTPError as error:
    sys.exit(f"Refused with {error.code}: {json.load(error)['issue'][0]['diagnostics']}")
