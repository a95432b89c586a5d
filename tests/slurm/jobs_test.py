#!/usr/bin/env python3
"""Jobs of a real Slurm with a daemon of their own on each node: the scripts and templates of slurm/, as a site would use them.

Where the test is run by root, Slurm is root's and the jobs are another user's, as at a site; else both are ours.
"""
import hashlib
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import struct
import subprocess
import sys
import unittest

import slurm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
TEMPLATES = ROOT / "slurm/templates"
HEADER_BYTES = 32  # Of a region of heat3d_mpi.
MIB = 1 << 20

def heat(points, steps, field):
    """The field after these steps, by the definition: the same operations in the same order as the simulation's."""
    n, plane = points, points * points
    for _ in range(steps):
        u, field = field, list(field)
        for x in range(1, n - 1):
            for y in range(1, n - 1):
                for z in range(x * plane + y * n + 1, x * plane + y * n + n - 1):
                    field[z] = u[z] + 0.125 * (u[z - 1] + u[z + 1] + u[z - n] + u[z + n] + u[z - plane] + u[z + plane] - 6.0 * u[z])
    return field


class SlurmTest:
    @classmethod
    def setUpClass(cls):
        cls.user = None
        if os.geteuid() == 0:
            cls.user = slurm.usable_user(BINARIES / "godwit")
            if cls.user is None:
                print(f"the jobs are root's: no other user may read {BINARIES}", flush=True)
        cls.cluster = slurm.Slurm(more=slurm.HOOKS, prepare=lambda directory: slurm.install_scripts(directory, BINARIES))
        cls.addClassCleanup(cls.cluster.close)
        cls.directory = cls.cluster.directory
        cls.storage_files = cls.directory / "storage"
        cls.storage_files.mkdir()
        if cls.user:
            os.chown(cls.storage_files, cls.user.pw_uid, cls.user.pw_gid)
        # A lasting one of the jobs' user: with the daemons of its jobs it believes that user.
        cls.storage = cls.lasting_node([cli_node.target("keep", "file")], {"file_roots": [{"path": str(cls.storage_files)}]}, cls.user)
        cls.addClassCleanup(cls.storage.close)
        cls.uid = cls.user.pw_uid if cls.user else os.geteuid()

    def setUp(self):
        self.addCleanup(self.nothing_is_left)

    # ---- what the tests are made of

    @classmethod
    def lasting_node(cls, targets, more=None, user=None):
        """One that does not go with a job; of this user, or of ours."""
        return cli_node.Node(BINARIES, targets, {"identity": slurm.identity(cls.directory), **(more or {})}, user=user)

    def submit(self, *arguments, user=None, **environment):
        job = self.cluster.submit(*map(str, arguments), user=user or self.user, environment={
            "PATH": f"{BINARIES}:{self.directory}/etc:{os.environ['PATH']}", "HOME": str(self.directory / "jobs"),
            "GODWIT_STORAGE": self.storage.address, **environment})
        self.addCleanup(self.cluster.cancel, job)
        return job

    def godwit(self, *arguments, node=None):
        done = subprocess.run([BINARIES / "godwit", *map(str, arguments), "--node", (node or self.storage).address],
                              capture_output=True, text=True, timeout=60 * slurm.PATIENCE,
                              env={**os.environ, **self.cluster.proof(self.user)})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def names(self, node, kind="region"):
        return sorted(thing["name"] for thing in json.loads(self.godwit(kind, "ls", "--json", node=node)))

    def export(self, region, node=None):
        path = self.directory / "exported"
        self.godwit("region", "export", region, path, "--force", node=node)
        data = path.read_bytes()
        path.unlink()
        return data

    def daemons(self, job):
        """The job's daemons: {node: pid}."""
        found = {}
        for pid, command in slurm.processes_with(str(self.directory / "run")).items():
            if command.startswith("godwitd ") and f"/{job}/godwitd.json" in command:
                found[command.split("/run/")[1].split("/")[0]] = pid
        return found

    def nothing_is_left(self):
        """Of any job, on any node: no daemon, no file."""
        left = [command for command in slurm.processes_with(str(self.directory / "run")).values() if command.startswith("godwitd ")]
        self.assertEqual(left, [])
        for kind in ("run", "local", "pmem"):
            self.assertEqual([str(path) for path in (self.directory / kind).glob("*/*")], [])

    def all_nodes_work(self):
        self.assertTrue(slurm.until(lambda: self.cluster.idle() == self.cluster.nodes), self.cluster.run("sinfo", "-N", "-l").stdout)


