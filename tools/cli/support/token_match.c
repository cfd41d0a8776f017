/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the tokens of a session with those of a prompt. */
#include "cli/support/token_match.h"

#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

/* The text of tokens. */
typedef struct token_text {
    text_buffer text;
    size_t *ends; /* [n]: offset behind each token */
    size_t n;
} token_text;

static void token_text_free(token_text *t)
{
    text_free(&t->text);
    free(t->ends);
}

/* Replaces each byte that is not part of a character by U+FFFD, and adapts the offsets. */
static int replace_invalid(token_text *t)
{
    text_buffer out = {0};
    const char *text = t->text.data;
    int code = text_append(&out, "", 0);
    size_t token = 0;
    for (size_t at = 0; at < t->text.len && code == EXIT_OK;) {
        size_t step = lf_utf8_char(text + at, t->text.len - at);
        bool valid = step > 0;
        step = valid ? step : 1;
        for (; token < t->n && t->ends[token] <= at + step; token++) {
            size_t inside = t->ends[token] > at ? t->ends[token] - at : 0;
            t->ends[token] = out.len + (valid || inside == 0 ? inside : 3);
        }
        code = valid ? text_append(&out, text + at, step) : text_append(&out, "\xef\xbf\xbd", 3);
        at += step;
    }
    for (; token < t->n; token++) {
        t->ends[token] = out.len; /* tokens without text */
    }
    text_free(&t->text);
    t->text = out;
    return code;
}

static int make_text(const lfm2_model *model, const int32_t *ids, size_t n, token_text *out)
{
    *out = (token_text){.ends = calloc(n + 1, sizeof *out->ends), .n = n};
    if (out->ends == NULL) {
        return fail("cli.memory", "out of memory");
    }
    int code = text_append(&out->text, "", 0);
    for (size_t i = 0; i < n && code == EXIT_OK; i++) {
        const char *text = "";
        size_t len = 0;
        lfm2_token_get(model, ids[i], &text, &len, NULL);
        code = text_append(&out->text, text, len);
        out->ends[i] = out->text.len;
    }
    return code == EXIT_OK ? replace_invalid(out) : code;
}

static size_t common_length(const text_buffer *a, const text_buffer *b)
{
    size_t n = 0;
    while (n < a->len && n < b->len && a->data[n] == b->data[n]) {
        n++;
    }
    return n;
}

/* Counts the tokens that both texts have up to an offset where tokens end in both. The tokens that
 * differ must be sampled. */
static void match_texts(const token_text *a, const token_text *b, const int32_t *held,
                        const char *sampled, const int32_t *ids, size_t *n_a, size_t *n_b)
{
    size_t common = common_length(&a->text, &b->text);
    size_t i = 0;
    size_t j = 0;
    *n_a = *n_b = 0;
    while (i < a->n && j < b->n && a->ends[i] <= common && b->ends[j] <= common) {
        bool aligned = i == *n_a && j == *n_b;
        if (sampled[i] == 0 && (!aligned || held[i] != ids[j])) {
            return;
        }
        if (a->ends[i] == b->ends[j]) {
            *n_a = ++i;
            *n_b = ++j;
        } else if (a->ends[i] < b->ends[j]) {
            i++;
        } else {
            j++;
        }
    }
}

int token_match(const lfm2_model *model, const id_list *held, const char *sampled,
                const id_list *ids, size_t *keep, size_t *from)
{
    size_t n = 0; /* equal ids */
    while (n < held->n && n < ids->n && held->data[n] == ids->data[n]) {
        n++;
    }
    *keep = *from = n;
    if (n == held->n || sampled[n] == 0) {
        return EXIT_OK;
    }
    /* A token that differs may begin inside a character or a word that other tokens divide. */
    token_text a = {0};
    token_text b = {0};
    size_t n_a = 0;
    size_t n_b = 0;
    int code = make_text(model, held->data + n, held->n - n, &a);
    if (code == EXIT_OK) {
        code = make_text(model, ids->data + n, ids->n - n, &b);
    }
    if (code == EXIT_OK) {
        match_texts(&a, &b, held->data + n, sampled + n, ids->data + n, &n_a, &n_b);
        *keep += n_a;
        *from += n_b;
    }
    token_text_free(&a);
    token_text_free(&b);
    return code;
}
