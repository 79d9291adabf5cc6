"""Read the documents: the blocks of commands that they tell people to run, the files that they tell people to save."""

from __future__ import annotations

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

_MARKDOWN = MarkdownIt("commonmark").enable("table")


class Block(NamedTuple):
    """Hold a fenced block: its first line, its language, the name of the file that it is to be saved as, its text."""

    line: int
    language: str
    file_name: str | None
    text: str


def tokens(page: Path) -> list[Token]:
    """Return a page as markdown-it reads it."""
    return _MARKDOWN.parse(page.read_text())


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks, in order."""
    found = []
    for token in tokens(page):
        if token.type == "fence":
            language, _, rest = token.info.partition(" ")
            name = rest.removeprefix('title="').removesuffix('"') or None
            found.append(Block((token.map or [0])[0] + 1, language, name, token.content))
    return found


def commands(page: Path) -> list[Block]:
    """Return a page's blocks of shell commands, in order."""
    return [block for block in blocks(page) if block.language == "sh"]


def files(page: Path) -> dict[str, str]:
    """Return the files that a page tells people to save: text by name."""
    return {block.file_name: block.text for block in blocks(page) if block.file_name is not None}
