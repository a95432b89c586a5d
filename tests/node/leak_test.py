#!/usr/bin/env python3
"""A daemon that has worked holds what it held before: descriptors, threads, registered memory, space, files."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import unittest.mock

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
MIB = 1 << 20
ROUNDS = 4
PEER_TIMEOUT_SECONDS = 5  # So long a killed client may be missed over shm, which does not tell.
SETTLE_SECONDS = 15 * cli_node.PATIENCE


class LeakTest(unittest.TestCase):
    def daemons(self, listen):
        for name in ("a", "b"):
            node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram"), cli_node.target("keep", "pmem")],
                                 {"listen": [listen.format(name=f"godwit-test-{os.getpid()}-{name}")], "connect_timeout_ms": 500})
            self.addCleanup(node.close)
            setattr(self, name, node)
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.file = pathlib.Path(scratch.name) / "data"
        self.file.write_bytes(os.urandom(24 * MIB))

    def godwit(self, *arguments, node=None, status=0):
        done = subprocess.run([BINARIES / "godwit", *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "GODWIT_NODE": (node or self.a).address})
        self.assertEqual(done.returncode == 0, status == 0, f"{arguments}: {done.stderr}")
        return done.stdout

    def migrate(self, source, destination, *more, status=0):
        return self.godwit("migrate", "region", "field", "--to", destination.address, *more, node=source, status=status)

    def round(self):
        """All that a daemon does, and all that goes wrong about it."""
        self.godwit("region", "import", str(self.file), "--name", "field", "--target", "fast")
        self.migrate(self.a, self.b, "--target", "keep")
        self.migrate(self.b, self.a, "--target", "fast")
        self.godwit("region", "create", "ballast", "--target", "keep", "--size", "60MiB", node=self.b)
        self.migrate(self.a, self.b, "--target", "keep", status=1)  # No space.
        self.migrate(self.a, self.b, "--target", "nowhere", status=1)
        job = self.migrate(self.a, self.b, "--target", "fast", "--copy", "--async").split()[-1]
        self.godwit("job", "cancel", job)
        subprocess.run([BINARIES / "godwit", "job", "wait", job, "--node", self.a.address], capture_output=True, timeout=60)
        for region in json.loads(self.godwit("region", "ls", "--json", node=self.b)):
            self.godwit("region", "rm", region["id"], node=self.b)
        self.kill_a_client()
        if self.a.address.startswith("tcp://"):
            self.half_open()
        for region in json.loads(self.godwit("region", "ls", "--json")):
            self.godwit("region", "rm", region["id"])

    def kill_a_client(self):
        """In the middle of its write: the memory that it exposed is gone."""
        client = subprocess.Popen([BINARIES / "godwit", "region", "write", "field", "--file", str(self.file)],
                                  env={**os.environ, "GODWIT_NODE": self.a.address})
        time.sleep(0.37)  # What it takes to start; the write itself takes 20 ms.
        client.kill()
        client.wait()

    def half_open(self):
        host, port = self.a.address.removeprefix("tcp://").rsplit(":", 1)
        for greeting in (b"", b"GET / HTTP/1.0\r\n\r\n"):
            with socket.create_connection((host, int(port))) as stranger:
                stranger.sendall(greeting)

    def holdings(self, node):
        process = pathlib.Path(f"/proc/{node.process.pid}")
        doctor = json.loads(self.godwit("doctor", "--json", node=node))
        targets = json.loads(self.godwit("target", "ls", "--json", node=node))
        return {
            "descriptors": len(list((process / "fd").iterdir())),
            "threads": len(list((process / "task").iterdir())),
            "registered": doctor["registered_bytes"],
            "used": {target["name"]: target["used_bytes"] for target in targets},
            # Every job keeps its events there.
            "files": sorted(str(path) for path in node.path.rglob("*") if path.parent.name != "events"),
        }

    def settles(self, node, expected):
        """Connections end a moment after their peers."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := self.holdings(node)) != expected and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(found, expected)

    def nothing_is_left(self, listen):
        self.daemons(listen)
        self.round()  # Opens what stays open.
        time.sleep(PEER_TIMEOUT_SECONDS + 2)
        before = [self.holdings(node) for node in (self.a, self.b)]
        for _ in range(ROUNDS):
            self.round()
        for node, expected in zip((self.a, self.b), before):
            self.settles(node, expected)
        for node in (self.a, self.b):
            self.assertEqual(node.terminate(), 0)

    def test_a_crash_is_seen_as_one(self):
        # A sanitizer would make a report and an exit of it.
        unwatched = {name: os.environ.get(name, "") + ":handle_segv=0"
                     for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")}
        with unittest.mock.patch.dict(os.environ, unwatched):
            self.daemons("tcp://127.0.0.1:0")
        here = sorted(os.listdir("."))
        self.a.process.send_signal(signal.SIGSEGV)
        self.assertEqual(self.a.process.wait(20), -signal.SIGSEGV)
        self.assertEqual(sorted(os.listdir(".")), here)

    def test_over_tcp(self):
        self.nothing_is_left("tcp://127.0.0.1:0")

    def test_over_shm(self):
        # What is kept for a minute after a process, for peers that have yet to read it, the next process sweeps: here is none.
        self.addCleanup(lambda: [hub.unlink() for hub in pathlib.Path("/dev/shm").glob("godwit-hub.*")
                                 if not pathlib.Path("/proc", hub.name.split(".")[2]).exists()])
        self.nothing_is_left("shm://{name}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
