#!/usr/bin/env python3
"""godwit-mpibench, tiny: every way is measured between pairs of ranks, its report makes a page, and mistakes are named."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node  # noqa: E402

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_btl_tcp_if_include": "lo", "OMPI_MCA_oob_tcp_if_include": "lo", "OMPI_MCA_rmaps_base_oversubscribe": "1",
}
SMALL = ["--repeat", "1", "--operations", "10", "--total", "256KiB", "--sizes", "4KiB,64KiB", "--latency-sizes", "8", "--scaling-size", "64KiB"]
GODWIT = {(f"godwit {what}", *way) for kind in ("dram", "pmem")
          for what, way in (("put", ("memory", kind)), ("get", (kind, "memory")), ("migrate", (kind, kind)))}
OTHERS = {(what, "memory", "memory") for what in ("MPI_Put", "MPI_Send", "raw write", "raw read")}


class MpibenchTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.report = pathlib.Path(scratch.name) / "report.json"

    def run_ranks(self, ranks, *arguments, status=0):
        done = subprocess.run(["mpirun", "-n", str(ranks), BINARIES / "godwit-mpibench", *arguments], capture_output=True, text=True,
                              timeout=100 * cli_node.PATIENCE, env={**os.environ, **MPI})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def measure(self, ranks, *arguments):
        """The measurements, as the ways of each case; a case is its question, size, pairs and scaling."""
        done = self.run_ranks(ranks, *arguments, "--report", self.report)
        self.assertIn("machine: ", done.stdout)
        report = json.loads(self.report.read_text())
        self.assertEqual((report["tool"], report["report_version"]), ("godwit-mpibench", 1))
        self.assertTrue(report["libraries"]["mpi"])
        cases = {}
        for one in report["measurements"]:
            key = (one["question"], one["size_bytes"], one["parameters"]["pairs"], one["parameters"].get("scaling"))
            cases.setdefault(key, {})[(one["what"], one["from"], one["to"])] = one
        page = self.report.with_suffix(".html")
        subprocess.run([BINARIES / "godwit-report", self.report, "-o", page], check=True, timeout=100 * cli_node.PATIENCE)
        return cases, page.read_text()

    def test_every_way_is_measured_on_every_load(self):
        cases, page = self.measure(4, *SMALL)
        self.assertEqual(set(cases), {("latency", 8, 1, None), ("rate", 8, 1, None), ("bandwidth", 4096, 1, None), ("bandwidth", 65536, 1, None),
                                      *(("scaling", 65536, pairs, scaling) for pairs in (1, 2) for scaling in ("weak", "strong"))})
        for case, ways in cases.items():
            self.assertEqual(set(ways), GODWIT | OTHERS, case)
            for (what, *_), one in ways.items():
                each = case[0] == "latency" and not what.startswith("raw")
                self.assertEqual(len(one["samples"]), 10 if each else 1, (case, what))
                self.assertTrue(all(second > 0 for second in one["samples"]))
                self.assertEqual(one["compared_with"] is None, what.startswith("raw"))
        # As much for each pair, and as much in all.
        self.assertEqual([cases["scaling", 65536, pairs, "weak"]["MPI_Put", "memory", "memory"]["count"] for pairs in (1, 2)], [4, 8])
        self.assertEqual([cases["scaling", 65536, pairs, "strong"]["MPI_Put", "memory", "memory"]["count"] for pairs in (1, 2)], [4, 4])
        for heading in ("Rate over size", "Scaling"):
            self.assertIn(f"<h3>{heading}</h3>", page)

    def test_it_measures_running_daemons_and_leaves_nothing_on_them(self):
        nodes = []
        for _ in range(2):
            nodes.append(cli_node.Node(BINARIES, [cli_node.target("fast", "dram")]))
            self.addCleanup(nodes[-1].close)
        addresses = ",".join(node.address for node in nodes)
        cases, _ = self.measure(3, *SMALL, "--daemon", addresses, "--kinds", "dram", "--only", "rate")  # The third rank has no partner.
        self.assertEqual(len(cases["rate", 8, 1, None]), 7)
        for node in nodes:
            listed = subprocess.run([BINARIES / "godwit", "region", "ls", "--json", "--node", node.address], check=True, capture_output=True)
            self.assertEqual(json.loads(listed.stdout), [])

    def test_a_run_that_is_ended_leaves_nothing(self):
        def left():
            return [path for place in ("/dev/shm", tempfile.gettempdir()) for path in pathlib.Path(place).glob("godwit-measure-*") if path not in before]
        before = []
        before = left()
        with subprocess.Popen(["mpirun", "-n", "2", BINARIES / "godwit-mpibench", "--kinds", "dram"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={**os.environ, **MPI}) as run:
            for line in run.stdout:
                if line.startswith("question "):
                    break
            made = left()
            self.assertTrue(made)
            run.terminate()
            run.stdout.read()
        deadline = time.monotonic() + 30 * cli_node.PATIENCE
        while any(path.exists() for path in made) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual([path for path in made if path.exists()], [])

    def test_mistakes_are_named(self):
        self.assertIn("two ranks at least", self.run_ranks(1, status=2).stderr)
        self.assertIn("--kinds", self.run_ranks(2, "--kinds", "tape", status=2).stderr)
        self.assertIn("127.0.0.1:1", self.run_ranks(2, "--daemon", "tcp://127.0.0.1:1", status=8).stderr)
        self.assertIn("nosuch", self.run_ranks(2, *SMALL, "--provider", "nosuch", status=1).stderr)


if __name__ == "__main__":
    unittest.main()
