#!/usr/bin/env python3
"""Steered jobs against real daemons: what a restart keeps of it, and who runs while many are paused."""
import json
import os
import pathlib
import signal
import subprocess
import unittest

import cli_node
from identity_node import until

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
SLOW = "256KiB/s"  # A job at this rate runs until it is let go.
JOBS_MAX = 2
PAUSED_MORE = 64  # Jobs that are paused on their way, beside jobs_max others.


class SteerTest(unittest.TestCase):
    def setUp(self):
        more = {"jobs_max": JOBS_MAX, "inbound_max": 256, "resolve_interval_ms": 100, "resume_timeout_ms": 60000}
        self.a, self.b = (cli_node.Node(BINARIES, [cli_node.target("fast", "dram", "128MiB"), cli_node.target("keep", "pmem")], more)
                          for _ in range(2))
        for node in (self.a, self.b):
            self.addCleanup(node.close)

    def ok(self, *arguments, node=None):
        env = {**os.environ, "GODWIT_NODE": (node or self.a).address}
        done = subprocess.run([BINARIES / "godwit", *arguments], capture_output=True, env=env, timeout=120, text=True)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout

    def json(self, *arguments, node=None):
        return json.loads(self.ok(*arguments, "--json", node=node))

    def comes_true(self, what, seconds=60):
        return until(what, seconds * cli_node.PATIENCE)

    def begin(self, name, *more, target="fast", size="1MiB"):
        self.ok("region", "create", name, "--target", target, "--size", size)
        return self.json("migrate", "region", name, "--to", self.b.address, "--target", target, "--async", *more)["job"]

    def job(self, which):
        return self.json("job", "show", which)

    def phase(self, which):
        return self.job(which)["phase"]

    def test_an_approval_outlives_a_restart(self):
        jobs = [self.begin(name, "--approval", "--bwlimit", SLOW, target="keep", size="4MiB") for name in ("approved", "asks")]
        self.assertTrue(self.comes_true(lambda: all(self.job(job)["bytes_done"] > 0 for job in jobs)))
        self.ok("job", "approve", jobs[0])
        self.a.kill()
        self.a.start()
        for job in jobs:
            self.ok("job", "limit", job, "none")
        self.assertTrue(self.comes_true(lambda: self.phase(jobs[0]) == "done"), self.job(jobs[0]))
        # Nobody has approved of the other one.
        self.assertTrue(self.comes_true(lambda: self.phase(jobs[1]) == "validation"), self.job(jobs[1]))
        self.ok("job", "approve", jobs[1])
        self.assertTrue(self.comes_true(lambda: self.phase(jobs[1]) == "done"))
        self.assertEqual(len(self.json("region", "ls", node=self.b)), 2)

    def test_an_approval_that_was_taken_back_does_not_come_again(self):
        job = self.begin("field", "--approval", "--bwlimit", SLOW, target="keep", size="4MiB")
        self.assertTrue(self.comes_true(lambda: self.job(job)["bytes_done"] > 0))
        self.ok("job", "approve", job)
        self.ok("job", "rollback", job, "--to-checkpoint")
        self.assertTrue(self.comes_true(lambda: self.phase(job) == "paused"))
        self.a.kill()
        self.a.start()
        self.ok("job", "limit", job, "none")
        self.ok("job", "resume", job)
        self.assertTrue(self.comes_true(lambda: self.phase(job) == "validation"), self.job(job))

    def test_a_cancelled_job_does_not_come_again(self):
        for way in ("cancel", "rollback"):
            with self.subTest(way):
                job = self.begin(way, "--bwlimit", SLOW, target="keep", size="4MiB")
                self.assertTrue(self.comes_true(lambda: self.job(job)["bytes_done"] > 0))
                os.kill(self.b.process.pid, signal.SIGSTOP)  # So that it cannot be told.
                self.addCleanup(os.kill, self.b.process.pid, signal.SIGCONT)
                self.ok("job", way, job)
                self.a.kill()
                self.a.start()
                os.kill(self.b.process.pid, signal.SIGCONT)
                self.assertNotIn(job, [one["id"] for one in self.json("job", "ls")])
                self.assertEqual([one["name"] for one in self.json("region", "ls")], [way])
                self.assertTrue(self.comes_true(lambda: self.json("target", "ls", node=self.b)[1]["used_bytes"] == 0))
                self.ok("region", "rm", way)

    def test_an_emergency_begins_however_many_jobs_are_paused(self):
        paused = []
        for i in range(JOBS_MAX + PAUSED_MORE):
            paused.append(self.begin(f"part{i}", "--bwlimit", "16KiB/s", size="64KiB"))
            self.assertTrue(self.comes_true(lambda: self.phase(paused[-1]) == "sync"), self.job(paused[-1]))
            self.ok("job", "pause", paused[-1])
        waits = self.begin("ordinary")
        urgent = [self.begin(f"urgent{i}", "--priority", "emergency") for i in range(3)]
        self.assertTrue(self.comes_true(lambda: all(self.phase(job) == "done" for job in urgent)), [self.job(job) for job in urgent])
        self.assertEqual(self.phase(waits), "planning")  # As many as there may be are paused.
        self.ok("job", "resume", paused[0])
        self.ok("job", "limit", paused[0], "none")
        self.assertTrue(self.comes_true(lambda: self.phase(waits) == "done"), self.job(waits))


if __name__ == "__main__":
    unittest.main(verbosity=2)
