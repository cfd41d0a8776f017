/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access to GGUF metadata, and its values as text. */
#include "load/gguf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint64_t read_bits(const uint8_t *p, uint32_t bytes)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

/* An integer of any of the eight types as 64 bits, in two's complement if *negative. */
static bool read_integer(uint32_t type, const uint8_t *p, uint64_t *bits, bool *negative)
{
    uint32_t n = lf_gguf_type_bytes(type);
    bool is_signed =
        type == LF_GGUF_I8 || type == LF_GGUF_I16 || type == LF_GGUF_I32 || type == LF_GGUF_I64;
    if (n == 0 || type == LF_GGUF_F32 || type == LF_GGUF_F64 || type == LF_GGUF_BOOL) {
        return false;
    }
    uint64_t v = read_bits(p, n);
    *negative = is_signed && (v >> (8 * n - 1)) != 0;
    if (*negative && n < 8) {
        v |= ~(uint64_t)0 << (8 * n); /* sign extension */
    }
    *bits = v;
    return true;
}

static bool read_float(uint32_t type, const uint8_t *p, double *out)
{
    uint64_t bits = read_bits(p, lf_gguf_type_bytes(type));
    if (type == LF_GGUF_F32) {
        uint32_t low = (uint32_t)bits;
        float f = 0;
        memcpy(&f, &low, sizeof f);
        *out = (double)f;
        return true;
    }
    memcpy(out, &bits, sizeof *out);
    return type == LF_GGUF_F64;
}

static int32_t fail_type(const lf_gguf *g, const lf_gguf_value *v, const char *wanted)
{
    char text[96];
    if (v->type == LF_GGUF_ARRAY) {
        snprintf(text, sizeof text, "the value is an array of %s; it must be %s",
                 lf_gguf_type_name(v->item), wanted);
    } else {
        snprintf(text, sizeof text, "the value has type %s; it must be %s",
                 lf_gguf_type_name(v->type), wanted);
    }
    return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.key.type", text);
}

const lf_gguf_value *lf_gguf_find(const lf_gguf *g, const char *key)
{
    const lf_index_entry *e = lf_index_find(&g->keys, key, strlen(key));
    return e != NULL ? &g->values[e->id] : NULL;
}

/* *out is NULL if an optional key is absent. */
static int32_t find(const lf_gguf *g, const char *key, bool *found, const lf_gguf_value **out)
{
    *out = lf_gguf_find(g, key);
    if (found != NULL) {
        *found = *out != NULL;
    } else if (*out == NULL) {
        return lf_fail(LFM2_E_FORMAT, "gguf.key.missing",
                       "%s: key '%s' is missing; a model of this architecture requires it",
                       g->file->path, key);
    }
    return LFM2_OK;
}

int32_t lf_gguf_get_u32(const lf_gguf *g, const char *key, uint32_t *out, bool *found)
{
    const lf_gguf_value *v = NULL;
    LF_TRY(find(g, key, found, &v));
    if (v == NULL) {
        return LFM2_OK;
    }
    uint64_t bits = 0;
    bool negative = false;
    if (!read_integer(v->type, v->data, &bits, &negative)) {
        return fail_type(g, v, "an integer");
    }
    if (negative || bits > UINT32_MAX) {
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.key.range",
                                "the value is out of range; allowed: 0 to 2^32 - 1");
    }
    *out = (uint32_t)bits;
    return LFM2_OK;
}

int32_t lf_gguf_get_f32(const lf_gguf *g, const char *key, float *out, bool *found)
{
    const lf_gguf_value *v = NULL;
    LF_TRY(find(g, key, found, &v));
    if (v == NULL) {
        return LFM2_OK;
    }
    double d = 0;
    if ((v->type != LF_GGUF_F32 && v->type != LF_GGUF_F64) || !read_float(v->type, v->data, &d)) {
        return fail_type(g, v, "a floating-point number");
    }
    if (!isfinite(d) || !isfinite((float)d)) {
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.key.range",
                                "the value is infinite, not a number, or too large for f32");
    }
    *out = (float)d;
    return LFM2_OK;
}

