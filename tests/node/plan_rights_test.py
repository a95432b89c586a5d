#!/usr/bin/env python3
"""Plans of users: each is its owner's, looks at what he may see, and acts with his rights, also after a crash of its daemon."""
import json
import os
import re
import unittest

import cli_node
from identity_node import ADA, BOB, UserNodes, until

SLOW = "256KiB/s"  # A job at this rate runs until it is let go.
NO_SUCH_ID = "0123456789abcdef0123456789abcdef"


class PlanRights(UserNodes):
    def node(self, identity, more=None, wrapper=()):
        """Each with a pool of its own."""
        number = len(list(self.directory.glob("*.pool.d")))
        pool = self.directory / f"{number}.pool.d"
        pool.mkdir()
        keep = {"name": "keep", "type": "pmem", "config": {"capacity": "64MiB", "path": str(pool / "keep.pool")}}
        place = {"targets": [cli_node.target("fast", "dram"), keep], "database_root": str(pool / "databases")}
        return super().node(identity, {**place, **(more or {})}, wrapper)

    def document(self, *stages, **more):
        return {"to": self.b.address, "target": "keep", "directory": str(self.there[ADA]), "stages": list(stages), **more}

    def ask_plan(self, document, uid):
        path = self.directory / "plan.json"
        path.write_text(json.dumps(document))
        path.chmod(0o644)
        return self.godwit(self.a, "plan", str(path), "--json", as_uid=uid, **self.mine)

    def plan(self, document, uid=ADA):
        done = self.ask_plan(document, uid)
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}{self.log(self.a)}")
        return json.loads(done.stdout)

    # The plan of a document that would not work.
    def bad_plan(self, document, uid):
        done = self.ask_plan(document, uid)
        self.assertNotEqual(done.returncode, 0)
        return json.loads(done.stdout)

    def as_user(self, uid, *arguments, node=None):
        return self.ok(node or self.a, *arguments, as_uid=uid, **self.mine)

    def answer(self, uid, *arguments):
        done = self.godwit(self.a, *arguments, as_uid=uid, **self.mine)
        return re.search(r"GODWIT_ERR_(\w+)", done.stderr)[1] if done.returncode else "OK"

    def region(self, name, uid=ADA, size="1MiB"):
        self.as_user(uid, "region", "create", name, "--target", "keep", "--size", size)

    def show(self, plan, uid=ADA):
        return json.loads(self.as_user(uid, "plan", "show", plan["id"], "--json"))

    def has_ended(self, plan):
        return self.show(plan)["state"] != "running"

    def names(self, node, uid):
        return sorted(region["name"] for region in json.loads(self.as_user(uid, "region", "ls", "--json", node=node)))

    def test_she_plans_and_runs_over_what_is_hers(self):
        self.region("field")
        self.as_user(ADA, "db", "create", "table", "--backend", "map")
        self.tree()
        before = self.everything()
        plan = self.plan(self.document({"objects": [{"region": "field"}, {"database": "table"}]},
                                       {"copy": True, "objects": [{"files": str(self.home[ADA] / "tree")}]}))
        self.assertEqual(self.everything(), before)
        self.assertEqual((plan["ok"], plan["owner"], plan["group"], plan["mode"]), (True, ADA, ADA, "0600"))
        done = json.loads(self.as_user(ADA, "execute", plan["id"], "--wait", "--json"))
        self.assertEqual((done["state"], done["stages_done"]), ("done", 2), self.log(self.a))
        self.assertEqual((self.names(self.b, ADA), self.names(self.b, BOB)), (["field"], []))
        self.assertEqual((self.there[ADA] / "tree/one").read_text(), "1" * 100_000)
        for path in (self.there[ADA] / "tree").rglob("*"):
            self.assertEqual(path.lstat().st_uid, ADA, path)
        # Its jobs are hers, too.
        self.assertEqual(len(json.loads(self.as_user(ADA, "job", "ls", "--json"))), 3)
        self.assertEqual(json.loads(self.as_user(BOB, "job", "ls", "--json")), [])
        self.as_user(ADA, "plan", "rm", plan["id"])
        self.assertEqual(json.loads(self.ok(self.a, "plan", "ls", "--json", **self.mine)), [])

    def test_a_plan_is_its_owners_unless_he_says_otherwise(self):
        self.tree()
        document = self.document({"copy": True, "objects": [{"files": str(self.home[ADA] / "tree")}]})
        plan, roots = self.plan(document), self.plan(document, None)
        for own, uid in ((plan, BOB), (roots, ADA)):
            for verb in ("plan show", "execute", "plan cancel", "plan rm", "plan chmod 666"):
                said = [self.godwit(self.a, *verb.split(), which, as_uid=uid, **self.mine) for which in (own["id"], NO_SUCH_ID)]
                self.assertIn("GODWIT_ERR_NOT_FOUND", said[0].stderr, verb)
                self.assertEqual(said[0].stderr.replace(own["id"], NO_SUCH_ID), said[1].stderr)
        self.assertTrue(until(lambda: f"user {BOB}, group {BOB}, is refused: plan {plan['id']}" in self.log(self.a)), self.log(self.a))
        listed = {uid: [one["id"] for one in json.loads(self.ok(self.a, "plan", "ls", "--json", as_uid=uid, **self.mine))] for uid in (None, ADA, BOB)}
        self.assertEqual(listed, {None: [roots["id"], plan["id"]], ADA: [plan["id"]], BOB: []})
        # Those of her group, and everybody, over a restart.
        self.as_user(ADA, "plan", "chmod", "604", plan["id"])
        self.a.terminate()
        self.a.start()
        self.assertEqual(self.show(plan, BOB)["mode"], "0604")
        self.assertEqual([self.answer(BOB, *verb.split(), plan["id"]) for verb in ("execute", "plan cancel", "plan rm", "plan chmod 666")],
                         ["DENIED"] * 4)
        self.as_user(ADA, "plan", "chmod", "606", plan["id"])
        # Whoever starts it, it is hers.
        self.as_user(BOB, "execute", plan["id"])
        self.assertTrue(until(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["state"], "done")
        self.assertEqual((self.there[ADA] / "tree").lstat().st_uid, ADA)
        self.assertEqual(json.loads(self.as_user(BOB, "job", "ls", "--json")), [])

    def test_planning_tells_nothing_of_what_is_not_his(self):
        self.region("hers", size="3MiB")
        self.as_user(ADA, "db", "create", "table", "--backend", "map")
        closed = self.make(self.home[ADA] / "closed", 0o700, ADA)
        self.make(closed / "there", 0o644, ADA, text="hers")
        ids = {kind: json.loads(self.as_user(ADA, kind, "stat", name, "--json"))["id"] for kind, name in (("region", "hers"), ("db", "table"))}
        objects = ({"region": "hers"}, {"region": ids["region"]}, {"database": "table"}, {"database": ids["db"]}, {"files": str(closed / "there")})
        others = ({"region": "none"}, {"region": NO_SUCH_ID}, {"database": "none"}, {"database": NO_SUCH_ID}, {"files": str(closed / "none")})
        for copy in (True, False):
            told = []
            for chosen in (objects, others):
                stages = [{"name": f"s{i}", "after": [], "copy": copy and "database" not in one, "objects": [one]} for i, one in enumerate(chosen)]
                plan = self.bad_plan(self.document(*stages, directory=str(self.there[BOB])), BOB)
                for stage, one in zip(plan["stages"], chosen):
                    name = list(one.values())[0]
                    for found in stage["objects"]:
                        told.append([str(value).replace(name, "it") for value in found.values()])
                        self.assertEqual((found["id"], found["bytes"]), (None, 0))
            self.assertEqual(told[:len(objects)], told[len(objects):])
        # Nor is what she has at the destination, or where she lets nobody write.
        mine = self.make(self.home[BOB] / "mine", 0o644, BOB, text="bob's")
        plan = self.bad_plan(self.document({"copy": True, "objects": [{"files": str(mine)}]}), BOB)
        self.assertEqual(plan["stages"][0]["objects"][0]["error"] or plan["stages"][0]["errors"][0]["error"], "GODWIT_ERR_DENIED")
        self.assertEqual(self.answer(BOB, "execute", plan["id"]), "INVALID")

    def test_where_a_node_keeps_databases_a_plan_does_not_tell(self):
        root = self.directory / "databases"
        root.mkdir()
        little = (*self.wrapper[:-2], f'mount -t tmpfs -o size=64k none {root} && exec "$@"', "sh")
        c = self.node(self.method, {"database_root": str(root)}, little)
        self.a.terminate()
        config = json.loads(self.a.config.read_text())
        self.a.config.write_text(json.dumps({**config, "group": {"members": [c.address]}}))
        self.a.start()
        self.as_user(ADA, "db", "create", "table", "--backend", "rocksdb")
        value = self.directory / "value"
        value.write_bytes(os.urandom(400_000))
        value.chmod(0o644)
        self.as_user(ADA, "db", "put", "table", "key", "--file", str(value))
        document = {"to": c.address, "stages": [{"objects": [{"database": "table"}]}]}
        hers, roots = (self.bad_plan(document, uid)["stages"][0]["objects"][0] for uid in (ADA, None))
        self.assertEqual((hers["error"], roots["error"]), ("GODWIT_ERR_NO_SPACE", "GODWIT_ERR_NO_SPACE"))
        self.assertNotIn(str(root), hers["message"])
        self.assertNotIn("free", hers["message"])
        self.assertIn(str(root), roots["message"])

    def test_no_daemon_outside_of_the_group_is_asked_for_a_user(self):
        self.region("hers")
        stranger = self.node(self.method)
        document = {**self.document({"objects": [{"region": "hers"}], "constraints": {"force_migration": True}}), "to": stranger.address}
        plan = self.bad_plan(document, ADA)
        self.assertEqual([error["error"] for error in plan["stages"][0]["errors"]], ["GODWIT_ERR_DENIED"])
        self.assertEqual(plan["stages"][0]["bytes_per_second"], 0)
        self.assertEqual(self.answer(ADA, "execute", plan["id"]), "INVALID")
        self.assertTrue(self.plan(document, None)["ok"])
        # One that leaves the group meanwhile, as the configuration has it.
        left = self.plan(self.document({"objects": [{"region": "hers"}]}))
        self.a.terminate()
        config = json.loads(self.a.config.read_text())
        self.a.config.write_text(json.dumps({**config, "group": {"members": []}}))
        self.a.start()
        self.as_user(ADA, "execute", left["id"])
        self.assertTrue(until(lambda: self.has_ended(left)))
        self.assertEqual(self.show(left)["stages"][0]["jobs"][0]["error"], "GODWIT_ERR_DENIED")
        self.assertEqual(self.names(self.a, ADA), ["hers"])

    def test_what_she_may_no_more_when_its_turn_comes_is_not_done(self):
        self.region("his", BOB)
        self.as_user(BOB, "region", "chmod", "666", "his")
        plan = self.plan(self.document({"objects": [{"region": "his"}]}))
        self.as_user(BOB, "region", "chmod", "644", "his")
        self.as_user(ADA, "execute", plan["id"])
        self.assertTrue(until(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["stages"][0]["jobs"][0]["error"], "GODWIT_ERR_DENIED")
        self.as_user(BOB, "region", "chmod", "600", "his")
        self.as_user(ADA, "execute", plan["id"])
        self.assertTrue(until(lambda: self.has_ended(plan)))
        self.assertEqual(self.show(plan)["stages"][0]["jobs"][0]["error"], "GODWIT_ERR_NOT_FOUND")
        self.assertEqual((self.names(self.a, BOB), self.names(self.b, BOB)), (["his"], []))

    def test_killed_in_the_middle_it_goes_on_with_her_rights(self):
        self.region("field", size="8MiB")
        self.tree()
        self.tree("secret")
        inbox = self.make(self.scratch / "inbox", 0o777, BOB)
        plan = self.plan(self.document(
            {"name": "slow", "constraints": {"bandwidth": SLOW}, "objects": [{"region": "field"}]},
            {"name": "files", "copy": True, "objects": [{"files": str(self.home[ADA] / "tree")}]},
            {"name": "denied", "copy": True, "directory": str(inbox), "objects": [{"files": str(self.home[ADA] / "secret")}]}))
        self.as_user(ADA, "execute", plan["id"])
        running = lambda: [job for job in json.loads(self.as_user(ADA, "job", "ls", "--json")) if job["bytes_done"] > 0]
        self.assertTrue(until(running), self.log(self.a))
        inbox.chmod(0o755)  # Root could still write there.
        self.a.kill()
        self.a.start()
        self.assertEqual((self.show(plan)["state"], self.answer(BOB, "plan", "show", plan["id"])), ("running", "NOT_FOUND"))
        for job in json.loads(self.as_user(ADA, "job", "ls", "--json")):
            self.as_user(ADA, "job", "limit", job["id"], "none")
        self.assertTrue(until(lambda: self.has_ended(plan), 60), self.log(self.a))
        shown = self.show(plan)
        self.assertEqual([stage["state"] for stage in shown["stages"]], ["done", "done", "failed"], self.log(self.a))
        self.assertEqual(shown["stages"][2]["jobs"][0]["error"], "GODWIT_ERR_DENIED")
        self.assertEqual((self.names(self.b, ADA), self.names(self.b, BOB)), (["field"], []))
        self.assertEqual(self.owner(self.there[ADA] / "tree/one"), (ADA, ADA, 0o640))
        self.assertEqual(os.listdir(inbox), [])

    def test_a_user_who_makes_many_plans_keeps_nobody_from_his(self):
        bad = {**self.document({"objects": [{"region": "none"}]}), "to": "tcp://127.0.0.1:9"}  # Of no member: nobody is asked.
        his = self.bad_plan(bad, BOB)
        hers = [self.bad_plan(bad, ADA)["id"] for _ in range(22)]
        listed = [one["id"] for one in json.loads(self.ok(self.a, "plan", "ls", "--json", **self.mine))]
        self.assertEqual(listed, [*reversed(hers[2:]), his["id"]])

    def everything(self):
        return sorted((str(path), path.lstat().st_ino) for path in self.scratch.rglob("*"))

    def owner(self, path):
        status = path.lstat()
        return status.st_uid, status.st_gid, status.st_mode & 0o7777


if __name__ == "__main__":
    unittest.main()
