"""The lock files hold what setup.cfg asks for, for every Python and system that it names."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
REQUIREMENTS = (REPOSITORY / "requirements.lock").read_text()
CONSTRAINTS = (REPOSITORY / "constraints.lock").read_text()

_setup = ConfigParser()
_setup.read(REPOSITORY / "setup.cfg")
RUNTIME = [Requirement(line) for line in _setup["options"]["install_requires"].split("\n") if line]
EXTRAS = [
    Requirement(line)
    for extra in _setup["options.extras_require"].values()
    for line in extra.split("\n")
    if line and not line.startswith("#")
]

ENVIRONMENTS = [
    {
        "python_version": version,
        "python_full_version": f"{version}.9",
        "sys_platform": system.lower(),
        "platform_system": system,
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for version in ("3.10", "3.11", "3.12", "3.13")
    for system in ("Linux", "Darwin")
]


def pins(lock: str) -> list[Requirement]:
    """Return the pins of a lock file: name, version and marker."""
    lines = re.sub(r"\s*\\\n\s*--hash=\S+", "", lock).splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pinned(lock: str, environment: dict[str, str]) -> dict[str, str]:
    """Return the version of each package that is installed in an environment."""
    found: dict[str, str] = {}
    for pin in pins(lock):
        if pin.marker is None or pin.marker.evaluate(environment):
            name = canonicalize_name(pin.name)
            assert name not in found, f"{name} is pinned twice for {environment}"
            [specifier] = pin.specifier
            assert specifier.operator == "=="
            found[name] = specifier.version
    return found


def wanted(requirements: list[Requirement], environment: dict[str, str]) -> list[Requirement]:
    return [one for one in requirements if one.marker is None or one.marker.evaluate(environment)]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda one: f"{one['python_version']}-{one['sys_platform']}")
def test_every_requirement_is_pinned_within_its_range(environment: dict[str, str]) -> None:
    for lock, requirements in ((REQUIREMENTS, RUNTIME), (CONSTRAINTS, [*RUNTIME, *EXTRAS])):
        found = pinned(lock, environment)
        for requirement in wanted(requirements, environment):
            assert requirement.specifier.contains(found[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda one: f"{one['python_version']}-{one['sys_platform']}")
def test_what_is_tested_is_what_is_shipped(environment: dict[str, str]) -> None:
    assert pinned(REQUIREMENTS, environment).items() <= pinned(CONSTRAINTS, environment).items()


def test_all_that_is_shipped_is_known_by_its_hash() -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", REQUIREMENTS)[1:]
    assert len(blocks) == len(pins(REQUIREMENTS))
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_lock_files_name_no_registry() -> None:
    assert not re.search(r"://|--index|--find-links|--trusted-host", REQUIREMENTS + CONSTRAINTS)
