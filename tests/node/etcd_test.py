#!/usr/bin/env python3
"""Nodes whose group is kept by a real etcd: who is there, who owns what, and what goes on while etcd is away."""
import base64
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
ETCD = os.environ.get("GODWIT_ETCD") or shutil.which("etcd")
MIB = 1 << 20


def comes_true(what, seconds=60):
    deadline = time.monotonic() + seconds * cli_node.PATIENCE
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Etcd:
    """A real one, of one member, on free ports; it keeps its data when it is killed."""

    options = ()
    scheme = "http"
    https = None

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="godwit-test.")
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.url = f"{self.scheme}://127.0.0.1:{one.getsockname()[1]}"
            self.peer_url = f"http://127.0.0.1:{two.getsockname()[1]}"
        self.process = None
        self.token = None
        self.prepare()
        self.start()

    def prepare(self):
        """Before its first start."""

    def start(self):
        with open(pathlib.Path(self.directory.name) / "log", "a") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", ETCD, "--name", "test", "--data-dir", self.directory.name + "/data",
                 "--listen-client-urls", self.url, "--advertise-client-urls", self.url, "--listen-peer-urls", self.peer_url,
                 "--initial-advertise-peer-urls", self.peer_url, "--initial-cluster", "test=" + self.peer_url, *self.options],
                stdout=log, stderr=log)
        if not comes_true(self.answers):
            raise RuntimeError("etcd did not start:\n" + (pathlib.Path(self.directory.name) / "log").read_text()[-2000:])

    def ask(self, path, **fields):
        headers = {"Content-Type": "application/json", **({"Authorization": self.token} if self.token else {})}
        request = urllib.request.Request(self.url + path, json.dumps(fields).encode(), headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.https))
        with opener.open(request, timeout=5) as answer:
            return json.load(answer)

    def answers(self):
        if self.process.poll() is not None:
            return False
        try:
            self.ask("/v3/kv/range", key=base64.b64encode(b"x").decode())
            return True
        except urllib.error.HTTPError as error:
            return error.code < 500  # It knows us not, but it answers.
        except OSError:
            return False

    def get(self, key):
        found = self.ask("/v3/kv/range", key=base64.b64encode(key.encode()).decode()).get("kvs", [])
        return json.loads(base64.b64decode(found[0]["value"])) if found else None

    def put(self, key, value):
        self.ask("/v3/kv/put", key=base64.b64encode(key.encode()).decode(),
                 value=base64.b64encode(json.dumps(value).encode()).decode())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.directory.cleanup()


class GuardedEtcd(Etcd):
    """One that speaks TLS with a certificate of its own, and lets `nodes` in, who knows "secret"."""

    scheme = "https"

    def prepare(self):
        self.certificate = self.directory.name + "/certificate.pem"
        key = self.directory.name + "/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=godwit-test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.certificate],
                       check=True, capture_output=True)
        self.options = ("--cert-file", self.certificate, "--key-file", key)
        self.https = ssl.create_default_context(cafile=self.certificate)

    def guard(self):
        range_of = {"key": base64.b64encode(b"/godwit/test/").decode(), "range_end": base64.b64encode(b"/godwit/test0").decode()}
        self.ask("/v3/auth/user/add", name="root", password="root")
        self.ask("/v3/auth/role/add", name="root")
        self.ask("/v3/auth/user/grant", user="root", role="root")
        self.ask("/v3/auth/user/add", name="nodes", password="secret")
        self.ask("/v3/auth/role/add", name="nodes")
        self.ask("/v3/auth/role/grant", name="nodes", perm={"permType": "READWRITE", **range_of})
        self.ask("/v3/auth/user/grant", user="nodes", role="nodes")
        self.ask("/v3/auth/enable")


class CertifiedEtcd(Etcd):
    """One that asks who its clients are: those whose certificate "ca" has signed."""

    scheme = "https"

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.directory.name)

    def path(self, name):
        return f"{self.directory.name}/{name}"

    def make_authority(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                     "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")

    def make_certificate(self, name, authority):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                     "-keyout", name + ".key", "-out", name + ".csr")
        pathlib.Path(self.path("ext")).write_text("subjectAltName=IP:127.0.0.1\n")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", authority + ".pem", "-CAkey", authority + ".key",
                     "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", name + ".pem")
        os.chmod(self.path(name + ".key"), 0o600)

    def prepare(self):
        for authority in ("ca", "others"):
            self.make_authority(authority)
        for name, authority in (("server", "ca"), ("node", "ca"), ("stranger", "others")):
            self.make_certificate(name, authority)
        self.options = ("--cert-file", self.path("server.pem"), "--key-file", self.path("server.key"), "--client-cert-auth",
                        "--trusted-ca-file", self.path("ca.pem"))
        self.https = ssl.create_default_context(cafile=self.path("ca.pem"))
        self.https.load_cert_chain(self.path("node.pem"), self.path("node.key"))


