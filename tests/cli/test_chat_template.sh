# SPDX-License-Identifier: Apache-2.0
# chat with several templates: what each turn reads again, messages that a template refuses, dates.
. "$(dirname "$0")/common.sh"
edit=${LFM2_EDIT_GGUF:?names the program that edits GGUF files}

# read_tokens: sets `read` to the number of tokens that each turn read, from the messages of -v
read_tokens() {
    read=$(sed -nE 's/.*prompt: ([0-9]+) token.*/\1/p' "$work/err" | paste -sd ' ' -)
}
# count TEXT: the number of tokens of a text with control tokens
count() {
    "$program" tokenize -m "$demo" --special --no-bos --pieces -p "$1" | wc -l
}
# after_common FILE FILE: the ids of the second line of ids that follow those that both have
after_common() {
    awk -F, 'NR == FNR { for (i = 1; i <= NF; i++) a[i] = $i; next }
        { for (i = 1; i <= NF && a[i] == $i; i++); print NF - i + 1 }' "$1" "$2"
}
# converse PRINTF OPTION...
converse() {
    local input=$1
    shift
    pipes 0 "$input" chat -t 1 -m "$demo" -v "$@"
    read_tokens
}

start=$'<|im_start|>user\nMy name is Tom.<|im_end|>\n<|im_start|>assistant\n'
more=$'\n<|im_start|>user\nWhat is my name?<|im_end|>\n<|im_start|>assistant\n'
turns='My name is Tom.\nWhat is my name?\n'

# the answers stay as they are: nothing is read again
converse "$turns" --temp 0
first=$(($(count "$start") + 1)) # the BOS
second=$(count "$more")
[ "$read" = "$first $second" ]
report "the second turn reads only its own tokens ($read)" $?
printf '%s\n' '{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}' >"$work/plain.jinja"
cp "$work/out" "$work/answers"
converse "$turns" --temp 0 --chat-template "$work/plain.jinja"
[ "$read" = "$first $second" ]
report 'the same with a template of a file' $?
same 'the same answers' "$work/out" "$work/answers"

# tokens that the tokenizer would not choose for the text of the answer stay, too
for seed in 1 2 3 4; do
    converse 'My name is Tom.\nWhat is my name?\n/stats\n' --temp 20 --min-p 0 --seed $seed -n 30 \
        --kernels own
    cut=$(count "<|im_end|>$more")
    [ "$read" = "$first $cut" ]
    report "random tokens stay in the context (seed $seed: $read; expected: $first $cut)" $?
done

# an answer is cut: the rest of the turn follows
converse "$turns" --temp 0 -n 1
[ "$read" = "$first $cut" ]
report 'the end of a turn follows an answer that was cut' $?

# so do the control tokens around a tool call, although they are text in a message
cat >"$work/weather.json" <<'END'
[{"type": "function", "function": {"name": "get_weather", "description": "Weather in a city",
"parameters": {"type": "object", "properties": {"city_name": {"type": "string"}}, "required": ["city_name"]}}}]
END
converse 'Weather in Reykjavik?\nWhat is my name?\n' --temp 0 --tools "$work/weather.json" \
    --system 'Help the user.'
sed -n 1p "$work/out" | grep -qxF '[get_weather(city_name="Reykjavik")]'
report 'the first answer is a tool call' $?
[ "${read#* }" = "$second" ]
report "a tool call stays in the context ($read)" $?

# ---- Reasoning ------------------------------------------------------------------------------------

# In all templates below the prompt opens the reasoning, which --reasoning-budget ends; the rest of the
# answer is empty. The templates differ in what becomes of past reasoning.
head='{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}<|im_start|>{{ m.role }}
'
tail='<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>{% endif %}'
opened=$(count "$start<think>")
reasoning=(--temp 0 --reasoning-budget 2)

# kept as a field
printf '%s\n' "$head{% if m.reasoning_content is defined %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}$tail" \
    >"$work/field.jinja"
# kept in the content: the template does not know the field
printf '%s\n' "$head{{ m.content }}$tail" >"$work/content.jinja"
for kept in field content; do
    converse "$turns$turns/stats\n" "${reasoning[@]}" --chat-template "$work/$kept.jinja"
    again=$(count "$more<think>")
    name=$(count $'\n'"$start<think>")
    [ "$read" = "$((opened + 1)) $again $name $again" ]
    report "reasoning is kept in the $kept: nothing is read again ($read)" $?
    out_has 'reasoning 2 tokens, answer '
    out_has '4 turns, '
