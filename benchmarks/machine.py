"""Tell what was measured on, and with which versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import psutil

_PACKAGES = (
    "faust-streaming", "mode-streaming", "aiokafka", "rocksdict", "msgspec", "orjson", "elasticsearch", "quixstreams",
    "confluent-kafka",
)  # fmt: skip


def describe(kafka: str, elasticsearch: str) -> dict[str, str]:
    """Return the machine's and the programs' properties by name; the last two say where the servers came from."""
    load = os.getloadavg()[0]
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{load:.2f} (1 min); the servers, the contenders and this program share the machine",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES),
        "Kafka": kafka,
        "Elasticsearch": elasticsearch,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
