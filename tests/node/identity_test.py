#!/usr/bin/env python3
"""Daemons that want to know who asks: by a key file, by MUNGE; two users of one node; daemons that do not know each other."""
import json
import os
import pathlib
import pwd
import re
import subprocess
import unittest

import cli_node
from identity_node import BINARIES, DENIED, MungeNodes, Nodes, until


class ByKey(Nodes):
    def test_only_the_right_key_is_let_in(self):
        key, other = self.key("right"), self.key("wrong")
        node = self.node({"method": "key", "key_file": key})
        self.ok(node, "ping", GODWIT_KEY_FILE=key)
        said = self.refused(node, "ping", GODWIT_KEY_FILE=other)
        self.assertIn("identity refused", said)
        self.assertTrue(until(lambda: "is refused: it claims to be user" in self.log(node)), self.log(node))
        self.assertIn("GODWIT_KEY_FILE", self.refused(node, "ping"))

    def test_a_client_that_has_a_key_talks_to_nobody_who_proves_nothing(self):
        node = self.node({"method": "none"})
        self.ok(node, "ping")
        self.refused(node, "ping", GODWIT_KEY_FILE=self.key("mine"))

    def test_daemons_of_one_site_move_regions_and_a_stranger_gets_none(self):
        key, other = self.key("site"), self.key("elsewhere")
        a, b = (self.node({"method": "key", "key_file": key}) for _ in range(2))
        stranger = self.node({"method": "key", "key_file": other})
        nobody = self.node({"method": "none"})
        data = self.directory / "data"
        data.write_bytes(os.urandom(3 << 20))
        self.ok(a, "region", "import", str(data), "--target", "fast", "--name", "mesh", GODWIT_KEY_FILE=key)
        for elsewhere in (stranger, nobody):
            done = self.godwit(a, "migrate", "region", "mesh", "--to", elsewhere.address, "--target", "fast", GODWIT_KEY_FILE=key)
            self.assertEqual(done.returncode, DENIED, done.stderr)
        # Nor does the stranger get in as a source.
        self.ok(stranger, "region", "import", str(data), "--target", "fast", "--name", "foreign", GODWIT_KEY_FILE=other)
        done = self.godwit(stranger, "migrate", "region", "foreign", "--to", b.address, "--target", "fast", GODWIT_KEY_FILE=other)
        self.assertEqual(done.returncode, DENIED, done.stderr)
        self.assertEqual(json.loads(self.ok(b, "region", "ls", "--json", GODWIT_KEY_FILE=key)), [])
        self.ok(a, "migrate", "region", "mesh", "--to", b.address, "--target", "fast", GODWIT_KEY_FILE=key)
        out = self.directory / "out"
        self.ok(b, "region", "export", "mesh", str(out), GODWIT_KEY_FILE=key)
        self.assertEqual(out.read_bytes(), data.read_bytes())

    def test_members_of_a_group_know_each_other(self):
        key = self.key("site")
        nodes = [self.node({"method": "key", "key_file": key}) for _ in range(3)]
        members = [node.address for node in nodes]
        for node in nodes:
            node.terminate()
            config = json.loads(node.config.read_text())
            node.config.write_text(json.dumps({**config, "group": {"members": members}}))
            node.start()
        found = json.loads(self.ok(nodes[1], "group", "--json", GODWIT_KEY_FILE=key))
        self.assertEqual([member["error"] for member in found], [None] * 3)

    def test_a_key_that_others_may_read_is_none(self):
        config = self.directory / "config.json"
        for name, mode, size, why in (("open", 0o644, 32, "chmod 0600"), ("short", 0o600, 31, "31 bytes")):
            config.write_text(json.dumps({"state_dir": str(self.directory / "state"), "listen": ["tcp://127.0.0.1:0"],
                                          "identity": {"method": "key", "key_file": self.key(name, mode, size)}}))
            done = subprocess.run([BINARIES / "godwitd", "--config", config], capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.stderr)
            self.assertFalse((self.directory / "state").exists(), "it began before it knew whom to believe")


