/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a grammar in GBNF; 0xFF, which UTF-8 never holds, divides it from a text. What the
 * matcher forces and what it accepts are consistent. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "support/text_vocab.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/matcher.h"

#include <stdlib.h>
#include <string.h>

/* Sections of grammars to insert. */
/* clang-format off */
static const char *const sections[] = {
    "root ::= ", "\nroot ::= ", "\na ::= ", "\nb ::= ", "a ", "b ", "root ", "\"a\" ", "\"\" ",
    "\"\\n\" ", "\"\\x41\" ", "\"\\u00e9\" ", "[a-z] ", "[^a] ", "[\\]\\-] ", "[\xC3\xA0-\xC3\xBF]",
    ". ", "* ", "+ ", "? ", "{2} ", "{1,} ", "{0,3} ", "{100,2000} ", "( ", ") ", "| ", "|\n",
    "# c\n", "<|tool_call_start|> ", "!<|tool_call_end|>* ", "<[97]> ", "<[5]>", "\xFF", "ab",
    "(\"a\" | root \"b\")", "(a | b)* ", "\"(\" root \")\" | \"x\"",
};
/* clang-format on */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_sections(&random, data, size, max_size, sections,
                                sizeof sections / sizeof *sections);
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

/* Whether a failure is one that hostile grammars may cause while texts are matched. */
static bool limited(int32_t status)
{
    return status == LFM2_E_LIMIT;
}

/* A byte is accepted exactly if its token is in the mask; a forced byte is accepted. */
static void use(lf_compiled *m, const uint8_t *text, size_t len)
{
    lf_match *match = NULL;
    int32_t status = lf_match_create(m, &match);
    for (size_t i = 0; i <= len && status == LFM2_OK; i++) {
        char forced[16];
        size_t n = 0;
        int32_t id = -1;
        status = lf_match_mask(match, bits);
        if (status == LFM2_OK) {
            status = lf_match_forced(match, forced, sizeof forced, &n, &id);
        }
        if (status != LFM2_OK || i == len) {
            break;
        }
        uint8_t byte = text[i];
        bool in_mask = (bits[byte / 32] >> byte % 32 & 1) != 0;
        status = lf_match_accept_bytes(match, (const char *)&text[i], 1);
        fuzz_must(limited(status) || (status == LFM2_OK) == in_mask);
        fuzz_must(limited(status) || n == 0 || (status == LFM2_OK) == ((uint8_t)forced[0] == byte));
    }
    fuzz_must(status == LFM2_OK || status == LFM2_E_ARGUMENT || limited(status));
    lf_match_free(match);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"gbnf.syntax", NULL};
    lf_alloc alloc = fuzz_memory();
    if (tokenizer == NULL) {
        open_vocabulary(&alloc);
    }
    const uint8_t *end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    size_t len = end != NULL ? (size_t)(end - data) : size;
    lf_grammar_limits limits;
    lf_grammar_limits_default(&limits);
    limits.compile_steps = 100000;
    limits.token_steps = 20000;
    limits.memory = 2 << 20;
    const lf_gbnf_options options = {&alloc, &limits, tokenizer};
    lf_grammar *grammar = NULL;
    lf_compiled *m = NULL;
    lf_node root = LF_NODE_NONE;
    fuzz_memory_begin(size);
    fuzz_must(lf_grammar_create(&alloc, &limits, &grammar) == LFM2_OK);
    int32_t status =
        lf_gbnf_build(grammar, &options, size > 0 ? (const char *)data : "", len, &root);
    if (status != LFM2_OK) {
        lf_grammar_free(grammar);
    } else {
        status = lf_compiled_create(grammar, root, trie, &m);
    }
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        use(m, end != NULL ? end + 1 : data, end != NULL ? size - len - 1 : 0);
    } else {
        fuzz_must(status == LFM2_E_TEXT || status == LFM2_E_UNSUPPORTED || status == LFM2_E_LIMIT);
    }
    lf_compiled_free(m);
    fuzz_memory_end();
    return 0;
}
