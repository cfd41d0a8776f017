# SPDX-License-Identifier: Apache-2.0
# batch: answers do not depend on shards, order and kills; lines that are wrong; exit codes.
. "$(dirname "$0")/common.sh"

# request ID URL BODY
request() {
    printf '{"custom_id": "%s", "method": "POST", "url": "%s", "body": %s}\n' "$1" "$2" "$3"
}
# chat ID QUESTION [MEMBER]...
chat() {
    local id=$1 question=$2 members=''
    shift 2
    [ $# -eq 0 ] || members=$(printf ', %s' "$@")
    request "$id" /v1/chat/completions \
        "{\"model\": \"any\", \"messages\": [{\"role\": \"user\", \"content\": \"$question\"}]$members}"
}
# What must be equal in two runs, sorted: everything but ids and times that are new each time, and
# how many tokens a cache had.
answers() {
    sed -E 's/"id":"(chatcmpl|cmpl|resp|msg|rs|fc|call)[-_][^"]*"//g
        s/"(created|created_at|completed_at)":[0-9.]+//g
        s/"(cached_tokens|cache_read_input_tokens|input_tokens)":[0-9]+//g' "$@" | sort
}
count() { # NUMBER FILE
    [ "$(wc -l <"$2")" -eq "$1" ]
    report "$(basename "$2") has $1 lines" $?
}
batch() { # CODE ARGUMENT...
    local code=$1
    shift
    exits "$code" batch -t 1 -m "$demo" "$@"
}

# ---- Equal answers ------------------------------------------------------------------------------

# Sampled, greedy, several texts, another API, several questions with the same beginning.
long='You answer questions about numbers. Think of each digit, carry what is to be carried, and check'
{
    for i in $(seq 12); do
        chat "chat-$i" "$long. What is $i plus 3$i?" '"max_tokens": 24' '"temperature": 2'
    done
    chat greedy 'What is 21 plus 13?' '"max_tokens": 24' '"temperature": 0'
    chat seeded 'What is 4 plus 5?' '"max_tokens": 24' '"seed": 42' '"temperature": 1'
    chat two 'Hello!' '"max_tokens": 12' '"n": 2'
    for i in 1 2 3 4; do
        request "text-$i" /v1/completions '{"model": "any", "prompt": "The", "max_tokens": 12,
            "temperature": 2, "top_k": 0, "top_p": 1, "min_p": 0}' | tr -d '\n'
        echo
    done
} >"$work/in"
batch 0 "$work/in" "$work/all"
err_has '19 lines answered'
count 19 "$work/all"
grep -q '^{"id":"batch_req_[0-9a-f]\{16\}_13","custom_id":"greedy","response":{"status_code":200,"request_id":"req_[0-9a-f_]*","body":{.*}},"error":null}$' \
    "$work/all"
report 'a line of the output has the form of OpenAI' $?
answers "$work/all" >"$work/expected"

# the same text as `run`
question='What is 21 plus 13?'
greedy=$("$program" run -t 1 -m "$demo" -p "$question" --temp 0 -n 24)
grep '"custom_id":"greedy"' "$work/all" | grep -qF "\"content\":\"$greedy\""
report 'the text is that of run' $?
seeded=$("$program" run -t 1 -m "$demo" -p 'What is 4 plus 5?' --temp 1 --seed 42 -n 24)
grep '"custom_id":"seeded"' "$work/all" | grep -qF "\"content\":\"$seeded\""
report 'the text of a seed is that of run' $?
# without a seed in the request, --seed decides
batch 0 --seed 7 "$work/in" "$work/other"
answers "$work/other" | cmp -s - "$work/expected"
[ $? -eq 1 ]
report 'another --seed gives other texts' $?

# shards, another order, other numbers of parallel answers and of threads
for i in 1 2 3; do
    batch 0 --shard "$i/3" "$work/in" "$work/shard-$i"
done
cat "$work"/shard-* >"$work/shards"
count 19 "$work/shards"
answers "$work/shards" | cmp -s - "$work/expected"
report 'shards give the same answers' $?
tac "$work/in" >"$work/reversed"
exits 0 batch -t 2 --parallel 1 --no-prefix-cache -m "$demo" "$work/reversed" "$work/out-reversed"
sed -E 's/_[0-9]+"/"/g' "$work/out-reversed" | answers >"$work/a"
sed -E 's/_[0-9]+"/"/g' "$work/all" | answers | cmp -s - "$work/a"
report 'another order, one at a time, and two threads give the same answers' $?
batch 0 --ordered "$work/in" "$work/ordered"
sed -E 's/.*_([0-9]+)","custom_id.*/\1/' "$work/ordered" >"$work/numbers"
sort -n "$work/numbers" | cmp -s - "$work/numbers"
report '--ordered keeps the order' $?
answers "$work/ordered" | cmp -s - "$work/expected"
report '--ordered gives the same answers' $?
"$program" batch -t 1 -m "$demo" - - <"$work/in" 2>"$work/err" >"$work/out"
verdict 0 $? 'lfm2 batch - -'
answers "$work/out" | cmp -s - "$work/expected"
report 'pipes give the same answers' $?

