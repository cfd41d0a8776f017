#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Counts the instructions that lfm2 and llama.cpp execute for a token on emulated arm64 CPUs, by
# hand: on x86-64 Debian, about an hour for all. It builds qemu-user from Debian 13's source with
# support for plugins, and unpacks llama.cpp of Debian sid for arm64 (counted) and x86-64 (computes
# the context). Nothing is installed; everything is kept in the work folder.
#
#   tools/bench/arm64-count.sh [OPTION]...
#   --work DIR      work folder (default: build-count); needs 2 GB
#   --arm64 DIR     build folder of the arm64 build (default: build-arm64; tests/README.md)
#   --native FILE   lfm2 for this machine (default: build/lfm2)
#   --cpus LIST     default: neoverse-n2,neoverse-n1,cortex-a53
#   --types LIST    default: q4_0,q8_0,q4_k_m
#   --shape NAME    default: lfm2-350m
#   --tokens N      tokens of the prompt (default: 64)
#   --depth N       also with N tokens in the context, for the first type only: attention does not
#                   depend on the type (default: 4096; 0: not)
#   --functions     also prints the functions of lfm2 that execute the most
#   --only lfm2     without llama.cpp
#   --mirror URL    a Debian mirror with trixie and sid (default: those of apt's sources)
#
# Each figure is the difference of two runs divided by the difference of their tokens, so that
# loading, packing and warming up do not count: generating 4 or 8 tokens; a prompt once or twice.
# It needs: gcc, ninja, pkgconf, python3, dpkg-dev and libglib2.0-dev.
set -euo pipefail
export LC_ALL=C
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$repo/tools/debian.sh"

fail() {
    printf 'arm64-count: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 1
}

work=$repo/build-count arm64=$repo/build-arm64 native=$repo/build/lfm2
cpus=neoverse-n2,neoverse-n1,cortex-a53 types=q4_0,q8_0,q4_k_m shape=lfm2-350m
tokens=64 depth=4096 functions='' only='' mirror=''
while [ $# -gt 0 ]; do
    case $1 in
    --functions)
        functions=1
        shift
        continue
        ;;
    --work | --arm64 | --native | --cpus | --types | --shape | --tokens | --depth | --only | \
        --mirror)
        [ $# -ge 2 ] || fail "option $1 needs a value"
        declare "${1#--}=$2"
        shift 2
        ;;
    *) fail "unknown option '$1'" ;;
    esac
done

# ---- Tools --------------------------------------------------------------------------------------

# from_debian SUITE ARCHITECTURE APT-GET-ARGUMENT...: apt-get of one suite, in folders of its own.
from_debian() {
    apt_suite=$1 apt_arch=$2
    apt_words=("${@:3}")
    with_debian_mirror "$mirror" apt_of ||
        fail_mirrors "apt-get ${apt_words[*]} failed." "$apt_suite" tools/bench/arm64-count.sh
}

apt_of() { # URI KEYRING
    local folder=$work/apt/$apt_suite-$apt_arch word
    if [ ! -e "$folder/sources.list" ]; then
        mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
        : >"$folder/status"
        for word in deb deb-src; do
            printf '%s [signed-by=%s] %s %s main\n' "$word" "$2" "$1" "$apt_suite"
        done >"$folder/sources.list"
        apt_in "$folder" update >&2 || {
            rm -r "$folder"
            return 1
        }
    fi
    apt_in "$folder" "${apt_words[@]}" >&2
}

apt_in() { # FOLDER ARGUMENT...
    apt-get -qq -o "Dir::Etc::sourcelist=$1/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o "Dir::State=$1" -o "Dir::State::lists=$1/lists" \
        -o "Dir::State::status=$1/status" -o "Dir::Cache=$1/cache" -o APT::Update::Post-Invoke::= \
        -o "APT::Architecture=$apt_arch" -o "APT::Architectures=$apt_arch" \
        -o Acquire::Languages=none -o "APT::Sandbox::User=$(id -un)" "${@:2}"
}

# The emulator, with its plugins. Debian's own has none. Debian 13's meson, because Debian 12's is
# too old.
build_qemu() {
    mkdir -p "$work/source" "$work/meson" "$work/qemu"
    (cd "$work/source" && from_debian trixie amd64 --download-only source qemu &&
        rm -rf qemu && dpkg-source --no-check -x qemu_*.dsc qemu)
    (cd "$work/meson" && from_debian trixie amd64 download meson && dpkg -x meson_*.deb .)
    (
        export PYTHONPATH=$work/meson/usr/lib/python3/dist-packages
        cd "$work/qemu"
        ../source/qemu/configure --python=/usr/bin/python3 --target-list=aarch64-linux-user \
            --without-default-features --disable-system --disable-tools --disable-docs \
            --disable-install-blobs --enable-plugins
        ninja qemu-aarch64
    ) >"$work/qemu.log" 2>&1 || fail "qemu was not built: $work/qemu.log"
}

