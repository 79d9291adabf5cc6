"""Every command of ours shows examples in its help, and each of them is a command line that is understood."""

from __future__ import annotations

import importlib
import inspect
import shlex

import click
import pytest
from faust.cli.base import AppCommand, cli

from bp_faust.app import app
from bp_faust.commands.command import Command

for module in app.conf.autodiscover:
    importlib.import_module(module)


def ours() -> list[str]:
    """Return the names of the commands whose classes are in our modules."""
    found = []
    for name in app.conf.autodiscover:
        module = importlib.import_module(name)
        for _, one in inspect.getmembers(module, inspect.isclass):
            # In this order: to Python 3.10 dict[str, int] is a class that has no subclasses.
            if one.__module__ == name and issubclass(one, AppCommand) and one.__name__ in cli.commands:
                found.append(one.__name__)
    return sorted(found)


def examples(command: str) -> list[list[str]]:
    """Return the words of each example."""
    lines = inspect.cleandoc(cli.commands[command].help or "").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("  faust -A bp_faust ")]


def test_all_commands_are_looked_at() -> None:
    assert {"alerts", "backtest", "demo", "dlq", "doctor", "generate", "patient", "produce", "send", "settings"} < set(
        ours()
    )
    assert {"stack", "worker"} < set(ours())


@pytest.mark.parametrize("command", ours())
def test_each_has_examples_that_parse(command: str) -> None:
    found = examples(command)
    assert found
    for words in found:
        with cli.make_context("faust", words[1:], resilient_parsing=False) as context:
            name, parser, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
            assert name == command
            assert parser is not None
            parser.make_context(command, rest, parent=context)


@pytest.mark.parametrize("command", ours())
def test_the_help_keeps_each_example_on_its_line(command: str) -> None:
    shown = cli.commands[command].get_help(click.Context(cli.commands[command], info_name=command)).splitlines()
    for words in examples(command):
        assert [shlex.split(line) for line in shown if line.lstrip().startswith("faust -A")].count(words) == 1


@pytest.mark.parametrize("command", ours())
def test_every_option_is_described(command: str) -> None:
    for parameter in cli.commands[command].params:
        if isinstance(parameter, click.Option) and parameter.name not in {"web_bind"}:  # Faust's
            assert parameter.help, parameter.name


def test_commands_tell_errors_in_one_line() -> None:
    assert Command.run_using_worker is not AppCommand.run_using_worker
