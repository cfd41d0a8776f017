/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of strings, numbers and the other scalars of a shape. */
#include "text/grammar/schema_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- Strings ---- */

static int32_t spell_text(lf_schema *s, const lf_json *value, bool any, lf_rx *out)
{
    const char *quoted = NULL;
    size_t len = 0;
    if (any) {
        uint32_t name = 0;
        bool added = false;
        LF_TRY(lf_schema_intern(s, &s->names, value->text, value->len, &name, &added));
        return lf_schema_name_rx(s, name, out);
    }
    LF_TRY(lf_schema_quote(s, value->text, value->len, &quoted, &len));
    *out = lf_rx_text(s->rx, quoted + 1, len - 2);
    return LFM2_OK;
}

int32_t lf_schema_strings(lf_schema *s, const lf_shape *shape, bool any, lf_rx *out)
{
    void *memory = NULL;
    uint32_t n = 0;
    *out = shape->text;
    if (shape->allowed != NULL) {
        const lf_values *v = shape->allowed;
        LF_TRY(lf_schema_new(s, v->n, sizeof(lf_rx), &memory));
        for (uint32_t i = 0; i < v->n; i++) {
            bool allows = false;
            if (v->items[i]->kind != LF_JSON_STRING) {
                continue;
            }
            LF_TRY(lf_shape_allows(s, shape, v->items[i], &allows));
            if (allows) {
                LF_TRY(spell_text(s, v->items[i], any, &((lf_rx *)memory)[n++]));
            }
        }
        *out = lf_rx_alt_many(s->rx, memory, n);
        return lf_rx_status(s->rx);
    }
    lf_rx excluded = LF_RX_NONE;
    for (const lf_values *v = shape->excluded; v != NULL; v = v->before) {
        for (uint32_t i = 0; i < v->n; i++) {
            lf_rx one = LF_RX_NONE;
            if (v->items[i]->kind == LF_JSON_STRING) {
                LF_TRY(spell_text(s, v->items[i], true, &one));
                excluded = lf_rx_alt(s->rx, excluded, one);
            }
        }
    }
    if (excluded != LF_RX_NONE) {
        *out = lf_rx_and(s->rx, *out, lf_rx_not(s->rx, excluded));
    }
    return lf_rx_status(s->rx);
}

/* ---- Numbers ---- */

/* The usual spellings of a constant: plain, as an integer with ".0", as in the schema, and with an
 * exponent of at least two digits where programs write one. */
static int32_t spell_number(lf_schema *s, const lf_json *value, lf_rx *out)
{
    lf_decimal d;
    bool fits = false;
    void *memory = NULL;
    LF_TRY(lf_schema_decimal(s, value, &fits, &d));
    const uint32_t n = d.n_int + d.n_frac;
    LF_TRY(lf_schema_new(s, n + 32, 1, &memory));
    char *text = memory;
    *out = lf_rx_text(s->rx, value->text, value->len);
    if (!fits) {
        return LFM2_OK;
    }
    size_t len = 0;
    text[len] = '-';
    len += d.negative;
    if (d.n_int == 0) {
        text[len++] = '0';
    }
    for (uint32_t i = 0; i < n; i++) {
        if (i == d.n_int) {
            text[len++] = '.';
        }
        text[len++] = d.digits[i];
    }
    *out = lf_rx_alt(s->rx, *out, lf_rx_text(s->rx, text, len));
    if (d.n_frac == 0 && s->draft != LF_DRAFT_4) {
        text[len++] = '.';
        text[len++] = '0';
        *out = lf_rx_alt(s->rx, *out, lf_rx_text(s->rx, text, len));
    }
    uint32_t first = 0;
    uint32_t end = n;
    while (first < n && d.digits[first] == '0') {
        first++;
    }
    while (end > first + 1 && d.digits[end - 1] == '0') {
        end--;
    }
    const int e = (int)d.n_int - 1 - (int)first;
    if (n > 0 && (e < -4 || e > 15)) {
        len = 0;
        text[len] = '-';
        len += d.negative;
        text[len++] = d.digits[first];
        if (end > first + 1) {
            text[len++] = '.';
            memcpy(text + len, d.digits + first + 1, end - first - 1);
            len += end - first - 1;
        }
        len += (size_t)snprintf(text + len, 16, "e%c%02d", e < 0 ? '-' : '+', e < 0 ? -e : e);
        *out = lf_rx_alt(s->rx, *out, lf_rx_text(s->rx, text, len));
    }
    return LFM2_OK;
}