build_plugin() {
    local flags
    read -ra flags <<<"$(pkg-config --cflags glib-2.0)"
    gcc -O2 -shared -fPIC -I "$work/source/qemu/include/qemu" "${flags[@]}" \
        "$repo/tools/bench/arm64_count.c" -o "$work/count.so"
}

unpack_llama() { # ARCHITECTURE
    local folder=$work/llama-$1 deb
    mkdir -p "$folder/debs" "$folder/root/usr/lib" "$folder/root/usr/lib64"
    ln -sfn usr/lib "$folder/root/lib"
    (cd "$folder/debs" && from_debian sid "$1" download gcc-16-base libgcc-s1 libc6 zlib1g \
        libgomp1 libstdc++6 libggml0 libzstd1 libssl3t64 libllama0 llama.cpp-tools)
    for deb in "$folder"/debs/*.deb; do
        dpkg -x "$deb" "$folder/root"
    done
    touch "$folder/READY"
}

# ---- Running ------------------------------------------------------------------------------------

# count ROOT CPU COMMAND...: prints the number of instructions.
count() {
    local root=$1 cpu=$2
    if ! QEMU_CPU=$cpu QEMU_SET_ENV=LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/llama \
        "$work/qemu/qemu-aarch64" -L "$root" -plugin "$work/count.so,out=$work/counts" \
        "${@:3}" >"$work/run.log" 2>&1; then
        fail "failed: ${*:3}" "$(tail -n 3 "$work/run.log")"
    fi
    awk '{ n += $1 } END { printf "%.0f\n", n }' "$work/counts"
}

# The commands of both sides. A context comes from a copy of a cache: lfm2 adds to its folder.
lfm2_bench() { # CPU TYPE ARGUMENT...
    count "$arm64_root" "$1" "$arm64/lfm2" bench -m "$work/$2.gguf" --no-cache --no-roofline -t 1 \
        --prefetch l2-l1-9k "${@:3}"
}

llama_bench() { # CPU TYPE ARGUMENT...
    count "$llama_root" "$1" "$llama_root/usr/bin/llama-bench" -m "$work/$2.gguf" -t 1 \
        --no-warmup "${@:3}"
}

lfm2_deep() { # CPU TYPE PROMPT TOKENS
    rm -rf "$work/context.now"
    cp -a "$work/context.lfm2" "$work/context.now"
    count "$arm64_root" "$1" "$arm64/lfm2" run -m "$work/$2.gguf" --no-cache --raw --temp 0 \
        --ignore-eos -t 1 --prefetch l2-l1-9k --prompt-cache "$work/context.now" -f "$3" -n "$4"
}

llama_deep() { # CPU TYPE PROMPT TOKENS
    count "$llama_root" "$1" "$llama_root/usr/bin/llama-completion" -m "$work/$2.gguf" -no-cnv \
        --temp 0 --ignore-eos --no-warmup -t 1 -c $((depth + 1024)) \
        --prompt-cache "$work/context.llama" --prompt-cache-ro -f "$3" -n "$4"
}

native_llama() { # ARGUMENT...
    local root=$work/llama-amd64/root libraries
    libraries=$root/usr/lib/x86_64-linux-gnu
    GGML_BACKEND_PATH=$libraries/ggml/backends0/libggml-cpu-haswell.so \
        "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/llama" \
        "$root/usr/bin/llama-completion" "$@"
}

# A prompt of the given number of tokens: words of one token each.
write_prompt() { # TYPE TOKENS FILE
    local words=(the of and to in is was he for it with as his on be at by had not are) i
    for ((i = 0; i < $2 - 1; i++)); do
        printf '%s ' "${words[$((i * i % 7 + i % 13))]}"
    done | sed 's/ $//' >"$3"
}

write_contexts() { # TYPE
    write_prompt "$1" "$depth" "$work/deep"
    write_prompt "$1" $((depth + tokens)) "$work/deeper"
    rm -rf "$work/context.lfm2" "$work/context.llama"
    "$native" run -m "$work/$1.gguf" --no-cache --raw --temp 0 --ignore-eos -n 1 \
        --prompt-cache "$work/context.lfm2" -f "$work/deep" >"$work/run.log" 2>&1 ||
        fail "lfm2 failed: $work/run.log"
    [ -n "$only" ] || native_llama -m "$work/$1.gguf" -no-cnv --temp 0 --ignore-eos --no-warmup \
        -n 1 -c $((depth + 1024)) --prompt-cache "$work/context.llama" -f "$work/deep" \
        >"$work/run.log" 2>&1 || fail "llama.cpp failed: $work/run.log"
}

# ---- Figures ------------------------------------------------------------------------------------

# per_token SIDE NAME DIVISOR COMMAND... / COMMAND...: the second count minus the first.
per_token() {
    local divisor=$1 first second part=()
    shift
    while [ "$1" != / ]; do
        part+=("$1")
        shift
    done
    shift
    first=$("${part[@]}")
    cp "$work/counts" "$work/counts.first"
    second=$("$@")
    awk -v a="$first" -v b="$second" -v n="$divisor" 'BEGIN { printf "%.1f\n", (b - a) / n / 1e6 }'
}

show_functions() { # DIVISOR
    [ -n "$functions" ] || return 0
    awk -v n="$1" 'NR == FNR { first[$2] = $1; next }
        { printf "%10.2f  %s\n", ($1 - first[$2]) / n / 1e6, $2 }' \
        "$work/counts.first" "$work/counts" | sort -rn | awk 'NR <= 12'
}

# line CPU TYPE TEST DIVISOR FUNCTION FIRST... / SECOND...: one line of the table.
line() {
    local cpu=$1 type=$2 test=$3 divisor=$4 command=$5 first=() ours theirs=- ratio=-
    shift 5
    while [ "$1" != / ]; do
        first+=("$1")
        shift
    done
    shift
    ours=$(per_token "$divisor" "lfm2_$command" "$cpu" "$type" "${first[@]}" / \
        "lfm2_$command" "$cpu" "$type" "$@")
    local shown
    shown=$(show_functions "$divisor")
    if [ -z "$only" ]; then
        theirs=$(per_token "$divisor" "llama_$command" "$cpu" "$type" "${first[@]}" / \
            "llama_$command" "$cpu" "$type" "$@")
        ratio=$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')
    fi
    printf '| %s | %s | %s | %s | %s | %s |\n' "$type" "$cpu" "$test" "$ours" "$theirs" "$ratio"
    [ -z "$shown" ] || printf '%s\n' "$shown"
}

main() {
    local cpu type first=1
    [ -x "$native" ] || fail "$native is missing: --native names lfm2 for this machine."
    [ -x "$arm64/lfm2" ] || fail "$arm64/lfm2 is missing: --arm64 names the arm64 build's folder."
    arm64_root=$(sed -n 's/^LFM2_ARM64_ROOT:PATH=//p' "$arm64/CMakeCache.txt")
    llama_root=$work/llama-arm64/root
    mkdir -p "$work"
    work=$(cd "$work" && pwd)
    [ -x "$work/qemu/qemu-aarch64" ] || build_qemu
    build_plugin
    for cpu in arm64 amd64; do
        [ -n "$only" ] || [ -e "$work/llama-$cpu/READY" ] || unpack_llama "$cpu"
    done
    printf '| type | CPU | test | lfm2 | llama.cpp | ratio |\n|---|---|---|---|---|---|\n'
    for type in ${types//,/ }; do
        [ -e "$work/$type.gguf" ] ||
            "$native" synth "$work/$type.gguf" --shape "$shape" --type "$type" >&2
        [ -z "$first" ] || [ "$depth" = 0 ] || write_contexts "$type"
        for cpu in ${cpus//,/ }; do
            line "$cpu" "$type" decode 4 bench -p 0 -r 1 -n 4 / -p 0 -r 1 -n 8
            line "$cpu" "$type" "prompt of $tokens" "$tokens" bench -n 0 -p "$tokens" -r 1 / \
                -n 0 -p "$tokens" -r 2
            if [ -n "$first" ] && [ "$depth" != 0 ]; then
                line "$cpu" "$type" "decode after $depth" 4 deep "$work/deep" 4 / "$work/deep" 8
                line "$cpu" "$type" "prompt of $tokens after $depth" "$tokens" deep \
                    "$work/deep" 1 / "$work/deeper" 1
            fi
        done
        first=''
    done
}

main
