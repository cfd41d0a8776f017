# SPDX-License-Identifier: Apache-2.0
# render: text and ids of conversations, templates and their variables, refusals.
. "$(dirname "$0")/common.sh"
edit=${LFM2_EDIT_GGUF:?names the program that edits GGUF files}

hello='[{"role": "user", "content": "Hello!"}]'
pipes 0 "$hello" render -m "$demo"
out_is '<|startoftext|><|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n'
err_empty
cp "$work/out" "$work/text"
pipes 0 "$hello" render "$demo" --no-generation-prompt
out_is '<|startoftext|><|im_start|>user\nHello!<|im_end|>\n'
printf '%s' "$hello" >"$work/hello.json"
for file in '-f' '--file' '--messages'; do
    exits 0 render -m "$demo" $file "$work/hello.json"
    same "the same text with $file" "$work/out" "$work/text"
done
pipes 0 "$hello" render -m "$demo" -f -
same 'the same text with -f -' "$work/out" "$work/text"
exits 0 render -m "$demo" -f "$work/hello.json" --ids
cp "$work/out" "$work/ids"
exits 0 tokenize -m "$demo" -f "$work/text" --special --no-bos --ids
same 'the ids are those of the text' "$work/out" "$work/ids"

# an object with tools; a file of tools
tools='[{"type": "function", "function": {"name": "get_weather"}}]'
printf '%s' "$tools" >"$work/tools.json"
exits 0 render -m "$demo" -f "$work/hello.json" --tools "$work/tools.json"
out_has '"name": "get_weather"'
cp "$work/out" "$work/with_tools"
printf '{"messages": %s, "tools": %s, "more": 1}' "$hello" "$tools" >"$work/object.json"
exits 0 render -m "$demo" -f "$work/object.json"
same 'tools in the object' "$work/out" "$work/with_tools"
exits 1 render -m "$demo" -f "$work/object.json" --tools "$work/tools.json"
err_has 'tools.json: the file of messages has tools already (cli.messages)'
printf '{"messages": %s, "tools": null}' "$hello" >"$work/object.json"
exits 0 render -m "$demo" -f "$work/object.json"
same 'tools that are null' "$work/out" "$work/text"

# control tokens become ids only where the template wrote them
for place in '{"role": "user", "content": "a<|im_end|>b"}' \
    '{"role": "user", "content": [{"type": "text", "text": "a<|im_end|>b"}]}' \
    '{"role": "system", "content": "a<|im_end|>b"}'; do
    pipes 0 "[$place]" render -m "$demo"
    out_has 'a<|im_end|>b'
    pipes 0 "[$place]" render -m "$demo" --ids
    [ "$(tr ',' '\n' <"$work/out" | grep -cx 7)" -eq 1 ]
    report "one end of turn: $place" $?
done

# null content, parts, tool calls
call='{"type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}'
printf '[{"role": "user", "content": "go"}, {"role": "assistant", "content": null, "tool_calls": [%s]}]' \
    "$call" >"$work/call.json"
exits 0 render -m "$demo" -f "$work/call.json" --no-generation-prompt
out_lacks 'None'
out_lacks 'null'
cat >"$work/calls.jinja" <<'END'
{% for m in messages %}{{ m.role }}:{{ m.content if m.content is string else '-' }};
{%- for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments.a }}){% endfor %}
{% endfor %}
END
exits 0 render -m "$demo" -f "$work/call.json" --chat-template "$work/calls.jinja"
out_is 'user:go;assistant:-;f(1)'

# ---- Templates ------------------------------------------------------------------------------------

printf '{{ messages[0].content | upper }} {{ x }}' >"$work/upper.jinja"
for option in --chat-template --chat-template-file; do
    exits 0 render -m "$demo" -f "$work/hello.json" $option "$work/upper.jinja"
    out_is 'HELLO! '
done
for option in --template-args --chat-template-kwargs; do
    exits 0 render -m "$demo" -f "$work/hello.json" --chat-template "$work/upper.jinja" \
        $option '{"x": [1, "two"]}'
    out_is "HELLO! [1, 'two']"
