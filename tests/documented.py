"""Read the documents, and take a copy of the sources that they are about."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
        *(REPOSITORY / "examples").rglob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
    ]
)

#: What is no source.
_NO_SOURCES = (
    *(".git", ".venv", ".cache", ".*_cache", ".hypothesis", "__pycache__"),
    *("build", "dist", "site", "results", "*-data", "*.egg-info"),
)

_MARKDOWN = MarkdownIt("commonmark").enable("table")


class Block(NamedTuple):
    """Hold a fenced block: on which line it begins, its language, its text."""

    line: int
    language: str
    text: str


def copy_sources(to: Path) -> Path:
    """Copy the sources, as somebody else has them, to a folder that is not there yet; return it."""
    shutil.copytree(REPOSITORY, to, ignore=shutil.ignore_patterns(*_NO_SOURCES))
    return to


def tokens(page: Path) -> list[Token]:
    """Return a page as markdown-it reads it."""
    return _MARKDOWN.parse(page.read_text())


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks, in order."""
    return [
        Block((token.map or [0])[0] + 1, token.info, token.content) for token in tokens(page) if token.type == "fence"
    ]


def commands(page: Path) -> list[Block]:
    """Return a page's blocks of shell commands, in order."""
    return [block for block in blocks(page) if block.language == "sh"]
