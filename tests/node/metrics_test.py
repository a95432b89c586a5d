#!/usr/bin/env python3
"""What Prometheus scrapes from real daemons, and the events of their jobs."""
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import cli_node

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
MONITOR = pathlib.Path(__file__).resolve().parents[2] / "docs/howto/monitor.md"
MIB = 1 << 20
SOON_SECONDS = 30 * cli_node.PATIENCE

# "Nan" is how the library writes it; Prometheus reads it in any case.
NUMBER = r"[-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|Inf|Na[Nn])"
SAMPLE = re.compile(rf'([a-z_:][a-z0-9_:]*)(?:\{{((?:[a-z_][a-z0-9_]*="[^"\\\n]*",?)*)\}})? ({NUMBER})')
LABEL = re.compile(r'([a-z_][a-z0-9_]*)="([^"\\\n]*)"')


def parse(text):
    """Every sample by (name, labels), and every family's type; raises ValueError for whatever is not as it must be."""
    samples, types, helps, family = {}, {}, set(), None
    if not text.endswith("\n"):
        raise ValueError("the text ends within a line")
    for line in text[:-1].split("\n"):
        if found := re.fullmatch(r"# HELP ([a-z0-9_:]+) (\S.*)", line):
            if found[1] in helps:
                raise ValueError(f"twice: {line}")
            helps.add(found[1])
        elif found := re.fullmatch(r"# TYPE ([a-z0-9_:]+) (counter|gauge|histogram|summary)", line):
            family = found[1]
            if family in types or family not in helps:
                raise ValueError(f"twice, or without its HELP: {line}")
            types[family] = found[2]
        elif found := SAMPLE.fullmatch(line):
            name, labels = found[1], tuple(sorted(LABEL.findall(found[2] or "")))
            endings = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
            if family is None or name not in [family + end for end in endings.get(types.get(family), ("",))]:
                raise ValueError(f"outside of its family: {line}")
            if (name, labels) in samples:
                raise ValueError(f"twice: {line}")
            samples[name, labels] = float(found[3])
        else:
            raise ValueError(f"not in the format: {line!r}")
    return samples, types


def check_histograms(samples, types):
    for family in (name for name, kind in types.items() if kind == "histogram"):
        counts = [value for (name, _), value in samples.items() if name == family + "_bucket"]  # In their order in the text.
        bounds = [float(dict(labels)["le"]) for name, labels in samples if name == family + "_bucket"]
        if bounds != sorted(bounds) or bounds[-1] != float("inf") or counts != sorted(counts):
            raise ValueError(f"{family}: buckets out of order")
        if counts[-1] != samples[family + "_count", ()]:
            raise ValueError(f"{family}: the last bucket holds not all")


OFFSET = 2000  # From a node's port to that of its metrics.


def port_of_a_node():
    """Of 127.0.0.1, free, as that of the metrics is; neither is one that the system gives to who asks for any."""
    while True:
        port = random.randrange(28_000, 30_000)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + OFFSET))
            except OSError:
                continue
            return port


class Scraped:
    """One look at a node's metrics."""

    def __init__(self, url):
        with urllib.request.urlopen(url, timeout=60 * cli_node.PATIENCE) as answer:
            if not answer.headers["Content-Type"].startswith("text/plain"):
                raise ValueError(answer.headers["Content-Type"])
            self.text = answer.read().decode()
        self.samples, self.types = parse(self.text)
        check_histograms(self.samples, self.types)

    def __call__(self, name, reserved=None, **labels):
        """`reserved`: labels that are words of Python's."""
        return self.samples[name, tuple(sorted({**labels, **(reserved or {})}.items()))]


