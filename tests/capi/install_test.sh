#!/bin/sh
# Installs into an empty prefix, moves that elsewhere, and builds the example there with find_package and with pkg-config.
set -eu
build=$1
example=$2
libdir=$3
hdf5_example=$4
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

cc -std=c11 -Wall -Wextra -Werror $(pkg-config --cflags godwit_hdf5) "$hdf5_example" $(pkg-config --libs godwit_hdf5) -o "$work/with_hdf5"
LD_LIBRARY_PATH=$(pkg-config --variable=libdir godwit) "$work/with_hdf5" 2>"$work/log" && exit 1
grep -q "^hdf5_steps ADDRESS" "$work/log" || { cat "$work/log"; exit 1; } # It runs, and says what it wants.

printf '{"report_version": 1, "tool": "t", "version": "1", "machine": {}, "provider": "tcp", "measurements": []}' >"$work/report.json"
"$work/prefix/bin/godwit-report" "$work/report.json" -o "$work/report.html"
grep -q "What Godwit reached" "$work/report.html"

# leaks LIBRARY PATTERN: nothing but our own names leaves a library.
leaks() {
  leaked=$(nm -D --defined-only "$work/prefix/$libdir/$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | grep -v -E "$2" || true)
  if [ -n "$leaked" ]; then
    echo "$1 exports more than $2: $leaked" >&2
    exit 1
  fi
}
leaks libgodwit.so '^godwit_'
leaks libgodwit_hdf5.so '^(godwit_hdf5_[a-z]+|H5P[gs]et_fapl_godwit)$'
