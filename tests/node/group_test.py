#!/usr/bin/env python3
"""`godwit group`, `job ls --group`, `locate`, and job commands asked of another node than the job's: text, JSON, exit codes."""
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])


class GroupTest(unittest.TestCase):
    def setUp(self):
        self.nodes = []
        files = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(files.cleanup)
        self.files = pathlib.Path(files.name)
        more = {"file_roots": [{"path": files.name, "access": "read-write"}], "resume_timeout_ms": 60000}
        for _ in range(3):
            node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram")], more)
            self.addCleanup(node.close)
            self.nodes.append(node)
        members = [node.address for node in self.nodes]
        for node in self.nodes:  # The addresses are known now, and stay.
            node.terminate()
            config = json.loads(node.config.read_text())
            node.config.write_text(json.dumps({**config, "group": {"members": members}}))
            node.start()
        self.a, self.b, self.c = self.nodes

    def run_godwit(self, *arguments, node):
        env = {**os.environ, "GODWIT_NODE": node.address}
        return subprocess.run([BINARIES / "godwit", *arguments], capture_output=True, text=True, env=env, timeout=60)

    def ok(self, *arguments, node, exit_code=0):
        done = self.run_godwit(*arguments, node=node)
        self.assertEqual(done.returncode, exit_code, f"{arguments}: {done.stderr}")
        return done.stdout

    def json(self, *arguments, node, exit_code=0):
        return json.loads(self.ok(*arguments, "--json", node=node, exit_code=exit_code))

    def test_a_group_and_its_jobs(self):
        self.assertEqual([member["error"] for member in self.json("group", node=self.b)], [None] * 3)
        region = self.json("region", "create", "mesh", "--target", "fast", "--size", "8MiB", node=self.a)["id"]
        job = self.json("migrate", "region", "mesh", "--to", self.b.address, "--target", "fast", "--async", "--bwlimit", "64KiB/s",
                        node=self.a)["job"]

        # Any node tells of it, and steers it.
        self.assertEqual(self.json("job", "pause", job, node=self.c), {"job": job, "paused": True})
        shown = self.json("job", "show", job, node=self.b)
        self.assertEqual((shown["id"], shown["phase"], shown["source"]), (job, "paused", self.a.address))
        self.assertEqual([event["event"] for event in self.json("job", "events", job, node=self.c)],
                         [event["event"] for event in self.json("job", "events", job, node=self.a)])
        listed = self.json("job", "ls", "--group", node=self.c)
        self.assertEqual([(one["id"], one["source"]) for one in listed["jobs"]], [(job, self.a.address)])
        self.assertEqual({member["address"] for member in listed["members"]}, {node.address for node in self.nodes})
        self.assertEqual(self.json("job", "ls", node=self.c), [])
        text = self.ok("job", "ls", "--group", node=self.c)
        self.assertIn(job, text)
        self.assertIn(self.a.address, text)
        self.assertNotIn("no answer", text)

        # Where things are.
        place = self.json("locate", "mesh", node=self.c)
        self.assertEqual((place["kind"], place["id"], place["address"], place["target"]), ("region", region, self.a.address, "fast"))
        self.assertEqual(self.json("locate", job, node=self.c)["kind"], "job")
        self.assertEqual(self.ok("locate", region, node=self.b), f"region {region} 'mesh' at {self.a.address} target fast\n")
        self.assertEqual(self.json("locate", region, "--at", self.b.address, node=self.a)["address"], self.a.address)
        self.assertEqual(self.run_godwit("locate", "nowhere", node=self.a).returncode, 3)

        # Who is silent is named, and the exit code tells that the list is not whole.
        self.c.kill()
        listed = self.json("job", "ls", "--group", node=self.b, exit_code=15)
        self.assertEqual([one["id"] for one in listed["jobs"]], [job])
        self.assertEqual([member["address"] for member in listed["members"] if member["error"]], [self.c.address])
        text = self.ok("job", "ls", "--group", node=self.b, exit_code=15)
        self.assertIn(job, text)
        self.assertIn(f"no answer from {self.c.address}: ", text)
        self.assertIn(self.c.address, self.ok("group", node=self.b, exit_code=15))
        done = self.run_godwit("locate", "nowhere", node=self.a)
        self.assertEqual(done.returncode, 8)
        self.assertIn(self.c.address, done.stderr)

        self.ok("job", "limit", job, "none", node=self.b)
        self.ok("job", "resume", job, node=self.b)
        self.assertEqual(self.json("job", "wait", job, node=self.b)["regions_arrived"], 1)
        self.assertEqual(self.json("locate", "mesh", node=self.a)["address"], self.b.address)

    def wait_for_phase(self, job, phase, node):
        deadline = time.monotonic() + 60
        while (shown := self.json("job", "show", job, node=node))["phase"] != phase:
            self.assertLess(time.monotonic(), deadline, shown)
            time.sleep(0.05)

    def begin(self, name, *options):
        self.ok("region", "create", name, "--target", "fast", "--size", "8MiB", node=self.a)
        return self.json("migrate", "region", name, "--to", self.b.address, "--target", "fast", "--async", *options, node=self.a)["job"]

    def test_every_wish_reaches_a_job_of_another_node(self):
        approved = self.begin("approved", "--approval")
        self.wait_for_phase(approved, "validation", self.c)
        self.ok("job", "approve", approved, node=self.c)
        self.assertEqual(self.json("job", "watch", approved, node=self.c)["regions_arrived"], 1)

        waits = self.begin("cut over", "--approval")
        self.wait_for_phase(waits, "validation", self.b)
        self.ok("job", "cutover", waits, node=self.b)
        self.assertEqual(self.json("job", "watch", waits, node=self.b)["regions_arrived"], 1)

        crawls = self.begin("rolled back", "--bwlimit", "64KiB/s")
        self.wait_for_phase(crawls, "sync", self.c)
        self.ok("job", "checkpoint", crawls, node=self.c)
        self.ok("job", "rollback", crawls, "--to-checkpoint", node=self.c)
        self.wait_for_phase(crawls, "paused", self.c)
        self.ok("job", "resume", crawls, node=self.c)
        self.ok("job", "rollback", crawls, node=self.c)
        self.wait_for_phase(crawls, "rolled back", self.b)
        self.assertEqual(self.json("locate", "rolled back", node=self.b)["address"], self.a.address)
        cancelled = self.begin("cancelled", "--bwlimit", "64KiB/s")
        self.ok("job", "cancel", cancelled, node=self.c)
        self.wait_for_phase(cancelled, "failed", self.b)
        self.assertEqual(self.json("job", "show", cancelled, node=self.c)["error"], "GODWIT_ERR_CANCELLED")

    def test_a_plan_is_steered_from_any_node(self):
        for name in ("first", "second", "third"):
            self.ok("region", "create", name, "--target", "fast", "--size", "1MiB", node=self.a)

        def plan_of(name, *options):
            return self.json("plan", "--from", self.a.address, "--to", self.b.address, "--target", "fast", "--region", name, *options,
                             node=self.c)["id"]

        plan = plan_of("first")
        self.assertEqual(self.json("plan", "show", plan, node=self.b), self.json("plan", "show", plan, node=self.a))
        place = self.json("locate", plan, node=self.c)
        self.assertEqual((place["kind"], place["address"]), ("plan", self.a.address))
        self.ok("plan", "chmod", "640", plan, node=self.b)
        self.assertEqual(self.json("plan", "show", plan, node=self.a)["mode"], "0640")
        self.assertEqual(self.json("execute", plan, "--wait", node=self.c)["state"], "done")
        self.assertEqual(self.json("locate", "first", node=self.a)["address"], self.b.address)

        crawls = plan_of("second", "--bwlimit", "16KiB/s")
        self.ok("execute", crawls, node=self.b)
        self.assertEqual(self.run_godwit("plan", "rm", crawls, node=self.c).returncode, 7)  # It runs.
        self.ok("plan", "cancel", crawls, node=self.c)
        deadline = time.monotonic() + 60
        while self.json("plan", "show", crawls, node=self.b)["state"] == "running":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(self.json("plan", "show", crawls, node=self.b)["state"], "cancelled")
        self.ok("plan", "rm", crawls, node=self.c)
        for node in self.nodes:  # Also where it was remembered.
            done = self.run_godwit("plan", "show", crawls, node=node)
            self.assertEqual(done.returncode, 3, done.stderr)

        # It is its own node's: while that is away, nobody can say.
        third = plan_of("third")
        self.a.kill()
        done = self.run_godwit("plan", "show", third, node=self.c)
        self.assertEqual(done.returncode, 8)
        self.assertIn(self.a.address, done.stderr)

    def move(self, paths, source, destination, to, *options):
        return self.json("--quiet", "migrate", "files", *map(str, paths), "--to", f"{destination.address}:{to}", *options, node=source)

    def restart(self, node):
        self.assertEqual(node.terminate(), 0)
        node.start()

    def test_where_jobs_have_put_files(self):
        for name in ("one", "two", "there", "onwards"):
            (self.files / name).mkdir()
        (self.files / "one" / "data").write_text("data")
        one, there = str(self.files / "there" / "one"), str(self.files / "there")
        self.assertEqual(self.run_godwit("locate", one, node=self.c).returncode, 3)
        moved = self.move([self.files / "one"], self.a, self.b, there, "--move")
        job, fileset = moved["job"], moved["results"][0]["destination_id"]

        def expect_at(node, wanted, fileset=fileset, path=one):
            for asked in self.nodes:
                place = self.json("locate", wanted, node=asked)
                self.assertEqual((place["kind"], place["id"], place["address"], place["path"], place["epoch"]),
                                 ("fileset", fileset, node.address, path, None), wanted)

        for wanted in (one, there + "//one/", fileset):
            expect_at(self.b, wanted)
        self.assertEqual(self.ok("locate", one, node=self.c), f"fileset {fileset} at {self.b.address} path {one}\n")
        # The job comes first as long as its node knows of it.
        self.assertEqual(self.json("locate", job, node=self.c)["kind"], "job")
        self.restart(self.a)
        self.restart(self.b)
        for wanted in (one, fileset, job):
            expect_at(self.b, wanted)
        for wanted in (str(self.files / "one"), there, one + "/data", job[::-1]):
            self.assertEqual(self.run_godwit("locate", wanted, node=self.c).returncode, 3, wanted)

        # On it goes: from where it left nobody says so any more, also after a restart; a copy is another one.
        onwards = str(self.files / "onwards")
        fileset = self.move([one], self.b, self.c, onwards, "--move")["results"][0]["destination_id"]
        for restarts in (False, True):
            if restarts:
                self.restart(self.b)
            expect_at(self.c, onwards + "/one", fileset, onwards + "/one")
            self.assertEqual(self.run_godwit("locate", one, node=self.b).returncode, 3)
        copied = self.move([onwards + "/one", self.files / "two"], self.c, self.a, there)
        self.restart(self.c)
        expect_at(self.c, onwards + "/one", fileset, onwards + "/one")
        expect_at(self.a, one, copied["results"][0]["destination_id"])
        # By the job of two: which one is meant nobody can say.
        done = self.run_godwit("locate", copied["job"], node=self.b)
        self.assertEqual(done.returncode, 4, done.stderr)
        for result in copied["results"]:
            self.assertIn(result["destination_id"], done.stderr)


if __name__ == "__main__":
    unittest.main()
