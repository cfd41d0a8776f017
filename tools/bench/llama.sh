# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Finds llama.cpp for tools/bench/compare: on the PATH, in the Debian system of --chroot, or in a
# Debian sid that it unpacks. To be sourced. find_llama sets $llama, the words before a command of
# llama.cpp.

need_root() {
    [ "$(id -u)" -eq 0 ] || fail "llama-bench is not on the PATH, and $1 takes root." \
        "Run this script as root, or install llama.cpp and put it on the PATH."
}

# Restarts the script in a new mount namespace; the mounts end with it.
enter_namespace() {
    if [ "${LFM2_COMPARE_NAMESPACE:-}" = "$PPID" ]; then
        return
    fi
    unshare --mount --propagation private true 2>/dev/null ||
        fail "this system does not let root make mounts (a container?)." \
            "Run the script outside it or in a privileged one, or put llama.cpp on the PATH."
    rm -rf -- "$work"
    work=''
    # The process id shows that the variable is from this run and not left in the environment.
    LFM2_COMPARE_NAMESPACE=$$ setsid unshare --mount --propagation private "$BASH" \
        "$repo/tools/bench/compare" "${arguments[@]}" &
    child=$!
    wait_for_child
    exit
}

mount_into() { # SOURCE TARGET [ro]
    [ -d "$2" ] || fail "$2 is missing: $chroot does not contain a Debian system."
    if [ "${3:-}" != ro ] && mountpoint -q "$2"; then
        return
    fi
    mount --rbind "$1" "$2" || fail "mounting $1 on $2 failed"
    if [ "${3:-}" = ro ]; then
        mount -o remount,bind,ro "$2" || fail "mounting $1 on $2 read-only failed"
    fi
}

mount_system() {
    local folder
    for folder in proc sys dev; do
        mount_into "/$folder" "$chroot/$folder"
    done
}

# Sets $inside, the words before a command that runs in the chroot. The command gets only the
# environment that apt needs.
set_inside() {
    inside=(chroot "$chroot" /usr/bin/env -i LC_ALL=C.UTF-8 HOME=/root
        DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"}
        ${https_proxy:+https_proxy="$https_proxy"}
        PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin)
}

give_up_sid() { # WHAT
    tail -n 15 "$work/sid.log" >&2
    fail "$1" "${sid_advice[@]}"
}
sid_advice=("No network? Then make a Debian sid system with llama.cpp-tools and"
    "llama.cpp-tools-extra on another machine, and name it with --chroot DIR."
    "An unknown signature: apt-get install debian-archive-keyring (a newer one).")

install_debootstrap() {
    local keyring
    for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        if [ -r "$keyring" ] && command -v debootstrap >/dev/null; then
            return
        fi
    done
    command -v apt-get >/dev/null ||
        fail "debootstrap and Debian's keys are missing, and this is not Debian." \
            "Install debootstrap and debian-archive-keyring, or put llama.cpp on the PATH."
    say "installing debootstrap and debian-archive-keyring ..."
    logged apt-get -q update
    logged env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
        debootstrap debian-archive-keyring || give_up_sid "apt-get could not install debootstrap."
}

# debootstrap, and apt in the new system, take the proxy from the environment; this system may have
# it in apt's configuration only.
find_proxy() {
    local scheme
    for scheme in http https; do
        if ! [[ -v ${scheme}_proxy ]] && command -v apt-config >/dev/null; then
            eval "$(apt-config shell "${scheme}_proxy" "Acquire::$scheme::Proxy")"
            export "${scheme}_proxy"
        fi
    done
}

debootstrap_from() { # URI KEYRING
    # An interrupted run, whose mounts are gone, or the mirror before may have left files.
    rm -rf --one-file-system -- "$chroot"
    say "unpacking Debian sid from $1 into $chroot (some minutes) ..."
    if ! logged debootstrap --variant=minbase --keyring="$2" sid "$chroot" "$1"; then
        say "debootstrap failed with $1"
        return 1
    fi
}

# Makes a Debian sid with llama.cpp in $chroot. The file lfm2-compare-ready is written last.
make_sid() {
    install_debootstrap
    need_disk 2 "a Debian system with llama.cpp"
    [ ! -e "$chroot" ] || [ -e "$chroot.unfinished" ] ||
        fail "$chroot exists and was not made by this script." "Name another --cache DIR."
    : >"$chroot.unfinished"
    find_proxy
    if ! with_debian_mirror "$mirror" debootstrap_from; then
        tail -n 15 "$work/sid.log" >&2
        fail_mirrors "Debian sid could not be unpacked." sid tools/bench/compare "${sid_advice[@]}"
    fi
    set_inside
    mount_system
    say "installing llama.cpp in it ..."
    logged "${inside[@]}" apt-get -q -y --no-install-recommends install llama.cpp-tools \
        llama.cpp-tools-extra python3-minimal || give_up_sid "installing llama.cpp failed."
    logged "${inside[@]}" apt-get clean
    : >"$chroot/lfm2-compare-ready"
    rm -f -- "$chroot.unfinished"
}

llama=()
find_llama() {
    if [ -z "$chroot" ] && command -v llama-bench >/dev/null; then
        llama=(env)
        return
    fi
    need_root "running it in a Debian system of its own"
    enter_namespace
    if [ -z "$chroot" ]; then
        chroot=$cache/lfm2-compare-sid
        set_inside
        [ -e "$chroot/lfm2-compare-ready" ] || make_sid
    fi
    chroot=$(cd "$chroot" && pwd)
    set_inside
    mount_system
    llama=("${inside[@]}")
    "${llama[@]}" sh -c 'command -v llama-bench' >/dev/null ||
        fail "llama-bench is missing in $chroot." \
            "In it: apt-get install llama.cpp-tools llama.cpp-tools-extra"
}

find_llama_version() {
    run "${llama[@]}" llama-bench --version
    llama_version=$(sed -nE 's/^version: *//p' "$work/out" "$work/err" | head -n 1)
    llama_version=${llama_version:-unknown version}
    if [ -n "$chroot" ]; then
        llama_version+=", Debian's $(chroot "$chroot" dpkg-query -W -f '${Version}' \
            llama.cpp-tools 2>/dev/null)"
    fi
}

# show FILE FOLDER: makes the file visible to llama.cpp and sets $shown to its path there.
show() {
    shown=$(realpath -- "$1")
    if [ -n "$chroot" ]; then
        mount_into "$(dirname "$shown")" "$chroot/$2" ro
        shown=/$2/$(basename "$shown")
    fi
}
