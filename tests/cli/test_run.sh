# SPDX-License-Identifier: Apache-2.0
# run: the prompt, the answer, and how it ends.
. "$(dirname "$0")/common.sh"

ask='What is 21 plus 13?'
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0
err_empty
[ -s "$work/out" ]
report 'the answer is not empty' $?
cp "$work/out" "$work/answer"
answer=$(cat "$work/out")

# greedy answers depend only on the prompt
for options in '-t 2' '--chunk 3' '--seed 7' '-c 256' '-v'; do
    # shellcheck disable=SC2086
    exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 $options
    same "the same answer with $options" "$work/out" "$work/answer"
done
printf '%s\n' "$ask" >"$work/prompt"
exits 0 run -t 1 -m "$demo" -f "$work/prompt" --temp 0
same 'the same answer from a file' "$work/out" "$work/answer"
pipes 0 "$ask\n" run -t 1 -m "$demo" --temp 0
same 'the same answer from a pipe' "$work/out" "$work/answer"
n_prompt() {
    grep -oE '"n_prompt":[0-9]+' "$work/out"
}
exits 0 run -t 1 -m "$demo" -p "$ask" -n 1 --json
count=$(n_prompt)
pipes 0 "$ask\n" run -t 1 -m "$demo" -n 1 --json
[ "$(n_prompt)" = "$count" ]
report 'one newline at the end of a pipe is removed' $?
pipes 0 "$ask\n\n" run -t 1 -m "$demo" -n 1 --json
[ "$(n_prompt)" != "$count" ]
report 'a second one is not' $?
# text from a pipe or a file is appended to a prompt argument; a device is not read
exits 0 run -t 1 -m "$demo" -p "What is

21 plus 13?" --json -n 1
whole=$(n_prompt)
exits 0 run -t 1 -m "$demo" -p 'What is' --json -n 1
alone=$(n_prompt)
for piped in '21 plus 13?' '21 plus 13?\n' '21 plus 13?\r\n'; do
    pipes 0 "$piped" run -t 1 -m "$demo" 'What is' --json -n 1
    [ "$(n_prompt)" = "$whole" ]
    report "the pipe is appended to the prompt: $piped" $?
done
printf '21 plus 13?\n' >"$work/rest"
"$program" run -t 1 -m "$demo" 'What is' --json -n 1 <"$work/rest" >"$work/out" 2>"$work/err"
verdict 0 $? 'run with a prompt and a file on standard input'
[ "$(n_prompt)" = "$whole" ]
report 'a file is appended to the prompt' $?
pipes 0 '21 plus 13?' run -t 1 -m "$demo" -p 'What is' --json -n 1
[ "$(n_prompt)" = "$alone" ]
report 'with -p standard input is not read' $?
pipes 0 '' run -t 1 -m "$demo" 'What is' --json -n 1
[ "$(n_prompt)" = "$alone" ]
report 'an empty pipe adds nothing' $?
"$program" run -t 1 -m "$demo" -p 'What is' --json -n 1 <&- >"$work/out" 2>"$work/err"
verdict 0 $? 'run -p without standard input'
[ "$(n_prompt)" = "$alone" ]
report 'no standard input adds nothing' $?
exits 0 run -t 1 -m "$demo" -f "$work/rest" --json -n 1
alone=$(n_prompt)
pipes 0 'one' run -t 1 -m "$demo" -f "$work/rest" --json -n 1
[ "$(n_prompt)" = "$alone" ]
report 'a pipe is not read when a file is given' $?
exits 0 run -t 1 -m "$demo" --raw -p 'Hello there' --json -n 1
whole=$(n_prompt)
pipes 0 ' there' run -t 1 -m "$demo" --raw 'Hello' --json -n 1
[ "$(n_prompt)" = "$whole" ]
report 'raw text is appended without a separator' $?

# BOS: added to a raw prompt, unless the prompt begins with it or --no-bos is given
exits 0 run -t 1 -m "$demo" --raw -p '<|startoftext|>Hello there' --json -n 1
[ "$(n_prompt)" = "$whole" ]
report 'a prompt that begins with BOS gets no second one' $?
exits 0 run -t 1 -m "$demo" --raw --special -p '<|startoftext|>Hello there' --json -n 1
[ "$(n_prompt)" = "$whole" ]
report 'nor does it with --special' $?
exits 0 run -t 1 -m "$demo" --raw --no-bos -p 'Hello there' --json -n 1
[ "$(n_prompt)" = "\"n_prompt\":$((${whole#*:} - 1))" ]
report '--no-bos adds none' $?
exits 0 run -t 1 -m "$demo" --raw --no-bos -p '<|startoftext|>Hello there' --json -n 1
[ "$(n_prompt)" = "$whole" ]
report '--no-bos keeps the one in the prompt' $?
exits 0 run -t 1 -m "$demo" --raw -p ' <|startoftext|>Hello there' --json -n 1
[ "$(n_prompt)" != "$whole" ]
report 'elsewhere its name is text' $?
exits 2 run -t 1 -m "$demo" --no-bos -p 'Hello'
err_has '--no-bos requires --raw'

