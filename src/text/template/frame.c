/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the stack, the frames, the variables and the calls of the renderer. */
#include "text/template/vm.h"

#include "common/utf8.h"

#include <string.h>

/* ---- Stack ---- */

int32_t tpl_stack_grow(tpl_vm *vm)
{
    return tpl_grow(vm, &vm->stack, vm->n_stack, &vm->cap_stack, 64, sizeof *vm->stack);
}

int32_t tpl_push(tpl_vm *vm, tpl_value v)
{
    if (vm->n_stack == vm->cap_stack) {
        LF_TRY(tpl_stack_grow(vm));
    }
    vm->stack[vm->n_stack++] = v;
    return LFM2_OK;
}

tpl_value tpl_pop(tpl_vm *vm)
{
    return vm->stack[--vm->n_stack];
}

tpl_value *tpl_top(tpl_vm *vm)
{
    return &vm->stack[vm->n_stack - 1];
}

/* ---- Variables ---- */

static tpl_binding *find_binding(tpl_vm *vm, const tpl_scope *scope, uint32_t name)
{
    size_t n = 0;
    tpl_binding *b = scope->first;
    while (b != NULL && b->name != name) {
        b = b->next;
        n++;
    }
    tpl_spend(vm, n / 8);
    return b;
}

tpl_value tpl_load(tpl_vm *vm, uint32_t name)
{
    for (const tpl_scope *s = vm->scope; s != NULL; s = s->parent) {
        const tpl_binding *b = find_binding(vm, s, name);
        if (b != NULL) {
            return b->value;
        }
    }
    return vm->variables[name];
}

int32_t tpl_store(tpl_vm *vm, uint32_t name, tpl_value v)
{
    if (vm->scope == NULL) {
        vm->variables[name] = v;
        return LFM2_OK;
    }
    tpl_binding *b = find_binding(vm, vm->scope, name);
    if (b == NULL) {
        b = vm->free_bindings;
        if (b != NULL) {
            vm->free_bindings = b->next;
        } else {
            LF_TRY(tpl_new(vm, 1, sizeof *b, &b));
        }
        b->name = name;
        b->next = vm->scope->first;
        vm->scope->first = b;
    }
    b->value = v;
    return LFM2_OK;
}

void tpl_clear_scope(tpl_vm *vm, tpl_scope *scope)
{
    while (scope->first != NULL) {
        tpl_binding *b = scope->first;
        scope->first = b->next;
        b->next = vm->free_bindings;
        vm->free_bindings = b;
    }
}

/* ---- Frames ---- */

tpl_frame *tpl_top_frame(tpl_vm *vm)
{
    return &vm->frames[vm->n_frames - 1];
}

/* Begins a frame with a new scope; CAPTURE and CALL also begin a text. */
int32_t tpl_push_frame(tpl_vm *vm, tpl_frame_type type, tpl_scope *parent, tpl_frame **out)
{
    LF_TRY(tpl_grow(vm, &vm->frames, vm->n_frames, &vm->cap_frames, 16, sizeof *vm->frames));
    tpl_scope *scope = NULL;
    tpl_text *text = vm->out;
    LF_TRY(tpl_new(vm, 1, sizeof *scope, &scope));
    *scope = (tpl_scope){.parent = parent};
    if (type == TPL_FRAME_CAPTURE || type == TPL_FRAME_CALL) {
        LF_TRY(tpl_new(vm, 1, sizeof *text, &text));
        *text = (tpl_text){0};
    }
    tpl_frame *f = &vm->frames[vm->n_frames++];
    *f = (tpl_frame){.type = type, .scope = vm->scope, .out = vm->out, .text = text};
    vm->scope = scope;
    vm->out = text;
    *out = f;
    return LFM2_OK;
}

void tpl_pop_frame(tpl_vm *vm)
{
    tpl_frame *f = &vm->frames[--vm->n_frames];
    if (!vm->scope->captured) {
        tpl_clear_scope(vm, vm->scope);
    }
    vm->scope = f->scope;
    vm->out = f->out;
}

/* ---- Calls ---- */

static int32_t wrong_argument(tpl_vm *vm, const tpl_macro_code *m, const tpl_string *name)
{
    lf_shown macro, shown;
    const tpl_string *s = m->name != UINT32_MAX ? vm->t->names[m->name] : NULL;
    return TPL_TYPE_ERROR(vm, "the macro %s takes no argument %s",
                          s != NULL ? lf_show(&macro, s->text, s->len) : "caller",
                          lf_show(&shown, name->text, name->len));
}

