/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a conversation: the first byte holds flags, then parts divided by 0xFF: the tools,
 * and messages whose first byte chooses the role. */
#include "support/text_vocab.h"
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static lf_tokenizer *tokenizer; /* lives to the end */

static void set_up(const lf_alloc *alloc)
{
    text_vocab v;
    text_vocab_init_small(&v);
    must(lf_tokenizer_create(alloc, &v.data, false, &tokenizer) == LFM2_OK);
    text_vocab_free(&v);
}

/* The ids spell the text; control tokens stand only where every byte may be part of one. */
static void check(const lf_chat *chat)
{
    char *text = malloc(2 * chat->len + 1);
    int32_t *ids = malloc((chat->len + 1) * sizeof *ids);
    must(text != NULL && ids != NULL);
    char *special = text + chat->len; /* 1 for bytes of spans that allow control tokens */
    size_t len = 0;
    for (size_t i = 0; i < chat->n_spans; i++) {
        must(chat->spans[i].len <= chat->len - len);
        memcpy(text + len, chat->spans[i].text, chat->spans[i].len);
        memset(special + len, chat->spans[i].special, chat->spans[i].len);
        len += chat->spans[i].len;
    }
    must(len == chat->len);
    size_t n = 0;
    must(lf_tokenizer_encode(tokenizer, chat->spans, chat->n_spans, false, ids, len, &n) ==
         LFM2_OK);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t n_bytes = 0;
        int32_t kind = 0;
        must(lf_tokenizer_token(tokenizer, ids[i], &bytes, &n_bytes, &kind) == LFM2_OK);
        must(n_bytes <= len - at && memcmp(bytes, text + at, n_bytes) == 0);
        must(kind != LFM2_TOKEN_CONTROL || memchr(special + at, 0, n_bytes) == NULL);
        at += n_bytes;
    }
    must(at == len);
    free(text);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool", "nobody"};
    enum { MAX_MESSAGES = 16 };
    lf_alloc alloc = lf_alloc_default();
    if (tokenizer == NULL) {
        set_up(&alloc);
    }
    if (size == 0) {
        return 0;
    }
    uint32_t flags = data[0] & 3u;
    const char *tools = NULL;
    size_t tools_len = 0;
    lfm2_message messages[MAX_MESSAGES];
    size_t n = 0;
    bool known = true;
    for (size_t i = 1, part = 0; i < size; part++) {
        const uint8_t *end = memchr(data + i, 0xFF, size - i);
        size_t len = end != NULL ? (size_t)(end - (data + i)) : size - i;
        const char *text = (const char *)data + i;
        if (part == 0) {
            tools = text;
            tools_len = len;
        } else if (len > 0 && n < MAX_MESSAGES) {
            unsigned role = (unsigned char)text[0] % 5u;
            known = known && role < 4;
            messages[n++] = (lfm2_message){roles[role], text + 1, len - 1};
        }
        i += len + 1;
    }
    lf_chat chat;
    int32_t status = lf_chat_build(&alloc, messages, n, tools, tools_len, flags, &chat);
    if (status == LFM2_OK) {
        must(known);
        check(&chat);
    } else {
        must(status == LFM2_E_TEXT || (status == LFM2_E_ARGUMENT && !known));
    }
    lf_chat_free(&chat);
    return 0;
}
