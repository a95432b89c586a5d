#!/usr/bin/env python3
"""In the guest: two godwitd over verbs, joined by a wire that can be cut, on emulated persistent memory.

    guest_test.py              every test; then the last act: a migration is acknowledged, and the machine stops dead
    guest_test.py after        after the next boot: what was acknowledged is there
    guest_test.py NAME...      only these: Wire, Ways.test_...

vm_test.py boots the guest for both. Both daemons require RDMA: nothing here can pass over sockets.
"""
import atexit
import contextlib
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "node"))

import cli_node  # noqa: E402
import rig  # noqa: E402

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
ACKNOWLEDGED = pathlib.Path("/host/acknowledged.json")
PMEM = pathlib.Path("/run/pmem")  # The mounted fsdax.
ADDRESSES = [f"verbs://{host}:7411" for host in rig.HOSTS]
MIB = 1 << 20
BLOCK = 256 << 10
PATIENCE_S = 60
SLOW_MBIT = 40  # A wire on which a transfer lasts long enough to be disturbed.
# Their addresses are no loopback, and nobody else is in the machine.
OPEN = {"identity": {"method": "none"}}
# Deadlines long enough for an emulated processor; and for a packet that is lost at the end of what is sent, which nothing but the
# queue pair's timer sends again: librdmacm sets it to 2.1 s, and to 7 retries. That a peer is gone is heard before (5 s).
SETTINGS = {"require_rdma": True, "stall_timeout_ms": 20000, "connect_timeout_ms": 20000, "resolve_interval_ms": 200,
            "block_bytes": "256KiB"}
# A command opens no other provider than the one it is asked for: on an emulated processor that is a third of its time.
COMMAND_ENVIRONMENT = {**os.environ, "FI_PROVIDER": "verbs"}
cli_node.READY_SECONDS = PATIENCE_S


def target(name, kind, path=None, capacity="40MiB"):
    return {"name": name, "type": kind, "config": {"capacity": capacity, **({"path": str(path)} if path else {})}}


def make_source(**more):
    """It forgets all with the machine, and a pool is worth nothing without the journal."""
    (PMEM / "source.pool").unlink(missing_ok=True)
    targets = [target("fast", "dram", capacity="256MiB"), target("fsdax", "pmem", PMEM / "source.pool"), target("disk", "file")]
    return cli_node.Node(BINARIES, targets, {"listen": [ADDRESSES[0]], **OPEN, **SETTINGS}, **more)


def make_destination(**more):
    """All that it must not forget is on persistent memory."""
    targets = [target("fast", "dram", capacity="256MiB"), target("fsdax", "pmem", PMEM / "destination.pool"),
               target("devdax", "pmem", "/dev/dax1.0", "160MiB"), target("disk", "file", PMEM / "destination.file")]
    return cli_node.Node(BINARIES, targets, {"state_dir": str(PMEM / "state"), "listen": [ADDRESSES[1]], **OPEN, **SETTINGS}, **more)


