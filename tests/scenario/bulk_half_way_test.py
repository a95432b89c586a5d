#!/usr/bin/env python3
"""godwit-bulk, when a destination dies or falls silent in the middle of a transfer: what was to go there goes to another one."""
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

import bulk_runs
import cli_node

SIZE = 8 << 20
STALL_SECONDS = 6 * cli_node.PATIENCE
SLOWLY = f"{256 // cli_node.PATIENCE}KiB/s"  # The regions need longer than a stall: whoever waits for all of a rank's calls is seen to.
PATIENCE_SECONDS = 60 * cli_node.PATIENCE


class BulkHalfWayTest(bulk_runs.BulkCase):
    """A source whose jobs wait for a lost destination, a hasty one whose jobs do not, and the destinations b and c."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = []
        for kind, resume_ms in (("dram", 300000), ("dram", 0), ("pmem", 300000), ("pmem", 300000)):
            more = {"resume_timeout_ms": resume_ms, "connect_timeout_ms": 2000, "block_bytes": 65536, "resolve_interval_ms": 200}
            node = cli_node.Node(bulk_runs.BINARIES, [cli_node.target("fast", kind), cli_node.target("keep", kind)], more)
            cls.addClassCleanup(node.close)
            cls.nodes.append(node)
        cls.source, cls.hasty, cls.b, cls.c = cls.nodes

    def wait_for(self, what, seconds=PATIENCE_SECONDS):
        deadline = time.monotonic() + seconds
        while not (found := what()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        return found

    def jobs_to(self, node, source):
        return [job for job in json.loads(self.godwit(source, "job", "ls", "--json"))
                if job["destination"] == node.address and not job["ended"]]

    def lines(self):
        """Those that are whole; the run is still writing."""
        path = pathlib.Path(f"{self.report}.items")
        return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")] if path.exists() else []

    def call_to(self, node):
        return next(line["call"] for line in self.lines() if line.get("destination") == node.address and "ids" in line)

    def has_ended(self, call):
        return any(line.get("call") == call and "open" in line for line in self.lines())

    def strike(self, source, blow, *arguments):
        """One region goes to each of b and c, slowly. Strikes b as soon as some of its region has arrived; returns the report when
        the run has ended. b's call must end while that to c goes on."""
        digests = self.fill(2, [SIZE], node=source)
        self.godwit(source, "limit", SLOWLY)
        self.addCleanup(self.godwit, source, "limit", "none")
        command = [bulk_runs.BINARIES / "godwit-bulk", "--from", source.address, "--to", f"{self.b.address},{self.c.address}", "--target",
                   "keep", "--regions", "--batch", "1", "--in-flight", "2", "--report", str(self.report), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, **bulk_runs.MPI}) as run:
            try:
                self.wait_for(lambda: any(job["bytes_done"] for job in self.jobs_to(self.b, source)))
                blow(self.b.process)
                struck, other = self.call_to(self.b), self.call_to(self.c)
                self.wait_for(lambda: self.has_ended(struck))
                self.assertFalse(self.has_ended(other), "what happens at b is noticed while c takes bytes")
                self.godwit(source, "limit", "none")
                said, _ = run.communicate(timeout=PATIENCE_SECONDS)
            finally:
                run.kill()
        self.assertEqual(run.returncode, 0, said)
        self.assertEqual(self.contents(self.c), digests)
        self.assertEqual(self.regions(source), [])
        report = json.loads(self.report.read_text())
        self.assertEqual((report["objects"], report["failed"], report["retried"]), (2, 0, 1))
        self.assertEqual(sorted(line["attempts"] for line in self.lines() if "state" in line), [1, 2])
        return {call["destination"]: call["error"] for call in report["calls"] if call["error"]}

    def mend(self):
        if self.b.process.poll() is None:
            self.b.process.send_signal(signal.SIGCONT)
        else:
            self.b.start()

    def tearDown(self):
        self.mend()
        super().tearDown()

    def check_keeps_nothing(self):
        self.mend()
        self.assertEqual(self.regions(self.b), [])
        self.wait_for(lambda: all(target["used_bytes"] == 0 for target in json.loads(self.godwit(self.b, "target", "ls", "--json"))))

    def test_one_that_is_killed_half_way_is_replaced_when_its_job_has_failed(self):
        self.assertEqual(self.strike(self.hasty, lambda b: b.send_signal(signal.SIGKILL)), {self.b.address: "GODWIT_ERR_PEER_LOST"})
        self.check_keeps_nothing()

    def test_one_that_is_killed_half_way_is_replaced_when_its_job_has_waited_for_too_long(self):
        self.assertEqual(self.strike(self.source, lambda b: b.send_signal(signal.SIGKILL), "--stall-timeout", str(STALL_SECONDS)),
                         {self.b.address: "GODWIT_ERR_TIMEOUT"})
        self.check_keeps_nothing()

    def test_one_that_is_stopped_half_way_is_replaced_and_keeps_nothing_when_it_goes_on(self):
        self.assertEqual(self.strike(self.source, lambda b: b.send_signal(signal.SIGSTOP), "--stall-timeout", str(STALL_SECONDS)),
                         {self.b.address: "GODWIT_ERR_TIMEOUT"})
        self.check_keeps_nothing()


if __name__ == "__main__":
    unittest.main()
