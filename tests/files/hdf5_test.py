#!/usr/bin/env python3
"""HDF5 files are files too: one arrives as it was, and one that a writer holds open is refused."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node  # noqa: E402

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
CHANGED = 18


class Hdf5Test(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.here, self.there = pathlib.Path(scratch.name) / "here", pathlib.Path(scratch.name) / "there"
        self.nodes = []
        for directory in (self.here, self.there):
            directory.mkdir()
            node = cli_node.Node(BINARIES, [], {"file_roots": [{"path": str(directory)}]})
            self.addCleanup(node.close)
            self.nodes.append(node)

    def migrate(self, *arguments, status=0):
        a, b = self.nodes
        done = subprocess.run([BINARIES / "godwit", "--quiet", "migrate", "files", *arguments, "--from", a.address, "--to",
                               f"{b.address}:{self.there}"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr

    def test_it_arrives_as_it_was(self):
        file = self.here / "field.h5"
        subprocess.run([BINARIES / "make_hdf5", file], check=True)
        self.migrate(file, "--verify")
        subprocess.run(["h5diff", file, self.there / "field.h5"], check=True)
        dumps = [subprocess.run(["h5dump", "-H", path.name], cwd=path.parent, check=True, capture_output=True).stdout
                 for path in (file, self.there / "field.h5")]
        self.assertEqual(*dumps)
        self.assertIn(b"extensible", dumps[1])

    def test_one_that_a_writer_holds_open_is_refused(self):
        file = self.here / "field.h5"
        with subprocess.Popen([BINARIES / "make_hdf5", file, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            self.assertEqual(writer.stdout.readline(), b"open\n")
            self.assertIn("open for writing", self.migrate(file, status=CHANGED))
            self.assertFalse((self.there / "field.h5").exists())
            self.migrate(file, "--force")
            writer.stdin.close()
        self.assertTrue((self.there / "field.h5").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
