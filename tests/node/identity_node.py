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


ADA, BOB, STRANGER = 12345, 12346, 12347
CREW, LATER = 12400, 12401  # Groups that ada is in: on every node, and on none.


@unittest.skipUnless(cli_node.can_act_as(ADA, BINARIES / "godwit"), "only root can act as another user, if that may run it")
class UserNodes(MungeNodes):
    """Two users whom the nodes of two daemons of root know; a's may send to b."""

    def setUp(self):
        super().setUp()
        # What the daemons' nodes know of users, and nobody else here.
        users = [f"ada:x:{ADA}:{ADA}::/:/bin/sh", f"bob:x:{BOB}:{BOB}::/:/bin/sh"]
        groups = [f"ada:x:{ADA}:", f"bob:x:{BOB}:", f"crew:x:{CREW}:ada", f"later:x:{LATER}:"]
        for name, lines in (("passwd", users), ("group", groups)):
            (self.directory / name).write_text(pathlib.Path("/etc", name).read_text() + "\n".join(lines) + "\n")
        mounts = " && ".join(f"mount --bind {self.directory / name} /etc/{name}" for name in ("passwd", "group"))
        self.wrapper = ("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh")
        self.scratch = self.make(self.directory / "scratch", 0o755, 0)
        self.home = {uid: self.make(self.scratch / str(uid), 0o755, uid) for uid in (ADA, BOB)}
        self.there = {uid: self.make(self.scratch / f"there-{uid}", 0o755, uid) for uid in (ADA, BOB)}
        roots = {"file_roots": [{"path": str(self.scratch)}], "resume_timeout_ms": 60000}
        self.b = self.node(self.method, roots, self.wrapper)
        self.a = self.node(self.method, {**roots, "group": {"members": [self.b.address]}}, self.wrapper)

    def make(self, path, mode, uid, gid=None, text=None):
        if text is None:
            path.mkdir()
        else:
            path.write_text(text)
        os.chown(path, uid, uid if gid is None else gid)
        path.chmod(mode)
        return path

    def tree(self, name="tree", uid=ADA):
        top = self.make(self.home[uid] / name, 0o750, uid)
        self.make(top / "one", 0o640, uid, text="1" * 100_000)
        below = self.make(top / "below", 0o700, uid)
        self.make(below / "two", 0o400, uid, text="22")
        os.symlink("two", below / "link")
        os.lchown(below / "link", uid, uid)
        return top
