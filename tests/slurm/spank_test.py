#!/usr/bin/env python3
"""srun --godwit-stage-in and --godwit-stage-out on a real Slurm, whose jobs have their daemons."""
import os
import pathlib
import sys
import unittest

import slurm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
PLUGIN = BINARIES.parent / "lib/spank_godwit.so"


class SpankTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.user = slurm.usable_user(BINARIES / "godwit") if os.geteuid() == 0 else None
        cls.cluster = slurm.Slurm(nodes=2, more=slurm.HOOKS, prepare=cls.prepare,
                                  plugstack=f"optional {PLUGIN} storage=@STORAGE@ helper=@D@/etc/godwit-node\n")
        cls.addClassCleanup(cls.cluster.close)

    @classmethod
    def prepare(cls, directory):
        slurm.install_scripts(directory, BINARIES)
        cls.projects = directory / "projects"
        cls.projects.mkdir()
        if cls.user:
            os.chown(cls.projects, cls.user.pw_uid, cls.user.pw_gid)
        cls.storage = cli_node.Node(BINARIES, [], {"identity": slurm.identity(directory), "file_roots": [{"path": str(cls.projects)}]}, user=cls.user)
        cls.addClassCleanup(cls.storage.close)
        plugstack = directory / "etc/plugstack.conf"
        plugstack.write_text(plugstack.read_text().replace("@STORAGE@", cls.storage.address))

    def srun(self, *arguments):
        return self.cluster.run("srun", "--mpi=none", *arguments, user=self.user, check=False)

    def all_nodes_work(self):
        self.assertTrue(slurm.until(lambda: self.cluster.idle() == ["n1", "n2"], 30 * slurm.PATIENCE), self.cluster.logs())

    def test_each_node_gets_its_files_before_its_tasks_and_brings_results(self):
        (self.projects / "in").mkdir()
        (self.projects / "in/data").write_text("staged")
        done = self.srun("--nodes=2", "--ntasks=4", f"--godwit-stage-in={self.projects}/in:deep/er",
                         f"--godwit-stage-out=out.%n:{self.projects}", "sh", "-c",
                         'cat "$GODWIT_FILES/deep/er/in/data" && mkdir -p "$GODWIT_FILES/out.$SLURMD_NODENAME" && '
                         'id -u >"$GODWIT_FILES/out.$SLURMD_NODENAME/$SLURM_PROCID"')
        self.assertEqual((done.returncode, done.stdout), (0, "staged" * 4), done.stderr)
        uid = self.user.pw_uid if self.user else os.geteuid()
        results = {str(path.relative_to(self.projects)): path.read_text() for path in self.projects.glob("out.*/*")}
        self.assertEqual(results, {f"out.n{1 + rank // 2}/{rank}": f"{uid}\n" for rank in range(4)})
        self.all_nodes_work()

    def test_without_its_files_no_task_begins(self):
        done = self.srun("--ntasks=2", "--nodes=1", f"--godwit-stage-in={self.projects}/nothing:.", "echo", "begun")
        self.assertEqual((done.returncode, done.stdout), (3, ""), done.stderr)  # As godwit: not found.
        self.assertIn("GODWIT_ERR_NOT_FOUND", done.stderr)
        self.all_nodes_work()

    def test_results_that_do_not_go_are_told(self):
        done = self.srun("--ntasks=1", f"--godwit-stage-out=nothing:{self.projects}", "echo", "begun")
        self.assertEqual(done.stdout, "begun\n")
        self.assertIn("--godwit-stage-out=nothing:", done.stderr)
        self.assertIn("GODWIT_ERR_NOT_FOUND", done.stderr)
        self.all_nodes_work()

    def test_without_a_daemon_it_is_told(self):
        broken = self.cluster.directory / "etc/broken"
        broken.touch()
        self.addCleanup(broken.unlink)
        done = self.srun("--ntasks=1", f"--godwit-stage-in={self.projects}/in:.", "echo", "begun")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no daemon here: godwitd did not start", done.stderr)
        self.all_nodes_work()

    def test_a_mistake_is_told_before_anything_starts(self):
        for option in ("--godwit-stage-in=no-colon", "--godwit-stage-in=:directory", "--godwit-stage-out=result:relative"):
            done = self.srun("--ntasks=1", option, "echo", "begun")
            self.assertNotEqual(done.returncode, 0, option)
            self.assertEqual(done.stdout, "")
            self.assertIn(f"{option}: it takes SOURCE:DIRECTORY", done.stderr)

    def test_who_does_not_ask_is_left_alone(self):
        done = self.srun("--ntasks=2", "echo", "begun")
        self.assertEqual((done.returncode, done.stdout), (0, "begun\n" * 2), done.stderr)


if __name__ == "__main__":
    slurm.require()
    if not PLUGIN.exists():
        slurm.skip("the plugin was not built: there is no slurm/spank.h (libslurm-dev)")
    unittest.main(verbosity=2)
