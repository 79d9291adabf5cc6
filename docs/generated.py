"""Fill the reference pages from the code while MkDocs builds them: no page holds a copy that could grow old.

A page says where by a line such as ``*Put here by `make docs`: settings*``, or by one that names a file. That line is
what somebody sees who reads the page outside its site.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import click
import yaml
from faust.cli.base import cli
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page
from prometheus_client import REGISTRY

import bp_faust.telemetry.metrics
from bp_faust.app import app
from bp_faust.clinical import policies
from bp_faust.dead_letters.reasons import our_reason_table
from bp_faust.fhir import reason_table
from bp_faust.settings.reference import settings_table
from bp_faust.topic_api import CHANNELS
from bp_faust.views.operations import operations

_REPOSITORY = Path(__file__).parents[1]
_PLACE = re.compile(r"^\*Put here by `make docs`: (\S+)\*$", flags=re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Put what was generated in its place; called by MkDocs for each page."""
    filled = _PLACE.sub(lambda found: _generated(found[1]), markdown)
    if "\n## " not in filled:
        # There are no sections to list beside the page: its tables get the room.
        page.meta["hide"] = ["toc"]
    return filled


def _generated(name: str) -> str:
    if name in GENERATORS:
        return GENERATORS[name]()
    path = _REPOSITORY / name
    if not path.is_file():
        raise PluginError(f"{name!r} is no file, and none of what docs/generated.py makes: {', '.join(GENERATORS)}.")
    return f"```{path.suffix.removeprefix('.')}\n{path.read_text()}```\n"


def diagram() -> str:
    """Return the README's diagram of the way of a reading."""
    readme = (_REPOSITORY / "README.md").read_text()
    return "```text\n" + readme.partition("```text\n")[2].partition("```")[0] + "```\n"


def topic_table() -> str:
    """Return the topics as a Markdown table: name by default, direction, what it holds, key, how it is created."""
    directions = {"receive": "in", "send": "out"}
    configurations = {wanted.name: wanted.config for wanted in app.wanted_topics}
    rows = []
    for channel in CHANNELS:
        name = channel.topic.get_topic_name()
        config = ", ".join(f"`{key}={value}`" for key, value in configurations[name].items())
        rows.append((f"`{name}`", directions[channel.action], channel.summary, channel.key, config))
    return _table(("topic", "direction", "what it holds", "key", "created with"), rows)


def command_sections() -> str:
    """Return what --help says of each of our commands."""
    _discover()
    context = click.Context(cli, info_name="faust -A bp_faust")
    sections = []
    for name, command in sorted(cli.commands.items()):
        if command.callback.__module__.startswith("bp_faust."):
            help_text = command.get_help(click.Context(command, parent=context, info_name=name))
            sections.append(f"## {name}\n\n```text\n{help_text}\n```\n")
    return "\n".join(sections)


def view_table() -> str:
    """Return the routes of the web server as a Markdown table: method, path, what it does, parameters."""
    _discover()
    rows = []
    for path, name, method, declared in operations(app.web.views):
        query = "<br>".join(f"`{parameter}`: {text}" for parameter, text in declared.query.items())
        rows.append((name.upper(), f"`{path}`", _unfolded(inspect.getdoc(method) or ""), query))
    return _table(("method", "path", "what it does", "query"), rows)


def metric_table() -> str:
    """Return our metrics as a Markdown table: name, kind, what it tells."""
    assert bp_faust.telemetry.metrics
    rows = [
        (f"`{metric.name}`", metric.type, metric.documentation)
        for metric in sorted(REGISTRY.collect(), key=lambda metric: metric.name)
        if metric.name.startswith("bp_faust_")
    ]
    return _table(("metric", "kind", "what it tells"), rows)


def policy_sections() -> str:
    """Return each policy that ships as a section: its citation, and its categories with their conditions."""
    files = sorted(resources.files(policies).iterdir(), key=lambda file: file.name)
    return "\n".join(_policy(yaml.safe_load(file.read_text("utf-8"))) for file in files if file.name.endswith(".yaml"))


def _policy(policy: dict[str, Any]) -> str:
    rows = [
        (
            f"`{policy['id']}/{category['id']}`",
            category["title"],
            category["severity"],
            "; ".join(_condition(condition) for condition in category["when"]),
            category.get("citation", ""),
        )
        for category in policy["categories"]
    ]
    table = _table(("rule", "title", "severity", "when, in mmHg and years", "citation of its own"), rows)
    return f"## {policy['id']}: {policy['title']}\n\n{policy['citation']}\n\n{table}"


def _condition(condition: dict[str, Any]) -> str:
    return ", ".join(f"{name} `{str(value).lower()}`" for name, value in condition.items()) or "else"


def _discover() -> None:
    app.finalize()
    app.discover()


def _unfolded(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


GENERATORS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "reasons": reason_table,
    "our-reasons": our_reason_table,
    "topics": topic_table,
    "commands": command_sections,
    "views": view_table,
    "diagram": diagram,
    "metrics": metric_table,
    "policies": policy_sections,
}
