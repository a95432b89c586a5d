"""For tests of who may do what: daemons that want to know who asks, commands as other users, and a munged."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
DENIED = 17
OURS = ("GODWIT_KEY_FILE", "GODWIT_MUNGE_SOCKET", "GODWIT_DAEMON_USER")


def until(condition, seconds=20 * cli_node.PATIENCE):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Nodes(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        self.directory.chmod(0o711)  # Another user's programs come in.

    def key(self, name, mode=0o600, size=32):
        path = self.directory / name
        path.write_bytes(os.urandom(size))
        path.chmod(mode)
        return str(path)

    def node(self, identity, more=None, wrapper=()):
        node = cli_node.Node(BINARIES, [cli_node.target("fast", "dram")], {"identity": identity, **(more or {})}, wrapper)
        self.addCleanup(node.close)
        return node

    def log(self, node):
        return (node.path / "log").read_text()

    def godwit(self, node, *arguments, as_uid=None, as_gid=None, **environment):
        env = {name: value for name, value in os.environ.items() if name not in OURS}
        env.update(environment, GODWIT_NODE=node.address)
        user = [] if as_uid is None else ["setpriv", f"--reuid={as_uid}", f"--regid={as_gid or as_uid}", "--clear-groups"]
        return subprocess.run([*user, BINARIES / "godwit", *arguments], capture_output=True, text=True, env=env, timeout=60 * cli_node.PATIENCE)

    def ok(self, node, *arguments, **more):
        done = self.godwit(node, *arguments, **more)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}\n{self.log(node)}")
        return done.stdout

    def refused(self, node, *arguments, **more):
        done = self.godwit(node, *arguments, **more)
        self.assertEqual(done.returncode, DENIED, f"{arguments}: {done.stdout} {done.stderr}")
        return done.stderr


@unittest.skipIf(shutil.which("munged", path="/usr/sbin:/usr/bin") is None, "no munged here")
class MungeNodes(Nodes):
    def setUp(self):
        super().setUp()
        self.socket = self.directory / "munge.socket"
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        munged = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "/usr/sbin/munged", "--foreground", "--force", "--num-threads=2",
                                   f"--socket={self.socket}", f"--key-file={key}", f"--log-file={self.directory}/munge.log",
                                   f"--pid-file={self.directory}/munge.pid", f"--seed-file={self.directory}/munge.seed"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(munged.wait)
        self.addCleanup(munged.kill)
        self.assertTrue(until(self.socket.exists))
        self.method = {"method": "munge", "munge_socket": str(self.socket)}
        self.mine = {"GODWIT_MUNGE_SOCKET": str(self.socket)}
