/* SPDX-License-Identifier: Apache-2.0 */
/* A regular expression and, after a line feed, a text. Expressions, masks and forced text agree. */
#include "fuzz/target.h"
#include "support/grammars.h"

#include <string.h>

enum { MEMORY = 4 << 20, TEXT = 64 };

static lf_grammar_limits limits(void)
{
    lf_grammar_limits l;
    lf_grammar_limits_default(&l);
    l.memory = MEMORY;
    l.compile_steps = l.token_steps = 200000;
    return l;
}

/* A text is matched by an expression or by its complement. */
static void check_expression(lf_rx_set *set, lf_rx a, const char *text, size_t len)
{
    lf_rx other = lf_rx_not(set, a);
    for (size_t i = 0; i < len; i++) {
        a = lf_rx_derive(set, a, (uint8_t)text[i]);
        other = lf_rx_derive(set, other, (uint8_t)text[i]);
    }
    if (lf_rx_status(set) == LFM2_OK) {
        fuzz_must(lf_rx_nullable(set, a) != lf_rx_nullable(set, other));
    }
}

/* A token can be accepted exactly if the mask has it: one token of three, to save time. Where a
 * limit is reached nothing is known. */
static void check_tokens(lf_match *match, size_t first)
{
    uint32_t bits[MAX_WORDS], any = 0;
    if (lf_match_mask(match, bits) != LFM2_OK) {
        fuzz_must(strcmp(lf_fail_code(), "constraint.steps") == 0 ||
                  strcmp(lf_fail_code(), "constraint.memory") == 0);
        return;
    }
    for (int32_t id = (int32_t)(first % 3); id < (int32_t)vocab.n; id += 3) {
        lf_match *copy = NULL;
        bool in_mask = (bits[id / 32] >> (id % 32) & 1) != 0;
        fuzz_must(lf_match_clone(match, &copy) == LFM2_OK);
        int32_t status = lf_match_accept(copy, id);
        fuzz_must(status == LFM2_E_LIMIT || (status == LFM2_OK) == in_mask);
        lf_match_free(copy);
    }
    for (uint32_t i = 0; i < vocab.n_words; i++) {
        any |= bits[i];
    }
    fuzz_must(any != 0);
}

static void check_match(lf_match *match, const char *text, size_t len)
{
    for (size_t i = 0; i <= len; i++) {
        char forced[8];
        size_t n = 0;
        int32_t id = -1;
        int32_t status = lf_match_forced(match, forced, sizeof forced, &n, &id);
        if (i == 0 || i == len / 2) {
            check_tokens(match, len);
        }
        status = i < len && status == LFM2_OK ? lf_match_accept_bytes(match, text + i, 1) : status;
        if (status != LFM2_OK || i == len) {
            return;
        }
        fuzz_must(n == 0 || forced[0] == text[i]);
    }
}

static int32_t compile(const lf_alloc *alloc, const char *pattern, size_t n, const char *text,
                       size_t len)
{
    lf_grammar_limits l = limits();
    lf_grammar *g = NULL;
    lf_rx rx = LF_RX_NONE;
    lf_compiled *m = NULL;
    lf_match *match = NULL;
    LF_TRY(lf_grammar_create(alloc, &l, &g));
    int32_t status = lf_rx_parse(lf_grammar_rx(g), "regex", pattern, n, n % 2 == 0, &rx);
    if (status != LFM2_OK) {
        lf_grammar_free(g);
        return status;
    }
    check_expression(lf_grammar_rx(g), rx, text, len);
    LF_TRY(lf_compiled_create(g, lf_grammar_text(g, rx), vocab.trie, &m));
    status = lf_match_create(m, &match);
    if (status == LFM2_OK) {
        check_match(match, text, len);
    }
    lf_match_free(match);
    lf_compiled_free(m);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"regex.syntax", "regex.unsupported", NULL};
    static lf_alloc alloc;
    const char *pattern = size > 0 ? (const char *)data : "";
    const char *end = size > 0 ? memchr(pattern, '\n', size) : NULL;
    size_t n = end != NULL ? (size_t)(end - pattern) : size;
    size_t len = end != NULL ? size - n - 1 : 0;
    if (vocab.trie == NULL) {
        alloc = fuzz_memory();
        make_vocabulary(NULL);
    }
    fuzz_memory_begin(size);
    fuzz_memory_allow(MEMORY);
    int32_t status =
        compile(&alloc, pattern, n, end != NULL ? end + 1 : "", len < TEXT ? len : TEXT);
    fuzz_count(status, syntax);
    fuzz_must(status == LFM2_OK || status == LFM2_E_TEXT || status == LFM2_E_UNSUPPORTED ||
              status == LFM2_E_LIMIT);
    fuzz_memory_end();
    return 0;
}
