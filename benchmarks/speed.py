"""Time and memory at 3840x2160, beside other tools in the same run; prints a GitHub-markdown table.

    python benchmarks/speed.py [--repeats 5]

Every row is measured in a process of its own. Peers that cannot be imported are said to be so; the variable
KPALETTE_PEERS may name a folder that holds them (pip install --target). Memory needs Linux.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from speed_tasks import LUT_ROW, ROWS, batch, go_nord


def status_mb(name: str) -> float:
    """A field of /proc/self/status in MB; NaN where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


def begin_peak() -> float:
    """Gives freed memory back, so that it cannot serve unseen, resets the peak, and tells what is in use in MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    return status_mb("VmRSS")


def measure(label: str, repeats: int) -> dict[str, Any]:
    """Median seconds of a row, and the peak of its first call above what was there before it and its result."""
    make, argument, _, module, result_mb = ROWS[label]
    if module and importlib.util.find_spec(module) is None:
        return {"seconds": None, "note": "not installed"}
    run, scale = make(argument)
    before = begin_peak()
    run()
    peak = status_mb("VmHWM")
    seconds = []
    for _ in range(1 if make in (batch, go_nord) else repeats):
        start = time.perf_counter()
        run()
        seconds.append((time.perf_counter() - start) * scale)
    return {"seconds": float(np.median(seconds)), "mb": max(0.0, peak - before - result_mb)}


def in_process(label: str, repeats: int) -> dict[str, Any]:
    """`measure` in a fresh process."""
    peer, environment = ROWS[label][3], dict(os.environ)
    if peer and "KPALETTE_PEERS" in environment:
        environment["PYTHONPATH"] = environment["KPALETTE_PEERS"]
    command = [sys.executable, __file__, "--one", label, "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    if done.returncode:
        return {"seconds": None, "note": f"failed: {done.stderr.strip().splitlines()[-1][:80]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each row")
    parser.add_argument("--one", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.repeats)))
        return
    print("| what | seconds (median) | MB above the pictures | ratio to Color3DLUT | target |\n|---|---|---|---|---|")
    unit = 0.0
    for label in [label for label in ROWS if options.only in label or label == LUT_ROW]:
        found = in_process(label, options.repeats)
        if found["seconds"] is None:
            print(f"| {label} | {found['note']} | | | |", flush=True)
            continue
        unit = unit or found["seconds"]
        cells = [f"{found['seconds']:.3f}", f"{found['mb']:.0f}", f"{found['seconds'] / unit:.2f}", ROWS[label][2]]
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
