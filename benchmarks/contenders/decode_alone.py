"""Read a file of readings as the command backtest does, and do nothing with them."""

from __future__ import annotations

import sys
from pathlib import Path

from bp_faust.fhir import ParseOptions, parse
from bp_faust.input_files import read_resources

if __name__ == "__main__":
    options = ParseOptions(validation="off")
    for record in read_resources(Path(sys.argv[1]), lambda position: None):
        parse(record, options)