static int32_t listed_numbers(lf_schema *s, const lf_shape *shape, lf_rx *out)
{
    const lf_values *v = shape->allowed;
    *out = LF_RX_NONE;
    for (uint32_t i = 0; i < v->n; i++) {
        bool allows = false;
        lf_rx one = LF_RX_NONE;
        if (v->items[i]->kind != LF_JSON_NUMBER) {
            continue;
        }
        LF_TRY(lf_shape_allows(s, shape, v->items[i], &allows));
        if (allows) {
            LF_TRY(spell_number(s, v->items[i], &one));
            *out = lf_rx_alt(s->rx, *out, one);
        }
    }
    return lf_rx_status(s->rx);
}

static int32_t pattern(lf_schema *s, const char *text, lf_rx *out)
{
    const char *why = NULL;
    bool unsupported = false;
    /* Patterns of numbers contain no character that JSON escapes, but would match escapes of them:
     * they are only intersected with numbers. */
    return lf_schema_pattern(s, text, strlen(text), true, out, &why, &unsupported);
}

/* Numbers that are equal to none of the excluded ones. */
static int32_t exclude(lf_schema *s, const lf_shape *shape, lf_rx *rx)
{
    for (const lf_values *v = shape->excluded; v != NULL; v = v->before) {
        for (uint32_t i = 0; i < v->n; i++) {
            lf_decimal d;
            bool fits = false;
            if (v->items[i]->kind != LF_JSON_NUMBER) {
                continue;
            }
            LF_TRY(lf_schema_decimal(s, v->items[i], &fits, &d));
            if (!fits) {
                return lf_schema_fail(s, LFM2_E_UNSUPPORTED, s->nodes[s->node].lits[0] >> 1, NULL,
                                      "a constant has too many digits");
            }
            /* Below or above it; this leaves the spellings for which that is exact. */
            lf_rx below = lf_schema_interval(s, &(lf_interval){.high = &d, .high_open = true});
            lf_rx above = lf_schema_interval(s, &(lf_interval){.low = &d, .low_open = true});
            *rx = lf_rx_and(s->rx, *rx, lf_rx_alt(s->rx, below, above));
        }
    }
    return LFM2_OK;
}

static int32_t interval_of(lf_schema *s, const lf_shape *shape, lf_rx *out)
{
    lf_decimal low;
    lf_decimal high;
    lf_interval in = {.low = shape->low,
                      .high = shape->high,
                      .low_open = shape->low_open,
                      .high_open = shape->high_open,
                      .integer = shape->integer};
    if (in.integer && in.low != NULL) {
        LF_TRY(lf_decimal_bound(s, in.low, in.low_open, true, &low));
        in.low = &low;
        in.low_open = false;
    }
    if (in.integer && in.high != NULL) {
        LF_TRY(lf_decimal_bound(s, in.high, in.high_open, false, &high));
        in.high = &high;
        in.high_open = false;
    }
    *out = lf_schema_interval(s, &in);
    if (shape->fraction) {
        lf_rx fraction = LF_RX_NONE;
        LF_TRY(pattern(s,
                       "-?(?:[0-9]+\\.[0-9]*[1-9][0-9]*|"
                       "[1-9](?:\\.[0-9]+)?[eE]-0*[1-9][0-9]*)",
                       &fraction));
        *out = lf_rx_and(s->rx, *out, fraction);
    }
    LF_TRY(exclude(s, shape, out));
    return lf_rx_status(s->rx);
}

