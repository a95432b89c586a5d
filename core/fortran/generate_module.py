#!/usr/bin/env python3
"""Writes core/fortran/godwit.f90, the Fortran module, from godwit.h; --check fails if the file differs from it.

It reads the header strictly: a declaration of a kind that it does not know is an error, never left out.
"""
import argparse
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
HEADER = FOLDER.parent / "include/godwit/godwit.h"
MODULE = FOLDER / "godwit.f90"

SCALARS = {"int": "integer(c_int)", "uint32_t": "integer(c_int32_t)", "int32_t": "integer(c_int32_t)",
           "uint64_t": "integer(c_int64_t)", "int64_t": "integer(c_int64_t)", "size_t": "integer(c_size_t)",
           "double": "real(c_double)"}
LINE_MAX = 132
NAME = r"[A-Za-z_]\w*"


class Unknown(Exception):
    """Something in the header that has no translation yet."""


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)


class Header:
    """The declarations of godwit.h, in their order."""

    def __init__(self, text):
        self.constants = []  # (name, Fortran type, value)
        self.opaque = set()
        self.structs = {}    # name -> [(type, name, array length or None)]
        self.aliases = {}    # name -> the struct that it is
        self.callbacks = {}  # name -> (result, parameters)
        self.functions = []  # (name, result, parameters)
        text = without_comments(text).replace("\\\n", " ")
        directives = re.findall(r"^[ \t]*#[ \t]*(.*)$", text, re.MULTILINE)
        for directive in directives:
            self.read_directive(directive)
        text = re.sub(r"^[ \t]*#.*$", "", text, flags=re.MULTILINE)
        text, blocks = re.subn(r'extern\s+"C"\s*\{', "", text)
        self.read_declarations(text, blocks)

    def read_directive(self, directive):
        if re.match(r"(include|ifdef|ifndef|if|else|elif|endif)\b", directive):
            return
        match = re.fullmatch(rf"define\s+({NAME})\s*(.*?)\s*", directive)
        if not match:
            raise Unknown(f"#{directive}")
        name, value = match.groups()
        if (name in ("GODWIT_H", "GODWIT_API")) or re.fullmatch(r"GODWIT_\w+_INIT", name):
            # Fields of structs begin as zero here, which is what each of these says.
            if name.endswith("_INIT") and not re.fullmatch(r"\{\s*0(\s*,\s*0)*\s*\}", value):
                raise Unknown(f"#{directive}: not all zeros")
        elif re.fullmatch(r"-?\d+", value):
            self.constants.append((name, "integer(c_int)", value))
        elif value == "UINT64_MAX":
            self.constants.append((name, "integer(c_int64_t)", "-1_c_int64_t"))
        else:
            raise Unknown(f"#{directive}")

    def read_declarations(self, text, blocks):
        closing = 0
        while text := text.lstrip():
            for pattern, read in (
                    (rf"typedef\s+struct\s+({NAME})\s+({NAME})\s*;", self.read_opaque),
                    (rf"typedef\s+struct\s+({NAME})\s*\{{(.*?)\}}\s*({NAME})\s*;", self.read_struct),
                    (rf"typedef\s+({NAME})\s+({NAME})\s*;", self.read_alias),
                    (rf"typedef\s+({NAME})\s*\(\s*\*\s*({NAME})\s*\)\s*\((.*?)\)\s*;", self.read_callback),
                    (r"enum\s*\{(.*?)\}\s*;", self.read_enum),
                    (rf"GODWIT_API\s+([^;{{}}()]*?)({NAME})\s*\(((?:[^;()]|\([^;()]*\))*)\)\s*;", self.read_function)):
                match = re.match(pattern, text, re.DOTALL)
                if match:
                    read(*match.groups())
                    text = text[match.end():]
                    break
            else:
                if not text.startswith("}") or closing == blocks:
                    raise Unknown(" ".join(text.split(";")[0].split()))
                closing += 1
                text = text[1:]

    def read_opaque(self, tag, name):
        if tag != name:
            raise Unknown(f"typedef struct {tag} {name}")
        self.opaque.add(name)

    def read_struct(self, tag, body, name):
        if tag != name:
            raise Unknown(f"typedef struct {tag} {name}")
        fields = [part for part in (" ".join(part.split()) for part in body.split(";")) if part]
        self.structs[name] = [self.parameter(field) for field in fields]

    def read_alias(self, old, new):
        if old not in self.structs:
            raise Unknown(f"typedef {old} {new}")
        self.aliases[new] = old

    def read_callback(self, result, name, parameters):
        self.callbacks[name] = (result, self.parameters(parameters))

    def read_enum(self, body):
        for entry in filter(None, (part.strip() for part in body.split(","))):
            match = re.fullmatch(rf"({NAME})\s*=\s*(-?\d+)", entry)
            if not match:
                raise Unknown(f"enum {{ {entry} }}: no value is given")
            self.constants.append((match[1], "integer(c_int)", match[2]))

    def read_function(self, result, name, parameters):
        self.functions.append((name, " ".join(result.replace("*", " * ").split()), self.parameters(parameters)))

    def parameters(self, text):
        if text.strip() in ("", "void"):
            return []
        parts = re.split(r",(?![^()]*\))", text)  # Not the commas of a callback's own.
        return [self.parameter(" ".join(part.split())) for part in parts]

    @staticmethod
    def parameter(text):
        """(C type, name, array length or None); a pointer to a function has the type "function"."""
        match = re.fullmatch(rf"int\s*\(\s*\*\s*({NAME})\s*\)\s*\(.*\)", text)
        if match:
            return "function", match[1], None
        match = re.fullmatch(rf"(.*?)({NAME})\s*(?:\[(\d+)\])?", text)
        if not match or not match[1].strip():
            raise Unknown(text)
        return " ".join(match[1].replace("*", " * ").split()), match[2], match[3]

    def struct_named(self, name):
        name = self.aliases.get(name, name)
        return name if name in self.structs else None

    # What a struct's field is in Fortran; it begins as zero.
    def field(self, c_type, name, length):
        if c_type == "char" and length:
            return f"character(kind=c_char) :: {name}({length}) = c_null_char"
        if length:
            raise Unknown(f"{c_type} {name}[{length}]")
        if c_type in SCALARS:
            return f"{SCALARS[c_type]} :: {name} = 0"
        if c_type == "function" or c_type in self.callbacks:
            return f"type(c_funptr) :: {name} = c_null_funptr"
        if c_type.endswith("*"):
            return f"type(c_ptr) :: {name} = c_null_ptr"
        if struct := self.struct_named(c_type):
            return f"type({struct}) :: {name}"
        raise Unknown(f"{c_type} {name}")

    # What an argument is in Fortran.
    def argument(self, c_type, name, length, is_counted):
        if c_type == "char" and length:
            return f"character(kind=c_char), intent(inout), optional :: {name}({length})"
        if length:
            raise Unknown(f"{c_type} {name}[{length}]")
        if c_type in SCALARS:
            return f"{SCALARS[c_type]}, value :: {name}"
        if c_type == "function" or c_type in self.callbacks:
            return f"type(c_funptr), value :: {name}"
        if struct := self.struct_named(c_type):
            return f"type({struct}), value :: {name}"
        if not c_type.endswith("*"):
            raise Unknown(f"{c_type} {name}")
        return self.pointer(c_type, name, is_counted)

    def pointer(self, c_type, name, is_counted):
        """Memory of the caller is an argument by reference; left out it is NULL. Handles are values."""
        base = c_type[:-1].strip()
        intent = "intent(in)" if base.startswith("const ") else "intent(inout)"
        what = base.removeprefix("const ")
        if what in self.opaque:
            return f"type(c_ptr), value :: {name}"
        if what == "void":
            if name == "memory" or name.endswith("context"):
                return f"type(c_ptr), value :: {name}"
            return f"type(*), {intent}, optional :: {name}(*)"
        if what == "char":
            return f"character(kind=c_char), {intent}, optional :: {name}(*)"
        many = "(*)" if is_counted and (name.endswith("s") or name == "exist") and not what.endswith("_options") else ""
        if what in SCALARS:
            return f"{SCALARS[what]}, {intent}, optional :: {name}{many}"
        if struct := self.struct_named(what):
            return f"type({struct}), {intent}, optional :: {name}{many}"
        if re.fullmatch(r"(const )?(void|char) \* const", base):  # An array of pointers.
            return f"type(c_ptr), intent(in), optional :: {name}(*)"
        if re.fullmatch(rf"{NAME} \*", base) and (base[:-2] in self.opaque or self.struct_named(base[:-2]) or base == "char *"):
            return f"type(c_ptr), intent(inout), optional :: {name}"  # Set to what is made.
        raise Unknown(f"{c_type} {name}")


