#!/usr/bin/env python3
"""`godwit group`, `job ls --group`, `locate`, and job commands asked of another node than the job's: text, JSON, exit codes."""
import json
import os
import pathlib
import subprocess
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])


class GroupTest(unittest.TestCase):
    def setUp(self):
        self.nodes = []
        for _ in range(3):
            node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram")])
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


if __name__ == "__main__":
    unittest.main()