done

# dropped from the past: each turn goes back to the last answer and reads it again without it
printf '%s\n' "$head{% if m.reasoning_content is defined and loop.last %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}$tail" \
    >"$work/dropped.jinja"
converse "$turns/stats\n" "${reasoning[@]}" --chat-template "$work/dropped.jinja"
[ "$(sed -n 2p "$work/out")" = '</think>' ]
report 'the first answer has reasoning' $?
printf '[{"role": "user", "content": "My name is Tom."}, {"role": "assistant", "content": "\\n\\n"}, {"role": "user", "content": "What is my name?"}]' \
    >"$work/turns.json"
exits 0 render -m "$demo" -f "$work/turns.json" --chat-template "$work/dropped.jinja" --ids
whole=$(tr ',' '\n' <"$work/out" | wc -l)
cp "$work/out" "$work/whole.ids"
printf '[{"role": "user", "content": "My name is Tom."}]' >"$work/first.json"
exits 0 render -m "$demo" -f "$work/first.json" --chat-template "$work/dropped.jinja" --ids
changed=$(after_common "$work/out" "$work/whole.ids")
[ "$changed" -gt 2 ] && [ "$changed" -lt "$((whole - 5))" ]
report "both prompts begin with the same tokens ($changed of $whole differ)" $?
converse "$turns/stats\n" "${reasoning[@]}" --chat-template "$work/dropped.jinja"
[ "$read" = "$((opened + 1)) $changed" ]
report "without the past reasoning ($read; expected: $((opened + 1)) $changed)" $?
# the session contains the rendered conversation, the last answer and its end
held=$(sed -nE 's/^2 turns, ([0-9]+) of .*/\1/p' "$work/out")
answer=$(sed -nE 's/.*reasoning ([0-9]+) tokens?, answer ([0-9]+) token.*/\1 + \2/p' "$work/out")
closing=$(count $'\n</think>\n\n')
[ "$held" -eq $((whole + answer + closing + 1)) ]
report "and nothing else is in the session ($held tokens)" $?

# after going back, the answer is that of the same conversation from its start, with penalties as well
printf '%s\n' "$head{% if m.role == 'user' %}{{ m.content }}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}" >"$work/questions.jinja"
sampling=(--temp 0 --repeat-penalty 5 --repeat-last-n -1 -n 12 --chat-template "$work/questions.jinja")
converse "$turns"'Hello!\n' "${sampling[@]}"
cp "$work/out" "$work/answers"
u='{"role": "user", "content": "My name is Tom."}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "What is my name?"}'
printf '[%s, {"role": "assistant", "content": "x"}, {"role": "user", "content": "Hello!"}]' "$u" >"$work/third.json"
exits 0 run -t 1 -m "$demo" --messages "$work/third.json" "${sampling[@]}"
sed -n 3p "$work/answers" >"$work/third"
[ -s "$work/third" ] && [ "$(wc -l <"$work/answers")" -eq 3 ]
report 'three answers of a line each' $?
same 'the answer after going back' "$work/out" "$work/third"

# kept if an argument of the template asks for it
printf '%s\n' "$head{% if m.thinking is defined and (loop.last or preserve_thinking) %}<think>{{ m.thinking }}</think>{% endif %}{{ m.content }}$tail" \
    >"$work/preserve.jinja"
converse "$turns" "${reasoning[@]}" --chat-template "$work/preserve.jinja"
[ "$read" = "$((opened + 1)) $changed" ]
report "reasoning is dropped ($read)" $?
converse "$turns" "${reasoning[@]}" --chat-template "$work/preserve.jinja" \
    --template-args '{"preserve_thinking": true}'
[ "$read" = "$((opened + 1)) $again" ]
report "reasoning is preserved ($read)" $?

# dropped from all answers but the last, by the text: the third turn goes back to the first answer
printf '%s\n' "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'assistant' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}$head{% if loop.index0 != ns.last %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}$tail" \
    >"$work/split.jinja"
