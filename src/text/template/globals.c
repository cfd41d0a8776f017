/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the global functions of templates. */
#include "text/template/value.h"

#include "common/calendar.h"
#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

enum { RANGE, DICT, NAMESPACE, JOINER, CYCLER, LIPSUM, RAISE, STRFTIME, N_BUILTINS };

const char *const tpl_builtin_names[] = {[RANGE] = "range",           [DICT] = "dict",
                                         [NAMESPACE] = "namespace",   [JOINER] = "joiner",
                                         [CYCLER] = "cycler",         [LIPSUM] = "lipsum",
                                         [RAISE] = "raise_exception", [STRFTIME] = "strftime_now",
                                         [N_BUILTINS] = NULL};

static int32_t call_range(tpl_vm *vm, const tpl_args *args, tpl_value *out)
{
    enum { MAX_RANGE = 100000 }; /* Jinja's sandbox */
    tpl_slots a;
    int64_t r[3] = {0, 0, 1};
    LF_TRY(tpl_bind(vm, "range", "start stop step", 1, args, &a));
    if (a.given[1]) {
        LF_TRY(tpl_need_int(vm, "range", &a.v[0], &r[0]));
    }
    LF_TRY(tpl_need_int(vm, "range", &a.v[a.given[1]], &r[1]));
    if (a.given[2]) {
        LF_TRY(tpl_need_int(vm, "range", &a.v[2], &r[2]));
    }
    if (r[2] == 0) {
        return TPL_TYPE_ERROR(vm, "range: the step is 0");
    }
    bool empty = r[2] > 0 ? r[0] >= r[1] : r[0] <= r[1];
    uint64_t distance =
        r[2] > 0 ? (uint64_t)r[1] - (uint64_t)r[0] : (uint64_t)r[0] - (uint64_t)r[1];
    uint64_t step = r[2] > 0 ? (uint64_t)r[2] : 0 - (uint64_t)r[2];
    uint64_t n = empty ? 0 : (distance - 1) / step + 1;
    if (n > MAX_RANGE) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.range", "a range of more than %d items",
                        MAX_RANGE);
    }
    LF_TRY(tpl_seq_new(vm, TPL_RANGE, NULL, 0, out));
    LF_TRY(tpl_new(vm, (size_t)n, sizeof *out->u.l->items, &out->u.l->items));
    LF_TRY(tpl_charge(vm, (size_t)n / 4));
    for (uint64_t i = 0; i < n; i++) {
        out->u.l->items[i] = tpl_int((int64_t)((uint64_t)r[0] + i * (uint64_t)r[2]), false);
    }
    out->u.l->n = (size_t)n;
    memcpy(out->u.l->range, r, sizeof r);
    return LFM2_OK;
}

/* dict(pairs, a=1) and namespace(dict, a=1). */
static int32_t call_dict(tpl_vm *vm, bool space, const tpl_args *args, tpl_value *out)
{
    LF_TRY(tpl_dict_new(vm, args->n_named, out));
    if (space) {
        out->type = TPL_NAMESPACE;
    }
    if (args->n > 1) {
        return TPL_TYPE_ERROR(vm, "dict has %zu arguments; allowed: 1", args->n);
    }
    if (args->n == 1) {
        const tpl_value *from = &args->items[0];
        tpl_value *items = NULL;
        size_t n = 0;
        if (from->type == TPL_UNDEFINED) {
            return TPL_TYPE_ERROR(vm, "dict takes a dict or pairs, not %s", tpl_type_name(from));
        }
        LF_TRY(tpl_iterate(vm, from, &items, &n));
        for (size_t i = 0; i < n; i++) {
            tpl_value *pair = NULL;
            size_t two = 0;
            if (from->type == TPL_DICT) {
                LF_TRY(tpl_dict_set(vm, out, &from->u.d->keys[i], &from->u.d->values[i]));
                continue;
            }
            LF_TRY(tpl_iterate(vm, &items[i], &pair, &two));
            if (two != 2) {
                return TPL_TYPE_ERROR(vm, "dict takes pairs");
            }
            LF_TRY(tpl_dict_set(vm, out, &pair[0], &pair[1]));
        }
    }
    for (size_t i = 0; i < args->n_named; i++) {
        const tpl_value *pair = args->items + args->n + 2 * i;
        LF_TRY(tpl_dict_set(vm, out, &pair[0], &pair[1]));
    }
    return LFM2_OK;
}

static int32_t call_joiner(tpl_vm *vm, const tpl_args *args, tpl_value *out)
{
    tpl_slots a;
    tpl_value separator;
    LF_TRY(tpl_bind(vm, "joiner", "sep", 0, args, &a));
    LF_TRY(tpl_string_new(vm, ", ", 2, false, &separator));
    LF_TRY(tpl_seq_new(vm, TPL_JOINER, a.given[0] ? &a.v[0] : &separator, 1, out));
    return LFM2_OK;
}

static int32_t call_cycler(tpl_vm *vm, const tpl_args *args, tpl_value *out)
{
    if (args->n == 0 || args->n_named > 0) {
        return TPL_TYPE_ERROR(vm, "cycler takes one or more positional arguments");
    }
    return tpl_seq_new(vm, TPL_CYCLER, args->items, args->n, out);
}

