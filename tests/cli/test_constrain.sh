# SPDX-License-Identifier: Apache-2.0
# constrain: verdicts about texts, errors of constraints, suites; answers of run under constraints.
. "$(dirname "$0")/common.sh"
edit=${LFM2_EDIT_GGUF:?names the program that edits GGUF files}

fast=(run -m "$demo" -t 1 -n 200)

# verdicts EXPECTED: the first words of the verdicts in the output, in one line.
verdicts() {
    local got
    got=$(sed -nE 's/^[0-9]+: ([a-z]+).*/\1/p' "$work/out" | tr '\n' ' ')
    [ "$got" = "$1 " ]
    report "verdicts are: $1 (got $got)" $?
}

# ---- Texts --------------------------------------------------------------------------------------

printf '"cat"\n"dogs"\n\n"cow"\n"ca"\n' >"$work/animals"
exits 0 constrain -m "$demo" --regex '(cat|dog)s?' --instances "$work/animals"
err_empty
out_has 'compiled in'
verdicts 'accept accept reject reject'
out_has '3: reject: token 0, byte 0'
out_has '4: reject: the text ends too early'
pipes 0 '"cat"' constrain "$demo" --regex '(cat|dog)s?' --instances -
verdicts 'accept'
exits 0 constrain --regex '(cat|dog)s?'
out_has 'compiled in'

cat >"$work/list.gbnf" <<'END'
# a list of numbers
root ::= "[" item ("," item)* "]"
item ::= [0-9]{1,3} | root
END
printf '"[1,22,[333]]"\n"[]"\n"[1,2"\n"[1234]"\n' >"$work/lists"
exits 0 constrain -m "$demo" --grammar "$work/list.gbnf" --instances "$work/lists"
verdicts 'accept reject reject reject'
exits 0 constrain -m "$demo" --grammar-file "$work/list.gbnf" --instances "$work/lists" --json
out_has '"verdict":"accept","tokens":'
out_has '"verdict":"reject"'
out_has '"ignored":[]'
out_has '"mask_us":{"n":'

exits 0 constrain -m "$demo" --choices 'red,dark blue' --instances "$work/animals"
verdicts 'reject reject reject reject'
pipes 0 '"dark blue"\n"blue"\n"red"' constrain -m "$demo" --choices 'red,dark blue' --instances -
verdicts 'accept reject accept'

exits 1 constrain -m "$demo" --choices $'a\xff,b'
err_has '(cli.choices)'

# values of schemas, in the white space of JSON, compact and with line breaks
schema='{"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}, "s": {"type": "string", "maxLength": 20}},
    "required": ["n"], "additionalProperties": false}'
printf '%s' "$schema" >"$work/schema.json"
printf '{"n":7}\n{"n": 7, "s": "a: b, c"}\n{"n": 10}\n{"s": "x"}\n[]\n' >"$work/values"
for space in json compact flexible; do
    for source in "$schema" "$work/schema.json"; do
        exits 0 constrain -m "$demo" --json-schema "$source" --white-space $space --instances "$work/values"
        verdicts 'accept accept reject reject reject'
    done
done
exits 1 constrain -m "$demo" --json-schema '{"$ref": "https://example.org/schema"}'
err_has '(schema.unsupported)'
exits 0 constrain -m "$demo" --json-schema '{"$ref": "https://example.org/schema"}' --lenient
err_has 'ignored in the schema: ["'

# a suite: the second schema is refused, and a value of the third is said to be valid but is not
cat >"$work/suite" <<'END'
{"name": "one", "schema": {"type": "integer"}, "tests": [{"data": 1, "valid": true}, {"data": "x", "valid": false}]}
{"name": "two", "schema": {"$ref": "https://example.org/schema"}, "tests": []}
{"name": "three", "schema": {"type": "boolean"}, "tests": [{"data": 1, "valid": true}]}
END
exits 0 constrain -m "$demo" --suite "$work/suite"
out_has 'two: refused: '
out_has 'three: wrong: value 0: reject: '
out_has 'schemas: 2 taken, 1 refused, 3 together; 1 passed'
out_has 'values: 3; 0 wrongly accepted, 1 wrongly refused (0 by a limit)'
exits 0 constrain -m "$demo" --suite "$work/suite" --json
out_has '"totals":{"schemas":3,"taken":2,"refused":1,"passed":1,"values":3,'
pipes 1 '{"name": "x"}' constrain -m "$demo" --suite -
err_has 'there is no "schema"'

