/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of token ids: parsing, tokenizing, detokenizing. */
#include "cli/support/token_ids.h"
#include "cli/support/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ids_free(id_list *ids)
{
    free(ids->data);
    *ids = (id_list){0};
}

int ids_reserve(id_list *ids, size_t more)
{
    if (more <= ids->capacity - ids->n) {
        return EXIT_OK;
    }
    if (more > SIZE_MAX / 16 || ids->n > SIZE_MAX / 16) {
        return fail("cli.memory", "out of memory");
    }
    size_t capacity = (ids->n + more) * 2;
    int32_t *data = realloc(ids->data, capacity * sizeof *data);
    if (data == NULL) {
        return fail("cli.memory", "out of memory for %zu token ids", capacity);
    }
    ids->data = data;
    ids->capacity = capacity;
    return EXIT_OK;
}

int ids_append(id_list *ids, const int32_t *more, size_t n)
{
    int code = ids_reserve(ids, n);
    if (code == EXIT_OK && n > 0) {
        memcpy(ids->data + ids->n, more, n * sizeof *more);
        ids->n += n;
    }
    return code;
}

void ids_print(const id_list *ids)
{
    for (size_t i = 0; i < ids->n; i++) {
        out_printf("%s%d", i > 0 ? "," : "", (int)ids->data[i]);
    }
    out_printf("\n");
}

/* Appends the ids in `text`, separated by commas or white space. `what` names it in messages. */
static int parse_ids(id_list *ids, const char *text, size_t len, const char *what)
{
    static const char separators[] = ", \t\r\n";
    for (size_t i = 0; i < len;) {
        if (text[i] != 0 && strchr(separators, text[i]) != NULL) {
            i++;
            continue;
        }
        size_t start = i;
        while (i < len && (text[i] == 0 || strchr(separators, text[i]) == NULL)) {
            i++;
        }
        char item[16];
        size_t n = i - start;
        snprintf(item, sizeof item, "%.*s", (int)(n < 15 ? n : 15), text + start);
        uint64_t value = 0;
        if (!parse_u64(item, &value) || value > INT32_MAX) {
            return fail("cli.ids", "%s: '%s' at offset %zu is not a token id", what, item, start);
        }
        int32_t id = (int32_t)value;
        int code = ids_append(ids, &id, 1);
        if (code != EXIT_OK) {
            return code;
        }
    }
    return EXIT_OK;
}

int ids_input(const char *command, const char *text, const char *path, id_list *out)
{
    if (text != NULL && path != NULL) {
        return fail_usage(command, "give --ids or --ids-file, not both");
    }
    if (text != NULL) {
        return parse_ids(out, text, strlen(text), "--ids");
    }
    text_buffer input = {0};
    int code = text_input(command, NULL, path,
                          "no token ids: give them with --ids, in a file (--ids-file FILE) or "
                          "through a pipe",
                          &input);
    if (code == EXIT_OK) {
        code = parse_ids(out, input.data, input.len, path != NULL ? path : "standard input");
    }
    text_free(&input);
    return code;
}

int ids_of_text(const lfm2_model *model, const char *text, size_t len, uint32_t flags, id_list *ids)
{
    /* A token has at least one byte, except the BOS. The guess for a long text is lower, to save
     * memory. */
    size_t guess = (len < 4096 ? len : len / 3) + 8;
    for (;;) {
        size_t n = 0;
        int code = ids_reserve(ids, guess);
        if (code != EXIT_OK) {
            return code;
        }
        int32_t status = lfm2_tokenize(model, text, len, flags, ids->data + ids->n, guess, &n);
        if (status == LFM2_OK) {
            ids->n += n;
            return EXIT_OK;
        }
        if (status != LFM2_E_BUFFER || n <= guess) {
            return fail_library();
        }
        guess = n;
    }
}

/* The length of the BOS token's name if the text begins with it, otherwise 0. */
static size_t bos_length(const lfm2_model *model, const text_buffer *text, int32_t *bos)
{
    lfm2_model_info info = {.size = sizeof info};
    const char *name = NULL;
    size_t len = 0;
    if (lfm2_model_get_info(model, &info) != LFM2_OK || info.bos_id < 0 ||
        lfm2_token_get(model, info.bos_id, &name, &len, NULL) != LFM2_OK || text->len < len ||
        memcmp(text->data, name, len) != 0) {
        return 0;
    }
    *bos = info.bos_id;
    return len;
}

int ids_of_document(const lfm2_model *model, const text_buffer *text, uint32_t flags,
                    bool known_bos, id_list *ids)
{
    int32_t bos = -1;
    bool known = known_bos || (flags & LFM2_TOKENIZE_SPECIAL) != 0;
    size_t skip = known ? bos_length(model, text, &bos) : 0;
    int code = EXIT_OK;
    if (skip > 0) {
        code = ids_append(ids, &bos, 1);
        flags &= ~(uint32_t)LFM2_TOKENIZE_BOS;
    }
    return code == EXIT_OK ? ids_of_text(model, text->data + skip, text->len - skip, flags, ids)
                           : code;
}

int text_of_ids(const lfm2_model *model, const int32_t *ids, size_t n, uint32_t flags,
                text_buffer *out)
{
    size_t len = 0;
    int32_t status = lfm2_detokenize(model, ids, n, flags, NULL, 0, &len);
    if (status != LFM2_OK && status != LFM2_E_BUFFER) {
        return fail_library();
    }
    char *text = malloc(len + 1);
    if (text == NULL) {
        return fail("cli.memory", "out of memory for %zu bytes", len);
    }
    int code = lfm2_detokenize(model, ids, n, flags, text, len, &len) == LFM2_OK
                   ? text_append(out, text, len)
                   : fail_library();
    free(text);
    return code;
}
