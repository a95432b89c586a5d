#!/usr/bin/env python3
"""A room fails a test for what it leaves behind and for what a sanitizer has found, and for nothing else."""
import pathlib
import subprocess
import sys
import unittest

ROOM = pathlib.Path(__file__).with_name("room.py")
NOT_CLEAN = 99


class RoomTest(unittest.TestCase):
    def status(self, script):
        """What the room makes of a test that is this shell script; $report is where a sanitizer would write."""
        script = f'report=${{ASAN_OPTIONS##*log_path=}}.4711; {script}'
        done = subprocess.run([sys.executable, ROOM, "", "sh", "-c", script], capture_output=True, text=True, timeout=60)
        self.said = done.stdout
        return done.returncode

    def test_a_status_is_passed_on(self):
        self.assertEqual(self.status("exit 0"), 0)
        self.assertEqual(self.status("exit 7"), 7)

    def test_what_is_left_behind_is_named(self):
        self.assertEqual(self.status('echo > "$TMPDIR/forgotten"'), NOT_CLEAN)
        self.assertIn("left behind: file ", self.said)
        self.assertEqual(self.status("setsid sleep 4711 > /dev/null 2>&1 &"), NOT_CLEAN)
        self.assertIn("sleep 4711", self.said)

    def test_what_a_sanitizer_finds_is_shown(self):
        self.assertEqual(self.status('echo "==12==ERROR: LeakSanitizer: detected memory leaks" > "$report"'), NOT_CLEAN)
        self.assertIn("detected memory leaks", self.said)

    def test_a_thread_on_its_way_out_is_no_finding(self):
        note = "==12==Unable to get registers from thread 11."
        self.assertEqual(self.status(f'echo "{note}" > "$report"'), 0)
        self.assertEqual(self.status(f'printf "%s\\n" "{note}" "==12==ERROR: more" > "$report"'), NOT_CLEAN)


if __name__ == "__main__":
    unittest.main(verbosity=2)
