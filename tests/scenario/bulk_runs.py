"""What the tests of godwit-bulk are made of: real daemons, regions of random bytes, and runs of any number of ranks."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
    # Whole stacks: MPI's components are gone when leaks are looked for, and only libmpi.so, which called them, can be named.
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":fast_unwind_on_malloc=0",
    "OMPI_MCA_btl_tcp_if_include": "lo", "OMPI_MCA_oob_tcp_if_include": "lo", "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


class BulkCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nodes = []
        for kind in ("pmem", "dram", "pmem"):
            node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram", "256MiB"), cli_node.target("keep", kind, "256MiB")])
            cls.addClassCleanup(node.close)
            cls.nodes.append(node)
        cls.source, cls.b, cls.c = cls.nodes
        cls.destinations = f"{cls.b.address},{cls.c.address}"

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        self.report = self.directory / "report.json"

    def tearDown(self):
        for node in self.nodes:
            if ids := [region["id"] for region in self.regions(node)]:
                self.godwit(node, "region", "rm", *ids)

    # ---- what the tests are made of

    def godwit(self, node, *arguments, stdin=None):
        done = subprocess.run([BINARIES / "godwit", *arguments], input=stdin, capture_output=True, timeout=60 * cli_node.PATIENCE,
                              env={**os.environ, "GODWIT_NODE": node.address})
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def regions(self, node):
        return json.loads(self.godwit(node, "region", "ls", "--json"))

    def fill(self, count, sizes, prefix="r", node=None):
        """Named regions of random bytes on a node, or the source; returns the digest of each by name."""
        generator = random.Random(prefix)
        data = {f"{prefix}{index}": generator.randbytes(sizes[index % len(sizes)]) for index in range(count)}

        def bring(name):
            path = self.directory / name
            path.write_bytes(data[name])
            self.godwit(node or self.source, "region", "import", str(path), "--name", name, "--target", "fast")
            path.unlink()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(bring, data))
        return {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}

    def contents(self, node):
        def digest_of(region):
            path = self.directory / region["id"]
            self.godwit(node, "region", "export", region["id"], str(path))
            content = path.read_bytes()
            path.unlink()
            return region["name"], hashlib.sha256(content).hexdigest()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return dict(pool.map(digest_of, self.regions(node)))

    def bulk(self, ranks, *arguments, expect=0, to=None):
        command = ["mpirun", "-n", str(ranks), "--oversubscribe", BINARIES / "godwit-bulk", "--from", self.source.address, "--to",
                   to or self.destinations, "--target", "keep", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120 * cli_node.PATIENCE, env={**os.environ, **MPI})
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done
