# SPDX-License-Identifier: Apache-2.0
# Reasoning on a pseudo-terminal: dimmed, hidden behind a hint, and without escape sequences.
. "$(dirname "$0")/common.sh"
pty=${LFM2_PTY:?names the pseudo-terminal helper}
edit=${LFM2_EDIT_GGUF:?names the program that edits GGUF files}
prompt='> \e[?2004h'

# The tokens around a tool call are the markers of reasoning: see test_reasoning.sh.
"$edit" "$demo" "$work/think.gguf" '10:3=<think>' '11:3=</think>'
report 'a file with markers' $?
cat >"$work/tools.json" <<'END'
[{"type": "function", "function": {"name": "get_weather", "description": "Weather in a city",
"parameters": {"type": "object", "properties": {"city_name": {"type": "string"}}, "required": ["city_name"]}}}]
END
options=(-t 1 -m "$work/think.gguf" --temp 0 --system 'Help the user.' --tools "$work/tools.json")

# types TERM SCRIPT COMMAND...
types() {
    local term=$1 script=$2
    shift 2
    printf '%s' "$script" | TERM=$term "$pty" "$program" "$@" >"$work/out" 2>"$work/err"
    verdict 0 $? "on a terminal of type $term: lfm2 $*"
}
chats="expect $prompt
send Weather in Reykjavik?\r
expect $prompt
send /stats\r
expect reasoning 8 tokens, answer 
expect $prompt
send /quit\r
"
# plain: the output without messages and the sequences that begin and end the style
plain() {
    tr -d '\r' <"$work/out" | sed 's/\x1b\[2m//g; s/\x1b\[0m//g; /^lfm2: /d'
}

types xterm "$chats" chat "${options[@]}"
out_has $'\e[2m'
out_lacks '<think>'
plain | grep -qF '[get_weather(city_name="Reykjavik")]'
report 'the reasoning is printed' $?
# each dimmed section ends: nothing after it is dimmed
[ "$(grep -o $'\e\[2m' "$work/out" | wc -l)" -eq "$(grep -o $'\e\[0m' "$work/out" | wc -l)" ]
report 'every dimmed section ends' $?

types xterm "$chats" chat "${options[@]}" --reasoning hide
out_has $'\e[2mthinking ...\e[0m'
out_has $'\r\e[K'
out_lacks 'get_weather'

types dumb 'expect > 
send Weather in Reykjavik?\r
expect </think>
expect > 
send /quit\r
' chat "${options[@]}"
out_has '<think>[get_weather(city_name="Reykjavik")]</think>'
out_lacks $'\e[2m'

# run; an empty line separates the reasoning from the content, without the white space between them
printf '%s\n' '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}<think>' >"$work/t.jinja"
types xterm '' run -t 1 -m "$demo" -p 'Hello' --chat-template "$work/t.jinja" --reasoning-budget 3 \
    --temp 0 --ignore-eos --special -n 6
plain >"$work/plain"
"$program" run -t 1 -m "$demo" -p 'Hello' --chat-template "$work/t.jinja" --reasoning-budget 3 \
    --temp 0 --ignore-eos --special -n 6 --json >"$work/out" 2>"$work/err"
reasoning=$(sed -E 's/.*"reasoning_content":"([^"]*)".*/\1/' "$work/out")
text=$(sed -E 's/.*"text":"([^"]*)".*/\1/' "$work/out")
printf '%b' "${reasoning}\n\n$text\n" | sed 's/[[:space:]]*$//' >"$work/expected"
sed 's/^[[:space:]]*//; s/[[:space:]]*$//' "$work/plain" >"$work/stripped"
[ -n "$reasoning" ] && [ -n "$text" ]
report "there is reasoning and text ($reasoning, $text)" $?
same 'the terminal shows both, divided by an empty line' "$work/stripped" "$work/expected"
# hidden: the content follows the hint, which is removed
types xterm '' run -t 1 -m "$demo" -p 'Hello' --chat-template "$work/t.jinja" --reasoning-budget 3 \
    --temp 0 --ignore-eos --special -n 6 --reasoning hide
out_has $'\e[2mthinking ...\e[0m\r\e[K'"$text"
[ "$(grep -c 'thinking' "$work/out")" -eq 1 ]
report 'there is one hint' $?
finish
