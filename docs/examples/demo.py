#!/usr/bin/env python3
"""The demo: a simulation's field moves between two daemons, the first of which is then killed; the result must not differ.

Run it with `./dev demo [--size 1GiB] [--steps 4]`. Exit status 1 if the two digests differ.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
GIB = 2**30
READY_SECONDS = 20


def parse_size(text):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text, re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 64MiB or 1GiB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def place_for(need_bytes):
    """Memory-backed where it has the room: the demo measures the fabric, not this machine's disk."""
    for place in ("/dev/shm", os.environ.get("TMPDIR", "/tmp"), "/var/tmp"):
        if os.access(place, os.W_OK) and shutil.disk_usage(place).free > need_bytes:
            return place
    sys.exit(f"demo: neither /dev/shm nor /tmp has {need_bytes / GIB:.1f} GiB free: use a smaller --size")


class Node:
    """A godwitd with a directory of its own."""

    def __init__(self, binaries, directory, name, target):
        self.name = name
        directory.mkdir()
        config = directory / "godwitd.json"
        ready = directory / "ready"
        config.write_text(json.dumps({"state_dir": str(directory / "state"), "listen": ["tcp://127.0.0.1:0"],
                                      "targets": [target]}))
        self.log = directory / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL",  # It becomes godwitd, and ends with us.
                                             binaries / "godwitd", "--config", config, "--ready-file", ready], stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"demo: node {name} did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        self.address = ready.read_text().splitlines()[0]

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill()


def output_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"demo: {command[0]} ended with {done.returncode}")
    return done.stdout


def digest_in(text):
    return re.search(r"^digest ([0-9a-f]{16})$", text, re.MULTILINE)[1]


def job_report(binaries, address):
    godwit = [binaries / "godwit"]
    jobs = json.loads(output_of(godwit + ["job", "ls", "--json", "--node", address]))
    return json.loads(output_of(godwit + ["job", "wait", jobs[0]["id"], "--json", "--quiet", "--node", address]))["report"]


def run_migrated(binaries, simulate, a, b):
    """Runs the simulation, and kills node A once its regions have moved. Returns (moved, report, digest)."""
    command = simulate + ["--from", a.address, "fast", "--to", b.address, "keep"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        moved = process.stdout.readline()
        if not moved.startswith("moved "):
            sys.exit(f"demo: the simulation ended with {process.wait()} before its data had moved")
        report = job_report(binaries, a.address)
        a.kill()
        print(f"  node A (pid {a.process.pid}) was killed with SIGKILL; the simulation goes on at node B")
        rest, _ = process.communicate("go on\n")
        if process.returncode != 0:
            sys.exit(f"demo: the simulation ended with {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return dict(word.split("=") for word in moved.split()[1:]), report, digest_in(rest)


def raw_rate(binaries, directory, provider, size):
    """GiB/s of a tight fi_write loop over the same provider."""
    report = directory / "raw.json"
    command = [binaries / "godwit-bench", "raw", "--provider", provider, "--sizes", str(size), "--repeat", "3", "--report", report]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    write = next(one for one in json.loads(report.read_text())["measurements"] if one["what"] == "raw write")
    return write["size_bytes"] * write["count"] / statistics.median(write["samples"]) / GIB


def show(binaries, directory, options):
    simulate = [binaries / "heat3d", "--size", str(options.size), "--steps", str(options.steps)]
    print(f"1. heat3d, {options.size / GIB:.3g} GiB of doubles, {options.steps} + {options.steps} steps, undisturbed", flush=True)
    begin = time.monotonic()
    alone = digest_in(output_of(simulate))
    print(f"  {time.monotonic() - begin:.1f} s")

    capacity = options.size + options.size // 8 + (64 << 20)
    with contextlib.ExitStack() as stack:
        a = Node(binaries, directory / "a", "A", {"name": "fast", "type": "dram", "config": {"capacity": str(capacity)}})
        stack.callback(a.stop)
        b = Node(binaries, directory / "b", "B", {"name": "keep", "type": "pmem",
                                                  "config": {"capacity": str(capacity), "path": str(directory / "b/keep.pool")}})
        stack.callback(b.stop)
        print(f"2. the same with its field on node A ({a.address}, dram), moved to node B ({b.address}, pmem) half way", flush=True)
        moved, report, migrated = run_migrated(binaries, simulate, a, b)

    provider = a.address.split("://")[0]
    size, seconds = int(moved["bytes"]), float(moved["seconds"])
    rate = size / seconds / GIB
    print("3. the raw fabric write rate of this machine", flush=True)
    raw = raw_rate(binaries, directory, provider, size)
    print(f"""
provider            {provider}
moved               {size} bytes in {moved["regions"]} regions, dram to pmem, every block's digest checked
blocks              {report["blocks"]} ({report["blocks_direct"]} direct, {report["blocks_staged"]} staged)
seconds             {seconds:.3f}
rate                {rate:.2f} GiB/s
raw fabric write    {raw:.2f} GiB/s
ratio to raw        {rate / raw:.2f}
digest undisturbed  {alone}
digest migrated     {migrated}""")
    print("the final fields are bit-identical" if alone == migrated else "THE FINAL FIELDS DIFFER")
    return 0 if alone == migrated else 1


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=parse_size, default=parse_size("1GiB"), help="of the field; default 1GiB")
    parser.add_argument("--steps", type=int, default=4, help="before the move, and again after it; default 4")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="where the executables are")
    options = parser.parse_args()
    if options.size < 4096 or options.steps < 1:
        parser.error("--size must be at least 4096 bytes, --steps at least 1")
    with tempfile.TemporaryDirectory(prefix="godwit-demo.", dir=place_for(options.size * 5 // 4 + (256 << 20))) as directory:
        return show(options.bin.resolve(), pathlib.Path(directory), options)


if __name__ == "__main__":
    sys.exit(main())
