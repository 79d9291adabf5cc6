"""Files of resources are read a line at a time, or whole."""

import gzip
from pathlib import Path

import pytest

from bp_faust.input_files import InputFileError, read_resources


def read(path: Path) -> list[bytes]:
    return list(read_resources(path, lambda done: None))


def test_each_line_is_a_resource_and_blank_lines_are_none(tmp_path: Path) -> None:
    path = tmp_path / "readings.ndjson"
    path.write_bytes(b'{"a": 1}\n\n  {"b": 2}\r\nnot json\n')
    assert read(path) == [b'{"a": 1}', b'{"b": 2}', b"not json"]


def test_gzip_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "readings"
    path.write_bytes(gzip.compress(b'{"a": 1}\n{"b": 2}'))
    assert read(path) == [b'{"a": 1}', b'{"b": 2}']


def test_one_resource_over_many_lines_is_one_resource(tmp_path: Path) -> None:
    path = tmp_path / "blood_pressure.json"
    path.write_bytes(b'{\n  "a": 1\n}\n')
    assert [value.strip() for value in read(path)] == [b'{\n  "a": 1\n}']


def test_progress_ends_at_the_files_size(tmp_path: Path) -> None:
    path = tmp_path / "readings.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000))
    seen: list[int] = []
    list(read_resources(path, seen.append))
    assert seen[-1] == path.stat().st_size


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"nothing\.ndjson"):
        read(tmp_path / "nothing.ndjson")
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:-9])
    with pytest.raises(InputFileError, match=r"broken\.gz"):
        read(broken)
