"""A real Slurm on this machine: munged, slurmctld and several slurmd in one directory, all of it gone at the end.

Works as root, with a name space for each node's host name, and as a user, whose jobs it then runs. No systemd, no cgroups, no
database. A job's processes have GODWIT_TEST_CLUSTER in their environment, or the directory in their command line: what is still
there after close() was not ours to leave, and is killed and told.
"""
import ctypes
import os
import pathlib
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # To CTest.
ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = int(os.environ.get("GODWIT_TEST_PATIENCE", "1"))
READY_SECONDS = 60 * PATIENCE
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel", "sinfo")
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}
PR_SET_CHILD_SUBREAPER = 36
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"

# One core may have to do for many ranks. Loopback is the only wire.
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_btl_tcp_if_include": "lo", "OMPI_MCA_oob_tcp_if_include": "lo",
}


# Of slurm.conf, for daemons of jobs.
HOOKS = """
PrologFlags=Alloc
Prolog=@D@/etc/prolog.sh
Epilog=@D@/etc/epilog.sh
TaskProlog=@D@/etc/task-prolog.sh
"""


def install_scripts(directory, binaries):
    """What a site does: Godwit's scripts, and its own godwit.conf beside them. With a file etc/broken no daemon can start;
    with etc/silent there is nobody at the socket of munged, with etc/mistaken the settings cannot be read."""
    for name in ("godwit-node", "prolog.sh", "epilog.sh", "task-prolog.sh"):
        shutil.copy(ROOT / "slurm" / name, directory / "etc" / name)
    for node in ("n1", "n2", "n3"):
        (directory / "pmem" / node).mkdir(parents=True)
    (directory / "etc/godwit.conf").write_text(f"""\
GODWIT_BIN={binaries}
GODWIT_RUN_DIR={directory}/run/$SLURMD_NODENAME
GODWIT_LOCAL_DIR={directory}/local/$SLURMD_NODENAME
GODWIT_DRAM=64MiB
GODWIT_PMEM_DIR={directory}/pmem/$SLURMD_NODENAME
GODWIT_PMEM=64MiB
GODWIT_LISTEN=tcp://127.0.0.1:0
GODWIT_MUNGE_SOCKET={directory}/munge/socket
GODWIT_FILE_ROOTS={directory}/jobs:{directory}/not-there
GODWIT_DRAIN_SECONDS=3
if [ -e {directory}/etc/silent ]; then GODWIT_MUNGE_SOCKET={directory}/nobody; fi
if [ -e {directory}/etc/broken ]; then GODWIT_DRAM=much; fi
if [ -e {directory}/etc/mistaken ]; then echo "$NOT_SET"; fi
""")


def identity(directory):
    """Of a daemon of the site: the setting; it proves who it is, and wants to know who asks, by the cluster's munged."""
    return {"method": "munge", "munge_socket": f"{directory}/munge/socket"}


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(SKIPPED)


def require():
    """Returns if there can be a Slurm here; else ends the program as skipped."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        skip(f"no Slurm: there is no {', '.join(missing)} (./dev install-deps)")


def until(condition, seconds=READY_SECONDS):
    """Whether condition() became true in time; its last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def free_ports(count):
    """Ports that nobody listens at now, and below those that the kernel gives to whoever connects."""
    free = []
    while len(free) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
                free += [port] if port not in free else []
            except OSError:
                pass
    return free


