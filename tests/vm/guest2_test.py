#!/usr/bin/env python3
"""In one of two guests (vm2_test.py): `serve new` or `serve old` runs the destination's daemon until the machine is stopped, on persistent
memory that is new, or as the crash left it; `test` runs the source and the tests."""
import contextlib
import pathlib
import sys
import time
import unittest

import guest_test
import rig
from guest_test import MIB, PATIENCE_S

ADDRESSES = ["verbs://10.9.0.1:7411", "verbs://10.9.0.2:7411"]


def join(number):
    rig.run("ip", "addr", "add", f"10.9.0.{number}/24", "dev", "eth0")
    rig.run("ip", "link", "set", "eth0", "up")


class Other:
    """The destination's daemon, in the other guest."""
    address = ADDRESSES[1]


class TwoGuests(guest_test.Rig):
    @classmethod
    def setUpClass(cls):
        cls.a, cls.b = guest_test.make_source(), Other

    @classmethod
    def tearDownClass(cls):
        cls.a.close()

    def logs(self):
        return "\n" + (self.a.path / "log").read_text()

    @contextlib.contextmanager
    def sending(self, name):
        rig.ENDS = ("eth0", "eth0")
        with self.under_way(name, self.a, self.b, "devdax") as waiting:
            yield waiting

    def test_a_region_moves_and_a_node_that_crashes_loses_nothing(self):
        self.await_answer(self.b)
        kept = self.put(self.a, "kept", "fast", 8 * MIB)
        report = self.moved("kept", self.a, self.b, "devdax")
        print(f"(between two kernels at {report['bytes'] / report['seconds'] / 1e6:.0f} MB/s) ", end="", flush=True)
        self.holds(self.b, "kept", kept)

        data = self.put(self.a, "interrupted", "fast", 32 * MIB)
        with self.sending("interrupted") as waiting:
            pathlib.Path("/host/crash-it").touch()
            self.fails_naming(waiting, self.b)
        rig.lose(0)
        self.await_answer(self.b)
        self.owned_by(self.a, "interrupted", data)
        self.holds(self.b, "kept", kept)
        self.moved("interrupted", self.a, self.b, "devdax")
        self.owned_by(self.b, "interrupted", data)


def serve(new):
    rig.mount_fsdax(guest_test.PMEM, new)
    rig.make_devdax(new)
    guest_test.make_destination()
    pathlib.Path("/host/ready").touch()
    while True:
        time.sleep(PATIENCE_S)  # Until the plug is pulled.


def main():
    guest_test.ADDRESSES[:] = ADDRESSES
    guest_test.PATIENCE_S = 180  # A machine boots meanwhile.
    if sys.argv[1] == "serve":
        join(2)
        serve(new=sys.argv[2] == "new")
    join(1)
    rig.run("modprobe", "sch_netem")
    rig.mount_fsdax(guest_test.PMEM, new=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    main()
