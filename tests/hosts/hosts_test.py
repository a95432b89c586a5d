#!/usr/bin/env python3
"""The main job between hosts whose wires are cut, mended, slow and one-way, and whose daemons stop.

What must hold: a region has one owner, with its bytes; every error names the peer; every wait ends; what a failed migration had
reserved is free again.
"""
import hashlib
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import unittest

import hosts

BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
MIB = 1 << 20
# A peer that is silent for 5 s counts as lost, and a stalled transfer ends after 4 s; the rest is a busy machine's.
LOST_SECONDS = 20 * hosts.cli_node.PATIENCE


def until(condition, seconds=LOST_SECONDS):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


class HostsTest:
    def cluster(self, count, **options):
        cluster = hosts.Cluster(count, BINARIES, **options)
        self.addCleanup(cluster.close)
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        return cluster.hosts

    # ---- what the tests are made of

    def fill(self, host, name, size, target="fast", seed=1):
        """A region of random bytes; its id and digest."""
        data = random.Random(seed).randbytes(size)
        path = self.directory / "in"
        path.write_bytes(data)
        region = host.json("region", "import", str(path), "--name", name, "--target", target)
        path.unlink()
        return region["id"], hashlib.sha256(data).hexdigest()

    def names(self, host):
        return [region["name"] for region in host.json("region", "ls")]

    def digest(self, host, identity):
        path = self.directory / f"out-{host.number}"
        status, _, err = host.godwit("region", "export", identity, str(path))
        self.assertEqual(status, 0, err)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.unlink()
        return digest

    def start_migration(self, source, destination, *regions, target="keep"):
        return source.start_godwit("migrate", "region", *regions, "--to", destination.address, "--target", target, "--json")

    def end(self, migration, seconds=LOST_SECONDS):
        _, err = migration.communicate(timeout=seconds)
        return migration.returncode, err

    def migrate(self, source, destination, *regions, target="keep"):
        status, err = self.end(self.start_migration(source, destination, *regions, target=target), 60)
        self.assertEqual(status, 0, err)

    def moved_bytes(self, source):
        return sum(job["bytes_done"] for job in source.json("job", "ls") if not job["ended"])

    def start_slow_migration(self, source, destination, region):
        """One whose bytes are on their way when this returns, and for some seconds more."""
        source.limit("100mbit")
        migration = self.start_migration(source, destination, region)
        self.addCleanup(migration.communicate)
        self.assertTrue(until(lambda: self.moved_bytes(source) > MIB), "no bytes move")
        return migration

    def is_only_at(self, host, others, name, identity, digest):
        self.assertEqual(self.digest(host, identity), digest)
        self.assertIn(name, self.names(host))
        for other in others:
            self.assertNotIn(name, self.names(other))

    def keeps_nothing(self, host):
        """What a failed migration had reserved there is free: soon, for the host has to notice."""
        self.assertTrue(until(lambda: all(target["used_bytes"] == 0 for target in host.json("target", "ls"))),
                        host.json("target", "ls"))

    def names_peer(self, err, host):
        self.assertIn(host.ip, err)


class Whole(HostsTest, unittest.TestCase):
    def test_two_hosts(self):
        a, b = self.cluster(2)
        region, digest = self.fill(a, "field", 32 * MIB)
        self.migrate(a, b, "field", target="keep")
        self.is_only_at(b, [a], "field", region, digest)
        # Whoever asks the old host is sent on; back it goes, to the other kind.
        self.assertEqual(self.digest(a, region), digest)
        self.migrate(b, a, "field", target="fast")
        self.is_only_at(a, [b], "field", region, digest)

    def test_four_hosts_in_a_ring_all_at_once(self):
        ring = self.cluster(4)
        filled = [self.fill(host, f"r{host.number}", 16 * MIB, seed=host.number) for host in ring]
        for step in range(1, 4):
            moves = [self.start_migration(ring[(i + step - 1) % 4], ring[(i + step) % 4], f"r{i + 1}",
                                          target="keep" if step % 2 else "fast") for i in range(4)]
            for move in moves:
                status, err = self.end(move, 60)
                self.assertEqual(status, 0, err)
            for i, (region, digest) in enumerate(filled):
                here = ring[(i + step) % 4]
                self.is_only_at(here, [host for host in ring if host is not here], f"r{i + 1}", region, digest)

    def test_a_wrong_interface_first_in_the_list(self):
        # Every host has one that leads nowhere (hosts.py). Here the daemons listen there, too, and say so first.
        a, b = self.cluster(2, listen=["tcp;ofi_rxm://{dead}:0", "tcp://{ip}:0"])
        self.assertIn("10.98.", a.addresses[0])
        self.assertNotIn("10.98.", a.address)
        region, digest = self.fill(a, "field", 4 * MIB)
        self.migrate(a, b, "field")
        self.is_only_at(b, [a], "field", region, digest)
        self.assertEqual(self.digest(a, region), digest)  # The way that `a` shows leads to `b`.
        # ... and the way back, from a host that has only that one.
        self.migrate(b, a, "field", target="fast")
        self.is_only_at(a, [b], "field", region, digest)

    def test_a_host_that_does_not_exist_is_named(self):
        a, = self.cluster(1)
        self.fill(a, "field", MIB)
        began = time.monotonic()
        status, _, err = a.godwit("migrate", "region", "field", "--to", "tcp://10.99.0.77:7411", "--target", "keep")
        self.assertNotEqual(status, 0)
        self.assertIn("10.99.0.77", err)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(self.names(a), ["field"])


