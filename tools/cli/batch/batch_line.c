/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a batch: the request in it, and the line that answers it. */
#include "cli/batch/batch_line.h"
#include "cli/batch/batch_output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_LIMIT = 8192, /* bytes of the start of a prompt that are compared */
    ID_LIMIT = 4096   /* bytes of a custom_id */
};

void batch_line_fail(batch_line *line, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line->error.code = code;
    vsnprintf(line->error.message, sizeof line->error.message, format, args);
    va_end(args);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* Text that is collected for the block of memory of a line. */
typedef struct collected {
    text_buffer text;
    size_t limit; /* of text.len; what is beyond is dropped */
    int code;
} collected;

static void collect(void *user, const char *text, size_t len)
{
    collected *c = user;
    size_t room = c->limit - c->text.len;
    if (c->code == EXIT_OK) {
        c->code = text_append(&c->text, text, len < room ? len : room);
    }
}

/* Appends how the prompt of a request starts, as far as its JSON tells: what templates put first
 * comes first. */
static void collect_key(collected *c, const lf_json *body)
{
    static const char *const members[] = {"tools",    "functions", "system", "instructions",
                                          "messages", "prompt",    "input"};
    const lf_json_writer writer = {.write = collect, .user = c};
    for (uint32_t i = 0; i < COUNT(members) && c->text.len < c->limit; i++) {
        const lf_json *value = lf_json_get(body, members[i]);
        if (value != NULL && value->kind != LF_JSON_NULL) {
            collect(c, members[i], strlen(members[i]));
            lf_json_write(&writer, value);
        }
    }
}

static bool is_string(const lf_json *value)
{
    return value != NULL && value->kind == LF_JSON_STRING &&
           memchr(value->text, 0, value->len) == NULL;
}

/* Checks the members of a line. */
static void check(batch_line *line, const lf_json *object)
{
    const lf_json *id = lf_json_get(object, "custom_id");
    const lf_json *url = lf_json_get(object, "url");
    const lf_json *body = lf_json_get(object, "body");
    const lf_json *stream = lf_json_get(body, "stream");
    unsigned long long n = (unsigned long long)line->number;
    if (object->kind != LF_JSON_OBJECT) {
        batch_line_fail(line, "invalid_json_line", "line %llu is not a JSON object", n);
    } else if (!is_string(id) || id->len == 0 || id->len > ID_LIMIT) {
        batch_line_fail(line, "invalid_custom_id",
                        "line %llu: \"custom_id\" must be a string of 1 to %d bytes", n, ID_LIMIT);
    } else if (!lf_json_is_string(lf_json_get(object, "method"), "POST")) {
        batch_line_fail(line, "invalid_method", "line %llu: \"method\" must be \"POST\"", n);
    } else if (!is_string(url) || url->len == 0 || url->text[0] != '/' ||
               strpbrk(url->text, "?#% ") != NULL) {
        batch_line_fail(line, "invalid_url",
                        "line %llu: \"url\" must be a path such as \"/v1/chat/completions\"", n);
    } else if (body == NULL || body->kind != LF_JSON_OBJECT) {
        batch_line_fail(line, "invalid_body", "line %llu: \"body\" must be an object", n);
    } else if (stream != NULL && stream->kind == LF_JSON_TRUE) {
        batch_line_fail(line, "stream_unsupported",
                        "line %llu: \"stream\" must be false: a batch has no streams", n);
    }
}

/* Copies what the line needs of its JSON. */
static int keep(batch_line *line, const lf_json *object)
{
    const lf_json *id = lf_json_get(object, "custom_id");
    const lf_json *url = lf_json_get(object, "url");
    const lf_json *body = lf_json_get(object, "body");
    collected c = {.limit = SIZE_MAX};
    const lf_json_writer writer = {.write = collect, .user = &c};
    size_t at_url = 0;
    size_t at_body = 0;
    size_t at_key = 0;
    if (is_string(id)) {
        collect(&c, id->text, id->len + 1);
        line->custom_id_len = id->len;
    }
    if (line->error.code == NULL) {
        at_url = c.text.len;
        collect(&c, url->text, url->len + 1);
        at_body = c.text.len;
        lf_json_write(&writer, body);
        line->body_len = c.text.len - at_body;
        collect(&c, "", 1);
        at_key = c.text.len;
        c.limit = at_key + KEY_LIMIT;
        collect_key(&c, body);
        line->key_len = c.text.len - at_key;
    }
    if (c.code != EXIT_OK) {
        text_free(&c.text);
        return c.code;
    }
    char *memory = c.text.len > 0 ? realloc(c.text.data, c.text.len + 1) : NULL;
    line->memory = memory != NULL ? memory : c.text.data;
    line->custom_id = is_string(id) ? line->memory : NULL;
    if (line->error.code == NULL) {
        line->url = line->memory + at_url;
        line->body = line->memory + at_body;
        line->key = line->memory + at_key;
    }
    return EXIT_OK;
}

int batch_line_read(const batch_text *text, uint64_t seed, batch_line **out)
{
    const lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    const lf_json *object = NULL;
    char name[48];
    batch_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return fail("cli.memory", "out of memory");
    }
    line->number = text->number;
    line->hash = text->hash;
    line->bytes = text->bytes;
    int code = EXIT_OK;
    lf_arena_init(&arena, &alloc);
    snprintf(name, sizeof name, "line %" PRIu64, text->number);
    if (text->too_long) {
        batch_line_fail(line, "line_too_long", "%s has more than %d bytes", name, BATCH_LINE_LIMIT);
    } else if (lf_json_parse(&arena, name, LFM2_E_FORMAT, text->text, text->len, &object) !=
               LFM2_OK) {
        batch_line_fail(line, "invalid_json_line", "%s", lf_fail_text());
    } else {
        check(line, object);
        if (object->kind == LF_JSON_OBJECT) {
            code = keep(line, object);
        }
    }
    lf_arena_free(&arena);
    if (code != EXIT_OK) {
        batch_line_free(line);
        return code;
    }
    if (line->custom_id != NULL) {
        line->seed = batch_mix(batch_hash(BATCH_HASH_START, line->custom_id, line->custom_id_len) ^
                               batch_mix(seed));
    }
    *out = line;
    return EXIT_OK;
}

