/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a list of tools; 0xFF, which UTF-8 never holds, divides it from a choice and a text.
 * Masks agree with what is accepted, token by token. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "support/text_vocab.h"
#include "text/grammar/matcher.h"
#include "text/grammar/tools.h"

#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    uint8_t *end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    if (end == NULL || fuzz_one_in(&random, 4)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    /* The list grows into a copy, so that the rest stays. */
    size_t len = (size_t)(end - data);
    size_t rest = size - len;
    size_t space = max_size - rest;
    uint8_t *list = malloc(space > 0 ? space : 1);
    fuzz_must(list != NULL);
    memcpy(list, data, len);
    size_t grown = fuzz_mutate_json(&random, list, len, space);
    memmove(data + grown, end, rest);
    memcpy(data, list, grown);
    free(list);
    return grown + rest;
}

static lf_tokenizer *tokenizer;
static lf_token_trie *trie;
static uint32_t *bits;

static void open_vocabulary(const lf_alloc *alloc)
{
    text_vocab v;
    text_vocab_init_small(&v);
    fuzz_must(lf_tokenizer_create(alloc, &v.data, false, &tokenizer) == LFM2_OK);
    text_vocab_free(&v);
    fuzz_must(lf_token_trie_create(alloc, tokenizer, &trie) == LFM2_OK);
    bits = malloc((lf_tokenizer_size(tokenizer) + 31) / 32 * sizeof *bits);
    fuzz_must(bits != NULL);
}

/* The id of the token that a byte of the text stands for. */
static int32_t token_of(uint8_t byte)
{
    return byte == 'S'   ? lf_tokenizer_find_added(tokenizer, "<|tool_call_start|>")
           : byte == 'E' ? lf_tokenizer_find_added(tokenizer, "<|tool_call_end|>")
                         : byte;
}

static void use(lf_compiled *m, const uint8_t *text, size_t len)
{
    lf_match *match = NULL;
    int32_t status = lf_match_create(m, &match);
    for (size_t i = 0; i < len && status == LFM2_OK; i++) {
        int32_t id = token_of(text[i]);
        status = lf_match_mask(match, bits);
        if (status == LFM2_OK) {
            bool in_mask = (bits[id / 32] >> id % 32 & 1) != 0;
            status = lf_match_accept(match, id);
            fuzz_must(status == LFM2_E_LIMIT || (status == LFM2_OK) == in_mask);
        }
    }
    fuzz_must(status == LFM2_OK || status == LFM2_E_ARGUMENT || status == LFM2_E_LIMIT);
    lf_match_free(match);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"json.", NULL};
    lf_alloc alloc = fuzz_memory();
    if (tokenizer == NULL) {
        open_vocabulary(&alloc);
    }
    const uint8_t *end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    size_t len = end != NULL ? (size_t)(end - data) : size;
    uint8_t chosen = end != NULL && len + 1 < size ? end[1] : 0;
    lf_grammar_limits limits;
    lf_grammar_limits_default(&limits);
    limits.compile_steps = 100000;
    limits.token_steps = 20000;
    limits.memory = 2 << 20;
    const lf_tools_options options = {
        .schema = {.alloc = &alloc, .limits = &limits, .lenient = (chosen & 8) != 0},
        .tokenizer = tokenizer,
        .choice = chosen & 3,
        .name = (chosen & 3) == LFM2_TOOL_CHOICE_NAMED ? "f" : NULL,
        .one_call = (chosen & 4) != 0};
    lf_grammar *grammar = NULL;
    lf_compiled *m = NULL;
    lf_node root = LF_NODE_NONE;
    fuzz_memory_begin(size);
    fuzz_memory_allow(4 << 20);
    fuzz_must(lf_grammar_create(&alloc, &limits, &grammar) == LFM2_OK);
    int32_t status =
        lf_tools_build(grammar, &options, size > 0 ? (const char *)data : "", len, &root);
    if (status != LFM2_OK) {
        lf_grammar_free(grammar);
    } else {
        status = lf_compiled_create(grammar, root, trie, &m);
    }
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        use(m, end != NULL && len + 2 < size ? end + 2 : data,
            end != NULL && len + 2 < size ? size - len - 2 : 0);
    } else {
        fuzz_must(status == LFM2_E_TEXT || status == LFM2_E_UNSUPPORTED || status == LFM2_E_LIMIT);
    }
    lf_compiled_free(m);
    fuzz_memory_end();
    return 0;
}
