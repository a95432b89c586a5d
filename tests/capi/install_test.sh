#!/bin/sh
# Installs into an empty prefix, moves that elsewhere, and builds the example there with find_package and with pkg-config.
set -eu
build=$1
example=$2
libdir=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/godwit-install-XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

DESTDIR= cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/prefix"

cmake -S "$example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" && cmake --build "$work/build" >>"$work/log" ||
  { cat "$work/log"; exit 1; }
"$work/build/example_c"
"$work/build/example_cpp"

PKG_CONFIG_PATH=$work/prefix/$libdir/pkgconfig
export PKG_CONFIG_PATH
cc -std=c11 -Wall -Wextra -Werror $(pkg-config --cflags godwit) "$example/example.c" $(pkg-config --libs godwit) -o "$work/with_pkg_config"
LD_LIBRARY_PATH=$(pkg-config --variable=libdir godwit) "$work/with_pkg_config"

# Nothing but our own names leaves the library.
leaked=$(nm -D --defined-only "$work/prefix/$libdir/libgodwit.so" | awk '$2 != "A" { print $3 }' | grep -v '^godwit_' || true)
if [ -n "$leaked" ]; then
  echo "libgodwit.so exports more than godwit_*: $leaked" >&2
  exit 1
fi
