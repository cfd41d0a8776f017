# SPDX-License-Identifier: Apache-2.0
# parse: messages, events, tools, pieces, tokens, reasoning that the prompt opened.
. "$(dirname "$0")/common.sh"

start='<|tool_call_start|>'
end='<|tool_call_end|>'
call='{"id": "call_0", "type": "function", "function": {"name": "get_time", "arguments": "{\\"city\\": \\"Rome\\"}"}}'

printf '%s' "Yes. $start[get_time(city='Rome')]$end" >"$work/call.txt"
exits 0 parse -m "$demo" -f "$work/call.txt"
out_is "{\"role\": \"assistant\", \"content\": \"Yes. \", \"tool_calls\": [$call]}\n"
out_is_json
err_empty
cp "$work/out" "$work/message"
exits 0 parse "$demo" --file "$work/call.txt"
same 'the model as an argument' "$work/out" "$work/message"
pipes 0 "$(cat "$work/call.txt")" parse -m "$demo"
same 'standard input' "$work/out" "$work/message"
pipes 0 "$(cat "$work/call.txt")" parse -m "$demo" -f -
same '-f -' "$work/out" "$work/message"
exits 0 parse -m "$demo" -f "$work/call.txt" --tokens
same 'as tokens' "$work/out" "$work/message"
for seed in 0 1 2 3 4 5 6 7 2147483647; do
    exits 0 parse -m "$demo" -f "$work/call.txt" --chunks $seed
    same "in pieces, seed $seed" "$work/out" "$work/message"
    exits 0 parse -m "$demo" -f "$work/call.txt" --chunks $seed --tokens
    same "tokens in pieces, seed $seed" "$work/out" "$work/message"
done

# what is no call stays as it is
for text in 'Hello' 'a [b](c) d' "$start[get_time('Rome')]$end" "$start$end" 'a < b' "[get_time(city='Rome')]"; do
    pipes 0 "$text" parse -m "$demo"
    out_is "{\"role\": \"assistant\", \"content\": \"$text\"}\n"
done
pipes 0 '' parse -m "$demo"
out_is '{"role": "assistant", "content": ""}\n'
printf 'line\n' >"$work/line.txt"
exits 0 parse -m "$demo" -f "$work/line.txt"
out_is '{"role": "assistant", "content": "line\\n"}\n'
printf '\377\000' >"$work/bytes.txt"
exits 0 parse -m "$demo" -f "$work/bytes.txt"
out_is '{"role": "assistant", "content": "\\ufffd\\u0000"}\n'

# tools
printf '%s' '[{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]' >"$work/tools.json"
for text in "[get_time(city='Rome')]" 'get_time(city=Rome)' '{"name": "get_time", "arguments": {"city": "Rome"}}'; do
    pipes 0 "$text" parse -m "$demo" --tools "$work/tools.json"
    out_is "{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [$call]}\n"
done
pipes 0 "[get_date(city='Rome')]" parse -m "$demo" --tools "$work/tools.json"
out_lacks 'tool_calls'
printf '{' >"$work/bad.json"
pipes 1 'a' parse -m "$demo" --tools "$work/bad.json"
out_empty
exits 1 parse -m "$demo" -f "$work/call.txt" --tools "$work/missing.json"
out_empty

# reasoning
for text in '<think>why</think>Yes.' 'why</think>Yes.'; do
    pipes 0 "$text" parse -m "$demo"
    out_is '{"role": "assistant", "content": "Yes.", "reasoning_content": "why"}\n'
done
pipes 0 'why</think>Yes.' parse -m "$demo" --opened off
out_is '{"role": "assistant", "content": "why</think>Yes."}\n'
pipes 0 'why' parse -m "$demo" --opened on
out_is '{"role": "assistant", "content": "", "reasoning_content": "why"}\n'
pipes 0 'why' parse -m "$demo"
out_is '{"role": "assistant", "content": "why"}\n'
pipes 0 "$start[get_time(city='Rome')]$end</think>" parse -m "$demo"
out_lacks 'tool_calls'
edit=${LFM2_EDIT_GGUF:?names the program that edits GGUF files}
printf '{{ messages[0].content }}<think>\n' >"$work/opens.jinja"
"$edit" "$demo" "$work/opens.gguf" "tokenizer.chat_template=$work/opens.jinja"
report 'a template that opens the reasoning' $?
pipes 0 'why' parse -m "$work/opens.gguf"
out_is '{"role": "assistant", "content": "", "reasoning_content": "why"}\n'

# events
exits 0 parse -m "$demo" -f "$work/call.txt" --events
out_is '{"event":"content","text":"Yes. "}
{"event":"call_start","call":0,"id":"call_0","name":"get_time"}
{"event":"arguments","call":0,"text":"{\\"city\\": \\"Rome\\"}"}
{"event":"call_end","call":0}
'
printf '%s' "<think>why</think>$start[f(a='12345678901234567890', b" >"$work/cut.txt"
exits 0 parse -m "$demo" -f "$work/cut.txt" --events --chunks 1
out_has '{"event":"reasoning","text":"'
out_has '{"event":"call_undone","call":0}'
grep -c '"event":"arguments"' "$work/out" >"$work/n"
[ "$(cat "$work/n")" -gt 2 ]
report 'arguments come in pieces' $?

# command lines
exits 2 parse -m "$demo" "$demo" -f "$work/call.txt"
exits 2 parse -m "$demo" -f "$work/call.txt" --chunks -1
exits 2 parse -m "$demo" -f "$work/call.txt" --opened maybe
exits 1 parse -m "$demo" -f "$work/missing.txt"
err_has 'missing.txt: No such file or directory'
out_empty
finish
