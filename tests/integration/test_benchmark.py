"""The benchmark runs, and what its contenders do is right; its figures here mean nothing."""

import asyncio
import json
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


async def test_all_sections_run_and_all_contenders_come_out_right(
    kafka: str, elasticsearch_url: str, tmp_path: Path
) -> None:
    command = ["-m", "benchmarks", "--short", "--kafka", kafka, "--elasticsearch", elasticsearch_url]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--output", str(tmp_path), cwd=REPOSITORY, stdout=-1, stderr=-2
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(), 500)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, told.decode()[-3000:]
    assert "raw aiokafka" in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text())
    assert (tmp_path / "plot.png").stat().st_size