class MetricsCase(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        (self.scratch / "from").mkdir()
        (self.scratch / "to").mkdir()

    def node(self, more=None, targets=None):
        roots = [{"path": str(self.scratch)}]
        node = cli_node.Node(BINARIES, targets or [cli_node.target("fast", "dram"), cli_node.target("keep", "pmem")],
                             {"metrics": "127.0.0.1:0", "file_roots": roots, "resolve_interval_ms": 50, **(more or {})})
        self.addCleanup(node.close)
        return node

    def godwit(self, node, *arguments, status=0):
        done = subprocess.run([BINARIES / "godwit", *arguments], capture_output=True, text=True,
                              timeout=120 * cli_node.PATIENCE, env={**os.environ, "GODWIT_NODE": node.address})
        if status is not None:
            self.assertEqual(done.returncode == 0, status == 0, f"{arguments}: {done.stderr}")
        return done.stdout

    def json(self, node, *arguments):
        return json.loads(self.godwit(node, *arguments, "--json"))

    def url(self, node):
        return self.json(node, "doctor")["metrics"]

    def scrape(self, node):
        return Scraped(self.url(node))

    def region(self, node, name, size, target="fast"):
        file = self.scratch / "region"
        file.write_bytes(os.urandom(size))
        self.godwit(node, "region", "import", str(file), "--name", name, "--target", target)

    def start(self, source, destination, name, target="fast"):
        """The id of a job that moves the region."""
        return self.godwit(source, "migrate", "region", name, "--to", destination.address, "--target", target, "--async").split()[-1]

    def job(self, node, job):
        return self.json(node, "job", "show", job)

    def comes_true(self, what):
        deadline = time.monotonic() + SOON_SECONDS
        while not what():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def events(self, node, job):
        return self.json(node, "job", "events", job)


class MetricsTest(MetricsCase):
    def test_the_text_is_well_formed_and_documented(self):
        node = self.node()
        seen = self.scrape(node)
        documented = dict(re.findall(r"^\| `(godwit_[a-z_]+)` \| (\w+) \|", MONITOR.read_text(), re.MULTILINE))
        self.assertEqual(documented, {name: kind for name, kind in seen.types.items() if name.startswith("godwit_")})
        for name in seen.types:
            self.assertRegex(name, "^(godwit|exposer)_")
        version = subprocess.run([BINARIES / "godwitd", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        self.assertEqual(seen("godwit_build_info", version=version), 1)
        self.assertEqual(seen("godwit_target_capacity_bytes", target="fast", kind="dram"), 64 * MIB)
        self.assertEqual(seen("godwit_target_used_bytes", target="keep", kind="pmem"), 0)
        self.assertEqual(seen("godwit_bandwidth_limit_bytes_per_second"), 0)
        self.region(node, "field", 5 * MIB)
        seen = self.scrape(node)
        self.assertEqual(seen("godwit_target_used_bytes", target="fast", kind="dram"), 5 * MIB)
        self.assertEqual(seen("godwit_registered_memory_bytes"), self.json(node, "doctor")["registered_bytes"])
        log = (node.path / "log").read_text()
        self.assertIn(f"metrics at {self.url(node)}", log)

    def test_the_strict_parser_is_strict(self):
        good = "# HELP a x\n# TYPE a counter\na{b=\"c\"} 1\n"
        parse(good)
        for bad in (good[:-1], good + "a{b=\"c\"} 1\n", good + good, "a 1\n", good + "a{b=c} 1\n", good + "b 1\n", good + "\n",
                    good + "a one\n", "# TYPE a counter\na 1\n"):
            with self.assertRaises(ValueError, msg=bad):
                parse(bad)

    def test_counters_grow_by_exactly_what_moved_at_both_ends(self):
        a, b = self.node(), self.node()
        tree = self.scratch / "from" / "tree"
        tree.mkdir()
        sizes = (0, 1, 4096, 3 * MIB + 17)
        for i, size in enumerate(sizes):
            (tree / str(i)).write_bytes(os.urandom(size))
        moved = 0
        for size in (5 * MIB + 123, 1, 2 * MIB):
            self.region(a, "field", size)
            self.godwit(a, "migrate", "region", "field", "--to", b.address, "--target", "fast")
            self.godwit(b, "region", "rm", "field")
            moved += size
            self.moved(a, b, moved)
        self.godwit(a, "migrate", "files", str(tree), "--to", f"{b.address}:{self.scratch}/to")
        moved += sum(sizes)
        self.moved(a, b, moved)
        seen = self.scrape(a)
        self.assertEqual(seen("godwit_jobs_ended_total", outcome="done"), 4)
        for histogram in ("godwit_job_seconds", "godwit_queue_wait_seconds", "godwit_writers_stopped_seconds"):
            self.assertEqual(seen(histogram + "_count"), 4, histogram)
        self.assertGreater(seen("godwit_job_seconds_sum"), seen("godwit_queue_wait_seconds_sum"))
        self.assertEqual(self.scrape(b)("godwit_job_seconds_count"), 0)

    def moved(self, a, b, size):
        sent, received = self.scrape(a), self.scrape(b)
        self.assertEqual(sent("godwit_moved_bytes_total", direction="sent"), size)
        self.assertEqual(received("godwit_moved_bytes_total", direction="received"), size)
        self.assertEqual(sent("godwit_moved_bytes_total", direction="received"), 0)
        self.assertEqual(received("godwit_moved_bytes_total", direction="sent"), 0)
        blocks = sent("godwit_moved_blocks_total", direction="sent")
        self.assertEqual(received("godwit_moved_blocks_total", direction="received"), blocks)
        self.assertGreaterEqual(blocks, size / (512 << 10))

    def test_counters_never_go_back_while_jobs_run(self):
        a, b = self.node({"bandwidth": "64KiB/s"}), self.node()
        names = [f"field{i}" for i in range(6)]
        for name in names:
            self.region(a, name, MIB)
        jobs = [self.start(a, b, name) for name in names]
        url_a, url_b = self.url(a), self.url(b)
        before, scrapes = {}, 0
        while not all(self.job(a, job)["ended"] for job in jobs):
            for url in (url_a, url_b) * 5:
                seen = Scraped(url)
                grows = {(url, *key): value for key, value in seen.samples.items()
                         if key[0].endswith(("_total", "_bucket", "_count", "_sum")) and key[0].startswith("godwit_")}
                for key, value in grows.items():
                    self.assertGreaterEqual(value, before.get(key, 0), key)
                before.update(grows)
                scrapes += 1
            self.godwit(a, "limit", "none")  # Seen while they run; now they may end.
        self.assertGreaterEqual(scrapes, 10)
        self.assertEqual(Scraped(url_a)("godwit_moved_bytes_total", direction="sent"), 6 * MIB)

    def test_jobs_are_counted_by_phase_and_by_outcome(self):
        a, b = self.node({"bandwidth": "256KiB/s", "jobs_max": 1}), self.node()
        for name in ("one", "two"):
            self.region(a, name, 8 * MIB)
        first = self.start(a, b, "one")
        self.comes_true(lambda: self.job(a, first)["bytes_done"] > 0)
        second = self.start(a, b, "two")
        seen, there = self.scrape(a), self.scrape(b)
        self.assertEqual(seen("godwit_jobs", phase="sync"), 1)
        self.assertEqual(seen("godwit_jobs", phase="planning"), 1)
        self.assertEqual((seen("godwit_jobs_queued"), seen("godwit_jobs_running")), (1, 1))
        self.assertGreaterEqual(seen("godwit_streams", kind="source"), 1)
        self.assertGreaterEqual(there("godwit_streams", kind="destination"), 1)
        self.assertEqual(there("godwit_jobs_inbound", state="receiving"), 1)
        self.assertEqual(seen("godwit_bandwidth_limit_bytes_per_second"), 256 << 10)
        self.godwit(a, "job", "pause", second)
        self.assertEqual(self.scrape(a)("godwit_jobs", phase="paused"), 1)
        for job in (first, second):
            self.godwit(a, "job", "cancel", job)
            self.godwit(a, "job", "resume", job, status=None)  # It may have ended.
            self.godwit(a, "job", "wait", job, status=1)
        self.comes_true(lambda: self.scrape(a)("godwit_streams", kind="source") == 0)
        self.comes_true(lambda: self.scrape(b)("godwit_streams", kind="destination") == 0)
        seen = self.scrape(a)
        self.assertEqual(seen("godwit_jobs_ended_total", outcome="cancelled"), 2)
        self.assertEqual(seen("godwit_jobs_ended_total", outcome="failed"), 0)
        self.assertEqual(sum(value for (name, _), value in seen.samples.items() if name == "godwit_jobs"), 0)
        self.godwit(a, "migrate", "region", "one", "--to", b.address, "--target", "nowhere", status=1)
        self.assertEqual(self.scrape(a)("godwit_jobs_ended_total", outcome="failed"), 1)
        third = self.start(a, b, "one")
        self.godwit(a, "job", "rollback", third)
        self.godwit(a, "job", "wait", third, status=1)
        self.assertEqual(self.scrape(a)("godwit_jobs_ended_total", outcome="rolled back"), 1)

    def test_requests_that_wait_for_a_worker_are_counted(self):
        a = self.node({"workers": 1, "connect_timeout_ms": 60000})
        self.region(a, "one", MIB)
        silent = socket.create_server(("127.0.0.1", 0))  # Whoever makes a plan waits for its answer.
        self.addCleanup(silent.close)
        url = self.url(a)  # Told by a worker.
        self.assertEqual(Scraped(url)("godwit_requests_queued", {"for": "disk"}), 0)
        command = [BINARIES / "godwit", "plan", "--region", "one", "--target", "fast", "--to",
                   f"tcp://127.0.0.1:{silent.getsockname()[1]}"]
        for _ in range(3):  # One has the worker.
            one = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "GODWIT_NODE": a.address})
            self.addCleanup(one.wait)
            self.addCleanup(one.kill)
        self.comes_true(lambda: Scraped(url)("godwit_requests_queued", {"for": "disk"}) == 2)
        self.assertEqual(Scraped(url)("godwit_requests_queued", {"for": "group"}), 0)

    def test_a_digest_that_fails_is_counted_at_both_ends_and_its_block_named(self):
        a, b = self.node(), self.node()
        b.kill()
        b.start({"GODWIT_FAIL": "sink.digest=EIO@2"})
        self.region(a, "field", 2 * MIB)
        job = self.start(a, b, "field")
        self.godwit(a, "job", "wait", job)
        sent, received = self.scrape(a), self.scrape(b)
        self.assertEqual(sent("godwit_blocks_resent_total"), 1)
        self.assertEqual(sent("godwit_digests_failed_total", direction="sent"), 1)
        self.assertEqual(received("godwit_digests_failed_total", direction="received"), 1)
        self.assertEqual(sent("godwit_moved_bytes_total", direction="sent"), 2 * MIB)
        self.assertEqual(received("godwit_moved_bytes_total", direction="received"), 2 * MIB)
        resent = [event for event in self.events(a, job) if event["event"] == "block-resent"]
        self.assertEqual(len(resent), 1)
        self.assertIn(resent[0]["block"], range(4))
        self.assertEqual(resent[0]["error"], "GODWIT_ERR_DIGEST")

    def test_a_medium_that_gives_other_bytes_back_is_counted_and_its_block_named(self):
        a, b = self.node(), self.node()
        b.kill()
        b.start({"GODWIT_FAIL": "verify.read=EIO@3"})
        self.region(a, "field", 2 * MIB)
        self.godwit(a, "migrate", "region", "field", "--to", b.address, "--target", "fast", "--verify", status=1)
        [job] = self.json(a, "job", "ls")
        self.assertIn("(block 2)", str(self.events(a, job["id"])))
        self.assertEqual(self.scrape(b)("godwit_digests_failed_total", direction="received"), 1)

    def test_sessions_come_and_go(self):
        node = self.node()
        url = self.url(node)
        self.comes_true(lambda: Scraped(url)("godwit_sessions") == 0)
        self.region(node, "field", MIB)
        waiter = self.start(node, self.node({"inbound_max": 1}), "field")
        self.godwit(node, "job", "wait", waiter)
        self.comes_true(lambda: Scraped(url)("godwit_sessions") == 0)


class AddressTest(MetricsCase):
    def listeners(self, node):
        """Ports on which the daemon listens, by what the kernel says."""
        inodes = set()
        for entry in pathlib.Path(f"/proc/{node.process.pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(entry))
            except FileNotFoundError:
                pass  # Closed meanwhile.
        ports = set()
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                ports.add((address, int(port, 16)))
        return ports

    def test_off_listens_nowhere(self):
        node = self.node({"metrics": "off"})
        self.assertEqual(self.url(node), "off")
        self.assertEqual({port for _, port in self.listeners(node)}, {int(node.address.rsplit(":", 1)[1])})

    def test_by_default_it_is_the_next_port_of_loopback(self):
        port = port_of_a_node()
        node = self.node({"listen": [f"tcp://127.0.0.1:{port}"], "metrics": "auto"})
        self.assertEqual(self.url(node), f"http://127.0.0.1:{port + OFFSET}/metrics")
        self.assertEqual(self.listeners(node), {("0100007F", port), ("0100007F", port + OFFSET)})
        self.scrape(node)
        with self.assertRaises(urllib.error.HTTPError) as wrong:
            urllib.request.urlopen(f"http://127.0.0.1:{port + OFFSET}/etc/passwd", timeout=60)
        wrong.exception.close()
        self.assertEqual(wrong.exception.code, 404)

    def test_a_port_that_the_system_chose_gives_none(self):
        self.assertEqual(self.url(self.node({"metrics": "auto"})), "off")

    def test_a_taken_default_port_is_a_warning(self):
        port = port_of_a_node()
        with socket.create_server(("127.0.0.1", port + OFFSET)):
            node = self.node({"listen": [f"tcp://127.0.0.1:{port}"], "metrics": "auto"})
            self.godwit(node, "ping")
            self.assertEqual(self.url(node), "off")
        warnings = [line for line in (node.path / "log").read_text().splitlines() if "metrics" in line]
        self.assertEqual(len(warnings), 1, warnings)
        self.assertIn("warning", warnings[0])
        self.assertIn(f"127.0.0.1:{port + OFFSET}: another program listens there", warnings[0])

    def test_a_taken_port_that_was_asked_for_ends_the_start(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with self.assertRaisesRegex(RuntimeError, f"metrics: {address}: another program listens there"):
                self.node({"metrics": address})

    def test_an_address_of_another_machine_ends_the_start(self):
        with self.assertRaisesRegex(RuntimeError, "metrics: 192.0.2.1:9100: Cannot assign"):
            self.node({"metrics": "192.0.2.1:9100"})

    def test_what_is_no_address_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "metrics: 'localhost:9100' is none of"):
            self.node({"metrics": "localhost:9100"})

    def test_a_restart_finds_its_port_again(self):
        port = port_of_a_node()
        node = self.node({"metrics": f"127.0.0.1:{port}"})
        self.scrape(node)
        for end in (node.kill, node.terminate):
            end()
            node.start()
            self.scrape(node)


class StrangersTest(MetricsCase):
    def test_garbage_and_silence_hurt_nobody_else(self):
        node = self.node()
        url = self.url(node)
        port = int(re.search(r":(\d+)/", url)[1])
        silent = []
        self.addCleanup(lambda: [stranger.close() for stranger in silent])
        for start in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: x\r\n", b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx"):
            for _ in range(5):
                stranger = socket.create_connection(("127.0.0.1", port))
                stranger.sendall(start)
                silent.append(stranger)
        for garbage in (os.urandom(100_000), b"\0" * 1000, b"GET " + b"/" * 100_000 + b" HTTP/1.0\r\n\r\n", b"\r\n" * 1000,
                        b"GET /metrics HTTP/1.0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                try:
                    stranger.sendall(garbage)
                except OSError:
                    pass  # It has hung up.
        self.godwit(node, "ping")
        self.region(node, "field", MIB)
        seen = Scraped(url)  # Once those before it are given up.
        self.assertEqual(seen("godwit_target_used_bytes", target="fast", kind="dram"), MIB)
        self.assertIsNone(node.process.poll())

    def test_silent_strangers_do_not_hold_up_the_end(self):
        node = self.node()
        port = int(re.search(r":(\d+)/", self.url(node))[1])
        strangers = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
        for stranger in strangers:
            self.addCleanup(stranger.close)
            stranger.sendall(b"GET /metrics HTTP/1.1\r\n")
        self.assertEqual(node.terminate(), 0)


class EventsTest(MetricsCase):
    def check(self, events):
        times = [event["time"] for event in events]
        for moment in times:
            self.assertRegex(moment, r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(times, sorted(times))
        return [event["event"] for event in events]

    def phases(self, events):
        """Of one run: each phase begins where the one before has ended."""
        steps = [(event["from"], event["to"]) for event in events if event["event"] == "phase"]
        for (_, left), (entered, _) in zip(steps, steps[1:]):
            self.assertEqual(left, entered)
        return [to for _, to in steps]

    def test_of_a_job_that_goes_well(self):
        a, b = self.node(), self.node()
        self.region(a, "field", 3 * MIB)
        job = self.start(a, b, "field")
        self.godwit(a, "job", "wait", job)
        events = self.events(a, job)
        names = self.check(events)
        self.assertEqual((names[0], names[-1]), ("queued", "ended"))
        self.assertEqual(events[0]["destination"], b.address)
        self.assertEqual(events[0]["kind"], "move")
        self.assertEqual(self.phases(events), ["pre-sync", "sync", "cutover", "cleanup", "done"])
        self.assertLess(names.index("stopped-writers"), names.index("handed-over"))
        self.assertEqual((events[-1]["phase"], events[-1]["error"], events[-1]["bytes"]), ("done", "", 3 * MIB))
        file = a.path / "state" / "events" / f"{job}.jsonl"
        self.assertEqual([json.loads(line) for line in file.read_text().splitlines()], events)
        text = self.godwit(a, "job", "events", job).splitlines()
        self.assertEqual(len(text), len(events))
        self.assertIn('phase from="sync" to="cutover"', "\n".join(text))

    def test_of_a_job_that_fails_they_name_the_cause(self):
        a, b = self.node(), self.node(targets=[cli_node.target("fast", "dram", "1MiB")])
        self.region(a, "field", 8 * MIB)
        job = self.start(a, b, "field")
        self.godwit(a, "job", "wait", job, status=1)
        events = self.events(a, job)
        self.check(events)
        refused = [event for event in events if event["event"] == "object-refused"]
        self.assertEqual(len(refused), 1)
        self.assertEqual((refused[0]["error"], refused[0]["by"]), ("GODWIT_ERR_NO_SPACE", b.address))
        region = self.json(a, "region", "ls")[0]["id"]
        self.assertEqual(refused[0]["object"], region)
        self.assertIn("fast", refused[0]["cause"])
        self.assertEqual((events[-1]["event"], events[-1]["phase"], events[-1]["error"]), ("ended", "failed", "GODWIT_ERR_NO_SPACE"))
        self.assertIn(b.address, events[-1]["cause"])

    def test_of_a_job_that_is_steered(self):
        a, b = self.node({"bandwidth": "256KiB/s"}), self.node()
        self.region(a, "field", 8 * MIB)
        job = self.start(a, b, "field")
        self.comes_true(lambda: self.job(a, job)["bytes_done"] > 0)
        self.godwit(a, "job", "pause", job)
        self.godwit(a, "job", "limit", job, "1MiB/s")
        self.godwit(a, "job", "resume", job)
        self.godwit(a, "job", "cancel", job)
        self.godwit(a, "job", "wait", job, status=1)
        events = self.events(a, job)
        names = self.check(events)
        told = [name for name in names if name in ("paused", "limited", "resumed", "cancelled", "ended")]
        self.assertEqual(told, ["paused", "limited", "resumed", "cancelled", "ended"])
        self.assertEqual(events[names.index("limited")]["bytes_per_second"], MIB)
        self.assertEqual(events[names.index("cancelled")]["cause"], "a client asked for it")
        self.assertEqual(self.phases(events), ["pre-sync", "sync", "paused", "sync", "failed"])
        self.assertEqual(events[-1]["error"], "GODWIT_ERR_CANCELLED")

    def test_of_a_job_whose_daemon_is_killed_before_it_is_decided(self):
        a, b = self.node({"bandwidth": "64KiB/s"}), self.node()
        self.region(a, "field", 8 * MIB, "keep")
        job = self.start(a, b, "field")
        self.comes_true(lambda: self.job(a, job)["bytes_done"] > 0)
        before = self.events(a, job)
        a.kill()
        a.start()
        events = self.events(a, job)
        self.check(events)
        self.assertEqual(events[:len(before)], before)
        self.assertEqual((events[-1]["event"], events[-1]["phase"]), ("ended", "failed"))
        self.assertIn("daemon ended", events[-1]["cause"])
        self.assertEqual(sum(event["event"] == "ended" for event in events), 1)

    def test_of_a_job_in_doubt_they_go_on_after_a_restart(self):
        a, b = self.node(), self.node()
        self.region(a, "field", 2 * MIB, "keep")
        a.terminate()
        a.start({"GODWIT_FAIL": "source.after.journal-hand-over=EIO"})
        job = self.start(a, b, "field")
        a.process.wait(60 * cli_node.PATIENCE)
        a.start()
        self.comes_true(lambda: self.events(a, job)[-1]["event"] == "ended")
        events = self.events(a, job)
        names = self.check(events)
        self.assertEqual(names[0], "queued")
        self.assertEqual(events[names.index("recovered")]["peer"], b.address)
        self.assertEqual((events[-1]["phase"], events[-1]["error"]), ("done", ""))
        self.assertEqual(self.scrape(a)("godwit_jobs_ended_total", outcome="done"), 1)

    def test_of_a_job_whose_destination_is_lost_at_the_cutover_they_name_it(self):
        a, b = self.node(), self.node()
        b.terminate()
        b.start({"GODWIT_FAIL": "destination.before.journal-owner=EIO"})
        self.region(a, "field", 2 * MIB, "keep")
        job = self.start(a, b, "field", "keep")
        b.process.wait(60 * cli_node.PATIENCE)
        self.comes_true(lambda: "in-doubt" in [event["event"] for event in self.events(a, job)])
        doubt = next(event for event in self.events(a, job) if event["event"] == "in-doubt")
        self.assertEqual(doubt["peer"], b.address)
        self.assertNotEqual(doubt["cause"], "")
        self.assertEqual(self.scrape(a)("godwit_jobs", phase="in doubt"), 1)
        b.start()
        self.comes_true(lambda: self.events(a, job)[-1]["event"] == "ended")
        self.assertEqual(self.scrape(a)("godwit_jobs", phase="in doubt"), 0)

    def test_a_job_that_nobody_knows_has_none(self):
        node = self.node()
        done = subprocess.run([BINARIES / "godwit", "job", "events", "0" * 31 + "1", "--node", node.address],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
