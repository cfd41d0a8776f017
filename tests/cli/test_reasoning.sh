# SPDX-License-Identifier: Apache-2.0
# Reasoning in answers: dividing, showing, hiding, switching off, limiting it.
. "$(dirname "$0")/common.sh"
edit=${LFM2_EDIT_GGUF:?names the program that edits GGUF files}
split=${LFM2_SPLIT:?names the program that divides texts}

# ---- Markers that are text, divided at any byte ---------------------------------------------------

# splits TEXT EXPECTED: without markers, changes of the channel as brackets. `opened` is an argument
# for split.
opened=
splits() {
    printf '%s' "$1" | "$split" $opened >"$work/out" 2>"$work/err"
    report "all divisions of '$1' give the same text" "${PIPESTATUS[1]}"
    [ "$(cat "$work/out")" = "$2" ] || { cat "$work/out"; false; }
    report "'$1' $opened is divided into '$2'" $?
}
splits '<think>a</think>b' '[a]b'
splits $' \n<think>a</think>\n\nb' $' \n[a]\n\nb'
splits '<think></think>' '[]'
splits '<think>a</thin</think>b' '[a</thin]b'
splits '<think>a<</think>b' '[a<]b'
splits '<think>a<think>b</think>c' '[a<think>b]c'
splits '<think>a</think>b<think>c</think>d' '[a]b<think>c</think>d'
splits 'a <think>b</think>' 'a <think>b</think>'
splits '<<think>a' '<<think>a'
splits '<thin<think>a' '<thin<think>a'
splits 'a</think>b' 'a</think>b'
splits '<think>a</thi' '[a</thi'
splits '<thi' '<thi'
splits '' ''
opened=opened
splits 'a</think>b' '[a]b'
splits '</think>b' '[]b'
splits '<think>a</think>b' '[<think>a]b'
splits 'a' '[a'
splits '' '['

# ---- Answers --------------------------------------------------------------------------------------

# The demo model does not reason, but it calls tools. In these files the tokens around a call are the
# markers, of three kinds: control, user-defined, and normal tokens, whose text is a marker.
for kind in 3 4 1; do
    "$edit" "$demo" "$work/$kind.gguf" "10:$kind=<think>" "11:$kind=</think>"
    report "a file with markers of kind $kind" $?
done
cat >"$work/call.json" <<'END'
{"messages": [{"role": "system", "content": "Help the user."},
{"role": "user", "content": "Weather in Reykjavik?"}], "tools": [{"type": "function", "function":
{"name": "get_weather", "description": "Weather in a city", "parameters": {"type": "object",
"properties": {"city_name": {"type": "string"}}, "required": ["city_name"]}}}]}
END
call='[get_weather(city_name="Reykjavik")]'
exits 0 run -t 1 -m "$demo" --messages "$work/call.json" --temp 0 --special
out_is "<|tool_call_start|>$call<|tool_call_end|>\n"

# ask MODEL OPTION...
ask() {
    local model=$1
    shift
    exits 0 run -t 1 -m "$work/$model.gguf" --messages "$work/call.json" --temp 0 "$@"
}
for kind in 3 4 1; do
    ask $kind
    out_is "<think>$call</think>\n"
    ask $kind --reasoning show -v
    out_is "<think>$call</think>\n"
    err_has 'reasoning: 8 tokens, answer: '
    ask $kind --reasoning hide
    out_empty
    ask $kind --json
    out_is_json
    out_has '"text":"","reasoning_content":"[get_weather(city_name=\"Reykjavik\")]","ids":[10,'
    out_has ',11],"finish":"stop_token","stop_id":7,'
    out_has '"n_reasoning":8,'
    # the end is forced after three tokens; the model continues with a text
    ask $kind --reasoning-budget 3 -n 8
    grep -qx '<think>\[get_weather(city' "$work/out" && grep -qx '</think>' "$work/out"
    report 'the reasoning ends after three tokens' $?
    [ "$(sed -n 3p "$work/out")" = '' ]
    report 'an empty line follows it' $?
    cp "$work/out" "$work/limited"
    ask $kind --reasoning-budget 3 -n 8 --json
    out_has '"reasoning_content":"[get_weather(city","ids":[10,'
    out_has '"n_reasoning":3,'
    grep -q '"text":"[^ \\]' "$work/out" || grep -q '"text":""' "$work/out"
    report 'the text has no white space at its start' $?
    ask $kind --reasoning-budget 3 -n 8 --reasoning hide
    ! grep -q 'get_weather(city$' "$work/out" && ! grep -q think "$work/out"
    report 'hidden reasoning is not printed' $?
    ask $kind --reasoning-budget 8
    out_has "<think>$call"
    ask $kind --reasoning-budget 9
    out_is "<think>$call</think>\n"
    ask $kind --reasoning-budget -1
    out_is "<think>$call</think>\n"
    ask $kind --reasoning-budget 0 --json
    out_has '"reasoning_content":"","ids":[10,'
    out_has '"n_reasoning":0,'
    # the limit of the answer includes the reasoning
    ask $kind -n 5 --reasoning-budget 4 --json
    out_has '"finish":"length","stop_id":null,'
    out_has '"n_generated":5,'
    ask $kind -n 4 --reasoning-budget 3 --json
    out_has '"finish":"length"'
    out_has '"n_generated":4,"n_reasoning":3,'
done
# a context without space for the end of the reasoning
n_prompt=$(sed -nE 's/.*"n_prompt":([0-9]+),.*/\1/p' "$work/out")
ask 3 -c $((n_prompt + 7)) --reasoning-budget 4 --json
out_has '"finish":"context"'
ask 3 --json --reasoning-budget 3 -n 8 --logprobs 1
out_is_json