# after an error the output with --json ends as JSON
json_ends() {
    [ "$(tail -n 1 "$work/out" | tail -c 3)" = ']}' ]
    report "the output ends with ]}" $?
}
pipes 1 '{"name": "one", "schema": {}, "tests": []}\n{"name": "x"}' constrain -m "$demo" --suite - --json
out_has '{"results":[{"name":"one","taken":true'
json_ends
exits 1 constrain -m "$demo" --regex a --instances "$work/nowhere" --json
json_ends
pipes 1 '"a"\n{bad' constrain -m "$demo" --regex a --instances - --json
err_has 'line 2'
json_ends

# an order that is found only after another one that closes nothing at once
cat >"$work/order" <<'END'
{"name": "back", "schema": {"anyOf": [{"properties": {"c": {"type": "string"}, "a": {}, "b": {}}, "additionalProperties": false}, {"properties": {"a": {}, "b": {}, "c": {"type": "integer"}}, "additionalProperties": false}]}, "tests": [{"data": {"a": 1, "b": 2, "c": "x"}, "valid": true}, {"data": {"a": 1, "b": 2, "c": 3}, "valid": true}, {"data": {"a": 1, "b": 2, "c": null}, "valid": false}]}
END
exits 0 constrain -m "$demo" --suite "$work/order"
out_has 'values: 3; 0 wrongly accepted, 0 wrongly refused (0 by a limit)'

# members in another order than the schema's
cat >"$work/order" <<'END'
{"name": "order", "schema": {"type": "object", "properties": {"a": {"type": "object", "properties": {"c": {}, "d": {}}}, "b": {"type": "integer"}}, "required": ["a"]}, "tests": [{"data": {"x": [{"y": 1}], "b": 1, "a": {"d": {"e": null}, "c": "q"}}, "valid": true}, {"data": {"x": 0, "b": 1}, "valid": false}, {"data": {"b": "1", "a": {}}, "valid": false}]}
END
exits 0 constrain -m "$demo" --suite "$work/order"
out_has 'values: 3; 0 wrongly accepted, 0 wrongly refused (0 by a limit)'
pipes 0 '{"b": 1, "a": {"d": 1, "c": 2}}' constrain -m "$demo" --json-schema '{"properties": {"a": {"properties": {"c": {}, "d": {}}}, "b": {}}}' --instances - --white-space compact --json
out_has '"verdict":"accept"'

