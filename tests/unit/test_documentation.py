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
        if page.is_relative_to(REPOSITORY / "docs"):
            assert target.is_relative_to(REPOSITORY / "docs"), f"{link} leads out of the site"
        if parts.fragment:
            assert parts.fragment in anchors(target), f"{link}: there is no such heading"


#: A file of ours in a document's text, or a test in it.
FILE = re.compile(r"(?P<path>\w[\w./-]*\.(?:py|js|json|yaml|yml|toml|cfg|md|gz))(?:::(?P<test>\w+))?")


@pytest.fixture(scope="module")
def sources() -> list[Path]:
    folders = ("bp_faust", "benchmarks", "docs", "examples", "kibana", "monitoring", "tests")
    return [*REPOSITORY.glob("*.*"), *(file for folder in folders for file in (REPOSITORY / folder).rglob("*.*"))]


@PAGES
def test_files_and_tests_that_the_text_names_are_there(page: Path, sources: list[Path]) -> None:
    written = "".join(block.text for block in documented.commands(page))
    inline = [child for token in documented.tokens(page) for child in token.children or []]
    for code in (child.content for child in inline if child.type == "code_inline"):
        named = FILE.fullmatch(code)
        if named and named["path"] not in written:
            found = [file for file in sources if f"/{file.relative_to(REPOSITORY)}".endswith(f"/{named['path']}")]
            assert found, f"There is no {named['path']}"
            assert not named["test"] or any(f"def {named['test']}(" in file.read_text() for file in found), code


@PAGES
def test_blocks_name_their_language_and_commands_are_a_shells(page: Path) -> None:
    for block in documented.blocks(page):
        diagram = "-->" in block.text
        assert block.language or diagram, f"line {block.line}"
    for block in documented.commands(page):
        parsed = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
        assert parsed.returncode == 0, f"line {block.line}: {parsed.stderr}"
