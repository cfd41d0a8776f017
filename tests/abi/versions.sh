#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A program that was built for 0.1, which had other rules for structs, must not start with this library,
# neither under this library's name nor under that of 0.1.
#   versions.sh LIBRARY C-COMPILER
set -euo pipefail
library=$(readlink -f "$1")
cc=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "versions: $*" >&2
    exit 1
}

# A stand-in for the library of 0.1 with its SONAME and version node, and a program built for it.
cat >"$work/old.c" <<'C'
const char *lfm2_version(void);
const char *lfm2_version(void) { return "0.1.0"; }
C
cat >"$work/program.c" <<'C'
#include <stdio.h>
const char *lfm2_version(void);
int main(void) { puts(lfm2_version()); return 0; }
C
echo 'LFM2_0 { global: lfm2_*; local: *; };' >"$work/old.map"
mkdir "$work/old" "$work/new" "$work/renamed"
"$cc" -shared -fPIC "$work/old.c" -o "$work/old/liblfm2.so.0" -Wl,-soname,liblfm2.so.0 \
    -Wl,--version-script="$work/old.map"
"$cc" "$work/program.c" -o "$work/program" "$work/old/liblfm2.so.0"
ln -s "$library" "$work/new/liblfm2.so.0.2"
ln -s "$library" "$work/renamed/liblfm2.so.0"

output=$(LD_LIBRARY_PATH=$work/old "$work/program") || fail "the program does not run with the library of 0.1"
[ "$output" = 0.1.0 ] || fail "the stand-in prints $output"
if output=$(LD_LIBRARY_PATH=$work/new "$work/program" 2>&1); then
    fail "a program built for 0.1 runs with this library: $output"
fi
[[ $output == *liblfm2.so.0:* ]] || fail "unexpected: $output"
if output=$(LD_LIBRARY_PATH=$work/renamed "$work/program" 2>&1); then
    fail "a program built for 0.1 runs with this library under the old name: $output"
fi
[[ $output == *LFM2_0* ]] || fail "unexpected: $output"
echo "a program built for 0.1 does not start"