# text: --raw has no reasoning
exits 0 run -t 1 -m "$work/1.gguf" --raw -p 'x' --temp 0 -n 3 --json
out_lacks 'reasoning_content'
for option in '--reasoning hide' '--reasoning-budget 3' '--chat-template x' '--date 2024-01-01' \
    '--template-args {}'; do
    # shellcheck disable=SC2086
    exits 2 run -m "$demo" --raw -p x $option
    err_has 'cannot be combined with --raw'
done
exits 2 run -m "$demo" -p x --reasoning none
exits 2 run -m "$demo" -p x --reasoning-budget -2
exits 2 run -m "$demo" -p x --reasoning off --reasoning-budget 4
err_has '--reasoning off leaves no reasoning'

# ---- Templates that open the reasoning ------------------------------------------------------------

cat >"$work/opens.jinja" <<'END'
{{- bos_token -}}
{%- for m in messages -%}
<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
<think>{%- endif -%}
END
plain=(run -t 1 -m "$demo" -p 'What is 21 plus 13?' --temp 0 --chat-template "$work/opens.jinja")
exits 0 "${plain[@]}" -n 4 --json
out_has '"text":"","reasoning_content":"'
out_has '"n_reasoning":4,'
exits 0 "${plain[@]}" -n 4
case $(cat "$work/out") in '<think>'*) ;; *) false ;; esac
report 'the marker is printed that the prompt opened' $?
# closed at once: the model answers after the end of an empty block
printf '%s' '[{"role": "user", "content": "What is 21 plus 13?"}]' >"$work/ask.json"
exits 0 render -m "$demo" -f "$work/ask.json" --chat-template "$work/opens.jinja"
cp "$work/out" "$work/closed"
printf '\n</think>\n\n' >>"$work/closed"
exits 0 run -t 1 -m "$demo" --raw --special -f "$work/closed" --temp 0 -n 8 --ignore-eos
cp "$work/out" "$work/expected"
[ -s "$work/expected" ]
report 'an answer after an empty block' $?
for option in '--reasoning-budget 0' '--reasoning off' '--reasoning off --reasoning-budget 0'; do
    # shellcheck disable=SC2086
    exits 0 "${plain[@]}" $option -n 8 --ignore-eos --special
    same "the answer after an empty block: $option" "$work/out" "$work/expected"
    # shellcheck disable=SC2086
    exits 0 "${plain[@]}" $option -n 8 --json
    out_lacks 'reasoning_content'
    out_has '"n_reasoning":0,'
done

# a switch of the template; --template-args keeps its other variables
cat >"$work/switch.jinja" <<'END'
{{- bos_token -}}
{%- for m in messages -%}
<|im_start|>{{ m.role }}
{{ m.content }}{{ x }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}{%- endif -%}
END
exits 0 run -t 1 -m "$demo" -p 'What is 21 plus 13?' --temp 0
cp "$work/out" "$work/expected"
switch=(run -t 1 -m "$demo" -p 'What is 21 plus ' --temp 0 --chat-template "$work/switch.jinja")
exits 0 "${switch[@]}" --reasoning off --template-args '{"x": "13?"}' -v
same 'the answer of a template whose switch is off' "$work/out" "$work/expected"
err_has '; its prompt opens <think>; it takes enable_thinking'
exits 0 "${switch[@]}" --template-args '{"x": "13?", "enable_thinking": false}'
same 'the same with --template-args' "$work/out" "$work/expected"
exits 0 "${switch[@]}" --template-args '{"x": "13?"}' --json -n 3
out_has '"n_reasoning":3,'
exits 1 "${switch[@]}" --reasoning off --template-args '{"enable_thinking": true}'
err_has '--reasoning off sets enable_thinking, and so does --template-args (cli.reasoning)'

# neither a switch nor markers in the vocabulary
exits 1 run -t 1 -m "$demo" -p 'Hello' --reasoning off
err_has '(cli.reasoning)'
out_empty
pipes 1 'Hello' chat -t 1 -m "$demo" --reasoning off
err_has '(cli.reasoning)'
# with markers, an empty block
ask 3 --reasoning off -n 3 --json
out_lacks 'reasoning_content'
out_has '"n_prompt":'$((n_prompt + 5))','

# ---- run --messages -------------------------------------------------------------------------------

exits 0 run -t 1 -m "$demo" --messages "$work/ask.json" --temp 0
same 'the answer to a file of messages' "$work/out" "$work/expected"
"$program" run -t 1 -m "$demo" --messages - --temp 0 <"$work/ask.json" >"$work/out" 2>"$work/err"
verdict 0 $? 'run --messages -'
same 'the answer to messages on standard input' "$work/out" "$work/expected"
cat >"$work/turns.json" <<'END'
[{"role": "user", "content": [{"type": "text", "text": "My name is Tom."}]}, {"role": "assistant",
"content": "Nice to meet you, Tom!"}, {"role": "user", "content": "What is my name?"}]
END
exits 0 run -t 1 -m "$demo" --messages "$work/turns.json" --temp 0
out_has 'Tom'
exits 2 run -m "$demo" --messages "$work/ask.json" -p x
err_has '--messages cannot be combined with a prompt (an argument, -p or -f)'
exits 2 run -m "$demo" --messages "$work/ask.json" 'x y'
exits 2 run -m "$demo" --messages "$work/ask.json" -f x
exits 2 run -m "$demo" --messages "$work/ask.json" --raw
err_has '--messages cannot be combined with --raw'
exits 2 run -m "$demo" --messages "$work/ask.json" --system x
err_has '--messages cannot be combined with --system'
exits 1 run -m "$demo" --messages "$work/missing.json"
exits 1 run -m "$demo" --messages "$work/call.json" --tools "$work/call.json"
err_has 'the file of messages has tools already'
finish
