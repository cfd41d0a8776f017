/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON values to stdout and into buffers. */
#include "cli/support/json.h"

#include "common/utf8.h"

#include <inttypes.h>
#include <math.h>

static void to_stdout(void *user, const char *text, size_t len)
{
    (void)user;
    out_write(text, len);
}

void json_string(const char *text, size_t len)
{
    const lf_json_writer writer = {.write = to_stdout, .escape_del = true};
    lf_json_write_string(&writer, text, len);
}

typedef struct buffer_sink {
    text_buffer *out;
    int code; /* of the first failure */
} buffer_sink;

static void to_buffer(void *user, const char *text, size_t len)
{
    buffer_sink *sink = user;
    if (sink->code == EXIT_OK) {
        sink->code = text_append(sink->out, text, len);
    }
}

int json_append_string(text_buffer *out, const char *text, size_t len)
{
    buffer_sink sink = {.out = out, .code = EXIT_OK};
    const lf_json_writer writer = {.write = to_buffer, .user = &sink, .escape_del = true};
    lf_json_write_string(&writer, text, len);
    return sink.code;
}

int json_append(text_buffer *out, const lf_json *value)
{
    buffer_sink sink = {.out = out, .code = EXIT_OK};
    const lf_json_writer writer = {.write = to_buffer, .user = &sink, .escape_del = true};
    lf_json_write(&writer, value);
    return sink.code;
}

void json_number(double value)
{
    if (isfinite(value)) {
        out_printf("%.9g", value);
    } else {
        out_write("null", 4);
    }
}

void json_ids(const int32_t *ids, size_t n)
{
    out_write("[", 1);
    for (size_t i = 0; i < n; i++) {
        out_printf("%s%" PRId32, i > 0 ? "," : "", ids[i]);
    }
    out_write("]", 1);
}

void json_text_member(const char *key, const char *text, size_t len)
{
    out_printf("\"%s\":", key);
    json_string(text, len);
    if (!lf_utf8_valid(text, len)) {
        out_printf(",\"bytes\":[");
        for (size_t i = 0; i < len; i++) {
            out_printf("%s%u", i > 0 ? "," : "", (unsigned)(unsigned char)text[i]);
        }
        out_write("]", 1);
    }
}