class CertifiedEtcdTest(unittest.TestCase):
    def setUp(self):
        self.etcd = CertifiedEtcd()
        self.addCleanup(self.etcd.close)

    def node(self, certificate, key=None):
        group = {"directory": "etcd", "endpoints": [self.etcd.url], "name": "test", "ca_file": self.etcd.path("ca.pem")}
        if certificate:
            group["cert_file"] = self.etcd.path(certificate + ".pem")
            group["key_file"] = self.etcd.path((key or certificate) + ".key")
        node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram")], {"group": group})
        self.addCleanup(node.close)
        return node

    def test_a_node_with_a_certificate_is_a_member_and_its_moves_are_claimed(self):
        a, b = self.node("node"), self.node("node")

        def godwit(*words):
            done = subprocess.run([BINARIES / "godwit", *words, "--node", a.address], capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        self.assertTrue(comes_true(lambda: b.address in godwit("group")))
        godwit("region", "create", "mesh", "--target", "fast", "--size", "64KiB")
        godwit("migrate", "region", "mesh", "--to", b.address, "--target", "fast")
        # One that is renewed is shown without a restart.
        self.etcd.make_certificate("node", "ca")
        godwit("region", "create", "next", "--target", "fast", "--size", "64KiB")
        godwit("migrate", "region", "next", "--to", b.address, "--target", "fast")

    def test_who_has_none_or_a_strangers_is_refused_says_so_and_serves_all_the_same(self):
        for certificate, told in ((None, "group.cert_file names none"), ("stranger", "may not take the certificate")):
            node = self.node(certificate)
            log = node.path / "log"
            self.assertTrue(comes_true(lambda: "etcd at " + self.etcd.url in log.read_text(), 20), log.read_text())
            self.assertIn(told, log.read_text())
            self.assertIsNone(self.etcd.get("/godwit/test/members/" + self.id_of(node)))
            done = subprocess.run([BINARIES / "godwit", "target", "ls", "--node", node.address], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)

    def id_of(self, node):
        done = subprocess.run([BINARIES / "godwit", "group", "--json", "--node", node.address], capture_output=True, timeout=60)
        return json.loads(done.stdout)[0]["node"]

    def test_a_key_that_is_not_the_certificates_or_not_private_keeps_the_daemon_from_starting(self):
        os.chmod(self.etcd.path("server.key"), 0o640)
        for key, told in (("stranger", "is not the key of the certificate"), ("server", "0640"), ("lost", "lost.key")):
            with self.assertRaisesRegex(RuntimeError, "group.key_file.*" + told):
                self.node("node", key)
        with self.assertRaisesRegex(RuntimeError, "group.cert_file.*lost.pem"):
            self.node("lost", "node")


class GuardedEtcdTest(unittest.TestCase):
    def setUp(self):
        self.etcd = GuardedEtcd()
        self.addCleanup(self.etcd.close)
        self.etcd.guard()

    def node(self, password="secret", **others):
        path = pathlib.Path(self.etcd.directory.name) / "password"
        path.touch(0o600)
        path.write_text(password + "\n")
        group = {"directory": "etcd", "endpoints": [self.etcd.url], "name": "test", "user": "nodes", "password_file": str(path),
                 "ca_file": self.etcd.certificate, **others}
        group = {key: value for key, value in group.items() if value is not None}
        node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram")], {"group": group})
        self.addCleanup(node.close)
        return node

    def group_of(self, node):
        done = subprocess.run([BINARIES / "godwit", "group", "--node", node.address], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    def test_nodes_that_know_the_password_find_each_other_and_move_regions(self):
        nodes = [self.node(), self.node()]
        for node in nodes:
            self.assertTrue(comes_true(lambda: all(one.address in self.group_of(node) for one in nodes)), self.group_of(node))
        a, b = nodes

        def godwit(*words):
            done = subprocess.run([BINARIES / "godwit", *words, "--node", a.address], capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("before", "after"):
            godwit("region", "create", name, "--target", "fast", "--size", "64KiB")
        godwit("migrate", "region", "before", "--to", b.address, "--target", "fast")
        # What it gave them for their password it knows no longer.
        self.etcd.kill()
        self.etcd.start()
        godwit("migrate", "region", "after", "--to", b.address, "--target", "fast")

    def test_who_is_refused_says_so_and_serves_all_the_same(self):
        for others, told in (({"password": "wrong"}, "to log in as 'nodes'"), ({"ca_file": None}, "certificate"),
                             ({"user": None, "password_file": None}, "etcd at")):
            node = self.node(**others)
            log = node.path / "log"
            self.assertTrue(comes_true(lambda: told in log.read_text() and "etcd" in log.read_text(), 20), log.read_text())
            self.assertNotIn("secret", log.read_text())
            done = subprocess.run([BINARIES / "godwit", "target", "ls", "--node", node.address], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)


class EtcdTest(unittest.TestCase):
    def setUp(self):
        self.etcd = Etcd()
        self.addCleanup(self.etcd.close)
        self.nodes = []
        # The first endpoint is nobody: the second one is asked.
        group = {"directory": "etcd", "endpoints": ["http://127.0.0.1:1", self.etcd.url], "name": "test"}
        for _ in range(3):
            node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram"), cli_node.target("keep", "pmem")], {"group": group})
            self.addCleanup(node.close)
            self.nodes.append(node)
        self.a, self.b, self.c = self.nodes
        for node in self.nodes:
            self.assertTrue(comes_true(lambda: self.members(node) == {one.address for one in self.nodes}), self.members(node))

    def run_godwit(self, *arguments, node, stdin=b""):
        env = {**os.environ, "GODWIT_NODE": node.address}
        return subprocess.run([BINARIES / "godwit", *arguments], input=stdin, capture_output=True, env=env, timeout=120)

    def json(self, *arguments, node, exit_code=0):
        done = self.run_godwit(*arguments, "--json", node=node)
        self.assertEqual(done.returncode, exit_code, f"{arguments}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def members(self, node):
        return {member["address"] for member in json.loads(self.run_godwit("group", "--json", node=node).stdout)}

    def create(self, name, size, node, target="fast"):
        return self.json("region", "create", name, "--target", target, "--size", size, node=node)["id"]

    def migrate(self, name, source, destination, *options):
        return self.json("migrate", "region", name, "--to", destination.address, "--target", "fast", "--async", *options,
                         node=source)["job"]

    def owner(self, region):
        record = self.etcd.get(f"/godwit/test/objects/{region}")
        return record and (record["address"], record["epoch"])

    def is_held(self, job, node):
        shown = self.json("job", "show", job, node=node)
        return shown["phase"] == "paused" and "directory" in shown["error_text"]

    def test_the_directory_knows_the_members_and_the_owners(self):
        region = self.create("mesh", "4MiB", self.a)
        self.assertTrue(comes_true(lambda: self.owner(region) == (self.a.address, 1)), self.owner(region))
        self.assertEqual(self.json("locate", region, node=self.c)["address"], self.a.address)
        job = self.migrate("mesh", self.a, self.b)
        self.assertEqual(self.json("job", "wait", job, node=self.c)["regions_arrived"], 1)
        self.assertTrue(comes_true(lambda: self.owner(region) == (self.b.address, 2)), self.owner(region))

        # A node that dies is one no more when its lease has ended; what it had is known to be there still.
        self.a.kill()
        self.assertTrue(comes_true(lambda: self.members(self.c) == {self.b.address, self.c.address}), self.members(self.c))
        self.assertEqual(self.json("region", "stat", "mesh", node=self.c)["address"], self.b.address)
        self.b.kill()
        self.assertTrue(comes_true(lambda: self.members(self.c) == {self.c.address}), self.members(self.c))
        done = self.run_godwit("region", "stat", region, node=self.c)
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertIn(self.b.address, done.stderr.decode())

        # What is erased has no owner.
        other = self.create("other", "4KiB", self.c)
        self.assertTrue(comes_true(lambda: self.owner(other) is not None))
        self.json("region", "rm", "other", node=self.c)
        self.assertTrue(comes_true(lambda: self.owner(other) is None), self.owner(other))

    def test_without_etcd_only_the_cutover_waits(self):
        region = self.create("mesh", "4MiB", self.a)
        self.create("spare", "4KiB", self.a)
        job = self.migrate("mesh", self.a, self.b, "--bwlimit", "1MiB/s")
        self.etcd.kill()
        # Everything arrives; then the job waits, and says for what. The region is served where it is.
        self.assertTrue(comes_true(lambda: self.is_held(job, self.a)), self.json("job", "show", job, node=self.a))
        self.assertEqual(self.json("job", "show", job, node=self.a)["bytes_done"], 4 * MIB)
        causes = [event.get("cause") for event in self.json("job", "events", job, node=self.a) if event["event"] == "paused"]
        self.assertIn("the directory does not answer", causes)
        self.assertEqual(len(self.run_godwit("region", "read", "mesh", node=self.a).stdout), 4 * MIB)
        # A copy takes nobody's object away, and what is new is served.
        copy = self.migrate("spare", self.a, self.c, "--copy")
        self.assertEqual(self.json("job", "wait", copy, node=self.a)["regions_arrived"], 1)
        self.create("new", "4KiB", self.c)
        self.assertEqual(self.json("region", "stat", "new", node=self.c)["size_bytes"], 4096)
        # Those that were heard of last still answer.
        self.assertEqual(self.json("job", "show", job, node=self.c)["id"], job)

        self.etcd.start()
        self.assertEqual(self.json("job", "wait", job, node=self.a)["regions_arrived"], 1)
        self.assertTrue(comes_true(lambda: self.owner(region) == (self.b.address, 2)), self.owner(region))
        causes = [event.get("cause") for event in self.json("job", "events", job, node=self.a) if event["event"] == "resumed"]
        self.assertIn("the directory answers", causes)

    def test_writers_go_on_while_etcd_stays_away_and_what_they_write_arrives(self):
        for node in (self.a, self.b):
            node.kill()
            node.config.write_text(json.dumps({**json.loads(node.config.read_text()), "resume_timeout_ms": 60000}))
            node.start()
        self.assertTrue(comes_true(lambda: self.b.address in self.members(self.a)), self.members(self.a))
        self.create("mesh", "4MiB", self.a)
        self.etcd.kill()
        job = self.migrate("mesh", self.a, self.b)
        self.assertTrue(comes_true(lambda: self.is_held(job, self.a)))
        def write():
            return self.run_godwit("region", "write", "mesh", "--offset", "100", node=self.a, stdin=b"meanwhile")
        self.assertTrue(comes_true(lambda: write().returncode == 0), (self.a.path / "log").read_text())
        self.assertTrue(self.is_held(job, self.a), self.json("job", "show", job, node=self.a))
        self.etcd.start()
        report = self.json("job", "wait", job, node=self.a)["report"]
        self.assertEqual(report["attempts"], 2)
        self.assertGreater(report["blocks_kept"], 0)
        back = self.run_godwit("region", "read", "mesh", node=self.b).stdout
        self.assertEqual(back, b"\0" * 100 + b"meanwhile" + b"\0" * (4 * MIB - 109))

    def test_a_job_that_waits_for_etcd_can_be_cancelled(self):
        self.create("mesh", "4MiB", self.a)
        self.etcd.kill()
        job = self.migrate("mesh", self.a, self.b)
        self.assertTrue(comes_true(lambda: self.is_held(job, self.a)))
        self.run_godwit("job", "cancel", job, node=self.a)
        self.assertEqual(self.run_godwit("job", "wait", job, node=self.a).returncode, 13)
        self.assertEqual(self.run_godwit("region", "write", "mesh", "--offset", "0", node=self.a, stdin=b"again").returncode, 0)
        self.assertEqual(self.json("region", "stat", "mesh", node=self.a)["address"], self.a.address)
        self.assertEqual(self.json("region", "ls", node=self.b), [])

    def test_a_destination_that_dies_meanwhile_ends_the_job(self):
        self.create("mesh", "4MiB", self.a)
        self.etcd.kill()
        job = self.migrate("mesh", self.a, self.b)
        self.assertTrue(comes_true(lambda: self.is_held(job, self.a)))
        self.b.kill()
        self.assertNotIn(self.run_godwit("job", "wait", job, node=self.a).returncode, (0, 15))
        self.assertEqual(self.json("region", "stat", "mesh", node=self.a)["address"], self.a.address)

    def test_who_has_an_older_record_does_not_hand_over(self):
        region = self.create("mesh", "4MiB", self.a)
        self.assertTrue(comes_true(lambda: self.owner(region) == (self.a.address, 1)))
        record = self.etcd.get(f"/godwit/test/objects/{region}")
        self.etcd.put(f"/godwit/test/objects/{region}", {**record, "node": "f" * 32, "address": "tcp://elsewhere:1", "epoch": 5})
        job = self.migrate("mesh", self.a, self.b)
        done = self.run_godwit("job", "wait", job, node=self.a)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("tcp://elsewhere:1", done.stderr.decode())
        self.assertEqual(self.json("region", "ls", node=self.b), [])
        self.assertEqual(self.owner(region), ("tcp://elsewhere:1", 5))

    def test_a_source_that_dies_after_its_claim_still_owns(self):
        for point in ("source.before.send-prepare", "source.before.journal-hand-over"):
            region = self.create(point, "1MiB", self.a, target="keep")
            self.a.kill()
            self.a.start({"GODWIT_FAIL": point + "=EIO"})
            self.run_godwit("migrate", "region", point, "--to", self.b.address, "--target", "keep", node=self.a)
            self.assertTrue(comes_true(lambda: self.a.process.poll() is not None), "it should have died")
            record = self.etcd.get(f"/godwit/test/objects/{region}")
            self.assertEqual((record["address"], record["epoch"], record["to"]), (self.a.address, 1, self.b.address))
            self.a.start()
            self.assertEqual(self.json("region", "stat", region, node=self.a)["address"], self.a.address)
            # The destination has let go of what it had prepared when it has asked.
            self.assertTrue(comes_true(lambda: self.json("region", "ls", node=self.b) == [] and self.run_godwit(
                "migrate", "region", point, "--to", self.b.address, "--target", "keep", node=self.a).returncode == 0))
            self.assertTrue(comes_true(lambda: self.owner(region) == (self.b.address, 2)), self.owner(region))
            self.json("region", "rm", region, node=self.b)

    def test_a_database_has_its_owner_there_too(self):
        self.json("db", "create", "steps", "--backend", "map", node=self.a)
        database = self.json("locate", "steps", node=self.c)["id"]
        self.assertTrue(comes_true(lambda: self.owner(database) == (self.a.address, 1)), self.owner(database))
        self.json("migrate", "db", "steps", "--to", self.b.address, node=self.a)
        self.assertTrue(comes_true(lambda: self.owner(database) == (self.b.address, 2)), self.owner(database))

    def test_files_that_a_job_has_brought_are_there_too(self):
        files = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(files.cleanup)
        for node in self.nodes:
            node.terminate()
            config = json.loads(node.config.read_text())
            node.config.write_text(json.dumps({**config, "file_roots": [{"path": files.name, "access": "read-write"}]}))
            node.start()
        for node in self.nodes:
            self.assertTrue(comes_true(lambda: self.members(node) == {one.address for one in self.nodes}), self.members(node))
        for name in ("tree", "there", "onwards"):
            (pathlib.Path(files.name) / name).mkdir()

        def move(name, source, destination, to):
            moved = self.json("--quiet", "migrate", "files", f"{files.name}/{name}", "--move", "--to",
                              f"{destination.address}:{files.name}/{to}", node=source)
            return moved["results"][0]["destination_id"]
        tree = move("tree", self.a, self.b, "there")
        self.assertTrue(comes_true(lambda: self.owner(tree) == (self.b.address, 1)), self.owner(tree))
        for wanted in (tree, files.name + "/there/tree"):
            place = self.json("locate", wanted, node=self.c)
            self.assertEqual((place["kind"], place["id"], place["address"]), ("fileset", tree, self.b.address))
        onwards = move("there/tree", self.b, self.c, "onwards")
        self.assertTrue(comes_true(lambda: self.owner(onwards) == (self.c.address, 1)), self.owner(onwards))
        self.assertTrue(comes_true(lambda: self.owner(tree) is None), self.owner(tree))
        # Where it is is known when its node is not there to say so.
        self.c.kill()
        self.assertTrue(comes_true(lambda: self.members(self.a) == {self.a.address, self.b.address}), self.members(self.a))
        done = self.run_godwit("locate", onwards, node=self.a)
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertIn(self.c.address, done.stderr.decode())

    def test_a_daemon_starts_and_serves_without_etcd(self):
        self.etcd.kill()
        self.a.kill()
        self.a.start()
        self.create("mesh", "4KiB", self.a)
        self.assertEqual(self.json("region", "stat", "mesh", node=self.a)["size_bytes"], 4096)
        self.etcd.start()
        self.assertTrue(comes_true(lambda: self.members(self.a) == {node.address for node in self.nodes}))


if __name__ == "__main__":
    if ETCD is None:
        print("SKIPPED: no etcd here (Debian: etcd-server), nor does GODWIT_ETCD name one", file=sys.stderr)
        sys.exit(77)
    unittest.main()
