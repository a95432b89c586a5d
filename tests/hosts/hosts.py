"""Hosts of a small cluster: a network namespace each, joined by a switch, with a wire that can be cut, and a daemon in each.

Everything lives in namespaces that only the processes started here hold: they are gone when those are.
Needs root, or the right to make user namespaces; become_root() gets it or says SKIPPED.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import cli_node

SKIPPED = 77  # To CTest.


def become_root():
    """Returns as root, of this machine or of a user namespace of our own; ends the program as skipped if neither can be."""
    if os.geteuid() != 0:
        if subprocess.run(["unshare", "--user", "--map-root-user", "--net", "true"], capture_output=True).returncode == 0:
            os.execvp("unshare", ["unshare", "--user", "--map-root-user", sys.executable, *sys.argv])
        skip("neither root nor allowed to make user namespaces")
    tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0"],
                           capture_output=True, text=True)
    if tried.returncode != 0:
        skip(f"no network namespaces with veth here: {tried.stderr.strip()}")


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(SKIPPED)


class Namespace:
    """A network namespace, held by a sleeping process."""

    def __init__(self):
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
        ours = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + 10
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == ours:
            if self.holder.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("no network namespace")
            time.sleep(0.005)

    @property
    def enter(self):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]

    def run(self, *command):
        subprocess.run([*self.enter, *command], check=True, capture_output=True, text=True)

    def close(self):
        self.holder.kill()
        self.holder.wait()


def limit_rate(namespace, device, rate):
    namespace.run("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate, "burst", "64kb", "latency", "100ms")


class Cluster:
    """`count` hosts at 10.99.0.1, .2, ... on one switch. Each has a second interface, first in its list, that leads nowhere."""

    def __init__(self, count, binaries, **options):
        self.closing = []
        try:
            secret = tempfile.NamedTemporaryFile(prefix="godwit-test.")  # Mode 0600.
            self.closing.append(secret)
            secret.write(os.urandom(32))
            secret.flush()
            self.switch = Namespace()
            self.closing.append(self.switch)
            self.switch.run("ip", "link", "add", "bridge", "type", "bridge")
            self.switch.run("ip", "link", "set", "bridge", "up")
            self.hosts = []
            for number in range(1, count + 1):
                host = Host(self.switch, number, binaries, secret.name, **options)
                self.closing.append(host)
                self.hosts.append(host)
        except BaseException:
            self.close()
            raise

    def close(self):
        for thing in reversed(self.closing):
            thing.close()
        self.closing = []


class Host:
    def __init__(self, switch, number, binaries, key_file, settings=None, listen="tcp://{ip}:0", targets=None):
        self.switch, self.number, self.binaries = switch, number, pathlib.Path(binaries)
        self.key_file = key_file  # Of all hosts: daemons and commands prove that they belong to the site.
        self.ip = f"10.99.0.{number}"
        self.node = None
        self.namespace = Namespace()
        try:
            self._join()
            if targets is None:
                targets = [cli_node.target("fast", "dram", "160MiB"), cli_node.target("keep", "pmem", "160MiB")]
            listen = [listen] if isinstance(listen, str) else listen
            self.node = cli_node.Node(binaries, targets, {
                "listen": [one.format(ip=self.ip, dead=f"10.98.{number}.1") for one in listen], "connect_timeout_ms": 1500, "stall_timeout_ms": 4000,
                "resolve_interval_ms": 200,
                "identity": {"method": "key", "key_file": key_file}, **(settings or {})}, wrapper=self.namespace.enter)
        except BaseException:
            self.close()
            raise

    def _join(self):
        run = self.namespace.run
        run("ip", "link", "set", "lo", "up")
        # The wrong one: up, with an address, first in every list, and nobody at its other end.
        run("ip", "link", "add", "aaa0", "type", "veth", "peer", "name", "aaa1")
        run("ip", "addr", "add", f"10.98.{self.number}.1/24", "dev", "aaa0")
        run("ip", "link", "set", "aaa0", "up")
        run("ip", "link", "set", "aaa1", "up")
        run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", f"port{self.number}")
        run("ip", "link", "set", f"port{self.number}", "netns", str(self.switch.holder.pid))
        self.switch.run("ip", "link", "set", f"port{self.number}", "master", "bridge", "up")
        run("ip", "addr", "add", f"{self.ip}/24", "dev", "eth0")
        run("ip", "link", "set", "eth0", "up")

    @property
    def addresses(self):
        return self.node.ready.read_text().splitlines()

    @property
    def address(self):
        """Where others reach the daemon."""
        return next(address for address in self.addresses if self.ip in address)

    # ---- the wire

    def cut(self):
        """Nothing leaves or reaches this host any more, and nobody is told."""
        self.switch.run("ip", "link", "set", f"port{self.number}", "nomaster")

    def mend(self):
        self.switch.run("ip", "link", "set", f"port{self.number}", "master", "bridge")

    def cut_towards(self, other):
        """What this host sends to the other one goes astray; the other way works."""
        self.namespace.run("ip", "neigh", "replace", other.ip, "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent")

    def mend_towards(self, other):
        self.namespace.run("ip", "neigh", "del", other.ip, "dev", "eth0")

    def limit(self, rate):
        """What this host sends leaves at `rate`, as tc writes it."""
        limit_rate(self.namespace, "eth0", rate)

    def unlimit(self):
        self.namespace.run("tc", "qdisc", "del", "dev", "eth0", "root")

    def limit_inbound(self, rate):
        """What the others send reaches this host at `rate`."""
        limit_rate(self.switch, f"port{self.number}", rate)

    def unlimit_inbound(self):
        self.switch.run("tc", "qdisc", "del", "dev", f"port{self.number}", "root")

    # ---- the daemon, asked from this host

    def start_godwit(self, *arguments, stdin=None):
        return subprocess.Popen([*self.namespace.enter, self.binaries / "godwit", *arguments], stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "GODWIT_NODE": self.address, "GODWIT_KEY_FILE": self.key_file})

    def godwit(self, *arguments, seconds=60):
        """Exit status, standard output, standard error."""
        process = self.start_godwit(*arguments)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, out, err

    def json(self, *arguments):
        status, out, err = self.godwit(*arguments, "--json")
        if status != 0:
            raise AssertionError(f"godwit {' '.join(arguments)}: {err}")
        return json.loads(out)

    def close(self):
        if self.node:
            self.node.close()
        self.namespace.close()
