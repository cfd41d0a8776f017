/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations in files. */
#include "cli/chat/chat_file.h"
#include "cli/support/outfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What a saved file begins with. */
static const char beginning[] = "{\"messages\":";
enum { BEGINNING = sizeof beginning - 1 };

/* ---- Checks --------------------------------------------------------------------------------- */

/* Fails before a pipe is opened, which could wait forever, or a large file is read. */
static int check_input(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return fail("cli.input", "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return fail("cli.input", "%s: is not a regular file", path);
    }
    if (info.st_size > INPUT_LIMIT) {
        return fail("cli.input.size", "%s: the file exceeds the limit of %d MiB", path,
                    INPUT_LIMIT >> 20);
    }
    return EXIT_OK;
}

/* Whether the file may be replaced: it does not exist, is empty, or is a saved conversation. So a
 * wrong name does not destroy a model. */
static int check_replaced(const char *path)
{
    char start[BEGINNING];
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return EXIT_OK; /* outfile_open_private checks the rest */
    }
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return fail("cli.output", "%s: %s", path, strerror(errno));
    }
    size_t n = fread(start, 1, sizeof start, stream);
    bool failed = ferror(stream) != 0;
    fclose(stream);
    if (!failed && (n == 0 || (n == BEGINNING && memcmp(start, beginning, n) == 0))) {
        return EXIT_OK;
    }
    return fail("cli.output", "%s: exists and is not a saved conversation: choose another name",
                path);
}

int chat_file_check(const char *path, bool *exists)
{
    struct stat info;
    *exists = stat(path, &info) == 0 || errno != ENOENT;
    int code = *exists ? check_input(path) : EXIT_OK;
    if (code == EXIT_OK && *exists) {
        *exists = info.st_size > 0;
        code = check_replaced(path);
    }
    return code;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static int append_number(text_buffer *out, const char *before, uint64_t number)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%s%" PRIu64, before, number);
    return text_append(out, text, (size_t)len);
}

static int append_ids(const id_list *ids, text_buffer *out)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < ids->n && code == EXIT_OK; i++) {
        code = append_number(out, i > 0 ? "," : "", (uint64_t)ids->data[i]);
    }
    return code;
}

static int append_answers(const text_buffer *sampled, text_buffer *out)
{
    const char *separator = "[";
    int code = EXIT_OK;
    for (size_t i = 0; i < sampled->len && code == EXIT_OK;) {
        const size_t begin = i;
        const char kind = sampled->data[i];
        while (i < sampled->len && sampled->data[i] == kind) {
            i++;
        }
        if (kind != 0) {
            code = append_number(out, separator, begin);
            code = code == EXIT_OK ? append_number(out, ",", i) : code;
            code = code == EXIT_OK ? text_append(out, "]", 1) : code;
            separator = ",[";
        }
    }
    return code;
}

static int append_state(const conversation *talk, text_buffer *out)
{
    int code = append_number(out, ",\"lfm2\":{\"seed\":", talk->seed);
    code = code == EXIT_OK ? append_number(out, ",\"turns\":", talk->n_turns) : code;
    code = code == EXIT_OK ? text_append(out, ",\"ids\":[", 8) : code;
    code = code == EXIT_OK ? append_ids(&talk->held, out) : code;
    code = code == EXIT_OK ? text_append(out, "],\"answers\":[", 13) : code;
    code = code == EXIT_OK ? append_answers(&talk->sampled, out) : code;
    return code == EXIT_OK ? text_append(out, "]}", 2) : code;
}

static int append_all(const conversation *talk, text_buffer *out)
{
    int code = text_append(out, beginning, BEGINNING);
    code = code == EXIT_OK ? message_list_array(&talk->messages, 0, 0, out) : code;
    if (talk->tools.len > 0) {
        code = code == EXIT_OK ? text_append(out, ",\"tools\":", 9) : code;
        code = code == EXIT_OK ? text_append(out, talk->tools.data, talk->tools.len) : code;
    }
    code = code == EXIT_OK ? append_state(talk, out) : code;
    return code == EXIT_OK ? text_append(out, "}\n", 2) : code;
}

