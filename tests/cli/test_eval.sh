# SPDX-License-Identifier: Apache-2.0
# eval: right and wrong answers, wrong files.
. "$(dirname "$0")/common.sh"

question='What is 21 plus 13?'
answer=$("$program" run -t 1 -m "$demo" -p "$question" --temp 0 --repeat-penalty 1)
line() { # SKILL EXPECTED
    printf '{"skill": "%s", "more": [{"x": -1.5e3}, null], "messages": [{"role": "user", ' "$1"
    printf '"content": "%s"}], "expected": "%s"}\n' "$question" "$2"
}
{
    line right "$answer"
    line right "$answer"
    echo
    line part "${answer%?}"
    line wrong 'I \u00e4m \ud83d\ude42 \"sure\"'
} >"$work/chats"
exits 0 eval -t 1 -m "$demo" "$work/chats" --json
out_is_json
out_has '{"skills":{"right":{"n":2,"right":2},"part":{"n":1,"right":0},'
out_has '"wrong":{"n":1,"right":0}},"n":4,"right":2,"percent":50}'
exits 0 eval -t 1 -m "$demo" "$work/chats" --min 50 --show
out_has 'wrong: "What is 21 plus 13?"'
out_has "$(printf '  expected "I \303\244m \360\237\231\202 \\"sure\\""')"
exits 1 eval -t 1 -m "$demo" "$work/chats" --min 51
err_has 'is below 51 % (cli.eval.min)'
exits 0 eval -t 1 -m "$demo" "$work/chats" --limit 1 --json
out_has '"n":3,"right":1,'
exits 1 eval -t 1 -m "$demo" /dev/null
err_has '/dev/null: the file contains no chats (cli.eval.empty)'
out_empty
for bad in '{' '[]' '{}' '{"messages": []}' '{"messages": [{"content": "x"}], "expected": "x"}' \
    '{"messages": [{"role": "user", "content": 3}], "expected": "x"}' \
    '{"messages": [{"role": "user", "content": "x"}]}' \
    '{"messages": [{"role": "user", "content": "x"}], "expected": ""}' \
    '{"expected": "\ud800", "messages": []}' '{"expected": "x", "messages": 3}' \
    '{"expected": "x"} y' '{"a": '"$(printf '[%.0s' $(seq 100))"; do
    printf '%s\n' "$bad" >"$work/bad"
    exits 1 eval -t 1 -m "$demo" "$work/bad"
    err_has 'line 1: offset '
    out_empty
done

# messages in OpenAI's format: parts, null content, tool calls
parts='[{"type": "text", "text": "What is 21"}, {"type": "text", "text": " plus 13?"}]'
{
    printf '{"messages": [{"role": "user", "content": %s}], "expected": "%s"}\n' "$parts" "$answer"
    printf '{"messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": null, '
    printf '"tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]}, '
    printf '{"role": "tool", "content": "1"}], "tools": null, "expected": "no such answer"}\n'
    printf '{"messages": [{"role": "user", "content": null}], "expected": "no such answer"}\n'
} >"$work/openai"
exits 0 eval -t 1 -m "$demo" "$work/openai" --show --template-args '{"x": 1}'
out_has '1 of     3'
out_has ': "1"'
out_has ': null'

# reasoning is not part of the answer
printf '%s\n' '{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}<|im_start|>assistant
{{ opening }}' >"$work/t.jinja"
"${LFM2_EDIT_GGUF:?}" "$demo" "$work/think.gguf" '10:3=<think>' '11:3=</think>'
grep -m 1 '"Weather in Reykjavik' "${demo%/*}/heldout.jsonl" |
    sed 's/"expected": .*/"expected": "[get_weather(city_name=\\"Reykjavik\\")]"}/' >"$work/call"
exits 0 eval -t 1 -m "$work/think.gguf" "$work/call" --show
out_has '  answer   ""'
exits 0 eval -t 1 -m "$demo" "$work/call" --show
out_has '  answer   "<|tool_call_start|>[get_weather('
exits 0 eval -t 1 -m "$demo" "$work/chats" --chat-template "$work/t.jinja" --json
out_has '"right":{"n":2,"right":2}'
exits 0 eval -t 1 -m "$demo" "$work/chats" --chat-template "$work/t.jinja" \
    --template-args '{"opening": "<think>"}' --json
