"""What the local stack has to fetch, where it may keep that and its data, and what is deleted again."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bp_faust.local.downloads import ELASTICSEARCH, KAFKA, fetch, hold, missing, require
from bp_faust.local.errors import DataInUseError, DownloadError, LocalStackError, PortTakenError
from bp_faust.local.purging import purge
from bp_faust.local.stack import Stack
from bp_faust.local.worker import Worker


def fill(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("content")


def test_offline_all_that_is_missing_is_named_with_its_size(tmp_path: Path) -> None:
    assert missing([KAFKA, ELASTICSEARCH], tmp_path) == [KAFKA, ELASTICSEARCH]
    with pytest.raises(DownloadError, match=r"Kafka 4\.1\.0 \(about 43 MB\) and Elasticsearch 8\.9\.0 \(about 35 MB\)"):
        require([KAFKA, ELASTICSEARCH], tmp_path)
    fill(tmp_path / "repository" / "a.jar")
    KAFKA.manifest(tmp_path).write_text('["repository/a.jar"]')
    with pytest.raises(DownloadError, match=r"yet: Elasticsearch"):
        require([KAFKA, ELASTICSEARCH], tmp_path)
    require([KAFKA], tmp_path)


def test_all_that_a_stack_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    data, cache = tmp_path / "data" / "stack", tmp_path / "cache"
    fill(
        data / "kafka" / "a", data / "elasticsearch" / "home" / "b", data / "in-use.lock", data.parent / "worker" / "c"
    )
    fill(cache / "repository" / "d.jar", KAFKA.manifest(cache), cache / "fetching.lock")
    fill(data.parent / "mine", cache / "mine")
    assert purge(data, cache, [data.parent / "worker"]) == 6 * len("content")
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()) == [
        Path("cache/mine"),
        Path("data/mine"),
    ]
    assert purge(data, cache) == 0


def test_folders_that_are_empty_then_go_too(tmp_path: Path) -> None:
    data, cache = tmp_path / "data" / "stack", tmp_path / "cache"
    fill(data / "kafka" / "a", cache / "repository" / "d.jar")
    purge(data, cache)
    assert not list(tmp_path.iterdir())


def test_what_is_linked_to_stays(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere" / "a")
    data = tmp_path / "data"
    data.mkdir()
    (data / "kafka").symlink_to(tmp_path / "elsewhere")
    purge(data, tmp_path / "cache")
    assert (tmp_path / "elsewhere" / "a").is_file()
    assert not data.exists()


def test_downloads_in_use_are_not_deleted(tmp_path: Path) -> None:
    fill(tmp_path / "cache" / "repository" / "d.jar")
    first, second = hold(tmp_path / "cache"), hold(tmp_path / "cache")
    assert first is not None
    assert second is not None
    first.close()
    with pytest.raises(DataInUseError, match="uses the downloads"):
        purge(tmp_path / "data", tmp_path / "cache")
    second.close()
    purge(tmp_path / "data", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_what_cannot_be_deleted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "data" / "kafka" / "a")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(LocalStackError, match=r"kafka cannot be deleted \(Permission denied\)"):
        purge(tmp_path / "data", tmp_path / "cache")


def test_a_data_directory_that_cannot_be_made_is_named_before_anything_is_fetched(tmp_path: Path) -> None:
    fill(tmp_path / "file")
    with pytest.raises(LocalStackError, match=r"file/data cannot be made .*: choose another --data-dir"):
        Stack(tmp_path / "file" / "data", cache_dir=tmp_path / "cache").start()
    assert not (tmp_path / "cache").exists()


def test_a_folder_for_downloads_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "file")
    with pytest.raises(DownloadError, match=r"file/cache, cannot be made .*: set BP_FAUST_CACHE_DIR"):
        fetch(KAFKA, tmp_path / "file" / "cache")


def test_a_page_whose_port_is_taken_says_by_which_setting_to_choose_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTakenError, match="choose another with BP_FAUST_WEB_PORT"):
            Worker(tmp_path, taken.getsockname()[1], {})
