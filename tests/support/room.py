#!/usr/bin/env python3
"""room.py LIBRARIES COMMAND...: runs a test in a room of its own, and fails it if it leaves something behind.

The room is a new $TMPDIR, a /dev/shm of its own (where namespaces are allowed) and the tree of processes below. Programs
start quickly in it: LIBRARIES is a directory with what libfabric loads first (quick_start/), and /proc/kallsyms, which
libfabric reads twice whenever a program starts (0.1 s), is empty. When the test has ended, no file may be left in the one or
the other, and no process. What a sanitizer reports of any of its processes fails the test, also of one that is killed or
whose status nobody reads. The exit status is the test's, or 99.
"""
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

NOT_CLEAN = 99
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
INSIDE = "GODWIT_TEST_ROOM"  # In the environment of a room whose /dev/shm is its own.
# A daemon whose starter is gone dies by itself, but not in the same instant.
PATIENCE_SECONDS = 5
# No finding: threads that were joined a moment ago may still be on their way out when leaks are looked for.
LEAVING_THREADS = re.compile(r"^==\d+==Unable to get registers from thread \d+\.\n", re.MULTILINE)
SANITIZERS = ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")

prctl = ctypes.CDLL(None, use_errno=True).prctl


def enter_namespace():
    """Goes on in a mount namespace with a /dev/shm of its own, if that is allowed; as the same user, with the same rights."""
    unshare = ["unshare", "--mount"]
    drop = []
    if os.geteuid() != 0:
        unshare = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]
        drop = ["setpriv", "--ambient-caps=-all", "--inh-caps=-all"]
    mount = "mount -t tmpfs -o mode=1777 godwit-test /dev/shm"
    if subprocess.run([*unshare, "sh", "-c", mount], capture_output=True).returncode != 0:
        return
    os.environ[INSIDE] = "1"
    script = f'{mount} || exit {NOT_CLEAN}; mount --bind /dev/null /proc/kallsyms 2>/dev/null; exec "$@"'
    os.execvp(unshare[0], [*unshare, "sh", "-c", script, "sh", *drop, sys.executable, *sys.argv])


def die_with_parent():
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def children():
    """Processes that are ours now: the test's that outlived it."""
    found = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
            state, parent = text[text.rindex(")") + 2:].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found[int(status.parent.name)] = (status.parent / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            pass  # It has ended.
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def left_processes():
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        reap()
        found = children()
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def with_reports_in(directory):
    """The environment with which sanitized processes write what they find into files there, one a process."""
    return {name: f"{os.environ.get(name, '')}:log_path={directory}/report" for name in SANITIZERS}


def findings(directory):
    texts = [report.read_text(errors="replace") for report in sorted(pathlib.Path(directory).iterdir())]
    return [found for text in texts if (found := LEAVING_THREADS.sub("", text)).strip()]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    libraries, command = sys.argv[1], sys.argv[2:]
    if INSIDE not in os.environ:
        enter_namespace()
    own_shm = os.environ.pop(INSIDE, None)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="godwit-room.") as directory, \
            tempfile.TemporaryDirectory(prefix="godwit-reports.") as reports:
        if os.geteuid() == 0:  # Tests that act as another user let it in.
            os.chmod(directory, 0o711)
            os.chmod(reports, 0o1777)
        searched = ":".join(filter(None, [libraries, os.environ.get("LD_LIBRARY_PATH")]))
        environment = {**os.environ, **with_reports_in(reports), "TMPDIR": directory, "LD_LIBRARY_PATH": searched}
        status = subprocess.run(command, env=environment, preexec_fn=die_with_parent).returncode
        left = []
        for pid, command in left_processes().items():
            left.append(f"process {pid}: {command}")
            os.kill(pid, signal.SIGKILL)
        left += [f"file {path}" for path in sorted(pathlib.Path(directory).rglob("*"))]
        if own_shm:
            left += [f"file {path}" for path in sorted(pathlib.Path("/dev/shm").rglob("*"))]
        found = findings(reports)
    for report in found:
        print(f"a sanitizer reports:\n{report}", flush=True)
    for thing in left:
        print(f"left behind: {thing}", flush=True)
    if status == 0 and (left or found):
        status = NOT_CLEAN
    sys.exit(status if status >= 0 else 128 - status)


main()
