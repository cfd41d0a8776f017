# SPDX-License-Identifier: Apache-2.0
# pack: the cache is written completely, used automatically, and ignored if it does not match.
. "$(dirname "$0")/common.sh"

cp "$demo" "$work/m.gguf"
run="run -m $work/m.gguf -t 1 -p Hello --temp 0 -n 4 -v"
# shellcheck disable=SC2086
exits 0 $run
cp "$work/out" "$work/plain"
exits 1 pack -m "$work/m.gguf" --verify
err_has 'there is no pack cache that matches this model and CPU'
exits 0 pack -m "$work/m.gguf" --json
out_is_json
out_has '"action":"written"'
[ -s "$work/m.gguf.lfm2pack" ]
report 'the cache is next to the model' $?
# shellcheck disable=SC2086
exits 0 $run
err_has 'from the pack cache'
same 'the same text with the cache' "$work/plain" "$work/out"
# shellcheck disable=SC2086
exits 0 $run --no-cache
! grep -q 'from the pack cache' "$work/err"
report '--no-cache ignores the cache' $?
# shellcheck disable=SC2086
exits 0 $run --no-mmap
err_has 'from the pack cache'
same 'the same text with --no-mmap' "$work/plain" "$work/out"
exits 0 pack -m "$work/m.gguf" --verify
out_has 'verified'

# another file with the same name
touch -d '2001-01-01 00:00:00' "$work/m.gguf"
# shellcheck disable=SC2086
exits 0 $run
err_has 'not used'
same 'the same text with a cache that does not match' "$work/plain" "$work/out"

# another path, a path that does not exist, a full disk
exits 0 pack -m "$work/m.gguf" --cache "$work/elsewhere"
# shellcheck disable=SC2086
exits 0 $run --cache "$work/elsewhere"
err_has 'from the pack cache'
exits 1 pack -m "$work/m.gguf" --cache "$work/no/such/folder"
err_has "$work/no/such/folder"
(
    ulimit -f 1000 # KiB: the write fails as on a full disk
    "$program" pack -m "$work/m.gguf" --cache "$work/full" >"$work/out" 2>"$work/err"
)
verdict 1 $? 'pack on a full disk'
[ -z "$(find "$work" -name 'full*')" ]
report 'no incomplete file is left' $?

# killed while writing: the old cache is unchanged
cp "$work/elsewhere" "$work/before"
"$program" pack -m "$work/m.gguf" --cache "$work/elsewhere" >/dev/null 2>&1 &
killed=$!
sleep 0.05
kill -9 "$killed" 2>/dev/null
wait "$killed" 2>/dev/null
exits 0 pack -m "$work/m.gguf" --cache "$work/elsewhere" --verify
same 'the cache after a kill' "$work/before" "$work/elsewhere"

# two processes at once
"$program" pack -m "$work/m.gguf" >/dev/null 2>"$work/err" &
first=$!
exits 0 pack -m "$work/m.gguf"
wait "$first"
report 'two processes pack at once' $?
exits 0 pack -m "$work/m.gguf" --verify

finish
