#!/usr/bin/env python3
"""godwit-bulk over real daemons and 1, 2 and 4 ranks: everything arrives with its bytes, and what cannot is told."""
import json
import unittest

import bulk_runs

REGIONS = 40
NO_SUCH_ID = "0123456789abcdef0123456789abcdef"


class BulkTest(bulk_runs.BulkCase):
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
                self.assertEqual((report["objects"], report["failed"], report["exit_code"]), (count, 0, 0))
                self.assertEqual(len(report["ranks"]), ranks)
                self.assertEqual(sum(rank["objects"] for rank in report["ranks"]), count)
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
        self.assertEqual((failure["name"], failure["error"], failure["destination"]), ("r3", "GODWIT_ERR_EXISTS", self.b.address))
        self.assertEqual((report["objects"], report["failed"], report["exit_code"]), (19, 1, 15))

    def test_a_list_with_an_unknown_id_moves_the_rest(self):
        self.fill(4, [4096])
        listed = self.directory / "list"
        by_id = next(region["id"] for region in self.regions(self.source) if region["name"] == "r2")
        listed.write_text(f"# these\nr1\n\n  {by_id}  # by id\n{NO_SUCH_ID}\nr1\n")
        self.bulk(2, "--list", str(listed), "--report", str(self.report), expect=15)
        self.assertEqual(sorted(region["name"] for region in self.regions(self.source)), ["r0", "r3"])
        (failure,) = json.loads(self.report.read_text())["failures"]
        self.assertEqual((failure["name"], failure["error"]), (NO_SUCH_ID, "GODWIT_ERR_NOT_FOUND"))

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
