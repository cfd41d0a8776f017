# SPDX-License-Identifier: Apache-2.0
# chat --session, and the tokens that /save and /load keep.
. "$(dirname "$0")/common.sh"
file=$work/talk.json
greedy=(-t 1 -m "$demo" --temp 0)
random=(-t 1 -m "$demo" --temp 20 --min-p 0 --repeat-penalty 1.3 --kernels own -n 12)
turns=('My name is Tom.' 'What is 2 plus 3?' '/retry' 'What is my name?')

# parts FILE: the members of the conversation
messages() { sed 's/,"lfm2":.*//; s/": "/":"/g; s/", "/","/g; s/\\ufffd/\xef\xbf\xbd/g' "$1"; } # as the program writes new ones
state() { sed 's/.*,"lfm2"://' "$1"; }

# ---- A conversation continues ----------------------------------------------------------------------

# once OPTION...: all turns in one program; apart OPTION...: a program for each turn
once() {
    rm -f "$work/once.json" "$work/once.json.kv"
    pipes 0 "$(printf '%s\\n' "${turns[@]}")" chat --session "$work/once.json" "$@"
    cp "$work/out" "$work/expected"
}
apart() { # SEED_OPTION BETWEEN OPTION...: BETWEEN is a command that runs between the programs
    local between=$2 turn seed=$1 reused=0
    shift 2
    rm -f "$file" "$file.kv"
    : >"$work/answers"
    for turn in "${turns[@]}"; do
        pipes 0 "$turn\n" chat --session "$file" "$@" ${seed:+--seed "$seed"}
        cat "$work/out" >>"$work/answers"
        seed=
        $between
    done
    same "the answers are those of one program ($between)" "$work/answers" "$work/expected"
    same "and so are the messages ($between)" <(messages "$file") <(messages "$work/once.json")
    same "and so is the state ($between)" <(state "$file") <(state "$work/once.json")
    [ "$(stat -c %a "$file")" = 600 ]
    report 'only the owner may read the file' $?
}
damage() { printf 'x' | dd of="$file.kv" bs=1 seek=5000 conv=notrunc 2>/dev/null; }
shorten() { truncate -s 5000 "$file.kv"; }
remove() { rm -f "$file.kv"; }
empty() { : >"$file.kv"; }
for options in greedy random; do
    options=$options[@]
    once "${!options}" --seed 7
    for between in true damage shorten remove empty; do
        apart 7 $between "${!options}"
    done
done
once "${random[@]}" --seed 8
! cmp -s "$work/expected" "$work/answers"
report 'another seed gives other answers' $?

kept() { # INPUT REUSED: the turn of INPUT finds this many tokens in the session
    pipes 0 "$1\n/stats\n" chat "${greedy[@]}" --session "$file"
    out_has "last turn: reused $2 token"
}
rm -f "$file"*
pipes 0 'My name is Tom.\n/stats\n' chat "${greedy[@]}" --session "$file"
tokens=$(sed -nE 's/^1 turn, ([0-9]+) of .*/\1/p' "$work/out")
cp "$file" "$work/first.json"
[ "$(stat -c %a "$file.kv")" = 600 ]
report 'only the owner may read the saved session' $?
cp "$file.kv" "$work/first.kv"
kept 'What is my name?' "$tokens"
out_has 'Your name is Tom.'
err_has 'loaded 2 messages with '
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message' $?

