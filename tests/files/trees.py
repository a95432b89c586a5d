"""Trees of files for tests: made with everything that is hard, and compared by everything that must be kept."""
import hashlib
import os
import pathlib
import random
import stat
import struct

MIB = 1 << 20
# A name that is no UTF-8, one with a newline, a leading dash, a hidden one, and the longest there is.
NAMES = [b"plain", b"with space", b"new\nline", b"\xff\xfe bad utf8", b"-rf", b".hidden", b"quote'\"", b"Case", b"case", b"n" * 255]


def make(root, seed=1, large=3 * MIB + 123):
    """A tree with every kind of thing that travels. `root` must not exist."""
    rng = random.Random(seed)
    root = os.fsencode(root)
    os.mkdir(root)
    for name in NAMES:
        write(os.path.join(root, name), rng.randbytes(rng.randrange(1, 70_000)))
    write(root + b"/empty", b"")
    write(root + b"/large", rng.randbytes(large))
    os.mkdir(root + b"/empty directory")
    deep = root
    for level in range(30):
        deep += b"/level%d" % level
        os.mkdir(deep)
    write(deep + b"/bottom", b"bottom")
    os.mkdir(root + b"/many")
    for i in range(300):
        write(root + b"/many/%03d" % i, rng.randbytes(rng.randrange(0, 5000)))
    os.symlink(b"large", root + b"/link inside")
    os.symlink(b"/etc/passwd", root + b"/link outside")
    os.symlink(b"nowhere", root + b"/link dangling")
    os.symlink(b"..", root + b"/link up")
    os.link(root + b"/large", root + b"/many/hard link")
    os.link(root + b"/empty", root + b"/hard link of nothing")
    with open(root + b"/sparse", "wb") as file:
        file.seek(5 * MIB)
        file.write(b"in the middle")
        file.truncate(64 * MIB)
    with open(root + b"/only a hole", "wb") as file:
        file.truncate(10 * MIB)
    os.chmod(root + b"/plain", 0o640)
    os.chmod(root + b"/Case", 0o400)
    os.chmod(root + b"/many", 0o2750)
    os.chmod(root + b"/case", 0o4755)  # Set-user-id, which must not travel.
    for path, directories, files in os.walk(root, topdown=False):
        for name in [*directories, *files, b"."]:
            moment = rng.randrange(10**18, 17 * 10**17)
            os.utime(os.path.join(path, name), ns=(moment, moment), follow_symlinks=False)


def acl(*entries):
    """A POSIX ACL as an attribute has it. Of each entry: tag ("u", "g", "m", "o"), rights, and the id of a named one."""
    tags = {("u", False): 1, ("u", True): 2, ("g", False): 4, ("g", True): 8, ("m", False): 0x10, ("o", False): 0x20}
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tags[tag, bool(named)], rights, named[0] if named else 0xFFFFFFFF)
                                           for tag, rights, *named in entries)


def attributes(path):
    return {name: os.getxattr(path, name) for name in os.listxattr(path) if name.startswith(("user.", "system.posix_acl"))}


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def describe(root):
    """By path: everything that must be the same at the destination."""
    root = os.fsencode(root)
    found, first_names = {}, {}

    def note(path):
        status = os.lstat(path)
        kind = stat.S_IFMT(status.st_mode)
        entry = {"kind": kind, "mode": status.st_mode & 0o1777, "modified": status.st_mtime_ns}
        relative = os.path.relpath(path, root)
        if kind == stat.S_IFREG:
            entry["size"] = status.st_size
            with open(path, "rb") as file:
                entry["digest"] = hashlib.file_digest(file, "sha256").hexdigest()
            entry["first name"] = first_names.setdefault((status.st_dev, status.st_ino), relative)
        elif kind == stat.S_IFLNK:
            entry["link"] = os.readlink(path)
        if os.geteuid() == 0:
            entry["owner"] = (status.st_uid, status.st_gid)
        found[relative] = entry

    note(root)
    if os.path.isdir(root):
        for path, directories, files in os.walk(root):
            directories.sort()
            for name in sorted(directories + files):
                note(os.path.join(path, name))
    return found


def difference(one, other):
    """The first thing that differs, for a test's message; None: nothing does."""
    first, second = describe(one), describe(other)
    for path in sorted(first.keys() | second.keys()):
        if first.get(path) != second.get(path):
            return f"{path}: {first.get(path)} is now {second.get(path)}"
    return None


def left_over(directory):
    """What no job may leave behind. Right also while daemons work there."""
    return sorted(os.path.join(path, name) for path, directories, _ in os.walk(directory) for name in directories
                  if name.startswith(".godwit-"))
