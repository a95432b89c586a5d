#!/usr/bin/env python3
"""`godwit db` against a real daemon: what it prints, its exit codes, keys and values of any bytes."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])


class DbTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        cls.addClassCleanup(scratch.cleanup)
        cls.directory = pathlib.Path(scratch.name)
        cls.node = cli_node.Node(BINARIES, [], {"database_root": str(cls.directory / "root")})
        cls.addClassCleanup(cls.node.close)

    def tearDown(self):
        for database in self.json("ls"):
            self.ok("destroy", database["id"])

    def run_db(self, *arguments, stdin=b""):
        env = {**os.environ, "GODWIT_NODE": self.node.address}
        return subprocess.run([BINARIES / "godwit", "db", *arguments], input=stdin, capture_output=True, env=env, timeout=60)

    def ok(self, *arguments, **keywords):
        done = self.run_db(*arguments, **keywords)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def json(self, *arguments, **keywords):
        return json.loads(self.ok(*arguments, "--json", **keywords))

    def fails(self, exit_code, name, *arguments, **keywords):
        done = self.run_db(*arguments, **keywords)
        self.assertEqual(done.returncode, exit_code, f"{arguments}: {done.stderr.decode()}")
        self.assertIn(name, done.stderr.decode())

    def test_every_backend_stores_lists_and_is_destroyed(self):
        for backend in ("map", "rocksdb", "leveldb", "lmdb"):
            made = self.json("create", backend, "--backend", backend)
            self.assertEqual((made["name"], made["backend"], made["epoch"]), (backend, backend, 1))
            self.ok("put", backend, "b", "--value", "two", "--persist")
            self.ok("put", backend, "a", stdin=b"one\0two")
            self.assertEqual(self.ok("get", backend, "a"), b"one\0two")
            self.assertEqual(self.ok("keys", backend), b"a\nb\n")
            self.assertEqual(self.ok("keys", backend, "--after", "a"), b"b\n")
            self.assertEqual(self.ok("keys", backend, "--limit", "1"), b"a\n")
            self.assertEqual(self.json("count", backend), {"count": 2})
            self.ok("erase", backend, "a")
            self.ok("erase", backend, "a")
            self.fails(3, "GODWIT_ERR_NOT_FOUND", "get", backend, "a")
            self.assertEqual(self.json("stat", made["id"])["id"], made["id"])
            self.assertFalse(self.json("destroy", "--dry-run", backend)["destroyed"])
            self.assertEqual(self.ok("get", backend, "b"), b"two")
            self.assertTrue(self.json("destroy", backend)["destroyed"])
            self.fails(3, "GODWIT_ERR_NOT_FOUND", "stat", backend)
        self.assertEqual(list((self.directory / "root").iterdir()), [])

    def test_keys_of_any_bytes_are_given_and_shown_as_digits(self):
        self.ok("create", "d")
        self.ok("put", "d", "00ff0A", "--hex", "--value", "v")
        self.assertEqual(self.ok("get", "d", "00ff0a", "--hex"), b"v")
        self.assertEqual(self.ok("keys", "d", "--hex"), b"00ff0a\n")
        self.assertEqual(self.ok("keys", "d", "--hex", "--prefix", "00"), b"00ff0a\n")
        self.assertEqual(self.json("keys", "d")[0]["key_hex"], "00ff0a")
        self.assertNotIn(b"\xff", self.ok("keys", "d"))
        for wrong in ("0", "0g", "-1"):
            self.assertNotEqual(self.run_db("put", "d", wrong, "--hex", "--value", "v").returncode, 0)

    def test_large_values_go_through_files(self):
        self.ok("create", "d")
        source, target = self.directory / "source", self.directory / "target"
        source.write_bytes(bytes(range(256)) * 40_000)
        self.ok("put", "d", "big", "--file", str(source))
        self.assertEqual(self.json("get", "d", "big", "--file", str(target))["size_bytes"], 10_240_000)
        self.assertEqual(target.read_bytes(), source.read_bytes())
        self.ok("put", "d", "empty", stdin=b"")
        self.assertEqual(self.ok("get", "d", "empty"), b"")

    def test_what_is_wrong_is_named(self):
        self.ok("create", "d")
        self.fails(4, "GODWIT_ERR_EXISTS", "create", "d")
        for arguments in (("x", "--backend", "mysql"), ("x", "--options", "{\"what\": 1}"), ("a\nb",)):
            done = self.run_db("create", *arguments)
            self.assertIn("GODWIT_ERR_INVALID", done.stderr.decode())
        self.assertIn("--file", self.run_db("get", "d", "k", "--json").stderr.decode())


if __name__ == "__main__":
    unittest.main()
