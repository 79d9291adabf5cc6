# /// script
# requires-python = ">=3.10"
# dependencies = ["matplotlib>=3.9"]
# ///
"""Plot a patient's anomalous readings from Elasticsearch: python plot_patient.py PATIENT FILE.svg.

The environment has BP_FAUST_ELASTICSEARCH_URL and BP_FAUST_ELASTICSEARCH_INDEX where those are not the defaults.
"""

import json
import os
import sys
import urllib.request
from datetime import datetime

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

patient, file = sys.argv[1:]
url = os.environ.get("BP_FAUST_ELASTICSEARCH_URL", "http://localhost:9200")
index = os.environ.get("BP_FAUST_ELASTICSEARCH_INDEX", "blood_pressure_anomalies_v2")
query = {"query": {"term": {"patient_id": patient}}, "sort": ["timestamp"], "size": 10_000}
request = urllib.request.Request(
    f"{url}/{index}/_search", json.dumps(query).encode(), {"Content-Type": "application/json"}
)
with urllib.request.urlopen(request, timeout=30) as answer:
    readings = [hit["_source"] for hit in json.load(answer)["hits"]["hits"]]
if not readings:
    sys.exit(f"Elasticsearch has no anomalous reading of patient {patient}.")

times = [datetime.fromisoformat(reading["timestamp"].replace("Z", "+00:00")) for reading in readings]
figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
for field, color in (("systolic_pressure", "tab:red"), ("diastolic_pressure", "tab:blue")):
    axes.plot(times, [reading[field] for reading in readings], "o-", color=color, label=field.replace("_", " "))
axes.set(title=f"Anomalous readings of patient {patient}", ylabel="mmHg")
axes.legend()
figure.autofmt_xdate()
figure.savefig(file)
print(f"{len(readings)} readings drawn in {file}")