def usable_user(*programs):
    """One who is not root, and can run these programs: for jobs, if we are root; None: nobody can."""
    for name in ("nobody", "daemon"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if all(subprocess.run([*as_user(user), "test", "-x", program]).returncode == 0 for program in programs):
            return user
    return None


def as_user(user):
    """The beginning of a command that runs as this user of the password database; None: as we are."""
    if user is None or user.pw_uid == os.geteuid():
        return []
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def processes_with(text):
    """Processes, but zombies and ourselves, that have it in their command line or environment: {pid: command line}."""
    found = {}
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes()
            if int(directory.name) != os.getpid() and command and \
                    (text.encode() in command or text.encode() in (directory / "environ").read_bytes()):
                found[int(directory.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            pass  # It has ended, or is another user's.
    return found


def place():
    """Where a cluster lives: in memory, where programs may be run from there, for slurmctld makes its state durable at every step."""
    shm, temporary = pathlib.Path("/dev/shm"), pathlib.Path(tempfile.gettempdir())
    if os.access(shm, os.W_OK) and not os.statvfs(shm).f_flag & os.ST_NOEXEC:
        return shm
    if temporary.stat().st_uid == os.geteuid():
        temporary.chmod(temporary.stat().st_mode | 0o011)  # The jobs' user comes in.
    return temporary


class Slurm:
    """A cluster of nodes n1, n2, ... `more` are further lines of slurm.conf, `plugstack` those of plugstack.conf; @D@ in them is
    the cluster's directory. `prepare` is called with it before anything starts: scripts go there. Used in a `with`."""

    def __init__(self, nodes=3, cpus=2, more="", plugstack="", prepare=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="godwit-test.", dir=place()))
        self.directory.chmod(0o755)
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self.daemons = []
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # What daemons leave becomes our child, and can be awaited.
        try:
            self._write_configuration(cpus, more, plugstack)
            if prepare:
                prepare(self.directory)
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- starting

    def _write_configuration(self, cpus, more, plugstack):
        d = self.directory
        for name in ("etc", "state", "munge", "log", *(f"{kind}/{node}" for kind in ("spool", "tmp") for node in self.nodes)):
            (d / name).mkdir(parents=True)
            (d / name).chmod(0o755)
        for node in self.nodes:
            (d / "tmp" / node).chmod(0o1777)
        (d / "tmp").chmod(0o1777)
        (d / "jobs").mkdir()  # Where jobs write, whoever they are.
        (d / "jobs").chmod(0o1777)
        key = d / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        me, host = pwd.getpwuid(os.geteuid()).pw_name, socket.gethostname()
        self.own_names = subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode == 0
        controller, *ports = free_ports(1 + len(self.nodes))
        lines = [f"NodeName={node} NodeHostname={node if self.own_names else host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} "
                 f"RealMemory=1000 State=UNKNOWN" for node, port in zip(self.nodes, ports)]
        # A requeued job waits for cred_expire; bf_interval and the like: a test has no time.
        (d / "etc/slurm.conf").write_text(f"""\
ClusterName=godwit-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={me}
SlurmdUser={me}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={d}/munge/socket,cred_expire={10 * PATIENCE}
StateSaveLocation={d}/state
SlurmdSpoolDir={d}/spool/%n
TmpFS={d}/tmp/%n
SlurmctldPidFile={d}/slurmctld.pid
SlurmdPidFile={d}/slurmd.%n.pid
SlurmctldDebug=verbose
SlurmdDebug=verbose
PlugStackConfig={d}/etc/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,bf_resolution=1
MpiDefault=pmix
ReturnToService=2
KillWait=5
FirstJobId={1000 + secrets.randbelow(60000)}
{more.replace("@D@", str(d))}
""" + "\n".join(lines) + "\nPartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4\n")
        # Never used, but without it Slurm looks for cgroups, and fails where there are none.
        (d / "etc/cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (d / "etc/plugstack.conf").write_text(plugstack.replace("@D@", str(d)))
        self.environment = {**os.environ, **MPI, "SLURM_CONF": str(d / "etc/slurm.conf"), "GODWIT_TEST_CLUSTER": str(d), "TMPDIR": str(d / "tmp")}
        for name in [name for name in self.environment if name.startswith(("GODWIT_NODE", "GODWIT_ADDR", "GODWIT_MUNGE", "GODWIT_DAEMON", "GODWIT_KEY"))]:
            del self.environment[name]

    def _start(self):
        munge = self.directory / "munge"
        self._daemon("munged", "munged", "--foreground", "--force", f"--socket={munge}/socket", f"--key-file={munge}/key",
                     f"--log-file={munge}/log", f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", "--num-threads=2")
        if not until((munge / "socket").exists):
            raise RuntimeError(f"munged did not start:\n{self.logs()}")
        self._daemon("slurmctld", "slurmctld", "-D", "-c")
        for node in self.nodes:
            command = ["slurmd", "-D", "-N", node]
            if self.own_names:
                command = ["unshare", "--uts", "sh", "-c", 'hostname "$1" && exec slurmd -D -N "$1"', "sh", node]
            self._daemon(f"slurmd.{node}", *command)
        if not until(lambda: self.idle() == sorted(self.nodes)):
            raise RuntimeError(f"only {self.idle()} of {self.nodes} are idle:\n{self.logs()}")

    def _daemon(self, log, *command):
        with (self.directory / "log" / log).open("w") as file:
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=file,
                                                 stderr=subprocess.STDOUT, start_new_session=True))

    # ---- asking and telling it

    def run(self, *command, user=None, check=True, seconds=60, environment=None, cwd=None):
        """A command with this cluster's environment; its completed process."""
        done = subprocess.run([*as_user(user), *map(str, command)], capture_output=True, text=True, timeout=seconds * PATIENCE,
                              env={**self.environment, **(environment or {})}, cwd=cwd or self.directory / "jobs")
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}{self.logs()}")
        return done

    def proof(self, user=None):
        """What lets us prove who we are to the site's daemons, and believe those of this user: a part of an environment."""
        return {"GODWIT_MUNGE_SOCKET": f"{self.directory}/munge/socket", **({"GODWIT_DAEMON_USER": str(user.pw_uid)} if user else {})}

    def idle(self):
        done = self.run("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", check=False)
        return sorted(done.stdout.split())

    def node_state(self, node):
        return re.search(r"State=(\S+)", self.run("scontrol", "-o", "show", "node", node).stdout)[1]

    def submit(self, *arguments, user=None, environment=None):
        """sbatch with these arguments; the job's id. Its output goes to output(id)."""
        done = self.run("sbatch", "--parsable", "-o", f"{self.directory}/jobs/%j.out", *arguments, user=user, environment=environment)
        return done.stdout.strip()

    def job(self, identity):
        """The job as Slurm shows it: {"JobState": ...}."""
        return dict(re.findall(r"(\S+?)=(\S*)", self.run("scontrol", "-o", "show", "job", identity).stdout))

    def output(self, identity):
        path = self.directory / f"jobs/{identity}.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def await_state(self, identity, *states, seconds=60):
        """Waits until the job has one of these states; fails if it ends in another, or has none of them in time."""
        def there():
            state = self.job(identity)["JobState"]
            return state if state in states or state in ENDED else None
        state = until(there, seconds * PATIENCE)
        if state not in states:
            raise AssertionError(f"job {identity} is {state or self.job(identity)}, not {states}; it says:\n"
                                 f"{self.output(identity)}\n{self.logs()}")

    def await_end(self, identity, state="COMPLETED", seconds=60):
        """Waits until the job has ended so, and its nodes have cleaned up after it."""
        self.await_state(identity, state, seconds=seconds)
        if not until(lambda: self.idle_again(identity), 30 * PATIENCE):
            raise AssertionError(f"nodes do not come back from job {identity}:\n{self.run('sinfo', '-N', '-l').stdout}\n{self.logs()}")

    def cancel(self, *identities):
        """Ends these jobs, if they have not, and waits for their nodes to clean up."""
        if identities:
            self.run("scancel", *identities, check=False)
            until(lambda: not self.run("squeue", "-h", "-j", ",".join(identities), "-o", "%T", check=False).stdout.strip(), 30 * PATIENCE)

    def idle_again(self, identity):
        """No epilog of the job runs any more."""
        return self.run("squeue", "-h", "-j", identity, "-t", "CG", "-o", "%T", check=False).stdout.strip() == ""

    def logs(self):
        """The end of every log, for a failure's message."""
        return "\n".join(f"---- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-25:])
                         for path in sorted((self.directory / "log").glob("*")))

    # ---- stopping

    def close(self):
        """Ends all jobs and daemons, and removes the directory. Raises if something of the cluster had to be killed."""
        if getattr(self, "environment", None) and len(self.daemons) > 1:
            self.cancel(*self.run("squeue", "-h", "-o", "%A", check=False).stdout.split())
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(10 * PATIENCE)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons = []
        # slurmstepd ends by itself, a moment after its job.
        until(lambda: not processes_with(str(self.directory)), 5 * PATIENCE)
        left = processes_with(str(self.directory))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)
        if left and sys.exc_info()[0] is None:
            raise AssertionError(f"left by the cluster: {left}")
