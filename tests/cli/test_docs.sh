# SPDX-License-Identifier: Apache-2.0
# The manual page and the completions are up to date with the option tables, and the programs that read
# them report no errors.
. "$(dirname "$0")/common.sh"
tools=${LFM2_REPO:?names the repository}/tools
completion=$tools/cli/completion

# fresh OPTION FILE: the file is up to date.
fresh() {
    exits 0 help "$1"
    err_empty
    cmp -s "$work/out" "$2" || {
        echo "$2 is out of date: cmake --build ... --target lfm2_docs writes it"
        diff "$2" "$work/out" | head -n 6
        false
    }
    report "$2 matches the option tables" $?
}
fresh --man "$tools/cli/man/lfm2.1"
fresh --bash "$completion/lfm2.bash"
fresh --zsh "$completion/_lfm2"
fresh --fish "$completion/lfm2.fish"

# Every option of the help is in all four files.
for file in "$tools"/cli/cmd_*.c; do
    command=${file##*/cmd_}
    command=${command%.c}
    exits 0 help "$command"
    sed -nE 's/^  (-[a-z], |    )(--[a-z-]+).*/\2/p' "$work/out" >"$work/options"
    [ -s "$work/options" ]
    report "$command has options" $?
    while IFS= read -r option; do
        sed 's/\\-/-/g' "$tools/cli/man/lfm2.1" | grep -qF -- "$option" &&
            grep -qF -- "$option" "$completion/lfm2.bash" &&
            grep -qF -- "$option" "$completion/_lfm2" &&
            grep -qE -- "from $command'.* -l ${option#--} " "$completion/lfm2.fish"
        report "$option of $command is in the manual page and the completions" $?
    done <"$work/options"
done

# ---- groff, which man calls -------------------------------------------------------------------------

if command -v groff >/dev/null; then
    groff -ww -man -Tutf8 -P-c -P-b -P-u -rLL=80n "$tools/cli/man/lfm2.1" >"$work/page" 2>"$work/err"
    report 'groff reads the manual page' $?
    err_empty
    grep -q 'OPTIONS OF OTHER PROGRAMS' "$work/page"
    report 'the page is complete' $?
    # with plain dashes, which can be copied
    grep -qE '^ +-n, --predict N' "$work/page"
    report 'options have plain dashes' $?
else
    echo '[  SKIPPED ] groff is not installed'
fi

# ---- bash -----------------------------------------------------------------------------------------

bash -n "$completion/lfm2.bash"
report 'bash reads its completion' $?
# completes EXPECTED WORD...: the completions of the last word, on one line.
completes() {
    local expected=$1 got
    shift
    got=$(
        # shellcheck disable=SC1091
        . "$completion/lfm2.bash"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _lfm2
        echo "${COMPREPLY[*]-}"
    )
    [ "$got" = "$expected" ] || { echo "offered: $got"; false; }
    report "bash offers '$expected' for '$*'" $?
}
completes 'run render' lfm2 r
completes 'quantize' lfm2 help q
completes '--kv --kernels' lfm2 run --k
completes 'q8_0 q8' lfm2 run --kv q
completes 'f16 f32 q8_0 q8' lfm2 run --kv =
completes 'q8_0 q8' lfm2 run --kv = q
completes '' lfm2 run -n ''
completes '--tensors --threads' lfm2 inspect --t
: >"$work/model.gguf"
completes "$work/model.gguf" lfm2 run -m "$work/mod"
completes "$work/model.gguf" lfm2 inspect "$work/mod"
(
    # shellcheck disable=SC1091
    . "$completion/lfm2.bash"
    complete -p lfm2
) >"$work/out" 2>&1
out_has '-F _lfm2 lfm2'

# ---- zsh, fish: if they are installed -------------------------------------------------------------

if command -v zsh >/dev/null; then
    zsh -n "$completion/_lfm2"
    report 'zsh reads its completion' $?
else
    echo '[  SKIPPED ] zsh is not installed'
fi
if command -v fish >/dev/null; then
    fish -n "$completion/lfm2.fish"
    report 'fish reads its completion' $?
    export HOME=$work
    fish -c "source '$completion/lfm2.fish'; complete -C'lfm2 run --kv q'" >"$work/out" 2>&1
    out_has q8_0
    out_lacks f16
else
    echo '[  SKIPPED ] fish is not installed'
fi
finish
