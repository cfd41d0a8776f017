/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the filters that apply filters and tests to items, the tests, and the look-up of both.
 */
#include "text/template/value.h"

#include "common/utf8.h"

#include <math.h>
#include <string.h>

#define FILTER(name)                                                                               \
    static int32_t f_##name(tpl_vm *vm, const tpl_value *v, const tpl_args *args, tpl_value *out)
#define TEST(name)                                                                                 \
    static int32_t t_##name(tpl_vm *vm, const tpl_value *v, const tpl_args *args, tpl_value *out)

/* The entry that the argument `at` names. */
static int32_t named_entry(tpl_vm *vm, bool test, const tpl_args *args, size_t at,
                           const tpl_filter **out)
{
    const tpl_value *name = &args->items[at];
    if (name->type != TPL_STRING) {
        return TPL_TYPE_ERROR(vm, "expected the name of a %s", test ? "test" : "filter");
    }
    *out = test ? tpl_find_test(name->u.s->text, name->u.s->len)
                : tpl_find_filter(name->u.s->text, name->u.s->len);
    if (*out == NULL || (*out)->call == NULL) {
        lf_shown shown;
        return tpl_fail(vm, *out == NULL ? LFM2_E_TEXT : LFM2_E_UNSUPPORTED,
                        *out == NULL ? "template.type" : "template.unsupported", "no %s named %s",
                        test ? "test" : "filter", lf_show(&shown, name->u.s->text, name->u.s->len));
    }
    return LFM2_OK;
}

static int32_t apply(tpl_vm *vm, const tpl_filter *entry, const tpl_value *v, const tpl_args *args,
                     size_t skip, tpl_value *out)
{
    const tpl_args rest = {args->items + skip, args->n - skip, args->n_named};
    LF_TRY(tpl_charge(vm, 1));
    LF_TRY(tpl_enter_nested(vm));
    int32_t status = entry->call(vm, v, &rest, out);
    vm->nested--;
    return status;
}

FILTER(map)
{
    tpl_value *items = NULL;
    size_t n = 0;
    tpl_slots a = {.given = {false}};
    const tpl_filter *entry = NULL;
    LF_TRY(tpl_seq_new(vm, TPL_ITERATOR, NULL, 0, out));
    if (!tpl_truthy(v)) { /* Jinja looks at nothing then */
        return LFM2_OK;
    }
    if (args->n == 0) {
        LF_TRY(tpl_bind(vm, "map", "attribute default", 1, args, &a));
    } else {
        LF_TRY(named_entry(vm, false, args, 0, &entry));
    }
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    for (size_t i = 0; i < n; i++) {
        tpl_value mapped;
        if (entry != NULL) {
            LF_TRY(apply(vm, entry, &items[i], args, 1, &mapped));
        } else {
            LF_TRY(tpl_getpath(vm, &items[i], &a.v[0], a.given[1] ? &a.v[1] : NULL, &mapped));
        }
        LF_TRY(tpl_seq_push(vm, out, mapped));
    }
    return LFM2_OK;
}

static int32_t choose(tpl_vm *vm, const tpl_value *v, const tpl_args *args, bool attribute,
                      bool keep, tpl_value *out)
{
    tpl_value *items = NULL;
    size_t n = 0;
    size_t at = attribute;
    const tpl_filter *entry = NULL;
    LF_TRY(tpl_seq_new(vm, TPL_ITERATOR, NULL, 0, out));
    if (!tpl_truthy(v)) {
        return LFM2_OK;
    }
    if (args->n < at) {
        return TPL_TYPE_ERROR(vm, "the name of an attribute is missing");
    }
    if (args->n > at) {
        LF_TRY(named_entry(vm, true, args, at, &entry));
    }
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    for (size_t i = 0; i < n; i++) {
        tpl_value item = items[i], yes;
        if (attribute) {
            LF_TRY(tpl_getpath(vm, &items[i], &args->items[0], NULL, &item));
        }
        if (entry != NULL) {
            LF_TRY(apply(vm, entry, &item, args, at + 1, &yes));
        } else {
            yes = item;
        }
        LF_TRY(tpl_charge(vm, 1));
        if (tpl_truthy(&yes) == keep) {
            LF_TRY(tpl_seq_push(vm, out, items[i]));
        }
    }
    return LFM2_OK;
}

