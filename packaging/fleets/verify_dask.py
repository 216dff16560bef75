"""Verifies a store on a cluster of Dask: python verify_dask.py [SCHEDULER] < paths > results.jsonl

Each task is a list of paths, and its result is the program's JSON. A task that is done twice gives the same lines.
"""

import json
import os
import subprocess
import sys

from dask.distributed import Client, as_completed

PROGRAM = os.environ.get("XENSTREAM", "xenstream")
PATHS_PER_TASK = 256


def verify(paths):
    """Returns an object for each path, in the same order."""
    run = subprocess.run(
        [PROGRAM, "verify", "--json", "--progress=never", "--null", "--files-from", "-"],
        input=b"".join(os.fsencode(path) + b"\0" for path in paths),
        stdout=subprocess.PIPE,
        check=False,
    )
    objects = [json.loads(line) for line in run.stdout.splitlines()]
    results = [line for line in objects if "path" in line]
    if run.returncode not in (0, 1, 2, 3) or len(results) != len(paths):
        raise RuntimeError(f"{PROGRAM} ended with status {run.returncode} after {len(results)} images")
    return results


def main():
    paths = [line.rstrip("\n") for line in sys.stdin]
    tasks = [paths[at : at + PATHS_PER_TASK] for at in range(0, len(paths), PATHS_PER_TASK)]
    with Client(*sys.argv[1:2]) as client:
        futures = client.map(verify, tasks, pure=False)
        for _, results in as_completed(futures, with_results=True):
            for result in results:
                json.dump(result, sys.stdout)
                sys.stdout.write("\n")


if __name__ == "__main__":
    main()
