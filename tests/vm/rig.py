"""What the guest's tests set up: two RDMA devices joined by a wire, and file systems and devices on emulated persistent memory."""
import json
import pathlib
import socket
import subprocess
import time

HOSTS = ("10.8.0.1", "10.8.0.2")
ENDS = ("wire1", "wire2")


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


# ---- the wire

def set_ipv4(interface, name, value):
    pathlib.Path(f"/proc/sys/net/ipv4/conf/{interface}/{name}").write_text(str(value))


def lay_wire():
    """Soft-RoCE devices rxe1 at 10.8.0.1 and rxe2 at 10.8.0.2; what one sends to the other really crosses a switch.

    Both ends are in one network namespace, because rdma_rxe knows only the first. So the kernel must not deliver to itself what is
    addressed to its other end: the table of local addresses comes last, except for what arrives from the wire.
    """
    run("rdma", "link", "del", "rxe0", check=False)
    run("modprobe", "-a", "veth", "bridge", "rdma_rxe", "sch_netem")
    run("ip", "link", "add", "switch", "type", "bridge")
    set_ipv4("all", "rp_filter", 0)
    for number, (end, host) in enumerate(zip(ENDS, HOSTS), start=1):
        port = f"port{number}"
        run("ip", "link", "add", end, "mtu", "9000", "type", "veth", "peer", "name", port, "mtu", "9000")
        run("ip", "link", "set", port, "master", "switch", "up")
        run("ip", "addr", "add", f"{host}/32", "dev", end)
        run("ip", "link", "set", end, "up")
        set_ipv4(end, "accept_local", 1)
        set_ipv4(end, "rp_filter", 0)
        run("ip", "rule", "add", "pref", str(10 + number), "iif", end, "lookup", "local")
        run("ip", "rule", "add", "pref", str(20 + number), "to", HOSTS[2 - number], "lookup", str(100 + number))
        run("ip", "route", "add", HOSTS[2 - number], "dev", end, "src", host, "table", str(100 + number))
    run("ip", "rule", "add", "pref", "100", "lookup", "local")
    run("ip", "rule", "del", "pref", "0")
    run("ip", "link", "set", "switch", "up")
    for number, end in enumerate(ENDS, start=1):
        run("rdma", "link", "add", f"rxe{number}", "type", "rxe", "netdev", end)
    await_wire()


def await_wire():
    """Until both ends hear each other: the first packets go to finding the neighbour."""
    deadline = time.monotonic() + 30
    for host, other in (HOSTS, HOSTS[::-1]):
        while True:
            with socket.socket() as probe:
                probe.settimeout(1)
                probe.bind((host, 0))
                try:
                    probe.connect((other, 1))
                except ConnectionRefusedError:
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise


def link_down():
    """The switch loses the cable of 10.8.0.2; that end's device says that its port is down.

    Not by taking the end itself down: with rdma_rxe (6.1) no connection could be made to it afterwards. Why is not known; perhaps its
    queue pair that makes connections does not survive a packet that it cannot send.
    """
    run("ip", "link", "set", "port2", "down")


def link_up():
    run("ip", "link", "set", "port2", "up")
    await_wire()


def lose(percent):
    """Of the packets, in both directions; 0: none any more, at full speed."""
    for end in ENDS:
        if percent:
            run("tc", "qdisc", "replace", "dev", end, "root", "netem", "loss", f"{percent}%")
        else:
            run("tc", "qdisc", "del", "dev", end, "root", check=False)


def lost_packets():
    """Since lose() was called."""
    return sum(int(row["drops"]) for end in ENDS for row in json.loads(run("tc", "-s", "-j", "qdisc", "show", "dev", end)))


def slow(megabits_per_s):
    """Until lose(0)."""
    for end in ENDS:
        run("tc", "qdisc", "replace", "dev", end, "root", "netem", "rate", f"{megabits_per_s}mbit")


def sent_bytes(end):
    return int(pathlib.Path(f"/sys/class/net/{end}/statistics/tx_bytes").read_text())


# ---- persistent memory

def mount_fsdax(where, new):
    """The first NVDIMM: an ext4 whose files are mapped directly."""
    if new:
        run("ndctl", "create-namespace", "-f", "-e", "namespace0.0", "--mode=fsdax", "--map=mem")
        run("mkfs.ext4", "-q", "-b", "4096", "/dev/pmem0")
    pathlib.Path(where).mkdir(parents=True, exist_ok=True)
    run("mount", "-o", "dax=always", "/dev/pmem0", str(where))


def make_devdax(new):
    """The second NVDIMM: the device /dev/dax1.0. An old one is there since the boot."""
    if new:
        run("ndctl", "create-namespace", "-f", "-e", "namespace1.0", "--mode=devdax", "--map=mem")
    if not pathlib.Path("/dev/dax1.0").exists():
        raise RuntimeError("there is no /dev/dax1.0")