# tools
cat >"$work/tools.json" <<'END'
[{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
  "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}},
 {"type": "function", "function": {"name": "noop"}}]
END
cat >"$work/calls" <<'END'
"<|tool_call_start|>[get_weather(city='Oslo', days=3)]<|tool_call_end|>"
"<|tool_call_start|>[noop()]<|tool_call_end|>"
"<|tool_call_start|>[noop(), noop()]<|tool_call_end|>"
"<|tool_call_start|>[get_weather(days=3)]<|tool_call_end|>"
"no call"
END
# tool_verdicts CHOICE EXPECTED [OPTION]
tool_verdicts() {
    exits 0 constrain -m "$demo" --tools "$work/tools.json" --tool-choice "$1" --instances "$work/calls" \
        ${3:+"$3"}
    verdicts "$2"
}
tool_verdicts required 'accept accept accept reject reject'
tool_verdicts required 'accept accept reject reject reject' --one-call
tool_verdicts auto 'accept accept accept reject accept'
tool_verdicts none 'reject reject reject reject accept'
tool_verdicts noop 'reject accept accept reject reject'
exits 1 constrain -m "$demo" --tools "$work/tools.json" --tool-choice other
err_has "there is no tool 'other' (tools.missing)"
exits 1 constrain -m "$demo" --tool-choice auto
err_has '--tools FILE gives them'
exits 2 constrain -m "$demo" --regex a --one-call
err_has 'requires --tool-choice'

# control tokens
printf 'root ::= <|tool_call_start|> [a-z]+ <|tool_call_end|>' >"$work/call.gbnf"
echo '"<|tool_call_start|>abc<|tool_call_end|>"' >"$work/calls"
exits 0 constrain -m "$demo" --grammar "$work/call.gbnf" --instances "$work/calls" --special
verdicts 'accept'
exits 0 constrain -m "$demo" --grammar "$work/call.gbnf" --instances "$work/calls"
verdicts 'reject'

# ---- Errors -------------------------------------------------------------------------------------

printf 'root ::= "a" b\n' >"$work/bad.gbnf"
exits 1 constrain -m "$demo" --grammar "$work/bad.gbnf"
err_has "line 1, column 14: the rule 'b' is not defined (gbnf.undefined)"
out_empty
printf 'root ::= root "a" | "b"\n' >"$work/bad.gbnf"
exits 1 constrain -m "$demo" --grammar "$work/bad.gbnf"
err_has '(gbnf.left_recursion)'
exits 1 constrain -m "$demo" --regex '(a'
out_empty
exits 1 constrain -m "$demo" --grammar "$work/missing.gbnf"
err_has 'missing.gbnf'
exits 2 constrain -m "$demo"
err_has 'give a constraint'
exits 2 constrain -m "$demo" --regex a --grammar "$work/list.gbnf"
err_has 'cannot be combined'
exits 2 constrain -m "$demo" --regex a --suite "$work/animals"
err_has '--suite has its own'
pipes 1 '"a"\n{' constrain -m "$demo" --regex a --instances -
err_has 'line 2'
pipes 1 '1' constrain -m "$demo" --regex a --instances -
err_has 'not a JSON string'
printf '\037\213\010x' >"$work/broken.gz"
exits 1 constrain -m "$demo" --suite "$work/broken.gz"
err_has 'broken.gz: gzip cannot decompress it'
gzip -c "$work/suite" >"$work/suite.gz"
exits 0 constrain -m "$demo" --suite "$work/suite.gz"
out_has 'schemas: 2 taken, 1 refused, 3 together; 1 passed'
PATH=$work exits 1 constrain -m "$demo" --suite "$work/suite.gz"
err_has 'cannot run gzip'

# ---- Answers ------------------------------------------------------------------------------------

for seed in 1 2 3; do
    exits 0 "${fast[@]}" --seed $seed --temp 1.5 --grammar "$work/list.gbnf" -p 'Give me a list'
    err_empty
    printf '"%s"\n' "$(cat "$work/out")" >"$work/answer"
    exits 0 constrain -m "$demo" --grammar "$work/list.gbnf" --instances "$work/answer"
    verdicts 'accept'
done
exits 0 "${fast[@]}" --regex '(left|right) wing' -p 'Which one?'
grep -qxE '(left|right) wing' "$work/out"
report 'the answer matches the expression' $?

for seed in 1 2 3; do
    exits 0 "${fast[@]}" --seed $seed --temp 1.5 --json-schema "$work/schema.json" -p 'Give me JSON'
    err_empty
    cp "$work/out" "$work/answer"
    echo >>"$work/answer"
    exits 0 constrain -m "$demo" --json-schema "$work/schema.json" --instances "$work/answer"
    verdicts 'accept'
    exits 0 "${fast[@]}" --seed $seed --temp 1.5 --tools "$work/tools.json" --tool-choice get_weather \
        --special -p 'What is the weather in Rome?'
    err_empty
    grep -qE '^<\|tool_call_start\|>\[get_weather\(city=.*\)\]<\|tool_call_end\|>$' "$work/out"
    report 'the answer calls the tool' $?
done
# reasoning is free; the constraint begins after it, also if a budget ends it
for kind in 3 1; do # control tokens, and text
    "$edit" "$demo" "$work/think.gguf" "10:$kind=<think>" "11:$kind=</think>"
    report "a file with markers of kind $kind" $?
    for open in '<think>' ''; do
        printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}%s' "$open" >"$work/open.jinja"
        exits 0 "${fast[@]}" -m "$work/think.gguf" --seed 2 --temp 1.5 --chat-template "$work/open.jinja" \
            --reasoning hide --reasoning-budget 9 --json-schema "$work/schema.json" -p 'Give me JSON'
        cp "$work/out" "$work/answer"
        echo >>"$work/answer"
        exits 0 constrain -m "$demo" --json-schema "$work/schema.json" --instances "$work/answer"
        verdicts 'accept'
    done
