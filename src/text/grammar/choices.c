/* SPDX-License-Identifier: Apache-2.0 */
/* Implements lists of choices and regular expressions as grammars. */
#include "text/grammar/choices.h"

#include "common/json.h"
#include "text/grammar/rx_set.h"

static int32_t build(lf_grammar *grammar, const char *path, const lf_json *list, lf_node *out)
{
    lf_rx_set *set = lf_grammar_rx(grammar);
    if (list->kind != LF_JSON_ARRAY || list->child == NULL) {
        return lf_fail(LFM2_E_TEXT, "choices.list", "%s: not a JSON array of strings", path);
    }
    uint32_t base = set->work.n, index = 0;
    for (const lf_json *choice = list->child; choice != NULL; choice = choice->next, index++) {
        if (choice->kind != LF_JSON_STRING) {
            set->work.n = base;
            return lf_fail(LFM2_E_TEXT, "choices.list", "%s: choice %u is not a string", path,
                           index);
        }
        if (!lf_list_push(set->quota, &set->work, lf_rx_text(set, choice->text, choice->len))) {
            break;
        }
    }
    *out = lf_grammar_text(grammar, lf_rx_join(set, base, false));
    return lf_grammar_status(grammar);
}

int32_t lf_choices_build(lf_grammar *grammar, const char *path, const char *text, size_t len,
                         lf_node *out)
{
    lf_arena arena;
    const lf_json *list = NULL;
    const lf_quota *quota = lf_grammar_rx(grammar)->quota;
    lf_arena_init(&arena, &quota->alloc);
    int32_t status = lf_grammar_json(&quota->limits, &arena, path, text, len, &list);
    if (status == LFM2_OK) {
        lf_grammar_charge(grammar, arena.total);
        status = build(grammar, path, list, out);
        lf_grammar_refund(grammar, arena.total);
    }
    lf_arena_free(&arena);
    return status;
}

int32_t lf_regex_build(lf_grammar *grammar, const char *path, const char *pattern, size_t len,
                       lf_node *out)
{
    lf_rx rx = LF_RX_NONE;
    LF_TRY(lf_rx_parse(lf_grammar_rx(grammar), path, pattern, len, false, &rx));
    *out = lf_grammar_text(grammar, rx);
    return lf_grammar_status(grammar);
}
