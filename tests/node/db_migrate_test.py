#!/usr/bin/env python3
"""`godwit migrate db` between two daemons: what its options change, and what full disks and damaged databases leave behind."""
import errno
import hashlib
import json
import os
import pathlib
import random
import subprocess
import tempfile
import time
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
BACKENDS = ("map", "rocksdb", "leveldb", "lmdb")
NO_SPACE, CORRUPT, IO = 5, 14, 11
KIB, MIB = 1 << 10, 1 << 20
VALUES, VALUE_BYTES = 12, MIB  # What no library compresses, in a backend that could.


class DbMigrateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        rng = random.Random(1)
        cls.values = [cls.scratch / f"value{i}" for i in range(VALUES)]
        for path in cls.values:
            path.write_bytes(rng.randbytes(VALUE_BYTES))

    def setUp(self):
        roots = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(roots.cleanup)
        self.roots = pathlib.Path(roots.name)
        self.here, self.there = self.roots / "here", self.roots / "there"
        for root in (self.here, self.there):
            root.mkdir(mode=0o700)
        self.a, self.b = self.node(self.here), self.node(self.there)

    def node(self, root):
        node = cli_node.Node(BINARIES, [], {"database_root": str(root), "connect_timeout_ms": 2000})
        self.addCleanup(node.close)
        return node

    def run_at(self, node, *arguments):
        return subprocess.run([BINARIES / "godwit", *arguments], capture_output=True, timeout=60 * cli_node.PATIENCE,
                              env={**os.environ, "GODWIT_NODE": node.address})

    def ok(self, node, *arguments):
        done = self.run_at(node, *arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def migrate(self, name, *options):
        return self.run_at(self.a, "migrate", "db", name, "--to", self.b.address, *options)

    def fill(self, name, backend):
        self.ok(self.a, "db", "create", name, "--backend", backend)
        for i, path in enumerate(self.values):
            self.ok(self.a, "db", "put", name, f"key{i}", "--file", path, "--persist")

    def assert_whole(self, node, name):
        for i, path in enumerate(self.values):
            self.assertEqual(self.ok(node, "db", "get", name, f"key{i}"), path.read_bytes(), f"{name} key{i}")
        self.assertEqual(json.loads(self.ok(node, "db", "count", name, "--json"))["count"], VALUES)

    def assert_serves_on(self, name):
        """At the source, all of it, also to writers."""
        self.assert_whole(self.a, name)
        self.ok(self.a, "db", "put", name, "more", "--value", "more")
        self.ok(self.a, "db", "erase", name, "more")

    def await_true(self, condition, what):
        deadline = time.monotonic() + 20 * cli_node.PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def await_empty(self, directory):
        self.await_true(lambda: list(directory.iterdir()) == [], f"{directory} is not empty")

    # ---- options

    def test_additional_options_are_those_of_the_database_there(self):
        self.ok(self.a, "db", "create", "rocks", "--backend", "rocksdb", "--options", '{"write_buffer_size": 1048576, "compression": "lz4"}')
        self.ok(self.a, "db", "put", "rocks", "key", "--value", "value")
        done = self.migrate("rocks", "--extra-config", '{"write_buffer_size": 131072}')
        self.assertEqual(done.returncode, 0, done.stderr)
        there = json.loads(self.ok(self.b, "db", "stat", "rocks", "--json"))
        self.assertEqual(json.loads(there["options"]), {"write_buffer_size": 131072, "compression": "lz4"})
        # RocksDB writes down what it was opened with; the newest is of now.
        written = max(pathlib.Path(there["path"]).glob("OPTIONS-*"), key=lambda path: int(path.name.split("-")[1])).read_text()
        self.assertIn("write_buffer_size=131072\n", written)
        self.assertIn("compression=kLZ4Compression\n", written)
        # And so it is opened after a restart.
        self.b.terminate()
        self.b.start()
        self.assertEqual(self.ok(self.b, "db", "get", "rocks", "key"), b"value")
        written = max(pathlib.Path(there["path"]).glob("OPTIONS-*"), key=lambda path: int(path.name.split("-")[1])).read_text()
        self.assertIn("write_buffer_size=131072\n", written)

    def test_additional_options_bound_what_fits_there(self):
        self.ok(self.a, "db", "create", "lmdb", "--backend", "lmdb")
        self.ok(self.a, "db", "put", "lmdb", "key", "--value", "value")
        done = self.migrate("lmdb", "--extra-config", '{"map_size": "1MiB"}')
        self.assertEqual(done.returncode, 0, done.stderr)
        full = self.run_at(self.b, "db", "put", "lmdb", "large", "--file", self.values[0])
        self.assertEqual(full.returncode, NO_SPACE, full.stderr)
        self.assertEqual(self.ok(self.b, "db", "get", "lmdb", "key"), b"value")

    def test_the_transfer_size_is_that_of_the_blocks(self):
        for backend in BACKENDS:
            blocks = {}
            for size in (64 * KIB, MIB):
                name = f"{backend}{size}"
                with self.subTest(name):
                    self.fill(name, backend)
                    done = self.migrate(name, "--xfer-size", str(size), "--json")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    report = json.loads(done.stdout)["report"]
                    blocks[size] = report["blocks"]
                    self.assertGreaterEqual(report["bytes"], VALUES * VALUE_BYTES)
                    self.assertGreaterEqual(report["blocks"], report["bytes"] / size)
                    # The last of each file, or pass, may be short.
                    self.assertLess(report["blocks"], report["bytes"] / size * 1.5 + 16)
                    self.ok(self.b, "db", "destroy", name)
            self.assertGreater(blocks[64 * KIB], 4 * blocks[MIB], backend)

    # ---- full disks

    def test_a_disk_or_quota_that_is_full_in_the_middle(self):
        for backend in BACKENDS:
            self.fill(backend, backend)
            for name in ("ENOSPC", "EDQUOT"):
                with self.subTest(f"{backend} {name}"):
                    self.b.terminate()
                    self.b.start({"GODWIT_FAIL": f"pmem.transfer={getattr(errno, name)}@5"})
                    done = self.migrate(backend, "--xfer-size", "1MiB")
                    self.assertEqual(done.returncode, NO_SPACE, done.stderr)
                    self.assertIn(os.strerror(getattr(errno, name)).encode(), done.stderr)
                    self.assert_serves_on(backend)
                    self.await_empty(self.there)
                    self.assertEqual(json.loads(self.ok(self.b, "db", "ls", "--json")), [])
            self.b.terminate()
            self.b.start()
            done = self.migrate(backend)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assert_whole(self.b, backend)
            self.ok(self.b, "db", "destroy", backend)

    @unittest.skipUnless(os.geteuid() == 0, "SKIPPED: mounting a small file system takes root")
    def test_a_small_file_system_fills_up(self):
        self.b.terminate()
        small = f"size={VALUES * VALUE_BYTES // 2},mode=700"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", small, "tmpfs", self.there], check=False).returncode != 0:
            self.skipTest("SKIPPED: mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.there], check=True)
        self.b.start()
        free = os.statvfs(self.there).f_bavail
        for backend in BACKENDS[1:]:  # A map is in memory.
            with self.subTest(backend):
                self.fill(backend, backend)
                done = self.migrate(backend)
                self.assertEqual(done.returncode, NO_SPACE, done.stderr)
                self.assertIn(os.strerror(errno.ENOSPC).encode(), done.stderr)
                self.assert_serves_on(backend)
                self.await_empty(self.there)
                self.assertEqual(os.statvfs(self.there).f_bavail, free)
        subprocess.run(["mount", "-o", "remount,size=256m", self.there], check=True)
        for backend in BACKENDS[1:]:
            with self.subTest(backend):
                done = self.migrate(backend)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_whole(self.b, backend)

    # ---- damage

    def damaged(self, name, backend, damage):
        """The directory of one that was damaged while its daemon was away, and what is in it."""
        self.fill(name, backend)
        directory = pathlib.Path(json.loads(self.ok(self.a, "db", "stat", name, "--json"))["path"])
        self.a.terminate()
        damage(directory)
        before = self.content(directory)
        self.a.start()
        return directory, before

    @staticmethod
    def content(directory):
        """Of its files; who opens an LMDB notes himself in lock.mdb."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir() if path.name != "lock.mdb"}

    def assert_refused_untouched(self, name, directory, before):
        """The source's error comes back; it keeps what it has, and the destination has nothing."""
        done = self.migrate(name)
        self.assertEqual(done.returncode, CORRUPT, done.stderr)
        self.assertIn(str(directory).encode(), done.stderr)
        self.assertEqual(self.content(directory), before)
        self.assertEqual(sorted(self.here.iterdir()), [directory])
        self.assertEqual(list(self.there.iterdir()), [])
        self.assertEqual(json.loads(self.ok(self.b, "db", "ls", "--json")), [])

    def test_a_damaged_leveldb_stays_as_it_is(self):
        def damage(directory):
            (manifest,) = directory.glob("MANIFEST-*")
            content = bytearray(manifest.read_bytes())
            content[len(content) // 2] ^= 0x40
            manifest.write_bytes(content)
        self.assert_refused_untouched("table", *self.damaged("table", "leveldb", damage))

    def test_a_damaged_lmdb_stays_as_it_is(self):
        def damage(directory):
            with (directory / "data.mdb").open("r+b") as file:
                for page in (0, 4096):  # Its two head pages.
                    file.seek(page + 16)
                    file.write(b"damage")
        self.assert_refused_untouched("table", *self.damaged("table", "lmdb", damage))

    def test_a_damaged_rocksdb_stays_as_it_is(self):
        def damage(directory):
            (directory / "CURRENT").write_text("no manifest\n")
        self.assert_refused_untouched("table", *self.damaged("table", "rocksdb", damage))

    def test_a_map_that_cannot_be_dumped_stays_as_it_is(self):
        self.a.terminate()
        self.a.start({"GODWIT_FAIL": f"database.dump={errno.EIO}"})
        self.fill("table", "map")
        done = self.migrate("table")
        self.assertEqual(done.returncode, IO, done.stderr)
        self.assertIn(b"map.dump", done.stderr)
        self.assert_serves_on("table")
        self.assertEqual(json.loads(self.ok(self.b, "db", "ls", "--json")), [])

    def test_a_dump_that_is_damaged_is_not_served_at_the_destination(self):
        step = "source.before.offer"  # The dump is made, and nothing of it has been read.
        self.a.terminate()
        self.a.start({"GODWIT_FAIL": f"{step}=PAUSE@1", "GODWIT_FAIL_PAUSES": str(self.roots)})
        self.fill("table", "map")
        process = subprocess.Popen([BINARIES / "godwit", "--quiet", "migrate", "db", "table", "--to", self.b.address], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env={**os.environ, "GODWIT_NODE": self.a.address})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        paused = self.roots / step
        self.await_true(paused.exists, "no offer is made")
        (dump,) = (self.a.path / "state").rglob("map.dump")
        status = dump.stat()
        with dump.open("r+b") as file:
            file.seek(status.st_size // 2)
            byte = file.read(1)[0]
            file.seek(status.st_size // 2)
            file.write(bytes([byte ^ 0x40]))
        os.utime(dump, ns=(status.st_atime_ns, status.st_mtime_ns))  # As a disk would, it tells nobody.
        paused.unlink()
        stderr = process.communicate(timeout=60 * cli_node.PATIENCE)[1]
        self.assertEqual(process.returncode, CORRUPT, stderr)
        self.assertIn(b"digest is wrong", stderr)
        self.assert_serves_on("table")
        self.assertEqual(json.loads(self.ok(self.b, "db", "ls", "--json")), [])
        for node in (self.a, self.b):
            self.await_true(lambda: not list((node.path / "state").rglob("map.dump")), "a dump is left")


if __name__ == "__main__":
    unittest.main(verbosity=2)
