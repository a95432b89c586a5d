#!/usr/bin/env python3
"""Every command of godwit against real daemons: what it prints, as text and as JSON, its exit codes, and bad input."""
import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
MIB = 1 << 20
NO_SUCH_ID = "0123456789abcdef0123456789abcdef"


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nodes = []
        for target_kind in ("pmem", "file"):
            node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram"), cli_node.target("keep", target_kind)])
            cls.addClassCleanup(node.close)
            cls.nodes.append(node)
        cls.a, cls.b = cls.nodes
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        cls.addClassCleanup(scratch.cleanup)
        cls.directory = pathlib.Path(scratch.name)

    def tearDown(self):
        for node in self.nodes:
            names = [region["id"] for region in self.json("region", "ls", node=node)]
            if names:
                self.ok("region", "rm", *names, node=node)

    def run_godwit(self, *arguments, node=None, stdin=b"", environment=None):
        command = [BINARIES / "godwit", *arguments]
        env = {key: value for key, value in os.environ.items() if key != "GODWIT_NODE"}
        env["GODWIT_NODE"] = (node or self.a).address
        env.update(environment or {})
        return subprocess.run(command, input=stdin, capture_output=True, env=env, timeout=60)

    def ok(self, *arguments, **keywords):
        done = self.run_godwit(*arguments, **keywords)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def json(self, *arguments, **keywords):
        return json.loads(self.ok(*arguments, "--json", **keywords))

    # The message of a command that must end with this exit code, and name this error.
    def fails(self, exit_code, name, *arguments, **keywords):
        done = self.run_godwit(*arguments, **keywords)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, exit_code, f"{arguments}: {message}")
        self.assertIn(name, message)
        return message

    def create(self, name, size="1MiB", node=None, target="fast"):
        return self.json("region", "create", name, "--target", target, "--size", size, node=node)

    # ---- the command line itself

    def commands(self, *path):
        text = self.ok(*path, "--help").decode()
        yield path, text
        lines = text.split("Subcommands:\n", 1)[1].splitlines() if "Subcommands:\n" in text else []
        for line in lines:
            if not line.strip():
                break
            if line.startswith("  ") and line[2] != " ":
                yield from self.commands(*path, line.split()[0])

    def test_every_help_shows_an_example(self):
        seen = list(self.commands())
        self.assertGreater(len(seen), 20)
        for path, text in seen:
            self.assertRegex(text, r"Examples?:\n  \S", f"{path}")

    def test_version(self):
        self.assertEqual(self.ok("--version"), b"godwit 0.1.0\n")

    def test_usage_errors_exit_with_2(self):
        for arguments in ((), ("no-such",), ("region",), ("region", "create"), ("ping", "--no-such"),
                          ("region", "create", "x", "--target", "fast", "--size", "12Q"),
                          ("region", "create", "x", "--target", "fast", "--size", "-1"),
                          ("ping", "--timeout", "-3"), ("job", "show")):
            self.assertEqual(self.run_godwit(*arguments).returncode, 2, arguments)

    def test_a_node_must_be_named(self):
        self.fails(2, "GODWIT_NODE", "ping", environment={"GODWIT_NODE": ""})
        self.ok("ping", "--node", self.b.address, environment={"GODWIT_NODE": ""})
        self.ok("--node", self.b.address, "ping", environment={"GODWIT_NODE": "tcp://127.0.0.1:1"})

    def test_errors_are_json_on_request(self):
        done = self.run_godwit("region", "stat", "nobody", "--json")
        error = json.loads(done.stderr)["error"]
        self.assertEqual((done.returncode, error["name"], error["exit_code"]), (3, "GODWIT_ERR_NOT_FOUND", 3))
        self.assertIn("nobody", error["message"])

    def test_errors_lists_the_table(self):
        rows = self.json("errors")
        self.assertEqual(rows[0]["name"], "GODWIT_OK")
        self.assertIn(("GODWIT_ERR_NO_SPACE", 5), [(row["name"], row["exit_code"]) for row in rows])

    # ---- nodes and targets

    def test_ping(self):
        self.assertIn(b" us\n", self.ok("ping"))
        self.assertEqual(len(self.json("ping", "--count", "3")), 3)

    def test_an_address_that_nobody_listens_on_is_named(self):
        message = self.fails(8, "GODWIT_ERR_UNREACHABLE", "ping", "--node", "tcp://127.0.0.1:1", "--connect-timeout", "2")
        self.assertIn("tcp://127.0.0.1:1", message)

    def test_an_address_that_is_none_is_refused(self):
        self.fails(2, "GODWIT_ERR_INVALID", "ping", "--node", "somewhere")

    def test_doctor_of_a_node_and_of_this_machine(self):
        self.assertIn("providers", self.json("doctor"))
        self.assertIn(b"providers:\n", self.ok("doctor"))
        self.assertIn("providers", self.json("doctor", "--local"))
        self.assertIn("providers", self.json("doctor", environment={"GODWIT_NODE": ""}))
        here = self.json("doctor", "--config", str(self.a.config))
        self.assertEqual([target["name"] for target in here["targets"]], ["fast", "keep"])

    def test_target_ls(self):
        targets = {target["name"]: target for target in self.json("target", "ls")}
        self.assertEqual(targets["fast"]["kind"], "dram")
        self.assertEqual(targets["keep"]["kind"], "pmem")
        self.assertEqual(targets["fast"]["capacity_bytes"], 64 * MIB)
        self.assertIn(b"64.0 MiB", self.ok("target", "ls"))

    # ---- regions

    def test_create_list_stat_remove(self):
        region = self.create("one")
        self.assertEqual((region["name"], region["size_bytes"], region["target"]), ("one", MIB, "fast"))
        self.assertEqual(self.json("region", "ls", "--target", "fast"), [region])
        self.assertEqual(self.json("region", "ls", "--target", "keep"), [])
        self.assertEqual(self.json("region", "stat", region["id"]), region)
        self.assertIn(region["id"].encode(), self.ok("region", "stat", "one"))
        self.assertIn(b"would erase", self.ok("region", "rm", "--dry-run", "one"))
        self.assertEqual(self.json("region", "rm", "--dry-run", "one")[0]["erased"], False)
        self.assertEqual(self.json("region", "stat", "one"), region)
        self.assertEqual(self.json("region", "rm", "one")[0]["erased"], True)
        self.fails(3, "GODWIT_ERR_NOT_FOUND", "region", "stat", "one")

    def test_create_without_a_name_prints_the_id(self):
        identity = self.ok("region", "create", "--target", "fast", "--size", "0").decode().strip()
        self.assertEqual(self.json("region", "stat", identity)["size_bytes"], 0)

    def test_create_refuses_what_cannot_be(self):
        self.create("taken")
        self.fails(4, "GODWIT_ERR_EXISTS", "region", "create", "taken", "--target", "fast", "--size", "1")
        self.fails(5, "GODWIT_ERR_NO_SPACE", "region", "create", "big", "--target", "fast", "--size", "1GiB")
        self.fails(3, "GODWIT_ERR_NOT_FOUND", "region", "create", "x", "--target", "nowhere", "--size", "1")
        self.fails(2, "GODWIT_ERR_INVALID", "region", "create", "a\nb", "--target", "fast", "--size", "1")
        self.assertNotEqual(self.run_godwit("region", "create", "x", "--target", "fast", "--size", str(2**63)).returncode, 0)
        self.assertEqual(len(self.json("region", "ls")), 1)

    def test_one_region_that_cannot_be_removed_keeps_no_other(self):
        self.create("here")
        self.fails(3, "nobody", "region", "rm", "nobody", "here")
        self.assertEqual(self.json("region", "ls"), [])

    def test_write_and_read_a_range(self):
        self.create("data", "1000")
        self.ok("region", "write", "data", "--offset", "990", "--persist", stdin=b"0123456789")
        self.assertEqual(self.ok("region", "read", "data", "--offset", "988", "--length", "5"), b"\0\x00012")
        self.assertEqual(len(self.ok("region", "read", "data")), 1000)
        self.assertEqual(self.ok("region", "read", "data", "--offset", "1000"), b"")
        self.assertEqual(self.ok("region", "read", "data", "--length", "0"), b"")
        part = self.directory / "part"
        read = self.json("region", "read", "data", "--offset", "990", "--file", str(part))
        self.assertEqual((read["length_bytes"], part.read_bytes()), (10, b"0123456789"))
        self.fails(2, "--file", "region", "read", "data", "--json")

    def test_ranges_past_the_end_change_nothing(self):
        self.create("data", "1000")
        longer = self.directory / "longer"
        longer.write_bytes(b"x" * 11)
        self.fails(2, "GODWIT_ERR_RANGE", "region", "write", "data", "--offset", "990", "--file", str(longer))
        self.fails(2, "GODWIT_ERR_RANGE", "region", "write", "data", "--offset", "1001", stdin=b"x")
        self.fails(2, "GODWIT_ERR_RANGE", "region", "write", "data", "--offset", str(2**64 - 1), stdin=b"xy")
        self.fails(2, "GODWIT_ERR_RANGE", "region", "read", "data", "--offset", "999", "--length", "2")
        self.fails(2, "GODWIT_ERR_RANGE", "region", "read", "data", "--offset", "2", "--length", str(2**64 - 1))
        self.assertEqual(self.ok("region", "read", "data"), bytes(1000))

    def test_a_file_comes_back_as_it_went(self):
        data = os.urandom(20 * MIB + 12345)  # More than one chunk, and not a multiple.
        original, copy = self.directory / "original", self.directory / "copy"
        original.write_bytes(data)
        for target in ("fast", "keep"):
            region = self.json("region", "import", str(original), "--target", target, "--name", "file." + target)
            self.assertEqual(region["size_bytes"], len(data))
            exported = self.json("region", "export", "file." + target, str(copy))
            self.assertEqual((exported["size_bytes"], copy.read_bytes()), (len(data), data))
            self.fails(4, "--force", "region", "export", "file." + target, str(copy))
            self.ok("region", "export", "file." + target, str(copy), "--force")
            copy.unlink()
            self.assertEqual(self.ok("region", "export", "file." + target, "-"), data)
        self.assertEqual(sorted(path.name for path in self.directory.iterdir() if ".part" in path.name), [])

    def test_import_from_a_pipe_needs_the_size(self):
        self.fails(2, "--size", "region", "import", "-", "--target", "fast", stdin=b"12345")
        self.fails(11, "ended after 5", "region", "import", "-", "--target", "fast", "--size", "6", stdin=b"12345")
        self.fails(11, "more than 4", "region", "import", "-", "--target", "fast", "--size", "4", stdin=b"12345")
        self.assertEqual(self.json("region", "ls"), [])
        identity = self.ok("region", "import", "-", "--target", "fast", "--size", "5", stdin=b"12345").decode().strip()
        self.assertEqual(self.ok("region", "read", identity), b"12345")

    def test_files_that_cannot_be_read_or_made(self):
        self.create("data", "10")
        self.fails(3, "no-such-file", "region", "import", "no-such-file", "--target", "fast")
        self.fails(3, "no-such-dir", "region", "export", "data", "no-such-dir/file")
        self.fails(5, "GODWIT_ERR_NO_SPACE", "region", "import", "/dev/zero", "--target", "fast", "--size", "1GiB")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARIES / "godwit", "region", "read", "data", "--node", self.a.address], stdout=full,
                                  stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 5)

    # ---- migrations and jobs

    def migrate(self, *arguments):
        return self.json("migrate", "region", *arguments, "--from", self.a.address, "--to", self.b.address, "--target", "keep")

    def test_a_region_moves_and_keeps_its_bytes(self):
        region = self.create("data", "3MiB")
        data = os.urandom(3 * MIB)
        self.ok("region", "write", "data", stdin=data)
        done = self.migrate("data")
        self.assertEqual((done["regions_arrived"], done["bytes"], done["error"]), (1, 3 * MIB, None))
        self.assertEqual(done["results"][0]["destination_id"], region["id"])
        self.assertEqual(self.json("region", "ls"), [])
        self.assertEqual(self.ok("region", "read", "data", node=self.b), data)
        self.assertEqual(self.ok("region", "read", region["id"], node=self.a), data, "an old address leads to the new node")
        self.assertEqual(self.json("region", "stat", region["id"])["address"], self.b.address)

    def test_a_copy_gets_a_new_id_and_a_name(self):
        region = self.create("data")
        done = self.migrate("data", "--copy", "--name", "twin", "--block-size", "64KiB", "--streams", "1")
        self.assertNotEqual(done["results"][0]["destination_id"], region["id"])
        self.assertEqual(self.json("region", "stat", "data"), region)
        self.assertEqual(self.json("region", "stat", "twin", node=self.b)["size_bytes"], MIB)

    def test_all_regions_of_a_node_or_of_a_target(self):
        for i in range(20):
            self.create(f"r{i}", "10000", target="fast" if i % 2 else "keep")
        self.assertEqual(self.migrate("--from-target", "fast")["regions_arrived"], 10)
        self.assertEqual(self.migrate("--all")["regions_arrived"], 10)
        self.assertEqual(len(self.json("region", "ls", node=self.b)), 20)
        self.assertEqual(self.migrate("--all")["regions"], 0)

    def test_to_another_target_of_the_same_node(self):
        self.create("data")
        self.ok("migrate", "region", "data", "--target", "keep")
        self.assertEqual(self.json("region", "stat", "data")["target"], "keep")

    def test_a_dry_run_moves_nothing_and_tells_what_would_fail(self):
        self.create("data")
        arguments = ("migrate", "region", "--all", "--to", self.b.address, "--target", "keep", "--dry-run")
        plan = self.json(*arguments)
        self.assertEqual((plan["bytes"], plan["regions"][0]["obstacle"]), (MIB, None))
        self.assertIn(b"would move 1 regions", self.ok(*arguments))
        self.create("data", node=self.b)
        self.assertEqual(self.run_godwit(*arguments).returncode, 4)
        self.create("large", "60MiB")
        self.create("filler", "60MiB", node=self.b, target="keep")
        done = self.run_godwit(*arguments[:2], "large", *arguments[3:], "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["regions"][0]["obstacle"]), (5, "GODWIT_ERR_NO_SPACE"))
        self.assertEqual(len(self.json("region", "ls")), 2)

    def test_regions_that_cannot_go_stay_and_the_others_go(self):
        for name in ("one", "two"):
            self.create(name)
        self.create("two", node=self.b)
        message = self.fails(15, "GODWIT_ERR_PARTIAL", "migrate", "region", "one", "two", "--to", self.b.address, "--target", "keep")
        self.assertIn("stayed", message)
        self.assertEqual([region["name"] for region in self.json("region", "ls")], ["two"])

    def test_a_migration_that_cannot_be(self):
        self.create("data")
        to_b = ("--to", self.b.address, "--target", "keep")
        self.fails(3, "nobody", "migrate", "region", "nobody", *to_b)
        self.fails(3, "GODWIT_ERR_NOT_FOUND", "migrate", "region", NO_SUCH_ID, *to_b)
        self.fails(3, "nowhere", "migrate", "region", "data", "--to", self.b.address, "--target", "nowhere")
        self.fails(2, "GODWIT_ERR_INVALID", "migrate", "region", "data", "--target", "fast")
        self.fails(8, "tcp://127.0.0.1:1", "migrate", "region", "data", "--to", "tcp://127.0.0.1:1", "--target", "keep")
        self.fails(2, "one of these", "migrate", "region", *to_b)
        self.fails(2, "one of these", "migrate", "region", "data", "--all", *to_b)
        self.assertEqual(self.json("region", "ls")[0]["target"], "fast")

    def test_a_job_in_the_background_can_be_followed(self):
        self.create("data", "8MiB")
        job = self.json("migrate", "region", "data", "--to", self.b.address, "--target", "keep", "--async")["job"]
        self.assertEqual(self.json("job", "wait", job)["regions_arrived"], 1)
        shown = self.json("job", "show", job)
        self.assertEqual((shown["id"], shown["ended"], shown["error"], shown["bytes_done"]), (job, True, None, 8 * MIB))
        self.assertEqual(self.json("job", "ls")[0]["id"], job)
        self.assertIn(job.encode(), self.ok("job", "ls"))
        phases = [past["phase"] for past in shown["phases"]]
        self.assertEqual((phases[0], phases[-1]), ("planning", "done"))
        self.assertLess({"pre-sync", "sync", "cutover", "cleanup"}, set(phases))
        self.assertTrue(all(past["seconds"] >= 0 for past in shown["phases"]))
        self.assertRegex(self.ok("job", "show", job), rb"phases +planning \d+\.\d\d s, .*sync \d+\.\d\d s, .*done")
        self.run_godwit("job", "cancel", job)  # It has ended; whatever this says, the region stays where it is.
        self.assertEqual(self.json("region", "stat", "data", node=self.b)["size_bytes"], 8 * MIB)

    def test_a_job_is_limited_paused_and_resumed(self):
        self.create("data", "8MiB")
        job = self.json("migrate", "region", "data", "--to", self.b.address, "--target", "keep", "--async",
                        "--bwlimit", "256KiB/s", "--priority", "high", "--time-window", "00:00-23:59", "--verify")["job"]
        self.assertEqual(self.json("job", "pause", job), {"job": job, "paused": True})
        shown = self.json("job", "show", job)
        self.assertEqual((shown["phase"], shown["bandwidth"], shown["time_window"], shown["priority"]),
                         ("paused", 256 << 10, "00:00-23:59", "high"))
        text = self.ok("job", "show", job)
        self.assertIn(b"256 KiB/s", text)
        self.assertRegex(text, rb"priority +high\n")
        self.fails(2, "GODWIT_ERR_INVALID", "job", "limit", job, "quickly")
        self.assertEqual(self.json("job", "limit", job, "none"), {"job": job, "bandwidth": None})
        self.assertEqual(self.json("job", "resume", job), {"job": job, "paused": False})
        self.assertEqual(self.json("job", "wait", job)["regions_arrived"], 1)
        self.fails(7, "GODWIT_ERR_BUSY", "job", "pause", job)

    def test_a_node_is_limited(self):
        self.assertEqual(self.json("limit"), {"node": self.a.address, "bandwidth": None})
        self.assertEqual(self.json("limit", "80mbps")["bandwidth"], 10_000_000)
        self.assertEqual(self.ok("limit"), b"9.54 MiB/s\n")
        self.assertEqual(self.ok("limit", "none"), b"no limit\n")

    def test_options_that_contradict_each_other(self):
        self.create("data", "4KiB")
        move = ["migrate", "region", "data", "--to", self.b.address, "--target", "keep"]
        self.fails(2, "GODWIT_ERR_INVALID", *move, "--priority", "emergency", "--bwlimit", "1MB/s")
        self.fails(2, "GODWIT_ERR_INVALID", *move, "--time-window", "tonight")
        self.assertEqual(self.run_godwit(*move, "--bwlimit", "fast").returncode, 2)
        self.assertEqual(self.run_godwit(*move, "--priority", "urgent").returncode, 2)
        self.assertEqual(self.json("region", "stat", "data")["size_bytes"], 4096)

    def test_jobs_that_there_are_not(self):
        for command in ("show", "wait", "cancel", "pause", "resume"):
            self.fails(3, "GODWIT_ERR_NOT_FOUND", "job", command, NO_SUCH_ID)
        self.fails(2, "GODWIT_ERR_INVALID", "job", "wait", "not-an-id")

    # ---- what a terminal sees

    def test_quiet_prints_no_progress_and_a_terminal_gets_a_bar(self):
        self.create("data", "8MiB")
        done = self.run_godwit("migrate", "region", "data", "--to", self.b.address, "--target", "keep", "--quiet")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        big = self.directory / "big"
        big.write_bytes(bytes(48 * MIB))
        leader, follower = pty.openpty()
        subprocess.run([BINARIES / "godwit", "region", "import", big, "--target", "fast", "--node", self.a.address],
                       stdout=subprocess.DEVNULL, stderr=follower, check=True)
        os.close(follower)
        shown = b""
        try:
            while chunk := os.read(leader, 65536):
                shown += chunk
        except OSError:
            pass  # How a terminal ends.
        os.close(leader)
        if shown:  # A transfer of less than a tenth of a second shows no bar.
            self.assertIn(b"MiB/s", shown)

    def test_names_from_a_peer_cannot_drive_the_terminal(self):
        name = "a\u202eb\u009bc"
        done = self.run_godwit("region", "create", name, "--target", "fast", "--size", "1")
        if done.returncode != 0:
            return  # The library refuses such a name already.
        text = self.ok("region", "ls")
        self.assertNotIn("\u202e".encode(), text)
        self.assertNotIn("\u009b".encode(), text)
        self.assertEqual(self.json("region", "ls")[0]["name"], name)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
