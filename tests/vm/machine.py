#!/usr/bin/env python3
"""A throw-away machine: Debian's own kernel under QEMU's software emulation, on this machine's root file system.

    machine.py [--limit SECONDS] [--console] 'shell command'

The command runs in the caller's directory as root of the guest. It sees the host's whole tree, read-only below a tmpfs that takes
what it writes; /host is a directory of the host that it may write to. It has rdma_rxe for eth0 (device rxe0) and two emulated
NVDIMMs. Exit status: the command's; 124 time limit; 125 the guest ended without a status (a panic, or it was stopped dead);
77 there cannot be such a machine here, and "SKIPPED: <why>" says what is missing.

Nothing is installed: the kernel comes from `apt-get download`, unpacked once into build/vm/. Every process and temporary file is gone
at the end; only the kernel stays.
"""
import argparse
import lzma
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build" / "vm"
SKIPPED, TIME_LIMIT, NO_STATUS = 77, 124, 125
ROOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")  # What mounts the root; the rest is loaded from there.
XZ_MAGIC = b"\xfd7zXZ\0"
NVDIMM_BYTES = 192 << 20


class Unavailable(Exception):
    """Why there can be no machine here."""


def output_of(*command, cwd=None):
    try:
        return subprocess.run(command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise Unavailable(f"there is no {command[0]}") from None
    except subprocess.CalledProcessError as failed:
        raise Unavailable(f"{shlex.join(map(str, command))}: {failed.stderr.strip()}") from None


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Unavailable(f"there is no {name}")
    return path


# ---- the kernel, and the initramfs that mounts the host's tree

def uncompressed(image):
    """The vmlinux inside a bzImage: unpacking it in the guest would take seconds at every boot."""
    start = image.find(XZ_MAGIC)
    while start >= 0:
        try:
            kernel = lzma.LZMADecompressor().decompress(image[start:])
        except lzma.LZMAError:
            kernel = b""
        if kernel.startswith(b"\x7fELF"):
            return kernel
        start = image.find(XZ_MAGIC, start + 1)
    return image


def make_initramfs(directory, tree, version):
    root = directory / "initramfs"
    for name in ("bin", "modules", "proc", "sys", "dev", "ro", "rw", "new", "host"):
        (root / name).mkdir(parents=True)
    shutil.copy(program("busybox"), root / "bin" / "busybox")
    needed = []
    for module in ROOT_MODULES:
        for line in output_of(program("modprobe"), "-d", tree, "-S", version, "--show-depends", module).splitlines():
            if line.startswith("insmod ") and line.split()[1] not in needed:
                needed.append(line.split()[1])
    for path in needed:
        shutil.copy(path, root / "modules")
    (root / "modules" / "order").write_text("".join(pathlib.Path(path).name + "\n" for path in needed))
    shutil.copy(HERE / "init", root / "init")
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in [root, *root.rglob("*")])
    with (directory / "initramfs.cpio").open("wb") as archive:
        subprocess.run([program("cpio"), "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=archive, check=True)
    shutil.rmtree(root)


def make_kernel(directory):
    depends = output_of("apt-cache", "depends", "linux-image-amd64")
    packages = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line]
    if not packages:
        raise Unavailable("apt knows no linux-image-amd64; does `apt-get update` work here?")
    # Downloaded by us, not by apt's own user, who may not write here.
    output_of("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", packages[0], cwd=directory)
    (package,) = directory.glob("*.deb")
    tree = directory / "tree"
    output_of("dpkg-deb", "-x", package, tree)
    package.unlink()
    (image,) = tree.glob("boot/vmlinuz-*")
    version = image.name.removeprefix("vmlinuz-")
    output_of(program("depmod"), "-b", tree, version)
    (directory / "vmlinux").write_bytes(uncompressed(image.read_bytes()))
    make_initramfs(directory, tree, version)


def kernel():
    """The directory of the unpacked kernel, made when first needed; errors: Unavailable."""
    made = CACHE / "kernel"
    recipe = HERE / "init"
    if made.exists() and (made / "vmlinux").stat().st_mtime > max(recipe.stat().st_mtime, pathlib.Path(__file__).stat().st_mtime):
        return made
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(prefix="new.", dir=CACHE))
    try:
        make_kernel(fresh)
        shutil.rmtree(made, ignore_errors=True)
        fresh.rename(made)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return made


