# SPDX-License-Identifier: Apache-2.0
# run --prompt-cache: the answers do not depend on it, and beginnings of prompts are not computed again.
. "$(dirname "$0")/common.sh"

folder=$work/prompts
number() { # number KEY: of the JSON output
    grep -oE "\"$1\":[0-9]+" "$work/out" | cut -d : -f 2
}
ids() {
    grep -oE '"ids":\[[^]]*\]' "$work/out"
}
system='You answer in one word. You never explain what you say, you never ask questions, and you are polite.'
system="$system You know arithmetic, colors, animals and the names of cities. You do not repeat the question."
ask=(run -t 1 -m "$demo" --system "$system" --json --seed 3 -n 12)

exits 0 "${ask[@]}" -p 'What is 21 plus 13?'
count=$(number n_prompt)
[ "$(number n_reused)" -eq 0 ]
report 'nothing is reused without the option' $?
ids >"$work/alone"
for turn in 1 2 3; do
    exits 0 "${ask[@]}" -p 'What is 21 plus 13?' --prompt-cache "$folder"
    err_empty
    ids >"$work/cached"
    same "the same answer in turn $turn" "$work/cached" "$work/alone"
    [ "$(number n_prompt)" -eq "$count" ]
    report 'all tokens of the prompt are counted' $?
    expected=$((turn == 1 ? 0 : count - 1))
    [ "$(number n_reused)" -eq "$expected" ]
    report "turn $turn reuses $expected tokens (got $(number n_reused))" $?
done
[ "$(find "$folder" -type f | wc -l)" -eq 1 ]
report 'one file' $?
[ "$(stat -c %a "$folder")$(stat -c %a "$folder"/*)" = 700600 ]
report 'only the owner can read the folder and the file' $?

exits 0 "${ask[@]}" -p 'What is the color of the sky?'
ids >"$work/alone"
exits 0 "${ask[@]}" -p 'What is the color of the sky?' --prompt-cache "$folder"
ids >"$work/cached"
same 'the same answer to another question' "$work/cached" "$work/alone"
[ "$(number n_reused)" -ge 64 ]
report 'it reuses the system message' $?

# damaged files are as if they did not exist
for file in "$folder"/*; do
    printf 'x' | dd of="$file" bs=1 seek=2000 conv=notrunc 2>/dev/null
done
exits 0 "${ask[@]}" -p 'What is the color of the sky?' --prompt-cache "$folder"
ids >"$work/cached"
same 'the same answer with damaged files' "$work/cached" "$work/alone"

# an answer that is complete is no failure if its session cannot be saved
rm -f "$folder"/*
printf '#!/bin/bash\ntrap "" XFSZ\nulimit -f 16\nexec "%s" "$@"\n' "$program" >"$work/limited"
chmod +x "$work/limited"
unlimited=$program
program=$work/limited
exits 0 "${ask[@]}" -p 'What is the color of the sky?' --prompt-cache "$folder"
program=$unlimited
err_has 'the prompt cache was not saved'
ids >"$work/cached"
same 'the same answer without saving' "$work/cached" "$work/alone"

chmod 777 "$folder"
exits 1 "${ask[@]}" -p 'What?' --prompt-cache "$folder"
err_has 'other users may write to this folder'
exits 1 "${ask[@]}" -p 'What?' --prompt-cache "$work/none/none"
finish
