#!/usr/bin/env python3
"""The programs of docs/howto are what they claim: each is compiled, and run against two real nodes in the place of n1 and n2."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
sys.path.insert(0, str(ROOT / "tests/node"))
import cli_node  # noqa: E402

LIBRARIES = [f"-L{BINARIES.parent / 'lib'}", f"-Wl,-rpath,{BINARIES.parent / 'lib'}"]


class HowtoProgramsTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        self.nodes = []
        for kind in ("dram", "pmem"):
            target = {"name": "fast" if kind == "dram" else "keep", "type": kind, "config": {"capacity": "16MiB"}}
            self.nodes.append(cli_node.Node(BINARIES, [target]))
            self.addCleanup(self.nodes[-1].close)

    def program_in(self, page, language):
        """The page's only program."""
        programs = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs/howto" / page).read_text(), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(programs), 1, page)
        text = programs[0]
        for i, node in enumerate(self.nodes, 1):
            self.assertIn(f"tcp://n{i}:7411", text)
            text = text.replace(f"tcp://n{i}:7411", node.address)
        return text

    def run_there(self, *command):
        subprocess.run(command, cwd=self.scratch, check=True, timeout=60)

    def test_hdf5(self):
        (self.scratch / "program.c").write_text(self.program_in("hdf5.md", "c"))
        hdf5 = subprocess.run(["pkg-config", "--cflags", "--libs", "hdf5-serial"], capture_output=True, text=True, check=True).stdout.split()
        self.run_there("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/core/include", "program.c", "-o", "program",
                       *LIBRARIES, "-lgodwit_hdf5", "-lgodwit", *hdf5)
        self.run_there("./program")
        self.assertIn("GROUP \"fields\"", subprocess.run(["h5dump", self.scratch / "run7.h5"], capture_output=True, text=True,
                                                         check=True).stdout)

    @unittest.skipUnless(shutil.which("gfortran"), "no gfortran")
    def test_fortran(self):
        (self.scratch / "program.f90").write_text(self.program_in("fortran.md", "fortran"))
        self.run_there("gfortran", ROOT / "core/fortran/godwit.f90", "program.f90", "-o", "program", *LIBRARIES, "-lgodwit")
        self.run_there("./program")


if __name__ == "__main__":
    unittest.main(verbosity=2)