# Lines that begin alike run together: the first computes the beginning, the others find it in the
# cache, though all of them could run at once.
for i in $(seq 30); do
    chat "alike-$i" "Rules $((i % 3)): $long. $long. $long. $long. What is $i plus 3$i?" \
        '"max_tokens": 4'
done >"$work/alike"
batch 0 --chunk 2048 "$work/alike" "$work/alike-out"
read -r prompts cached <<<"$(sed -E 's/.*tokens: ([0-9]+) of prompts \(([0-9]+) cached.*/\1 \2/' "$work/err")"
[ "$((cached * 10))" -ge "$((prompts * 6))" ]
report "most tokens of equal beginnings are computed once ($cached of $prompts)" $?

# ---- Ends and continuations ---------------------------------------------------------------------

# nothing is left to do
cp "$work/all" "$work/again"
batch 0 "$work/in" "$work/again"
err_has '0 lines answered'
same 'a complete output does not change' "$work/all" "$work/again"

# torn lines: whatever is left of the last one
kills=${LFM2_TEST_SAMPLE:+3}
size=$(wc -c <"$work/all")
for i in $(seq "${kills:-8}"); do
    cut=$((RANDOM * 32768 % size + RANDOM % 1000))
    head -c "$cut" "$work/all" >"$work/torn"
    batch 0 "$work/in" "$work/torn"
    answers "$work/torn" | cmp -s - "$work/expected"
    report "an output cut at $cut is completed" $?
done

# kill -9 at random times until the batch is complete
rm -f "$work/killed"
runs=0
code=1
while [ "$code" -ne 0 ] && [ "$runs" -lt 200 ]; do
    "$program" batch -t 1 --parallel 2 -m "$demo" "$work/in" "$work/killed" 2>"$work/err" &
    pid=$!
    if [ "$runs" -lt "${kills:-8}" ]; then
        sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
        kill -KILL "$pid" 2>/dev/null
    fi
    wait "$pid" 2>/dev/null
    code=$?
    runs=$((runs + 1))
done
[ "$code" -eq 0 ]
report "a batch that was killed $((runs - 1)) times is completed" $?
answers "$work/killed" | cmp -s - "$work/expected"
report 'kills lose and double nothing' $?

# signals: a batch that takes long enough
for i in $(seq 200); do
    chat "slow-$i" "Question $i" '"max_tokens": 200' '"ignore_eos": true'
done >"$work/slow"
stopped() { # SIGNAL CODE
    rm -f "$work/stopped"
    "$program" batch -t 1 -m "$demo" --parallel 4 --grace 60 "$work/slow" "$work/stopped" \
        2>"$work/err" >"$work/out" &
    pid=$!
    wait_for custom_id "$work/stopped" 2>/dev/null
    kill "-$1" "$pid"
    wait "$pid"
    verdict "$2" $? "lfm2 batch after $1"
    lines=$(wc -l <"$work/stopped")
    err_has 'the same command continues (cli.interrupted)'
    [ -z "$(tail -c 1 "$work/stopped" | tr -d '\n')" ]
    report "after $1 the last line is complete" $?
}
: >"$work/stopped"
stopped TERM 75
[ "$lines" -ge 12 ]
report "after TERM the $lines lines that were started are completed" $?
stopped INT 130

# OUT of another input, of another shard, in use, the input itself; an input that is not there
head -n 3 "$work/in" >"$work/three"
batch 1 "$work/three" "$work/again"
err_has 'does not belong to'
batch 1 --shard 0/3 "$work/in" "$work/again"
err_has 'belongs to another shard'
sed 's/"two"/"zwei"/' "$work/in" >"$work/changed"
batch 1 "$work/changed" "$work/again"
err_has 'does not belong to'
same 'a refused output does not change' "$work/all" "$work/again"
cp "$work/in" "$work/in-copy"
batch 1 "$work/in" "$work/in-copy"
err_has 'line 1 was not written by this command'
batch 1 "$work/in-copy" "$work/in-copy"
same 'the input does not change' "$work/in" "$work/in-copy"
cat "$work/all" "$work/all" >"$work/twice"
batch 1 "$work/in" "$work/twice"
err_has 'for a second time'
pipes 1 '{}\n' batch -t 1 -m "$demo" - "$work/again"
err_has 'cannot be read again'
batch 1 "$work/none" "$work/x"
err_has 'cannot open'
batch 1 "$work/in" "$work/none/x"
err_has 'cannot open'
# more lines may be appended to the input
chat more 'Hello!' '"max_tokens": 4' >"$work/more"
cat "$work/in" "$work/more" >"$work/in-longer"
batch 0 "$work/in-longer" "$work/again"
err_has '1 line answered'

