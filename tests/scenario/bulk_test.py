#!/usr/bin/env python3
"""godwit-bulk over real daemons and 1, 2 and 4 ranks: everything arrives with its bytes, and what cannot is told."""
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
REGIONS = 40
NO_SUCH_ID = "0123456789abcdef0123456789abcdef"
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
    # Whole stacks: MPI's components are gone when leaks are looked for, and only libmpi.so, which called them, can be named.
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":fast_unwind_on_malloc=0",
    "OMPI_MCA_btl_tcp_if_include": "lo", "OMPI_MCA_oob_tcp_if_include": "lo", "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


class BulkTest(unittest.TestCase):
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
        done = subprocess.run([BINARIES / "godwit", *arguments], input=stdin, capture_output=True, timeout=60,
                              env={**os.environ, "GODWIT_NODE": node.address})
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def regions(self, node):
        return json.loads(self.godwit(node, "region", "ls", "--json"))

    def fill(self, count, sizes):
        """Named regions of random bytes on the source; returns the digest of each by name."""
        generator = random.Random(7)
        digests = {}
        for index in range(count):
            data = generator.randbytes(sizes[index % len(sizes)])
            path = self.directory / f"r{index}"
            path.write_bytes(data)
            self.godwit(self.source, "region", "import", str(path), "--name", f"r{index}", "--target", "fast")
            path.unlink()
            digests[f"r{index}"] = hashlib.sha256(data).hexdigest()
        return digests

    def contents(self, node):
        digests = {}
        for region in self.regions(node):
            path = self.directory / "out"
            self.godwit(node, "region", "export", region["id"], str(path))
            digests[region["name"]] = hashlib.sha256(path.read_bytes()).hexdigest()
            path.unlink()
        return digests

    def bulk(self, ranks, *arguments, expect=0, to=None):
        command = ["mpirun", "-n", str(ranks), "--oversubscribe", BINARIES / "godwit-bulk", "--from", self.source.address, "--to",
                   to or self.destinations, "--target", "keep", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **MPI})
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    # ---- what must hold

    def test_all_regions_arrive_whatever_the_number_of_ranks(self):
        sizes = [0, 1, 4096, 5000, 65536, 1 << 20]
        for ranks, count in ((1, 12), (2, 12), (4, REGIONS)):
            with self.subTest(ranks=ranks):
                digests = self.fill(count, sizes)
                self.bulk(ranks, "--all", "--batch", "5", "--report", str(self.report))
                at_b, at_c = self.contents(self.b), self.contents(self.c)
                self.assertEqual({**at_b, **at_c}, digests)
                self.assertTrue(at_b and at_c, "both destinations get some")
                self.assertEqual(self.regions(self.source), [])
                report = json.loads(self.report.read_text())
                self.assertEqual((report["regions"], report["failed"], report["exit_code"]), (count, 0, 0))
                self.assertEqual(len(report["ranks"]), ranks)
                self.assertEqual(sum(rank["regions"] for rank in report["ranks"]), count)
                self.assertEqual(sum(there["bytes"] for there in report["destinations"]), report["bytes"])
                self.tearDown()

    def test_copy_keeps_the_source(self):
        digests = self.fill(5, [4096])
        self.bulk(2, "--all", "--copy")
        self.assertEqual(self.contents(self.source), digests)
        self.assertEqual({**self.contents(self.b), **self.contents(self.c)}, digests)

    def test_one_failing_region_does_not_stop_the_others(self):
        self.fill(20, [4096])
        self.godwit(self.b, "region", "create", "r3", "--target", "keep", "--size", "1")
        done = self.bulk(2, "--all", "--report", str(self.report), to=self.b.address, expect=15)
        self.assertIn("r3: ", done.stderr)
        self.assertEqual([region["name"] for region in self.regions(self.source)], ["r3"])
        report = json.loads(self.report.read_text())
        (failure,) = report["failures"]
        self.assertEqual((failure["region"], failure["error"], failure["destination"]), ("r3", "GODWIT_ERR_EXISTS", self.b.address))
        self.assertEqual((report["regions"], report["failed"], report["exit_code"]), (19, 1, 15))

    def test_a_list_with_an_unknown_id_moves_the_rest(self):
        self.fill(4, [4096])
        listed = self.directory / "list"
        by_id = next(region["id"] for region in self.regions(self.source) if region["name"] == "r2")
        listed.write_text(f"# these\nr1\n\n  {by_id}  # by id\n{NO_SUCH_ID}\nr1\n")
        self.bulk(2, "--list", str(listed), "--report", str(self.report), expect=15)
        self.assertEqual(sorted(region["name"] for region in self.regions(self.source)), ["r0", "r3"])
        (failure,) = json.loads(self.report.read_text())["failures"]
        self.assertEqual((failure["region"], failure["error"]), (NO_SUCH_ID, "GODWIT_ERR_NOT_FOUND"))

    def test_if_nothing_arrives_the_exit_code_is_the_first_errors(self):
        listed = self.directory / "list"
        listed.write_text(NO_SUCH_ID)
        self.bulk(1, "--list", str(listed), expect=3)
        self.bulk(2, "--list", str(self.directory / "absent"), expect=11)

    def test_nothing_to_do_is_no_failure(self):
        self.bulk(2, "--all", "--quiet")

    def test_a_dry_run_moves_nothing(self):
        self.fill(6, [4096])
        done = self.bulk(2, "--all", "--dry-run")
        self.assertIn("nothing is moved", done.stdout)
        self.assertEqual(len(self.regions(self.source)), 6)

    def test_only_regions_of_the_named_target_go(self):
        self.fill(2, [4096])
        self.godwit(self.source, "region", "create", "stays", "--target", "keep", "--size", "1")
        self.bulk(1, "--all", "--from-target", "fast")
        self.assertEqual([region["name"] for region in self.regions(self.source)], ["stays"])

    def test_usage_is_told_once(self):
        done = self.bulk(4, "--all", "--list", "x", expect=2)
        self.assertEqual(done.stderr.count("--help for more information"), 1, done.stderr)

    def test_an_address_where_nobody_listens_is_named(self):
        done = self.bulk(2, "--all", to="tcp://127.0.0.1:1", expect=8)
        self.assertIn("127.0.0.1:1", done.stderr)

    def test_quiet_says_nothing_when_all_went(self):
        self.fill(2, [4096])
        self.assertEqual(self.bulk(2, "--all", "--quiet").stdout, "")


if __name__ == "__main__":
    unittest.main()