done
exits 0 render -m "$demo" -f "$work/hello.json" --chat-template lfm2 -v
same 'the built-in format' "$work/out" "$work/text"
err_has 'chat template: lfm2 from built-in'
exits 0 render -m "$demo" -f "$work/hello.json" -v
err_has 'chat template: default from tokenizer.chat_template'
exits 0 render -m "$demo" -f "$work/hello.json" --chat-template "$work/upper.jinja" -v
err_has 'upper.jinja from application'
exits 1 render -m "$demo" -f "$work/hello.json" --chat-template nothing
err_has 'default, lfm2'
out_empty
exits 1 render -m "$demo" -f "$work/hello.json" --chat-template "$work/none/x"
err_has 'none/x: No such file or directory (cli.input)'
exits 2 render -m "$demo" -f "$work/hello.json" --chat-template ''
for args in '{' '[1]' '1' '{"x": 1} y'; do
    exits 2 render -m "$demo" -f "$work/hello.json" --template-args "$args"
    err_has 'option --template-args'
    out_empty
done
exits 1 render -m "$demo" -f "$work/hello.json" --template-args '{"messages": []}'
out_empty

# refusals
printf '{%% if messages|length > 1 %%}\n{{ raise_exception("only one, please") }}\n{%% endif %%}ok' \
    >"$work/one.jinja"
exits 0 render -m "$demo" -f "$work/hello.json" --chat-template "$work/one.jinja"
out_is 'ok'
pipes 1 '[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]' render -m "$demo" \
    --chat-template "$work/one.jinja"
err_has 'only one, please'
out_empty
printf 'line one\n{%% for %%}' >"$work/wrong.jinja"
exits 1 render -m "$demo" -f "$work/hello.json" --chat-template "$work/wrong.jinja"
err_has 'wrong.jinja: '
err_has 'line 2'
out_empty
printf '{%% for i in range(1000000000) %%}{%% for j in range(1000000000) %%}x{%% endfor %%}{%% endfor %%}' \
    >"$work/endless.jinja"
exits 1 render -m "$demo" -f "$work/hello.json" --chat-template "$work/endless.jinja"
out_empty

# ---- Dates ----------------------------------------------------------------------------------------

printf '{{ strftime_now("%%Y-%%m-%%d") }}' >"$work/date.jinja"
exits 0 render -m "$demo" -f "$work/hello.json" --chat-template "$work/date.jinja" --date 2024-02-29
out_is '2024-02-29'
before=$(date +%Y-%m-%d)
exits 0 render -m "$demo" -f "$work/hello.json" --chat-template "$work/date.jinja"
after=$(date +%Y-%m-%d)
[ "$(cat "$work/out")" = "$before" ] || [ "$(cat "$work/out")" = "$after" ]
report 'without --date it is today' $?
printf '{{ strftime_now("%%H:%%M:%%S") }}' >"$work/time.jinja"
exits 0 render -m "$demo" -f "$work/hello.json" --chat-template "$work/time.jinja" --date 2024-02-29
out_is '00:00:00'
for bad in '' 2023-02-29 2024-13-01 2024-00-01 2024-01-00 2024-04-31 1969-12-31 24-01-01 2024-1-01 \
    2024-01-01x 2024/01/01 yesterday; do
    exits 2 render -m "$demo" -f "$work/hello.json" --date "$bad"
    err_has "option --date: '$bad' is not a day"
    out_empty
done

# ---- Where the template comes from ----------------------------------------------------------------

printf 'T:{{ messages[0].content }}' >"$work/t.jinja"
printf 'U:{{ tools[0].function.name }}' >"$work/u.jinja"
"$edit" "$demo" "$work/edited.gguf" "tokenizer.chat_template=$work/t.jinja" \
    "tokenizer.chat_template.tool_use=$work/u.jinja"
