#!/usr/bin/env python3
"""The Fortran module: its generator, its layouts, its calls, and heat3d in Fortran, which must give the C program's field."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ["GODWIT_BIN"])
sys.path[:0] = [str(ROOT / "core/fortran"), str(ROOT / "docs/examples"), str(ROOT / "tests/node")]
import cli_node  # noqa: E402
import demo  # noqa: E402
import generate_module  # noqa: E402


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout


class GeneratorTest(unittest.TestCase):
    def translate(self, text):
        return generate_module.module_of(generate_module.Header(text))

    def test_what_is_added_to_the_header_is_translated(self):
        text = self.translate("""
            #define GODWIT_ANSWER 42
            typedef struct godwit_thing godwit_thing; /* opaque */
            typedef struct godwit_pair { uint64_t low; char name[65]; const char* more; } godwit_pair;
            enum { GODWIT_OK = 0, GODWIT_ERR_NEW = -99 };
            GODWIT_API int godwit_thing_open(const char* name, const godwit_pair* pairs, size_t count, godwit_thing** thing);
            GODWIT_API void godwit_thing_close(godwit_thing* thing);""")
        for line in ("integer(c_int), parameter :: GODWIT_ANSWER = 42", "integer(c_int), parameter :: GODWIT_ERR_NEW = -99",
                     "integer(c_int64_t) :: low = 0", "character(kind=c_char) :: name(65) = c_null_char",
                     "type(c_ptr) :: more = c_null_ptr", "character(kind=c_char), intent(in), optional :: name(*)",
                     "type(godwit_pair), intent(in), optional :: pairs(*)", "type(c_ptr), intent(inout), optional :: thing",
                     'subroutine godwit_thing_close(thing) bind(c, name="godwit_thing_close")'):
            self.assertIn(f" {line}\n", text)

    def test_what_is_not_understood_is_an_error(self):
        for text in ("GODWIT_API float godwit_f(void);", "GODWIT_API int godwit_f(short x);", "int godwit_f(void);",
                     "GODWIT_API int godwit_f(godwit_unknown* x);", "#define GODWIT_HALF 0.5", "enum { GODWIT_A };",
                     "#define GODWIT_X_INIT { 0, 1 }", "typedef struct godwit_s { int a[4]; } godwit_s;",
                     "typedef struct godwit_s { float a; } godwit_s;", "typedef union godwit_u { int a; } godwit_u;",
                     "typedef struct godwit_s { struct other x; } godwit_s;", "static inline int godwit_f(void) { return 1; }"):
            with self.subTest(text), self.assertRaises(generate_module.Unknown):
                self.translate(text)

    def test_every_public_function_is_there(self):
        module = (ROOT / "core/fortran/godwit.f90").read_text()
        library = output_of("nm", "-D", "--defined-only", BINARIES.parent / "lib/libgodwit.so")
        names = {word.split("@")[0] for word in library.split() if word.startswith("godwit_")}
        self.assertGreater(len(names), 80)
        for name in names:
            self.assertIn(f'name="{name}"', module)


class LayoutTest(unittest.TestCase):
    def test_structs_have_the_sizes_and_offsets_of_c(self):
        structs = generate_module.Header(generate_module.HEADER.read_text()).structs
        self.assertGreater(len(structs), 10)
        c_program = '#include <godwit/godwit.h>\n#include <stdio.h>\nint main(void) {\n'
        fortran = "program layouts\n  use godwit\n  implicit none\n"
        checks = ""
        for name, fields in structs.items():
            c_program += f'  printf("{name} %zu\\n", sizeof({name}));\n'
            fortran += f"  type({name}), target :: x_{name}\n"
            checks += f"  print '(a, 1x, i0)', '{name}', c_sizeof(x_{name})\n"
            for _, field, length in fields:
                c_program += f'  printf("{name} {field} %zu\\n", offsetof({name}, {field}));\n'
                element = f"{field}(1)" if length else field
                checks += (f"  print '(a, 1x, i0)', '{name} {field}', "
                           f"transfer(c_loc(x_{name}%{element}), 0_c_intptr_t) - transfer(c_loc(x_{name}), 0_c_intptr_t)\n")
        with tempfile.TemporaryDirectory(prefix="godwit-test.") as scratch:
            (pathlib.Path(scratch) / "c.c").write_text(c_program + "}\n")
            (pathlib.Path(scratch) / "f.f90").write_text(fortran + checks + "end program\n")
            subprocess.run(["cc", f"-I{ROOT}/core/include", "c.c", "-o", "c"], cwd=scratch, check=True)
            subprocess.run(["gfortran", "-c", ROOT / "core/fortran/godwit.f90"], cwd=scratch, check=True)
            subprocess.run(["gfortran", "-ffree-line-length-none", "f.f90", "-o", "f"], cwd=scratch, check=True)
            self.assertEqual(output_of(f"{scratch}/c"), output_of(f"{scratch}/f"))


class CallsTest(unittest.TestCase):
    def test_every_kind_of_argument(self):
        node = cli_node.Node(BINARIES, [{"name": name, "type": "dram", "config": {"capacity": "16MiB"}} for name in ("one", "two")])
        self.addCleanup(node.close)
        output_of(BINARIES / "fortran_calls", node.address, "one", "two")


class Heat3dTest(unittest.TestCase):
    SIZE = ["--size", str(8 << 20), "--steps", "2"]

    def test_the_field_is_the_c_programs_to_the_last_bit_also_when_it_moves(self):
        expected = demo.digest_in(output_of(BINARIES / "heat3d", *self.SIZE))
        simulate = [BINARIES / "heat3d_fortran", *self.SIZE]
        self.assertEqual(demo.digest_in(output_of(*simulate)), expected)
        with tempfile.TemporaryDirectory(prefix="godwit-test.") as scratch:
            nodes = []
            for name, target in (("A", {"name": "fast", "type": "dram", "config": {"capacity": "32MiB"}}),
                                 ("B", {"name": "keep", "type": "pmem", "config": {"capacity": "32MiB", "path": f"{scratch}/keep"}})):
                nodes.append(demo.Node(BINARIES, pathlib.Path(scratch) / name, name, target))
                self.addCleanup(nodes[-1].kill)
            moved, _, digest = demo.run_migrated(BINARIES, simulate, *nodes)  # Kills A after the move.
            for node in nodes:
                node.kill()
        self.assertEqual(int(moved["bytes"]), 101**3 * 8)
        self.assertEqual(digest, expected)

    def test_what_fails_is_told(self):
        done = subprocess.run([BINARIES / "heat3d_fortran", *self.SIZE, "--from", "tcp://127.0.0.1:1", "x", "--to",
                               "tcp://127.0.0.1:1", "y"], stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"heat3d: open the target: .*127\.0\.0\.1:1.*\(GODWIT_ERR_UNREACHABLE\)")


if __name__ == "__main__":
    unittest.main(verbosity=2)