def wrapped(line, indent):
    """A Fortran statement, in lines that are not too long."""
    lines = []
    while len(line) > LINE_MAX:
        cut = line.rfind(", ", 0, LINE_MAX - 2) + 1
        lines.append(line[:cut] + " &")
        line = " " * (indent + 4) + line[cut:].lstrip()
    return "\n".join(lines + [line]) + "\n"


def interface_of(header, name, result, parameters, bound):
    """The lines of one interface body."""
    is_counted = any(parameter == ("size_t", "count", None) for parameter in parameters)
    names = ", ".join(parameter[1] for parameter in parameters)
    results = {"int": "integer(c_int)", "const char *": "type(c_ptr)"}
    binding = f' bind(c, name="{name}")' if bound else " bind(c)"
    kind = "subroutine" if result == "void" else "function"
    if result != "void" and result not in results:
        raise Unknown(f"{result} {name}()")
    head = f"    {kind} {name}({names}){binding}" + ("" if result == "void" else " result(outcome)")
    body = wrapped(head, 4) + "      import\n"
    for parameter in parameters:
        body += wrapped(f"      {header.argument(*parameter, is_counted)}", 6)
    if result != "void":
        body += f"      {results[result]} :: outcome\n"
    return body + f"    end {kind} {name}\n"