done
exits 1 "${fast[@]}" --tool-choice auto -p 'Hm?'
err_has '--tools FILE gives them (cli.tools)'

# drafts and single steps give the same answer; forced tokens are counted
exits 0 "${fast[@]}" --seed 5 --regex 'The answer is [0-9]{1,4}, I am (quite|very) sure\.' -p 'Hm?' --json
sed -E 's/,"(prompt_seconds|generate_seconds|n_drafted|n_accepted)":[^,}]*//g' "$work/out" >"$work/plain"
grep -qE '"n_forced":[1-9]' "$work/out"
report 'tokens are forced' $?
grep -qF '"finish":"stop_token"' "$work/out"
report 'the end is forced' $?
exits 0 "${fast[@]}" --seed 5 --regex 'The answer is [0-9]{1,4}, I am (quite|very) sure\.' -p 'Hm?' --json \
    --draft ngram
sed -E 's/,"(prompt_seconds|generate_seconds|n_drafted|n_accepted)":[^,}]*//g' "$work/out" >"$work/other"
same 'the same with drafts' "$work/other" "$work/plain"
exits 0 "${fast[@]}" --seed 5 --regex 'The answer is [0-9]{1,4}, I am (quite|very) sure\.' -p 'Hm?' --json \
    --chunk 1
sed -E 's/,"(prompt_seconds|generate_seconds|n_drafted|n_accepted)":[^,}]*//g' "$work/out" >"$work/other"
same 'the same with passes of one token' "$work/other" "$work/plain"
exits 0 "${fast[@]}" --seed 5 --regex 'yes|no' -p 'Hm?' --json --logprobs 2
out_has '"tokens":[{"id":'
exits 0 run -m "$demo" -t 1 -n 3 --regex '[a-z]{20}' -p 'Hm?'
err_has 'stopped at the limit of 3 tokens'
exits 1 "${fast[@]}" --regex '(a' -p 'Hm?'
out_empty

# what a stop string cuts off is not part of the content beside calls
printf '%s\n' 'root ::= "Well, " <|tool_call_start|> "[get_weather(city=1)]" <|tool_call_end|> "okay STOP and"' \
    >"$work/calls.gbnf"
exits 0 "${fast[@]}" --grammar "$work/calls.gbnf" --json --stop STOP -p 'Hm?'
out_has '"text":"Well, okay "'
out_has '"name":"get_weather"'

# chat: the constraint holds for each answer
questions='What is the capital of France?\nAnd of Italy?\n'
pipes 0 "$questions" chat -m "$demo" -t 1 --temp 0 --choices 'one,two three'
[ "$(grep -cxE 'one|two three' "$work/out")" = 2 ]
report 'both answers are choices' $?
pipes 0 "$questions" chat -m "$demo" -t 1 --temp 0 --tools "$work/tools.json" \
    --tool-choice get_weather --special
[ "$(grep -cE '^<\|tool_call_start\|>\[get_weather\(city=.*\)\]<\|tool_call_end\|>$' "$work/out")" = 2 ]
report 'both answers are calls' $?
pipes 1 "$questions" chat -m "$demo" -t 1 --tool-choice required
err_has '--tools FILE gives them (cli.tools)'
pipes 1 "$questions" chat -m "$demo" -t 1 --regex '(a'
err_has '(regex.syntax)'

finish