# a line may have more prompts than lines run at the same time
prompts=$(seq -s ', ' 128 | sed 's/[0-9][0-9]*/"&"/g')
request many /v1/completions "{\"prompt\": [$prompts], \"max_tokens\": 1}" >"$work/many"
batch 0 "$work/many" "$work/many-out"
[ "$(grep -o '"index":' "$work/many-out" | wc -l)" -eq 128 ]
report 'a line with 128 prompts is answered' $?

# ---- Lines that are wrong -----------------------------------------------------------------------

{
    echo '{"custom_id": '
    echo '[1]'
    chat good 'Hi' '"max_tokens": 2'
    echo
    chat good 'Hi again' '"max_tokens": 2'
    chat unknown-model 'Hi' '"max_tokens": "two"'
    request nowhere /v1/nowhere '{}'
    request stream /v1/chat/completions '{"stream": true, "messages": []}'
    request body /v1/chat/completions '[]'
    request url 'v1/chat/completions' '{}'
    echo '{"custom_id": "get", "method": "GET", "url": "/v1/models", "body": {}}'
    echo '{"custom_id": 5, "method": "POST", "url": "/v1/chat/completions", "body": {}}'
    printf '{"custom_id": "\303", "method": "POST", "url": "/x", "body": {}}\n'
    printf '\357\273\277{"no": "mark here"}\r\n'
    chat last 'Hi' '"max_tokens": 2' | tr -d '\n'
} >"$work/wrong"
batch 3 --ordered "$work/wrong" "$work/wrong-out"
count 14 "$work/wrong-out"
cp "$work/wrong-out" "$work/out"
out_has '_1","custom_id":null,"response":null,"error":{"code":"invalid_json_line","message":"line 1: offset '
out_has '_2","custom_id":null,"response":null,"error":{"code":"invalid_json_line","message":"line 2 is not'
out_has '_5","custom_id":"good","response":null,"error":{"code":"duplicate_custom_id","message":"line 5: \"custom_id\" is that of line 3"}}'
out_has '_6","custom_id":"unknown-model","response":{"status_code":400,'
out_has '_7","custom_id":"nowhere","response":{"status_code":404,'
out_has '"custom_id":"stream","response":null,"error":{"code":"stream_unsupported"'
out_has '"custom_id":"body","response":null,"error":{"code":"invalid_body"'
out_has '"custom_id":"url","response":null,"error":{"code":"invalid_url"'
out_has '"custom_id":"get","response":null,"error":{"code":"invalid_method"'
out_has '_12","custom_id":null,"response":null,"error":{"code":"invalid_custom_id"'
out_has '_15","custom_id":"last","response":{"status_code":200,'
[ "$(grep -c '"status_code":200' "$work/out")" -eq 2 ]
report 'two lines are answered' $?
while IFS= read -r line; do
    printf '%s\n' "$line" >"$work/out"
    out_is_json
done <"$work/wrong-out"
batch 3 "$work/wrong" "$work/wrong-out"
err_has '12 failed'
batch 1 --max-errors 3 "$work/wrong" "$work/wrong-few"
err_has 'more than 3 lines failed (cli.batch.errors)'
batch 3 --max-errors 12 "$work/wrong" "$work/wrong-many"

# an empty input
batch 0 /dev/null "$work/empty"
count 0 "$work/empty"

# ---- Options ------------------------------------------------------------------------------------

for shard in 3/2 1 1/0 a/2 -1/2 /2 1/ 1/2/3; do
    batch 2 --shard "$shard" "$work/in" "$work/x"
    err_has 'is not I/N'
done
batch 2 "$work/in"
batch 2 --no-prefix-cache --cache-ram 5 "$work/in" "$work/x"
# a full disk
if [ -w /dev/full ]; then
    batch 1 "$work/in" /dev/full
    err_has 'cannot write to /dev/full'
fi

# a line that is too long is not kept in memory
{
    printf '{"custom_id": "long", "x": "'
    head -c 70000000 /dev/zero | tr '\0' x
    printf '"}\n'
    chat short 'Hi' '"max_tokens": 2'
} >"$work/long"
batch 3 "$work/long" "$work/long-out"
count 2 "$work/long-out"
grep -q '_1",.*"code":"line_too_long"' "$work/long-out"
report 'a line that is too long is an error' $?

finish