out_has '"right":{"n":2,"right":0}'

# calls and schemas
ask='"messages": [{"role": "user", "content": "Weather in Reykjavik?"}]'
tools='"tools": [{"type": "function", "function": {"name": "get_weather", "description": "Weather in a city", "parameters": {"type": "object", "properties": {"city_name": {"type": "string"}}, "required": ["city_name"]}}}]'
calls() { # SKILL ARGUMENTS
    printf '{"skill": "%s", %s, %s, "expected_calls": [{"name": "get_weather", "arguments": %s}]}\n' \
        "$1" "$ask" "$tools" "$2"
}
{
    calls right '{"city_name": ["Oslo", "Reykjavik"]}'
    calls right '{"city_name": ["Reykjavik"], "days": [1, ""]}'
    calls value '{"city_name": ["reykjavik"]}'
    calls absent '{"city_name": ["Reykjavik"], "days": [1]}'
    calls other '{}'
    printf '{"skill": "none", %s, %s, "expected_calls": []}\n' "$ask" "$tools"
    printf '{"skill": "schema", %s, "schema": {"type": "object", "required": ["a"]}}\n' "$ask"
} >"$work/calls"
exits 0 eval -t 1 -m "$demo" "$work/calls" --json
out_has '{"right":{"n":2,"right":2},"value":{"n":1,"right":0},"absent":{"n":1,"right":0},'
out_has '"other":{"n":1,"right":0},"none":{"n":1,"right":0},"schema":{"n":1,"right":0}}'
exits 0 eval -t 1 -m "$demo" "$work/calls" --json --constrain -n 900
out_has '{"right":{"n":2,"right":2},'
sed 's/"expected_calls": \[\]/"expected_calls": [], "tool_choice": "none"/' "$work/calls" >"$work/choice"
exits 0 eval -t 1 -m "$demo" "$work/choice" --json --constrain
out_has '"none":{"n":1,"right":1}'
printf '{%s, "schema": {"type": "boolean"}}\n' "$ask" >"$work/schema"
exits 0 eval -t 1 -m "$demo" "$work/schema" --show
out_has '  expected {"type": "boolean"}'
out_has '0 of     1'
exits 0 eval -t 1 -m "$demo" "$work/schema" --constrain --min 100
for bad in '"expected_calls": {}' '"expected_calls": [{}]' '"expected_calls": [{"name": "f"}]' \
    '"expected_calls": [{"name": "f", "arguments": {"x": 1}}]' '"expected": "x", "schema": {}' \
    '"schema": {}, "tool_choice": 1' '"expected_calls": [{"name": "f", "arguments": {"x": []}}]'; do
    printf '{%s, %s}\n' "$ask" "$bad" >"$work/bad"
    exits 1 eval -t 1 -m "$demo" "$work/bad"
    err_has 'line 1: offset '
done
printf '{%s, "schema": {"type": 1}}\n' "$ask" >"$work/bad"
exits 1 eval -t 1 -m "$demo" "$work/bad" --constrain
err_has '(schema.invalid)'

# a template that refuses a line
printf '{%% if messages|length > 1 %%}{{ raise_exception("one is enough") }}{%% endif %%}x' \
    >"$work/one.jinja"
exits 1 eval -t 1 -m "$demo" "$work/openai" --chat-template "$work/one.jinja"
err_has 'line 2: '
err_has 'one is enough'
out_empty

# Ctrl-C. The answers take minutes with the scalar kernels, and nothing is printed before the end: the
# signal is sent half a second of processor time after the model is loaded.
"$program" eval "${demo%/*}/heldout.jsonl" -v -t 1 --cpu-disable all -m "$demo" >"$work/out" \
    2>"$work/err" </dev/null &
pid=$!
ticks() {
    awk '{ print $14 + $15 }' "/proc/$pid/stat" 2>/dev/null || echo 0
}
wait_for 'loaded in' "$work/err"
end=$(($(ticks) + $(getconf CLK_TCK) / 2))
for _ in $(seq 1200); do
    [ "$(ticks)" -lt "$end" ] || break
    sleep 0.05
done
interrupted eval
out_empty
finish
