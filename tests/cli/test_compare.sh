# SPDX-License-Identifier: Apache-2.0
# tools/bench/compare: wrong use, whole tables with stubs of llama.cpp's programs, pictures.
. "$(dirname "$0")/common.sh"
compare=$(cd "$(dirname "$0")/../.." && pwd)/tools/bench/compare

# compares CODE ARGUMENT...
compares() {
    local wanted=$1
    shift
    PATH=$work/bin:$PATH "$compare" --cache "$work/cache" --settle 0 "$@" \
        >"$work/out" 2>"$work/err" </dev/null
    verdict "$wanted" $? "tools/bench/compare $*"
}
mkdir "$work/bin"

compares 0 --help
out_has 'Usage: tools/bench/compare'
err_empty
for wrong in --bogus nonsense --model '--rows=pp512,nope' '--seed x' '--rounds 0' '--threads 0' \
    '--type ../x' '--rounds 1 --quick --threads' '--rounds 08' '--threads 1.5' '--settle x'; do
    # shellcheck disable=SC2086
    compares 2 $wrong
    err_has "Try 'tools/bench/compare --help'"
done
compares 1 --model "$work/none.gguf"
err_has 'no such model'
compares 1 --chroot "$work/none"
err_has 'no such folder'
# Policies need no llama.cpp.
compares 2 --policies --quick
compares 2 --policies --rows pp512
cp "$demo" "$work/small.gguf"
compares 0 --policies --model "$work/small.gguf" --rounds 1 --threads 1 --lfm2 "$program"
out_has '| small | 16 |'
out_has '| type | sequences | auto | none |'
grep -qE '^\| small, 8 \| [0-9.]+; [0-9.]+ \([a-z0-9-]+\); [0-9.]+ \|$' "$work/out"
report 'the column for the lab book' $?
# The stubs record their arguments and print what the real programs print.
stub() { # NAME; standard input: the body of the script
    { printf '#!/bin/sh\necho "%s $*" >>"%s/asked"\n' "$1" "$work"; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}
stub llama-bench <<'END'
case "$*" in
--version) echo "version: 7 (test)"; exit 0 ;;
*-fa\ 0,1*)
    echo '{"model_type": "x", "flash_attn": 0, "n_prompt": 1, "avg_ns": 5, "avg_ts": 64.0, "x": 1}'
    echo '{"model_type": "x", "flash_attn": 1, "n_prompt": 1, "avg_ns": 5, "avg_ts": 128.0, "x": 1}'
    ;;
*) echo '{"model_type": "x", "flash_attn": 1, "n_prompt": 1, "avg_ns": 5, "avg_ts": 0.5, "x": 1}' ;;
esac
END
stub llama-batched-bench <<'END'
echo '{"n_kv_max": 512, "flash_attn": -1, "speed_pp": 6.5, "speed_tg": 2.5, "speed": 5.7}'
END
stub llama-completion <<'END'
sleep 2
END

# A bad --out fails before anything runs.
cp "$demo" "$work/mine.bin"
compares 1 --model "$work/mine.bin" --out "$work/mine.bin"
err_has '--out names a model'
cmp -s "$demo" "$work/mine.bin"
report 'the model is unchanged' $?
compares 1 --out "$work/new.gguf"
err_has '--out names a model'
mkdir "$work/folder.md"
compares 1 --out "$work/folder.md"
err_has 'cannot write'
compares 1 --out "$work/none/t.md"
err_has 'cannot write'
[ ! -e "$work/asked" ]
report 'nothing was measured' $?

exits 0 synth --shape tiny "$work/tiny.gguf"
compares 0 --model "$work/tiny.gguf" --lfm2 "$program" --threads 1 --out "$work/t.md" --rows \
    pp512,pp2048