FILTER(select)
{
    return choose(vm, v, args, false, true, out);
}

FILTER(reject)
{
    return choose(vm, v, args, false, false, out);
}

FILTER(selectattr)
{
    return choose(vm, v, args, true, true, out);
}

FILTER(rejectattr)
{
    return choose(vm, v, args, true, false, out);
}

const tpl_filter tpl_select_filters[] = {{"map", f_map},
                                         {"select", f_select},
                                         {"reject", f_reject},
                                         {"selectattr", f_selectattr},
                                         {"rejectattr", f_rejectattr},
                                         {NULL, NULL}};

/* ---- Tests ---- */

static int32_t answer(tpl_vm *vm, const tpl_args *args, bool yes, tpl_value *out)
{
    tpl_slots a;
    LF_TRY(tpl_bind(vm, "the test", "", 0, args, &a));
    *out = tpl_bool(yes, false);
    return LFM2_OK;
}

#define TYPE_TEST(name, condition)                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        return answer(vm, args, condition, out);                                                   \
    }

TYPE_TEST(boolean, v->type == TPL_BOOL)
TYPE_TEST(callable, (v->type >= TPL_MACRO && v->type <= TPL_LOOP) || v->type == TPL_JOINER ||
                        v->type == TPL_UNDEFINED)
TYPE_TEST(defined, v->type != TPL_UNDEFINED)
TYPE_TEST(undefined, v->type == TPL_UNDEFINED)
TYPE_TEST(none, v->type == TPL_NONE)
TYPE_TEST(is_true, v->type == TPL_BOOL && v->u.b)
TYPE_TEST(is_false, v->type == TPL_BOOL && !v->u.b)
TYPE_TEST(integer, v->type == TPL_INT || v->type == TPL_BIG)
TYPE_TEST(float, v->type == TPL_FLOAT)
TYPE_TEST(number, v->type >= TPL_BOOL && v->type <= TPL_BIG)
TYPE_TEST(string, v->type == TPL_STRING)
TYPE_TEST(escaped, v->type == TPL_STRING && v->u.s->markup)
TYPE_TEST(mapping, v->type == TPL_DICT)
TYPE_TEST(iterable, tpl_iterable(v))
TYPE_TEST(sequence, (v->type >= TPL_STRING && v->type <= TPL_RANGE) || v->type == TPL_DICT ||
                        v->type == TPL_UNDEFINED)
TYPE_TEST(filter, v->type == TPL_STRING && tpl_find_filter(v->u.s->text, v->u.s->len) != NULL)
TYPE_TEST(test, v->type == TPL_STRING && tpl_find_test(v->u.s->text, v->u.s->len) != NULL)

static int32_t case_test(tpl_vm *vm, const tpl_value *v, const tpl_args *args, bool upper,
                         tpl_value *out)
{
    tpl_value text;
    LF_TRY(tpl_str(vm, v, &text));
    LF_TRY(tpl_charge(vm, text.u.s->len / 16));
    return answer(vm, args, tpl_all_case(text.u.s, upper), out);
}

TEST(upper)
{
    return case_test(vm, v, args, true, out);
}

TEST(lower)
{
    return case_test(vm, v, args, false, out);
}

static int32_t remainder_test(tpl_vm *vm, const tpl_value *v, const tpl_value *by, int64_t want,
                              tpl_value *out)
{
    tpl_value r, wanted = tpl_int(want, false);
    LF_TRY(tpl_arithmetic(vm, '%', v, by, &r));
    *out = tpl_bool(tpl_equal(vm, &r, &wanted), false);
    return LFM2_OK;
}