# the session of another conversation, of other options, of an earlier turn, of another file
notice() { # WHAT OPTION...: the session is not used, a notice says so, and the answer is the same
    local what=$1
    shift
    cp "$work/first.json" "$file"
    pipes 0 'What is my name?\n/stats\n' chat "${greedy[@]}" --session "$file" "$@"
    err_has "$what"
    [ "$(wc -l <"$work/err")" -eq 2 ]
    report "two messages: $what" $?
    out_has 'Your name is Tom.'
    out_has 'last turn: reused 0 tokens'
}
cp "$work/first.kv" "$file.kv"
notice "computes $tokens tokens of the conversation again" --kv q8_0
rm -f "$file.kv"
notice "$file.kv: cannot be opened: No such file"
{ printf LFM2SESS; head -c 300 "$demo"; } >"$file.kv"
notice "$file.kv: the header does not match its checksum"
pipes 0 "Hello!\n/save $work/other.json\n" chat "${greedy[@]}" --system 'You help.'
cp "$work/other.json.kv" "$file.kv"
cp "$work/first.json" "$file"
pipes 0 'What is my name?\n' chat "${greedy[@]}" --session "$file"
err_has "of the $tokens tokens of the conversation: the next turn computes the others again"
out_is 'Your name is Tom.\n'
cp "$work/first.json" "$file"
cp "$work/first.kv" "$file.kv"
pipes 0 'What is my name?\n' chat "${greedy[@]}" --session "$file" # first.kv has its first turn
cp "$work/first.kv" "$file.kv"
kept 'My name is Ann.' "$tokens"
err_has "has $tokens of the "
# a smaller context
cp "$work/first.json" "$file"
cp "$work/first.kv" "$file.kv"
pipes 1 'What is my name?\n' chat "${greedy[@]}" --session "$file" -c 20
err_has 'the context has space for'
cp "$work/first.json" "$file"
pipes 0 'What is my name?\n/stats\n' chat "${greedy[@]}" --session "$file" -c 36 --on-full drop
err_has 'dropped the oldest turn'
out_has '1 turn, '

# ---- What the file has -----------------------------------------------------------------------------

# commands change the file before the program ends
cp "$work/first.json" "$file"
cp "$work/first.kv" "$file.kv"
pipes 0 'Hello!\n/undo\n/save '"$work/copy.json"'\n' chat "${greedy[@]}" --session "$file"
same '/undo is in the file' <(messages "$file") <(messages "$work/first.json")
same '/save writes the same' "$file" "$work/copy.json"
cmp -s "$file.kv" "$work/copy.json.kv"
report '/save writes the session, too' $?
for line in '/system You sing.|"content":"You sing."' '/edit My name is Ann.|My name is Ann.' \
    "/load $work/other.json|You help."; do
    cp "$work/first.json" "$file"
    pipes 0 "${line%%|*}\n" chat "${greedy[@]}" --session "$file"
    grep -qF "${line#*|}" "$file"
    report "the file has the change of ${line%%|*}" $?
done
cp "$work/first.json" "$file"
pipes 0 '/fork\nHello!\n/switch 1\n' chat "${greedy[@]}" --session "$file"
same 'the file has the conversation that continues' <(messages "$file") <(messages "$work/first.json")
cp "$work/first.json" "$file"
pipes 0 '/reset\n' chat "${greedy[@]}" --session "$file"
grep -qF '{"messages":[],"lfm2":{"seed":' "$file"
report 'an empty conversation' $?
pipes 0 'Hello!\n' chat "${greedy[@]}" --session "$file"
err_has 'loaded 0 messages'
grep -qF '"content":"Hello!"' "$file"
report 'continues' $?

# /load gets the tokens of the file; run and render read it
pipes 0 "My name is Tom.\n/save $work/a.json\n" chat "${greedy[@]}"
pipes 0 "Hello!\n/load $work/a.json\nWhat is my name?\n/stats\n" chat "${greedy[@]}"
out_has "last turn: reused $tokens tokens"
out_has 'Your name is Tom.'
rm "$work/a.json.kv"
pipes 0 "/load $work/a.json\nWhat is my name?\n/stats\n" chat "${greedy[@]}"
err_has "computes $tokens tokens of the conversation again"
out_has 'Your name is Tom.'
exits 0 run "${greedy[@]}" --messages "$work/a.json" -n 1
exits 0 render -m "$demo" -f "$work/a.json"

# the seed: that of the file, or of --seed
pipes 0 'Hello!\n' chat "${random[@]}" --session "$work/seed.json" --seed 5
pipes 0 '/stats\n' chat "${random[@]}" --session "$work/seed.json"
out_has 'seed 5,'
pipes 0 '/stats\n' chat "${random[@]}" --session "$work/seed.json" --seed 6
out_has 'seed 6,'