class Jobs(SlurmTest, unittest.TestCase):
    def test_staged_in_computed_moved_staged_out(self):
        points, steps = 20, 10
        field = [random.Random(1).uniform(0, 100) for _ in range(points**3)]
        (self.storage_files / "field").write_bytes(struct.pack(f"{points**3}d", *field))
        job = self.submit(TEMPLATES / "stage-in-run-stage-out.sbatch", INPUT=str(self.storage_files / "field"),
                          RESULTS=str(self.storage_files), POINTS=str(points), STEPS=str(steps))
        self.cluster.await_end(job)
        results = self.storage_files / f"heat-{job}"
        computed = b"".join((results / str(rank)).read_bytes()[HEADER_BYTES:] for rank in range(2))
        self.assertEqual(computed, struct.pack(f"{points**3}d", *heat(points, steps, field)), self.cluster.output(job))

    def test_a_killed_job_leaves_nothing(self):
        ready = self.directory / "jobs/ready"
        script = self.directory / "jobs/victim.sh"
        script.write_text("#!/bin/sh\n"
                          "srun sh -c 'set -e; dd if=/dev/zero of=$GODWIT_FILES/f bs=1M count=4; mkdir $GODWIT_FILES/d\n"
                          "godwit region import $GODWIT_FILES/f --target fast; godwit region import $GODWIT_FILES/f --target keep'\n"
                          f"touch {ready}\n"
                          "sleep 1000\n")
        job = self.submit("--nodes=2", "--nodelist=n1,n2", "--ntasks=2", script)
        self.cluster.await_state(job, "RUNNING")
        self.assertTrue(slurm.until(ready.exists), self.cluster.output(job) + self.cluster.logs())
        daemons = self.daemons(job)
        self.assertEqual(sorted(daemons), ["n1", "n2"])
        for pid in daemons.values():
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, self.uid)
        os.kill(daemons["n1"], signal.SIGSTOP)  # SIGTERM does not move it.
        self.cluster.run("scancel", job)
        self.cluster.await_end(job, "CANCELLED")
        self.assertEqual(self.daemons(job), {})
        self.nothing_is_left()
        self.all_nodes_work()

    def begin_to_stage_out(self, *arguments):
        """A job on n1 and n2 that is bringing `result` to the storage node, too slowly to end. A second run of it brings its own at once."""
        script = self.directory / "jobs/staging.sh"
        script.write_text(f"""#!/bin/sh
set -e
echo "run ${{SLURM_RESTART_COUNT:-0}} begins with '$(ls -A "$GODWIT_FILES")$(godwit region ls --json | tr -d '[] \n')'"
srun sh -c 'echo here >$GODWIT_FILES/f && godwit region import $GODWIT_FILES/f --target fast && godwit region import $GODWIT_FILES/f --target keep'
mkdir $GODWIT_FILES/result
echo "${{SLURM_RESTART_COUNT:-0}}" >$GODWIT_FILES/result/run
head -c 16M /dev/zero >$GODWIT_FILES/result/zeros
[ "${{SLURM_RESTART_COUNT:-0}}" != 0 ] || slow=--bwlimit=256KiB/s
godwit migrate files "$GODWIT_FILES/result" --to "$GODWIT_STORAGE:{self.storage_files}" --quiet $slow
""")
        job = self.submit("--nodes=2", "--nodelist=n1,n2", "--ntasks=2", *arguments, script)
        self.cluster.await_state(job, "RUNNING")
        self.assertTrue(slurm.until(self.staging_out), self.cluster.output(job) + self.cluster.logs())
        self.assertEqual(sorted(self.daemons(job)), ["n1", "n2"])
        return job

    def staging_out(self):
        """What has come to the storage node of a result that is still on its way."""
        return [path for path in self.storage_files.glob(".godwit-*/**/*") if path.is_file() and path.stat().st_size]

    def nothing_of_the_result_is_there(self):
        self.assertTrue(slurm.until(lambda: not [*self.storage_files.glob(".godwit-*")], 30 * slurm.PATIENCE), [*self.storage_files.rglob("*")])
        self.assertFalse((self.storage_files / "result").exists())

    def test_a_job_whose_node_is_set_down_leaves_nothing(self):
        job = self.begin_to_stage_out("--no-requeue")
        self.addCleanup(self.all_nodes_work)
        # With ReturnToService it comes back by itself, and then there is nothing to resume.
        self.addCleanup(self.cluster.run, "scontrol", "update", "NodeName=n1", "State=RESUME", check=False)
        self.cluster.run("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=test")
        self.cluster.await_end(job, "NODE_FAIL")
        # Slurm no longer waits for that node's epilog.
        self.assertTrue(slurm.until(lambda: not self.daemons(job) and not [*self.directory.glob(f"run/*/{job}")], 30 * slurm.PATIENCE),
                        self.cluster.logs())
        self.nothing_is_left()
        self.nothing_of_the_result_is_there()

    def test_a_job_that_is_requeued_begins_afresh(self):
        job = self.begin_to_stage_out("--requeue", "--open-mode=append")
        self.addCleanup(shutil.rmtree, self.storage_files / "result", ignore_errors=True)
        self.cluster.run("scontrol", "requeue", job)
        self.assertTrue(slurm.until(lambda: self.cluster.job(job)["JobState"] == "PENDING" and not [*self.directory.glob(f"run/*/{job}")],
                                    30 * slurm.PATIENCE),
                        self.cluster.logs())
        self.nothing_is_left()
        self.nothing_of_the_result_is_there()
        self.cluster.await_end(job)  # A second run, on the same nodes.
        self.assertEqual((self.storage_files / "result/run").read_text(), "1\n")
        self.assertEqual((self.storage_files / "result/zeros").stat().st_size, 16 << 20)
        self.assertEqual(self.cluster.output(job).count("begins with ''\n"), 2, self.cluster.output(job))

    def two_users(self):
        if not self.user:
            self.skipTest("only root can be two users, where they may read the programs")
        return [user for user in map(pwd.getpwnam, ("nobody", "daemon", "bin")) if user.pw_uid != os.geteuid()][:2]

    def test_two_users_on_a_node_have_daemons_and_files_of_their_own(self):
        users = self.two_users()
        go = self.directory / "jobs/go"
        # Each knows where the other's daemon is, and who runs it.
        jobs = [self.submit("--nodelist=n1", "--wrap", f"""
            godwit region create $SLURM_JOB_USER --target fast --size 4KiB && echo $GODWIT_ADDR >at.$SLURM_JOB_USER && mv at.$SLURM_JOB_USER there.$SLURM_JOB_USER
            until [ -e {go} ]; do sleep 0.1; done
            godwit region ls
            export GODWIT_DAEMON_USER={other.pw_uid} GODWIT_NODE=$(cat there.{other.pw_name})
            for tried in ping "region ls" "region create mine --target fast --size 4KiB"; do
              godwit $tried; echo status $?
            done
            touch tried.$SLURM_JOB_USER  # A job that has ended has no daemon that could refuse the other one.
            until [ -e tried.{other.pw_name} ]; do sleep 0.1; done""", user=user) for user, other in zip(users, reversed(users))]
        for user in users:
            self.assertTrue(slurm.until((self.directory / f"jobs/there.{user.pw_name}").exists), self.cluster.logs())
        for job, user, other in zip(jobs, users, reversed(users)):
            self.assertEqual(os.stat(f"/proc/{self.daemons(job)['n1']}").st_uid, user.pw_uid)
            for path in (f"run/n1/{job}/user", f"local/n1/godwit-{job}", f"pmem/n1/godwit-{job}"):
                looked = subprocess.run([*slurm.as_user(other), "ls", self.directory / path], capture_output=True, text=True)
                self.assertIn("Permission denied", looked.stderr)
        go.touch()
        for job, user, other in zip(jobs, users, reversed(users)):
            self.cluster.await_end(job)
            self.assertRegex(self.cluster.output(job), rf"fast .* {user.pw_name}\n")
            self.assertNotIn(other.pw_name, self.cluster.output(job))
            self.assertEqual(self.cluster.output(job).count("identity refused"), 3, self.cluster.output(job))
            self.assertEqual(self.cluster.output(job).count("status 17\n"), 3)

    def test_two_users_of_a_lasting_daemon_do_not_see_each_others_regions(self):
        users, go = self.two_users(), self.directory / "jobs/see"
        node = self.lasting_node([cli_node.target("fast", "dram")])
        self.addCleanup(node.close)
        jobs = []
        for user, other in zip(users, reversed(users)):
            script = f"export GODWIT_NODE={node.address}\n" \
                     f"godwit region create of-{user.pw_name} --target fast --size 4KiB && touch made.{user.pw_name}\n" \
                     f"until [ -e {go} ]; do sleep 0.1; done\n" \
                     f"godwit region ls; godwit region rm of-{other.pw_name}; echo status $?\n"
            jobs.append(self.submit("--nodelist=n1", "--wrap", script, user=user))
        for user in users:
            self.assertTrue(slurm.until((self.directory / f"jobs/made.{user.pw_name}").exists), self.cluster.logs())
        go.touch()
        for job, user, other in zip(jobs, users, reversed(users)):
            self.cluster.await_end(job)
            said = self.cluster.output(job)
            self.assertRegex(said, rf"fast .* of-{user.pw_name}\n")
            self.assertNotRegex(said, rf"fast .* of-{other.pw_name}\n")
            self.assertIn("GODWIT_ERR_NOT_FOUND", said)
        self.assertEqual(self.names(node), sorted(f"of-{user.pw_name}" for user in users))

    def test_a_dead_daemon_leaves_nothing(self):
        job = self.submit("--nodes=1", "--wrap", f"kill -KILL $(pgrep -f '^godwitd .*/'$SLURM_JOB_ID'/godwitd.json'); godwit ping; echo $?")
        self.cluster.await_end(job)
        self.assertIn("GODWIT_ERR_UNREACHABLE", self.cluster.output(job))
        self.nothing_is_left()
        self.all_nodes_work()

    def test_a_daemon_that_cannot_start_is_told_and_drains_no_node(self):
        broken = self.directory / "etc/broken"
        broken.touch()
        self.addCleanup(broken.unlink)
        job = self.submit("--nodes=1", "--wrap", "echo the job runs; godwit-node addresses; echo status $?")
        self.cluster.await_end(job)
        self.assertIn("the job runs", self.cluster.output(job))
        self.assertIn("no daemon here: godwitd did not start", self.cluster.output(job))
        self.assertIn("much", self.cluster.output(job))  # What was wrong.
        self.assertIn("not every node has a daemon\nstatus 1\n", self.cluster.output(job))
        self.all_nodes_work()

    def test_where_munged_does_not_answer_there_is_no_daemon(self):
        silent = self.directory / "etc/silent"
        silent.touch()
        self.addCleanup(silent.unlink)
        job = self.submit("--nodes=1", "--wrap", "echo \"the job runs ${GODWIT_ADDR:-without}\"")
        self.cluster.await_end(job)
        said = self.cluster.output(job)
        self.assertIn("the job runs without", said)
        self.assertRegex(said, f"no daemon here: nobody can prove to it who he is: .*run munged on this node, with its socket at {self.directory}/nobody")
        self.all_nodes_work()

    def test_without_a_word_about_identity_the_daemon_wants_munge(self):
        self.assertNotIn("GODWIT_IDENTITY", (self.directory / "etc/godwit.conf").read_text())
        job = self.submit("--nodes=1", "--nodelist=n1", "--wrap", f"cat {self.directory}/run/n1/$SLURM_JOB_ID/godwitd.json; unset GODWIT_MUNGE_SOCKET\n"
                          f"GODWIT_MUNGE_SOCKET={self.directory}/nobody godwit ping; echo status $?; godwit-node addresses")
        self.cluster.await_end(job)
        said = self.cluster.output(job)
        self.assertEqual(json.loads(said[:said.index("\n}\n") + 3])["identity"],
                         {"method": "munge", "private": True, "munge_socket": f"{self.directory}/munge/socket"})
        self.assertIn("run munged on this node", said)
        self.assertIn("status 17\n", said)

    def test_a_mistake_in_the_sites_file_drains_no_node(self):
        mistaken = self.directory / "etc/mistaken"
        mistaken.touch()
        self.addCleanup(mistaken.unlink)
        job = self.submit("--nodes=1", "--wrap", "echo the job runs")
        self.cluster.await_end(job)
        self.assertIn("the job runs", self.cluster.output(job))
        self.assertIn("no daemon here: the site has a mistake in", self.cluster.output(job))
        self.all_nodes_work()

    def two_lasting_nodes(self):
        """Two with six regions at the first one, whatever can be told of a run that moves them; the names."""
        nodes = [self.lasting_node([cli_node.target("fast", "dram")], user=self.user) for _ in range(2)]
        for node in nodes:
            self.addCleanup(node.close)
        names = [f"r{i}" for i in range(6)]
        for name in names:
            self.godwit("region", "create", name, "--target", "fast", "--size", "64KiB", node=nodes[0])
        return *nodes, names

    def srun(self, *command):
        done = self.cluster.run("srun", "-n", "3", "-N", "2", *command, user=self.user, check=False, environment={
            "PATH": f"{BINARIES}:{os.environ['PATH']}", "HOME": str(self.directory / "jobs")})
        # Epilogs go on when srun has ended.
        self.assertTrue(slurm.until(lambda: not self.cluster.run("squeue", "-h", "-o", "%A").stdout.strip()), self.cluster.logs())
        return done

    def test_ranks_of_srun_are_one_run(self):
        a, b, names = self.two_lasting_nodes()
        report = self.directory / "jobs/bulk.json"
        done = self.srun("godwit-bulk", "--from", a.address, "--to", b.address, "--target", "fast", "--all", "--batch", "1",
                         "--report", report)
        self.assertEqual(done.returncode, 0, done.stderr + self.cluster.logs())
        # Three runs of one rank would have taken each other's objects, and each had written a report of one.
        said = json.loads(report.read_text())
        self.assertEqual([rank["rank"] for rank in said["ranks"]], [0, 1, 2])
        self.assertEqual((self.names(a), self.names(b)), ([], names))

    def test_ranks_that_do_not_know_of_each_other_move_nothing(self):
        a, b, names = self.two_lasting_nodes()
        # As an MPI that knows nothing of Slurm is started: each rank is a run of its own.
        for command in (["godwit-bulk", "--from", a.address, "--to", b.address, "--target", "fast", "--all"],
                        ["godwit-h5stage", "list", "--from", a.address]):
            done = self.srun("--mpi=none", "env", "-u", "SLURM_NODELIST", *command)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stderr.count("srun has started 3 ranks, and MPI knows of this one alone"), 3, done.stderr)
        self.assertEqual((self.names(a), self.names(b)), (names, []))

    def test_a_drained_node_is_evacuated(self):
        us = pwd.getpwuid(os.geteuid())  # Everybody's regions: whoever evacuates a node is its daemon's administrator.
        nodes, table = {}, self.directory / "nodes"
        for name in self.cluster.nodes:  # Lasting daemons: not those of jobs.
            nodes[name] = self.lasting_node([cli_node.target("fast", "dram"), cli_node.target("keep", "pmem", "4MiB" if name == "n3" else "64MiB")])
            self.addCleanup(nodes[name].close)
        table.write_text("".join(f"{name} {node.address}\n" for name, node in nodes.items()))
        digests = {}
        for i in range(6):
            data = random.Random(i).randbytes(MIB)
            (self.directory / "in").write_bytes(data)
            self.godwit("region", "import", self.directory / "in", "--name", f"r{i}", "--target", ("fast", "keep")[i % 2], node=nodes["n1"])
            digests[f"r{i}"] = hashlib.sha256(data).hexdigest()
        self.godwit("db", "create", "accounts", node=nodes["n1"])
        self.godwit("db", "put", "accounts", "key", "--value", "value", node=nodes["n1"])

        refused = self.submit(TEMPLATES / "evacuate-node.sbatch", "n1", user=us, GODWIT_NODES=str(table))
        self.cluster.await_end(refused, "FAILED")
        self.assertIn("n1 is not being drained", self.cluster.output(refused))
        self.assertEqual(len(self.names(nodes["n1"])), 6)

        self.cluster.run("scontrol", "update", "NodeName=n1", "State=DRAIN", "Reason=test")
        self.addCleanup(self.all_nodes_work)
        self.addCleanup(self.cluster.run, "scontrol", "update", "NodeName=n1", "State=RESUME")
        partly = self.submit(TEMPLATES / "evacuate-node.sbatch", "n1", "n3", user=us, GODWIT_NODES=str(table))
        self.cluster.await_end(partly, "FAILED")
        self.assertEqual(self.cluster.job(partly)["ExitCode"], "15:0")
        self.assertIn("left at n1", self.cluster.output(partly))
        there, left = self.names(nodes["n3"]), self.names(nodes["n1"])
        self.assertTrue(there and left, self.cluster.output(partly))
        self.assertEqual(sorted(there + left), sorted(digests))

        job = self.submit(TEMPLATES / "evacuate-node.sbatch", "n1", "n2", user=us, GODWIT_NODES=str(table))
        self.cluster.await_end(job)
        self.assertIn("n1 is empty", self.cluster.output(job))
        self.assertEqual(self.names(nodes["n1"]), [])
        self.assertEqual(self.names(nodes["n1"], "db"), [])
        self.assertEqual(sorted(self.names(nodes["n2"]) + self.names(nodes["n3"])), sorted(digests))
        for name in ("n2", "n3"):
            for region in self.names(nodes[name]):
                self.assertEqual(hashlib.sha256(self.export(region, nodes[name])).hexdigest(), digests[region])
        self.assertEqual(self.names(nodes["n3"], "db"), ["accounts"])
        self.assertEqual(self.godwit("db", "get", "accounts", "key", node=nodes["n3"]).strip(), "value")