TEST(odd)
{
    tpl_value two = tpl_int(2, false);
    LF_TRY(answer(vm, args, false, out));
    return remainder_test(vm, v, &two, 1, out);
}

TEST(even)
{
    tpl_value two = tpl_int(2, false);
    LF_TRY(answer(vm, args, false, out));
    return remainder_test(vm, v, &two, 0, out);
}

TEST(divisibleby)
{
    tpl_slots a;
    LF_TRY(tpl_bind(vm, "divisibleby", "num", 1, args, &a));
    return remainder_test(vm, v, &a.v[0], 0, out);
}

static int32_t compare_test(tpl_vm *vm, tpl_compare op, const tpl_value *v, const tpl_args *args,
                            tpl_value *out)
{
    tpl_slots a;
    bool yes = false;
    LF_TRY(tpl_bind(vm, "the comparison", "b", 1, args, &a));
    LF_TRY(tpl_compare_values(vm, op, v, &a.v[0], &yes));
    *out = tpl_bool(yes, false);
    return LFM2_OK;
}

#define COMPARE_TEST(name, op)                                                                     \
    TEST(name)                                                                                     \
    {                                                                                              \
        return compare_test(vm, op, v, args, out);                                                 \
    }

COMPARE_TEST(eq, TPL_EQ)
COMPARE_TEST(ne, TPL_NE)
COMPARE_TEST(lt, TPL_LT)
COMPARE_TEST(le, TPL_LE)
COMPARE_TEST(gt, TPL_GT)
COMPARE_TEST(ge, TPL_GE)
COMPARE_TEST(in, TPL_IN)

/* Identity. Python shares small integers and constant strings, so equal scalars count as the same.
 */
TEST(sameas)
{
    tpl_slots a;
    LF_TRY(tpl_bind(vm, "sameas", "other", 1, args, &a));
    bool same = v->type == a.v[0].type &&
                (v->type < TPL_LIST ? tpl_equal(vm, v, &a.v[0]) : v->u.l == a.v[0].u.l);
    *out = tpl_bool(same, false);
    return LFM2_OK;
}

const tpl_filter tpl_tests[] = {{"boolean", t_boolean},
                                {"callable", t_callable},
                                {"defined", t_defined},
                                {"undefined", t_undefined},
                                {"none", t_none},
                                {"true", t_is_true},
                                {"false", t_is_false},
                                {"integer", t_integer},
                                {"float", t_float},
                                {"number", t_number},
                                {"string", t_string},
                                {"escaped", t_escaped},
                                {"mapping", t_mapping},
                                {"iterable", t_iterable},
                                {"sequence", t_sequence},
                                {"filter", t_filter},
                                {"test", t_test},
                                {"upper", t_upper},
                                {"lower", t_lower},
                                {"odd", t_odd},
                                {"even", t_even},
                                {"divisibleby", t_divisibleby},
                                {"sameas", t_sameas},
                                {"in", t_in},
                                {"eq", t_eq},
                                {"equalto", t_eq},
                                {"==", t_eq},
                                {"ne", t_ne},
                                {"!=", t_ne},
                                {"lt", t_lt},
                                {"lessthan", t_lt},
                                {"<", t_lt},
                                {"le", t_le},
                                {"<=", t_le},
                                {"gt", t_gt},
                                {"greaterthan", t_gt},
                                {">", t_gt},
                                {"ge", t_ge},
                                {">=", t_ge},
                                {NULL, NULL}};

/* ---- Look-up ---- */

static const tpl_filter *find(const tpl_filter *table, const char *name, size_t len)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0) {
            return table;
        }
    }
    return NULL;
}

const tpl_filter *tpl_find_filter(const char *name, size_t len)
{
    const tpl_filter *f = find(tpl_text_filters, name, len);
    f = f != NULL ? f : find(tpl_list_filters, name, len);
    return f != NULL ? f : find(tpl_select_filters, name, len);
}

const tpl_filter *tpl_find_test(const char *name, size_t len)
{
    return find(tpl_tests, name, len);
}