int chat_file_save(const conversation *talk, const char *path)
{
    outfile file = {.path = path};
    text_buffer all = {0};
    int code = append_all(talk, &all);
    code = code == EXIT_OK ? check_replaced(path) : code;
    code = code == EXIT_OK ? outfile_open_private(path, &file) : code;
    code = code == EXIT_OK ? outfile_write(&file, all.data, all.len) : code;
    code = code == EXIT_OK ? outfile_commit(&file) : code;
    outfile_discard(&file);
    text_free(&all);
    return code;
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* The tokens of another model may not be in the vocabulary: the ids end before the first one. */
static int read_ids(const lfm2_model *model, const lf_json *array, conversation *out)
{
    const char *text = "";
    size_t len = 0;
    const char mark = 0;
    int code = EXIT_OK;
    for (const lf_json *value = array->child; value != NULL && code == EXIT_OK;
         value = value->next) {
        uint64_t id = 0;
        if (!lf_json_u64(value, &id) || id > INT32_MAX ||
            lfm2_token_get(model, (int32_t)id, &text, &len, NULL) != LFM2_OK) {
            break;
        }
        const int32_t token = (int32_t)id;
        code = ids_append(&out->held, &token, 1);
        code = code == EXIT_OK ? text_append(&out->sampled, &mark, 1) : code;
    }
    return code;
}

/* Marks the tokens of answers. Pairs that are not in order are left out: then the turn computes
 * these tokens again if the tokenizer divides their text in another way. */
static void read_answers(const lf_json *array, conversation *out)
{
    for (const lf_json *pair = array->child; pair != NULL; pair = pair->next) {
        uint64_t begin = 0;
        uint64_t end = 0;
        if (pair->count == 2 && lf_json_u64(pair->child, &begin) &&
            lf_json_u64(pair->child->next, &end) && begin < end && begin < out->sampled.len) {
            end = end < out->sampled.len ? end : out->sampled.len;
            memset(out->sampled.data + begin, 1, (size_t)(end - begin));
        }
    }
}

static int read_state(const char *path, const lf_json *state, conversation *out)
{
    const lf_json *ids = lf_json_get(state, "ids");
    const lf_json *answers = lf_json_get(state, "answers");
    uint64_t turns = 0;
    if (!lf_json_u64(lf_json_get(state, "seed"), &out->seed) ||
        !lf_json_u64(lf_json_get(state, "turns"), &turns) || turns > UINT32_MAX || ids == NULL ||
        ids->kind != LF_JSON_ARRAY || answers == NULL || answers->kind != LF_JSON_ARRAY) {
        return fail(
            "cli.messages",
            "%s: offset %llu: \"lfm2\" must have the numbers \"seed\" and \"turns\" and the "
            "arrays \"ids\" and \"answers\"",
            path, (unsigned long long)state->offset);
    }
    out->n_turns = (uint32_t)turns;
    int code = read_ids(out->format->model, ids, out);
    if (code == EXIT_OK) {
        read_answers(answers, out);
    }
    return code;
}

static int read_all(const char *path, conversation *out, bool *has_state)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    text_buffer text = {0};
    text_buffer array = {0};
    const lf_json *value = NULL;
    int code = messages_parse(path, &text, &arena, &value);
    const lf_json *state = lf_json_get(value, "lfm2");
    const lf_json *messages = lf_json_get(value, "messages");
    const bool empty = state != NULL && messages != NULL && messages->kind == LF_JSON_ARRAY &&
                       messages->count == 0;
    *has_state = state != NULL;
    if (code == EXIT_OK && !empty) {
        code = messages_of_json(path, value, &array, &out->tools);
        code = code == EXIT_OK ? message_list_add_array(&out->messages, &array) : code;
    }
    if (code == EXIT_OK && state != NULL) {
        code = read_state(path, state, out);
    }
    text_free(&array);
    text_free(&text);
    lf_arena_free(&arena);
    return code;
}

/* Exchanges what a file has. */
static void exchange(conversation *a, conversation *b, bool has_state)
{
    const conversation before = *a;
    a->messages = b->messages;
    a->tools = b->tools;
    a->n_turns = b->n_turns;
    b->messages = before.messages;
    b->tools = before.tools;
    if (has_state) {
        a->seed = b->seed;
        a->held = b->held;
        a->sampled = b->sampled;
        b->held = before.held;
        b->sampled = before.sampled;
    }
}

int chat_file_load(conversation *talk, const char *path, const text_buffer *tools, size_t *n_tokens)
{
    conversation loaded = {.format = talk->format};
    bool has_state = false;
    int code = check_input(path);
    code = code == EXIT_OK ? read_all(path, &loaded, &has_state) : code;
    if (code == EXIT_OK && loaded.tools.len == 0) {
        code = text_append(&loaded.tools, tools->data, tools->len);
    }
    *n_tokens = 0;
    /* A template may refuse messages without one of the user, which may follow. */
    if (code == EXIT_OK && (!has_state || message_list_turns(&loaded.messages) > 0)) {
        code = conversation_count(&loaded, n_tokens);
    }
    if (code == EXIT_OK) {
        exchange(talk, &loaded, has_state);
    }
    conversation_free(&loaded);
    return code;
}
