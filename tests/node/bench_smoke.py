#!/usr/bin/env python3
"""Every question of godwit-bench, tiny: it ends well, its JSON has the agreed shape, and nothing stays behind."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BENCH = pathlib.Path(os.environ["GODWIT_BIN"]) / "godwit-bench"
SHAPE = {"case": str, "provider": str, "from": str, "to": str, "bytes": int, "count": int, "seconds": list, "gib_per_s": float}
COMPARED = {"raw_gib_per_s": float, "ratio": float}


class BenchSmoke(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.file = pathlib.Path(scratch.name) / "records.json"

    def measure(self, *arguments, repeat=2):
        command = [BENCH, *arguments, "--repeat", str(repeat), "--json", self.file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("machine: ", done.stdout)
        for directory in re.findall(r"pools in (\S+)", done.stdout):
            self.assertFalse(pathlib.Path(directory).exists(), directory)
        records = json.loads(self.file.read_text())
        for record in records:
            for key, kind in SHAPE.items():
                self.assertIsInstance(record[key], kind, key)
            self.assertTrue(all(second > 0 for second in record["seconds"]))
            for key, kind in COMPARED.items():
                self.assertIsInstance(record[key], (kind, type(None)), key)
        return {(record["case"], record["from"], record["to"], record["bytes"]): record for record in records}

    def test_raw_measures_both_directions_of_each_size(self):
        for provider in ("tcp", "shm"):
            records = self.measure("raw", "--provider", provider, "--sizes", "4KiB,64KiB", "--total", "256KiB")
            self.assertEqual(set(records), {(f"raw {way}", "memory", "memory", size)
                                            for way in ("write", "read") for size in (4096, 65536)})
            self.assertTrue(all(len(record["seconds"]) == 2 for record in records.values()))

    def test_migrate_compares_each_pair_of_kinds_with_raw(self):
        records = self.measure("migrate", "--sizes", "4KiB,2MiB", "--total", "64KiB", "--kinds", "dram,pmem")
        self.assertEqual(len(records), 8)
        self.assertTrue(all(record["ratio"] > 0 and record["raw_gib_per_s"] > 0 for record in records.values()))

    def test_io_measures_small_and_large(self):
        records = self.measure("io", "--count", "20", "--sizes", "1MiB", "--kinds", "dram")
        self.assertEqual({case for case, *_ in records}, {"create+write", "read", "erase", "write"})

    def test_regions_counts_regions_per_second(self):
        records = self.measure("regions", "--count", "50", "--kinds", "dram", repeat=1)
        self.assertGreater(records["regions in one call", "dram", "dram", 4096]["regions_per_s"], 0)

    def test_files_are_compared_with_the_usual_tools(self):
        records = self.measure("files", "--count", "20", "--sizes", "64KiB", repeat=1)
        self.assertTrue({case for case, *_ in records} >= {"godwit", "tar | socket | tar"})

    def test_databases_move_and_their_writers_wait(self):
        records = self.measure("db", "--keys", "500", "--total", "1MiB", repeat=1)
        self.assertEqual({case for case, *_ in records},
                         {"move map", "move rocksdb", "move leveldb", "move lmdb", "move rocksdb, written to"})

    def test_compression_is_compared_with_none(self):
        records = self.measure("compress", "--sizes", "1MiB", repeat=1)
        sent = {case: record["bytes_sent"] for (case, *_), record in records.items()}
        self.assertEqual(set(sent), {f"{data}, {way}" for data in ("heat", "random", "zeros") for way in ("none", "lz4", "zstd")})
        for way in ("lz4", "zstd"):
            self.assertEqual(sent[f"random, {way}"], sent["random, none"])
            self.assertLess(sent[f"zeros, {way}"], sent["zeros, none"] / 10)

    def test_memory_reports_what_is_beyond_the_region(self):
        (record,) = self.measure("memory", "--sizes", "1MiB").values()
        self.assertGreater(record["source_beyond_region_bytes"], 0)

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
