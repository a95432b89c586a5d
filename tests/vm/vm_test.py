#!/usr/bin/env python3
"""The main job on real RDMA verbs and real persistent memory, in a guest; and what is left after its power was cut.

GODWIT_BIN: the directory of the programs. Exit status 77, with "SKIPPED: <why>", where there can be no guest.
"""
import os
import pathlib
import shlex
import signal
import sys

import machine

GUEST_TEST = shlex.quote(str(pathlib.Path(__file__).resolve().parent / "guest_test.py"))
LIMITS_S = 430, 150  # Of the two boots.


def main():
    environment = {"GODWIT_BIN": str(pathlib.Path(os.environ["GODWIT_BIN"]).resolve())}
    try:
        guest = machine.Machine()
    except machine.Unavailable as why:
        print(f"SKIPPED: no machine can be emulated here: {why}")
        return machine.SKIPPED
    with guest:
        status = guest.run(f"exec python3 {GUEST_TEST}", LIMITS_S[0], environment)
        if status != machine.NO_STATUS or not (guest.host / "acknowledged.json").exists():
            print(guest.console())
            print(f"the first boot ended with status {status}")
            return 1
        print("the machine has stopped dead; booting it again", flush=True)
        status = guest.run(f"exec python3 {GUEST_TEST} after", LIMITS_S[1], environment)
        if status != 0:
            print(guest.console())
            print(f"the second boot ended with status {status}")
        return 0 if status == 0 else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # So that the clean-up runs.
    sys.exit(main())
