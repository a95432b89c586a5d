#!/usr/bin/env python3
"""godwit-bulk from many nodes to many, of every kind of object; and what it does when destinations fail, or its own ranks."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import bulk_runs
import cli_node

MIB = 1 << 20
PATIENCE_SECONDS = 60 * cli_node.PATIENCE
NOBODY = 65534


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def pid_of_rank(launcher, rank):
    for pid in children_of(launcher):
        try:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"OMPI_COMM_WORLD_RANK={rank}".encode() in environment:
            return pid
    raise AssertionError(f"no rank {rank} below {launcher}")


class BulkManyTest(bulk_runs.BulkCase):
    """Two sources, a and source, with a `fast` target; two destinations, b and c, with a `keep` target; b takes no databases."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = []
        cls.places = []
        cls.shared = pathlib.Path(cls.scratch())
        for name in ("source", "a", "b", "c"):
            place = cls.scratch()
            (pathlib.Path(place) / "files").mkdir()
            more = {"file_roots": [{"path": f"{place}/files"}, {"path": str(cls.shared)}], "connect_timeout_ms": 2000}
            if name != "b":
                more["database_root"] = f"{place}/databases"
            if name == "source":
                more["hooks"] = {"before": cls.write_hook(place)}
            node = cli_node.Node(bulk_runs.BINARIES, [cli_node.target("fast", "dram"), cli_node.target("keep", "pmem")], more)
            cls.addClassCleanup(node.close)
            cls.nodes.append(node)
            cls.places.append(pathlib.Path(place))
        cls.source, cls.a, cls.b, cls.c = cls.nodes
        cls.destinations = f"{cls.b.address},{cls.c.address}"

    @classmethod
    def scratch(cls):
        directory = tempfile.TemporaryDirectory(prefix="godwit-test.")
        cls.addClassCleanup(directory.cleanup)
        return directory.name

    @classmethod
    def write_hook(cls, place):
        """Kills the daemon that `victim` names, before the source has sent anything to it."""
        hook = pathlib.Path(place) / "hook"
        hook.write_text(f'#!/bin/sh\n[ -f {place}/victim ] || exit 0\nread -r address pid < {place}/victim\n'
                        '[ "$GODWIT_PEER" != "$address" ] || kill -9 "$pid" 2>/dev/null\nexit 0\n')
        hook.chmod(0o755)
        return str(hook)

    def command(self, ranks, *arguments, sources=None):
        return ["mpirun", "-n", str(ranks), "--oversubscribe", bulk_runs.BINARIES / "godwit-bulk", "--from",
                sources or self.source.address, "--to", self.destinations, *arguments]

    def many(self, ranks, *arguments, sources=None, expect=0):
        """No ranks: one, without a launcher, which begins sooner. Expect None: a failure."""
        command = self.command(ranks, *arguments, sources=sources)
        seconds = (240 if ranks >= 64 else 120) * cli_node.PATIENCE
        done = subprocess.run(command if ranks else command[4:], capture_output=True, text=True, timeout=seconds,
                              env={**os.environ, **bulk_runs.MPI})
        if expect is None:
            self.assertNotEqual(done.returncode, 0, done.stdout)
        else:
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def lines(self, path=None):
        return [json.loads(line) for line in pathlib.Path(f"{path or self.report}.items").read_text().splitlines()]

    # ---- from many to many

    def test_several_sources_share_out_to_several_destinations(self):
        digests = {**self.fill(6, [65536]), **self.fill(6, [65536], "t", self.a)}
        nodes = self.directory / "nodes"
        nodes.write_text(f"# the sources\n{self.source.address}\n{self.a.address}  # and once more\n{self.a.address}\n")
        self.many(3, "--regions", "--target", "keep", "--batch", "1", "--report", str(self.report), sources=f"@{nodes}")
        at_b, at_c = self.contents(self.b), self.contents(self.c)
        self.assertEqual({**at_b, **at_c}, digests)
        self.assertEqual(len(at_b) + len(at_c), 12)
        self.assertEqual(self.regions(self.source) + self.regions(self.a), [])
        report = json.loads(self.report.read_text())
        self.assertEqual((report["tool"], report["report_version"], report["provider"]), ("godwit-bulk", 1, "tcp"))
        self.assertEqual([node["objects"] for node in report["sources"]], [6, 6])
        self.assertEqual(len(report["links"]), 4)
        self.assertEqual([link["objects"] for link in report["links"]], [3, 3, 3, 3], "links share alike")
        self.assertEqual(sum(call["objects"] for call in report["calls"]), 12)
        self.assertTrue(all(0 <= call["begin_s"] <= call["end_s"] <= report["seconds"] for call in report["calls"]))
        self.assertEqual((report["calls_left_out"], report["failures_left_out"]), (0, 0))
        items = [line for line in self.lines() if "state" in line]
        self.assertEqual(sorted(line["name"] for line in items), sorted(digests))
        self.assertEqual({(line["state"], line["attempts"], line["error"]) for line in items}, {("arrived", 1, None)})

    def test_two_runs_can_be_compared(self):
        pages = [self.directory / "first.json", self.directory / "second.json"]
        for ranks, page in zip((1, 2), pages):
            self.fill(6, [2 * MIB])
            self.many(ranks, "--regions", "--target", "keep", "--batch", "1", "--verify", "--report", str(page))
            self.tearDown()
            report = json.loads(page.read_text())
            self.assertEqual((report["settings"]["ranks"], report["settings"]["verify"]), (ranks, True))
            self.assertRegex(report["libraries"]["libfabric"], r"^\d+\.\d+$")
            self.assertIn("MPI", report["libraries"]["mpi"])
            self.assertIn("--verify", report["command"])
            self.assertIn("nics", report["machine"])
            whole, calls = report["measurements"]
            self.assertEqual((whole["what"], whole["size_bytes"], whole["samples"]), ("whole run", 12 * MIB, [report["seconds"]]))
            self.assertEqual(whole["details"]["gib_per_s"], report["gib_per_s"])
            self.assertEqual(calls["size_bytes"], 1 << 30)
            self.assertEqual(calls["samples"], [(call["end_s"] - call["begin_s"]) * (1 << 30) / call["bytes"] for call in report["calls"]])
        page = self.directory / "page.html"
        subprocess.run([bulk_runs.BINARIES / "godwit-report", "--compare", *pages, "-o", page], check=True, timeout=PATIENCE_SECONDS)
        compared = page.read_text()
        for words in ("Two runs compared", "whole run", "GiB at the rate of each call"):
            self.assertIn(words, compared)
        self.assertNotIn("only in the ", compared)
        self.assertRegex(compared, r"<td[^>]*>\s*(no difference shown|faster|slower)\s*</td>")  # There are enough calls for an interval.

    def test_a_plan_tells_every_link_and_moves_nothing(self):
        self.fill(4, [4096])
        port = self.source.address.rsplit(":", 1)[1]
        done = self.many(2, "--regions", "--target", "keep", "--batch", "1", "--plan", sources=f"127.0.0.[1]:{port}")
        self.assertIn("nothing is moved", done.stdout)
        for node in (self.b, self.c):
            self.assertRegex(done.stdout, f"{self.source.address} -> {node.address}: 2 objects, 8.0 KiB, 2 calls")
        self.assertEqual(len(self.regions(self.source)), 4)

    def test_all_nodes_that_do_not_answer_are_named_before_anything_moves(self):
        self.fill(2, [4096])
        done = self.many(2, "--regions", "--target", "keep", expect=8,
                         sources=f"{self.source.address},tcp://127.0.0.1:1,tcp://127.0.0.1:2,tcp://no-such-host.invalid:7411")
        self.assertIn("3 of 6 nodes", done.stderr)
        for name in ("127.0.0.1:1:", "127.0.0.1:2:", "no-such-host.invalid:7411:"):
            self.assertIn(name, done.stderr)
        self.assertEqual(len(self.regions(self.source)), 2)

    def test_mistakes_are_told_before_anything_moves(self):
        listed = self.directory / "list"
        listed.write_text("files /x\n")
        of_regions = self.directory / "regions"
        of_regions.write_text("r0\n")
        for arguments, sources, code, text in (
                (("--regions", "--target", "keep"), "n[2-1]:1", 2, "runs backwards"),
                (("--regions", "--target", "keep"), "n[1-2]", 2, "n1 has no port"),
                (("--regions", "--target", "keep"), "@/no/such/file", 11, "/no/such/file"),
                (("--regions", "--target", "absent"), None, 3, "absent"),
                (("--list", str(listed)), None, 2, "--to-root"),
                (("--files", "/x", "--to-root", "/y"), f"{self.source.address},{self.a.address}", 2, "%n"),
                (("--regions",), None, 2, "--target"),
                (("--regions", "--target", "keep", "--update"), None, 2, "--update requires --files"),
                (("--databases", "--exclude", "*.tmp"), None, 2, "--exclude requires --files"),
                (("--list", str(of_regions), "--target", "keep", "--xattrs"), None, 2, "--xattrs is for files"),
                (("--regions", "--target", "keep", "--compress", "gzip"), None, 2, "--compress"),
                (("--regions", "--target", "keep", "--priority", "7x"), None, 2, "--priority"),
                (("--regions", "--target", "keep", "--bwlimit", "much"), None, 2, "--bwlimit"),
                (("--regions", "--target", "keep", "--resume", "/no/such/report"), None, 11, "/no/such/report")):
            with self.subTest(text=text):
                self.assertIn(text, self.many(0, *arguments, sources=sources, expect=code).stderr)

    # ---- every kind

    def test_databases_go_where_they_are_taken_and_files_and_regions_with_them(self):
        self.fill(3, [4096])
        for name in ("jobs", "steps", "stays"):
            self.godwit(self.source, "db", "create", name, "--backend", "rocksdb")
        self.godwit(self.source, "db", "put", "jobs", "key", "--value", "value")
        run = self.places[0] / "files" / "run 7"
        run.mkdir()
        (run / "out").write_bytes(b"x" * 1000)
        for place in (self.places[2], self.places[3]):
            (place / "files" / "in").mkdir()
        listed = self.directory / "list"
        listed.write_text(f"r0\nregion r1\ndatabase jobs\ndatabase steps\ndatabase none\nfiles {run}\n")
        # Either destination may get the files: the one that has no such directory denies them, and the other one takes them.
        root = self.places[3] / "files" / "in"
        self.many(2, "--list", str(listed), "--target", "keep", "--to-root", str(root), "--report", str(self.report), expect=15)
        self.assertEqual((root / "run 7" / "out").read_bytes(), b"x" * 1000)
        self.assertFalse(run.exists())
        self.assertEqual(self.godwit(self.c, "db", "get", "jobs", "key"), b"value")
        self.assertEqual(sorted(db["name"] for db in json.loads(self.godwit(self.c, "db", "ls", "--json"))), ["jobs", "steps"])
        self.assertEqual([db["name"] for db in json.loads(self.godwit(self.source, "db", "ls", "--json"))], ["stays"])
        self.assertEqual([region["name"] for region in self.regions(self.source)], ["r2"])
        report = json.loads(self.report.read_text())
        self.assertEqual((report["objects"], report["failed"]), (5, 1))
        self.assertGreaterEqual(report["retried"], 1)
        (failure,) = report["failures"]
        self.assertEqual((failure["kind"], failure["name"], failure["error"]), ("database", "none", "GODWIT_ERR_NOT_FOUND"))
        self.godwit(self.source, "db", "destroy", "stays")
        self.godwit(self.c, "db", "destroy", "jobs")
        self.godwit(self.c, "db", "destroy", "steps")

    def test_files_of_several_sources_go_to_places_of_their_own_and_are_resumed(self):
        run = self.shared / "run"
        run.mkdir()
        (run / "out").write_bytes(b"x" * 5000)
        names = [node.address.split("//")[1].replace(":", "-") for node in (self.source, self.a)]
        for name in names:
            (self.shared / "in" / name).mkdir(parents=True)
        how = ("--files", str(run), "--to-root", f"{self.shared}/in/%n", "--copy", "--report", str(self.report))
        sources = f"{self.source.address},{self.a.address}"
        self.many(0, *how, sources=sources)
        for name in names:
            self.assertEqual((self.shared / "in" / name / "run" / "out").read_bytes(), b"x" * 5000)
        report = json.loads(self.report.read_text())
        self.assertEqual([report[key] for key in ("objects", "bytes", "failed")], [2, 10000, 0])
        self.many(0, *how, "--resume", str(self.report), sources=sources)  # Else: they are there already.
        report = json.loads(self.report.read_text())
        self.assertEqual([report[key] for key in ("objects", "objects_earlier", "failed")], [0, 2, 0])

    def last_job(self, *keys):
        """These keys of what the source tells of the run's last job."""
        job = [line["job"] for line in self.lines() if "job" in line][-1]
        told = {**json.loads(self.godwit(self.source, "job", "show", job, "--json")),
                **json.loads(self.godwit(self.source, "job", "wait", job, "--json"))["report"]}
        return [told[key] for key in keys]

    def test_regions_and_databases_travel_as_they_are_told_to(self):
        path = self.directory / "plain"
        path.write_bytes(b"0123456789abcdef" * 65536)  # It gains by compression.
        self.godwit(self.source, "region", "import", str(path), "--name", "plain", "--target", "fast")
        self.godwit(self.source, "db", "create", "jobs", "--backend", "rocksdb")
        self.godwit(self.source, "db", "put", "jobs", "key", "--value", "value" * 10000)
        self.addCleanup(self.godwit, self.c, "db", "destroy", "jobs")
        how = ("--verify", "--compress", "zstd", "--priority", "high", "--report", str(self.report))
        for arguments in (("--regions", "--target", "keep"), ("--databases",)):
            with self.subTest(arguments=arguments):
                self.many(0, *arguments, *how)
                compression, compressed, priority, phases = self.last_job("compression", "blocks_compressed", "priority", "phases")
                self.assertEqual((compression, priority), ("zstd", "high"))
                self.assertGreater(compressed, 0)
                self.assertIn("validation", [one["phase"] for one in phases])

    def test_files_travel_as_they_are_told_to(self):
        run = self.shared / "told"
        there = self.shared / "there"
        for place in (run, there / "told"):
            place.mkdir(parents=True)
        names = ("new", "old", "x.tmp", "keep.tmp", "open")
        for name in names:
            (run / name).write_bytes(name.encode() * 65536)
        os.mkfifo(run / "fifo")
        os.setxattr(run / "new", "user.colour", b"blue")
        (there / "told" / "old").write_bytes(b"as it was")
        how = ["--files", str(run), "--to-root", str(there), "--copy", "--report", str(self.report)]
        told = ("--skip-special", "--force", "--update", "--xattrs", "--verify", "--compress=lz4", "--priority=low", "--exclude=*.tmp",
                "--include=keep.tmp")
        with (run / "open").open("ab"):
            # Without any of the first three it fails; with them all it does what the others say, too.
            for left_out, error in (("--skip-special", "UNSUPPORTED"), ("--force", "CHANGED"), ("--update", "EXISTS")):
                with self.subTest(left_out=left_out):
                    done = self.many(0, *how, *(option for option in told if option != left_out), expect=None)
                    self.assertIn(f"GODWIT_ERR_{error}", done.stderr)
            self.many(0, *how, *told)
        self.assertEqual({path.name: path.read_bytes() for path in (there / "told").iterdir()},
                         {name: name.encode() * 65536 for name in names if name != "x.tmp"})
        self.assertEqual(os.getxattr(there / "told" / "new", "user.colour"), b"blue")
        self.assertEqual(json.loads(self.report.read_text())["bytes"], 65536 * sum(len(name) for name in names if name != "x.tmp"))
        compression, priority, phases = self.last_job("compression", "priority", "phases")
        self.assertEqual((compression, priority), ("lz4", "low"))
        self.assertIn("validation", [one["phase"] for one in phases])

    # ---- what fails

    def test_a_destination_that_dies_loses_its_share_to_the_others(self):
        digests = self.fill(12, [4096])
        victim = self.places[0] / "victim"
        victim.write_text(f"{self.b.address} {self.b.process.pid}\n")
        self.addCleanup(self.b.start)
        self.addCleanup(self.b.kill)  # If nothing else has.
        self.addCleanup(victim.unlink)
        done = self.many(2, "--regions", "--target", "keep", "--batch", "1", "--in-flight", "1", "--report", str(self.report))
        self.assertEqual(self.contents(self.c), digests)
        self.assertEqual(self.regions(self.source), [])
        report = json.loads(self.report.read_text())
        self.assertEqual((report["objects"], report["failed"]), (12, 0))
        self.assertGreaterEqual(report["retried"], 1)
        if report["given_up"]:
            self.assertEqual(report["given_up"], [self.b.address])
            self.assertIn("was given up", done.stderr)
        attempts = {line["attempts"] for line in self.lines() if "state" in line}
        self.assertEqual(attempts, {1, 2})
        self.nodes.remove(self.b)  # tearDown() cannot ask it.
        self.addCleanup(self.nodes.insert, 2, self.b)

    def test_a_limit_holds_for_the_whole_run(self):
        self.fill(8, [MIB])
        self.many(2, "--regions", "--target", "keep", "--batch", "1", "--bwlimit", "8MiB/s", "--report", str(self.report))
        report = json.loads(self.report.read_text())
        self.assertEqual(report["objects"], 8)
        self.assertGreater(report["seconds"], 0.5, "8 MiB at 8 MiB/s, less what a limit lets through at once")

    def run_until_a_rank_is_killed(self, rank, *arguments):
        """Returns when mpirun has ended. The rank dies when some calls have ended, and others are under way."""
        path = pathlib.Path(f"{self.report}.items")
        path.unlink(missing_ok=True)
        with subprocess.Popen(self.command(3, "--regions", "--target", "keep", "--batch", "1", "--in-flight", "1", "--bwlimit",
                                           "4MiB/s", "--report", str(self.report), *arguments),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **bulk_runs.MPI}) as run:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not path.exists() or '"end_s"' not in path.read_text():
                self.assertIsNone(run.poll(), "it ended before it could be killed")
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            os.kill(pid_of_rank(run.pid, rank), signal.SIGKILL)
            self.assertNotEqual(run.wait(PATIENCE_SECONDS), 0)

    def test_a_run_whose_rank_was_killed_is_resumed(self):
        for rank, how in ((1, ()), (0, ("--copy",))):
            with self.subTest(rank=rank, how=how):
                digests = self.fill(12, [MIB])
                self.run_until_a_rank_is_killed(rank, *how)
                self.assertFalse(self.report.exists(), "only a run that ended has a report; its lines tell the rest")
                self.many(2, "--regions", "--target", "keep", "--resume", str(self.report), "--report", str(self.report), *how)
                at_b, at_c = self.contents(self.b), self.contents(self.c)
                self.assertEqual({**at_b, **at_c}, digests)
                self.assertEqual(len(self.regions(self.b)) + len(self.regions(self.c)), 12, "each object is there once")
                self.assertEqual(len(self.regions(self.source)), 12 if how else 0)
                report = json.loads(self.report.read_text())
                self.assertGreater(report["objects_earlier"], 0)
                self.assertEqual(report["objects_earlier"] + report["objects"], 12)
                self.assertEqual(len({line["id"] for line in self.lines() if line.get("state") == "arrived"}), 12)
                # Once more: there is nothing left to do.
                self.many(0, "--regions", "--target", "keep", "--resume", str(self.report), "--report", str(self.report), *how)
                report = json.loads(self.report.read_text())
                self.assertEqual((report["objects"], report["objects_earlier"]), (0, 12))
                self.tearDown()

    def test_a_report_of_another_version_or_run_is_refused(self):
        self.fill(1, [4096])
        lines = pathlib.Path(f"{self.report}.items")
        for text, code, told in (('{"tool":"godwit-bulk","report_version":2}\n', 9, "a report of version 2"),
                                      ('{"objects":3}\n', 2, "no report of godwit-bulk"),
                                      ('{"tool":"godwit-bulk","report_version":1,"copy":true}\n', 2, "--copy"),
                                      ('{"tool":"godwit-bulk","report_version":1}\nx\n', 14, ".items:2: ")):
            with self.subTest(told=told):
                lines.write_text(text)
                done = self.many(0, "--regions", "--target", "keep", "--resume", str(self.report), expect=code)
                self.assertIn(told, done.stderr)
                self.assertEqual(len(self.regions(self.source)), 1)

    # ---- as anybody, and as many

    def test_64_ranks_on_whatever_there_is(self):
        digests = self.fill(16, [1000])
        self.many(64, "--regions", "--target", "keep", "--batch", "1", "--quiet", "--report", str(self.report))
        self.assertEqual({**self.contents(self.b), **self.contents(self.c)}, digests)
        self.assertEqual(len(json.loads(self.report.read_text())["ranks"]), 64)

    @unittest.skipUnless(cli_node.can_act_as(NOBODY, bulk_runs.BINARIES / "godwit-bulk"),
                         "only root can become somebody else, if that may run it")
    def test_it_runs_as_a_user_too(self):
        self.fill(2, [1000])
        home = self.scratch()
        os.chown(home, NOBODY, NOBODY)
        mpi = {name: value for name, value in bulk_runs.MPI.items() if "ROOT" not in name}
        done = subprocess.run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                               *self.command(2, "--regions", "--target", "keep")], capture_output=True, text=True,
                              timeout=120 * cli_node.PATIENCE, cwd=home, env={**os.environ, **mpi, "HOME": home, "TMPDIR": home})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.regions(self.source), [])


if __name__ == "__main__":
    unittest.main()
