#!/usr/bin/env python3
"""Plans against real daemons: what planning finds out, that it changes nothing, and how stages run, fail, stop and go on."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
HOWTO = pathlib.Path(__file__).parents[2] / "docs/howto/plan.md"
MIB = 1 << 20
NO_SUCH_ID = "0123456789abcdef0123456789abcdef"
SLOW = "256KiB/s"  # A job at this rate runs until it is let go, or stopped.


class PlanTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        self.nodes = []
        for name in ("a", "b"):
            place = self.directory / name
            (place / "files").mkdir(parents=True)
            targets = [cli_node.target("fast", "dram"), cli_node.target("keep", "pmem")]
            more = {"database_root": str(place / "databases"), "file_roots": [{"path": str(place / "files")}],
                    "resolve_interval_ms": 100, "connect_timeout_ms": 2000, "jobs_max": 4}
            node = cli_node.Node(BINARIES, targets, more)
            self.addCleanup(node.close)
            self.nodes.append(node)
        self.a, self.b = self.nodes

    # ---- the command

    def run_godwit(self, *arguments, node=None, stdin=b""):
        env = {**os.environ, "GODWIT_NODE": (node or self.a).address}
        return subprocess.run([BINARIES / "godwit", *arguments], input=stdin, capture_output=True, env=env, timeout=120)

    def ok(self, *arguments, **keywords):
        done = self.run_godwit(*arguments, **keywords)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def json(self, *arguments, **keywords):
        return json.loads(self.ok(*arguments, "--json", **keywords))

    def plan(self, document):
        return json.loads(self.ok("plan", "-", "--json", stdin=json.dumps(document).encode()))

    # The plan of a document that would not work, and the error of the command.
    def plan_with_errors(self, document):
        done = self.run_godwit("plan", "-", "--json", stdin=json.dumps(document).encode())
        self.assertNotEqual(done.returncode, 0)
        return json.loads(done.stdout), json.loads(done.stderr)["error"]

    # The message of a document that is refused.
    def refused(self, document):
        done = self.run_godwit("plan", "-", "--json", stdin=document if isinstance(document, bytes) else json.dumps(document).encode())
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, b"")
        return json.loads(done.stderr)["error"]["message"]

    def show(self, plan):
        return self.json("plan", "show", plan["id"])

    def states(self, plan):
        return {stage["name"]: stage["state"] for stage in self.show(plan)["stages"]}

    def comes_true(self, what, seconds=60):
        deadline = time.monotonic() + seconds * cli_node.PATIENCE
        while not what():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def has_ended(self, plan):
        return self.show(plan)["state"] not in ("planned", "running")

    def is_on_its_way(self):
        return any(job["bytes_done"] > 0 and not job["ended"] for job in self.json("job", "ls"))

    # The job that runs, from now on without its limit.
    def let_go(self):
        self.assertTrue(self.comes_true(self.is_on_its_way))
        self.ok("job", "limit", next(job["id"] for job in self.json("job", "ls") if not job["ended"]), "none")

    # ---- objects

    def region(self, name, size="1MiB", node=None, target="fast"):
        return self.json("region", "create", name, "--target", target, "--size", size, node=node)

    def database(self, name, backend, keys=10):
        self.ok("db", "create", name, "--backend", backend)
        for i in range(keys):
            self.ok("db", "put", name, f"key{i}", "--value", f"value{i}")

    def tree(self, name, files=3):
        top = self.directory / "a/files" / name
        top.mkdir()
        for i in range(files):
            (top / f"file{i}").write_bytes(os.urandom(100_000))
        return top

    # Everything that a plan could have changed by mistake.
    def everything(self):
        seen = []
        for node in self.nodes:
            seen += [self.json(*what, node=node) for what in (("target", "ls"), ("region", "ls"), ("db", "ls"), ("job", "ls"))]
            seen.append(sorted(str(path) for path in self.directory.rglob("files/**/*")))
            seen.append(sorted(str(path) for path in self.directory.glob("*/databases/*")))
        for database in seen[2] + seen[8]:
            database.pop("bytes")  # Its library compacts and rotates logs when it likes.
        return seen

    # ---- the documented example

    def howto_document(self):
        text = HOWTO.read_text()
        document = json.loads(re.search(r"```json\n(.*?)```", text, re.S)[1])
        self.assertEqual(document["to"], "tcp://n2:7411")
        document["to"] = self.b.address
        stage = document["stages"][1]
        stage["directory"] = stage["directory"].replace("/srv/app", str(self.directory / "b/files"))
        for item in stage["objects"]:
            item["files"] = item["files"].replace("/srv/app", str(self.directory / "a/files"))
        return document

    def test_the_howto_moves_a_database_then_files_then_a_cache(self):
        self.database("accounts", "rocksdb")
        self.database("sessions", "map")
        api, web = self.tree("api"), self.tree("web")
        contents = {path.name: path.read_bytes() for path in api.iterdir()}
        before = self.everything()
        plan = self.plan(self.howto_document())
        self.assertEqual(self.everything(), before)
        self.assertTrue(plan["ok"])
        self.assertEqual(plan["state"], "planned")
        self.assertEqual([stage["after"] for stage in plan["stages"]], [[], ["database"], ["application"]])
        for stage in plan["stages"]:
            self.assertGreater(stage["bytes"], 0)
            self.assertGreater(stage["bytes_per_second"], 0)
        self.assertEqual(plan["stages"][1]["downtime_seconds"], 0)
        self.assertTrue(plan["stages"][1]["verify"])
        self.assertEqual(plan["bytes"], sum(stage["bytes"] for stage in plan["stages"]))
        self.assertIn("application", self.ok("plan", "show", plan["id"]).decode())

        done = self.json("execute", plan["id"], "--at", self.a.address, "--wait")
        self.assertEqual(done["state"], "done")
        self.assertEqual(done["stages_done"], 3)
        self.assertEqual(self.ok("db", "get", "accounts", "key7", node=self.b), b"value7")
        self.assertEqual(self.ok("db", "get", "sessions", "key7", node=self.b), b"value7")
        self.assertFalse(api.exists() or web.exists())
        self.assertEqual({path.name: path.read_bytes() for path in (self.directory / "b/files/api").iterdir()}, contents)
        self.assertTrue((self.directory / "b/files/web").is_dir())
        # One after the other, as the jobs' own events tell.
        spans = [self.span(stage["jobs"][0]["id"]) for stage in done["stages"]]
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            self.assertLessEqual(end, begin)
        self.assertEqual([entry["id"] for entry in self.json("plan", "ls")], [plan["id"]])
        self.assertIn("GODWIT_ERR_BUSY", self.run_godwit("execute", plan["id"]).stderr.decode())
        self.ok("plan", "rm", plan["id"])
        self.assertEqual(self.json("plan", "ls"), [])
        self.assertIn("GODWIT_ERR_NOT_FOUND", self.run_godwit("plan", "show", plan["id"]).stderr.decode())

    # When a job was queued, and when it ended.
    def span(self, job):
        events = self.json("job", "events", job)
        self.assertEqual((events[0]["event"], events[-1]["event"]), ("queued", "ended"))
        return events[0]["time"], events[-1]["time"]

    # ---- what planning finds out

    def test_planning_regions_changes_nothing_at_either_end(self):
        for target in ("fast", "keep"):
            self.region(target + "-field", "8MiB", target=target)
        before = self.everything()
        plan = self.plan({"to": self.b.address, "target": "keep",
                          "stages": [{"objects": [{"region": "fast-field"}, {"region": "keep-field"}]}]})
        self.assertEqual(plan["bytes"], 16 * MIB)
        self.assertGreater(plan["downtime_seconds"], 0)
        within = self.plan({"to": self.a.address, "target": "keep", "stages": [{"objects": [{"region": "fast-field"}]}]})
        self.assertTrue(within["ok"])
        self.assertEqual(self.everything(), before)

    def test_too_little_space_is_named_with_its_region_and_forced_is_a_warning(self):
        for i in range(3):
            self.region(f"part{i}", "20MiB")
        before = self.everything()
        document = {"to": self.b.address, "target": "keep",
                    "stages": [{"objects": [{"region": f"part{i}"}]} for i in range(3)]}
        self.region("taken", "10MiB", node=self.b, target="keep")
        plan, error = self.plan_with_errors(document)
        self.assertFalse(plan["ok"])
        self.assertEqual(error["name"], "GODWIT_ERR_NO_SPACE")
        self.assertRegex(error["message"], r"stage 'stage \d': region 'part\d': ")
        self.assertEqual([stage["ok"] for stage in plan["stages"]].count(False), 1)  # The three together are too much.
        self.assertIn("GODWIT_ERR_INVALID", self.run_godwit("execute", plan["id"]).stderr.decode())
        forced = self.plan({**document, "constraints": {"force_migration": True}})
        self.assertTrue(forced["ok"])
        self.assertEqual(len([o for s in forced["stages"] for o in s["objects"] if o["message"]]), 1)
        self.ok("region", "rm", "taken", node=self.b)
        self.assertEqual(self.everything(), before)

    def test_what_is_missing_denied_taken_or_unreachable_is_named(self):
        self.region("field")
        self.region("twin")
        self.region("twin", node=self.b)
        tree = self.tree("tree")
        outside = self.directory / "elsewhere"
        plan, _ = self.plan_with_errors({"to": self.b.address, "target": "keep", "directory": str(outside), "stages": [
            {"name": "unknown", "objects": [{"region": "nothing"}, {"database": "nothing"}]},
            {"name": "denied", "objects": [{"files": str(tree)}]},
            {"name": "taken", "objects": [{"region": "twin"}]},
            {"name": "no target", "target": "none", "objects": [{"region": "field"}]},
            {"name": "no node", "to": "tcp://127.0.0.1:1", "objects": [{"files": "/nowhere/at/all"}]}]})
        stages = {stage["name"]: stage for stage in plan["stages"]}
        errors = {name: [one["error"] for one in stage["errors"] + stage["objects"] if one["error"]]
                  for name, stage in stages.items()}
        self.assertEqual(errors["unknown"], ["GODWIT_ERR_NOT_FOUND", "GODWIT_ERR_NOT_FOUND"])
        self.assertEqual(errors["denied"], ["GODWIT_ERR_DENIED"])
        self.assertEqual(errors["taken"], ["GODWIT_ERR_EXISTS"])
        self.assertEqual(errors["no target"], ["GODWIT_ERR_NOT_FOUND"])
        self.assertEqual(errors["no node"], ["GODWIT_ERR_UNREACHABLE", "GODWIT_ERR_DENIED"])
        self.assertIn("tcp://127.0.0.1:1", stages["no node"]["errors"][0]["message"])
        self.assertEqual(stages["no node"]["bytes_per_second"], 0)
        self.assertIn(self.b.address, stages["taken"]["objects"][0]["message"])

    def test_databases_are_looked_at_without_a_job(self):
        self.database("kept", "lmdb", keys=1)
        self.database("twin", "rocksdb", keys=1)
        self.ok("db", "create", "twin", "--backend", "map", node=self.b)
        before = self.everything()
        plan, _ = self.plan_with_errors({"to": self.b.address, "stages": [{"objects": [{"database": "kept"}, {"database": "twin"}]}]})
        kept, twin = plan["stages"][0]["objects"]
        self.assertTrue(kept["ok"])
        self.assertEqual(twin["error"], "GODWIT_ERR_EXISTS")
        self.assertEqual(self.everything(), before)

    def test_a_downtime_that_is_too_long_is_an_error_unless_it_is_forced(self):
        self.region("field", "32MiB")
        document = {"to": self.b.address, "target": "keep", "constraints": {"max_downtime": "1s", "bandwidth": "1MiB/s"},
                    "stages": [{"objects": [{"region": "field"}]}]}
        plan, error = self.plan_with_errors(document)
        self.assertIn("max_downtime", error["message"])
        self.assertGreater(plan["downtime_seconds"], 30)
        document["constraints"]["force_migration"] = True
        self.assertIn("max_downtime", self.plan(document)["stages"][0]["warnings"][0])
        document["constraints"]["max_downtime"] = "1h"
        self.assertEqual(self.plan(document)["stages"][0]["warnings"], [])
        del document["constraints"]["force_migration"]
        document["constraints"]["time_window"] = "00:00-23:59"  # A paused job stops its writers all the same.
        self.assertIn("max_downtime ends it", self.plan(document)["stages"][0]["warnings"][0])

    def test_what_contradicts_itself_or_is_unknown_is_refused_by_its_place(self):
        def stage(**more):
            return {"to": self.b.address, "target": "keep", "stages": [{"objects": [{"region": "field"}], **more}]}
        contradiction = {"constraints": {"validation_required": True, "skip_validation": True}}
        self.assertIn("stages[0].constraints: validation_required and skip_validation", self.refused(stage(**contradiction)))
        self.assertIn("stages[0].constraints.bandwith: unknown key", self.refused(stage(constraints={"bandwith": "1MB/s"})))
        self.assertIn("stages[0].strategy", self.refused(stage(strategy="live")))
        self.assertIn("not JSON", self.refused(b"{"))
        self.assertIn("waits, near or far, for itself", self.refused(stage(after=["stage 1"])))
        self.assertEqual(self.json("plan", "ls"), [])

    # ---- how it runs

    def test_the_flag_of_a_downtime(self):
        field = self.region("field")
        arguments = ("plan", "--to", self.b.address, "--target", "keep", "--region", field["id"])
        for text, seconds in (("1.5s", 1.5), ("500ms", 0.5), ("400h", 1_440_000)):
            self.assertEqual(self.json(*arguments, "--max-downtime", text)["stages"][0]["max_downtime_seconds"], seconds)
        for text in ("0s", "-1s", "5", "1e30h", "soon", "nans"):
            done = self.run_godwit(*arguments, f"--max-downtime={text}")
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(b"--max-downtime", done.stderr)

    def test_flags_make_a_plan_of_one_stage(self):
        field = self.region("field")
        arguments = ("plan", "--from", self.a.address, "--to", self.b.address, "--target", "keep", "--region", field["id"],
                     "--strategy", "staged", "--bwlimit", "100MB/s", "--compress", "lz4", "--priority", "high")
        plan = self.json(*arguments)
        stage = plan["stages"][0]
        self.assertEqual((stage["strategy"], stage["bandwidth"], stage["priority"], stage["verify"]),
                         ("staged", 100_000_000, "high", True))
        self.assertIn(plan["id"], self.ok("plan", "show", plan["id"]).decode())
        self.ok("execute", plan["id"])
        # A staged job has arrived, and waits for somebody to approve of it.
        held = lambda: [job for job in self.json("job", "ls") if job["phase"] == "validation"]
        self.assertTrue(self.comes_true(held))
        job = held()[0]
        self.assertEqual(job["bytes_done"], job["bytes_total"])
        self.assertEqual(self.json("region", "stat", "field")["address"], self.a.address)
        self.ok("job", "approve", job["id"])
        self.assertTrue(self.comes_true(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["state"], "done")
        self.assertEqual(self.json("region", "stat", "field", node=self.b)["id"], field["id"])
        self.assertIn("GODWIT_ERR_INVALID", self.run_godwit("plan").stderr.decode())

    def test_a_stage_that_fails_stops_what_comes_after_it_and_nothing_else(self):
        for name in ("one", "two", "three", "four"):
            self.region(name)
        plan = self.plan({"to": self.b.address, "target": "keep", "stages": [
            {"name": "fails", "objects": [{"region": "one"}]},
            {"name": "after", "objects": [{"region": "two"}]},
            {"name": "far after", "objects": [{"region": "three"}]},
            {"name": "beside", "after": [], "objects": [{"region": "four"}]}]})
        self.region("one", node=self.b)  # Since then its name is taken there.
        done = self.run_godwit("execute", plan["id"], "--wait", "--json")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stderr.decode().splitlines()[-1])["error"]["name"], "GODWIT_ERR_EXISTS")
        self.assertEqual(json.loads(done.stdout)["state"], "failed")
        self.assertEqual(self.states(plan), {"fails": "failed", "after": "skipped", "far after": "skipped", "beside": "done"})
        self.assertEqual(sorted(region["name"] for region in self.json("region", "ls")), ["one", "three", "two"])
        # Mended, the rest goes.
        self.ok("region", "rm", "one", node=self.b)
        self.assertEqual(self.json("execute", plan["id"], "--wait")["stages_done"], 4)
        self.assertEqual(self.json("region", "ls"), [])

    def test_no_more_jobs_run_at_once_than_the_plan_says(self):
        for i in range(3):
            self.region(f"part{i}", "2MiB")
        plan = self.plan({"to": self.b.address, "target": "keep", "concurrent_jobs": 1, "stages": [
            {"name": name, "after": [], "constraints": {"priority": priority}, "objects": [{"region": f"part{i}"}]}
            for i, (name, priority) in enumerate((("last", "low"), ("first", "high"), ("second", "normal")))]})
        done = self.json("execute", plan["id"], "--wait")
        spans = {stage["name"]: self.span(stage["jobs"][0]["id"]) for stage in done["stages"]}
        self.assertLessEqual(spans["first"][1], spans["second"][0])
        self.assertLessEqual(spans["second"][1], spans["last"][0])

    def test_a_cancelled_plan_stops_its_jobs_and_its_objects_stay(self):
        self.region("field", "16MiB")
        self.region("next")
        plan = self.plan({"to": self.b.address, "target": "keep", "stages": [
            {"constraints": {"bandwidth": SLOW}, "objects": [{"region": "field"}]}, {"objects": [{"region": "next"}]}]})
        self.assertIn("GODWIT_ERR_BUSY", self.run_godwit("plan", "cancel", plan["id"]).stderr.decode())
        self.ok("execute", plan["id"])
        self.assertTrue(self.comes_true(self.is_on_its_way))
        self.assertIn("GODWIT_ERR_BUSY", self.run_godwit("plan", "rm", plan["id"]).stderr.decode())
        self.ok("plan", "cancel", plan["id"])
        self.assertTrue(self.comes_true(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["state"], "cancelled")
        self.assertEqual(self.states(plan), {"stage 1": "failed", "stage 2": "skipped"})
        self.assertEqual(len(self.json("region", "ls")), 2)
        self.assertEqual(self.json("region", "ls", node=self.b), [])

    def test_a_daemon_that_is_killed_in_the_middle_ends_the_plan_after_its_restart(self):
        for name in ("first", "second"):
            self.region(name, "16MiB", target="keep")
        tree = self.tree("tree")
        plan = self.plan({"to": self.b.address, "target": "keep", "directory": str(self.directory / "b/files"), "stages": [
            {"name": "first", "objects": [{"region": "first"}]},
            {"name": "second", "constraints": {"bandwidth": SLOW}, "objects": [{"region": "second"}]},
            {"name": "third", "copy": True, "objects": [{"files": str(tree)}]}]})
        self.ok("execute", plan["id"])
        self.assertTrue(self.comes_true(lambda: self.states(plan)["second"] == "running"))
        self.assertTrue(self.comes_true(self.is_on_its_way))
        self.a.kill()
        self.a.start()
        self.assertEqual(self.show(plan)["state"], "running")
        self.let_go()
        self.assertTrue(self.comes_true(lambda: self.has_ended(plan)))
        self.assertEqual(self.states(plan), {"first": "done", "second": "done", "third": "done"})
        self.assertEqual(self.json("region", "ls"), [])
        self.assertEqual(sorted(region["name"] for region in self.json("region", "ls", node=self.b)), ["first", "second"])
        self.assertTrue((self.directory / "b/files/tree/file0").exists())

    def test_a_daemon_that_stops_in_the_middle_goes_on_after_its_restart(self):
        self.region("field", "8MiB", target="keep")
        plan = self.plan({"to": self.b.address, "target": "keep",
                          "stages": [{"constraints": {"bandwidth": SLOW}, "objects": [{"region": "field"}]}]})
        self.ok("execute", plan["id"])
        self.assertTrue(self.comes_true(self.is_on_its_way))
        self.a.terminate()
        self.a.start()
        self.let_go()
        self.assertTrue(self.comes_true(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["state"], "done")

    # ---- what a slow disk holds up

    def start_pausing(self):
        """a, which stops before it submits a plan's job: until the file that is returned is removed."""
        self.a.terminate()
        self.a.start({"GODWIT_FAIL": "plan.before.submit=PAUSE", "GODWIT_FAIL_PAUSES": str(self.directory)})
        return self.directory / "plan.before.submit"

    def slow_plan(self):
        self.region("field", "16MiB", target="keep")
        return self.plan({"to": self.b.address, "target": "keep",
                          "stages": [{"constraints": {"bandwidth": SLOW}, "objects": [{"region": "field"}]}]})

    def test_while_a_job_is_submitted_plans_are_told_of_and_cancelled(self):
        plan = self.slow_plan()
        pause = self.start_pausing()
        self.ok("execute", plan["id"])
        self.assertTrue(self.comes_true(pause.exists))
        begin = time.monotonic()
        self.assertEqual(self.show(plan)["state"], "running")
        self.assertEqual([entry["id"] for entry in self.json("plan", "ls")], [plan["id"]])
        self.assertEqual(self.json("job", "ls"), [])
        other = self.plan({"to": self.b.address, "target": "keep", "stages": [{"objects": [{"region": "field"}]}]})
        self.ok("plan", "rm", other["id"])
        self.assertIn("GODWIT_ERR_BUSY", self.run_godwit("execute", plan["id"]).stderr.decode())
        self.ok("plan", "cancel", plan["id"])
        self.assertTrue(pause.exists(), "it was not submitted meanwhile")
        self.assertLess(time.monotonic() - begin, 20 * cli_node.PATIENCE)
        # Submitted after it was cancelled it does not run.
        pause.unlink()
        self.assertTrue(self.comes_true(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["state"], "cancelled")
        self.assertEqual([job["phase"] for job in self.json("job", "ls")], ["failed"])
        self.assertEqual(([region["name"] for region in self.json("region", "ls")], self.json("region", "ls", node=self.b)), (["field"], []))

    def test_killed_while_a_job_is_submitted_it_is_submitted_once(self):
        plan = self.slow_plan()
        pause = self.start_pausing()
        self.ok("execute", plan["id"])
        self.assertTrue(self.comes_true(pause.exists))
        self.a.kill()
        pause.unlink()
        self.a.start()
        self.assertTrue(self.comes_true(self.is_on_its_way))
        self.assertEqual(len(self.json("job", "ls")), 1)
        self.let_go()
        self.assertTrue(self.comes_true(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["state"], "done")
        self.assertEqual(len(self.json("job", "ls")), 1)
        self.assertEqual(len(self.json("region", "ls", node=self.b)), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
