/* SPDX-License-Identifier: Apache-2.0 */
/* Builds JSON text in a buffer that grows. */
#include "serve/json_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_out_free(json_out *out)
{
    free(out->text);
    *out = (json_out){0};
}

void json_out_clear(json_out *out)
{
    out->len = 0;
    out->failed = out->comma = false;
}

static void append(json_out *out, const char *bytes, size_t len)
{
    if (out->failed || len == 0) {
        return;
    }
    if (len > SIZE_MAX / 2 - out->len - 1) {
        out->failed = true;
        return;
    }
    size_t needed = out->len + len + 1;
    if (needed > out->capacity) {
        size_t capacity = out->capacity < 128 ? 256 : out->capacity * 2;
        capacity = capacity < needed ? needed : capacity;
        char *text = realloc(out->text, capacity);
        if (text == NULL) {
            out->failed = true;
            return;
        }
        out->text = text;
        out->capacity = capacity;
    }
    memcpy(out->text + out->len, bytes, len);
    out->len += len;
    out->text[out->len] = '\0';
}

static void append_for_writer(void *user, const char *text, size_t len)
{
    append(user, text, len);
}

static lf_json_writer writer_of(json_out *out)
{
    return (lf_json_writer){.write = append_for_writer, .user = out, .compact = true};
}

/* What stands before a value: a comma and its key. */
static void begin_value(json_out *out, const char *key)
{
    if (out->comma) {
        append(out, ",", 1);
    }
    out->comma = true;
    if (key != NULL) {
        lf_json_writer writer = writer_of(out);
        lf_json_write_string(&writer, key, strlen(key));
        append(out, ":", 1);
    }
}

static void begin_container(json_out *out, const char *key, const char *bracket)
{
    begin_value(out, key);
    append(out, bracket, 1);
    out->comma = false;
}

static void end_container(json_out *out, const char *bracket)
{
    append(out, bracket, 1);
    out->comma = true;
}

void out_object(json_out *out, const char *key)
{
    begin_container(out, key, "{");
}

void out_end_object(json_out *out)
{
    end_container(out, "}");
}

void out_array(json_out *out, const char *key)
{
    begin_container(out, key, "[");
}

void out_end_array(json_out *out)
{
    end_container(out, "]");
}

void out_string(json_out *out, const char *key, const char *text)
{
    if (text == NULL) {
        out_null(out, key);
    } else {
        out_text(out, key, text, strlen(text));
    }
}

void out_text(json_out *out, const char *key, const char *text, size_t len)
{
    out_text_begin(out, key);
    out_text_add(out, text, len);
    out_text_end(out);
}

void out_text_begin(json_out *out, const char *key)
{
    begin_value(out, key);
    append(out, "\"", 1);
}

void out_text_add(json_out *out, const char *text, size_t len)
{
    lf_json_writer writer = writer_of(out);
    lf_json_write_text(&writer, text, len);
}

void out_text_end(json_out *out)
{
    append(out, "\"", 1);
}

void out_u64(json_out *out, const char *key, uint64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    out_json(out, key, digits, (size_t)n);
}

void out_i64(json_out *out, const char *key, int64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)value);
    out_json(out, key, digits, (size_t)n);
}

/* Writes a finite number. Returns the number of characters. */
static int format_number(char *out, size_t size, double value)
{
    if (value == floor(value) && fabs(value) < 1e15) {
        return snprintf(out, size, "%.0f", value == 0 ? 0 : value);
    }
    bool single = fabs(value) <= 3.4e38 && (double)(float)value == value;
    int n = 0;
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        n = snprintf(out, size, "%.*g", digits, value);
        double back = strtod(out, NULL);
        if (single ? (float)back == (float)value : back == value) {
            break;
        }
    }
    for (int i = 0; i < n; i++) { /* the point of another locale */
        if (strchr("0123456789+-e", out[i]) == NULL) {
            out[i] = '.';
        }
    }
    return n;
}

void out_number(json_out *out, const char *key, double value)
{
    if (!isfinite(value)) {
        out_null(out, key);
        return;
    }
    char text[64];
    int n = format_number(text, sizeof text, value);
    out_json(out, key, text, (size_t)n);
}

void out_bool(json_out *out, const char *key, bool value)
{
    out_json(out, key, value ? "true" : "false", value ? 4 : 5);
}

void out_null(json_out *out, const char *key)
{
    out_json(out, key, "null", 4);
}

void out_value(json_out *out, const char *key, const lf_json *value)
{
    if (value == NULL) {
        out_null(out, key);
        return;
    }
    begin_value(out, key);
    lf_json_writer writer = writer_of(out);
    lf_json_write(&writer, value);
}

void out_json(json_out *out, const char *key, const char *json, size_t len)
{
    begin_value(out, key);
    append(out, json, len);
}

void out_raw(json_out *out, const char *bytes, size_t len)
{
    append(out, bytes, len);
    out->comma = false;
}
