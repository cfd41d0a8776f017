/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a conversation: a byte of flags, then messages, tools, template arguments and a
 * template, with 0xFF between them, which UTF-8 never contains. Without a template: LFM2's format.
 */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "support/random.h"
#include "support/text_vocab.h"
#include "text/chat.h"
#include "text/chat_format.h"

#include <stdlib.h>
#include <string.h>

/* Changes one of the sections, as JSON. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    if (size < 2 || fuzz_one_in(&random, 16)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size_t at = 1;
    uint8_t *end = memchr(data + at, 0xFF, size - at);
    while (end != NULL && fuzz_one_in(&random, 2)) {
        at = (size_t)(end - data) + 1;
        end = memchr(data + at, 0xFF, size - at);
    }
    size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
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

static const lf_template_limits limits = {.template_bytes = 64 << 10,
                                          .steps = 100000,
                                          .memory = 1 << 20,
                                          .output = 256 << 10,
                                          .calls = 64};

/* Until the process ends. */
static lf_tokenizer *tokenizer;
static lf_template *format;

static void set_up(const lf_alloc *alloc)
{
    text_vocab v;
    text_vocab_init_small(&v);
    fuzz_must(lf_tokenizer_create(alloc, &v.data, false, &tokenizer) == LFM2_OK);
    text_vocab_free(&v);
    fuzz_must(lf_template_compile(alloc, &limits, lf_chat_format, strlen(lf_chat_format),
                                  &format) == LFM2_OK);
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

/* The next section of the input. */
static const char *next_section(const uint8_t *data, size_t size, size_t *at, size_t *len)
{
    const uint8_t *text = data + *at;
    const uint8_t *end = *at < size ? memchr(text, 0xFF, size - *at) : NULL;
    *len = *at < size ? (end != NULL ? (size_t)(end - text) : size - *at) : 0;
    *at = end != NULL ? (size_t)(end - data) + 1 : size;
    return (const char *)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"json.", "template.syntax", NULL};
    static const char *const special[LF_N_SPECIAL] = {"<|startoftext|>", "<|im_end|>"};
    static const lf_template_time now = {2026, 2, 28, 12, 0, 59};
    lf_alloc alloc = fuzz_memory();
    if (tokenizer == NULL) {
        set_up(&alloc);
    }
    if (size == 0) {
        return 0;
    }
    lfm2_chat_options o = {.size = sizeof o, .flags = data[0] & 7u};
    lf_chat_request r = {
        .t = format, .special = special, .options = &o, .now = &now, .limits = &limits};
    size_t at = 1;
    size_t template_len = 0;
    r.messages = next_section(data, size, &at, &r.messages_len);
    o.tools = next_section(data, size, &at, &o.tools_len);
    o.template_args = next_section(data, size, &at, &o.template_args_len);
    const char *text = next_section(data, size, &at, &template_len);
    lf_template *t = NULL;
    lf_chat chat = {.text = ""};
    lf_arena_init(&chat.arena, &alloc);
    fuzz_memory_begin(size);
    int32_t status =
        template_len > 0 ? lf_template_compile(&alloc, &limits, text, template_len, &t) : LFM2_OK;
    r.t = t != NULL ? t : format;
    status = status == LFM2_OK ? lf_chat_build(&alloc, &r, &chat) : status;
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        check(&chat);
    } else {
        fuzz_must(status == LFM2_E_TEXT || status == LFM2_E_UNSUPPORTED ||
                  status == LFM2_E_ARGUMENT || status == LFM2_E_LIMIT || status == LFM2_E_FORMAT);
    }
    lf_chat_free(&chat);
    lf_template_free(t);
    fuzz_memory_end();
    return 0;
}
