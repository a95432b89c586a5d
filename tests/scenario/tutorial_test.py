#!/usr/bin/env python3
"""Runs a tutorial: its ```sh blocks, in order, in one shell in an empty directory. A ```text block that follows a block is what
that one must print; `...` in it stands for anything."""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "=== end of block {} ==="


def steps_of(text):
    """Pairs of (commands, expected output or None)."""
    steps = []
    for language, body in BLOCK.findall(text):
        if language == "sh":
            steps.append([body, None])
        elif language == "text" and steps and steps[-1][1] is None:
            steps[-1][1] = body
    return steps


def matches(expected, actual):
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, actual.strip(), re.DOTALL) is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tutorial", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    steps = steps_of(arguments.tutorial.read_text())
    script = "set -eu\n" + "".join(f"{commands}printf '%s\\n' '{MARK.format(i)}'\n" for i, (commands, _) in enumerate(steps))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GODWIT_")}
    environment["PATH"] = f"{arguments.bin.resolve()}:{environment['PATH']}"
    with tempfile.TemporaryDirectory(prefix="godwit-tutorial.") as directory, tempfile.TemporaryFile("w+") as printed_file:
        # A file, not a pipe: a daemon that outlives its shell would keep a pipe open.
        shell = subprocess.Popen(["bash", "-c", script], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                                 stdout=printed_file, start_new_session=True)
        try:
            shell.wait(100)
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)  # Daemons of a tutorial that went wrong.
            except ProcessLookupError:
                pass
        printed_file.seek(0)
        output = printed_file.read()
    failures = 0
    for i, (commands, expected) in enumerate(steps):
        printed, found, output = output.partition(MARK.format(i) + "\n")
        if not found:
            print(f"FAILED:\n{commands}\nit printed:\n{printed}")
            return 1
        if expected is not None and not matches(expected, printed):
            failures += 1
            print(f"DIFFERS:\n{commands}\nexpected:\n{expected}\nprinted:\n{printed}")
    print(f"{len(steps)} blocks, {failures} differ")
    return 1 if failures or not steps or shell.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