# ---- the machine

class Machine:
    """One machine: its NVDIMMs live as long as this object, over as many boots as one likes. Use it in a `with`."""

    def __init__(self, memory="2G", processors=2, network="user,restrict=on", mac="52:54:00:00:00:01"):
        self.qemu = program("qemu-system-x86_64")
        self.kernel = kernel()
        self.memory, self.processors, self.network, self.mac = memory, processors, network, mac
        self.directory = tempfile.TemporaryDirectory(prefix="run.", dir=CACHE)
        self.path = pathlib.Path(self.directory.name)
        self.host = self.path / "host"  # The guest's /host.
        self.host.mkdir()
        for number in (0, 1):
            with (self.path / f"nvdimm{number}").open("wb") as image:
                image.truncate(NVDIMM_BYTES)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.directory.cleanup()

    def kill(self):
        """Pulls the plug."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def start(self, command, environment=None):
        """Boots; what the command prints goes to our standard output."""
        job = ["export " + shlex.quote(f"{name}={value}") for name, value in (environment or {}).items()]
        job += ["cd " + shlex.quote(os.getcwd()), command]
        (self.host / "command").write_text("\n".join(job) + "\n")
        shutil.copy(HERE / "guest.sh", self.host / "guest.sh")
        (self.host / "status").unlink(missing_ok=True)
        arguments = [
            self.qemu, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(self.processors), "-machine", "q35,nvdimm=on",
            "-m", f"{self.memory},slots=4,maxmem=64G", "-display", "none", "-vga", "none", "-no-reboot", "-nodefaults",
            "-monitor", "none", "-serial", f"file:{self.path}/console", "-chardev", "stdio,id=out,signal=off", "-serial", "chardev:out",
            "-kernel", str(self.kernel / "vmlinux"), "-initrd", str(self.kernel / "initramfs.cpio"),
            "-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap",
            "-virtfs", f"local,path={self.host},mount_tag=host,security_model=none,multidevs=remap",
            "-netdev", f"{self.network},id=net0", "-device", f"virtio-net-pci,netdev=net0,mac={self.mac},romfile=",
            "-device", "virtio-rng-pci",
            "-append", f"console=ttyS0 quiet panic=-1 net.ifnames=0 godwit.kernel={self.kernel}"]
        for number in (0, 1):
            # share=on: a store of the guest is in the file, as it would be in the module, also when the machine dies.
            arguments += ["-object", f"memory-backend-file,id=m{number},share=on,mem-path={self.path}/nvdimm{number},size={NVDIMM_BYTES}",
                          "-device", f"nvdimm,id=nv{number},memdev=m{number}"]
        # It dies with us, whatever becomes of us.
        with (self.path / "qemu").open("w") as errors:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *arguments], stdin=subprocess.DEVNULL, stderr=errors)

    def wait(self, limit_s):
        """The command's exit status, TIME_LIMIT or NO_STATUS. The machine is off afterwards."""
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return TIME_LIMIT
        try:
            return int((self.host / "status").read_text())
        except FileNotFoundError:
            return NO_STATUS

    def run(self, command, limit_s=300, environment=None):
        sys.stdout.flush()
        self.start(command, environment)
        return self.wait(limit_s)

    def console(self):
        """What QEMU and the guest's kernel had to say."""
        return "".join(path.read_text(errors="replace") for path in (self.path / "qemu", self.path / "console") if path.exists())


def main():
    parser = argparse.ArgumentParser(description="Run a command in a throw-away machine with RDMA verbs and persistent memory.")
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="for the whole machine; default 300")
    parser.add_argument("--console", action="store_true", help="print the kernel's console on standard error at the end")
    parser.add_argument("command", help="for bash in the guest")
    options = parser.parse_args()
    try:
        with Machine() as machine:
            status = machine.run(options.command, options.limit)
            if options.console or status == NO_STATUS:
                print(machine.console(), file=sys.stderr)
            return status
    except Unavailable as why:
        print(f"SKIPPED: no machine can be emulated here: {why}")
        return SKIPPED


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # So that the clean-up runs.
    sys.exit(main())
