#!/usr/bin/env python3
"""Files are read and written with the rights of whoever asks, at both ends; two users, and daemons of root."""
import json
import os
import pathlib
import re
import stat
import subprocess
import unittest

import cli_node
from identity_node import BINARIES, MungeNodes, until

ADA, BOB, STRANGER = 12345, 12346, 12347
CREW, LATER = 12400, 12401  # Groups that ada is in: on every node, and on none.


@unittest.skipUnless(cli_node.can_act_as(ADA, BINARIES / "godwit"), "only root can act as another user, if that may run it")
class Rights(MungeNodes):
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

    def migrate(self, path, to, *more, uid=ADA, gid=None):
        return self.godwit(self.a, "migrate", "files", str(path), "--to", f"{self.b.address}:{to}", *more, as_uid=uid, as_gid=gid,
                           **self.mine)

    def moved(self, path, to, *more, **who):
        done = self.migrate(path, to, *more, **who)
        self.assertEqual(done.returncode, 0, f"{done.stderr}\n{self.log(self.a)}\n{self.log(self.b)}")
        return done.stdout

    def not_moved(self, path, to, *more, error="DENIED", **who):
        """Refused, and nothing has come or gone, nor is left under way."""
        before = self.everything()
        done = self.migrate(path, to, *more, **who)
        self.assertIn(f"GODWIT_ERR_{error}", done.stderr, f"{done.stdout}\n{self.log(self.a)}\n{self.log(self.b)}")
        self.assertEqual(self.everything(), before)
        return done.stdout + done.stderr

    def everything(self):
        """What there is below the root: way, owner, mode, bytes."""
        found = {}
        for path in sorted(self.scratch.rglob("*")):
            status = path.lstat()
            contents = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[str(path)] = (status.st_uid, status.st_gid, status.st_mode, status.st_ino, contents)
        return found

    def owner(self, path):
        status = path.lstat()
        return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)

    def test_her_tree_arrives_as_hers(self):
        self.tree()
        to = self.there[ADA]
        self.moved(self.home[ADA] / "tree", to, "--verify")
        self.assertEqual((to / "tree/one").read_text(), "1" * 100_000)
        self.assertEqual((to / "tree/below/two").read_text(), "22")
        self.assertEqual([self.owner(to / "tree" / name) for name in ("", "one", "below", "below/two")],
                         [(ADA, ADA, 0o750), (ADA, ADA, 0o640), (ADA, ADA, 0o700), (ADA, ADA, 0o400)])
        self.assertEqual(self.owner(to / "tree/below/link")[:2], (ADA, ADA))
        self.assertEqual(sorted(os.listdir(to)), ["tree"])

    def test_what_she_may_not_read_does_not_come(self):
        to = self.there[ADA]
        secret = self.make(self.home[BOB] / "secret", 0o600, BOB, text="bob's")
        self.not_moved(secret, to)
        self.not_moved(secret, to, "--force", "--update")
        self.not_moved(secret, to, "--dry-run")
        closed = self.make(self.home[BOB] / "closed", 0o700, BOB)
        self.make(closed / "open", 0o644, BOB, text="bob's")
        self.not_moved(closed, to)
        # Whether something is there is not told, nor what.
        for more in ((), ("--dry-run",)):
            said = [self.not_moved(closed / name, to, *more) for name in ("open", "none")]
            self.assertEqual(*(re.sub("closed/(open|none)|[0-9a-f]{32}", "", text) for text in said))
        # One file that is closed in a tree of her own.
        self.tree()
        self.make(self.home[ADA] / "tree/his", 0o600, BOB, text="bob's")
        self.not_moved(self.home[ADA] / "tree", to)

    def test_where_she_may_not_write_nothing_comes(self):
        tree = self.tree()
        self.not_moved(tree, self.there[BOB])
        self.not_moved(tree, self.there[BOB], "--dry-run")
        self.not_moved(tree, self.there[BOB], "--move")
        self.not_moved(tree, self.scratch)  # Root's.


if __name__ == "__main__":
    unittest.main()