int32_t lf_schema_scalar(lf_schema *s, const lf_shape *shape, lf_rx *out, lf_node *numbers)
{
    const bool python = s->options->python;
    lf_rx_set *rx = s->rx;
    lf_rx one = LF_RX_NONE;
    *out = LF_RX_NONE;
    *numbers = LF_NODE_NONE;
    if (shape->types & LF_TYPE_NULL) {
        *out = lf_rx_text(rx, python ? "None" : "null", 4);
    }
    if (shape->types & LF_TYPE_TRUE) {
        *out = lf_rx_alt(rx, *out, lf_rx_text(rx, python ? "True" : "true", 4));
    }
    if (shape->types & LF_TYPE_FALSE) {
        *out = lf_rx_alt(rx, *out, lf_rx_text(rx, python ? "False" : "false", 5));
    }
    if (shape->types & LF_TYPE_STRING) {
        LF_TRY(lf_schema_strings(s, shape, false, &one));
        *out = lf_rx_alt(rx, *out, lf_schema_quoted(s, one));
    }
    if (shape->types & LF_TYPE_NUMBER) {
        if (shape->allowed != NULL) {
            LF_TRY(listed_numbers(s, shape, &one));
        } else {
            LF_TRY(interval_of(s, shape, &one));
            if (shape->multiples != NULL) {
                LF_TRY(lf_schema_multiples(s, shape->multiples, &one, numbers));
            }
        }
        *out = lf_rx_alt(rx, *out, one);
    }
    return lf_rx_status(rx);
}

/* ---- Finite sets ---- */

static int32_t add_values(lf_schema *s, const lf_shape *shape, lf_rx *texts, uint32_t capacity,
                          uint32_t *n, bool *finite)
{
    static const uint8_t simple[] = {LF_TYPE_NULL, LF_TYPE_FALSE, LF_TYPE_TRUE};
    const uint32_t n_listed = shape->allowed != NULL ? shape->allowed->n : 0;
    *finite = (shape->types & ~LF_TYPE_SCALARS) == 0 &&
              ((shape->types & (LF_TYPE_STRING | LF_TYPE_NUMBER)) == 0 || shape->allowed != NULL);
    for (uint32_t i = 0; i < 3 + n_listed && *finite; i++) {
        lf_shape one = *shape;
        lf_rx rx = LF_RX_NONE;
        lf_node hard = LF_NODE_NONE;
        lf_values single = {.n = 1};
        if (i < 3) {
            one.types &= simple[i];
        } else {
            bool allows = false;
            single.items = &shape->allowed->items[i - 3];
            LF_TRY(lf_shape_allows(s, shape, *single.items, &allows));
            one.allowed = &single;
            one.types = (*single.items)->kind == LF_JSON_STRING   ? LF_TYPE_STRING
                        : (*single.items)->kind == LF_JSON_NUMBER ? LF_TYPE_NUMBER
                                                                  : 0;
            one.types = allows ? one.types : 0;
        }
        LF_TRY(lf_schema_scalar(s, &one, &rx, &hard));
        if (rx == LF_RX_NONE) {
            continue;
        }
        uint32_t k = 0;
        while (k < *n && texts[k] != rx) {
            k++;
        }
        *finite = k < capacity;
        if (k == *n && *finite) {
            texts[(*n)++] = rx;
        }
    }
    return LFM2_OK;
}

int32_t lf_schema_finite(lf_schema *s, uint32_t node, lf_rx *texts, uint32_t capacity, uint32_t *n,
                         bool *finite)
{
    *n = 0;
    *finite = true;
    LF_TRY(lf_schema_expand(s, node));
    for (const lf_product *p = s->nodes[node].products; p != NULL && *finite; p = p->next) {
        LF_TRY(add_values(s, &p->shape, texts, capacity, n, finite));
    }
    return LFM2_OK;
}
