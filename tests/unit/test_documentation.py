"""The documents' links lead somewhere, and their commands can be read."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests import documented

REPOSITORY = documented.REPOSITORY

PAGES = pytest.mark.parametrize("page", documented.PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))


def links(page: Path) -> list[str]:
    """Return where a page's links and images lead."""
    inline = [child for token in documented.tokens(page) for child in token.children or []]
    found = [child.attrs.get("href") or child.attrs.get("src") for child in inline]
    return [str(link) for link in found if link]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MkDocs make them."""
    tokens = documented.tokens(page)
    headings = [after.content for token, after in itertools.pairwise(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@PAGES
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), f"{link} leads nowhere"
        if parts.fragment:
            assert parts.fragment in anchors(target), f"{link}: there is no such heading"


@PAGES
def test_blocks_name_their_language_and_commands_are_a_shells(page: Path) -> None:
    for block in documented.blocks(page):
        diagram = "-->" in block.text
        assert block.language or diagram, f"line {block.line}"
    for block in documented.commands(page):
        parsed = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
        assert parsed.returncode == 0, f"line {block.line}: {parsed.stderr}"
