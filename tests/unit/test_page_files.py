"""What the page is made of, and that a wheel has all of it."""

from __future__ import annotations

import configparser
import fnmatch
import re
from pathlib import Path

from bp_faust.views.page_files import read_page_files

REPOSITORY = Path(__file__).parents[2]
WEB = REPOSITORY / "bp_faust" / "web"


def test_every_file_of_the_folder_is_served_by_its_path_and_nothing_else() -> None:
    files = read_page_files()
    found = {str(path.relative_to(WEB)) for path in WEB.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")}
    assert set(files) == found
    assert {"index.html", "page.js", "vendor/uPlot.esm.js", "vendor/uPlot.min.css"} <= found
    for path, file in files.items():
        assert file.content == (WEB / path).read_bytes()
    assert files["page.js"].media_type == "text/javascript"
    assert files["vendor/uPlot.min.css"].media_type == "text/css"
    assert len({file.tag for file in files.values()}) == len(files)


def test_a_wheel_has_them_and_the_licence_of_the_chart_library() -> None:
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    patterns = [f"bp_faust/{line}" for line in setup["options.package_data"]["bp_faust"].split()]
    shipped = [path for path in WEB.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert WEB / "vendor" / "LICENSE" in shipped
    for path in shipped:
        assert any(fnmatch.fnmatch(str(path.relative_to(REPOSITORY)), pattern) for pattern in patterns), path


def test_what_the_page_asks_for_is_there() -> None:
    files = read_page_files()
    for name in re.findall(r'(?:href|src)="/web/(.*?)"', files["index.html"].content.decode()):
        assert name in files
    for path, file in files.items():
        if path.endswith(".js"):
            for name in re.findall(r'^import .*?"\./(.*?)";$', file.content.decode(), re.MULTILINE):
                assert name in files, path


def test_the_chart_library_is_the_version_that_its_note_and_the_makefile_name() -> None:
    (version,) = re.findall(r"^UPLOT := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert (WEB / "vendor" / "README.md").read_text().startswith(f"# uPlot {version}\n")
    assert f"(v{version})" in (WEB / "vendor" / "uPlot.esm.js").read_text()[:400]
