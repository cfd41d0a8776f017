# SPDX-License-Identifier: Apache-2.0
# /save and /load of chat: the files, and what is refused. test_chat_session.sh has the saved tokens.
. "$(dirname "$0")/common.sh"
greedy=(-t 1 -m "$demo" --temp 0)
start='My name is Tom.\nWhat is 2 plus 3?\n'
cat >"$work/tools.json" <<'END'
[{"type": "function", "function": {"name": "get_weather", "description": "Weather in a city",
"parameters": {"type": "object", "properties": {"city_name": {"type": "string"}}, "required": ["city_name"]}}}]
END

# ---- What is written -------------------------------------------------------------------------------

umask 022
pipes 0 "$start/save $work/a.json\nWhat is my name?\n" chat "${greedy[@]}" --system 'Be "kind".'
err_has "saved 5 messages in $work/a.json"
cp "$work/out" "$work/answers"
[ "$(stat -c %a "$work/a.json")" = 600 ]
report 'only the owner may read the file' $?
cp "$work/a.json" "$work/out"
out_is_json
grep -qF '{"role":"system","content":"Be \"kind\"."},{"role":"user","content":"My name is Tom."}' "$work/a.json"
report 'it has the messages' $?
! grep -qF '"tools"' "$work/a.json"
report 'it has no tools' $?
exits 0 render -m "$demo" -f "$work/a.json"
out_has 'What is 2 plus 3?'
exits 0 run "${greedy[@]}" --messages "$work/a.json" -n 1

# the next turn is as if the conversation had not been saved, in a new program and after other messages
for before in '' 'Hello!\n' "$start"; do
    pipes 0 "$before/load $work/a.json\nWhat is my name?\n/stats\n/system\n" chat "${greedy[@]}"
    err_has 'loaded 5 messages with '
    out_has 'Be "kind".'
    out_has '3 turns, '
    grep -qxF "$(tail -n 1 "$work/answers")" "$work/out"
    report 'the same answer' $?
done
pipes 0 "/load $work/a.json\n/save $work/b.json\n" chat "${greedy[@]}"
pipes 0 "/load $work/b.json\n/save $work/c.json\n" chat "${greedy[@]}"
same 'a loaded conversation is saved again' "$work/b.json" "$work/c.json"

# a conversation that ends with a message of the user: /retry gives the answer of run
printf '%s' '{"messages": [{"role": "user", "content": "What is 21 plus 13?"}]}' >"$work/ask.json"
exits 0 run "${greedy[@]}" --messages "$work/ask.json"
cp "$work/out" "$work/expected"
pipes 0 "/load $work/ask.json\n/retry\n" chat "${greedy[@]}"
err_has ': /retry answers the last one'
same '/retry answers as run does' "$work/out" "$work/expected"

# tools are saved; those of a file replace those of --tools, for this conversation
pipes 0 "Weather in Reykjavik?\n/save $work/tools_in.json\n" chat "${greedy[@]}" --tools "$work/tools.json"
grep -qF '"tools":[' "$work/tools_in.json"
report 'the tools are saved' $?
grep -qF '"content": "", "tool_calls": [{"id": "call_1_0", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city_name\": \"Reykjavik\"}"}}]' \
    "$work/tools_in.json"
report 'the call is saved' $?
# the next prompt has the tokens of the call, so only the new message is computed
pipes 0 "Weather in Reykjavik?\nWeather in Oslo?\n" chat "${greedy[@]}" --tools "$work/tools.json" -v
[ "$(sed -nE 's/.*prompt: ([0-9]+) tokens.*/\1/p' "$work/err" | tail -n 1)" -lt 20 ]
report 'the session keeps the call' $?
exits 0 run "${greedy[@]}" --messages "$work/tools_in.json" -n 1
tokens() { # OPTION...: the tokens of the conversation with the tools
    pipes 0 "/load $work/tools_in.json\n" chat "${greedy[@]}" "$@"
    tokens=$(sed -nE 's/.*with ([0-9]+) tokens.*/\1/p' "$work/err")
}
tokens
with=$tokens
tokens --tools "$work/tools.json"
[ "$tokens" -eq "$with" ] && [ "$with" -gt 60 ]
report "the tools are loaded ($with tokens)" $?
pipes 0 "Hello!\n/fork\n/load $work/tools_in.json\n/switch 1\n/save $work/d.json\n/switch 2\n/load $work/ask.json\n/save $work/e.json\n" \
    chat "${greedy[@]}"