cmp -s "$work/out" "$work/t.md"
report 'the table is printed and kept' $?
out_has '| prefill 512, tokens/s | 128, 128 |'
out_has 'llama.cpp: 7 (test).'
# Alternation, and the choice of flash attention
[ "$(cut -d, -f1-3 "$work/t.csv" | sed -n '2,5p' | tr '\n' ' ')" = \
    'pp512,llama.cpp,1 pp512,lfm2,1 pp512,llama.cpp,2 pp512,lfm2,2 ' ]
report 'the sides alternate' $?
grep -q '^llama-bench -m .* -t 1 -fa 1 -o jsonl -p 2048 -n 0 -r 1$' "$work/asked"
report 'the long row takes the flash attention that won' $?
[ "$(wc -l <"$work/t.csv")" -eq 9 ]
report 'every measurement is kept' $?

compares 0 --model "$work/tiny.gguf" --lfm2 "$program" --threads 1 --out "$work/t.md" \
    --rounds 1 --rows pp2048,pp32,npl8,start,start-nocache,rss
[ "$(grep -c '^| .* |$' "$work/t.md")" -eq 8 ]
report 'a table head and six rows' $?
[ "$(awk -F'|' '/^\|/ { print NF }' "$work/t.md" | uniq)" -eq 10 ]
report 'as many cells as columns' $?
! grep '^|' "$work/t.md" | grep -qE '\| *\||failed|nan|inf'
report 'every cell has a value' $?
out_has '| prefill 32: ms to the first token | 250 |'
out_has '| decode, 8 sequences together, tokens/s of all | 2.50 |'
grep -q '^npl8,lfm2,1,[1-9].*--npl 8 -r 1"$' "$work/t.csv"
report 'the CSV has the commands' $?
# A ratio above 1 means that lfm2 is better, also in rows where less is better: the stubs reach 0.5
# tokens/s and start in 2 s.
ratio() { # ROW-TITLE
    awk -F'|' -v title="$1" 'index($2, title) { print ($5 > 1 ? "better" : "worse") }' "$work/t.md"
}
[ "$(ratio 'prefill 2048')$(ratio 'process start')" = betterbetter ]
report 'ratios point the right way' $?

# A program that fails is reported, and the other rows are measured.
stub llama-batched-bench <<'END'
echo 'out of luck' >&2
exit 3
END
compares 1 --model "$demo" --lfm2 "$program" --threads 1 --rounds 1 --rows npl8,tg32 --verbose
out_has '| failed |'
out_has '| decode, empty context, tokens/s | 128 |'
err_has 'out of luck'
# llama.cpp gets the file itself, not a link to it.
err_has "llama-batched-bench -m $(realpath -- "$demo") -t 1"
printf 'not a model' >"$work/broken.gguf"
compares 1 --model "$work/broken.gguf" --lfm2 "$program" --rows tg32
err_has 'lfm2 pack failed'

# A signal to the script also ends its child.
stub llama-bench <<'END'
echo $$ >"${0%/bin/*}/sleeper"
exec sleep 100
END
PATH=$work/bin:$PATH "$compare" --cache "$work/cache" --model "$demo" --lfm2 "$program" \
    --threads 1 --rows tg32 >"$work/out" 2>"$work/err" </dev/null &
script=$!
for _ in $(seq 300); do
    [ ! -s "$work/sleeper" ] || break
    sleep 0.1
done
[ -s "$work/sleeper" ]
report 'a program runs' $?
kill "$script"
wait "$script"
report 'the exit code of a terminated script is 143' $(($? != 143))
! kill -0 "$(cat "$work/sleeper")" 2>/dev/null
report 'its child has ended' $?
stub llama-bench <<'END'
echo '{"flash_attn": 0, "avg_ts": 64.0, "x": 1}'
END

# ---- Pictures -----------------------------------------------------------------------------------

