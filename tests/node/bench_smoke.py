#!/usr/bin/env python3
"""Every question of godwit-bench, tiny: it ends well, its report has the shape of docs/reference/report.md, and nothing stays behind."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BENCH = pathlib.Path(os.environ["GODWIT_BIN"]) / "godwit-bench"
SHAPE = {"report_version": int, "tool": str, "version": str, "time": str, "command": list, "machine": dict, "provider": str,
         "libraries": dict, "settings": dict, "notes": list}
MEASUREMENT = {"question": str, "what": str, "provider": str, "from": str, "to": str, "unit": str, "size_bytes": int, "count": int,
               "samples": list, "compared_with": (dict, type(None)), "parameters": dict, "details": dict}


class BenchSmoke(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.file = pathlib.Path(scratch.name) / "report.json"

    def measure(self, *arguments, repeat=2):
        command = [BENCH, *arguments, "--repeat", str(repeat), "--report", self.file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("machine: ", done.stdout)
        for directory in re.findall(r"pools in (\S+)", done.stdout):
            self.assertFalse(pathlib.Path(directory).exists(), directory)
        report = json.loads(self.file.read_text())
        for key, kind in SHAPE.items():
            self.assertIsInstance(report[key], kind, key)
        self.assertEqual((report["tool"], report["report_version"]), ("godwit-bench", 1))
        self.assertRegex(report["libraries"]["libfabric"], r"^\d+\.\d+$")
        for one in report["measurements"]:
            self.assertEqual(set(one), set(MEASUREMENT))
            for key, kind in MEASUREMENT.items():
                self.assertIsInstance(one[key], kind, key)
            self.assertEqual(one["question"], arguments[0])
            for compared in [one] + [one["compared_with"]] * (one["compared_with"] is not None):
                self.assertEqual(len(compared["samples"]), 1 if arguments[0] == "memory" else repeat)
                self.assertTrue(all(second > 0 for second in compared["samples"]))
        return {(one["what"], one["from"], one["to"], one["size_bytes"]): one for one in report["measurements"]}

    def test_raw_measures_both_directions_of_each_size(self):
        for provider in ("tcp", "shm"):
            records = self.measure("raw", "--provider", provider, "--sizes", "4KiB,64KiB", "--total", "256KiB")
            self.assertEqual(set(records), {(f"raw {way}", "memory", "memory", size)
                                            for way in ("write", "read") for size in (4096, 65536)})
            self.assertTrue(all(len(record["samples"]) == 2 for record in records.values()))

    def test_migrate_compares_each_pair_of_kinds_with_raw(self):
        records = self.measure("migrate", "--sizes", "4KiB,2MiB", "--total", "64KiB", "--kinds", "dram,pmem")
        self.assertEqual(len(records), 8)
        self.assertTrue(all(record["compared_with"]["what"] == "raw read" for record in records.values()))

    def test_io_measures_small_and_large(self):
        records = self.measure("io", "--count", "20", "--sizes", "1MiB", "--kinds", "dram")
        self.assertEqual({case for case, *_ in records}, {"create+write", "read", "erase", "write"})

    def test_regions_counts_regions_per_second(self):
        records = self.measure("regions", "--count", "50", "--kinds", "dram", repeat=1)
        self.assertGreater(records["regions in one call", "dram", "dram", 4096]["details"]["regions_per_s"], 0)

    def test_resume_counts_what_is_sent_again(self):
        records = self.measure("resume", "--sizes", "16MiB", repeat=1)
        database = records.pop(("rocksdb, destination killed", "database", "database", 16 << 20))
        self.assertEqual(len(database["details"]["bytes_sent_again"]), 1)
        self.assertLess(database["details"]["bytes_sent_again"][0], 8 << 20)
        self.assertEqual({case for case, *_ in records}, {"source killed", "destination killed", "both killed"})
        for record in records.values():
            self.assertEqual(len(record["details"]["blocks_sent_again"]), 1)
            # Of the half that had arrived. When the last checkpoint was is for the clock and the disk to say; that nothing it has
            # noted is sent again, whatever they do, is in tests/fault/resume_test.cpp.
            self.assertLess(record["details"]["blocks_sent_again"][0], 16)

    def test_steer_tells_when_a_pause_holds_and_how_near_limits_are_kept(self):
        records = self.measure("steer", "--sizes", "128MiB", "--rates", "4MiB", "--kinds", "dram", repeat=1)
        pauses = {case for case, *_, size in records if size == 0}
        limits = {case for case, *_, size in records if size == 4 << 20}
        self.assertEqual(pauses, {f"{what}, {how}" for what in ("pause", "resume") for how in ("no limit", "limited")})
        self.assertEqual(limits, {"limit of a job", "limit halved", "limit after none", "limit of a node, 2 jobs"})
        for (case, *_), record in records.items():  # How soon and how near is for benchmarks, not for tests.
            if case in limits:
                self.assertEqual(len(record["details"]["deviation_percent"]), 1)
            elif case.startswith("pause"):
                self.assertEqual(len(record["details"]["bytes_after_answer"]), 1)

    def test_hdf5_is_compared_with_its_own_driver(self):
        records = self.measure("hdf5", "--sizes", "2MiB", "--kinds", "dram,pmem")
        self.assertEqual(len(records), 4)
        self.assertTrue(all(record["compared_with"] for record in records.values()))

    def test_files_are_compared_with_the_usual_tools(self):
        records = self.measure("files", "--count", "20", "--sizes", "64KiB", repeat=1)
        self.assertTrue({case for case, *_ in records} >= {"godwit", "tar | socket | tar"})

    def test_databases_move_and_their_writers_wait(self):
        records = self.measure("db", "--keys", "500", "--total", "1MiB", repeat=1)
        self.assertEqual({case for case, *_ in records},
                         {"move map", "move rocksdb", "move leveldb", "move lmdb", "move rocksdb, written to"})

    def test_compression_is_compared_with_none(self):
        records = self.measure("compress", "--sizes", "1MiB", repeat=1)
        sent = {case: record["details"]["bytes_sent"] for (case, *_), record in records.items()}
        self.assertEqual(set(sent), {f"{data}, {way}" for data in ("heat", "random", "zeros") for way in ("none", "lz4", "zstd")})
        for way in ("lz4", "zstd"):
            self.assertEqual(sent[f"random, {way}"], sent["random, none"])
            self.assertLess(sent[f"zeros, {way}"], sent["zeros, none"] / 10)

    def test_memory_reports_what_is_beyond_the_region(self):
        (record,) = self.measure("memory", "--sizes", "1MiB").values()
        self.assertGreater(record["details"]["source_beyond_region_bytes"], 0)

    def test_a_provider_that_is_not_there_is_named(self):
        done = subprocess.run([BENCH, "raw", "--provider", "nosuch", "--sizes", "4KiB"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nosuch", done.stderr)

    def test_a_size_that_is_none_is_named(self):
        done = subprocess.run([BENCH, "raw", "--sizes", "many"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("'many'", done.stderr)


if __name__ == "__main__":
    unittest.main()