class Wires(HostsTest, unittest.TestCase):
    def fails_and_recovers(self, break_, mend):
        a, b = self.cluster(2)
        region, digest = self.fill(a, "field", 64 * MIB)
        migration = self.start_slow_migration(a, b, "field")
        break_(a, b)
        status, err = self.end(migration)
        self.assertNotEqual(status, 0)
        self.names_peer(err, b)
        self.assertEqual(self.digest(a, region), digest)  # Served again, before anything is mended.
        self.keeps_nothing(b)
        mend(a, b)
        a.unlimit()
        self.migrate(a, b, "field")
        self.is_only_at(b, [a], "field", region, digest)

    def test_a_wire_cut_and_mended(self):
        self.fails_and_recovers(lambda a, b: b.cut(), lambda a, b: b.mend())

    def test_a_wire_cut_from_the_source(self):
        self.fails_and_recovers(lambda a, b: a.cut_towards(b), lambda a, b: a.mend_towards(b))

    def test_a_wire_cut_towards_the_source(self):
        self.fails_and_recovers(lambda a, b: b.cut_towards(a), lambda a, b: b.mend_towards(a))

    def test_a_short_cut_is_bridged(self):
        a, b = self.cluster(2)
        region, digest = self.fill(a, "field", 32 * MIB)
        migration = self.start_slow_migration(a, b, "field")
        b.cut()
        time.sleep(1)  # Shorter than any deadline.
        b.mend()
        status, err = self.end(migration, 60)
        self.assertEqual(status, 0, err)
        self.is_only_at(b, [a], "field", region, digest)

    def test_cut_at_any_moment_it_has_one_owner(self):
        a, b = self.cluster(2)
        seed = int(os.environ.get("GODWIT_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}", flush=True)
        generator = random.Random(seed)
        source, destination = a, b
        region, digest = self.fill(a, "field", MIB)
        for _ in range(4):
            migration = self.start_migration(source, destination, "field", target="fast")
            # A migration of 1 MiB takes some 30 ms after its command has started, which takes 350.
            time.sleep(generator.uniform(0.3, 0.5))
            b.cut()
            time.sleep(generator.choice([0.5, 7]))  # Bridged by TCP, or longer than the peers' patience.
            b.mend()
            status, err = self.end(migration, 60)
            if status != 0:
                self.names_peer(err, destination)
            # In doubt only while the wire is cut; then one of them has it, and the other has freed its space.
            self.assertTrue(until(lambda: sorted(self.names(source) + self.names(destination)) == ["field"]),
                            f"seed {seed}: {self.names(source)}, {self.names(destination)}")
            if "field" in self.names(destination):
                source, destination = destination, source
            elif status == 0:
                self.fail(f"seed {seed}: done, and still at the source")
            self.assertEqual(self.digest(source, region), digest)
            self.keeps_nothing(destination)


class Peers(HostsTest, unittest.TestCase):
    def test_a_slow_peer_holds_up_nobody_else(self):
        a, slow, quick = self.cluster(3)
        region, digest = self.fill(a, "crawls", 8 * MIB, seed=1)
        other, other_digest = self.fill(a, "runs", 32 * MIB, seed=2)
        slow.limit_inbound("10mbit")  # 7 s
        crawling = self.start_migration(a, slow, "crawls")
        self.addCleanup(crawling.communicate)
        self.assertTrue(until(lambda: any(not job["ended"] for job in a.json("job", "ls"))))
        began = time.monotonic()
        self.migrate(a, quick, "runs")
        self.assertLess(time.monotonic() - began, 10)
        self.is_only_at(quick, [a, slow], "runs", other, other_digest)
        slow.unlimit_inbound()
        status, err = self.end(crawling, 60)
        self.assertEqual(status, 0, err)
        self.is_only_at(slow, [a, quick], "crawls", region, digest)

    def test_a_destination_that_stops_beyond_the_deadline(self):
        a, b = self.cluster(2)
        region, digest = self.fill(a, "field", 64 * MIB)
        migration = self.start_slow_migration(a, b, "field")
        os.kill(b.node.process.pid, signal.SIGSTOP)
        status, err = self.end(migration)
        self.assertNotEqual(status, 0)
        self.names_peer(err, b)
        self.assertEqual(self.digest(a, region), digest)
        os.kill(b.node.process.pid, signal.SIGCONT)
        self.keeps_nothing(b)
        a.unlimit()
        self.migrate(a, b, "field")
        self.is_only_at(b, [a], "field", region, digest)

    def test_a_source_that_stops_beyond_the_deadline(self):
        a, b = self.cluster(2)
        region, digest = self.fill(a, "field", 64 * MIB)
        migration = self.start_slow_migration(a, b, "field")
        os.kill(a.node.process.pid, signal.SIGSTOP)
        self.keeps_nothing(b)
        os.kill(a.node.process.pid, signal.SIGCONT)
        status, err = self.end(migration)
        self.assertNotEqual(status, 0)
        self.names_peer(err, b)
        self.is_only_at(a, [b], "field", region, digest)

    def test_a_client_does_not_wait_for_a_stopped_daemon(self):
        a, b = self.cluster(2)
        os.kill(b.node.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        status, _, err = a.godwit("region", "ls", "--node", b.address, "--timeout", "2", "--connect-timeout", "2")
        self.assertNotEqual(status, 0)
        self.names_peer(err, b)
        self.assertLess(time.monotonic() - began, 8)
        os.kill(b.node.process.pid, signal.SIGCONT)
        self.assertEqual(b.json("region", "ls"), [])


if __name__ == "__main__":
    hosts.become_root()
    unittest.main(verbosity=2)