void batch_line_free(batch_line *line)
{
    if (line != NULL) {
        lf_arena_free(&line->arena);
        json_out_free(&line->answer);
        free(line->memory);
        free(line);
    }
}

/* ---- Answering ------------------------------------------------------------------------------ */

static void start_answer(batch_line *line, char id[BATCH_ID_SIZE])
{
    json_out *out = &line->answer;
    batch_output_id(line->number, line->hash, id);
    out_object(out, NULL);
    out_string(out, "id", id);
    if (line->custom_id != NULL) {
        out_text(out, "custom_id", line->custom_id, line->custom_id_len);
    } else {
        out_null(out, "custom_id");
    }
}

static void end_answer(batch_line *line)
{
    out_end_object(&line->answer);
    out_raw(&line->answer, "\n", 1);
    line->state = BATCH_ANSWERED;
}

void batch_line_answer_error(batch_line *line)
{
    char id[BATCH_ID_SIZE];
    json_out *out = &line->answer;
    start_answer(line, id);
    out_null(out, "response");
    out_object(out, "error");
    out_string(out, "code", line->error.code);
    out_string(out, "message", line->error.message);
    out_end_object(out);
    line->failed = true;
    end_answer(line);
}

/* Appends a JSON text. Between its tokens it may have ends of lines, which become blanks. */
static void out_body(json_out *out, const char *body, size_t len)
{
    size_t before = out->len;
    out_json(out, "body", body, len);
    for (size_t i = before; !out->failed && i < out->len; i++) {
        if (out->text[i] == '\n' || out->text[i] == '\r') {
            out->text[i] = ' ';
        }
    }
}

void batch_line_answer(batch_line *line, int status, bool is_json, const char *body, size_t len)
{
    char id[BATCH_ID_SIZE];
    json_out *out = &line->answer;
    start_answer(line, id);
    out_object(out, "response");
    out_u64(out, "status_code", (uint64_t)status);
    out_string(out, "request_id", id + strlen("batch_"));
    if (is_json) {
        out_body(out, body, len);
    } else {
        out_text(out, "body", body, len);
    }
    out_end_object(out);
    out_null(out, "error");
    line->failed = status != 200;
    end_answer(line);
}