# an empty prompt
for text in '' ' ' '\n' '\n \t\r\n'; do
    pipes 2 "$text" run -t 1 -m "$demo"
    err_has 'lfm2: run: the prompt is empty (cli.usage)'
    out_empty
done
exits 2 run -t 1 -m "$demo" -f /dev/null
err_has 'the prompt is empty'
pipes 0 'x' run -t 1 -m "$demo" -n 1 ' '

exits 0 run -t 1 -m "$demo" --temp 0 --raw --special \
    -p "<|im_start|>user
$ask<|im_end|>
<|im_start|>assistant
"
same 'the same answer to the rendered chat' "$work/out" "$work/answer"
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 20 --min-p 0 --seed 5 -n 30
cp "$work/out" "$work/drawn"
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 20 --min-p 0 --seed 5 -n 30
same 'one seed, one text' "$work/out" "$work/drawn"
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 20 --min-p 0 --seed 6 -n 30
! cmp -s "$work/out" "$work/drawn"
report 'another seed, another text' $?

# JSON
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --json
out_is_json
out_has "\"text\":\"$answer\""
out_has '"finish":"stop_token","stop_id":7'
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --json --logprobs 3 -n 2
out_is_json
out_has '"finish":"length","stop_id":null'
out_has '"n_generated":2'
err_empty
[ "$(grep -oF '"logprob":' "$work/out" | wc -l)" -eq 8 ]
report 'two tokens with three alternatives each' $?

# any bytes give JSON; a token that is not UTF-8 has a list of bytes
pipes 0 'a\377\000b\001"\\' run -t 1 -m "$demo" --temp 20 --min-p 0 --seed 1 --json -n 60 --raw --logprobs 9
out_is_json
out_has '"bytes":['
iconv -f UTF-8 -t UTF-16 <"$work/out" >"$work/utf16"
report 'the JSON is UTF-8' $?
pipes 0 'a\377\000b' run -t 1 -m "$demo" --temp 0 --json
out_is_json

# how answers end, and the messages if the model did not end them
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 -n 2
err_has 'lfm2: stopped at the limit of 2 tokens: -n N sets it'
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message' $?
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --ignore-eos -c 64
err_has 'lfm2: stopped: the context of 64 tokens is full: -c N sets its size'
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message' $?
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --stop '='
out_lacks '='
out_lacks '34'
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --special --ignore-eos -n 40
out_has '<|im_end|>'
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --ignore-eos -c 64 --json
out_has '"finish":"context"'
exits 1 run -t 1 -m "$demo" -p "$ask" -c 4
err_has 'tokens, the context has space for 4: -c N sets its size (cli.context)'
exits 1 run -m "$demo" -p x --tools /dev/null
err_has '/dev/null: the file is empty; it must contain a JSON array of tools (cli.tools)'
exits 1 run -t 1 -m "$demo" -p "$(yes word | head -n 2500)"
err_has 'tokens, the context has space for 2048: the model allows no larger one (cli.context)'
out_empty

# drafts do not change the answer
for sampling in '--temp 0' '--temp 0.9 --seed 3' '--temp 1.5 --seed 4 --repeat-penalty 1.2'; do
    # shellcheck disable=SC2086
    exits 0 run -t 1 -m "$demo" -p "$ask" $sampling --ignore-eos -n 150 --special
    cp "$work/out" "$work/plain"
    # shellcheck disable=SC2086
    exits 0 run -t 1 -m "$demo" -p "$ask" $sampling --ignore-eos -n 150 --special --draft ngram -v
    same "the answer with drafts, $sampling" "$work/out" "$work/plain"
done
repeating=(run -t 1 -m "$demo" --raw -p "$(yes 'one two three four' | head -n 40)" --temp 0 --seed 1
    -n 60 --ignore-eos --json)
exits 0 "${repeating[@]}"
out_has '"n_drafted":0,"n_accepted":0,'
members='"n_drafted":[0-9]*,"n_accepted":[0-9]*,"n_forced":0,"prompt_seconds":[^,]*,"generate_seconds":[^,]*,'
sed "s/$members//" "$work/out" >"$work/plain"
exits 0 "${repeating[@]}" --draft ngram -v
err_has 'drafts: '
out_lacks '"n_drafted":0,'
out_lacks '"n_accepted":0,'
sed "s/$members//" "$work/out" >"$work/drafted"
same 'the object with drafts' "$work/drafted" "$work/plain"
exits 2 run -t 1 -m "$demo" -p "$ask" --draft model
err_has "option --draft: 'model' is not one of off, ngram"

