#!/usr/bin/env python3
"""Enforces the include rules of docs/design: who may see whom, and which folder alone sees which library.

check_includes.py [--headers] [--batches]   exit status 1 if a rule is broken; --headers: every header must also compile alone;
--batches: so must every source that the build compiles with others.
Files and functions that have grown long are warned about, never failed.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What a folder may include of ours, besides itself: the arrows of docs/design/README.md.
ALLOWED = {
    "core/base": set(),
    "core/model": {"base"},
    "core/protocol": {"base", "model"},
    "fabric": {"base", "model", "protocol"},
    "pmem": {"base", "model", "protocol"},
    "core/identity": {"base", "fabric"},
    "core/journal": {"base", "model", "protocol"},
    "core/objects": {"base", "model", "protocol", "pmem", "journal"},
    # The databases: part of objects, and the only folder that sees their libraries.
    "core/objects/database": {"base", "model", "protocol", "pmem", "journal", "objects"},
    "core/engine": {"base", "model", "protocol", "fabric", "pmem", "objects", "journal"},
    "core/daemon": {"base", "model", "protocol", "fabric", "identity", "pmem", "objects", "journal", "engine"},
    "core/client": {"base", "model", "protocol", "fabric", "identity", "godwit"},
    "core/cli": {"godwit"},
    # As a user's program: its own files, and the public headers.
    "core/hdf5": {"godwit"},
    "mpi-tools": {"godwit"},
    "docs": {"godwit"},
    # Calls programs only.
    "slurm": set(),
}
# Folders whose own files are included without the folder's name.
FLAT = {"core/cli", "mpi-tools", "docs"}
OURS = {"base", "model", "protocol", "fabric", "identity", "pmem", "objects", "journal", "engine", "daemon", "client", "cli", "hdf5", "godwit",
        "bench", "tests", "support"}
# Header of a library -> the only folders that may include it; tests may include anything.
OWNED = {
    "rdma/": {"fabric"},
    "libpmem2": {"pmem"},
    "liburing": {"pmem"},
    "sqlite3": {"core/journal"},
    "munge.h": {"core/identity"},
    "openssl/": {"core/identity"},
    "lz4": {"core/model"},
    "zstd": {"core/model"},
    "hwloc": {"core/daemon"},
    "prometheus/": {"core/daemon"},
    "slurm/": {"slurm"},
    "curl/": {"core/daemon"},
    "mpi.h": {"mpi-tools", "docs"},
    "hdf5.h": {"core/hdf5", "core/include", "mpi-tools"},
    "flatbuffers/": {"core/protocol"},
    "wire_generated.h": {"core/protocol"},
    "fileset_generated.h": {"core/protocol"},
    "rocksdb/": {"core/objects/database"},
    "leveldb/": {"core/objects/database"},
    "lmdb.h": {"core/objects/database"},
}
LINES_MAX = {".hpp": 200, ".h": 200, ".cpp": 400, ".c": 400}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path):
    """The longest folder of ALLOWED that holds the file, or None: bench/ and tests/ may see everything."""
    parents = [str(parent) for parent in path.relative_to(ROOT).parents]
    return next((folder for folder in parents if folder in ALLOWED), None)


def sources():
    for top in ("core", "fabric", "pmem", "mpi-tools", "slurm", "bench", "tests", "docs"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in LINES_MAX and path.is_file():
                yield path


def broken_rule(folder, kind, name):
    for library, owners in OWNED.items():
        if name.startswith(library) and folder not in owners:
            return f"only {', '.join(sorted(owners))} may include <{name}>"
    first = name.split("/")[0]
    if "/" not in name or first not in OURS:
        if kind == '"' and folder not in FLAT and not name.endswith("_generated.h"):
            return f'"{name}" must be included as "{folder.split("/")[-1]}/{name}"'
        return None
    own = folder.split("/")[-1]
    if first == own and folder not in FLAT:
        return None
    if first in ALLOWED[folder]:
        return None
    return f"{folder} must not depend on {first} ({name})"


def check_file(path, problems, warnings):
    folder = folder_of(path)
    where = path.relative_to(ROOT)
    lines = path.read_text(encoding="utf-8").splitlines()
    limit = LINES_MAX[path.suffix]
    if len(lines) > limit and path.parent.name != "godwit":
        warnings.append(f"{where}: {len(lines)} lines; more than {limit} are hard to read")
    guarded = "#pragma once" in lines or any(line.startswith("#ifndef") for line in lines)
    if path.suffix == ".hpp" and not guarded:
        problems.append(f"{where}: no #pragma once")
    if path.suffix in (".hpp", ".h") and lines and not lines[0].startswith(("//", "/*")):
        problems.append(f"{where}:1: the first line says the file's job")
    if folder is None or folder == "core/include":
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        problem = match and broken_rule(folder, *match.groups())
        if problem:
            problems.append(f"{where}:{number}: {problem}")


def compile_alone(path, flags, compiler):
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as unit:
        unit.write(f'#include "{path}"\n')
        unit.flush()
        done = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", *flags, unit.name], capture_output=True, text=True)
    return None if done.returncode == 0 else f"{path.relative_to(ROOT)}: does not compile alone\n{done.stderr}"


def check_headers(problems, build, compiler):
    generated = build / "core/protocol/generated"
    packages = ["libfabric", "libpmem2", "liburing", "hwloc", "sqlite3", "libxxhash", "hdf5-serial"]
    flags = subprocess.run(["pkg-config", "--cflags", *packages], capture_output=True, text=True, check=True).stdout.split()
    flags += [f"-I{ROOT}", f"-I{ROOT}/core", f"-I{ROOT}/core/include", f"-I{ROOT}/tests", f"-I{ROOT}/mpi-tools", f"-I{generated}",
              '-DGODWIT_VERSION_TEXT="0"']
    if not generated.is_dir():
        problems.append(f"{generated} is missing: build the target godwit_wire first")
        return
    headers = [path for path in sources() if path.suffix == ".hpp" and "mpi-tools" not in path.parts]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: compile_alone(path, flags, compiler), headers)
        problems.extend(result for result in results if result)


def batched_sources(build):
    """(source, command, directory) for each source that the build compiles in a batch with others; the command is the batch's."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        batch = pathlib.Path(entry["file"])
        if batch.parent.name != "Unity":
            continue
        for name in re.findall(r'^#include "(.+)"$', batch.read_text(), re.MULTILINE):
            command = shlex.split(entry["command"])
            del command[command.index("-o"):command.index("-o") + 2]
            command[command.index(str(batch))] = name
            yield name, [part for part in command if not part.endswith("ccache")], entry["directory"]


