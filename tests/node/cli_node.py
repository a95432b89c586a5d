"""A real godwitd for tests in Python: its own directory, a free port, gone at the end whatever happens."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

# GODWIT_TEST_PATIENCE multiplies how long tests wait, for instrumented programs and emulated processors.
PATIENCE = int(os.environ.get("GODWIT_TEST_PATIENCE", "1"))
READY_SECONDS = 20 * PATIENCE


def can_act_as(uid, program):
    """Whether `program` can be run as another user: only root can do that, and only what that user may read."""
    return os.geteuid() == 0 and subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "test", "-x",
                                                 program], check=False).returncode == 0


class Node:
    def __init__(self, binaries, targets, more=None, wrapper=(), user=None):
        """`more` adds to, or replaces, keys of the configuration; `wrapper` is a command that runs the daemon; `user`, of the password
        database, whom only root can choose, is who runs it."""
        self.binaries = pathlib.Path(binaries)
        self.wrapper = wrapper
        self.directory = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.path = pathlib.Path(self.directory.name)
        if user is not None and user.pw_uid != os.geteuid():
            os.chown(self.path, user.pw_uid, user.pw_gid)
            if self.path.parent.stat().st_uid == os.geteuid():
                self.path.parent.chmod(self.path.parent.stat().st_mode | 0o011)  # That user comes in.
            # Who becomes another user is no longer ended with its parent, unless it asks again.
            self.wrapper = (*wrapper, "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig", "KILL")
        self.config = self.path / "godwitd.json"
        self.ready = self.path / "ready"
        for target in targets:
            if target["type"] != "dram":
                target["config"].setdefault("path", str(self.path / (target["name"] + ".pool")))
        # Most tests want to see a job fail when its peer is lost; those that want it to go on say so.
        self.config.write_text(json.dumps({"state_dir": str(self.path / "state"), "listen": ["tcp://127.0.0.1:0"],
                                           "resume_timeout_ms": 0, "targets": targets, **(more or {})}))
        self.start()

    def start(self, environment=None):
        """`environment` adds to ours, this time."""
        self.ready.unlink(missing_ok=True)
        with (self.path / "log").open("a") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.wrapper, self.binaries / "godwitd",
                                             "--config", self.config, "--ready-file", self.ready], stderr=log,
                                            env={**os.environ, **(environment or {})})
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.path / "log").read_text()
                self.close()
                raise RuntimeError(f"godwitd did not start:\n{log}")
            time.sleep(0.01)
        self.address = self.ready.read_text().splitlines()[0]
        # The same after each restart: jobs in doubt look for it there.
        config = json.loads(self.config.read_text())
        self.config.write_text(json.dumps({**config, "listen": [self.address]}))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20 * PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.kill()
        log = (self.path / "log").read_text(errors="replace")
        self.directory.cleanup()
        if "must not follow" in log:  # Of phases: no test can mean that.
            raise AssertionError(log)


def target(name, kind, capacity="64MiB"):
    return {"name": name, "type": kind, "config": {"capacity": capacity}}
