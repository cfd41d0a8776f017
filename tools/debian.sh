# SPDX-License-Identifier: Apache-2.0
# Finds the Debian mirrors and signing keys in this machine's apt configuration, for scripts that
# take packages from another release. To be sourced; needs a function `fail LINE...` that does not
# return.

# Prints "URI KEYRING" for each Debian archive in apt's sources, in apt's order: the entries whose
# suite is a release. KEYRING is "-" if the entry names none. Reads one-line files with options in
# brackets, deb822 files, and the mirror lists that mirror+file: names.
#   debian_mirrors [FOLDER]      (default: /etc/apt)
debian_mirrors() {
    local apt=${1:-/etc/apt} file files=()
    for file in "$apt"/sources.list "$apt"/sources.list.d/*.list "$apt"/sources.list.d/*.sources; do
        [ ! -r "$file" ] || files+=("$file")
    done
    [ ${#files[@]} -gt 0 ] || return 0
    awk '
        function print_mirror(uri, keyring,  line, words) {
            if (uri ~ /^mirror\+file:/) {
                sub(/^mirror\+file:(\/\/)?/, "", uri)
                while ((getline line <uri) > 0)
                    if (split(line, words) > 0) print_uri(words[1], keyring)
                close(uri)
            } else
                print_uri(uri, keyring)
        }
        function print_uri(uri, keyring) {
            sub(/\/+$/, "", uri)
            if (uri ~ /^(https?|file):/ && !seen[uri]++) print uri, keyring
        }
        function is_release(suite) {
            return suite ~ /^(bookworm|trixie|forky|sid|(old)?stable|testing|unstable)$/
        }
        # The first file name in Signed-By; a key may also be a fingerprint or an embedded key.
        function first_file(text,  i, n, words) {
            n = split(text, words, /[ \t,]+/)
            for (i = 1; i <= n; i++) if (words[i] ~ /^\//) return words[i]
            return "-"
        }
        function read_line(  options, i) {
            options = ""
            if ($2 ~ /^\[/ && match($0, /\[[^]]*\]/)) {
                options = substr($0, RSTART + 1, RLENGTH - 2)
                $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
            }
            if ($1 != "deb" || !is_release($3)) return
            i = match(options, /signed-by=[^ \t]*/)
            print_mirror($2, i ? first_file(substr(options, RSTART + 10, RLENGTH - 10)) : "-")
        }
        function end_stanza(  i, n, words, wanted) {
            n = split(field["suites"], words)
            for (i = 1; i <= n; i++)
                if (is_release(words[i])) wanted = 1
            if (wanted && (" " field["types"] " ") ~ /[ \t]deb[ \t]/ &&
                tolower(field["enabled"]) !~ /^[ \t]*(no|false|without|off|disable|0)[ \t]*$/) {
                n = split(field["uris"], words)
                for (i = 1; i <= n; i++)
                    print_mirror(words[i], first_file(field["signed-by"]))
            }
            split("", field)
        }
        FNR == 1 { end_stanza(); deb822 = FILENAME ~ /\.sources$/ }
        !deb822 { read_line(); next }
        /^#/ { next }
        /^[ \t]*$/ { end_stanza(); next }
        /^[ \t]/ { field[name] = field[name] " " $0; next }
        {
            name = tolower($0); sub(/[ \t]*:.*/, "", name)
            field[name] = $0; sub(/^[^:]*:/, "", field[name])
        }
        END { end_stanza() }' "${files[@]}"
}

# Prints the keyring that checks an archive: FILE if it can be read, otherwise Debian's.
debian_keyring() { # FILE
    local file
    for file in "$1" /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        if [ -r "$file" ]; then
            printf '%s\n' "$file"
            return
        fi
    done
    fail "Debian's signing keys are not installed, so no package can be checked." \
        "As root, run: apt-get install debian-archive-keyring"
}

# Calls COMMAND with URI and KEYRING for each mirror until it succeeds; only for MIRROR if that is
# not empty. Sets $tried to the mirrors that were tried.
with_debian_mirror() { # MIRROR COMMAND...
    local mirror=$1 uri keyring
    local -a list=()
    shift
    tried=()
    if [ -n "$mirror" ]; then
        list=("$mirror -")
    else
        mapfile -t list < <(debian_mirrors)
    fi
    for mirror in "${list[@]}"; do
        read -r uri keyring <<<"$mirror"
        keyring=$(debian_keyring "$keyring") || exit 1
        tried+=("$uri")
        if "$@" "$uri" "$keyring"; then
            return 0
        fi
    done
    return 1
}

# Fails after with_debian_mirror has failed: prints what was tried and what to do.
fail_mirrors() { # WHAT SUITE COMMAND-TO-REPEAT ADVICE...
    local what=$1 suite=$2 again=$3 lines=()
    shift 3
    if [ ${#tried[@]} -eq 0 ]; then
        lines=("apt's sources name no Debian mirror (http, https, file or mirror+file).")
    else
        lines=("Tried: ${tried[*]}")
    fi
    fail "$what" "${lines[@]}" "Name a mirror that has Debian's suite '$suite':" \
        "  $again --mirror URL" "$@"
}
