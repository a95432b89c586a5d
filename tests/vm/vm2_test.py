#!/usr/bin/env python3
"""Two guests, two kernels, one wire: a migration between them, and a node that crashes as a whole in the middle of one.

GODWIT_BIN: the directory of the programs. Exit status 77, with "SKIPPED: <why>", where there can be no guests. On demand only: it takes
two emulated machines at once.
"""
import contextlib
import os
import pathlib
import shlex
import signal
import sys
import time

import machine

GUEST_TEST = shlex.quote(str(pathlib.Path(__file__).resolve().parent / "guest2_test.py"))
LIMIT_S = 300


def wire(directory, number):
    """Of the guest `number`, 1 or 2: datagrams between two sockets carry its frames."""
    ours, other = (directory / f"wire{one}" for one in (number, 3 - number))
    return f"dgram,local.type=unix,local.path={ours},remote.type=unix,remote.path={other}"


def await_file(path, what):
    deadline = time.monotonic() + LIMIT_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {LIMIT_S} s for {what}")
        time.sleep(0.1)


def run(guests):
    first = machine.Machine(processors=1)
    guests.enter_context(first)
    second = guests.enter_context(machine.Machine(processors=1, mac="52:54:00:00:00:02"))
    first.network, second.network = wire(first.path, 1), wire(first.path, 2)
    environment = {"GODWIT_BIN": str(pathlib.Path(os.environ["GODWIT_BIN"]).resolve())}
    second.start(f"exec python3 {GUEST_TEST} serve new", environment)
    await_file(second.host / "ready", "the second guest's daemon")
    first.start(f"exec python3 {GUEST_TEST} test", environment)
    await_file(first.host / "crash-it", "a migration under way")
    second.kill()
    print("the second machine has crashed; booting it again", flush=True)
    (second.host / "ready").unlink()
    second.start(f"exec python3 {GUEST_TEST} serve old", environment)
    status = first.wait(LIMIT_S)
    if status != 0:
        print(first.console(), second.console(), f"the first guest ended with status {status}", sep="\n")
    return 0 if status == 0 else 1


def main():
    with contextlib.ExitStack() as guests:
        try:
            return run(guests)
        except machine.Unavailable as why:
            print(f"SKIPPED: no machine can be emulated here: {why}")
            return machine.SKIPPED


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # So that the clean-up runs.
    sys.exit(main())