HEAD = """\
! godwit: the C API of Godwit, godwit.h, for Fortran. Generated by `./dev docs` from godwit.h; do not edit.
!
! Every function, struct and constant has its name of the C header, whose comments are the manual. How they look here:
! - Handles, and arrays and texts that a call allocates, are type(c_ptr). Other pointers are arguments by reference:
!   one that is left out is NULL.
! - Texts end with c_null_char: "tcp://n1:7411" // c_null_char. godwit_text_of() makes Fortran's from C's.
! - void* is any array, contiguous, of any type.
! - Unsigned numbers are signed ones of the same size. Fields of structs begin as zero, which asks for their defaults.
! - Callbacks are c_funloc() of a bind(c) function; its interface is that of the C type.
module godwit
  use, intrinsic :: iso_c_binding
  implicit none
  private :: strlen
"""

TAIL = """\

contains

  ! A copy of a C text; "" for NULL.
  function godwit_text_of(text) result(copy)
    type(c_ptr), intent(in) :: text
    character(len=:), allocatable :: copy
    character(kind=c_char), pointer :: characters(:)
    integer :: i
    if (.not. c_associated(text)) then
      copy = ""
      return
    end if
    call c_f_pointer(text, characters, [strlen(text)])
    allocate (character(len=size(characters)) :: copy)
    do i = 1, size(characters)
      copy(i:i) = characters(i)
    end do
  end function godwit_text_of

end module godwit
"""


def module_of(header):
    text = HEAD + "\n"
    for name, fortran_type, value in header.constants:
        text += f"  {fortran_type}, parameter :: {name} = {value}\n"
    for name, fields in header.structs.items():
        text += f"\n  type, bind(c) :: {name}\n"
        for field in fields:
            text += f"    {header.field(*field)}\n"
        text += f"  end type {name}\n"
    text += "\n  abstract interface\n"
    for name, (result, parameters) in header.callbacks.items():
        text += interface_of(header, name, result, parameters, False)
    text += "  end interface\n\n  interface\n"
    for name, result, parameters in header.functions:
        text += interface_of(header, name, result, parameters, True)
    text += '    function strlen(text) bind(c, name="strlen") result(length)\n      import\n'
    text += "      type(c_ptr), value :: text\n      integer(c_size_t) :: length\n    end function strlen\n  end interface\n"
    return text + TAIL


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--header", type=pathlib.Path, default=HEADER)
    parser.add_argument("--out", type=pathlib.Path, default=MODULE)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if the file is out of date")
    arguments = parser.parse_args()
    try:
        text = module_of(Header(arguments.header.read_text(encoding="utf-8")))
    except Unknown as unknown:
        print(f"{arguments.header}: no translation to Fortran is known for '{unknown}': teach it to {pathlib.Path(__file__).name}",
              file=sys.stderr)
        return 1
    if arguments.out.exists() and arguments.out.read_text(encoding="utf-8") == text:
        return 0
    if arguments.check:
        print(f"{arguments.out} is out of date: run ./dev docs")
        return 1
    arguments.out.write_text(text, encoding="utf-8")
    print(f"{arguments.out} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