static int32_t bind_named(tpl_vm *vm, const tpl_macro_code *m, const tpl_value *pairs, size_t n,
                          uint32_t *given)
{
    tpl_value rest;
    bool has_caller = false;
    LF_TRY(tpl_dict_new(vm, 0, &rest));
    for (size_t i = 0; i < n; i++) {
        const tpl_string *name = pairs[2 * i].u.s;
        uint32_t id = tpl_name_index(vm->t, name->text, name->len);
        uint32_t p = 0;
        while (p < m->n_params && m->params[p] != id) {
            p++;
        }
        if (p < m->n_params && (*given >> p & 1) == 0) {
            *given |= 1u << p;
            LF_TRY(tpl_store(vm, id, pairs[2 * i + 1]));
        } else if (id == vm->t->name_caller && m->uses_caller && p == m->n_params) {
            has_caller = true;
            LF_TRY(tpl_store(vm, id, pairs[2 * i + 1]));
        } else if (m->uses_kwargs && p == m->n_params) {
            LF_TRY(tpl_dict_set(vm, &rest, &pairs[2 * i], &pairs[2 * i + 1]));
        } else {
            return wrong_argument(vm, m, name);
        }
    }
    if (m->uses_caller && !has_caller) {
        uint32_t p = 0;
        while (p < m->n_params && m->params[p] != vm->t->name_caller) {
            p++;
        }
        if (p == m->n_params) {
            LF_TRY(
                tpl_store(vm, vm->t->name_caller, tpl_undefined(vm->t->names[vm->t->name_caller])));
        }
    }
    return m->uses_kwargs ? tpl_store(vm, vm->t->name_kwargs, rest) : LFM2_OK;
}

/* Begins a macro. The arguments lie on the stack. */
static int32_t enter_macro(tpl_vm *vm, const tpl_macro *macro, size_t base, size_t n,
                           size_t n_named)
{
    const tpl_macro_code *m = macro->code;
    const tpl_value *args = vm->stack + base + 1;
    tpl_frame *f = NULL;
    if (++vm->n_calls > vm->limits.calls) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.calls", "macro calls nested more than %zu deep",
                        vm->limits.calls);
    }
    LF_TRY(tpl_push_frame(vm, TPL_FRAME_CALL, macro->scope, &f));
    f->back = vm->pc;
    f->line = vm->line;
    uint32_t given = 0;
    for (uint32_t i = 0; i < m->n_params; i++) {
        given |= i < n ? 1u << i : 0;
        LF_TRY(tpl_store(vm, m->params[i],
                         i < n ? args[i] : tpl_undefined(vm->t->names[m->params[i]])));
    }
    if (n > m->n_params && !m->uses_varargs) {
        return TPL_TYPE_ERROR(vm, "a macro has %zu arguments; allowed: %u", n, m->n_params);
    }
    if (m->uses_varargs) {
        tpl_value rest;
        size_t more = n > m->n_params ? n - m->n_params : 0;
        LF_TRY(tpl_seq_new(vm, TPL_TUPLE, args + (n - more), more, &rest));
        LF_TRY(tpl_store(vm, vm->t->name_varargs, rest));
    }
    LF_TRY(bind_named(vm, m, args + n, n_named, &given));
    tpl_top_frame(vm)->given = given;
    vm->n_stack = base;
    vm->pc = m->entry;
    return LFM2_OK;
}

int32_t tpl_return(tpl_vm *vm)
{
    tpl_frame *f = tpl_top_frame(vm);
    tpl_value text;
    vm->pc = f->back;
    vm->line = f->line;
    vm->n_calls--;
    LF_TRY(tpl_text_end(vm, f->text, &text));
    tpl_pop_frame(vm);
    return tpl_push(vm, text);
}

static int32_t call_joiner(tpl_vm *vm, const tpl_value *v, size_t n, tpl_value *out)
{
    if (n > 0) {
        return TPL_TYPE_ERROR(vm, "a joiner takes no arguments");
    }
    bool first = v->u.l->pos == 0;
    v->u.l->pos = 1;
    *out = v->u.l->items[0];
    return first ? tpl_string_new(vm, "", 0, false, out) : LFM2_OK;
}

int32_t tpl_call(tpl_vm *vm, size_t n, size_t n_named)
{
    size_t base = vm->n_stack - n - 2 * n_named - 1;
    const tpl_value callee = vm->stack[base];
    const tpl_args args = {vm->stack + base + 1, n, n_named};
    tpl_value result;
    switch ((tpl_type)callee.type) {
    case TPL_MACRO:
        return enter_macro(vm, callee.u.macro, base, n, n_named);
    case TPL_METHOD:
        LF_TRY(tpl_call_method(vm, callee.u.method, &args, &result));
        break;
    case TPL_BUILTIN:
        LF_TRY(tpl_call_builtin(vm, callee.u.i, &args, &result));
        break;
    case TPL_JOINER:
        LF_TRY(call_joiner(vm, &callee, n + n_named, &result));
        break;
    case TPL_UNDEFINED: {
        lf_shown shown;
        return TPL_TYPE_ERROR(
            vm, "%s is undefined and cannot be called",
            callee.u.s != NULL ? lf_show(&shown, callee.u.s->text, callee.u.s->len) : "a value");
    }
    default:
        return TPL_TYPE_ERROR(vm, "%s cannot be called", tpl_type_name(&callee));
    }
    vm->n_stack = base;
    return tpl_push(vm, result);
}