if command -v python3 >/dev/null; then
    plot="python3 $(dirname "$compare")/plot.py"
    # svg_has FILE TEXT...: the file is XML, uses nothing from outside, and its texts include these.
    svg_has() {
        python3 - "$@" <<'END'
import sys
import xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
texts = {element.text for element in root.iter()}
assert root.tag == "{http://www.w3.org/2000/svg}svg"
assert not any("href" in name for element in root.iter() for name in element.attrib)
assert all(text in texts for text in sys.argv[2:]), texts
END
        report "${1##*/} has: ${*:2}" $?
    }
    svg_has "$work/t.svg" 'llama.cpp' 'lfm2' 'First token, prompt of 32' '250 ms' \
        '8 sequences together'
    svg_has "$work/t-curves.svg" 'Prefill, tokens/s over prompt length' '32' '2,048'

    # The median of the rounds counts, a failed round does not; less is better for times and sizes.
    head -n 1 "$work/t.csv" >"$work/p.csv"
    cat >>"$work/p.csv" <<'END'
pp512,llama.cpp,1,40,2,1,,,,,"llama-bench ""x"", y"
pp512,lfm2,1,100,2,,1,2,3,50,"lfm2 bench"
pp512,llama.cpp,2,60,2,1,,,,,"llama-bench"
pp512,lfm2,2,300,2,,1,2,3,50,"lfm2 bench"
pp512,llama.cpp,3,,2,,,,,,"llama-bench"
tg32,llama.cpp,1,,2,,,,,,"llama-bench"
tg32,lfm2,1,30,2,,1,2,3,50,"lfm2 bench"
tg32-d4096,llama.cpp,1,10,2,,,,,,"llama-bench"
tg32-d4096,lfm2,1,5,2,,1,2,3,50,"lfm2 bench"
start,llama.cpp,1,24,2,,,,,,"llama-completion"
start,lfm2,1,0.12,2,,1,,3,,"lfm2 run"
qwen-tg32,llama.cpp,1,10,2,,,,,,"llama-bench"
qwen-tg32,lfm2,1,70,2,,1,2,3,50,"lfm2 bench"
END
    $plot --caption 'AMD & <Intel>' "$work/p.csv" "$work/q.svg" >"$work/out" 2>"$work/err"
    verdict 0 $? 'plot.py'
    out_is "$work/q.svg\n"
    svg_has "$work/q.svg" '50.0 tokens/s' '200 tokens/s' '4.00×' '0.50×' '0.12 s' '200×' \
        'AMD & <Intel>'
    ! grep -qE 'Decode, empty|70.0 tokens' "$work/q.svg"
    report 'rows without both programs, and of two models, are left out' $?
    $plot "$work/none.csv" >"$work/out" 2>"$work/err"
    verdict 1 $? 'plot.py without a file'
    err_has 'plot.py: '
    printf 'a,b\n1,2\n' >"$work/bad.csv"
    $plot "$work/bad.csv" >"$work/out" 2>"$work/err"
    verdict 1 $? 'plot.py with another CSV'
    for file in "$(dirname "$compare")"/results/*.csv; do
        cp "$file" "$work/"
        $plot "$work/${file##*/}" >/dev/null
        report "a picture of ${file##*/}" $?
    done
fi

# ---- The file of the other model ----------------------------------------------------------------

if command -v python3 >/dev/null; then
    python3 "$(dirname "$compare")/qwen3_file.py" --tiny "$work/qwen.gguf"
    report 'a tiny Qwen3 file is written' $?
    head -c 8 "$work/qwen.gguf" | cmp -s - <(printf 'GGUF\003\000\000\000')
    report 'a GGUF file of version 3' $?
    exits 1 inspect "$work/qwen.gguf"
    err_has 'qwen3'
    compares 0 --model "$demo" --lfm2 "$program" --threads 1 --rounds 1 --qwen "$work/qwen.gguf" \
        --rows qwen-tg32
    grep -q "^llama-bench -m $(realpath -- "$work/qwen.gguf") " "$work/asked"
    report 'llama.cpp runs the other model' $?
fi
finish