class ByDefault(Nodes):
    def test_where_others_reach_it_a_daemon_wants_a_method(self):
        config = self.directory / "config.json"
        document = {"state_dir": str(self.directory / "state"), "listen": ["tcp://192.0.2.1:7411"]}
        config.write_text(json.dumps(document))
        done = subprocess.run([BINARIES / "godwitd", "--config", config], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("identity.method", done.stderr)
        self.assertFalse((self.directory / "state").exists())
        # What is said is done; that nobody has that address is another matter.
        config.write_text(json.dumps({**document, "identity": {"method": "none"}}))
        checked = subprocess.run([BINARIES / "godwitd", "--config", config, "--check"], capture_output=True, text=True, timeout=60)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_who_knows_no_users_is_not_private(self):
        config = self.directory / "config.json"
        document = {"state_dir": str(self.directory / "state"), "listen": ["tcp://127.0.0.1:0"]}
        for method, status in (({}, 1), ({"method": "none"}, 1), ({"method": "munge"}, 0)):
            config.write_text(json.dumps({**document, "identity": {**method, "private": True}}))
            done = subprocess.run([BINARIES / "godwitd", "--config", config, "--check"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode == 0, status == 0, done.stderr)
            self.assertEqual("identity.private" in done.stderr, status == 1, done.stderr)

    def test_at_loopback_nothing_need_be_said(self):
        node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram")])
        self.addCleanup(node.close)
        self.ok(node, "ping")


class ByMunge(MungeNodes):
    def test_daemons_and_clients_of_one_user(self):
        a, b = self.node(self.method), self.node(self.method)
        self.ok(a, "region", "create", "mesh", "--target", "fast", "--size", "1MiB", **self.mine)
        self.ok(a, "migrate", "region", "mesh", "--to", b.address, "--target", "fast", **self.mine)
        self.assertEqual(json.loads(self.ok(b, "region", "ls", "--json", **self.mine))[0]["name"], "mesh")

    def test_without_munged_it_says_what_to_do(self):
        node = self.node(self.method)
        said = self.refused(node, "ping", GODWIT_MUNGE_SOCKET=str(self.directory / "nobody"))
        self.assertIn("run munged", said)
        self.ok(node, "ping", **self.mine)

    @unittest.skipUnless(cli_node.can_act_as(12345, BINARIES / "godwit"), "only root can act as another user, if that may run it")
    def test_another_user_has_the_rights_of_a_user(self):
        nobody = pwd.getpwnam("nobody").pw_uid
        files = self.directory / "files"
        files.mkdir()
        (files / "one").write_text("1")
        there = self.directory / "there"
        there.mkdir()
        roots = {"file_roots": [{"path": str(files)}, {"path": str(there)}]}
        node = self.node(self.method, roots)
        arguments = ("migrate", "files", str(files), "--to", f"{node.address}:{there}")
        self.ok(node, "ping", as_uid=nobody, **self.mine)
        self.refused(node, *arguments, as_uid=nobody, **self.mine)
        self.assertFalse((there / "files").exists())
        self.refused(node, "limit", "1MiB/s", as_uid=nobody, **self.mine)
        self.assertIn(f"user {nobody}", self.log(node))
        self.ok(node, *arguments, **self.mine)
        self.assertEqual((there / "files/one").read_text(), "1")
        # Unless it is named.
        node.terminate()
        config = json.loads(node.config.read_text())
        node.config.write_text(json.dumps({**config, "identity": {**self.method, "administrators": ["nobody"]}}))
        node.start()
        self.ok(node, "limit", "1MiB/s", as_uid=nobody, **self.mine)

    def names(self, node, uid):
        return [region["name"] for region in json.loads(self.ok(node, "region", "ls", "--json", as_uid=uid, **self.mine))]

    @unittest.skipUnless(cli_node.can_act_as(12345, BINARIES / "godwit"), "only root can act as another user, if that may run it")
    def test_two_users_of_one_node(self):
        one, two = 12345, 12346  # In no database of users, which MUNGE does not need.
        pmem = {"targets": [cli_node.target("fast", "dram"), {"name": "keep", "type": "pmem", "config": {
            "capacity": "64MiB", "path": str(self.directory / "keep.pool")}}]}
        b, stranger = self.node(self.method), self.node(self.method)
        a = self.node(self.method, {**pmem, "group": {"members": [b.address]}})
        data = self.directory / "data"
        data.write_bytes(os.urandom(100_000))
        data.chmod(0o644)
        self.ok(a, "region", "import", str(data), "--target", "keep", "--name", "hers", as_uid=one, **self.mine)
        self.ok(a, "region", "create", "roots", "--target", "keep", "--size", "1MiB", **self.mine)
        self.ok(a, "db", "create", "table", "--backend", "map", as_uid=one, **self.mine)

        def expect_hidden(node, name):
            out = str(self.directory / "out")
            for arguments in (("region", "stat", name), ("region", "export", name, out), ("region", "rm", name), ("region", "read", name),
                              ("migrate", "region", name, "--to", b.address, "--target", "fast")):
                done = self.godwit(node, *arguments, as_uid=two, **self.mine)
                self.assertIn("GODWIT_ERR_NOT_FOUND", done.stderr, arguments)
                self.assertNotIn("12345", done.stdout + done.stderr)
            stat = self.godwit(node, "region", "stat", name, as_uid=two, **self.mine)
            missing = self.godwit(node, "region", "stat", "nothing", as_uid=two, **self.mine)
            self.assertEqual((stat.returncode, stat.stderr.replace(name, "nothing")), (missing.returncode, missing.stderr))

        self.assertEqual(self.names(a, one), ["hers"])
        self.assertEqual(self.names(a, two), [])
        self.assertEqual(sorted(self.names(a, None)), ["hers", "roots"])
        expect_hidden(a, "hers")
        expect_hidden(a, "roots")
        self.assertTrue(until(lambda: "user 12346, group 12346, is refused: region 'hers'" in self.log(a)), self.log(a))
        self.assertEqual(json.loads(self.ok(a, "db", "ls", "--json", as_uid=two, **self.mine)), [])
        self.assertEqual(len(json.loads(self.ok(a, "db", "ls", "--json", as_uid=one, **self.mine))), 1)

        # It stays hers over a restart, and at its destination; so does the job.
        a.terminate()
        a.start()
        self.assertEqual(self.names(a, one), ["hers"])
        self.assertEqual(self.names(a, two), [])
        # A daemon proves itself only where its operator has it do so.
        done = self.godwit(a, "migrate", "region", "hers", "--to", stranger.address, "--target", "fast", as_uid=one, **self.mine)
        self.assertIn("GODWIT_ERR_DENIED", done.stderr)
        job = json.loads(self.ok(a, "migrate", "region", "hers", "--to", b.address, "--target", "fast", "--json", as_uid=one,
                                 **self.mine))
        self.assertEqual(self.names(b, one), ["hers"])
        self.assertEqual(self.names(b, two), [])
        expect_hidden(b, "hers")
        self.assertEqual(len(json.loads(self.ok(a, "job", "ls", "--json", as_uid=one, **self.mine))), 1)
        self.assertEqual(json.loads(self.ok(a, "job", "ls", "--json", as_uid=two, **self.mine)), [])
        self.assertNotEqual(self.godwit(a, "job", "show", job["job"], as_uid=two, **self.mine).returncode, 0)
        self.ok(a, "job", "show", job["job"], as_uid=one, **self.mine)
        exported = self.directory / "exported"
        exported.mkdir()
        exported.chmod(0o777)
        self.ok(b, "region", "export", "hers", str(exported / "out"), as_uid=one, **self.mine)
        self.assertEqual((exported / "out").read_bytes(), data.read_bytes())

    @unittest.skipUnless(cli_node.can_act_as(12345, BINARIES / "godwit"), "only root can act as another user, if that may run it")
    def test_a_mode_lets_others_in(self):
        one, two = 12345, 12346
        pmem = {"targets": [cli_node.target("fast", "dram"), {"name": "keep", "type": "pmem", "config": {
            "capacity": "64MiB", "path": str(self.directory / "keep.pool")}}]}
        b = self.node(self.method)
        a = self.node(self.method, {**pmem, "group": {"members": [b.address]}})
        data = self.directory / "data"
        data.write_text("hers" * 1000)
        data.chmod(0o644)
        self.ok(a, "region", "import", str(data), "--target", "keep", "--name", "hers", as_uid=one, **self.mine)
        self.ok(a, "db", "create", "table", "--backend", "map", as_uid=one, **self.mine)
        self.ok(a, "db", "put", "table", "key", "--value", "hers", as_uid=one, **self.mine)

        def answer(*arguments, node=a, as_uid=two, as_gid=None):
            done = self.godwit(node, *arguments, as_uid=as_uid, as_gid=as_gid, **self.mine)
            return re.search(r"GODWIT_ERR_(\w+)", done.stderr)[1] if done.returncode else "OK"

        read, change = ("region", "read", "hers"), ("region", "chmod", "666", "hers")
        self.assertEqual([answer(*read), answer(*change), answer("db", "get", "table", "key")], ["NOT_FOUND"] * 3)
        for mode in ("rw", "777", "1000", "-1", ""):
            self.assertEqual(answer("region", "chmod", mode, "hers", as_uid=one), "INVALID", mode)
        # Her group.
        shown = json.loads(self.ok(a, "region", "chmod", "640", "hers", "--json", as_uid=one, **self.mine))
        self.assertEqual([(region["owner"], region["group"], region["mode"]) for region in shown], [(one, one, "0640")])
        self.assertEqual([answer(*read), answer(*read, as_gid=one), answer(*change, as_gid=one)], ["NOT_FOUND", "OK", "DENIED"])
        # Everybody, over a restart; to write is another matter.
        self.ok(a, "region", "chmod", "644", "hers", as_uid=one, **self.mine)
        self.ok(a, "db", "chmod", "644", "table", as_uid=one, **self.mine)
        self.assertEqual([answer("db", "get", "table", "key"), answer("db", "put", "table", "key", "--value", "his")], ["OK", "DENIED"])
        a.terminate()
        a.start()
        self.assertEqual([answer(*read), answer("region", "rm", "hers"), answer(*change)], ["OK", "DENIED", "DENIED"])
        # With it to another node, where it is found by the old address.
        self.ok(a, "migrate", "region", "hers", "--to", b.address, "--target", "fast", as_uid=one, **self.mine)
        self.assertEqual([answer(*read, node=b), answer(*read), answer(*change)], ["OK", "OK", "DENIED"])
        self.assertEqual(answer(*change, as_uid=one), "OK")
        self.assertIn("0666 (rw-rw-rw-)", self.ok(b, "region", "stat", "hers", as_uid=two, **self.mine))
        self.assertEqual(answer("region", "rm", "hers"), "OK")


if __name__ == "__main__":
    unittest.main()