def check_batches(problems, build):
    """That no source lives on what its neighbours in a batch include. The standard library's precompiled header may stay."""
    def alone(source):
        name, command, directory = source
        done = subprocess.run([*command, "-fsyntax-only"], cwd=directory, capture_output=True, text=True)
        return None if done.returncode == 0 else f"{pathlib.Path(name).relative_to(ROOT)}: does not compile alone\n{done.stderr}"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(alone, batched_sources(build)))
    problems.extend(result for result in results if result)
    if not results:
        problems.append(f"{build} compiles no source in a batch: this check has found nothing to check")
    print(f"{len(results)} sources of batches")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--headers", action="store_true", help="compile every header alone")
    parser.add_argument("--batches", action="store_true", help="compile every source of a batch alone")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/clang", help="a build directory")
    parser.add_argument("--compiler", default="clang++")
    arguments = parser.parse_args()
    os.nice(19)  # It has all the time in which other tests wait.
    problems, warnings = [], []
    for path in sources():
        check_file(path, problems, warnings)
    if arguments.headers:
        check_headers(problems, arguments.build.resolve(), arguments.compiler)
    if arguments.batches:
        check_batches(problems, arguments.build.resolve())
    for warning in warnings:
        print("warning:", warning)
    for problem in problems:
        print("error:", problem, file=sys.stderr)
    print(f"{len(problems)} broken rules, {len(warnings)} warnings")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
