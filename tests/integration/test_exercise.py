"""The exercise in examples/ can be done: a policy and a reason code, in under 30 lines besides the tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.documented import copy_sources

PATCH = "examples/exercise/policy-and-reason.patch"

_TRY_IT = """
import json, sys
from bp_faust.clinical.policies import find_policy
from bp_faust.clinical.judgement import Judge
from bp_faust.fhir import parse, reason_table
from bp_faust.fhir.resources import observation
from bp_faust.telemetry.metrics import REGISTRY
from bp_faust.settings.reference import settings_table

at_the_leg = {**observation("p", 170, 100, identity="o"),
              "bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": "344001"}]}}
print(json.dumps({
    "refused": parse(json.dumps(at_the_leg).encode())[0].reason,
    "judged": Judge(find_policy("kdigo-2021")).judge(125, 75).category,
    "listed": "`not-at-the-arm`" in reason_table() and "`kdigo-2021`" in settings_table(),
    "counted": REGISTRY.get_sample_value("bp_faust_refusals_total", {"reason": "not-at-the-arm"}),
}))
"""


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, f"{command}:\n{ran.stdout}\n{ran.stderr}"
    return ran


def changed_lines(directory: Path) -> int:
    """Return how many lines the patch changes outside the tests: those that it adds, and those that it takes away."""
    rows = [line.split("\t") for line in run(directory, "git", "apply", "--numstat", PATCH).stdout.splitlines()]
    return sum(int(added) + int(taken) for added, taken, path in rows if not path.startswith("tests/"))


def test_a_policy_and_a_reason_code_are_added_in_under_30_lines(tmp_path: Path) -> None:
    sources = copy_sources(tmp_path / "sources")
    assert changed_lines(sources) < 30
    run(sources, "git", "apply", PATCH)
    tried = json.loads(run(sources, sys.executable, "-c", _TRY_IT).stdout)
    assert tried == {"refused": "not-at-the-arm", "judged": "above-target", "listed": True, "counted": 0.0}
    tests = ["tests/unit/test_policies.py", "tests/unit/test_fhir_shapes.py", "tests/unit/test_fhir_properties.py"]
    run(sources, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
