/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the arithmetic operators. */
#include "text/template/value.h"

#include "common/utf8.h"

#include <math.h>
#include <string.h>

static int32_t not_defined(tpl_vm *vm, char op, const tpl_value *a, const tpl_value *b)
{
    return TPL_TYPE_ERROR(vm, "%s is not defined for %s and %s",
                          op == '\\'  ? "//"
                          : op == '^' ? "**"
                                      : (char[2]){op, '\0'},
                          tpl_type_name(a), tpl_type_name(b));
}

static int32_t overflow(tpl_vm *vm)
{
    return tpl_fail(vm, LFM2_E_LIMIT, "template.integer", "an integer beyond 64 bits");
}

static int32_t power(tpl_vm *vm, int64_t base, int64_t exponent, int64_t *out)
{
    if (exponent < 0) {
        return tpl_fail(vm, LFM2_E_UNSUPPORTED, "template.unsupported",
                        "** with a negative exponent is not supported");
    }
    bool small = base >= -1 && base <= 1;
    *out = 1;
    for (int64_t i = 0; i < (small ? exponent % 2 + 2 * (exponent > 1) : exponent); i++) {
        if (__builtin_mul_overflow(*out, base, out)) {
            return overflow(vm);
        }
    }
    return LFM2_OK;
}

static int32_t integers(tpl_vm *vm, char op, int64_t a, int64_t b, tpl_value *out)
{
    int64_t r = 0;
    bool over = false;
    if ((op == '\\' || op == '%' || op == '/') && b == 0) {
        return TPL_TYPE_ERROR(vm, "division by zero");
    }
    switch (op) {
    case '+':
        over = __builtin_add_overflow(a, b, &r);
        break;
    case '-':
        over = __builtin_sub_overflow(a, b, &r);
        break;
    case '*':
        over = __builtin_mul_overflow(a, b, &r);
        break;
    case '/':
        *out = tpl_float((double)a / (double)b, out->data);
        return LFM2_OK;
    case '^':
        LF_TRY(power(vm, a, b, &r));
        break;
    default:
        if (b == -1) { /* INT64_MIN / -1 */
            over = op == '\\' && a == INT64_MIN;
            r = op == '\\' && !over ? -a : 0;
            break;
        }
        r = op == '%' ? a % b : a / b;
        if (a % b != 0 && (a < 0) != (b < 0)) { /* Python rounds down */
            r += op == '%' ? b : -1;
        }
        break;
    }
    *out = tpl_int(r, out->data);
    return over ? overflow(vm) : LFM2_OK;
}

static int32_t floats(tpl_vm *vm, char op, double a, double b, tpl_value *out)
{
    if ((op == '\\' || op == '%' || op == '/') && b == 0) {
        return TPL_TYPE_ERROR(vm, "division by zero");
    }
    double r = 0;
    switch (op) {
    case '+':
        r = a + b;
        break;
    case '-':
        r = a - b;
        break;
    case '*':
        r = a * b;
        break;
    case '/':
        r = a / b;
        break;
    case '^':
        return tpl_fail(vm, LFM2_E_UNSUPPORTED, "template.unsupported",
                        "** with floats is not supported");
    default: {
        double m = tpl_remainder(a, b);
        double q = (a - m) / b;
        if (m != 0 && (b < 0) != (m < 0)) {
            m += b;
            q -= 1;
        } else if (m == 0) {
            m = copysign(0, b);
        }
        double whole = tpl_floor(q);
        r = op == '%' ? m : q == 0 ? copysign(0, a / b) : q - whole > 0.5 ? whole + 1 : whole;
        break;
    }
    }
    *out = tpl_float(r, out->data);
    return LFM2_OK;
}

static int32_t add_lists(tpl_vm *vm, const tpl_value *a, const tpl_value *b, tpl_value *out)
{
    const tpl_seq *x = a->u.l, *y = b->u.l;
    bool grows = x->shared != NULL && x->items + x->n == x->shared->items + x->shared->n;
    if (grows) { /* extended in place, as strings are */
        tpl_seq *l = NULL;
        LF_TRY(tpl_new(vm, 1, sizeof *l, &l));
        *l = *x;
        *out = (tpl_value){.type = a->type, .data = a->data, .u.l = l};
    } else {
        LF_TRY(tpl_seq_new(vm, a->type, x->items, x->n, out));
    }
    for (size_t i = 0; i < y->n; i++) {
        LF_TRY(tpl_seq_push(vm, out, y->items[i]));
    }
    out->data = a->data && b->data;
    return LFM2_OK;
}