report 'a file with two templates' $?
exits 0 render "$work/edited.gguf" -f "$work/hello.json"
out_is 'T:Hello!'
exits 0 render "$work/edited.gguf" -f "$work/hello.json" --tools "$work/tools.json" -v
out_is 'U:get_weather'
err_has 'chat template: tool_use from tokenizer.chat_template.tool_use'
exits 0 render "$work/edited.gguf" -f "$work/hello.json" --chat-template tool_use \
    --tools "$work/tools.json"
out_is 'U:get_weather'
exits 0 inspect "$work/edited.gguf"
grep -q '^chat template *default from tokenizer.chat_template$' "$work/out"
report 'inspect names the template' $?
grep -q 'all: default, tool_use, lfm2$' "$work/out"
report 'inspect lists the templates' $?
exits 0 inspect "$work/edited.gguf" --json
out_is_json
out_has '"chat_template":{"name":"default","origin":"tokenizer.chat_template",'
out_has '{"name":"tool_use","origin":"tokenizer.chat_template.tool_use","bytes":30}'
printf '{%% if enable_thinking %%}yes{%% else %%}no{%% endif %%}{{ messages[0].content }}<think>\n' \
    >"$work/switch.jinja"
"$edit" "$demo" "$work/edited.gguf" "tokenizer.chat_template=$work/switch.jinja"
exits 0 inspect "$work/edited.gguf"
out_has '; its prompt opens <think>; it takes enable_thinking'
exits 0 inspect "$work/edited.gguf" --json
out_has '"opens_reasoning":true,"reasoning_arg":"enable_thinking"'
printf '{%% for %%}' >"$work/wrong.jinja"
"$edit" "$demo" "$work/edited.gguf" "tokenizer.chat_template=$work/wrong.jinja"
exits 0 inspect "$work/edited.gguf"
err_has 'line 1'
out_has 'memory with one session'
exits 1 render "$work/edited.gguf" -f "$work/hello.json"
exits 0 render "$work/edited.gguf" -f "$work/hello.json" --chat-template lfm2
same 'the built-in format instead of an invalid template' "$work/out" "$work/text"

# a folder with a tokenizer and templates; no weights are needed
tokenizer_folder "$work/folder"
printf 'F:{{ messages[0].content }}{{ bos_token }}' >"$work/folder/chat_template.jinja"
exits 0 render "$work/folder" -f "$work/hello.json" -v
case $(cat "$work/out") in 'F:Hello!'*) ;; *) false ;; esac
report 'the template of a folder' $?
err_has 'chat template: default from chat_template.jinja'
mkdir "$work/folder/additional_chat_templates"
printf 'A:{{ messages[0].content }}' >"$work/folder/additional_chat_templates/other.jinja"
exits 0 render "$work/folder" -f "$work/hello.json" --chat-template other
out_is 'A:Hello!'
exits 0 render "$work/folder" -f "$work/hello.json" --chat-template other --ids
[ "$(tr ',' '\n' <"$work/out" | wc -l)" -eq 8 ]
report 'the ids of single bytes' $?

# ---- Messages -------------------------------------------------------------------------------------

printf '[{"role": "user", "content": {"a": [1, null]}}]' >"$work/object.json"
exits 0 render -m "$demo" -f "$work/object.json"
out_has '{"a": [1, null]}'
for bad in '' '{' '[]' '{}' '3' '"x"' '[3]' '[{}]' '[{"content": "x"}]' '[{"role": 3}]' \
    '[{"role": ""}]' '[{"role": "user", "content": 3}]' '{"messages": 3}' '{"messages": []}' \
    '[{"role": "user", "content": "x"}] y'; do
    pipes 1 "$bad" render -m "$demo"
    err_has 'standard input: offset '
    err_has '(cli.messages)'
    out_empty
done
pipes 1 '[{"role": "user", "content": [{"type": "image"}]}]' render -m "$demo"
out_empty
exits 1 render -m "$demo" -f "$work/missing.json"
err_has 'missing.json: No such file or directory (cli.input)'
exits 1 render -m "$work/missing.gguf" -f "$work/hello.json"
exits 2 render -m "$demo" "$demo" -f "$work/hello.json"
exits 2 render --bogus
finish
