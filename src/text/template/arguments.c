/* SPDX-License-Identifier: Apache-2.0 */
/* Distributes the arguments of a call by position and name. */
#include "text/template/value.h"

#include "common/utf8.h"

#include <string.h>

/* The index of a name in a list divided by spaces; -1 if it is not there. */
static int index_of(const char *names, const tpl_string *name)
{
    int i = 0;
    for (const char *p = names; *p != '\0'; i++) {
        size_t len = strcspn(p, " ");
        if (len == name->len && memcmp(p, name->text, len) == 0) {
            return i;
        }
        p += len;
        p += *p == ' ';
    }
    return -1;
}

static size_t count(const char *names)
{
    size_t n = *names != '\0';
    for (; *names != '\0'; names++) {
        n += *names == ' ';
    }
    return n;
}

int32_t tpl_bind(tpl_vm *vm, const char *what, const char *names, size_t required,
                 const tpl_args *args, tpl_slots *out)
{
    *out = (tpl_slots){.given = {false}};
    size_t most = count(names);
    if (args->n > most) {
        return TPL_TYPE_ERROR(vm, "%s has %zu arguments; allowed: %zu", what, args->n, most);
    }
    for (size_t i = 0; i < args->n; i++) {
        out->v[i] = args->items[i];
        out->given[i] = true;
    }
    for (size_t i = 0; i < args->n_named; i++) {
        const tpl_value *pair = args->items + args->n + 2 * i;
        int at = index_of(names, pair[0].u.s);
        if (at < 0 || out->given[at]) {
            lf_shown shown;
            return TPL_TYPE_ERROR(vm, "%s: unexpected argument %s", what,
                                  lf_show(&shown, pair[0].u.s->text, pair[0].u.s->len));
        }
        out->v[at] = pair[1];
        out->given[at] = true;
    }
    for (size_t i = 0; i < required; i++) {
        if (!out->given[i]) {
            return TPL_TYPE_ERROR(vm, "%s lacks an argument", what);
        }
    }
    return LFM2_OK;
}

int32_t tpl_need_int(tpl_vm *vm, const char *what, const tpl_value *v, int64_t *out)
{
    if (!tpl_integer(v, out)) {
        return TPL_TYPE_ERROR(vm, "%s takes an integer, not %s", what, tpl_type_name(v));
    }
    return LFM2_OK;
}

int32_t tpl_need_string(tpl_vm *vm, const char *what, const tpl_value *v, const tpl_string **out)
{
    if (v->type != TPL_STRING) {
        return TPL_TYPE_ERROR(vm, "%s takes a string, not %s", what, tpl_type_name(v));
    }
    *out = v->u.s;
    return LFM2_OK;
}
