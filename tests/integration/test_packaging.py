"""What is shipped is complete: the archives hold all there is, and a wheel in an empty environment runs the demo."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.documented import REPOSITORY, copy_sources
from tests.running_command import running
from tests.worker_process import free_port, wait_for

#: How long it may take to make the archives, and to install one with all that it needs, in seconds.
_BUILD_SECONDS = 300.0
_INSTALL_SECONDS = 500.0
_DEMO_SECONDS = 240.0


def run(*command: str | Path, seconds: float, **more: Any) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **more)
    assert ran.returncode == 0, f"{command}:\n{ran.stdout}\n{ran.stderr}"
    return ran


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the source archive and the wheel, which is made from it."""
    folder = tmp_path_factory.mktemp("packaging")
    sources = copy_sources(folder / "sources")
    run(sys.executable, "-m", "build", "--outdir", folder, sources, seconds=_BUILD_SECONDS)
    return folder


@pytest.fixture(scope="module")
def wheel(archives: Path) -> Path:
    [found] = archives.glob("*.whl")
    return found


def tracked(under: str = ".") -> set[str]:
    """Return what is in version control, or new and not ignored by it."""
    kinds = ("--cached", "--others", "--exclude-standard")
    listed = run("git", "ls-files", "-z", *kinds, under, seconds=60, cwd=REPOSITORY).stdout
    return {name for name in listed.split("\0") if (REPOSITORY / name).is_file()}


def test_the_source_archive_holds_what_is_in_version_control(archives: Path) -> None:
    [archive] = archives.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
    assert tracked() - held == set()
    made = {name for name in held if name in ("PKG-INFO", "setup.cfg") or name.startswith("bp_faust.egg-info/")}
    assert held - tracked() - made == set()


def test_the_wheel_holds_the_package_its_files_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    package = {name for name in held if name.startswith("bp_faust/")}
    assert package == tracked("bp_faust")
    assert any(name.endswith("/licenses/LICENSE") for name in held)
    assert any(name.endswith("data/share/bp_faust/zookeeper.properties") for name in held)


@pytest.mark.usefixtures("stack")
def test_a_wheel_in_an_empty_environment_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment, seconds=_INSTALL_SECONDS)
    constraints = REPOSITORY / "constraints.lock"
    pip = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--constraint", constraints, f"{wheel}[local]", seconds=_INSTALL_SECONDS)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    log = elsewhere / "demo.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BP_FAUST_", "PYTHON"))}
    settings = {
        "BP_FAUST_CACHE_DIR": os.environ["BP_FAUST_CACHE_DIR"],
        "BP_FAUST_WEB_PORT": str(free_port()),
        "BP_FAUST_SIMULATION_INTERVAL": "0.2",
        "PATH": os.pathsep.join([str(environment / "bin"), os.environ["PATH"]]),
        "PYTHONUNBUFFERED": "1",
    }
    tell = "import bp_faust; print(bp_faust.__file__)"
    where = run("python", "-c", tell, seconds=60, cwd=elsewhere, env={**inherited, **settings}).stdout
    assert where.startswith(str(environment))
    command = ["bp-faust", "demo", "--kafka-port", "0", "--elasticsearch-port", "0"]
    with running(command, log, cwd=elsewhere, env={**inherited, **settings}) as process:

        def page() -> str | None:
            assert process.poll() is None, log.read_text()
            found = re.search(r"The page: (\S+)", log.read_text())
            return found[1] if found else None

        address = wait_for(page, _DEMO_SECONDS, f"the demo; its log is {log}")

        def patients() -> int:
            with urllib.request.urlopen(f"{address}patients/", timeout=10) as answer:
                return len(json.load(answer)["patients"])

        wait_for(patients, 60, "simulated patients")
        for path in ("", "web/page.js", "web/page.css"):
            with urllib.request.urlopen(f"{address}{path}", timeout=10) as answer:
                assert answer.status == 200
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(90) == 0
