#!/usr/bin/env python3
"""Filesets when things go wrong: all of a tree or nothing of it, at one place at least, and no litter."""
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node  # noqa: E402
import trees  # noqa: E402

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
NO_SPACE, CHANGED = 5, 18
SETTLE_SECONDS = 30

SOURCE_STEPS = ["before.send-prepare", "before.journal-hand-over", "after.journal-hand-over", "after.send-commit",
                "after.journal-done", "after.free-objects", "after.send-release"]
DESTINATION_STEPS = ["before.journal-prepared", "after.journal-prepared", "before.journal-owner", "after.journal-owner",
                     "after.serve", "after.forget-job"]


class FaultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.a, cls.b = cls.node("here"), cls.node("there")
        cls.tree = cls.scratch / "tree"
        trees.make(cls.tree, large=200_000)

    @classmethod
    def node(cls, root, **more):
        (cls.scratch / root).mkdir()
        node = cli_node.Node(BINARIES, [], {"file_roots": [{"path": str(cls.scratch / root)}], "resolve_interval_ms": 100,
                                            "connect_timeout_ms": 2000, **more})
        cls.addClassCleanup(node.close)
        return node

    def setUp(self):
        name = self.id().rsplit(".", 1)[-1]
        self.here, self.there = self.scratch / "here" / name, self.scratch / "there" / name
        self.here.mkdir()
        self.there.mkdir()
        self.addCleanup(lambda: [node.start() for node in (self.a, self.b) if node.process.poll() is not None])

    def plant(self, name="tree"):
        subprocess.run(["cp", "-a", self.tree, self.here / name], check=True)
        return self.here / name

    def start(self, *arguments):
        process = subprocess.Popen([BINARIES / "godwit", "--quiet", "--timeout", "20", "migrate", "files", *arguments, "--from",
                                    self.a.address, "--to", f"{self.b.address}:{self.there}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def migrate(self, *arguments):
        process = self.start(*arguments)
        text = process.communicate(timeout=60)[0]
        return process.returncode, text

    def restart(self, node, environment=None):
        if node.process.poll() is None:
            node.kill()
        node.start(environment)

    def await_true(self, condition, what):
        deadline = time.monotonic() + SETTLE_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def await_clean(self):
        self.await_true(lambda: trees.left_over(self.scratch) == [], f"left over: {trees.left_over(self.scratch)}")

    def check_outcome(self, move, step):
        """One whole tree at each place where there is one, and one at least."""
        here, there = self.here / "tree", self.there / "tree"
        self.await_clean()
        self.assertTrue(here.exists() or there.exists(), step)
        self.assertFalse(move and here.exists() and there.exists(), step)
        self.assertTrue(move or here.exists(), step)
        for place in (here, there):
            if place.exists():
                self.assertIsNone(trees.difference(self.tree, place), step)

    def crash_at(self, node, step, move):
        for place in (self.here, self.there):
            shutil.rmtree(place)
            place.mkdir()
        self.plant()
        self.restart(node, {"GODWIT_FAIL": f"{step}=1"})
        process = self.start(self.here / "tree", *(["--move"] if move else []))
        self.await_true(lambda: node.process.poll() is not None or process.poll() is not None, f"{step}: no crash")
        if node.process.poll() is None:  # The job ended before the daemon came to that step: it does so now.
            self.await_true(lambda: node.process.poll() is not None, f"{step}: no crash")
        node.process.wait()
        process.wait(60)  # By itself: a sanitizer that looks for leaks at its end must not be interrupted.
        node.start()
        self.check_outcome(move, step)

    def test_the_source_dies_at_every_step(self):
        for step in SOURCE_STEPS:
            for move in (True, False):
                if step == "after.free-objects" and not move:
                    continue  # A copy frees nothing.
                with self.subTest(step=step, move=move):
                    self.crash_at(self.a, f"source.{step}", move)

    def test_the_destination_dies_at_every_step(self):
        for step in DESTINATION_STEPS:
            for move in (True, False):
                with self.subTest(step=step, move=move):
                    self.crash_at(self.b, f"destination.{step}", move)

    def large(self):
        path = self.here / "large"
        with path.open("wb") as file:
            for _ in range(24):
                file.write(os.urandom(16 * trees.MIB))
        return path

    # So slowly that it is still under way when a test has seen some of it.
    SLOWLY = ("--bwlimit", "30MB/s")

    def await_bytes(self):
        """Until some have arrived, out of sight."""
        def arrived():
            return any(path.is_file() and path.stat().st_size > 4 * trees.MIB for path in self.there.rglob("*"))
        self.await_true(arrived, "nothing arrives")

    def test_the_destination_is_killed_in_the_middle(self):
        path = self.large()
        process = self.start(path, *self.SLOWLY)
        self.await_bytes()
        self.b.kill()
        self.assertNotEqual(process.wait(60), 0)
        self.assertFalse((self.there / "large").exists())
        self.b.start()
        self.await_clean()
        self.assertEqual(list(self.there.iterdir()), [])
        self.assertEqual(self.migrate(path)[0], 0)
        self.assertIsNone(trees.difference(path, self.there / "large"))

    def test_the_source_is_killed_in_the_middle(self):
        path = self.large()
        process = self.start(path, "--move", *self.SLOWLY)
        self.await_bytes()
        self.a.kill()
        process.wait(60)
        self.await_clean()
        self.assertEqual(list(self.there.iterdir()), [])
        self.a.start()
        self.assertEqual(self.migrate(path, "--verify")[0], 0)
        self.assertIsNone(trees.difference(path, self.there / "large"))

    def test_a_cancelled_job_leaves_nothing(self):
        path = self.large()
        process = self.start(path, "--async", *self.SLOWLY)
        job = process.communicate(timeout=60)[0].split()[-1]
        self.await_bytes()
        subprocess.run([BINARIES / "godwit", "job", "cancel", job, "--node", self.a.address], check=True, capture_output=True)
        self.await_clean()
        self.await_true(lambda: list(self.there.iterdir()) == [], "something is there")

    def job(self, *arguments):
        """Of the source; a daemon that answers nobody fails the test."""
        done = subprocess.run([BINARIES / "godwit", "job", *arguments, "--node", self.a.address], capture_output=True, text=True,
                              timeout=10 * cli_node.PATIENCE, check=True)
        return done.stdout

    def test_a_tree_that_is_put_back_slowly_keeps_nobody_waiting(self):
        self.plant()
        self.restart(self.a, {"GODWIT_FAIL": "files.rename=PAUSE", "GODWIT_FAIL_PAUSES": str(self.scratch)})
        paused = self.scratch / "files.rename"
        self.addCleanup(paused.unlink, missing_ok=True)
        self.addCleanup(self.restart, self.a)
        job = self.start(self.here / "tree", "--move", "--async").communicate(timeout=60)[0].split()[-1]
        self.await_true(paused.exists, "it is not hidden")
        self.job("cancel", job)
        paused.unlink()
        back = self.here / f".godwit-{job}.out" / "tree"
        self.await_true(lambda: back.exists() and paused.exists(), "it is not put back")
        self.assertIn(job, self.job("ls"))
        self.assertFalse(json.loads(self.job("show", job, "--json"))["ended"])
        paused.unlink()
        self.await_true(lambda: json.loads(self.job("show", job, "--json"))["ended"], "the job does not end")
        self.check_outcome(True, "put back")
        self.assertTrue((self.here / "tree").exists())

    def test_a_stop_while_a_job_looks_at_its_files_again_loses_none(self):
        self.a, self.b = (self.node(name, resume_timeout_ms=60000) for name in ("resumes-here", "resumes-there"))
        self.here, self.there = self.scratch / "resumes-here", self.scratch / "resumes-there"
        names = ("one", "two")
        paths = [self.plant(name) for name in names]
        # The second of the second attempt.
        self.restart(self.a, {"GODWIT_FAIL": "source.walk=PAUSE@4", "GODWIT_FAIL_PAUSES": str(self.scratch)})
        paused = self.scratch / "source.walk"
        self.addCleanup(paused.unlink, missing_ok=True)
        job = self.start(*paths, "--bwlimit", "64KiB/s", "--async").communicate(timeout=60)[0].split()[-1]
        self.await_true(lambda: json.loads(self.job("show", job, "--json"))["bytes_done"] > 0, "nothing arrives")
        self.restart(self.b)
        self.await_true(paused.exists, "it does not go on")
        self.a.process.send_signal(signal.SIGTERM)
        self.await_true(lambda: "SIGTERM: stopping" in (self.a.path / "log").read_text(), "it does not hear")
        paused.unlink()
        self.a.process.wait(20 * cli_node.PATIENCE)
        self.a.start()
        self.job("limit", job, "none")
        self.await_true(lambda: json.loads(self.job("show", job, "--json"))["ended"], "the job does not end")
        self.await_clean()
        for name in names:
            self.assertIsNone(trees.difference(self.tree, self.there / name))

    def test_a_disk_or_quota_that_is_full_in_the_middle(self):
        for name in ("ENOSPC", "EDQUOT"):
            with self.subTest(name):
                self.plant(name)
                self.restart(self.b, {"GODWIT_FAIL": f"pmem.transfer={getattr(errno, name)}@20"})
                status, text = self.migrate(self.here / name)
                self.assertEqual(status, NO_SPACE, text)
                self.assertIn(os.strerror(getattr(errno, name)), text)
                self.assertIsNone(trees.difference(self.tree, self.here / name))
                self.await_clean()
                self.restart(self.b)
                self.assertEqual(self.migrate(self.here / name)[0], 0)

    @unittest.skipUnless(os.geteuid() == 0, "SKIPPED: mounting a small file system takes root")
    def test_a_small_file_system_fills_up(self):
        small = self.there / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], check=True)
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        (self.here / "tree").mkdir()
        (self.here / "tree/x").write_bytes(os.urandom(7 * trees.MIB))
        for i in range(600):  # Each takes a page: more than the bytes say.
            (self.here / f"tree/{i}").write_bytes(b"x")
        there = self.there
        self.there = small
        status, text = self.migrate(self.here / "tree")
        self.there = there
        self.assertEqual(status, NO_SPACE, text)
        self.await_clean()
        self.assertEqual(list(small.iterdir()), [])
        self.assertTrue((self.here / "tree/x").exists())

    @unittest.skipUnless(os.geteuid() == 0, "SKIPPED: mounting takes root")
    def test_a_destination_that_is_read_only(self):
        self.plant()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", self.there], check=True)
        self.addCleanup(subprocess.run, ["umount", self.there], check=True)
        status, text = self.migrate(self.here / "tree")
        self.assertEqual(status, 17, text)
        self.assertIsNone(trees.difference(self.tree, self.here / "tree"))

    def test_flush_failures_are_never_taken_for_success(self):
        self.plant()
        self.restart(self.b, {"GODWIT_FAIL": f"files.sync={errno.EIO}@1"})
        status, text = self.migrate(self.here / "tree")
        self.assertEqual(status, 11, text)
        self.await_clean()
        self.assertEqual(list(self.there.iterdir()), [])

    def test_a_file_that_changes_while_it_is_read_is_never_torn(self):
        path = self.large()
        stop = threading.Event()

        def scribble():
            with path.open("r+b", buffering=0) as file:
                while not stop.wait(0.002):
                    file.seek(0)
                    file.write(os.urandom(4096))
        writer = threading.Thread(target=scribble)
        writer.start()
        try:
            status, text = self.migrate(path, "--force")
        finally:
            stop.set()
            writer.join()
        self.assertEqual(status, CHANGED, text)
        self.assertIn("large", text)
        self.await_clean()
        self.assertEqual(list(self.there.iterdir()), [])

    def test_who_opens_a_file_before_it_has_moved_loses_nothing(self):
        tree = self.plant()
        file = next(path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink() and path.stat().st_size)
        step = "source.before.send-prepare"  # All of it has been read; nothing is out of sight yet.
        self.restart(self.a, {"GODWIT_FAIL": f"{step}=PAUSE", "GODWIT_FAIL_PAUSES": str(self.scratch)})
        process = self.start(tree, "--move")
        self.await_true((self.scratch / step).exists, "never came to its step")
        with file.open("r+b") as late:
            (self.scratch / step).unlink()
            text = process.communicate(timeout=60)[0]
            self.assertEqual(process.returncode, CHANGED, text)
            self.assertIn("open for writing", text)
            late.write(b"late")
        self.assertEqual(file.read_bytes()[:4], b"late")
        self.await_clean()
        self.assertFalse((self.there / "tree").exists())
        self.restart(self.a)
        self.assertEqual(self.migrate(tree, "--move")[0], 0)
        self.assertEqual((self.there / file.relative_to(self.here)).read_bytes()[:4], b"late")

    def test_a_file_that_is_cut_while_it_is_read_is_never_torn(self):
        path = self.large()
        process = self.start(path)
        self.await_bytes()
        os.truncate(path, 5 * trees.MIB)
        self.assertEqual(process.wait(60), CHANGED)
        self.await_clean()
        self.assertEqual(list(self.there.iterdir()), [])

    def test_one_file_that_changes_does_not_harm_those_packed_with_it(self):
        paths = []
        for i in range(64):
            (self.here / f"file{i}").write_bytes(os.urandom(5000))
            paths.append(self.here / f"file{i}")
        with paths[13].open("a"):
            status, text = self.migrate(*paths)
        self.assertEqual(status, 15, text)  # Some stayed.
        for i, path in enumerate(paths):
            if i == 13:
                self.assertFalse((self.there / path.name).exists())
            else:
                self.assertIsNone(trees.difference(path, self.there / path.name))

    def test_a_way_that_is_swapped_for_a_link_leads_nowhere(self):
        outside = self.scratch / "outside"
        outside.mkdir()
        path = self.large()
        there = self.there / "sub"
        there.mkdir()
        base, self.there = self.there, there
        process = self.start(path)
        self.await_bytes()
        os.rename(there, base / "away")
        os.symlink(outside, there)
        process.wait(60)
        self.there = base
        self.assertEqual(list(outside.iterdir()), [])
        os.unlink(there)

    def test_a_destination_that_stands_still_ends_the_job(self):
        path = self.large()
        process = self.start(path)
        self.await_bytes()
        self.b.process.send_signal(signal.SIGSTOP)
        try:
            self.assertNotEqual(process.wait(60), 0)
        finally:
            self.b.process.send_signal(signal.SIGCONT)
        self.await_clean()
        self.assertTrue(path.exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