static int32_t call_raise(tpl_vm *vm, const tpl_args *args)
{
    tpl_slots a;
    tpl_value text;
    LF_TRY(tpl_bind(vm, "raise_exception", "message", 1, args, &a));
    LF_TRY(tpl_str(vm, &a.v[0], &text));
    char shown[404];
    return tpl_fail(vm, LFM2_E_TEXT, "template.exception", "the template refuses this input: %s",
                    lf_printable(shown, 400, text.u.s->text, text.u.s->len));
}

/* ---- Time ---- */

static int32_t day_of_year(const lf_template_time *t)
{
    int32_t day = t->day;
    for (int32_t month = 1; month < t->month; month++) {
        day += lf_days_of_month(t->year, month);
    }
    return day;
}

/* 0: Sunday. */
static int32_t day_of_week(const lf_template_time *t)
{
    int32_t y = t->year - 1;
    return (y + y / 4 - y / 100 + y / 400 + day_of_year(t)) % 7;
}

/* One directive. False if it is not supported. */
static bool put_time(const lf_template_time *t, char directive, char out[32])
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    const int32_t hour12 = t->hour % 12 == 0 ? 12 : t->hour % 12;
    const struct {
        char directive;
        int width; /* filled with zeros; negative: with spaces */
        int32_t value;
    } numbers[] = {{'Y', 1, t->year},        {'m', 2, t->month},      {'d', 2, t->day},
                   {'y', 2, t->year % 100},  {'H', 2, t->hour},       {'M', 2, t->minute},
                   {'S', 2, t->second},      {'I', 2, hour12},        {'e', -2, t->day},
                   {'j', 3, day_of_year(t)}, {'w', 1, day_of_week(t)}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].directive == directive) {
            const int width = numbers[i].width;
            snprintf(out, 32, width > 0 ? "%0*d" : "%*d", width > 0 ? width : -width,
                     numbers[i].value);
            return true;
        }
    }
    switch (directive) {
    case 'B':
    case 'b':
    case 'h':
        snprintf(out, 32, "%.*s", directive == 'B' ? 20 : 3, months[t->month - 1]);
        return true;
    case 'A':
    case 'a':
        snprintf(out, 32, "%.*s", directive == 'A' ? 20 : 3, days[day_of_week(t)]);
        return true;
    case 'p':
        snprintf(out, 32, "%s", t->hour < 12 ? "AM" : "PM");
        return true;
    case 'F':
        snprintf(out, 32, "%d-%02d-%02d", t->year, t->month, t->day);
        return true;
    case 'T':
        snprintf(out, 32, "%02d:%02d:%02d", t->hour, t->minute, t->second);
        return true;
    case '%':
        snprintf(out, 32, "%%");
        return true;
    default:
        return false;
    }
}

/* %-d and the like: a number without its zeros and spaces at the start. */
static const char *put_bare(const lf_template_time *t, char directive, char out[32])
{
    if (strchr("dmHIMSjye", directive) == NULL || !put_time(t, directive, out)) {
        return NULL;
    }
    while ((out[0] == '0' || out[0] == ' ') && out[1] != '\0') {
        out++;
    }
    return out;
}

static int32_t call_strftime(tpl_vm *vm, const tpl_args *args, tpl_value *out)
{
    tpl_slots a;
    const tpl_string *s = NULL;
    LF_TRY(tpl_bind(vm, "strftime_now", "format", 1, args, &a));
    LF_TRY(tpl_need_string(vm, "strftime_now", &a.v[0], &s));
    const lf_template_time *t = vm->now;
    if (t == NULL || t->month < 1 || t->month > 12 || t->day < 1 || t->day > 31 || t->year < 1 ||
        t->year > 9999) {
        return tpl_fail(vm, LFM2_E_TEXT, "template.date",
                        "the template asks for the date, and the caller gives no valid one");
    }
    tpl_text text = {0};
    for (size_t i = 0; i < s->len; i++) {
        char buffer[32];
        const char *written = buffer;
        if (s->text[i] != '%' || i + 1 == s->len) {
            LF_TRY(tpl_text_put(vm, &text, s->text + i, 1, s->data));
            continue;
        }
        i++;
        if (s->text[i] == '-' && i + 1 < s->len) {
            written = put_bare(t, s->text[++i], buffer);
        } else if (!put_time(t, s->text[i], buffer)) {
            written = NULL;
        }
        if (written != NULL) {
            LF_TRY(tpl_text_put(vm, &text, written, strlen(written), false));
        } else {
            return tpl_fail(vm, LFM2_E_UNSUPPORTED, "template.unsupported",
                            "strftime_now: the directive %%%c is not supported",
                            s->text[i] >= ' ' && s->text[i] < 0x7F ? s->text[i] : '?');
        }
    }
    return tpl_text_end(vm, &text, out);
}

int32_t tpl_call_builtin(tpl_vm *vm, int64_t builtin, const tpl_args *args, tpl_value *out)
{
    switch (builtin) {
    case RANGE:
        return call_range(vm, args, out);
    case DICT:
    case NAMESPACE:
        return call_dict(vm, builtin == NAMESPACE, args, out);
    case JOINER:
        return call_joiner(vm, args, out);
    case CYCLER:
        return call_cycler(vm, args, out);
    case RAISE:
        return call_raise(vm, args);
    case STRFTIME:
        return call_strftime(vm, args, out);
    default:
        return tpl_fail(vm, LFM2_E_UNSUPPORTED, "template.unsupported", "%s is not supported",
                        tpl_builtin_names[builtin]);
    }
}
