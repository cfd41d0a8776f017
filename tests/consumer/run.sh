#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the build into a temporary prefix, moves that, and builds programs with it: C and C++, shared
# and static, through pkg-config and through find_package. All must run and print the same; the
# installed program must run too.
#   run.sh CMAKE BUILD-FOLDER [C-COMPILER]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cmake=$1
build=$2
cc=${3:-cc}
case $(basename "$cc") in
*clang*) cxx=clang++ ;;
*) cxx=g++ ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=${LFM2_DEMO_MODEL:-}
[ -f "$model" ] || model=

fail() {
    echo "consumer: $*" >&2
    exit 1
}

# is_independent NAME LIBRARIES: no library is missing or in a build's folders.
is_independent() {
    if grep -E 'not found|/\.deps/' <<<"$2"; then
        fail "$1 depends on the build's folders"
    fi
}

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" ||
    { cat "$work/install.log"; fail "the installation failed"; }
mv "$work/first" "$work/prefix"
prefix=$work/prefix
pc=$(find "$prefix" -name lfm2.pc)
[ -n "$pc" ] || fail "no lfm2.pc was installed"
export PKG_CONFIG_PATH=${pc%/*}
libdir=$(pkg-config --variable=libdir lfm2)
pkg-config --validate lfm2 lfm2-static

# ---- pkg-config -----------------------------------------------------------------------------------

warnings=(-Wall -Wextra -Wpedantic -Werror)
for way in shared static; do
    package=lfm2
    run_path=(-Wl,-rpath,"$libdir")
    if [ $way = static ]; then
        package=lfm2-static
        run_path=()
    fi
    read -ra flags <<<"$(pkg-config --cflags $package)"
    read -ra libs <<<"$(pkg-config --libs $package)"
    "$cc" -std=c11 "${warnings[@]}" "${flags[@]}" "$here/example.c" -o "$work/pc_c_$way" \
        "${libs[@]}" "${run_path[@]}"
    "$cxx" -std=c++17 "${warnings[@]}" "${flags[@]}" "$here/example.cpp" -o "$work/pc_cpp_$way" \
        "${libs[@]}" "${run_path[@]}"
done

# The README's example.
awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$here/../../README.md" >"$work/readme.c"
[ -s "$work/readme.c" ] || fail "README.md contains no example in C"
read -ra flags <<<"$(pkg-config --cflags --libs lfm2-static)"
"$cc" -std=c11 "${warnings[@]}" "$work/readme.c" -o "$work/readme" "${flags[@]}"
if [ -n "$model" ]; then
    [ -n "$("$work/readme" "$model")" ] || fail "the README's example prints nothing"
elif "$work/readme" "no such file" 2>/dev/null; then
    fail "the README's example succeeds without a model"
fi

# Two conversations in one batch, with the texts of lfm2_generate.
"$cc" -std=c11 "${warnings[@]}" "$here/batch.c" -o "$work/batch" "${flags[@]}"
if [ -n "$model" ]; then
    batch=$("$work/batch" "$model") || fail "the batch differs from lfm2_generate"
    [ -n "$batch" ] || fail "the batch generates nothing"
fi

# ---- find_package ---------------------------------------------------------------------------------

"$cmake" -S "$here/cmake" -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" >"$work/cmake.log" 2>&1 &&
    "$cmake" --build "$work/cmake" >>"$work/cmake.log" 2>&1 ||
    { cat "$work/cmake.log"; fail "the find_package project did not build"; }

# ---- Running --------------------------------------------------------------------------------------

expected=
for program in "$work"/pc_* "$work"/cmake/cmake_*_{shared,static}; do
    name=$(basename "$program")
    output=$(cd / && "$program" ${model:+"$model"}) || fail "$name failed"
    [ -n "$expected" ] || expected=$output
    [ "$output" = "$expected" ] || fail "$name prints '$output', the first printed '$expected'"
    libraries=$(ldd "$program")
    if [[ $name == *_shared ]]; then
        [[ $libraries == *"liblfm2.so.0.2 => $prefix"* ]] || fail "$name: not the installed library"
    elif [[ $libraries == *liblfm2* ]]; then
        fail "$name: linked to the shared library"
    fi
    is_independent "$name" "$libraries"
done
[ "$(head -n 1 <<<"$expected")" = "version $(pkg-config --modversion lfm2)" ] ||
    fail "the library says '$(head -n 1 <<<"$expected")', the package $(pkg-config --modversion lfm2)"

if [ -x "$prefix/bin/lfm2" ]; then
    "$prefix/bin/lfm2" --version >/dev/null || fail "the installed program does not run"
    is_independent 'the installed program' "$(ldd "$prefix/bin/lfm2")"
    for file in man/man1/lfm2.1 bash-completion/completions/lfm2 zsh/site-functions/_lfm2 \
        fish/vendor_completions.d/lfm2.fish; do
        [ -s "$prefix/share/$file" ] || fail "share/$file was not installed"
    done
fi
echo "8 programs printed:"
printf '%s\n' "$expected" | sed 's/^/  /'
