"""Read data of one type from the text of a YAML file, with the line of every mistake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec
import yaml

#: The names and indexes that lead from a file's root to a place in it.
Place = list[str | int]
_Data = TypeVar("_Data")

#: Where in a file msgspec found something wrong, as ``$.categories[1].when``.
_PATH = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_PATH_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\[\.\.\.\]")


def read_yaml(
    text: str,
    name: str,
    kind: type[_Data],
    *,
    decode: Callable[[type, Any], Any],
    contradictions: Callable[[_Data], Iterable[tuple[Place, str]]],
    error: type[ValueError],
) -> _Data:
    """Return the data of a YAML file's text; raise ``error`` with the file's name and the line.

    ``decode`` makes what msgspec does not know, and raises ValueError; ``contradictions`` tells what is wrong although
    every member is of its type.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark else 1
        raise error(f"{name}, line {line}: {exc.problem or exc.context}.") from exc
    except (yaml.YAMLError, ValueError) as exc:
        # A ValueError is a date that the calendar does not have.
        raise error(f"{name}: {exc}.") from exc
    for key in _repeated_keys(root):
        raise error(f"{name}, line {key.start_mark.line + 1}: `{key.value}` stands here for the second time.")
    try:
        data = msgspec.convert(content, kind, dec_hook=decode, strict=True)
    except msgspec.ValidationError as exc:
        what, path = _what_and_path(exc)
        raise error(f"{name}, line {_line(root, path)}: {what}.") from exc
    for path, what in contradictions(data):
        raise error(f"{name}, line {_line(root, path)}: {what}.")
    return data


def _repeated_keys(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Yield the keys that stand in a mapping again; PyYAML would let the last one count without a word."""
    nodes, visited = [root], set()
    while nodes:
        node = nodes.pop()
        if id(node) in visited:
            continue  # an alias, which may even lead back to where it stands
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            names = set()
            for key, value in node.value:
                nodes.append(value)
                if isinstance(key, yaml.ScalarNode):
                    if key.value in names:
                        yield key
                    names.add(key.value)


def _what_and_path(exc: msgspec.ValidationError) -> tuple[str, Place]:
    found = _PATH.match(str(exc))
    assert found is not None
    steps = _PATH_STEP.findall(found["path"] or "")
    return found["what"].rstrip("."), [int(index) if index else name for name, index in steps if name or index]


def _line(root: yaml.Node | None, path: Iterable[str | int]) -> int:
    """Return the line of the deepest node along a path that there is."""
    node = root
    line = 1 if node is None else node.start_mark.line + 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
