#!/usr/bin/env python3
"""Files are read and written with the rights of whoever asks, at both ends; two users, and daemons of root."""
import json
import os
import re
import sqlite3
import stat
import subprocess
import unittest

import cli_node
from identity_node import ADA, BINARIES, BOB, CREW, LATER, STRANGER, UserNodes, until


class Rights(UserNodes):
    def migrate(self, path, to, *more, uid=ADA, gid=None):
        return self.godwit(self.a, "migrate", "files", str(path), "--to", f"{self.b.address}:{to}", *more, as_uid=uid, as_gid=gid,
                           **self.mine)

    def moved(self, path, to, *more, **who):
        done = self.migrate(path, to, *more, **who)
        self.assertEqual(done.returncode, 0, f"{done.stderr}\n{self.log(self.a)}\n{self.log(self.b)}")
        return done.stdout

    def not_moved(self, path, to, *more, error="DENIED", **who):
        """Refused, and nothing has come or gone; what was under way goes with the job."""
        before = self.everything()
        done = self.migrate(path, to, *more, **who)
        self.assertIn(f"GODWIT_ERR_{error}", done.stderr, f"{done.stdout}\n{self.log(self.a)}\n{self.log(self.b)}")
        if not until(lambda: self.everything() == before, 5):
            self.assertEqual(sorted(self.everything()), sorted(before))
            self.fail("something has changed")
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
        # Not even where only a directory above is closed.
        self.make(closed / "below", 0o777, BOB)
        self.make(closed / "below/open", 0o644, BOB, text="bob's")
        self.not_moved(closed / "below/open", to)
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
        closed = self.make(self.scratch / "closed", 0o700, BOB)
        self.not_moved(tree, self.make(closed / "open", 0o777, BOB))
        self.not_moved(tree, closed / "open", "--dry-run")

    def test_her_groups_are_those_that_each_node_says(self):
        to = self.there[ADA]
        shared = self.make(self.home[BOB] / "shared", 0o640, BOB, CREW, text="the crew's")
        self.moved(shared, to)
        self.assertEqual(self.owner(to / "shared"), (ADA, CREW, 0o640))
        inbox = self.make(self.scratch / "inbox", 0o770, BOB, CREW)
        self.tree("gift")
        self.moved(self.home[ADA] / "gift", inbox)
        self.assertEqual(self.owner(inbox / "gift/one"), (ADA, ADA, 0o640))
        # The group that she says she works in, and that no node has her in.
        others = self.make(self.home[BOB] / "others", 0o640, BOB, LATER, text="others'")
        self.not_moved(others, to, gid=LATER)
        self.not_moved(others, to)
        # A group of one node is no right at the other.
        with (self.a.path / "group").open("w") as there:
            there.write((self.directory / "group").read_text().replace("later:x:12401:", "later:x:12401:ada"))
        (self.directory / "group").write_text((self.a.path / "group").read_text())
        closed = self.make(self.scratch / "closed", 0o770, BOB, LATER)
        self.moved(others, to, gid=LATER)
        self.assertEqual(self.owner(to / "others"), (ADA, LATER, 0o640))
        self.moved(self.tree("more"), closed)

    def test_what_is_his_she_does_not_replace(self):
        to = self.make(self.scratch / "all", 0o1777, 0)
        his = self.make(to / "plan", 0o644, BOB, text="bob's")
        plan = self.make(self.home[ADA] / "plan", 0o644, ADA, text="ada's")
        for more in (("--update",), ("--update", "--force"), ("--update", "--dry-run")):
            self.not_moved(plan, to, *more)
        self.not_moved(plan, to, error="EXISTS")
        self.assertEqual(his.read_text(), "bob's")
        # In a directory of hers there is one of his, which she may not write.
        self.make(self.there[ADA] / "tree", 0o755, BOB)
        self.tree()
        self.not_moved(self.home[ADA] / "tree", self.there[ADA], "--update")

    def test_her_tree_is_brought_up_to_date(self):
        tree, to = self.tree(), self.there[ADA]
        self.moved(tree, to)
        kept = (to / "tree/below/two").lstat().st_ino
        self.make(tree / "one", 0o640, ADA, text="2" * 200_000)
        self.moved(tree, to, "--update")
        self.assertEqual((to / "tree/one").read_text(), "2" * 200_000)
        self.assertEqual((to / "tree/below/two").lstat().st_ino, kept)
        self.assertEqual(sorted(os.listdir(to)), ["tree"])

    def test_what_could_not_be_given_is_no_difference(self):
        tree, to = self.tree(), self.there[ADA]
        self.make(tree / "others", 0o2664, ADA, LATER, text="others'")
        self.moved(tree, to)
        there = to / "tree/others"
        self.assertEqual(self.owner(there), (ADA, ADA, 0o644))
        inode = there.lstat().st_ino
        self.moved(tree, to, "--update")
        self.assertEqual(there.lstat().st_ino, inode, "it came again")
        # What can be given now, and what is another mode, comes.
        (self.directory / "group").write_text((self.directory / "group").read_text().replace(f"later:x:{LATER}:", f"later:x:{LATER}:ada"))
        self.moved(tree, to, "--update")
        self.assertEqual(self.owner(there), (ADA, LATER, 0o664))
        inode = there.lstat().st_ino
        (tree / "others").chmod(0o2660)
        self.moved(tree, to, "--update")
        self.assertEqual(self.owner(there), (ADA, LATER, 0o660))
        self.assertNotEqual(there.lstat().st_ino, inode)

    def test_what_is_his_and_she_may_read_comes_as_hers(self):
        tree, to = self.tree(), self.there[ADA]
        self.make(self.make(tree / "his", 0o755, BOB) / "readable", 0o644, BOB, text="bob's")
        self.moved(tree, to)
        self.assertEqual([self.owner(to / "tree" / name) for name in ("his", "his/readable")], [(ADA, ADA, 0o755), (ADA, ADA, 0o644)])

    def test_what_she_may_no_more_is_not_done(self):
        tree, to = self.tree(), self.there[ADA]
        job = json.loads(self.moved(tree, to, "--approval", "--async", "--json"))["job"]
        self.assertTrue(until(lambda: list(to.glob(".godwit-*.in/tree/below/link"))), self.log(self.b))
        os.chown(to, BOB, BOB)
        self.ok(self.a, "job", "approve", job, as_uid=ADA, **self.mine)
        self.assertTrue(until(lambda: "could not be shown" in self.log(self.b)), self.log(self.b))
        self.assertFalse((to / "tree").exists())
        self.assertTrue(list(to.glob(".godwit-*.in/tree/one")), "it is lost")

    def test_a_move_removes_nothing_that_comes_between(self):
        tree, to = self.tree(), self.there[ADA]
        self.a.terminate()
        self.a.start({"GODWIT_FAIL": "source.before.free-objects=PAUSE", "GODWIT_FAIL_PAUSES": str(self.directory)})
        self.moved(tree, to, "--move", "--async")
        self.assertTrue(until((self.directory / "source.before.free-objects").exists), self.log(self.a))
        hidden = next(self.home[ADA].glob(".godwit-*.out"))
        self.assertEqual(self.owner(hidden), (ADA, ADA, 0o700))
        his = self.make(self.make(hidden / "tree/his", 0o755, BOB) / "file", 0o644, BOB, text="bob's")
        (self.directory / "source.before.free-objects").unlink()
        self.assertTrue(until(lambda: "is not all removed" in self.log(self.a)), self.log(self.a))
        self.assertEqual(his.read_text(), "bob's")

    def test_nobody_becomes_another_by_a_file(self):
        to = self.there[ADA]
        self.make(self.home[BOB] / "run", 0o6755, BOB, text="bob's")
        self.moved(self.home[BOB] / "run", to)
        self.assertEqual(self.owner(to / "run"), (ADA, ADA, 0o755))

    def test_a_link_to_his_file_brings_a_link(self):
        secret = self.make(self.home[BOB] / "secret", 0o600, BOB, text="bob's")
        tree = self.tree()
        os.symlink(secret, tree / "to-his")
        os.symlink(self.home[BOB], tree / "to-home")
        self.moved(tree, self.there[ADA])
        self.assertEqual(os.readlink(self.there[ADA] / "tree/to-his"), str(secret))
        self.not_moved(tree / "to-home/secret", self.there[ADA])
        # Nor is it a way to a directory of his.
        os.symlink(os.path.relpath(self.there[BOB], self.there[ADA]), self.there[ADA] / "his")
        self.not_moved(tree, self.there[ADA] / "his")

    def test_a_move_takes_what_is_hers(self):
        tree, to = self.tree(), self.there[ADA]
        his = self.make(tree / "his", 0o755, BOB)
        self.make(his / "readable", 0o644, BOB, text="bob's")
        self.not_moved(tree, to, "--move")
        (his / "readable").unlink()
        his.rmdir()
        (tree / "below").chmod(0o500)
        self.moved(tree, to, "--move")
        self.assertEqual(os.listdir(self.home[ADA]), [])
        self.assertEqual((to / "tree/one").read_text(), "1" * 100_000)
        # From where she may read and not write.
        public = self.make(self.home[BOB] / "public", 0o644, BOB, text="everybody's")
        self.not_moved(public, to, "--move")

    def test_a_user_whom_the_node_does_not_know_has_no_files(self):
        everybodys = self.make(self.scratch / "everybody", 0o644, 0, text="everybody's")
        said = self.not_moved(everybodys, self.make(self.scratch / "all", 0o777, 0), uid=STRANGER, error="NOT_FOUND")
        self.assertIn(f"no user {STRANGER}", said)

    def test_a_database_is_not_led_into_her_directory(self):
        self.ok(self.a, "db", "create", "table", "--backend", "map", as_uid=ADA, **self.mine)
        arguments = ("migrate", "db", "table", "--to", self.b.address, "--new-root", str(self.there[ADA]))
        self.assertIn("database_root", self.refused(self.a, *arguments, as_uid=ADA, **self.mine))
        self.ok(self.a, "db", "stat", "table", as_uid=ADA, **self.mine)

    def test_a_job_is_only_its_users(self):
        self.tree()
        job = json.loads(self.moved(self.home[ADA] / "tree", self.there[ADA], "--json"))["job"]
        for arguments in (("job", "show", job), ("job", "cancel", job), ("job", "limit", job, "1MiB/s")):
            done = self.godwit(self.a, *arguments, as_uid=BOB, **self.mine)
            self.assertIn("GODWIT_ERR_NOT_FOUND", done.stderr, arguments)
        self.ok(self.a, "job", "show", job, as_uid=ADA, **self.mine)
        self.assertEqual(json.loads(self.ok(self.a, "job", "ls", "--json", as_uid=BOB, **self.mine)), [])

    def owners_of_jobs(self, node):
        """How many the node's journal has; the node ends."""
        return self.rows_of(node, "permission")

    def rows_of(self, node, table):
        self.assertEqual(node.terminate(), 0, self.log(node))
        journal = sqlite3.connect(node.path / "state/journal.db")
        try:
            return journal.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        finally:
            journal.close()

    def has_released_all(self, node):
        """Its destinations have heard that they need not remember its jobs any more; the node goes on."""
        rows = self.rows_of(node, "outbound")
        node.start()
        return rows == 0

    def test_whose_a_job_was_is_forgotten_with_it(self):
        to = self.there[ADA]
        self.a.terminate()
        self.a.start({"GODWIT_FAIL": "jobs.remembered=2"})
        tree = self.tree()
        for _ in range(4):
            self.moved(tree, to, "--update")
        self.moved(tree, to, "--update", "--dry-run")
        self.not_moved(tree, to, error="EXISTS")
        self.refused(self.a, "migrate", "files", str(tree), "--to", f"{self.b.address}:{self.there[BOB]}", as_uid=ADA, **self.mine)
        # Not one that could be asked for.
        arguments = ("migrate", "files", str(tree), "--to", f"{self.b.address}:relative", "--async")
        self.assertNotEqual(self.godwit(self.a, *arguments, as_uid=ADA, **self.mine).returncode, 0)
        shown = json.loads(self.ok(self.a, "job", "ls", "--json", as_uid=ADA, **self.mine))
        self.assertEqual(len(shown), 2, shown)
        self.assertTrue(until(lambda: not list(to.glob(".godwit-*"))), self.log(self.b))
        self.assertEqual(self.owners_of_jobs(self.a), 2)  # It ends when its destination has heard that the last job is over.
        self.assertEqual(self.owners_of_jobs(self.b), 0)

    def test_the_destination_dies_and_her_job_goes_on_as_hers(self):
        tree = self.tree()
        self.make(tree / "large", 0o600, ADA, text="x" * (48 << 20))
        to = self.there[ADA]
        with subprocess.Popen(["setpriv", f"--reuid={ADA}", f"--regid={ADA}", "--clear-groups", BINARIES / "godwit", "migrate", "files",
                               str(tree), "--to", f"{self.b.address}:{to}", "--verify", "--bwlimit", "8MiB/s"],
                              env={**os.environ, **self.mine, "GODWIT_NODE": self.a.address}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as command:
            self.assertTrue(until(lambda: list(to.glob(".godwit-*.in/tree/large"))), self.log(self.b))
            incoming = next(to.glob(".godwit-*.in"))
            self.assertEqual(self.owner(incoming), (ADA, ADA, 0o700))
            self.assertTrue(until(lambda: (incoming / "tree/large").stat().st_blocks * 512 > 10 << 20), self.log(self.b))
            self.b.kill()
            self.b.start()
            said = command.communicate(timeout=100 * cli_node.PATIENCE)[0]
        self.assertEqual(command.returncode, 0, f"{said}\n{self.log(self.a)}\n{self.log(self.b)}")
        self.assertEqual((to / "tree/large").stat().st_size, 48 << 20)
        for path in (to / "tree").rglob("*"):
            self.assertEqual(self.owner(path)[:2], (ADA, ADA), path)
        self.assertEqual(sorted(os.listdir(to)), ["tree"])

    def test_clearing_up_after_a_restart_is_done_as_she(self):
        tree = self.tree()
        self.make(tree / "large", 0o600, ADA, text="x" * (16 << 20))
        to = self.there[ADA]
        self.godwit(self.a, "migrate", "files", str(tree), "--to", f"{self.b.address}:{to}", "--bwlimit", "1MiB/s", "--async",
                    as_uid=ADA, **self.mine)
        self.assertTrue(until(lambda: list(to.glob(".godwit-*.in/tree/large"))), self.log(self.b))
        self.b.kill()
        self.a.kill()
        incoming = next(to.glob(".godwit-*.in"))
        # What she cannot remove herself, in the place of what the daemon made.
        incoming.rename(to / "aside")
        planted = self.make(to / incoming.name, 0o755, BOB)
        his = self.make(planted / "his", 0o644, BOB, text="bob's")
        config = json.loads(self.b.config.read_text())
        self.b.config.write_text(json.dumps({**config, "resume_timeout_ms": 0}))
        for _ in range(2):
            self.b.start()
            self.assertEqual(his.read_text(), "bob's")
            self.b.terminate()
        # And what she can, when she can: the next start tries again.
        his.unlink()
        planted.rmdir()
        (to / "aside").rename(incoming)
        self.b.start()
        self.assertEqual(os.listdir(to), [], self.log(self.b))

    def test_a_directory_that_she_takes_away_keeps_no_daemon_from_starting(self):
        to = self.there[ADA]
        for point, node, place in (("destination.before.journal-owner", self.b, to), ("source.after.journal-hand-over", self.a, self.home[ADA])):
            tree = self.tree()
            node.terminate()
            node.start({"GODWIT_FAIL": point + "=EIO"})
            done = self.migrate(tree, to, "--move", "--async")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(until(lambda: node.process.poll() is not None), f"{point}: {self.log(node)}")
            aside = place.rename(place.with_name("aside"))
            for _ in range(2):
                node.start()
                self.ok(node, "ping", as_uid=ADA, **self.mine)
                said = "neither committed nor forgotten" if node is self.b else "not ended before this daemon starts again"
                self.assertIn(said, self.log(node))
                # What she has, she still has.
                self.assertTrue(list(aside.glob(".godwit-*/tree/one")), list(aside.rglob("*")))
                node.terminate()
            # The next start with the directory in its place ends the job.
            aside.rename(place)
            node.start()
            self.assertTrue(until(lambda: not list(self.home[ADA].glob(".godwit-*"))), self.log(self.a))
            self.assertEqual(os.listdir(self.home[ADA]), [])
            self.assertEqual((to / "tree/one").read_text(), "1" * 100_000)
            self.assertTrue(until(lambda: not list(to.glob(".godwit-*"))), self.log(self.b))
            subprocess.run(["rm", "-r", to / "tree"], check=True)

    def test_what_the_source_cannot_remove_now_is_removed_by_a_later_start(self):
        """Decided, and its directory closed or taken away while the daemon is down: a user's, and the daemon's own."""
        aside = self.scratch / "aside"

        def mount_point(place):  # Of a file system that is not mounted.
            place.rename(aside)
            self.make(place, 0o755, ADA)

        def mount(place):
            place.rmdir()
            aside.rename(place)

        ways = {"closed": (lambda place: place.chmod(0), lambda place: place.chmod(0o755)),
                "away": (lambda place: place.rename(aside), aside.rename), "empty": (mount_point, mount)}
        for way, uid, point in (("closed", ADA, "after.journal-hand-over"), ("away", None, "after.journal-hand-over"),
                                ("empty", ADA, "after.journal-hand-over"), ("closed", ADA, "after.journal-done")):
            with self.subTest(way, uid=uid, point=point):
                home, to = self.home[ADA], self.make(self.scratch / "to", 0o755, uid or 0)
                self.tree()
                self.a.terminate()
                self.a.start({"GODWIT_FAIL": f"source.{point}=EIO"})
                job = json.loads(self.moved(home / "tree", to, "--move", "--async", "--json", uid=uid))["job"]
                self.assertTrue(until(lambda: self.a.process.poll() is not None), self.log(self.a))
                ways[way][0](home)
                for _ in range(2):
                    self.a.start()
                    # The other side need not wait.
                    self.assertTrue(until((to / "tree/one").exists), self.log(self.b))
                    shown = json.loads(self.ok(self.a, "job", "show", job, "--json", as_uid=uid, **self.mine))
                    self.assertIn("daemon has to start again", shown["error_text"])
                    self.assertEqual(shown["phase"], "in doubt")
                    self.a.terminate()
                ways[way][1](home)
                self.assertTrue((home / f".godwit-{job}.out/tree/one").exists())
                self.a.start()
                self.assertTrue(until(lambda: os.listdir(home) == []), self.log(self.a))
                self.assertTrue(until(lambda: not list(to.glob(".godwit-*"))), self.log(self.b))
                self.assertTrue(until(lambda: self.has_released_all(self.a)), self.log(self.a))
                self.assertEqual(self.owners_of_jobs(self.b), 0)
                self.b.start()
                subprocess.run(["rm", "-r", to], check=True)

    def test_what_cannot_be_removed_at_all_is_not_put_back(self):
        home, to = self.home[ADA], self.make(self.scratch / "to", 0o755, ADA)
        self.tree()
        self.a.terminate()
        self.a.start({"GODWIT_FAIL": "source.after.journal-done=EIO"})
        job = json.loads(self.moved(home / "tree", to, "--move", "--async", "--json"))["job"]
        self.assertTrue(until(lambda: self.a.process.poll() is not None), self.log(self.a))
        left = home / f".godwit-{job}.out/tree"
        self.make(self.make(left / "bob", 0o755, BOB) / "his", 0o600, BOB, text="his")
        for _ in range(2):
            self.a.start()
            self.assertTrue(until(lambda: not list(to.glob(".godwit-*"))), self.log(self.b))
            self.assertFalse((home / "tree").exists())
            self.assertEqual([str(path.relative_to(left)) for path in left.rglob("*")], ["bob", "bob/his"])
            self.a.terminate()
        self.assertIn("is not all removed", self.log(self.a))

    def test_a_member_tells_a_user_of_anothers_what_that_user_may_know(self):
        hers = {"as_uid": ADA, **self.mine}
        self.ok(self.b, "region", "create", "hers", "--target", "fast", "--size", "1MiB", **hers)
        self.ok(self.b, "db", "create", "table", "--backend", "map", **hers)
        path = self.make(self.home[ADA] / "file", 0o644, ADA, text="hers")
        job = json.loads(self.ok(self.b, "migrate", "files", str(path), "--to", f"{self.b.address}:{self.there[ADA]}", "--json", **hers))["job"]
        for what, nothing in (("hers", "nothing"), ("table", "nothing"), (job, "0" * 31 + "1"), (str(self.there[ADA] / "file"), "/nothing")):
            for who in (hers, self.mine):
                self.assertIn(self.b.address, self.ok(self.a, "locate", what, **who))
            theirs, none = (self.godwit(self.a, "locate", name, as_uid=BOB, **self.mine) for name in (what, nothing))
            self.assertIn("GODWIT_ERR_NOT_FOUND", theirs.stderr)
            self.assertEqual((theirs.returncode, theirs.stderr.replace(what, nothing)), (none.returncode, none.stderr))
        for command in (("region", "stat", "hers"), ("db", "stat", "table"), ("job", "show", job)):
            for who in (hers, self.mine):
                self.ok(self.a, *command, **who)
            done = self.godwit(self.a, *command, as_uid=BOB, **self.mine)
            self.assertIn("GODWIT_ERR_NOT_FOUND", done.stderr, command)
            self.assertNotIn(self.b.address, done.stderr)
        # Her group, of which he is.
        self.ok(self.b, "region", "chmod", "640", "hers", **hers)
        self.assertNotEqual(self.godwit(self.a, "locate", "hers", as_uid=BOB, **self.mine).returncode, 0)
        self.ok(self.a, "locate", "hers", as_uid=BOB, as_gid=ADA, **self.mine)

    def test_a_daemon_of_a_user_does_that_users_work_only(self):
        to = self.make(self.scratch / "all", 0o777, 0)
        hers = ("sh", "-c", f'chown -R {ADA}:{ADA} "$(dirname "$3")" && exec setpriv --reuid={ADA} --regid={ADA} --clear-groups "$@"', "sh")
        c = self.node(self.method, {"file_roots": [{"path": str(self.scratch)}]}, hers)
        believes = {**self.mine, "GODWIT_DAEMON_USER": str(ADA)}
        his = self.make(self.home[BOB] / "his", 0o644, BOB, text="bob's")
        mine = self.make(self.home[ADA] / "mine", 0o600, ADA, text="ada's")
        self.ok(c, "migrate", "files", str(mine), "--to", f"{c.address}:{to}", as_uid=ADA, **believes)
        self.assertEqual(self.owner(to / "mine"), (ADA, ADA, 0o600))
        said = self.refused(c, "migrate", "files", str(his), "--to", f"{c.address}:{to}", as_uid=BOB, **believes)
        self.assertIn(f"runs as user {ADA}", said)
        self.assertEqual(json.loads(self.ok(c, "job", "ls", "--json", as_uid=BOB, **believes)), [])
        # From a daemon of root that believes it: her files, and not his.
        self.a.terminate()
        config = json.loads(self.a.config.read_text())
        self.a.config.write_text(json.dumps({**config, "identity": {**self.method, "administrators": [ADA]},
                                             "group": {"members": [c.address]}}))
        self.a.start()
        done = self.godwit(self.a, "migrate", "files", str(his), "--to", f"{c.address}:{to}", as_uid=BOB, **self.mine)
        self.assertIn(f"runs as user {ADA}", done.stderr)
        self.assertEqual(os.listdir(to), ["mine"])


if __name__ == "__main__":
    unittest.main()
