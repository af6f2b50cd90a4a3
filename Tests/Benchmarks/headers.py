"""Times `port inspect` of a header-only checkpoint against safe_open of safetensors, in turn.

    headers.py [--rounds N]

The checkpoint is that of make_header_only.py, made when it is missing. The peer is a process of its
own that opens every shard and lists the names; it does not read the index. The best round counts.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".build/bench/r1"
PEER = """
import pathlib, sys
from safetensors import safe_open
names = 0
for shard in sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors")):
    with safe_open(shard, "np") as file:
        names += len(list(file.keys()))
assert names == 91_991, names
"""


def timed(command):
    """Seconds, and the peak memory in megabytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - start, usage.ru_maxrss / 1000


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=10)
    options = options.parse_args()
    if not FOLDER.exists():
        subprocess.run([sys.executable, Path(__file__).parent / "make_header_only.py", FOLDER], check=True)
    commands = {
        "safe_open": [sys.executable, "-c", PEER, FOLDER],
        "port inspect": [ROOT / ".build/release/port", "inspect", FOLDER],
    }
    best = {}
    for _ in range(options.rounds):
        for name, command in commands.items():
            seconds, peak = timed(command)
            best[name] = min(seconds, best.get(name, (seconds,))[0]), peak
    for name, (seconds, peak) in best.items():
        print(f"{name:12s} {seconds:.3f} s, {peak:.0f} MB")


if __name__ == "__main__":
    main()