def data_of(name, size):
    """The same for the same name, and different for every other."""
    return random.Random(name).randbytes(size)


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def blocks_of(size):
    return -(-size // BLOCK)


class Rig(unittest.TestCase):
    """`a`, from where regions go, and `b`; started once. Regions stay where a test leaves them: each has names of its own."""

    a = b = None

    @classmethod
    def setUpClass(cls):
        if not Rig.a:
            Rig.a, Rig.b = make_source(), make_destination()
            atexit.register(Rig.a.close)
            atexit.register(Rig.b.close)

    # ---- the command line

    def run_godwit(self, *arguments, node=None, **more):
        command = [BINARIES / "godwit", *map(str, arguments)] + (["--node", node.address] if node else [])
        return subprocess.run(command, capture_output=True, env=COMMAND_ENVIRONMENT, timeout=PATIENCE_S + 20, **more)

    def ok(self, *arguments, **more):
        done = self.run_godwit(*arguments, **more)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}{self.logs()}")
        return done.stdout

    def json(self, *arguments, **more):
        return json.loads(self.ok(*arguments, "--json", **more))

    def logs(self):
        return "".join(f"\n--- {node.address}\n" + "".join((node.path / "log").read_text().splitlines(True)[-12:])
                       for node in (self.a, self.b))

    def wait_until(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, what + self.logs())
            time.sleep(0.05)

    def await_answer(self, node):
        deadline = time.monotonic() + PATIENCE_S
        while (done := self.run_godwit("ping", node=node)).returncode != 0:
            self.assertLess(time.monotonic(), deadline, done.stderr.decode() + self.logs())

    # ---- regions

    def put(self, node, name, where, size):
        data = data_of(name, size)
        self.ok("region", "import", "-", "--size", size, "--target", where, "--name", name, node=node, input=data)
        return data

    def holds(self, node, name, data):
        self.assertEqual(digest_of(self.ok("region", "read", name, node=node)), digest_of(data), f"{name} at {node.address}")

    def owned_by(self, node, name, data):
        """By this node alone, once every job has ended; its bytes are right."""
        def owners():
            return [one.address for one in (self.a, self.b)
                    if name in [region["name"] for region in self.json("region", "ls", node=one)]]
        self.wait_until(lambda: owners() == [node.address], f"{name} does not come to belong to {node.address} alone")
        self.holds(node, name, data)

    # ---- migrations

    def migrate(self, name, source, destination, where, *more):
        return self.run_godwit("migrate", "region", name, "--from", source.address, "--to", destination.address, "--target", where,
                               "--json", *more)

    def moved(self, name, source, destination, where, *more):
        """Its report."""
        done = self.migrate(name, source, destination, where, *more)
        self.assertEqual(done.returncode, 0, done.stderr.decode() + self.logs())
        return json.loads(done.stdout)["report"]

    @contextlib.contextmanager
    def under_way(self, name, source, destination, where):
        """A slow migration, of which some MiB have crossed the wire; gives the process that waits for its end."""
        end = rig.ENDS[0] if source is self.a else rig.ENDS[1]
        rig.slow(SLOW_MBIT)
        self.addCleanup(rig.lose, 0)
        before = rig.sent_bytes(end)
        with subprocess.Popen([BINARIES / "godwit", "migrate", "region", name, "--from", source.address, "--to", destination.address,
                               "--target", where, "--quiet"], env=COMMAND_ENVIRONMENT, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as waiting:
            try:
                self.wait_until(lambda: rig.sent_bytes(end) > before + 2 * MIB or waiting.poll() is not None, "nothing was sent")
                self.assertIsNone(waiting.poll(), "the migration was over before it could be disturbed")
                yield waiting
            finally:
                waiting.kill()

    def fails_naming(self, waiting, node):
        _, text = waiting.communicate(timeout=PATIENCE_S)
        self.assertNotEqual(waiting.returncode, 0)
        self.assertIn(node.address, text)

    def restart(self, node, wrapper=()):
        node.kill()
        node.wrapper = wrapper
        node.start()


class Ways(Rig):
    """Which memory can be registered, and what is done about that which cannot."""

    def test_the_doctor_tells_granularity_and_way_of_each_target(self):
        report = self.json("doctor", node=self.b)
        targets = {row["name"]: row for row in report["targets"]}
        self.assertRegex(targets["devdax"]["granularity"], r"devdax|byte")
        self.assertRegex(targets["fsdax"]["granularity"], r"MAP_SYNC|byte")
        self.assertEqual(targets["devdax"]["way"], "verbs: direct")
        self.assertEqual(targets["fast"]["way"], "verbs: direct")
        self.assertRegex(targets["fsdax"]["way"], "verbs: staged, because .*cannot be registered")
        self.assertRegex(targets["disk"]["way"], "verbs: staged, because .*file target")
        self.assertIn(("verbs", True, True), [(row["name"], row["usable"], row["rdma"]) for row in report["providers"]])

    def test_the_doctor_tells_the_ports_of_the_devices(self):
        ports = {row["device"]: row for row in self.json("doctor", node=self.b)["rdma_ports"]}
        self.assertLessEqual({"rxe1", "rxe2"}, set(ports))
        self.assertEqual((ports["rxe1"]["state"], ports["rxe1"]["link_layer"]), ("active", "Ethernet"))
        self.assertGreater(ports["rxe1"]["gigabits_per_second"], 0)

    def test_a_region_tours_every_kind_of_memory(self):
        size = 4 * MIB + 4321
        data = self.put(self.a, "tourist", "fast", size)
        at = self.a
        legs = [  # To where; and whether it leaves directly, and lands directly.
            (self.b, "devdax", True, True),
            (self.a, "fsdax", True, False),
            (self.b, "devdax", False, True),
            (self.a, "disk", True, False),
            (self.b, "fsdax", False, False)]
        for node, where, leaves_directly, lands_directly in legs:
            with self.subTest(f"to {where}"):
                report = self.moved("tourist", at, node, where)
                at = node
                n = blocks_of(size)
                self.assertEqual((report["blocks"], report["digests_failed"]), (n, 0))
                self.assertEqual((report["blocks_direct"], report["blocks_staged"]), (n, 0) if leaves_directly else (0, n))
                self.assertEqual((report["destination_blocks_direct"], report["destination_blocks_staged"]),
                                 (n, 0) if lands_directly else (0, n))
                self.assertEqual(report["staged_because"] == "", leaves_directly)
                self.assertEqual(report["destination_staged_because"] == "", lands_directly)
                if where == "fsdax":
                    self.assertIn("cannot be registered", report["destination_staged_because"])
                self.holds(node, "tourist", data)
        self.owned_by(self.b, "tourist", data)

    def test_a_block_may_be_longer_than_one_rma(self):
        data = self.put(self.a, "wide", "fast", 20 * MIB)
        report = self.moved("wide", self.a, self.b, "devdax", "--block-size", "10MiB")
        self.assertEqual((report["blocks"], report["destination_blocks_direct"]), (2, 2))
        print(f"(dram to devdax at {report['bytes'] / report['seconds'] / 1e6:.0f} MB/s) ", end="", flush=True)
        self.holds(self.b, "wide", data)

    def test_a_little_lockable_memory_means_staging_and_less_a_clear_error(self):
        def limited(kib):
            return ("setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock", "prlimit", f"--memlock={kib << 10}")
        self.addCleanup(self.restart, self.b)
        data = self.put(self.a, "large", "fast", 16 * MIB)
        self.restart(self.b, limited(12 << 10))
        report = self.json("doctor", node=self.b)
        self.assertEqual((report["memlock_limit_bytes"], report["memlock_bypassed"]), (12 * MIB, False))
        report = self.moved("large", self.a, self.b, "devdax")
        self.assertEqual(report["destination_blocks_direct"], 0)
        self.assertIn("memlock limit is 12.0 MiB", report["destination_staged_because"])
        self.holds(self.b, "large", data)

        self.put(self.a, "small", "fast", MIB)
        self.restart(self.b, limited(640))
        done = self.migrate("small", self.a, self.b, "devdax")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("memlock limit", done.stderr.decode() + (self.b.path / "log").read_text())
        self.assertIn(ADDRESSES[1], done.stderr.decode())

    def test_verbs_and_tcp_may_share_a_port_number(self):
        node = cli_node.Node(BINARIES, [], {"listen": [f"{provider}://{rig.HOSTS[0]}:7500" for provider in ("tcp", "verbs")], **OPEN})
        self.addCleanup(node.close)
        self.assertEqual(node.ready.read_text().split(), [f"{provider}://{rig.HOSTS[0]}:7500" for provider in ("tcp", "verbs")])


class Wire(Rig):
    """A wire that loses packets, or is cut."""

    def test_one_percent_of_the_packets_lost(self):
        data = self.put(self.a, "survivor", "fast", 16 * MIB)
        self.addCleanup(rig.lose, 0)
        rig.lose(1)
        self.moved("survivor", self.a, self.b, "devdax")
        self.assertGreater(rig.lost_packets(), 0)
        rig.lose(0)
        self.holds(self.b, "survivor", data)

    def test_a_link_that_goes_down_and_up_again(self):
        data = self.put(self.a, "downed", "fast", 16 * MIB)
        self.addCleanup(rig.link_up)
        with self.under_way("downed", self.a, self.b, "devdax") as waiting:
            rig.link_down()
            self.fails_naming(waiting, self.b)
        rig.lose(0)
        rig.link_up()
        for node in (self.a, self.b):
            self.await_answer(node)
        self.owned_by(self.a, "downed", data)
        self.moved("downed", self.a, self.b, "devdax")
        self.holds(self.b, "downed", data)


class Clock(Rig):
    """The wall clock is set while a region is on its way: only what is for people reads it."""

    HOUR_S = 3600

    def step(self, seconds):
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    def goes_on(self, waiting):
        before = rig.sent_bytes(rig.ENDS[0])
        self.wait_until(lambda: rig.sent_bytes(rig.ENDS[0]) > before + 2 * MIB or waiting.poll() is not None, "nothing is sent any more")
        self.assertIsNone(waiting.poll(), "the migration was over before the clock was set again")

    def test_set_back_an_hour_and_ahead_again(self):
        data = self.put(self.a, "timeless", "fast", 16 * MIB)
        with self.under_way("timeless", self.a, self.b, "devdax") as waiting:
            self.step(-self.HOUR_S)  # A deadline that reads it would never pass,
            self.goes_on(waiting)
            self.step(self.HOUR_S)   # and now at once.
            self.goes_on(waiting)
            rig.lose(0)
            _, text = waiting.communicate(timeout=PATIENCE_S)
            self.assertEqual(waiting.returncode, 0, text + self.logs())
        self.holds(self.b, "timeless", data)
        job = self.json("job", "ls", node=self.a)[0]
        report = self.json("job", "wait", job["id"], node=self.a)["report"]
        self.assertLess(report["seconds"], PATIENCE_S)
        self.assertGreater(report["seconds"], 0)


class Kills(Rig):
    """kill -9 in the middle: exactly one owner, with the right bytes."""

    def test_of_the_destination(self):
        data = self.put(self.a, "orphan", "fast", 16 * MIB)
        with self.under_way("orphan", self.a, self.b, "devdax") as waiting:
            self.b.kill()
            self.fails_naming(waiting, self.b)
        rig.lose(0)
        self.b.start()
        self.owned_by(self.a, "orphan", data)
        self.moved("orphan", self.a, self.b, "devdax")
        self.holds(self.b, "orphan", data)

    def test_of_the_source(self):
        data = self.put(self.a, "heir", "fsdax", 16 * MIB)
        with self.under_way("heir", self.a, self.b, "devdax") as waiting:
            self.a.kill()
            self.fails_naming(waiting, self.a)
        rig.lose(0)
        self.a.start()
        self.owned_by(self.a, "heir", data)
        self.moved("heir", self.a, self.b, "devdax")
        self.holds(self.b, "heir", data)


class Fabric(unittest.TestCase):
    # Figures say nothing on an emulated processor.
    FILTER = "*/verbs-*CostsLess*:*RoundTrips*:*KeepTheWireBusy*"

    def test_conformance_suite_over_verbs(self):
        environment = {**os.environ, "GODWIT_TEST_PROVIDER": "verbs", "GODWIT_TEST_HOST": rig.HOSTS[0],
                       "GODWIT_TEST_PEER": rig.HOSTS[1], "GODWIT_TEST_PATIENCE": "4"}
        done = subprocess.run([BINARIES / "fabric_test", f"--gtest_filter={self.FILTER}", "--gtest_brief=1"], env=environment,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"PASSED  \] \d\d tests")


# ---- the last act, and what comes after it

class PowerOff(Rig):
    def test_what_is_acknowledged_before_the_machine_stops(self):
        expected = {}
        for where in ("devdax", "fsdax", "disk"):
            expected["kept-" + where] = digest_of(self.put(self.a, "kept-" + where, "fast", 8 * MIB))
        for where in ("devdax", "fsdax", "disk"):
            self.moved("kept-" + where, self.a, self.b, where)
        ACKNOWLEDGED.write_text(json.dumps(expected))
        pathlib.Path("/proc/sysrq-trigger").write_text("b")  # At once: nothing is written back, nobody is told.
        time.sleep(PATIENCE_S)
        self.fail("the machine goes on")


class After(Rig):
    def test_what_was_acknowledged_is_there(self):
        expected = json.loads(ACKNOWLEDGED.read_text())
        self.assertEqual(len(expected), 3)
        names = {region["name"]: region["target"] for region in self.json("region", "ls", node=self.b)}
        self.assertEqual({name: names.get(name) for name in expected}, {name: name.removeprefix("kept-") for name in expected})
        for name, digest in expected.items():
            self.assertEqual(digest_of(self.ok("region", "read", name, node=self.b)), digest, name)


class Told(unittest.TextTestResult):
    """Tells a failure when it happens, and how long each test took: the machine may be stopped before the end."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.stream.writeln(self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.stream.writeln(self.errors[-1][1])

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")


def run_tests(*names):
    tests = unittest.defaultTestLoader.loadTestsFromNames(names, sys.modules[__name__])
    if not unittest.TextTestRunner(verbosity=2, stream=sys.stdout, resultclass=Told).run(tests).wasSuccessful():
        sys.exit(1)


def main():
    after = sys.argv[1:] == ["after"]
    rig.lay_wire()
    rig.mount_fsdax(PMEM, new=not after)
    rig.make_devdax(new=not after)
    if after:
        run_tests("After")
    elif len(sys.argv) > 1:
        run_tests(*sys.argv[1:])
    else:
        run_tests("Fabric", "Ways", "Wire", "Clock", "Kills")
        run_tests("PowerOff")


if __name__ == "__main__":
    main()
