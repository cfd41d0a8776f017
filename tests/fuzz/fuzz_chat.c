/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a conversation: a byte of flags, the messages, a byte 0xFF, which JSON never
 * contains, and the tools. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "support/random.h"
#include "support/text_vocab.h"
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

/* Changes the messages or the tools, as JSON. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    if (size < 2 || fuzz_one_in(&random, 16)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    uint8_t *end = memchr(data + 1, 0xFF, size - 1);
    size_t at = end != NULL && fuzz_one_in(&random, 2) ? (size_t)(end - data) + 1 : 1;
    size_t len = end != NULL && at == 1 ? (size_t)(end - data) - 1 : size - at;
    size_t rest = size - at - len;
    uint8_t *text = malloc(max_size + 1);
    fuzz_must(text != NULL);
    memcpy(text, data + at, len);
    size_t changed = fuzz_mutate_json(&random, text, len, max_size - (size - len));
    memmove(data + at + changed, data + at + len, rest);
    memcpy(data + at, text, changed);
    free(text);
    return at + changed + rest;
}

static lf_tokenizer *tokenizer; /* until the process ends */

static void set_up(const lf_alloc *alloc)
{
    text_vocab v;
    text_vocab_init_small(&v);
    fuzz_must(lf_tokenizer_create(alloc, &v.data, false, &tokenizer) == LFM2_OK);
    text_vocab_free(&v);
}

/* The ids decode to the text; control tokens are only where spans allow them for every byte. */
static void check(const lf_chat *chat)
{
    char *text = malloc(2 * chat->len + 1);
    int32_t *ids = malloc((chat->len + 1) * sizeof *ids);
    fuzz_must(text != NULL && ids != NULL);
    char *special = text + chat->len; /* 1 for bytes of spans that allow control tokens */
    size_t len = 0;
    for (size_t i = 0; i < chat->n_spans; i++) {
        fuzz_must(chat->spans[i].len <= chat->len - len);
        memcpy(text + len, chat->spans[i].text, chat->spans[i].len);
        memset(special + len, chat->spans[i].special, chat->spans[i].len);
        len += chat->spans[i].len;
    }
    fuzz_must(len == chat->len);
    size_t n = 0;
    fuzz_must(lf_tokenizer_encode(tokenizer, chat->spans, chat->n_spans, false, ids, len, &n) ==
              LFM2_OK);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t n_bytes = 0;
        int32_t kind = 0;
        fuzz_must(lf_tokenizer_token(tokenizer, ids[i], &bytes, &n_bytes, &kind) == LFM2_OK);
        fuzz_must(n_bytes <= len - at && memcmp(bytes, text + at, n_bytes) == 0);
        fuzz_must(kind != LFM2_TOKEN_CONTROL || memchr(special + at, 0, n_bytes) == NULL);
        at += n_bytes;
    }
    fuzz_must(at == len);
    free(text);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"json.", NULL};
    lf_alloc alloc = fuzz_memory();
    if (tokenizer == NULL) {
        set_up(&alloc);
    }
    if (size == 0) {
        return 0;
    }
    const char *messages = (const char *)data + 1;
    const uint8_t *end = memchr(messages, 0xFF, size - 1);
    size_t len = end != NULL ? (size_t)(end - data) - 1 : size - 1;
    lfm2_chat_options o = {.size = sizeof o, .flags = data[0] & 3u};
    if (end != NULL) {
        o.tools = (const char *)end + 1;
        o.tools_len = size - len - 2;
    }
    lf_chat chat;
    fuzz_memory_begin(size);
    int32_t status = lf_chat_build(&alloc, messages, len, &o, &chat);
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        check(&chat);
    } else {
        fuzz_must(status == LFM2_E_TEXT || status == LFM2_E_UNSUPPORTED);
    }
    lf_chat_free(&chat);
    fuzz_memory_end();
    return 0;
}
