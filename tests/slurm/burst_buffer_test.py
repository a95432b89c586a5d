#!/usr/bin/env python3
"""burst_buffer.lua in a real Slurm: directives stage files in before a job begins and out after it has ended."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import slurm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])


class BurstBufferTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.user = slurm.usable_user("/usr/bin/sbatch") if os.geteuid() == 0 else slurm.pwd.getpwuid(os.geteuid())
        cls.cluster = slurm.Slurm(nodes=1, more="BurstBufferType=burst_buffer/lua\n", prepare=cls.prepare)
        cls.addClassCleanup(cls.cluster.close)

    @classmethod
    def prepare(cls, directory):
        """A site: projects and a buffer with a directory for each user, a daemon for each, and the settings that name them."""
        cls.projects, cls.buffer = ((directory / kind / cls.user.pw_name) for kind in ("projects", "buffer"))
        cls.others = directory / "projects/somebody"
        for path in (cls.projects, cls.buffer, cls.others, directory / "bb_state"):
            path.mkdir(parents=True)
        for path in (cls.projects, cls.buffer):
            os.chown(path, cls.user.pw_uid, cls.user.pw_gid)
        nodes = []
        for kind in ("projects", "buffer"):
            nodes.append(cli_node.Node(BINARIES, [], {"file_roots": [{"path": str(path)} for path in (directory / kind).iterdir()],
                                                      "identity": slurm.identity(directory)}))
            cls.addClassCleanup(nodes[-1].close)
        for node in nodes:  # Users may migrate between the members of a group.
            node.terminate()
            config = json.loads(node.config.read_text())
            node.config.write_text(json.dumps({**config, "group": {"members": [one.address for one in nodes]}}))
            node.start()
        cls.storage = nodes[0]
        (directory / "etc/godwit").mkdir()
        shutil.copy(ROOT / "slurm/burst_buffer.lua", directory / "etc/godwit")
        # A site that has one of its own, too.
        (directory / "etc/burst_buffer.lua").write_text(
            f'local godwit = dofile("{directory}/etc/godwit/burst_buffer.lua")\n'
            f'function slurm_bb_pre_run(...) io.open("{directory}/own", "w"):close() return godwit.pre_run(...) end\n')
        (directory / "etc/godwit/godwit_burst_buffer.conf").write_text(
            f'return {{ bin = "{BINARIES}", storage = "{nodes[0].address}", buffer = "{nodes[1].address}", state_dir = "{directory}/bb_state",\n'
            f'  munge_socket = "{directory}/munge/socket",\n'
            f'  allowed = {{ "{directory}/projects/%u", "{directory}/buffer/%u" }} }}\n')

    def script(self, *lines):
        path = self.cluster.directory / "jobs/job.sh"
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)
        return path

    def submit(self, *lines):
        job = self.cluster.submit(self.script(*lines), user=self.user)
        self.addCleanup(self.cluster.cancel, job)
        return job

    def godwit(self, *arguments):
        """Asks the storage node."""
        return subprocess.run([BINARIES / "godwit", *arguments, "--node", self.storage.address], check=True, capture_output=True, text=True,
                              timeout=60 * slurm.PATIENCE, env={**os.environ, **self.cluster.proof()}).stdout

    def is_forgotten(self, job):
        self.assertTrue(slurm.until(lambda: not [*(self.cluster.directory / "bb_state").glob(f"{job}*")], 30 * slurm.PATIENCE),
                        self.cluster.logs())

    def test_files_go_in_and_results_come_out(self):
        (self.projects / "in").mkdir()
        (self.projects / "in/data").write_text("staged\n")
        job = self.submit(f"#BB_LUA godwit stage_in source={self.projects}/in destination={self.buffer}",
                          f"#BB_LUA godwit stage_out source={self.buffer}/out destination={self.projects}",
                          f'mkdir {self.buffer}/out && tr a-z A-Z <"$GODWIT_STAGED_1/data" >{self.buffer}/out/result',
                          'echo "buffer $GODWIT_BUFFER"')
        self.cluster.await_end(job)
        self.assertIn("buffer tcp://127.0.0.1:", self.cluster.output(job))
        self.assertTrue(slurm.until((self.projects / "out").exists), self.cluster.logs())
        self.assertEqual((self.projects / "out/result").read_text(), "STAGED\n")
        for path in (self.buffer / "in/data", self.projects / "out/result"):
            self.assertEqual((path.stat().st_uid, path.stat().st_gid), (self.user.pw_uid, self.user.pw_gid), path)
        self.assertTrue((self.cluster.directory / "own").exists())  # The site's part.
        self.is_forgotten(job)

    def test_a_mistake_is_refused_at_submission(self):
        for directive, told in (("stage_in source=/a", "destination is missing"),
                                ("stage_in source=relative destination=/b", "source is not absolute"),
                                ("stage_in source=/a/../b destination=/b", "'..'"), ("stage_up source=/a destination=/b", "'stage_up'"),
                                ("stage_in source=/a destination=/b more=c", "'more=c'")):
            done = self.cluster.run("sbatch", self.script(f"#BB_LUA godwit {directive}", "true"), user=self.user, check=False)
            self.assertNotEqual(done.returncode, 0, directive)
            self.assertIn(told, done.stderr)

    def test_another_users_files_do_not_come(self):
        (self.others / "secret").write_text("not yours")
        (self.projects / "link").symlink_to(self.others)
        for source, told in ((self.others / "secret", "is_not_below"), (self.projects / "link/secret", "GODWIT_ERR_DENIED")):
            job = self.submit(f"#BB_LUA godwit stage_in source={source} destination={self.buffer}", "true")
            self.assertTrue(slurm.until(lambda: told in self.cluster.job(job)["Reason"], 15 * slurm.PATIENCE),
                            self.cluster.job(job)["Reason"] + self.cluster.logs())
            self.assertEqual(self.cluster.job(job)["JobState"], "PENDING")
            self.cluster.run("scancel", job)
            self.cluster.await_end(job, "CANCELLED")
            self.is_forgotten(job)
        self.assertFalse((self.buffer / "secret").exists())
        self.assertNotIn("not yours", "".join(path.read_text() for path in self.buffer.rglob("*") if path.is_file()))

    def stays(self, told, *lines):
        """A job of these lines, whose files cannot come: the reason has this in it. It is gone afterwards."""
        job = self.submit(*lines, "true")
        self.assertTrue(slurm.until(lambda: told in self.cluster.job(job)["Reason"], 15 * slurm.PATIENCE),
                        self.cluster.job(job)["Reason"] + self.cluster.logs())
        self.cluster.run("scancel", job)
        self.cluster.await_end(job, "CANCELLED")
        self.is_forgotten(job)

    @unittest.skipIf(os.geteuid() != 0, "only root has files that the job's user may not read")
    def test_files_that_the_user_may_not_read_or_write_do_not_come(self):
        closed, kept = self.projects / "closed", self.buffer / "kept"
        closed.write_text("root's")
        closed.chmod(0o600)
        (self.projects / "mine").write_text("mine")
        kept.mkdir(mode=0o755)  # Both are root's.
        self.stays("Permission_denied", f"#BB_LUA godwit stage_in source={closed} destination={self.buffer}")
        self.stays("Permission_denied", f"#BB_LUA godwit stage_in source={self.projects}/mine destination={kept}")
        self.assertFalse((self.buffer / "closed").exists())
        self.assertEqual([*kept.iterdir()], [])

    def test_a_cancelled_job_stops_to_stage_in(self):
        (self.projects / "large").write_bytes(bytes(16 << 20))
        self.godwit("limit", "64KiB/s")
        self.addCleanup(self.godwit, "limit", "0")
        job = self.submit(f"#BB_LUA godwit stage_in source={self.projects}/large destination={self.buffer}", "true")
        running = lambda: [one for one in json.loads(self.godwit("job", "ls", "--json")) if not one["ended"]]
        self.assertTrue(slurm.until(running), self.cluster.logs())
        self.cluster.run("scancel", job)
        self.cluster.await_end(job, "CANCELLED")
        self.is_forgotten(job)
        self.assertTrue(slurm.until(lambda: not running(), 30 * slurm.PATIENCE))
        self.assertFalse((self.buffer / "large").exists())
        self.assertTrue((self.projects / "large").exists())


@unittest.skipIf(os.geteuid() != 0, "only root can make another user SlurmUser")
class AnotherSlurmUserTest(unittest.TestCase):
    def test_it_works_for_nobody_else_unless_it_is_told_how(self):
        user, slurm_user = (slurm.pwd.getpwnam(name) for name in ("nobody", "daemon"))

        def prepare(directory):
            (directory / "bb_state").mkdir()
            shutil.copy(ROOT / "slurm/burst_buffer.lua", directory / "etc")
            (directory / "etc/godwit_burst_buffer.conf").write_text(
                f'return {{ storage = "tcp://127.0.0.1:1", buffer = "tcp://127.0.0.1:1", state_dir = "{directory}/bb_state", allowed = {{ "/a" }} }}\n')
            for path in ("bb_state", "state"):
                os.chown(directory / path, slurm_user.pw_uid, slurm_user.pw_gid)
        with slurm.Slurm(nodes=1, more=f"BurstBufferType=burst_buffer/lua\nSlurmUser={slurm_user.pw_name}\n", prepare=prepare) as cluster:
            job = cluster.submit("--bb=#BB_LUA godwit stage_in source=/a/b destination=/a/c", "--wrap", "true", user=user)
            self.assertTrue(slurm.until(lambda: f"SlurmUser_cannot_act_as_{user.pw_name}" in cluster.job(job)["Reason"], 15 * slurm.PATIENCE),
                            cluster.job(job)["Reason"] + cluster.logs())
            cluster.cancel(job)


if __name__ == "__main__":
    slurm.require()
    if os.geteuid() == 0 and slurm.usable_user("/usr/bin/sbatch") is None:
        slurm.skip("Slurm does not let root use a burst buffer, and there is neither nobody nor daemon here")
    unittest.main(verbosity=2)