! grep -qF '"tools"' "$work/d.json" && ! grep -qF '"tools"' "$work/e.json"
report 'other conversations do not get the tools' $?

# names: ~ is the home folder, "-" is a file, blanks belong to the name
mkdir "$work/home"
(cd "$work/home" && printf 'Hello!\n/save ~/in home.json\n/save -\n/save two words \n/load -\n' |
    HOME=$work/home "$program" chat "${greedy[@]}" >"$work/out" 2>"$work/err")
verdict 0 $? '/save with odd names'
[ "$(cd "$work/home" && ls)" = "$(printf '%s\n' - -.kv 'in home.json' 'in home.json.kv' 'two words' 'two words.kv')" ]
report 'the names of the files' $?

# ---- What is refused -------------------------------------------------------------------------------

# refused COMMAND MESSAGE: the command fails and the conversation continues
refused() {
    pipes 1 "My name is Tom.\n$1\nWhat is my name?\n/stats\n" chat "${greedy[@]}"
    err_has "$2"
    [ "$(wc -l <"$work/err")" -eq 1 ] && [ "$(sed -n 2p "$work/out" | grep -c Tom)" -eq 1 ]
    report "one message, and the conversation continues: $1" $?
    out_has '2 turns, '
}
refused /save '/save needs the name of a file'
refused '/load ' '/load needs the name of a file'
refused "/save $work" "$work: exists and is not a regular file"
refused "/save $work/none/x.json" 'No such file or directory'
refused '/save a\001b' 'control characters'
refused '/load a\000b' 'control characters'
refused '/save /dev/null' 'is not a regular file'
cp "$demo" "$work/model.gguf"
refused "/save $work/model.gguf" 'exists and is not a saved conversation: choose another name'
same 'the model is unchanged' "$demo" "$work/model.gguf"
echo '{"other": 1}' >"$work/other.json"
refused "/save $work/other.json" 'is not a saved conversation'
: >"$work/empty.json"
refused "/load $work/empty.json" '(cli.messages)'
refused "/load $work/missing.json" "$work/missing.json: No such file or directory (cli.input)"
refused "/load $work" 'is not a regular file'
refused "/load $work/model.gguf" '(cli.messages)'
mkfifo "$work/pipe"
refused "/load $work/pipe" 'is not a regular file'
truncate -s 300M "$work/huge"
refused "/load $work/huge" 'huge: the file exceeds the limit of 256 MiB'
for bad in '[]' '{"messages": []}' '{"messages": {}}' '[{"content": "x"}]' '[{"role": 1, "content": "x"}]' \
    '[1]' '"text"' '[{"role": "user", "content": 1}]' '[{"role": "user", "content": "x"}' '{"tools": []}'; do
    printf '%s' "$bad" >"$work/bad.json"
    refused "/load $work/bad.json" 'bad.json'
done
printf '%s' '{"messages": [{"role": "user", "content": "x"}], "tools": 5}' >"$work/bad.json"
refused "/load $work/bad.json" 'lfm2: '
printf '%s\n' '{% for m in messages %}{{ raise_exception("no") if m.content == "bad" }}{{ m.content }}{% endfor %}' \
    >"$work/refuses.jinja"
printf '%s' '[{"role": "user", "content": "bad"}]' >"$work/bad.json"
pipes 1 "Hello!\n/load $work/bad.json\n/stats\n" chat "${greedy[@]}" -n 1 --chat-template "$work/refuses.jinja"
out_has '1 turn, '

# an old conversation and an empty file are replaced, a link is replaced by the file
printf '{"messages": [1]}' >"$work/old.json"
ln -s old.json "$work/link.json"
pipes 0 "Hello!\n/save $work/link.json\n/save $work/empty.json\n" chat "${greedy[@]}"
[ ! -L "$work/link.json" ] && grep -q Hello "$work/link.json" && [ "$(cat "$work/old.json")" = '{"messages": [1]}' ]
report 'a link is replaced' $?
grep -q Hello "$work/empty.json"
report 'an empty file is replaced' $?
! ls "$work" | grep -q '\.tmp-'
report 'no temporary files are left' $?
finish