# the system message of the file stays
pipes 0 'Hello!\n' chat "${greedy[@]}" --session "$work/system.json" --system 'You help.'
pipes 0 '/system\n' chat "${greedy[@]}" --session "$work/system.json" --system 'You help.'
out_is 'You help.\n'
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message' $?
pipes 0 '/system\n' chat "${greedy[@]}" --session "$work/system.json" --system 'You sing.'
out_is 'You help.\n'
err_has 'keeps its system message; /system TEXT replaces it'

# ---- What is refused -------------------------------------------------------------------------------

checksum() { [ ! -f "$1" ] || cksum <"$1"; }
refused() { # MESSAGE FILE: the program ends, and the file stays
    local before
    before=$(checksum "$2")
    pipes 1 'Hello!\n' chat "${greedy[@]}" --session "$2"
    err_has "$1"
    out_empty
    [ "$(checksum "$2")" = "$before" ] && [ ! -e "$2.kv" ]
    report "$2 is unchanged" $?
}
refused 'is not a regular file' "$work"
refused 'No such file or directory' "$work/none/x.json"
refused 'is not a regular file' /dev/null
mkfifo "$work/pipe"
pipes 1 'Hello!\n' chat "${greedy[@]}" --session "$work/pipe"
err_has 'is not a regular file'
cp "$demo" "$work/model.gguf"
refused 'exists and is not a saved conversation' "$work/model.gguf"
good='{"messages":[{"role":"user","content":"x"}]'
for bad in 'text' '[]' '{"messages":' '{"messages":[1]}' '{"messages":[]}' '{"messages":{}}' "$good" \
    "$good,\"lfm2\":1}" "$good,\"lfm2\":{\"seed\":-1,\"turns\":1,\"ids\":[],\"answers\":[]}}" \
    "$good,\"lfm2\":{\"seed\":1,\"turns\":4294967296,\"ids\":[],\"answers\":[]}}" \
    "$good,\"lfm2\":{\"seed\":1,\"turns\":1,\"ids\":{},\"answers\":[]}}" \
    "$good,\"lfm2\":{\"seed\":1,\"turns\":1,\"ids\":[]}}"; do
    printf '%s' "$bad" >"$work/bad.json"
    refused 'bad.json' "$work/bad.json"
done
if [ "$(id -u)" -ne 0 ]; then
    cp "$work/first.json" "$work/unreadable.json"
    chmod 0 "$work/unreadable.json"
    pipes 1 'Hello!\n' chat "${greedy[@]}" --session "$work/unreadable.json"
    err_has 'Permission denied'
fi
# values of "lfm2" that fit to no session: the tokens are those of the messages
for odd in '[-1]' '[1,6,99999999]' '[0.5]' '["x"]' '[9999999999]' '[1,6,281,212]' '[7,7,7]'; do
    for answers in '[]' '[[0,1]]' '[[2,99]]' '[[3,1],[1],5,[9,12],[0,-1]]'; do
        printf '%s' "{\"messages\":[{\"role\":\"user\",\"content\":\"My name is Tom.\"}],\"lfm2\":{\"seed\":1,\"turns\":1,\"ids\":$odd,\"answers\":$answers}}" >"$work/odd.json"
        rm -f "$work/odd.json.kv"
        pipes 0 '/retry\n' chat "${greedy[@]}" --session "$work/odd.json"
        out_is 'Nice to meet you, Tom!\n'
    done
done
# "-" is a file
(cd "$work" && for i in 1 2; do echo Hello! | "$program" chat "${greedy[@]}" --session - || exit; done) \
    >"$work/out" 2>"$work/err"