class TimeLimit(SlurmTest, unittest.TestCase):  # Slurm takes half a minute to look at it, and its time to start a job again.
    def test_a_job_goes_on_after_its_time_limit(self):
        points = 16
        simulation = self.directory / "jobs/simulation"
        # The first run computes until it is stopped; the second one a bit more.
        simulation.write_text(f"""#!/bin/sh
if [ "${{SLURM_RESTART_COUNT:-0}}" = 0 ]; then exec heat3d_mpi "$@" --steps 1000000000; fi
at=$(sed -n 's/^stopped at step \\([0-9]*\\),.*/\\1/p' {self.directory}/jobs/$SLURM_JOB_ID.out)
exec heat3d_mpi "$@" --steps $((at + 50))
""")
        simulation.chmod(0o755)
        job = self.submit("--time=1", "--signal=B:USR1@30", TEMPLATES / "checkpoint-before-limit.sbatch", POINTS=str(points),
                          SIMULATION=str(simulation))
        self.cluster.await_state(job, "RUNNING")
        self.assertTrue(slurm.until(lambda: "queued again" in self.cluster.output(job), 60 * slurm.PATIENCE),
                        self.cluster.output(job) + self.cluster.logs())
        self.assertEqual(self.names(self.storage), [f"heat-{job}-0.0", f"heat-{job}-0.1"])
        self.cluster.await_end(job)
        output = self.cluster.output(job)
        self.assertIn("run 1 goes on from run 0", output)
        stopped = int(output.split("stopped at step ")[1].split(",")[0])
        self.assertGreater(stopped, 0)
        self.assertIn(f"done at step {stopped + 50}, begun at {stopped}", output)
        self.assertEqual(self.names(self.storage), [f"heat-{job}-1.0", f"heat-{job}-1.1"])
        result = b"".join(self.export(f"heat-{job}-1.{rank}")[HEADER_BYTES:] for rank in range(2))
        undisturbed = self.directory / "undisturbed"
        self.cluster.run("mpirun", "-n", "1", BINARIES / "heat3d_mpi", "--points", points, "--steps", stopped + 50, "--output", undisturbed)
        self.assertEqual(result, undisturbed.read_bytes())


if __name__ == "__main__":
    slurm.require()
    unittest.main(verbosity=2)
