#!/usr/bin/env python3
"""godwit-h5stage: what goes into regions of several nodes comes back as it was, from other ranks; what cannot is refused, and leaves nothing."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "node"), str(HERE.parent / "scenario")]
import bulk_runs  # noqa: E402
import cli_node  # noqa: E402

BINARIES = bulk_runs.BINARIES
PROGRAM = BINARIES / "godwit-h5stage"
SECONDS = 60 * cli_node.PATIENCE
NOBODY = 65534
MIB = 1 << 20
MPI = {**os.environ, **bulk_runs.MPI}
# What another file of the same content may have otherwise.
ELSEWHERE = re.compile(r'^HDF5 "|^ +(OFFSET|SIZE) |H5D_ALLOC_TIME_(EARLY|INCR)$|(DATASET|GROUP) [0-9]+ "/')


def make(kind, path):
    subprocess.run([BINARIES / "make_h5stage_files", kind, path], check=True, timeout=SECONDS)
    return path


def children_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def pid_of_rank(launcher, rank):
    for pid in children_of(launcher):
        try:
            if f"OMPI_COMM_WORLD_RANK={rank}".encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                return pid
        except OSError:
            pass
    raise AssertionError(f"no rank {rank} below {launcher}")


class H5stageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="godwit-test.")))
        cls.place.chmod(0o755)
        cls.all, cls.large = make("all", cls.place / "all.h5"), make("large", cls.place / "large.h5")

        cls.nodes = []
        for kind in ("pmem", "dram"):
            node = cli_node.Node(BINARIES, [cli_node.target("keep", kind, "128MiB"), cli_node.target("small", "dram", "8MiB")])
            cls.addClassCleanup(node.close)
            cls.nodes.append(node)
        cls.addresses = ",".join(node.address for node in cls.nodes)
        cls.keep = ("--to", cls.addresses, "--target", "keep")

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="godwit-test.")))

    def tearDown(self):
        for node in self.nodes:
            if node.process.poll() is not None:
                node.start()
            if ids := [region["id"] for region in self.regions(node)]:
                self.godwit("region", "rm", *ids, node=node)

    # ---- what the tests are made of

    def command(self, ranks, *words):
        """0 ranks: one, without mpirun, which is sooner there."""
        if ranks == 0:
            return [PROGRAM, *map(str, words)]
        return ["mpirun", "-n", str(ranks), "--oversubscribe", PROGRAM, *map(str, words)]

    def stage(self, ranks, *words, expect=0, told=()):
        done = subprocess.run(self.command(ranks, *words), capture_output=True, text=True, timeout=2 * SECONDS, env=MPI)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        for text in [told] if isinstance(told, str) else told:
            self.assertIn(text, done.stderr)
        if expect:
            self.assertEqual(done.stderr.count("godwit-h5stage: "), 1, done.stderr)
            self.assertIn("what to do: ", done.stderr)
        return done.stdout

    def bring(self, source, *words, ranks=2):
        return self.stage(ranks, "in", source, *self.keep, *words)

    def take(self, name, *words, ranks=2):
        path = self.directory / f"{name}.out.h5"
        self.stage(ranks, "out", name, path, "--from", self.addresses, *words)
        return path

    def regions(self, node):
        done = subprocess.run([BINARIES / "godwit", "region", "ls", "--json", "--node", node.address], capture_output=True, check=True,
                              timeout=SECONDS)
        return json.loads(done.stdout)

    def all_regions(self):
        return [region["name"] for node in self.nodes for region in self.regions(node)]

    def stages(self):
        return json.loads(self.stage(0, "list", "--json", "--from", self.addresses))

    def dump(self, path, *how):
        done = subprocess.run(["h5dump", *how, path], capture_output=True, text=True, timeout=SECONDS, check=True)
        return [line for line in done.stdout.splitlines() if not ELSEWHERE.search(line)]

    def assert_alike(self, one, other, *objects):
        alone = [] if objects else ["--exclude-path", "/types/time"]  # A type that h5diff does not know.
        done = subprocess.run(["h5diff", *alone, one, other, *objects], capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        told = subprocess.run(["h5diff", "-v", one, other, *objects], capture_output=True, text=True, timeout=SECONDS).stdout
        self.assertNotRegex(told, r"\b[1-9][0-9]* differences found")
        strange = [line for line in told.splitlines() if line.startswith("Not comparable") and "is an empty dataset" not in line and "H5T_TIME" not in line]
        self.assertEqual(strange, [])

    # ---- there and back

    def test_every_kind_comes_back_as_it_was(self):
        self.bring(self.all, "--verify", ranks=4)
        back = self.take("all", ranks=3)
        self.assert_alike(self.all, back)
        for how in (["-p", "-H"], ["-A"], ["-n", "1"], ["-q", "creation_order", "-H"], ["-d", "/types/committed"]):
            self.assertEqual(self.dump(self.all, *how), self.dump(back, *how), how)
        self.assertEqual(self.all.read_bytes()[:512], back.read_bytes()[:512])
        self.assertTrue(back.read_bytes().startswith(b"#!/usr/bin/env a user block\n"))
        # Each reference leads to what it led to.
        self.assertEqual(subprocess.run(["h5dump", "-A", "-d", "/layouts/contiguous", back], capture_output=True, text=True).stdout.count('"/types/enum"'), 2)
        # Once more, of what came back.
        self.bring(back, "--name", "again", ranks=1)
        self.assert_alike(self.all, self.take("again", ranks=5))

    def test_a_dataset_larger_than_all_buffers_is_spread_over_the_nodes(self):
        self.bring(self.large, "--buffer", "64KiB", "--part", "5MiB", ranks=3)
        sizes = [sum(region["size_bytes"] for region in self.regions(node)) for node in self.nodes]
        self.assertEqual(sum(len(self.regions(node)) for node in self.nodes), 11 + 6 + 1)
        self.assertLess(abs(sizes[0] - sizes[1]), 10 * MIB)
        back = self.take("large", ranks=4)
        self.assert_alike(self.large, back)
        self.assertEqual(self.dump(self.large, "-p", "-H"), self.dump(back, "-p", "-H"))
        self.assertLess(abs(self.large.stat().st_size - back.stat().st_size), MIB, "chunks are written once")

    def test_only_what_is_named_is_taken(self):
        self.bring(f"{self.all}:layouts/gzip\\,comma,/links", "--name", "some")
        back = self.take("some")
        names = [line.split()[-1] for line in self.dump(back, "-n", "0")]
        self.assert_alike(self.all, back, "/layouts/gzip,comma")
        listed = "\n".join(self.dump(back, "-n", "0"))
        for name in ("/layouts/gzip,comma", "/links/hard", "/links/soft", "/links/a group"):
            self.assertIn(name, listed)
        for name in ("/types", "/layouts/early", "/the same group"):
            self.assertNotIn(name, listed)
        self.assertTrue(names)

    def test_it_comes_back_from_where_it_has_moved_to(self):
        self.bring(self.all)
        source, destination = self.nodes
        subprocess.run([BINARIES / "godwit", "migrate", "region", "--all", "--from", source.address, "--to", destination.address, "--target", "keep"],
                       check=True, capture_output=True, timeout=SECONDS)
        self.assertEqual(self.regions(source), [])
        self.assert_alike(self.all, self.take("all"))
        path = self.directory / "from there.h5"
        self.stage(2, "out", "all", path, "--from", destination.address)
        self.assert_alike(self.all, path)

    def test_stages_are_listed_and_erased(self):
        self.bring(self.all)
        self.stage(0, "in", self.all, *self.keep, "--name", "other")
        self.assertEqual([(one["name"], one["is_finished"]) for one in self.stages()], [("all", True), ("other", True)])
        self.stage(0, "rm", "all", "--from", self.addresses)
        self.assertEqual([one["name"] for one in self.stages()], ["other"])
        self.stage(0, "rm", "all", "--from", self.addresses, expect=3, told="no stage 'all'")
        self.stage(0, "out", "all", self.directory / "x.h5", "--from", self.addresses, expect=3, told="no stage 'all'")

    def test_a_run_leaves_a_report(self):
        report = self.directory / "report.json"
        self.bring(self.large, "--report", report)
        told = json.loads(report.read_text())
        self.assertEqual((told["tool"], told["stage"]["datasets"], told["stage"]["bytes"]), ("godwit-h5stage", 2, 72 * MIB))
        self.assertEqual(told["measurements"][0]["size_bytes"], 72 * MIB)
        self.assertRegex(told["libraries"]["libfabric"], r"^\d+\.\d+$")
        self.assertRegex(told["libraries"]["hdf5"], r"^\d+\.\d+\.\d+$")
        self.assertIn("MPI", told["libraries"]["mpi"])
        page = self.directory / "page.html"
        subprocess.run([BINARIES / "godwit-report", report, "-o", page], check=True, timeout=SECONDS)
        self.assertIn("h5stage", page.read_text())

    # ---- what is refused

    def test_what_cannot_travel_is_refused_before_anything_is_made(self):
        why = {"vlen": "its type is of variable length", "text": "its type is a string of variable length", "reference": "its type is a reference",
               "compound": "its type, a compound, has in it what is a string of variable length", "external": "external files",
               "virtual": "virtual dataset"}
        for kind, text in why.items():
            with self.subTest(kind=kind):
                path = make(kind, self.directory / f"{kind}.h5")
                self.stage(0, "in", path, *self.keep, expect=2, told=(f"dataset /deep/{kind} cannot travel: ", text))
        self.assertEqual(self.all_regions(), [])

    def test_files_that_cannot_be_read_are_told(self):
        nothing, text, cut = (self.directory / name for name in ("nothing.h5", "text.h5", "cut.h5"))
        text.write_text("no HDF5" * 1000)
        cut.write_bytes(self.all.read_bytes()[:700_000])
        self.stage(0, "in", nothing, *self.keep, expect=3, told=(str(nothing), "No such file"))
        self.stage(0, "in", text, *self.keep, expect=14, told=f"{text} is no HDF5 file")
        self.stage(2, "in", cut, *self.keep, expect=14, told=(str(cut), "truncated file"))
        self.stage(0, "in", self.directory, *self.keep, expect=14, told="is no HDF5 file")
        for name in ("/layouts/nosuch", "/layouts/early/below", "/links/soft"):
            self.stage(0, "in", f"{self.all}:{name}", *self.keep, expect=3, told=name)
        if os.geteuid() != 0:
            text.chmod(0)
            self.stage(0, "in", text, *self.keep, expect=11, told="Permission denied")
        self.assertEqual(self.all_regions(), [])

    def test_a_file_that_somebody_writes_is_told(self):
        path = self.directory / "open.h5"
        with subprocess.Popen([BINARIES / "make_hdf5", path, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            self.stage(0, "in", path, *self.keep, expect=7, told="which somebody is writing")
            writer.stdin.close()

    def test_a_damaged_chunk_leaves_nothing(self):
        bad = self.directory / "bad.h5"
        content = bytearray(self.large.read_bytes())
        for at in range(300_000, 1_500_000, 50_000):  # Amid the compressed chunks, or in the middle of numbers.
            content[-at] ^= 0xff
        bad.write_bytes(content)
        self.stage(3, "in", f"{bad}:/packed", *self.keep, expect=11, told="reading dataset /packed")
        self.assertEqual(self.all_regions(), [])

    def test_a_damaged_index_is_no_dataset_without_data(self):
        bad = self.directory / "bad.h5"
        content = self.large.read_bytes()
        self.assertIn(b"TREE\x01", content)  # Nodes of the B-trees of chunks.
        bad.write_bytes(content.replace(b"TREE\x01", b"tree\x01"))
        self.stage(2, "in", f"{bad}:/packed", *self.keep, expect=11, told="/packed")
        self.assertEqual(self.all_regions(), [])

    def test_a_group_of_two_names_is_not_taken_in_part(self):
        twice = make("twice", self.directory / "twice.h5")
        for paths in ("/a/x,/b", "/a/x,/b/y", "/a,/b/y"):
            self.stage(0, "in", f"{twice}:{paths}", *self.keep, expect=2, told="another name")
        self.bring(f"{twice}:/a,/b")
        self.assert_alike(twice, self.take("twice"))

    def test_what_is_there_is_not_replaced_unless_told(self):
        self.bring(self.all)
        self.stage(0, "in", self.all, *self.keep, expect=4, told="stage 'all' is there already")
        self.stage(0, "in", self.large, "--to", self.addresses, "--target", "small", "--name", "all", "--force", expect=5, told="no room")
        self.assert_alike(self.all, self.take("all"))
        (self.directory / "all.out.h5").unlink()
        self.bring(self.large, "--name", "all", "--force")
        back = self.take("all")
        self.assert_alike(self.large, back)
        self.stage(0, "out", "all", back, "--from", self.addresses, expect=4, told=f"{back} is there already")
        back.write_text("old")
        self.assert_alike(self.large, self.take("all", "--force"))
        self.assertEqual([path.name for path in self.directory.iterdir()], [back.name])
        self.stage(0, "out", "all", self.directory / "no" / "such.h5", "--from", self.addresses, expect=11, told="No such file")

    def test_stages_of_one_name_at_two_nodes_are_not_mixed(self):
        for node, file in zip(self.nodes, (self.all, self.large)):
            self.stage(0, "in", file, "--to", node.address, "--target", "keep", "--name", "one")
        self.stage(0, "out", "one", self.directory / "x.h5", "--from", self.addresses, expect=4, told="several stages 'one'")
        for node, file in zip(self.nodes, (self.all, self.large)):
            back = self.directory / f"{node.process.pid}.h5"
            self.stage(0, "out", "one", back, "--from", node.address)
            self.assert_alike(file, back)

    def test_names_and_targets_that_are_wrong_are_told(self):
        self.stage(0, "in", self.all, "--to", self.addresses, expect=2, told=("several targets", "keep, small"))
        self.stage(0, "in", self.all, "--to", self.addresses, "--target", "nosuch", expect=3, told="nosuch")
        self.stage(0, "in", self.all, *self.keep, "--name", "x.h5stage", expect=2, told="--name")
        self.stage(2, "in", self.all, "--to", "tcp://127.0.0.1:1", "--target", "keep", expect=8, told="127.0.0.1:1")
        done = subprocess.run(self.command(0, "in", self.all), capture_output=True, text=True, env=MPI, timeout=SECONDS)
        self.assertEqual((done.returncode, "--to is required" in done.stderr), (2, True), done.stderr)

    def test_only_a_file_that_a_run_has_left_is_written_over(self):
        self.bring(self.all)
        mine = self.directory / "mine"
        mine.write_text("precious")
        path = self.directory / "out.h5"
        (self.directory / ".out.h5.h5stage-part").hardlink_to(mine)
        self.stage(0, "out", "all", path, "--from", self.addresses, expect=17, told="no file that an earlier run has left")
        self.assertEqual((mine.read_text(), path.exists()), ("precious", False))
        path.mkdir()
        self.stage(0, "out", "all", path, "--from", self.addresses, "--force", expect=4, told="is a directory")

    # ---- what fails on the way

    def test_a_full_target_is_told_and_everything_made_is_erased(self):
        self.stage(4, "in", self.large, "--to", self.addresses, "--target", "small", expect=5, told="no room for")
        self.assertEqual(self.all_regions(), [])
        # Room in all, but not in one place: that shows when the regions are made.
        node = self.nodes[1]
        for name, size in (("a", "3MiB"), ("b", "1MiB"), ("c", "3MiB")):
            self.godwit("region", "create", name, "--size", size, "--target", "small", node=node)
        self.godwit("region", "rm", "a", "c", node=node)
        self.stage(4, "in", self.all, "--to", self.nodes[1].address, "--target", "small", "--name", "fits")
        self.stage(0, "rm", "fits", "--from", self.addresses)
        part = make("five", self.directory / "five.h5")
        self.stage(4, "in", part, "--to", node.address, "--target", "small", expect=5, told="small")
        self.assertEqual(self.all_regions(), ["b"])

    def godwit(self, *words, node):
        done = subprocess.run([BINARIES / "godwit", *words, "--node", node.address], capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)

    def run_until(self, ready, act, *words, ranks=3):
        """Starts a run, does `act` with its launcher's process id when `ready`, and waits for its end, which is no good one."""
        with subprocess.Popen(self.command(ranks, *words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=MPI) as run:
            deadline = time.monotonic() + SECONDS
            while not ready():
                self.assertIsNone(run.poll(), "it ended before anything could be done to it")
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.005)
            act(run.pid)
            _, errors = run.communicate(timeout=2 * SECONDS)
            self.assertNotEqual(run.returncode, 0)
            return run.returncode, errors

    def kill_rank(self, rank):
        """While a node keeps silent, so that the run cannot end meanwhile."""
        def kill(launcher):
            os.kill(self.nodes[0].process.pid, signal.SIGSTOP)
            try:
                os.kill(pid_of_rank(launcher, rank), signal.SIGKILL)
            finally:
                os.kill(self.nodes[0].process.pid, signal.SIGCONT)
        return kill

    def made(self):
        """Whether there is a region that is not there now. Asks one node only: the run goes on meanwhile."""
        def ids():
            return {region["id"] for region in self.regions(self.nodes[1])}
        before = ids()
        return lambda: bool(ids() - before)

    def test_a_killed_rank_leaves_no_stage_and_the_next_run_makes_one(self):
        slow = ("in", self.large, *self.keep, "--buffer", "4KiB")
        for rank in (2, 0):
            self.run_until(self.made(), self.kill_rank(rank), *slow, *(["--force"] if rank == 0 else []))
            self.assertNotIn("large.h5stage", self.all_regions())
        self.assertEqual([(one["name"], one["is_finished"]) for one in self.stages()], [("large", False)])
        self.stage(0, "out", "large", self.directory / "x.h5", "--from", self.addresses, expect=3, told="unfinished")
        self.stage(0, "in", self.large, *self.keep, expect=4, told=("unfinished stage 'large'", "--force"))
        self.bring(self.large, "--force")
        self.assert_alike(self.large, self.take("large"))

    def test_a_killed_rank_leaves_no_file_and_the_next_run_makes_one(self):
        self.bring(self.large, "--buffer", "4KiB")
        path = self.directory / "large.out.h5"
        part = self.directory / ".large.out.h5.h5stage-part"
        self.run_until(part.exists, self.kill_rank(1), "out", "large", path, "--from", self.addresses)
        self.assertFalse(path.exists())
        self.assert_alike(self.large, self.take("large"))
        self.assertFalse(part.exists())

    def test_a_node_that_dies_ends_the_run_and_leaves_nothing_elsewhere(self):
        def kill_node(_):
            self.nodes[0].kill()
        both = lambda: all(self.regions(node) for node in self.nodes)
        code, errors = self.run_until(both, kill_node, "in", self.large, *self.keep, "--buffer", "4KiB")
        self.assertEqual(code, 8, errors)
        self.assertIn("could not be erased", errors)
        self.assertEqual(self.regions(self.nodes[1]), [])
        self.nodes[0].start()
        self.bring(self.large, "--buffer", "4KiB", "--force")
        path = self.directory / "large.out.h5"
        part = self.directory / ".large.out.h5.h5stage-part"
        code, errors = self.run_until(part.exists, kill_node, "out", "large", path, "--from", self.addresses)
        self.assertEqual(code, 8, errors)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_bytes_that_changed_are_not_given_out(self):
        self.bring(self.large)
        node = self.nodes[0]
        name = next(region["name"] for region in self.regions(node) if not region["name"].endswith(".h5stage"))
        other = self.directory / "other"
        other.write_bytes(b"x")
        self.godwit("region", "write", name, "--file", str(other), "--offset", "1000", node=node)
        other.unlink()
        self.stage(3, "out", "large", self.directory / "x.h5", "--from", self.addresses, expect=10, told=name)
        self.godwit("region", "rm", name, node=node)
        self.stage(3, "out", "large", self.directory / "x.h5", "--from", self.addresses, expect=3, told=name)
        self.assertEqual(list(self.directory.iterdir()), [])

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a small file system")
    def test_a_full_disk_is_told_and_leaves_no_file(self):
        self.stage(0, "in", f"{self.large}:/packed", *self.keep, "--name", "packed")
        self.stage(0, "in", f"{self.large}:/rows", *self.keep, "--name", "rows")
        disk = self.directory / "disk"
        disk.mkdir()
        # With one rank it fails in HDF5; with several MPI-IO writes for the others, and does not tell them.
        for name, ranks, size in (("packed", 0, "1m"), ("packed", 3, "1m"), ("packed", 3, "1900k"), ("rows", 0, "1m"), ("rows", 3, "1m")):
            with self.subTest(name=name, ranks=ranks, size=size):
                done = subprocess.run(["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size={size} tmpfs {disk}; "$@"; code=$?; ls -A {disk}; exit $code',
                                       "sh", *self.command(ranks, "out", name, disk / "out.h5", "--from", self.addresses)],
                                      capture_output=True, text=True, timeout=2 * SECONDS, env=MPI)
                self.assertEqual((done.returncode, done.stdout), (5, ""), done.stderr)
                self.assertIn("godwit-h5stage: no room for", done.stderr)
                self.assertIn("No space left on device", done.stderr)

    def test_nodes_are_named_as_slurm_does(self):
        ports = [node.address.rsplit(":", 1)[1] for node in self.nodes]
        names = self.directory / "names"
        names.write_text("# both\n127.0.0.1\n")
        self.stage(2, "in", self.all, "--to", f"127.0.0.[1-1]:{ports[0]},127.0.0.1:{ports[1]}", "--target", "keep")
        self.assertTrue(all(self.regions(node) for node in self.nodes))
        path = self.directory / "back.h5"
        self.stage(2, "out", "all", path, "--from", self.addresses)
        self.assert_alike(self.all, path)
        self.stage(0, "in", self.all, "--to", f"@{names}", "--port", ports[1], "--target", "keep", "--name", "one")
        self.assertIn("one.h5stage", [region["name"] for region in self.regions(self.nodes[1])])
        self.stage(0, "list", "--from", "127.0.0.1", expect=2, told="has no port")
        self.stage(2, "list", "--from", "n[1-", expect=2, told="a bracket does not close")
        self.stage(0, "list", "--from", "@/no/such/file", expect=11, told="/no/such/file")

    # ---- one in the place of another

    def test_a_stage_stays_until_the_one_that_replaces_it_is_whole(self):
        self.bring(self.all)
        before = sorted(self.all_regions())
        bad = self.directory / "bad.h5"
        content = bytearray(self.large.read_bytes())
        for at in range(300_000, 1_500_000, 50_000):
            content[-at] ^= 0xff
        bad.write_bytes(content)
        self.stage(3, "in", f"{bad}:/packed", *self.keep, "--name", "all", "--force", expect=11, told="reading dataset /packed")
        bad.unlink()
        self.assertEqual(sorted(self.all_regions()), before)
        self.assert_alike(self.all, self.take("all"))
        # Killed, it is still there, and the next one clears up.
        self.run_until(self.made(), self.kill_rank(1), "in", self.large, *self.keep, "--buffer", "4KiB", "--name", "all", "--force")
        self.assertGreater(len(self.all_regions()), len(before))
        self.assert_alike(self.all, self.take("all", "--force"))
        self.bring(self.large, "--name", "all", "--force")
        self.assert_alike(self.large, self.take("all", "--force"))
        self.bring(self.all, "--force")
        self.assertEqual(len(self.all_regions()), len(before))
        self.assert_alike(self.all, self.take("all", "--force"))

    def test_a_run_that_was_killed_between_the_heads_has_replaced_it(self):
        self.bring(self.all)
        head = next((node, region) for node in self.nodes for region in self.regions(node) if region["name"] == "all.h5stage")
        copy = self.directory / "head"
        self.godwit("region", "export", "all.h5stage", str(copy), node=head[0])
        self.godwit("region", "import", str(copy), "--target", "keep", "--name", "all.h5stage.next", node=head[0])
        both = sorted(self.all_regions())
        self.assert_alike(self.all, self.take("all"))
        self.godwit("region", "rm", "all.h5stage", node=head[0])
        self.assertEqual([(one["name"], one["is_finished"]) for one in self.stages()], [("all", True)])
        self.assert_alike(self.all, self.take("all", "--force"))
        self.stage(0, "in", self.large, *self.keep, "--name", "all", expect=4, told="stage 'all' is there already")
        self.bring(self.all, "--force")
        self.assertEqual(len(self.all_regions()), len(both) - 1)
        self.assert_alike(self.all, self.take("all", "--force"))
        self.stage(0, "rm", "all", "--from", self.addresses)
        self.assertEqual(self.all_regions(), [])

    @unittest.skipUnless(cli_node.can_act_as(NOBODY, PROGRAM), "only root can become somebody else, if that may run it")
    def test_it_runs_as_a_user_too(self):
        home = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="godwit-test.")))
        os.chown(home, NOBODY, NOBODY)
        file = shutil.copy(self.all, home / "all.h5")
        os.chmod(file, 0o644)
        environment = {name: value for name, value in MPI.items() if "ROOT" not in name}
        for words in (("in", file, *self.keep), ("out", "all", home / "back.h5", "--from", self.addresses)):
            done = subprocess.run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *self.command(2, *words)],
                                  capture_output=True, text=True, timeout=SECONDS, cwd=home, env={**environment, "HOME": str(home), "TMPDIR": str(home)})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_alike(file, home / "back.h5")
        self.assertEqual((home / "back.h5").stat().st_uid, NOBODY)


if __name__ == "__main__":
    unittest.main()
