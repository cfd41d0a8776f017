/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the nodes of text that a grammar leaves free. */
#include "text/grammar/free_text.h"

#include <string.h>

static const char start_text[] = "<think>";
static const char end_text[] = "</think>";

static int32_t find(const lf_tokenizer *tokenizer, const char *name)
{
    int32_t id = lf_tokenizer_find_added(tokenizer, name);
    return lf_tokenizer_is_control(tokenizer, id) ? id : -1;
}

lf_reasoning_marks lf_reasoning_find(const lf_tokenizer *tokenizer)
{
    lf_reasoning_marks marks = {find(tokenizer, start_text), find(tokenizer, end_text)};
    return marks.start >= 0 && marks.end >= 0 ? marks : (lf_reasoning_marks){-1, -1};
}

static bool is_one_of(int32_t id, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* The control tokens that are neither end tokens nor excluded, and `first`. */
static int32_t tokens_and(lf_grammar *grammar, const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                          const int32_t *excluded, size_t n_excluded, lf_node first, lf_node *out)
{
    uint32_t n_tokens = lf_tokenizer_size(tokenizer);
    void *memory = NULL;
    size_t n = 0;
    LF_TRY(lf_new(alloc, n_tokens + (size_t)1, sizeof(lf_node), "tokens", &memory));
    lf_node *items = memory;
    items[n++] = first;
    for (int32_t id = 0; id < (int32_t)n_tokens; id++) {
        if (lf_tokenizer_is_control(tokenizer, id) && !lf_tokenizer_is_end(tokenizer, id) &&
            !is_one_of(id, excluded, n_excluded)) {
            items[n++] = lf_grammar_token(grammar, id);
        }
    }
    *out = lf_grammar_choice(grammar, items, n);
    lf_free(alloc, memory, n_tokens + (size_t)1, sizeof(lf_node));
    return LFM2_OK;
}

int32_t lf_free_unit(lf_grammar *grammar, const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                     const int32_t *excluded, size_t n_excluded, lf_node *out)
{
    lf_node character =
        lf_grammar_text(grammar, lf_rx_code_points(lf_grammar_rx(grammar), 0, 0x10FFFF));
    return tokens_and(grammar, alloc, tokenizer, excluded, n_excluded, character, out);
}

/* Texts without "</think>", between control tokens, then "</think>". */
static int32_t rest_as_text(lf_grammar *grammar, const lf_alloc *alloc,
                            const lf_tokenizer *tokenizer, lf_node *out)
{
    lf_rx_set *set = lf_grammar_rx(grammar);
    lf_rx end = lf_rx_text(set, end_text, sizeof end_text - 1);
    lf_rx with_end = lf_rx_concat(set, LF_RX_ANY, lf_rx_concat(set, end, LF_RX_ANY));
    lf_rx without = lf_rx_and(set, lf_rx_utf8(set), lf_rx_not(set, with_end));
    lf_node text = lf_grammar_text(grammar, without);
    lf_node token = LF_NODE_NONE;
    LF_TRY(tokens_and(grammar, alloc, tokenizer, NULL, 0, LF_NODE_NONE, &token));
    const lf_node more[] = {token, text};
    const lf_node items[] = {
        text, lf_grammar_repeat(grammar, lf_grammar_sequence(grammar, more, 2), 0, LF_RX_UNLIMITED),
        lf_grammar_text(grammar, end)};
    *out = lf_grammar_sequence(grammar, items, 3);
    return LFM2_OK;
}

int32_t lf_reasoning_rest(lf_grammar *grammar, const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                          lf_node *out)
{
    lf_reasoning_marks marks = lf_reasoning_find(tokenizer);
    if (marks.end < 0) {
        return rest_as_text(grammar, alloc, tokenizer, out);
    }
    lf_node unit = LF_NODE_NONE;
    LF_TRY(lf_free_unit(grammar, alloc, tokenizer, &marks.end, 1, &unit));
    const lf_node items[] = {lf_grammar_repeat(grammar, unit, 0, LF_RX_UNLIMITED),
                             lf_grammar_token(grammar, marks.end)};
    *out = lf_grammar_sequence(grammar, items, 2);
    return LFM2_OK;
}

int32_t lf_reasoning_before(lf_grammar *grammar, const lf_alloc *alloc,
                            const lf_tokenizer *tokenizer, int32_t reasoning, lf_node text,
                            lf_node *out)
{
    static const char space[] = " \t\r\n";
    lf_rx_set *set = lf_grammar_rx(grammar);
    uint64_t bits[4] = {0};
    lf_node rest = LF_NODE_NONE;
    *out = text;
    if (reasoning == LFM2_REASONING_NONE) {
        return LFM2_OK;
    }
    for (size_t i = 0; i < sizeof space - 1; i++) {
        bits[space[i] / 64] |= (uint64_t)1 << space[i] % 64;
    }
    LF_TRY(lf_reasoning_rest(grammar, alloc, tokenizer, &rest));
    lf_rx spaces = lf_rx_repeat(set, lf_rx_byte_class(set, bits), 0, LF_RX_UNLIMITED);
    const lf_node open[] = {rest, lf_grammar_text(grammar, spaces), text};
    lf_node reasoned = lf_grammar_sequence(grammar, open, 3);
    if (reasoning == LFM2_REASONING_ALLOWED) {
        int32_t start = lf_reasoning_find(tokenizer).start;
        const lf_node whole[] = {
            start >= 0
                ? lf_grammar_token(grammar, start)
                : lf_grammar_text(grammar, lf_rx_text(set, start_text, sizeof start_text - 1)),
            reasoned};
        const lf_node either[] = {text, lf_grammar_sequence(grammar, whole, 2)};
        reasoned = lf_grammar_choice(grammar, either, 2);
    }
    *out = reasoned;
    return LFM2_OK;
}