static int32_t repeat(tpl_vm *vm, const tpl_value *v, int64_t n, tpl_value *out)
{
    n = n > 0 ? n : 0;
    if (v->type == TPL_STRING) {
        tpl_text text = {0};
        size_t len = 0;
        if (!lf_mul_size(v->u.s->len, (size_t)n, &len) || len > vm->limits.memory) {
            return tpl_fail(vm, LFM2_E_LIMIT, "template.memory", "more than %zu bytes of memory",
                            vm->limits.memory);
        }
        for (int64_t i = 0; i < n && len > 0; i++) {
            LF_TRY(tpl_charge(vm, 1));
            LF_TRY(tpl_text_put_string(vm, &text, v->u.s));
        }
        return tpl_text_end(vm, &text, out);
    }
    LF_TRY(tpl_seq_new(vm, v->type, NULL, 0, out));
    out->data = v->data;
    for (int64_t i = 0; i < n && v->u.l->n > 0; i++) {
        for (size_t k = 0; k < v->u.l->n; k++) {
            LF_TRY(tpl_seq_push(vm, out, v->u.l->items[k]));
        }
    }
    return LFM2_OK;
}

static int32_t add_strings(tpl_vm *vm, const tpl_value *a, const tpl_value *b, tpl_value *out)
{
    tpl_value x = *a, y = *b;
    if (a->u.s->markup != b->u.s->markup) { /* as MarkupSafe does */
        LF_TRY(tpl_escape(vm, a->u.s, &x));
        LF_TRY(tpl_escape(vm, b->u.s, &y));
    }
    return tpl_string_add(vm, x.u.s, y.u.s, out);
}

int32_t tpl_arithmetic(tpl_vm *vm, char op, const tpl_value *a, const tpl_value *b, tpl_value *out)
{
    int64_t i = 0, j = 0;
    double x = 0, y = 0;
    bool int_a = tpl_integer(a, &i), int_b = tpl_integer(b, &j);
    bool format = op == '%' && a->type == TPL_STRING;
    if (a->type == TPL_UNDEFINED || (b->type == TPL_UNDEFINED && !format)) {
        const tpl_string *name = a->type == TPL_UNDEFINED ? a->u.s : b->u.s;
        lf_shown shown;
        return TPL_TYPE_ERROR(vm, "%s is undefined",
                              name != NULL ? lf_show(&shown, name->text, name->len) : "a value");
    }
    *out = (tpl_value){.type = TPL_NONE, .data = a->data || b->data};
    if (int_a && int_b) {
        return integers(vm, op, i, j, out);
    }
    if (tpl_number(a, &x) && tpl_number(b, &y)) {
        return floats(vm, op, x, y, out);
    }
    if (format) {
        return tpl_format_percent(vm, a->u.s, b, out);
    }
    bool list_a = a->type == TPL_LIST || a->type == TPL_TUPLE;
    if (op == '+' && a->type == b->type) {
        if (a->type == TPL_STRING) {
            return add_strings(vm, a, b, out);
        }
        if (list_a) {
            return add_lists(vm, a, b, out);
        }
    }
    bool list_b = b->type == TPL_LIST || b->type == TPL_TUPLE;
    if (op == '*' && int_b && (list_a || a->type == TPL_STRING)) {
        return repeat(vm, a, j, out);
    }
    if (op == '*' && int_a && (list_b || b->type == TPL_STRING)) {
        return repeat(vm, b, i, out);
    }
    return not_defined(vm, op, a, b);
}

int32_t tpl_negate(tpl_vm *vm, const tpl_value *v, bool minus, tpl_value *out)
{
    int64_t i = 0;
    if (v->type == TPL_FLOAT) {
        *out = tpl_float(minus ? -v->u.f : v->u.f, v->data);
        return LFM2_OK;
    }
    if (!tpl_integer(v, &i)) {
        return TPL_TYPE_ERROR(vm, "%s has no sign", tpl_type_name(v));
    }
    if (minus && i == INT64_MIN) {
        return overflow(vm);
    }
    *out = tpl_int(minus ? -i : i, v->data);
    return LFM2_OK;
}
