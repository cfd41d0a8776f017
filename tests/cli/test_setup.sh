# SPDX-License-Identifier: Apache-2.0
# tools/setup and tools/bench/compare: the mirrors that they read from apt's sources, and their
# messages when no mirror works. Stubs replace apt and debootstrap: nothing is fetched.
. "$(dirname "$0")/common.sh"
tools=$(cd "$(dirname "$0")/../.." && pwd)/tools

# ---- apt's sources ------------------------------------------------------------------------------

apt=$work/apt
mkdir -p "$apt/sources.list.d" "$work/none" "$work/bin"
cat >"$apt/sources.list" <<EOF
# deb http://comment.invalid/debian trixie main
deb [ arch=amd64,arm64 signed-by=/keys/a.gpg,/keys/b.gpg ] http://options.invalid/debian/ trixie main
deb [trusted=yes] https://plain.invalid/debian stable main contrib # and a comment
deb-src http://sources.invalid/debian bookworm main
deb http://security.invalid/debian-security bookworm-security main
deb cdrom:[Debian 12]/ bookworm main
deb mirror+file:$apt/list bookworm main
deb https://plain.invalid/debian/ bookworm main
EOF
printf '# mirrors\nhttp://first.invalid/debian\tpriority:1\n\n' >"$apt/list"
printf 'https://second.invalid/debian arch:amd64\n' >>"$apt/list"
printf 'deb http://other.invalid/repo nodistro main\ndeb file:/srv/debian bookworm main\n' \
    >"$apt/sources.list.d/more.list"
cat >"$apt/sources.list.d/debian.sources" <<'EOF'
# A comment before the first stanza

Types: deb deb-src
URIs: http://third.invalid/debian
# a comment between
 https://fourth.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /keys/c.gpg

types:deb
uris: http://fifth.invalid/debian http://sixth.invalid/debian/
suites: sid
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJKwYBBAHaRw8BAQdAD
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.invalid/debian
Suites: bookworm
Enabled: No

Types: deb-src
URIs: http://sources.invalid/debian
Suites: bookworm
EOF

# mirrors_of FOLDER
mirrors_of() {
    # shellcheck disable=SC2016
    bash -euc '. "$1/debian.sh"; debian_mirrors "$2"' - "$tools" "$1" >"$work/out" 2>"$work/err"
    verdict 0 $? "debian_mirrors $1"
}
mirrors_of "$apt"
out_is 'http://options.invalid/debian /keys/a.gpg
https://plain.invalid/debian -
http://first.invalid/debian -
https://second.invalid/debian -
file:/srv/debian -
http://third.invalid/debian /keys/c.gpg
https://fourth.invalid/debian /keys/c.gpg
http://fifth.invalid/debian -
http://sixth.invalid/debian -
'
err_empty
mirrors_of "$work/none"
out_empty
! grep -nE 'https?://' "$tools/setup" "$tools/debian.sh" &&
    ! grep -n 'http.*debian' "$tools/bench/compare" "$tools"/bench/*.sh
report 'no mirror is built in' $?

# ---- The first mirror that works is used --------------------------------------------------------

# with_mirrors CODE MIRROR WORKING LISTED...: MIRROR is the value of --mirror.
with_mirrors() {
    local wanted=$1
    shift
    # shellcheck disable=SC2016
    bash -uc '
        . "$1/debian.sh"
        mirror=$2 working=$3
        listed=("${@:4}")
        fail() { printf "%s\n" "$@" >&2; exit 1; }
        debian_keyring() { printf "key\n"; }
        debian_mirrors() { [ ${#listed[@]} -eq 0 ] || printf "%s -\n" "${listed[@]}"; }
        try() { [ "$2" = "$working" ]; }
        with_debian_mirror "$mirror" try word || fail_mirrors "not found" suite tools/some advice
        printf "%s\n" "${tried[@]}"' - "$tools" "$@" >"$work/out" 2>"$work/err"
    verdict "$wanted" $? "mirrors: $*"
}
with_mirrors 0 '' two one two three
out_is 'one\ntwo\n'
with_mirrors 0 mine mine one two
out_is 'mine\n'
with_mirrors 1 mine two one two
err_has 'Tried: mine'
with_mirrors 1 '' three one two
err_has 'not found'
err_has 'Tried: one two'
err_has "Name a mirror that has Debian's suite 'suite':"
err_has 'tools/some --mirror URL'
err_has advice
with_mirrors 1 '' one
err_has "apt's sources name no Debian mirror"

# ---- The scripts --------------------------------------------------------------------------------

for wrong in --bogus --mirror --mirror= tests --mirror=x[y; do
    "$tools/setup" "$wrong" >"$work/out" 2>"$work/err" </dev/null
    verdict 1 $? "setup $wrong"
    err_has 'usage: tools/setup'
done
LFM2_SKIP_SETUP=1 "$tools/setup" --tests --mirror=http://none.invalid/debian \
    >"$work/out" 2>"$work/err"
verdict 0 $? 'setup with LFM2_SKIP_SETUP'
out_empty

if ! grep -qs '^ID=debian$' /etc/os-release || ! command -v dpkg >/dev/null ||
    [ ! -r /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    finish # the rest tests Debian only
fi

stub() { # NAME; standard input: the body of the script
    { printf '#!/bin/sh\n'; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}
# Everything is installed except the micro-kernels, which no mirror has.
stub dpkg-query <<'EOF'
case "$*" in
*libxnnpack-dev*) exit 1 ;;
*) echo installed ;;
esac
EOF
stub apt-cache </dev/null
stub sudo </dev/null
stub apt-get <<EOF
for word; do
    case \$word in
    Dir::Etc::sourcelist=*) cat "\${word#*=}" >>"$work/asked" ;;
    esac
done
echo 'E: no such release'
exit 100
EOF
for mirror in http://none.invalid/debian file:/none; do
    PATH=$work/bin:$PATH LFM2_DEPS=$work/deps "$tools/setup" --mirror "$mirror" >"$work/out" \
        2>"$work/err" </dev/null
    verdict 1 $? "setup --mirror $mirror"
    err_has "Tried: $mirror"
    err_has "Name a mirror that has Debian's suite 'trixie':"
    err_has 'tools/setup --mirror URL'
    err_has 'E: no such release'
    grep -qF "] $mirror trixie main" "$work/asked"
    report "apt was asked for Debian 13 at $mirror" $?
done
[ ! -e "$work/deps/READY" ]
report 'nothing is marked as unpacked' $?

# Stubs for root and for programs that need root.
stub id <<'EOF'
echo 0
EOF
stub unshare <<'EOF'
while [ $# -gt 0 ]; do
    case $1 in
    --mount) shift ;;
    --propagation) shift 2 ;;
    *) exec "$@" ;;
    esac
done
EOF
stub debootstrap <<EOF
echo "\$*" >>"$work/asked"
echo 'E: Failed getting release file'
exit 1
EOF
path=$work/bin:/usr/bin:/bin:/usr/sbin:/sbin
if ! PATH=$path command -v llama-bench >/dev/null; then
    PATH=$path "$tools/bench/compare" --cache "$work/cache" --mirror http://none.invalid/debian \
        >"$work/out" 2>"$work/err" </dev/null
    verdict 1 $? 'compare --mirror'
    err_has 'Tried: http://none.invalid/debian'
    err_has "Name a mirror that has Debian's suite 'sid':"
    err_has 'tools/bench/compare --mirror URL'
    err_has 'E: Failed getting release file'
    grep -q 'sid .*/cache/lfm2-compare-sid http://none.invalid/debian$' "$work/asked"
    report 'debootstrap was asked for sid' $?
fi
finish