verdict 0 $? '--session -'
[ "$(wc -l <"$work/out")" -eq 2 ] && [ -f "$work/-" ] && [ -f "$work/-.kv" ]
report '"-" is a file' $?
# an empty file is a new conversation
: >"$work/new.json"
pipes 0 'Hello!\n' chat "${greedy[@]}" --session "$work/new.json"
err_empty
grep -q Hello "$work/new.json"
report 'an empty file is used' $?
# a file FILE.kv of somebody else stays
cp "$work/first.json" "$file"
for other in 'My name is Tom.' x; do
    printf '%s' "$other" >"$file.kv"
    pipes 0 'Hello!\n' chat "${greedy[@]}" --session "$file"
    err_has "$file.kv: exists and is not a saved session"
    [ "$(cat "$file.kv")" = "$other" ]
    report "$other stays" $?
done
rm "$file.kv"
mkdir "$file.kv"
pipes 0 'Hello!\n' chat "${greedy[@]}" --session "$file"
err_has "$file.kv: "
rmdir "$file.kv"
mkfifo "$file.kv"
pipes 0 'Hello!\n' chat "${greedy[@]}" --session "$file"
err_has "$file.kv: "
rm "$file.kv"

# ---- Failures while the program runs ---------------------------------------------------------------

# no file can be larger than 1 KiB: the conversation continues without its files
(trap '' XFSZ; ulimit -f 1; printf 'My name is Tom.\nWhat is my name?\n' |
    "$program" chat "${greedy[@]}" --session "$work/limit.json" --system "$(head -c 1500 /dev/zero | tr '\0' x)" \
        2>"$work/err")
verdict 1 $? 'a new file that cannot be written'
cp "$work/first.json" "$work/limit.json"
: >"$work/err"
(trap '' XFSZ; ulimit -f 1; printf 'What is my name?\n"""%s"""\nWhat is my name?\n' "$(head -c 1100 /dev/zero | tr '\0' x)" |
    "$program" chat "${greedy[@]}" -n 6 --session "$work/limit.json" 2>"$work/err" | cut -c 1-80 >"$work/out"
    exit "${PIPESTATUS[1]}")
verdict 1 $? 'a full disk'
err_has 'File too large'
[ "$(wc -l <"$work/out")" -eq 3 ] && [ "$(head -n 1 "$work/out")" = 'Your name is Tom.' ]
report 'the conversation continues' $?
pipes 0 '/stats\n' chat "${greedy[@]}" --session "$work/limit.json"
out_has '2 turns, '
! ls "$work" | grep -q '\.tmp-'
report 'no temporary files are left' $?

# two programs with the same file, and programs that are killed: it is always complete
cp "$work/first.json" "$file"
cp "$work/first.kv" "$file.kv"
yes 'Hello!' | head -n 20 >"$work/in"
for i in 1 2; do
    "$program" chat "${greedy[@]}" --session "$file" <"$work/in" >/dev/null 2>"$work/err$i" &
done
for i in $(seq 30); do
    messages "$file" | grep -qE '^\{"messages":\[.*\]$' && state "$file" | grep -qE '\]\}\}$' || break
done
[ "$i" -eq 30 ]
report 'the file is always complete' $?
wait
pipes 0 '/stats\n' chat "${greedy[@]}" --session "$file"
grep -qE '^(2[1-9]|3[0-9]|4[01]) turns, ' "$work/out" # one may start with turns of the other
report 'the file has all turns of one program' $?
for i in $(seq 12); do
    cp "$work/first.json" "$file"
    cp "$work/first.kv" "$file.kv"
    "$program" chat "${greedy[@]}" --session "$file" <"$work/in" >/dev/null 2>"$work/err1" &
    sleep "0.0$((i * 7 % 10))$i"
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    left=$(messages "$file")
    printf '%s' "${left%]},{\"role\":\"user\",\"content\":\"What is my name?\"}]}" >"$work/ask.json"
    exits 0 run "${greedy[@]}" --messages "$work/ask.json"
    cp "$work/out" "$work/expected"
    pipes 0 'What is my name?\n' chat "${greedy[@]}" --session "$file"
    same 'a conversation continues from the turn that was complete' "$work/out" "$work/expected"
done
finish
