"""Audits many images made for it: time, peak memory, and what an audit that was killed still has to do.

    python -m benchmarks.audit_many --images 100000

Makes the images of `scan_many`, scans and audits them by `dfcore data audit`, kills the audit (SIGKILL) while
near-duplicates are searched, starts it again, and once more when all is known. Memory is the peak of all processes.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.scan_many import Memory, make

_AUDIT = """
import sys, time
from dfcore.audit.run import audit
from dfcore.datasets import scan

def told(what, every):
    last = -every
    def progress(done, total):
        nonlocal last
        if done >= last + every or done == total:
            print(f"    {what} {done} of {total} {time.perf_counter() - begun:.0f} s", flush=True)
            last = done
    return progress

begun = time.perf_counter()
data = scan(sys.argv[1], progress=told("scan", 10000), workers=2)
scanned = time.perf_counter()
print(f"  scan {scanned - begun:.0f} s", flush=True)
result = audit(data, progress=told("audit", 4000))
print(f"  audit {time.perf_counter() - scanned:.0f} s, {len(result.findings)} findings", flush=True)
for finding in result.findings:
    print(f"    finding {finding.severity}: {finding.title}", flush=True)
for note in result.notes:
    print(f"    note {note}", flush=True)
"""


def audited(root: Path, environment: dict[str, str], kill_at: int | None = None) -> None:
    """Audits in a process of its own; with `kill_at` kills it once the audit has come so far."""
    command = [sys.executable, "-c", _AUDIT, str(root)]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        watched = Memory(process.pid)
        watched.start()
        for line in process.stdout:
            words = line.split()
            print(line, end="", flush=True)
            if kill_at is not None and words[0] == "audit" and words[2] == "of" and int(words[1]) >= kill_at:
                process.kill()
                print("  killed")
                break
        process.wait()
    watched.join()
    load = os.getloadavg()[0]
    print(
        f"  {time.perf_counter() - begun:.0f} s in all, peak {watched.peak / 2**20:.0f} MB, load {load:.1f}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep images and caches here, and use those that are here already")
    options = parser.parse_args()
    count = options.images
    with tempfile.TemporaryDirectory() as temporary:
        name = options.folder or Path(temporary)
        root = name / "set"
        if not root.is_dir():
            step = max(count // 20, 1)
            jobs = [(root / ("real", "fake")[n % 2], n * step, step) for n in range(count // step)]
            with multiprocessing.Pool(2) as pool:
                pool.map(make, jobs)
        environment = os.environ | {f"DFCORE_{part.upper()}": str(name / part) for part in ("cache", "data", "runs")}
        environment |= {"OMP_NUM_THREADS": "2", "DFCORE_ROOTS": "/"}
        print(f"{count} images, scanned and audited, killed within the search of near-duplicates", flush=True)
        audited(root, environment, kill_at=count + count // 2)
        print("the audit that goes on", flush=True)
        audited(root, environment)
        print("the same once more", flush=True)
        audited(root, environment)


if __name__ == "__main__":
    main()