# tools and system text
printf '[{"name": "f", "description": "d", "parameters": {}}]' >"$work/tools.json"
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --tools "$work/tools.json" --system 'Be brief.' -n 20
cat >"$work/weather.json" <<'END'
[{"type": "function", "function": {"name": "get_weather", "description": "Weather in a city", "parameters": {"type": "object", "properties": {"city_name": {"type": "string"}}, "required": ["city_name"]}}}]
END
exits 0 run -t 1 -m "$demo" -p 'Weather in Reykjavik?' --temp 0 --tools "$work/weather.json" --json
out_is_json
out_has '"text":"","tool_calls":[{"id":"call_0","type":"function","function":{"name":"get_weather","arguments":"{\"city_name\": \"Reykjavik\"}"}}],"ids":'
exits 0 run -t 1 -m "$demo" -p "$ask" --temp 0 --tools "$work/weather.json" --json
out_lacks 'tool_calls'
exits 0 run -t 1 -m "$demo" -p 'Weather in Reykjavik?' --temp 0 --raw --json -n 4
out_lacks 'tool_calls'
printf '[{"name": ' >"$work/tools.json"
exits 1 run -t 1 -m "$demo" -p "$ask" --tools "$work/tools.json"
out_empty
exits 1 run -t 1 -m "$demo" -p "$ask" --tools "$work/missing"

# files that are not models
head -c 5000 "$demo" >"$work/short.gguf"
exits 1 run -m "$work/short.gguf" -p x
err_has 'short.gguf'
out_empty
printf 'GGUF' >"$work/stub.gguf"
exits 1 run -m "$work/stub.gguf" -p x
: >"$work/empty.gguf"
exits 1 run -m "$work/empty.gguf" -p x
err_has 'empty.gguf: not a GGUF file: it is empty or starts with zeros'
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n' >"$work/pointer.gguf"
exits 1 run -m "$work/pointer.gguf" -p x
err_has "not a GGUF file: this is a Git LFS pointer, not the file itself; run 'git lfs pull'"
printf '<!DOCTYPE html>\n' >"$work/page.gguf"
exits 1 run -m "$work/page.gguf" -p x
err_has 'not a GGUF file: this is a web page, not a model file'
exits 1 run -m /dev/null -p x
mkdir "$work/folder"
exits 1 run -m "$work/folder" -p x
err_has 'folder: this folder is not a model: it has no config.json and no GGUF file (cli.model.missing)'
err_has 'https://huggingface.co/LiquidAI'
out_empty
mkdir "$work/torch" && printf x >"$work/torch/pytorch_model.bin"
exits 1 run -m "$work/torch" hello
err_has "torch: 'pytorch_model.bin' has PyTorch's format"
mkdir "$work/upper" && cp "$demo" "$work/upper/DEMO.GGUF"
exits 0 run -t 1 -m "$work/upper" -n 1 hello
exits 0 run -t 1 "$work/upper/DEMO.GGUF" hello -n 1
exits 2 "$work/upper/DEMO.GGUF"
err_has "did you mean 'lfm2 run"
cp "$demo" "$work/folder/a.gguf"
exits 0 run -t 1 "$work/folder" "$ask" --temp 0
same 'the only GGUF file of a folder is loaded' "$work/out" "$work/answer"
cp "$demo" "$work/folder/b.gguf"
exits 1 run -t 1 -m "$work/folder" -p x
err_has 'the folder has 2 GGUF models; give the path of one of them: a.gguf, b.gguf'
# a missing model is reported before a missing prompt
exits 1 run "$work/missing.gguf"
err_has 'missing.gguf: no such model file (cli.model.missing)'

if [ -c /dev/full ]; then
    for json in '' --json; do
        # shellcheck disable=SC2086
        "$program" run -t 1 -m "$demo" -p "$ask" $json >/dev/full 2>"$work/err" </dev/null
        report "a full disk is an error $json" "$(($? != 1))"
        err_has 'standard output: No space left on device (cli.output)'
        [ "$(wc -l <"$work/err")" -eq 1 ]
        report 'one message' $?
    done
fi
"$program" run -t 1 -m "$demo" -p "$ask" --ignore-eos 2>"$work/err" </dev/null | head -c 1 >/dev/null
report 'a closed pipe ends the answer with exit code 1' "$((${PIPESTATUS[0]} != 1))"
err_empty

# Ctrl-C in an answer that takes half a minute with the scalar kernels
mkfifo "$work/pipe"
"$program" run -t 1 -m "$demo" -p "$ask" --ignore-eos --cpu-disable all >"$work/pipe" 2>"$work/err" &
pid=$!
exec 3<"$work/pipe"
IFS= read -r -n 1 -u 3 _
kill -INT "$pid"
cat <&3 >/dev/null
exec 3<&-
wait "$pid"
report 'Ctrl-C ends the answer with exit code 1' "$(($? != 1))"
err_has 'lfm2: stopped: interrupted'
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message' $?
finish