bool lf_gguf_number(const lf_gguf_value *value, double *out)
{
    uint64_t bits = 0;
    bool negative = false;
    if (value->type == LF_GGUF_F32 || value->type == LF_GGUF_F64) {
        return read_float(value->type, value->data, out);
    }
    if (value->type == LF_GGUF_ARRAY || value->type == LF_GGUF_STRING ||
        !read_integer(value->type, value->data, &bits, &negative)) {
        return false;
    }
    *out = negative ? -(double)(~bits + 1) : (double)bits;
    return true;
}

int32_t lf_gguf_get_bool(const lf_gguf *g, const char *key, bool *out, bool *found)
{
    const lf_gguf_value *v = NULL;
    LF_TRY(find(g, key, found, &v));
    if (v == NULL) {
        return LFM2_OK;
    }
    if (v->type != LF_GGUF_BOOL) {
        return fail_type(g, v, "a bool");
    }
    if (v->data[0] > 1) {
        return lf_gguf_fail_key(g, v, LFM2_E_FORMAT, "gguf.key.range",
                                "the value must be a bool, stored as 0 or 1");
    }
    *out = v->data[0] != 0;
    return LFM2_OK;
}

int32_t lf_gguf_get_string(const lf_gguf *g, const char *key, const char **out, size_t *len,
                           bool *found)
{
    const lf_gguf_value *v = NULL;
    LF_TRY(find(g, key, found, &v));
    if (v == NULL) {
        return LFM2_OK;
    }
    if (v->type != LF_GGUF_STRING) {
        return fail_type(g, v, "a string");
    }
    *out = (const char *)v->data;
    *len = (size_t)v->count;
    return LFM2_OK;
}

int32_t lf_gguf_get_array(const lf_gguf *g, const char *key, bool strings,
                          const lf_gguf_value **out, bool *found)
{
    const lf_gguf_value *v = NULL;
    LF_TRY(find(g, key, found, &v));
    *out = v;
    if (v == NULL) {
        return LFM2_OK;
    }
    bool integers = v->item != LF_GGUF_STRING && v->item != LF_GGUF_F32 && v->item != LF_GGUF_F64 &&
                    v->item != LF_GGUF_BOOL;
    if (v->type != LF_GGUF_ARRAY || (strings ? v->item != LF_GGUF_STRING : !integers)) {
        return fail_type(g, v, strings ? "an array of strings" : "an array of integers");
    }
    return LFM2_OK;
}

bool lf_gguf_item_u32(const lf_gguf_value *array, uint64_t index, uint32_t *out)
{
    uint64_t bits = 0;
    bool negative = false;
    const uint8_t *p = array->data + index * lf_gguf_type_bytes(array->item);
    if (!read_integer(array->item, p, &bits, &negative) || negative || bits > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)bits;
    return true;
}

void lf_gguf_next_string(const lf_gguf_value *array, uint64_t *cursor, const char **text,
                         uint64_t *len)
{
    const uint8_t *p = array->data + *cursor;
    *len = read_bits(p, 8);
    *text = (const char *)(p + 8);
    *cursor += 8 + *len;
}

int32_t lf_gguf_text(lf_arena *arena, const lf_gguf_value *value, const char **out)
{
    char text[LF_META_CUT + 4];
    uint64_t bits = 0;
    bool negative = false;
    double d = 0;
    if (value->type == LF_GGUF_ARRAY) {
        snprintf(text, sizeof text, "[%s x %llu]", lf_gguf_type_name(value->item),
                 (unsigned long long)value->count);
    } else if (value->type == LF_GGUF_STRING) {
        lf_printable(text, LF_META_CUT, (const char *)value->data, (size_t)value->count);
    } else if (value->type == LF_GGUF_BOOL) {
        snprintf(text, sizeof text, "%s", value->data[0] != 0 ? "true" : "false");
    } else if (read_integer(value->type, value->data, &bits, &negative)) {
        snprintf(text, sizeof text, "%s%llu", negative ? "-" : "",
                 (unsigned long long)(negative ? 0 - bits : bits));
    } else if (read_float(value->type, value->data, &d)) {
        snprintf(text, sizeof text, value->type == LF_GGUF_F32 ? "%.7g" : "%.15g", d);
    } else {
        snprintf(text, sizeof text, "?");
    }
    return lf_arena_string(arena, text, strlen(text), out);
}