converse "$turns"'Hello!\n/stats\n' "${reasoning[@]}" --chat-template "$work/split.jinja"
IFS=' ' read -r one two three <<<"$read"
held=$(sed -nE 's/^3 turns, ([0-9]+) of .*/\1/p' "$work/out")
answer=$(sed -nE 's/.*reasoning ([0-9]+) tokens?, answer ([0-9]+) token.*/\1 + \2/p' "$work/out")
closed=$((held - (whole - changed) - three - (answer) - 1)) # tokens that end the reasoning, if the budget does
[ "$one" = $((opened + 1)) ] && [ "$two" = "$again" ] && { [ "$closed" -eq 0 ] || [ "$closed" -eq "$closing" ]; }
report "the third turn reads from the first answer on ($one $two $three)" $?

# a turn that goes back does not repeat the random choices: here all turns have the same context, of
# which the last token is read again
printf '%s\n' '{{ messages[-1].content }}' >"$work/last.jinja"
converse 'Hello!\nHello!\n' --temp 20 --min-p 0 --seed 7 -n 5 --kernels own \
    --chat-template "$work/last.jinja"
[ "$read" = '2 1' ] && [ "$(wc -l <"$work/out")" -eq 2 ] && [ "$(sed -n 1p "$work/out")" != "$(sed -n 2p "$work/out")" ]
report "the random choices of two turns differ ($read)" $?
cp "$work/out" "$work/drawn"
converse 'Hello!\nHello!\n' --temp 20 --min-p 0 --seed 7 -n 5 --kernels own \
    --chat-template "$work/last.jinja"
same 'one seed, one conversation' "$work/out" "$work/drawn"
cat "$work/drawn" "$work/drawn" >"$work/twice"
converse 'Hello!\nHello!\n/reset\nHello!\nHello!\n' --temp 20 --min-p 0 --seed 7 -n 5 --kernels own \
    --chat-template "$work/last.jinja"
same 'also after /reset' "$work/out" "$work/twice"

# ---- Refusals -------------------------------------------------------------------------------------

printf '%s\n' "{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('not that') }}{% endif %}{{ m.content }}<|im_end|>{% endfor %}" \
    >"$work/refuses.jinja"
pipes 1 'bad\nHello!\nbad\nHello!\n/stats\n' chat -t 1 -m "$demo" --temp 0 -n 1 \
    --chat-template "$work/refuses.jinja" --system 'You help.'
err_has 'not that'
out_has '2 turns, '
pipes 1 'Hello!\n' chat -t 1 -m "$demo" --chat-template nothing
out_empty
pipes 1 'Hello!\n' chat -t 1 -m "$demo" --chat-template "$work/missing.jinja"
out_empty

# a message that does not fit is removed
long=$(printf 'word %.0s' $(seq 100))
pipes 1 "Hello!\n$long\nHello!\n/stats\n" chat -t 1 -m "$demo" --temp 0 -n 1 -c 80 -v
read_tokens
err_has 'the message needs '
out_has '2 turns, '
[ "$read" = "$(count $'<|startoftext|><|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n') $(count $'<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n')" ]
report "the turns before and after it ($read)" $?

# a system message and tools precede the first message, also after /reset
printf '%s' '[{"type": "function", "function": {"name": "get_weather"}}]' >"$work/tools.json"
printf '%s\n' "{{ tools[0].function.name }}: {% for m in messages %}{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}" \
    >"$work/tools.jinja"
expected=$(count 'get_weather: system You help.<|im_end|>user Hello!<|im_end|>')
converse 'Hello!\n/reset\nHello!\n' --temp 0 -n 1 --chat-template "$work/tools.jinja" \
    --tools "$work/tools.json" --system 'You help.'
[ "$read" = "$expected $expected" ]
report "system message and tools ($read; expected: $expected)" $?

# the date is the same for the whole conversation
printf '%s\n' "{{ strftime_now('%d %B %Y') }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}" \
    >"$work/date.jinja"
converse 'Hello!\n' --temp 0 -n 1 --chat-template "$work/date.jinja" --date 2024-02-29
[ "$read" = "$(count '29 February 2024Hello!<|im_end|>')" ]
report 'the template has the date of --date' $?

# the template of the file
"$edit" "$demo" "$work/edited.gguf" "tokenizer.chat_template=$work/date.jinja"
pipes 0 'Hello!\n' chat -t 1 -m "$work/edited.gguf" --temp 0 -n 1 --date 2024-02-29 -v
read_tokens
[ "$read" = "$(count '29 February 2024Hello!<|im_end|>')" ]
report 'the template of the file is used' $?
err_has 'chat template: default from tokenizer.chat_template'
finish
