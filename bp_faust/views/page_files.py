"""Hold the files that the page is made of: what the package's folder `web` has when the worker starts, no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.abc import Traversable

#: What browsers are given, by how a name ends; scripts run only by their right type.
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageFile(NamedTuple):
    """Hold a file: its content, its media type, and a tag that changes with its content."""

    content: bytes
    media_type: str
    tag: str


def read_page_files() -> Mapping[str, PageFile]:
    """Return the page's files by their path, such as ``vendor/uPlot.esm.js``."""
    return dict(_files(resources.files("bp_faust") / "web", PurePosixPath()))


def _files(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[str, PageFile]]:
    for one in folder.iterdir():
        here = path / one.name
        if one.is_dir():
            yield from _files(one, here)
        elif here.suffix in _MEDIA_TYPES:
            content = one.read_bytes()
            tag = blake2b(content, digest_size=12).hexdigest()
            yield str(here), PageFile(content, _MEDIA_TYPES[here.suffix], tag)
