#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds another project that contains lfm2's sources, and runs its two programs, one with the shared
# library, one with the static library.
#   inside.sh CMAKE PROJECT GENERATOR C-COMPILER BUILD-TYPE|none DEPS
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
cmake=$1
project=$2
generator=$3
cc=$4
type=$5
[ "$type" != none ] || type=
deps=$6
case $(basename "$cc") in
*clang*) cxx=clang++ ;;
*) cxx=g++ ;;
esac
work=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$work"' EXIT
model=${LFM2_DEMO_MODEL:-}
[ -f "$model" ] || model=

fail() {
    echo "consumer.$project: $*" >&2
    exit 1
}

if ! {
    "$cmake" -S "$here/$project" -B "$work/build" -G "$generator" -DCMAKE_BUILD_TYPE="$type" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DLFM2_DEPS="$deps" \
        -DLFM2_SOURCE="$repo" -DFETCHCONTENT_SOURCE_DIR_LFM2="$repo" &&
        "$cmake" --build "$work/build" --parallel "$(nproc)"
} >"$work/log" 2>&1; then
    tail -n 60 "$work/log"
    fail 'the project did not build'
fi

# The project builds neither lfm2's program nor its tests, and installs nothing.
program=$(find "$work/build" -type f -name lfm2)
[ -z "$program" ] || fail "the program was built: $program"
tests=$(ctest --test-dir "$work/build" -N 2>&1 | sed -n 's/^Total Tests: //p')
[ "$tests" = 0 ] || fail "the project has lfm2's tests ($tests)"
"$cmake" --install "$work/build" --prefix "$work/prefix" >"$work/log" 2>&1 ||
    { cat "$work/log"; fail 'the installation failed'; }
[ -z "$(find "$work/prefix" -type f 2>/dev/null)" ] || fail 'the installation contains files'

unset LD_LIBRARY_PATH
expected=
for way in shared static; do
    output=$(cd / && "$work/build/host_$way" ${model:+"$model"}) || fail "host_$way failed"
    [ -n "$expected" ] || expected=$output
    [ "$output" = "$expected" ] || fail "host_static prints '$output', host_shared '$expected'"
    libraries=$(ldd "$work/build/host_$way")
    ! grep 'not found' <<<"$libraries" || fail "host_$way lacks a library"
    case $way:$libraries in
    shared:*"liblfm2.so."*" => $work/build/"*) ;;
    static:*liblfm2*) fail 'host_static is linked to the shared library' ;;
    static:*) ;;
    *) fail 'host_shared is not linked to the shared library that was built' ;;
    esac
done
printf '%s\n' "$expected"
