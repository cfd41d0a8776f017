/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the methods of dicts, lists and loops. */
#include "text/template/value.h"

#include <string.h>

static int32_t make_view(tpl_vm *vm, const tpl_value *dict, uint8_t view, tpl_value *out)
{
    const tpl_dict *d = dict->u.d;
    if (view != TPL_VIEW_ITEMS) {
        LF_TRY(tpl_seq_new(vm, TPL_VIEW, view == TPL_VIEW_KEYS ? d->keys : d->values, d->n, out));
    } else {
        LF_TRY(tpl_seq_new(vm, TPL_VIEW, NULL, 0, out));
        for (size_t i = 0; i < d->n; i++) {
            const tpl_value pair[2] = {d->keys[i], d->values[i]};
            tpl_value tuple;
            LF_TRY(tpl_seq_new(vm, TPL_TUPLE, pair, 2, &tuple));
            tuple.data = dict->data;
            LF_TRY(tpl_seq_push(vm, out, tuple));
        }
    }
    out->u.l->view = view;
    out->data = dict->data;
    return LFM2_OK;
}

static int32_t get(tpl_vm *vm, const tpl_value *dict, const tpl_args *args, tpl_value *out)
{
    tpl_slots a;
    const tpl_value *found = NULL;
    LF_TRY(tpl_bind(vm, "get", "key default", 1, args, &a));
    LF_TRY(tpl_dict_find(vm, dict->u.d, &a.v[0], &found));
    *out = found != NULL ? *found : a.given[1] ? a.v[1] : tpl_none();
    return LFM2_OK;
}

static int32_t copy(tpl_vm *vm, const tpl_value *v, tpl_value *out)
{
    if (v->type != TPL_DICT) {
        LF_TRY(tpl_seq_new(vm, TPL_LIST, v->u.l->items, v->u.l->n, out));
    } else {
        const tpl_dict *d = v->u.d;
        LF_TRY(tpl_dict_new(vm, d->n, out));
        out->u.d->n = d->n;
        out->u.d->depth = d->depth;
        if (d->n > 0) {
            memcpy(out->u.d->keys, d->keys, d->n * sizeof *d->keys);
            memcpy(out->u.d->values, d->values, d->n * sizeof *d->keys);
        }
    }
    out->data = v->data;
    return LFM2_OK;
}

static int32_t search(tpl_vm *vm, const tpl_value *v, bool count, const tpl_args *args,
                      tpl_value *out)
{
    tpl_slots a;
    int64_t n = 0;
    LF_TRY(tpl_bind(vm, count ? "count" : "index", "value", 1, args, &a));
    for (size_t i = 0; i < v->u.l->n; i++) {
        bool same = false;
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(tpl_compare_values(vm, TPL_EQ, &v->u.l->items[i], &a.v[0], &same));
        if (same && !count) {
            *out = tpl_int((int64_t)i, v->data);
            return LFM2_OK;
        }
        n += same;
    }
    *out = tpl_int(n, v->data);
    return count ? LFM2_OK : TPL_TYPE_ERROR(vm, "index: the value is not in the list");
}

int32_t tpl_call_method(tpl_vm *vm, const tpl_method *method, const tpl_args *args, tpl_value *out)
{
    static const char *const views[] = {"keys", "values", "items"};
    const tpl_value *v = &method->object;
    const char *name = method->name;
    tpl_slots none;
    if (v->type == TPL_STRING) {
        return tpl_call_string(vm, method, args, out);
    }
    if (v->type == TPL_LOOP || v->type == TPL_CYCLER) {
        return tpl_call_loop(vm, method, args, out);
    }
    for (uint8_t i = 0; v->type == TPL_DICT && i < 3; i++) {
        if (strcmp(name, views[i]) == 0) {
            LF_TRY(tpl_bind(vm, name, "", 0, args, &none));
            return make_view(vm, v, i, out);
        }
    }
    if (strcmp(name, "get") == 0) {
        return get(vm, v, args, out);
    }
    if (strcmp(name, "copy") == 0) {
        LF_TRY(tpl_bind(vm, name, "", 0, args, &none));
        return copy(vm, v, out);
    }
    if (strcmp(name, "index") == 0 || strcmp(name, "count") == 0) {
        return search(vm, v, name[0] == 'c', args, out);
    }
    return TPL_TYPE_ERROR(vm, "%s would change %s: values cannot be changed", name,
                          tpl_type_name(v));
}

int32_t tpl_call_loop(tpl_vm *vm, const tpl_method *method, const tpl_args *args, tpl_value *out)
{
    const tpl_value *v = &method->object;
    if (v->type == TPL_CYCLER) {
        tpl_slots none;
        tpl_seq *l = v->u.l;
        bool next = strcmp(method->name, "next") == 0;
        LF_TRY(tpl_bind(vm, method->name, "", 0, args, &none));
        *out = next ? l->items[l->pos] : tpl_none();
        l->pos = next ? (l->pos + 1) % l->n : 0;
        return LFM2_OK;
    }
    if (args->n_named > 0) {
        return TPL_TYPE_ERROR(vm, "%s takes no named arguments", method->name);
    }
    tpl_loop *loop = v->u.loop;
    if (strcmp(method->name, "cycle") == 0) {
        if (args->n == 0) {
            return TPL_TYPE_ERROR(vm, "cycle has no arguments");
        }
        *out = args->items[loop->index % args->n];
        return LFM2_OK;
    }
    tpl_value now;
    LF_TRY(tpl_seq_new(vm, TPL_TUPLE, args->items, args->n, &now));
    bool same = loop->has_changed && tpl_equal(vm, &loop->changed, &now);
    loop->changed = now;
    loop->has_changed = true;
    *out = tpl_bool(!same, false);
    return LFM2_OK;
}
