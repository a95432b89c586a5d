#!/usr/bin/env python3
"""The operator's programs against migrations of regions and databases: who refuses leaves both nodes as they were.

Of files: tests/files.
"""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
DENIED = 17
QUESTIONS = (("source", "before"), ("destination", "before"), ("destination", "after"))


class HooksTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        program = self.directory / "program"
        program.write_text(f"""#!/bin/sh
echo "$GODWIT_SIDE $GODWIT_HOOK $GODWIT_OBJECTS $GODWIT_PLACE" >> {self.directory}/asked
test -e "{self.directory}/$GODWIT_SIDE-$GODWIT_HOOK" || exit 0
echo not today >&2
exit 3
""")
        program.chmod(0o755)
        hooks = {"before": str(program), "after": str(program)}
        self.a, self.b = (cli_node.Node(BINARIES, [cli_node.target("fast", "dram"), cli_node.target("keep", "pmem")],
                                        {"database_root": str(self.directory / name), "hooks": hooks}) for name in ("a", "b"))
        for node in (self.a, self.b):
            self.addCleanup(node.close)

    def godwit(self, *arguments, node=None, stdin=b"", status=0):
        done = subprocess.run([BINARIES / "godwit", *arguments], input=stdin, capture_output=True, timeout=60 * cli_node.PATIENCE,
                              env={**os.environ, "GODWIT_NODE": (node or self.a).address})
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stderr.decode()}")
        return (done.stderr if status else done.stdout).decode()

    def asked(self):
        path = self.directory / "asked"
        lines = path.read_text().splitlines()
        path.unlink()
        return lines

    def refuses(self, question, command):
        switch = self.directory / "-".join(question)
        switch.touch()
        self.assertIn("not today", self.godwit(*command, status=DENIED))
        switch.unlink()
        self.assertTrue(self.asked()[-1].startswith(" ".join(question)))

    def holdings(self):
        """Of the destination."""
        targets = json.loads(self.godwit("target", "ls", "--json", node=self.b))
        root = self.directory / "b"
        return (json.loads(self.godwit("region", "ls", "--json", node=self.b)), [target["used_bytes"] for target in targets],
                json.loads(self.godwit("db", "ls", "--json", node=self.b)),
                sorted(root.rglob("*")) if root.exists() else [])

    def test_regions(self):
        data = self.directory / "data"
        data.write_bytes(os.urandom(3_000_000))
        self.godwit("region", "import", str(data), "--name", "field", "--target", "fast")
        before = self.holdings()
        command = ("migrate", "region", "field", "--to", self.b.address, "--target", "keep")
        for question in QUESTIONS:
            self.refuses(question, command)
            self.assertEqual(self.holdings(), before)
            self.godwit("region", "export", "field", str(self.directory / "out"), "--force")
            self.assertEqual((self.directory / "out").read_bytes(), data.read_bytes())
            self.godwit("region", "write", "field", "--file", str(data))
        self.godwit(*command)
        self.assertEqual(self.asked(), [f"{side} {hook} 1 keep" for side, hook in QUESTIONS])

    def test_databases(self):
        for backend in ("map", "rocksdb", "leveldb", "lmdb"):
            self.godwit("db", "create", backend, "--backend", backend)
            self.godwit("db", "put", backend, "key", "--value", "value")
            before = self.holdings()
            command = ("migrate", "db", backend, "--to", self.b.address)
            for question in QUESTIONS:
                self.refuses(question, command)
                self.assertEqual(self.holdings(), before)
                self.assertEqual(self.godwit("db", "get", backend, "key").rstrip("\n"), "value")
                self.godwit("db", "put", backend, "later", "--value", "value")
            self.godwit(*command)
            self.assertEqual([line.split()[:3] for line in self.asked()], [[side, hook, "1"] for side, hook in QUESTIONS])


if __name__ == "__main__":
    unittest.main(verbosity=2)
