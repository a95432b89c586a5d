#!/usr/bin/env python3
"""Filesets through two real daemons: everything arrives, nothing else happens, nothing outside the roots is touched."""
import errno
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node  # noqa: E402
import trees  # noqa: E402

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
DENIED, CHANGED, EXISTS, UNSUPPORTED, NOT_FOUND, INVALID, NO_SPACE, PARTIAL = 17, 18, 4, 2, 3, 2, 5, 15


class FilesTest(unittest.TestCase):
    listen = "tcp://127.0.0.1:0"

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        cls.addClassCleanup(scratch.cleanup)
        cls.roots = pathlib.Path(scratch.name)
        for name in ("here", "there"):
            (cls.roots / name).mkdir()
        cls.a = cls.node([{"path": str(cls.roots / "here")}])
        cls.b = cls.node([{"path": str(cls.roots / "there")}])

    @classmethod
    def node(cls, roots):
        node = cli_node.Node(BINARIES, [], {"listen": [cls.listen.format(number=len(roots[0]["path"]))], "file_roots": roots})
        cls.addClassCleanup(node.close)
        cls.addClassCleanup(node.terminate)  # First: a killed one leaves its shared memory.
        return node

    def setUp(self):
        name = self.id().rsplit(".", 1)[-1]
        self.here, self.there = self.roots / "here" / name, self.roots / "there" / name
        self.outside = self.roots / "outside" / name
        for directory in (self.here, self.there, self.outside):
            directory.mkdir(parents=True)

    def command(self, paths, to=None, *more):
        return [BINARIES / "godwit", "--quiet", "migrate", "files", *paths, "--from", self.a.address,
                "--to", f"{self.b.address}:{to or self.there}", *more]

    def migrate(self, *paths, to=None, options=(), status=0):
        done = subprocess.run(self.command(paths, to, *options), capture_output=True, text=True, timeout=120,
                              errors="surrogateescape")
        self.assertEqual(done.returncode, status, f"{paths} {options}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def assert_clean(self):
        self.assertEqual(trees.left_over(self.roots), [])

    def test_a_tree_with_everything_arrives_as_it_was(self):
        trees.make(self.here / "tree")
        self.migrate(self.here / "tree", options=["--verify"])
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))
        sparse, hole = os.stat(self.there / "tree/sparse"), os.stat(self.there / "tree/only a hole")
        self.assertLess(sparse.st_blocks * 512, trees.MIB)
        self.assertEqual(hole.st_blocks, 0)
        self.assertEqual(os.stat(self.there / "tree/case").st_mode & 0o4000, 0)
        self.assert_clean()

    def test_small_blocks_and_one_stream_and_many(self):
        trees.make(self.here / "tree")
        for count, options in enumerate((["--block-size", "4KiB", "--streams", "1"], ["--block-size", "64KiB", "--streams", "8"])):
            to = self.there / str(count)
            to.mkdir()
            self.migrate(self.here / "tree", to=to, options=options)
            self.assertIsNone(trees.difference(self.here / "tree", to / "tree"))

    def test_single_files_and_lists_of_them(self):
        paths = []
        for i in range(200):
            path = self.here / f"file{i}"
            path.write_bytes(os.urandom(i * 37))
            paths.append(path)
        self.assertIn("200 of 200 paths", self.migrate(*paths))
        for path in paths:
            self.assertIsNone(trees.difference(path, self.there / path.name))
        self.assert_clean()

    def test_a_path_that_cannot_go_does_not_stop_the_others(self):
        (self.here / "good").write_text("good")
        out = self.migrate(self.here / "good", self.here / "missing", status=PARTIAL)
        self.assertIn("missing", out)
        self.assertEqual((self.there / "good").read_text(), "good")
        self.migrate(self.here / "missing", status=NOT_FOUND)

    def test_a_move_takes_the_source_away(self):
        trees.make(self.here / "tree")
        trees.make(self.here / "twin")
        self.migrate(self.here / "tree", options=["--move"])
        self.assertFalse((self.here / "tree").exists())
        self.assertIsNone(trees.difference(self.here / "twin", self.there / "tree"))
        self.assert_clean()

    def test_a_move_that_would_leave_something_out_is_refused(self):
        trees.make(self.here / "tree")
        self.migrate(self.here / "tree", options=["--move", "--exclude", "large"], status=INVALID)
        self.assertTrue((self.here / "tree/large").exists())
        self.assertFalse((self.there / "tree").exists())

    def test_what_is_there_already_is_not_overwritten(self):
        (self.here / "x").write_text("new")
        (self.there / "x").write_text("old")
        self.assertIn("--update", self.migrate(self.here / "x", status=EXISTS))
        self.assertEqual((self.there / "x").read_text(), "old")
        self.assert_clean()

    def test_update_moves_only_what_differs_and_keeps_what_is_only_there(self):
        trees.make(self.here / "tree")
        self.migrate(self.here / "tree")
        (self.there / "tree/only there").mkdir()
        (self.there / "tree/only there/file").write_text("mine")
        (self.there / "tree/extra").write_text("also mine")
        (self.here / "tree/plain").write_text("changed")
        (self.here / "tree/new").write_text("new")
        kept = os.stat(self.there / "tree/large").st_ino
        planned = json.loads(self.migrate(self.here / "tree", options=["--update", "--dry-run", "--json"]))
        coming = {file["path"] for file in planned["files"] if file["comes"] and file["kind"] == "file"}
        self.assertEqual(coming, {"tree/plain", "tree/new"})
        self.assertNotEqual((self.there / "tree/plain").read_bytes(), b"changed")  # A dry run changes nothing.
        report = json.loads(self.migrate(self.here / "tree", options=["--update", "--json"]))
        self.assertEqual(report["bytes"], len("changed") + len("new"))
        self.assertEqual((self.there / "tree/plain").read_text(), "changed")
        self.assertEqual((self.there / "tree/only there/file").read_text(), "mine")
        self.assertEqual((self.there / "tree/extra").read_text(), "also mine")
        self.assertEqual(os.stat(self.there / "tree/large").st_ino, kept)
        here = trees.describe(self.here / "tree")
        there = trees.describe(self.there / "tree")
        self.assertEqual([p for p in here if here[p] != there.get(p)], [])
        self.assert_clean()

    def test_update_of_what_is_the_same_moves_nothing(self):
        trees.make(self.here / "tree", large=1000)
        self.migrate(self.here / "tree")
        report = json.loads(self.migrate(self.here / "tree", options=["--update", "--verify", "--json"]))
        self.assertEqual(report["bytes"], 0)
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))
        self.assert_clean()

    def test_update_refuses_a_directory_in_the_place_of_a_file(self):
        (self.here / "tree").mkdir()
        (self.here / "tree/x").write_text("file")
        (self.there / "tree/x").mkdir(parents=True)
        self.migrate(self.here / "tree", options=["--update"], status=EXISTS)
        self.assertTrue((self.there / "tree/x").is_dir())
        self.assert_clean()

    def test_update_refuses_special_files_at_the_destination(self):
        (self.here / "tree").mkdir()
        (self.here / "tree/x").write_text("file")
        (self.here / "fifo").write_text("file")
        for name in ("x", "only there"):
            with self.subTest(name):
                (self.there / "tree").mkdir(exist_ok=True)
                os.mkfifo(self.there / "tree" / name)
                out = self.migrate(self.here / "tree", options=["--update", "--skip-special"], status=UNSUPPORTED)
                self.assertIn(str(self.there / "tree" / name), out)
                self.assertIn("at the destination", out)
                self.assertNotIn("--skip-special", out)
                self.assertTrue((self.there / "tree" / name).is_fifo())
                (self.there / "tree" / name).unlink()
        os.mkfifo(self.there / "fifo")
        self.assertIn("at the destination", self.migrate(self.here / "fifo", options=["--update"], status=UNSUPPORTED))
        self.assertTrue((self.there / "fifo").is_fifo())
        self.assertNotIn("--update", self.migrate(self.here / "fifo", status=EXISTS))
        self.migrate(self.here / "tree", options=["--update"])
        self.assertEqual((self.there / "tree/x").read_text(), "file")
        self.assert_clean()

    def test_patterns_choose(self):
        trees.make(self.here / "tree")
        self.migrate(self.here / "tree", options=["--exclude", "level0", "--exclude", "many/1*", "--include", "many/17?"])
        self.assertFalse((self.there / "tree/level0").exists())
        many = sorted(path.name for path in (self.there / "tree/many").iterdir() if path.name.startswith("1"))
        self.assertEqual(many, [f"17{i}" for i in range(10)])

    def test_a_tree_that_nobody_may_write_arrives_so(self):
        (self.here / "tree/sub").mkdir(parents=True)
        (self.here / "tree/sub/x").write_text("x")
        for path in ("tree/sub/x", "tree/sub", "tree"):
            (self.here / path).chmod(0o555)
        self.migrate(self.here / "tree")
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))
        self.assert_clean()
        for root in (self.here, self.there):  # So that it can be removed.
            (root / "tree").chmod(0o755)
            (root / "tree/sub").chmod(0o755)

    def test_one_file_is_brought_up_to_date(self):
        (self.here / "x").write_text("new content")
        (self.there / "x").write_text("old")
        self.migrate(self.here / "x", options=["--update"])
        self.assertIsNone(trees.difference(self.here / "x", self.there / "x"))
        self.assert_clean()

    def test_a_dry_run_changes_nothing(self):
        trees.make(self.here / "tree")
        out = self.migrate(self.here / "tree", options=["--dry-run"])
        self.assertIn("tree/many/007", out)
        self.assertEqual(list(self.there.iterdir()), [])
        self.assertIn("bad utf8", out)

    def test_extended_attributes_travel_on_request(self):
        path = self.here / "x"
        path.write_text("x")
        try:
            os.setxattr(path, "user.colour", b"b\0lue")
        except OSError as error:
            self.skipTest(f"SKIPPED: no extended attributes here: {error}")
        self.migrate(path)
        self.assertEqual(os.listxattr(self.there / "x"), [])
        (self.there / "x").unlink()
        self.migrate(path, options=["--xattrs"])
        self.assertEqual(os.getxattr(self.there / "x", "user.colour"), b"b\0lue")

    # Whom every user namespace knows.
    BOB = os.geteuid()
    # For directories: what is made in them inherits it.
    BOB_WRITES = trees.acl(("u", 7), ("u", 7, BOB), ("g", 5), ("m", 7), ("o", 0))
    BOB_READS = trees.acl(("u", 7), ("u", 5, BOB), ("g", 5), ("m", 5), ("o", 0))

    def set_attribute(self, path, name, value):
        try:
            os.setxattr(path, name, value)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
            self.skipTest(f"SKIPPED: no {name} here: {error}")

    def assert_attributes_arrived(self):
        for path in sorted([self.here / "tree", *(self.here / "tree").rglob("*")]):
            there = self.there / path.relative_to(self.here)
            self.assertEqual(trees.attributes(there), trees.attributes(path), path)

    def make_attributed(self):
        (self.here / "tree/sub").mkdir(parents=True)
        for name in ("tree/file", "tree/plain", "tree/sub/file"):
            (self.here / name).write_text(name)
        (self.here / "tree/empty").touch()
        self.set_attribute(self.here / "tree/sub", "system.posix_acl_default", self.BOB_WRITES)
        self.set_attribute(self.here / "tree/sub", "user.colour", b"red")
        # A file that its owner may not write has an attribute whose setting takes that right.
        self.set_attribute(self.here / "tree/file", "user.colour", b"b\0lue")
        self.set_attribute(self.here / "tree/file", "system.posix_acl_access",
                           trees.acl(("u", 4), ("u", 6, self.BOB), ("g", 0), ("m", 6), ("o", 4)))
        self.set_attribute(self.here / "tree/empty", "system.posix_acl_access", self.BOB_READS)

    def test_acls_travel_on_request(self):
        self.make_attributed()
        self.migrate(self.here / "tree")
        for path in (self.there / "tree").rglob("*"):
            self.assertEqual(trees.attributes(path), {}, path)
        (self.there / "again").mkdir()
        self.there = self.there / "again"
        # What files inherit at the destination is not theirs.
        self.set_attribute(self.there, "system.posix_acl_default", self.BOB_WRITES)
        self.migrate(self.here / "tree", options=["--xattrs"])
        self.assert_attributes_arrived()
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))

    def test_update_with_attributes_makes_them_equal(self):
        self.make_attributed()
        self.set_attribute(self.there, "system.posix_acl_default", self.BOB_WRITES)
        self.migrate(self.here / "tree")  # Without, so that they differ.
        self.assertIn("system.posix_acl_access", trees.attributes(self.there / "tree/plain"))
        self.set_attribute(self.there / "tree/sub", "user.stray", b"stray")
        update = ["--update", "--xattrs", "--json"]
        self.assertGreater(json.loads(self.migrate(self.here / "tree", options=update))["bytes"], 0)
        self.assert_attributes_arrived()
        self.assertEqual(json.loads(self.migrate(self.here / "tree", options=update))["bytes"], 0)
        self.set_attribute(self.here / "tree/plain", "user.colour", b"green")
        self.assertEqual(json.loads(self.migrate(self.here / "tree", options=update))["bytes"], len("tree/plain"))
        self.assert_attributes_arrived()
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))
        self.assert_clean()

    def test_update_without_attributes_leaves_them_alone(self):
        (self.here / "tree/sub").mkdir(parents=True)
        for name in ("tree/one", "tree/sub/two"):
            (self.here / name).write_text(name)
        self.set_attribute(self.there, "system.posix_acl_default", self.BOB_READS)
        self.migrate(self.here / "tree")
        self.assertIn("system.posix_acl_access", trees.attributes(self.there / "tree/one"))
        self.set_attribute(self.there / "tree/one", "user.mine", b"mine")
        self.set_attribute(self.there / "tree/sub", "user.mine", b"mine")
        # What it inherited has been changed there: below "sub" others may do more, and nobody else may see "sub" itself.
        self.set_attribute(self.there / "tree/sub", "system.posix_acl_default", self.BOB_WRITES)
        os.removexattr(self.there / "tree/sub", "system.posix_acl_access")
        before = {path: trees.attributes(path) for path in (self.there / "tree").rglob("*")}
        inode = os.stat(self.there / "tree/one").st_ino
        report = json.loads(self.migrate(self.here / "tree", options=["--update", "--json"]))
        self.assertEqual(report["bytes"], 0)
        self.assertEqual(os.stat(self.there / "tree/one").st_ino, inode)
        self.assertEqual({path: trees.attributes(path) for path in (self.there / "tree").rglob("*")}, before)
        (self.here / "tree/sub/new").write_text("new")
        report = json.loads(self.migrate(self.here / "tree", options=["--update", "--json"]))
        self.assertEqual(report["bytes"], len("new"))
        # It is made in "sub", and has what "sub" gives: of which its mode, 0644, leaves others the right to read.
        os.chmod(self.here / "tree/sub/new", 0o644)
        inherited = trees.acl(("u", 6), ("u", 7, self.BOB), ("g", 5), ("m", 4), ("o", 4))
        self.assertEqual(trees.attributes(self.there / "tree/sub/new"), {"system.posix_acl_access": inherited})
        for path, attributes in before.items():
            self.assertEqual(trees.attributes(path), attributes, path)
        self.assert_clean()

    def test_update_lets_nobody_do_more_by_an_acl_that_stays(self):
        (self.here / "tree/sub").mkdir(parents=True)
        os.chmod(self.here / "tree/sub", 0o775)  # Of one with an ACL the group's bits are its mask.
        self.migrate(self.here / "tree")
        narrow = trees.acl(("u", 7), ("u", 7, self.BOB), ("g", 7), ("m", 5), ("o", 5))
        self.set_attribute(self.there / "tree/sub", "system.posix_acl_access", narrow)
        self.migrate(self.here / "tree", options=["--update"])
        self.assertEqual(trees.attributes(self.there / "tree/sub"), {"system.posix_acl_access": narrow})

    @unittest.skipUnless(os.geteuid() == 0, "SKIPPED: only root gives files away")
    def test_root_keeps_the_owners(self):
        trees.make(self.here / "tree", large=1000)
        owners = {"plain": (54321, 65432), "many": (1, 65432), "link dangling": (54321, 2), "empty": (54321, 0), "sparse": (0, 3)}
        for name, owner in owners.items():
            try:
                os.lchown(self.here / "tree" / name, *owner)
            except OSError as error:
                self.skipTest(f"SKIPPED: not even root gives files to {owner} here: {error}")
        self.migrate(self.here / "tree")
        for name, owner in owners.items():
            status = os.lstat(self.there / "tree" / name)
            self.assertEqual((status.st_uid, status.st_gid), owner, name)
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))
        self.assertEqual(json.loads(self.migrate(self.here / "tree", options=["--update", "--json"]))["bytes"], 0)
        os.chown(self.here / "tree/many/001", 54321, 65432)
        report = json.loads(self.migrate(self.here / "tree", options=["--update", "--json"]))
        self.assertEqual(report["bytes"], (self.here / "tree/many/001").stat().st_size)
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))

    # ---- the guard

    def test_nothing_outside_the_roots_is_read_or_written(self):
        secret = self.outside / "secret"
        secret.write_text("secret")
        (self.here / "link").symlink_to(self.outside)
        (self.there / "link").symlink_to(self.outside)
        (self.here / "x").write_text("x")
        for path in (secret, self.here / "link/secret", str(self.here) + "/../outside/secret", "/etc/passwd", "/proc/self/environ"):
            self.assertNotIn("1 of 1", self.migrate(path, status=INVALID if ".." in str(path) else DENIED))
        for to in (self.outside, self.there / "link", str(self.there) + "/../outside"):
            self.migrate(self.here / "x", to=to, status=INVALID if ".." in str(to) else DENIED)
        self.assertEqual(list(self.outside.iterdir()), [secret])

    def test_links_inside_a_root_are_ways(self):
        (self.here / "real").mkdir()
        (self.here / "real/x").write_text("x")
        (self.here / "way").symlink_to("real")
        (self.there / "real").mkdir()
        (self.there / "way").symlink_to("real")
        self.migrate(self.here / "way/x", to=self.there / "way")
        self.assertEqual((self.there / "real/x").read_text(), "x")

    def test_roots_may_be_for_one_use_only(self):
        (self.here / "x").write_text("x")
        self.b = self.node([{"path": str(self.there), "access": "read"}])
        self.migrate(self.here / "x", status=DENIED)
        self.a = self.node([{"path": str(self.here), "access": "read"}])
        self.b = self.node([{"path": str(self.there), "access": "write"}])
        self.assertIn("removes the source", self.migrate(self.here / "x", options=["--move"], status=DENIED))
        self.migrate(self.here / "x")
        self.assertTrue((self.here / "x").exists())

    # ---- programs that decide

    def hooked(self, root, timeout_ms=3_600_000, **hooks):
        node = cli_node.Node(BINARIES, [], {"file_roots": [{"path": str(root)}], "hooks": hooks, "hook_timeout_ms": timeout_ms})
        self.addClassCleanup(node.close)
        return node

    def program(self, text):
        path = self.outside / f"hook{len(list(self.outside.iterdir()))}"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)

    def test_programs_are_asked_and_told(self):
        trees.make(self.here / "tree", large=1000)
        seen = self.outside / "seen"
        note = self.program(f'echo "$GODWIT_SIDE $GODWIT_HOOK $GODWIT_OBJECTS $GODWIT_PLACE" >> {seen}\n')
        self.a = self.hooked(self.here, before=note, after=note)
        self.b = self.hooked(self.there, before=note, after=note)
        self.migrate(self.here / "tree")
        self.assertEqual(seen.read_text().splitlines(), [f"source before 1 {self.there}", f"destination before 1 {self.there}",
                                                         f"destination after 1 {self.there}"])

    def test_a_program_that_refuses_fails_or_hangs_ends_the_migration(self):
        trees.make(self.here / "tree", large=1000)
        a, b = self.a, self.b
        refuse = self.program("echo not today >&2; exit 3\n")
        for hooks, reason in (({"before": refuse}, "not today"), ({"after": refuse}, "exit code 3"),
                              ({"before": self.program("sleep 60\n")}, "300 ms"), ({"after": "/does/not/exist"}, "cannot be run")):
            self.a, self.b = a, self.hooked(self.there, timeout_ms=300 if reason == "300 ms" else 3_600_000, **hooks)
            self.assertIn(reason, self.migrate(self.here / "tree", status=DENIED))
            self.assertEqual(list(self.there.iterdir()), [])
        self.a, self.b = self.hooked(self.here, before=refuse), b
        self.assertIn("not today", self.migrate(self.here / "tree", options=["--move"], status=DENIED))
        self.assertTrue((self.here / "tree").exists())

    def test_what_a_program_leaves_running_holds_nothing_up(self):
        trees.make(self.here / "tree", large=1000)
        go = self.outside / "go"
        self.a = self.hooked(self.here, before=self.program(f"while ! test -e {go}; do sleep 0.05; done & exit 0\n"))
        self.migrate(self.here / "tree")
        self.assertIsNone(trees.difference(self.here / "tree", self.there / "tree"))
        go.touch()

    def test_what_the_daemon_ignores_programs_do_not(self):
        (self.here / "file").write_text("file")
        seen = self.outside / "seen"
        self.a = self.hooked(self.here, before=self.program(f"grep SigIgn /proc/$$/status > {seen}\n"))
        self.migrate(self.here / "file")
        ignored = int(seen.read_text().split()[1], 16)
        for number in (signal.SIGPIPE, signal.SIGIO):
            self.assertEqual(ignored >> (number - 1) & 1, 0, number)

    # ---- sources that will not do

    def test_special_files_are_refused_or_left_out(self):
        (self.here / "tree").mkdir()
        (self.here / "tree/file").write_text("file")
        os.mkfifo(self.here / "tree/fifo")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.here / "tree/socket"))
        self.assertIn("fifo", self.migrate(self.here / "tree", status=UNSUPPORTED))
        self.assertFalse((self.there / "tree").exists())
        self.migrate(self.here / "tree", options=["--skip-special"])
        self.assertEqual([path.name for path in (self.there / "tree").iterdir()], ["file"])
        self.migrate(self.here / "tree/fifo", status=UNSUPPORTED)

    def test_who_opens_what_is_just_looked_at_ends_nobody(self):
        # What the kernel sends whose read lease is broken.
        for node in (self.a, self.b):
            node.process.send_signal(signal.SIGIO)
        (self.here / "file").write_text("file")
        self.migrate(self.here / "file")
        for node in (self.a, self.b):
            self.assertIsNone(node.process.poll())

    def test_a_file_that_is_open_for_writing_is_refused_unless_forced(self):
        path = self.here / "log"
        path.write_text("half")
        with path.open("a"):
            self.assertIn("open for writing", self.migrate(path, status=CHANGED))
            self.assertFalse((self.there / "log").exists())
            self.migrate(path, options=["--force"])
        self.assertEqual((self.there / "log").read_text(), "half")

    @unittest.skipIf(os.geteuid() == 0, "SKIPPED: root reads everything")
    def test_what_cannot_be_read_is_an_error(self):
        (self.here / "tree").mkdir()
        (self.here / "tree/x").write_text("x")
        (self.here / "tree/x").chmod(0)
        self.assertIn("tree/x", self.migrate(self.here / "tree", status=DENIED))

    def test_a_destination_that_is_not_there_or_no_directory(self):
        (self.here / "x").write_text("x")
        (self.there / "file").write_text("x")
        self.migrate(self.here / "x", to=self.there / "missing", status=NOT_FOUND)
        self.assertNotEqual(subprocess.run(self.command([self.here / "x"], self.there / "file"), capture_output=True).returncode, 0)
        self.migrate("relative", status=INVALID)
        self.migrate(self.here / "x", self.here / "sub/x", status=INVALID)


class FilesOverSharedMemoryTest(FilesTest):
    """The same over a provider of the other kind."""

    listen = f"shm://godwit-test-{os.getpid()}-{{number}}"


def load_tests(loader, _, __):
    """Over shared memory only what depends on how bytes travel."""
    suite = loader.loadTestsFromTestCase(FilesTest)
    for name in ("test_a_tree_with_everything_arrives_as_it_was", "test_single_files_and_lists_of_them"):
        suite.addTest(FilesOverSharedMemoryTest(name))
    return suite


if __name__ == "__main__":
    unittest.main(verbosity=2)
