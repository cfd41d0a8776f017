/* SPDX-License-Identifier: Apache-2.0 */
/* Executes the instructions of a template. */
#include "text/template/vm.h"

#include "common/utf8.h"

#include <string.h>

#define OP(name) static int32_t op_##name(tpl_vm *vm, const tpl_code *in)

static void jump(tpl_vm *vm, const tpl_code *in)
{
    vm->pc = (uint32_t)(in - vm->t->code + in->a);
}

/* ---- Values ---- */

OP(CONST)
{
    return tpl_push(vm, vm->t->constants[in->a]);
}

OP(LOAD)
{
    return tpl_push(vm, tpl_load(vm, (uint32_t)in->a));
}

OP(STORE)
{
    return tpl_store(vm, (uint32_t)in->a, tpl_pop(vm));
}

OP(STORE_NS)
{
    tpl_value v = tpl_pop(vm);
    tpl_value space = tpl_load(vm, (uint32_t)in->a);
    tpl_value key = {.type = TPL_STRING, .u.s = vm->t->names[in->n]};
    if (space.type != TPL_NAMESPACE) {
        return TPL_TYPE_ERROR(vm, "cannot set an attribute of %s", tpl_type_name(&space));
    }
    return tpl_dict_set(vm, &space, &key, &v);
}

OP(NEGATE)
{
    tpl_value v = tpl_pop(vm);
    return tpl_negate(vm, &v, in->x != 0, &vm->stack[vm->n_stack++]);
}

OP(NOT)
{
    (void)in;
    *tpl_top(vm) = tpl_bool(!tpl_truthy(tpl_top(vm)), false);
    return LFM2_OK;
}

OP(ARITHMETIC)
{
    tpl_value b = tpl_pop(vm);
    tpl_value a = *tpl_top(vm);
    return tpl_arithmetic(vm, (char)in->x, &a, &b, tpl_top(vm));
}

/* ~ makes plain strings also of escaped ones. */
OP(CONCAT)
{
    (void)in;
    tpl_value b = tpl_pop(vm);
    tpl_value a = *tpl_top(vm);
    LF_TRY(tpl_str(vm, &a, &a));
    LF_TRY(tpl_str(vm, &b, &b));
    LF_TRY(tpl_string_add(vm, a.u.s, b.u.s, tpl_top(vm)));
    if (tpl_top(vm)->u.s->markup) {
        tpl_string *plain = NULL;
        LF_TRY(tpl_new(vm, 1, sizeof *plain, &plain));
        *plain = *tpl_top(vm)->u.s;
        plain->markup = false;
        tpl_top(vm)->u.s = plain;
    }
    return LFM2_OK;
}

OP(COMPARE)
{
    bool yes = false;
    tpl_value b = tpl_pop(vm);
    LF_TRY(tpl_compare_values(vm, (tpl_compare)in->x, tpl_top(vm), &b, &yes));
    *tpl_top(vm) = tpl_bool(yes, false);
    return LFM2_OK;
}

OP(CHAIN)
{
    bool yes = false;
    tpl_value b = tpl_pop(vm);
    LF_TRY(tpl_compare_values(vm, (tpl_compare)in->x, tpl_top(vm), &b, &yes));
    *tpl_top(vm) = yes ? b : tpl_bool(false, false);
    if (!yes) {
        jump(vm, in);
    }
    return LFM2_OK;
}

OP(JUMP)
{
    jump(vm, in);
    return LFM2_OK;
}

OP(JUMP_FALSE)
{
    tpl_value v = tpl_pop(vm);
    if (!tpl_truthy(&v)) {
        jump(vm, in);
    }
    return LFM2_OK;
}

/* Keeps the value and jumps if it is true and `when` is set, or false and `when` is not. */
static int32_t short_circuit(tpl_vm *vm, const tpl_code *in, bool when)
{
    if (tpl_truthy(tpl_top(vm)) == when) {
        jump(vm, in);
    } else {
        tpl_pop(vm);
    }
    return LFM2_OK;
}

OP(AND)
{
    return short_circuit(vm, in, false);
}

OP(OR)
{
    return short_circuit(vm, in, true);
}

static int32_t sequence(tpl_vm *vm, const tpl_code *in, tpl_type type)
{
    tpl_value v;
    size_t n = (size_t)in->a;
    LF_TRY(tpl_seq_new(vm, type, vm->stack + vm->n_stack - n, n, &v));
    vm->n_stack -= n;
    return tpl_push(vm, v);
}

OP(LIST)
{
    return sequence(vm, in, TPL_LIST);
}

OP(TUPLE)
{
    return sequence(vm, in, TPL_TUPLE);
}

OP(DICT)
{
    tpl_value v;
    size_t n = (size_t)in->a;
    const tpl_value *pairs = vm->stack + vm->n_stack - 2 * n;
    LF_TRY(tpl_dict_new(vm, n, &v));
    for (size_t i = 0; i < n; i++) {
        LF_TRY(tpl_dict_set(vm, &v, &pairs[2 * i], &pairs[2 * i + 1]));
    }
    vm->n_stack -= 2 * n;
    return tpl_push(vm, v);
}

OP(GETATTR)
{
    tpl_value object = *tpl_top(vm);
    return tpl_getattr(vm, &object, vm->t->names[in->a], tpl_top(vm));
}

OP(GETITEM)
{
    (void)in;
    tpl_value key = tpl_pop(vm);
    tpl_value object = *tpl_top(vm);
    return tpl_getitem(vm, &object, &key, tpl_top(vm));
}

OP(SLICE)
{
    (void)in;
    vm->n_stack -= 3;
    tpl_value object = *tpl_top(vm);
    return tpl_slice(vm, &object, vm->stack + vm->n_stack, tpl_top(vm));
}

OP(CALL)
{
    return tpl_call(vm, in->n, in->x);
}

/* Filters and tests are functions of the value below their arguments. */
OP(FILTER)
{
    size_t n = in->n + 2u * in->x;
    const tpl_filter *entry = NULL;
    memcpy(&entry, &vm->t->constants[in->a].u, sizeof entry);
    const tpl_args args = {vm->stack + vm->n_stack - n, in->n, in->x};
    tpl_value v = vm->stack[vm->n_stack - n - 1], out;
    LF_TRY(entry->call(vm, &v, &args, &out));
    vm->n_stack -= n;
    *tpl_top(vm) = out;
    return LFM2_OK;
}

OP(TEST)
{
    return op_FILTER(vm, in);
}

OP(UNKNOWN)
{
    const tpl_string *name = vm->t->constants[in->a].u.s;
    bool test = in->x != 0;
    bool known = !test && tpl_find_filter(name->text, name->len) != NULL;
    lf_shown shown;
    return tpl_fail(vm, known ? LFM2_E_UNSUPPORTED : LFM2_E_TEXT,
                    known ? "template.unsupported" : "template.type", "%s %s %s",
                    known ? "the filter" : "there is no",
                    known  ? ""
                    : test ? "test"
                           : "filter",
                    lf_show(&shown, name->text, name->len));
}

/* ---- Output ---- */

static int32_t check_output(tpl_vm *vm)
{
    if (vm->out->len > vm->limits.output) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.output", "more than %zu bytes of output",
                        vm->limits.output);
    }
    return LFM2_OK;
}

OP(PRINT)
{
    tpl_value v = tpl_pop(vm);
    if (in->x != 0 && v.type != TPL_STRING) {
        return TPL_TYPE_ERROR(vm, "the filters of a block give %s", tpl_type_name(&v));
    }
    LF_TRY(tpl_text_put_value(vm, vm->out, &v));
    return check_output(vm);
}

OP(TEXT)
{
    LF_TRY(tpl_text_put_string(vm, vm->out, vm->t->constants[in->a].u.s));
    return check_output(vm);
}

OP(CAPTURE)
{
    (void)in;
    tpl_frame *f = NULL;
    return tpl_push_frame(vm, TPL_FRAME_CAPTURE, vm->scope, &f);
}

OP(CAPTURE_END)
{
    (void)in;
    tpl_value text;
    LF_TRY(tpl_text_end(vm, vm->out, &text));
    tpl_pop_frame(vm);
    return tpl_push(vm, text);
}

OP(SCOPE)
{
    (void)in;
    tpl_frame *f = NULL;
    return tpl_push_frame(vm, TPL_FRAME_SCOPE, vm->scope, &f);
}

OP(SCOPE_END)
{
    (void)in;
    tpl_pop_frame(vm);
    return LFM2_OK;
}

OP(UNWIND)
{
    for (int32_t i = 0; i < in->a; i++) {
        tpl_pop_frame(vm);
    }
    return LFM2_OK;
}

/* ---- Loops ---- */

OP(UNPACK)
{
    tpl_value v = tpl_pop(vm), *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_iterate(vm, &v, &items, &n));
    if (n != (size_t)in->a) {
        return TPL_TYPE_ERROR(vm, "cannot unpack %zu values into %d names", n, in->a);
    }
    while (n > 0) {
        LF_TRY(tpl_push(vm, items[--n]));
    }
    return LFM2_OK;
}

OP(FOR)
{
    tpl_value v = tpl_pop(vm), *items = NULL;
    size_t n = 0;
    tpl_frame *f = NULL;
    tpl_loop *loop = NULL;
    LF_TRY(tpl_iterate(vm, &v, &items, &n));
    LF_TRY(tpl_new(vm, 1, sizeof *loop, &loop));
    *loop = (tpl_loop){.items = items, .n = n, .index = SIZE_MAX};
    LF_TRY(tpl_push_frame(vm, TPL_FRAME_LOOP, vm->scope, &f));
    f->loop = loop;
    f->filters = in->n != 0;
    if (f->filters) {
        LF_TRY(tpl_seq_new(vm, TPL_LIST, NULL, 0, &f->kept));
    }
    return LFM2_OK;
}

OP(FOR_NEXT)
{
    tpl_frame *f = tpl_top_frame(vm);
    tpl_clear_scope(vm, vm->scope);
    f->loop->index++;
    if (f->loop->index >= f->loop->n) {
        jump(vm, in);
        return LFM2_OK;
    }
    if (!f->filters) {
        tpl_value loop = {.type = TPL_LOOP, .u.loop = f->loop};
        LF_TRY(tpl_store(vm, vm->t->name_loop, loop));
    }
    return tpl_push(vm, f->loop->items[f->loop->index]);
}

OP(FOR_KEEP)
{
    tpl_value yes = tpl_pop(vm);
    tpl_frame *f = tpl_top_frame(vm);
    jump(vm, in);
    return tpl_truthy(&yes) ? tpl_seq_push(vm, &f->kept, f->loop->items[f->loop->index]) : LFM2_OK;
}

OP(FOR_KEPT)
{
    (void)in;
    tpl_value kept = tpl_top_frame(vm)->kept;
    tpl_pop_frame(vm);
    return tpl_push(vm, kept);
}

OP(FOR_MARK)
{
    (void)in;
    tpl_top_frame(vm)->marked = true;
    return LFM2_OK;
}

OP(FOR_END)
{
    bool marked = tpl_top_frame(vm)->marked;
    tpl_pop_frame(vm);
    if (marked) {
        jump(vm, in);
    }
    return LFM2_OK;
}

/* ---- Macros ---- */

OP(MACRO)
{
    tpl_macro *m = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *m, &m));
    *m = (tpl_macro){vm->t->macros[in->a], vm->scope};
    for (tpl_scope *s = vm->scope; s != NULL && !s->captured; s = s->parent) {
        s->captured = true;
    }
    return tpl_push(vm, (tpl_value){.type = TPL_MACRO, .u.macro = m});
}

OP(DEFAULT)
{
    if ((tpl_top_frame(vm)->given >> in->n & 1) != 0) {
        jump(vm, in);
    }
    return LFM2_OK;
}

OP(RETURN)
{
    (void)in;
    return tpl_return(vm);
}

OP(END)
{
    (void)vm;
    (void)in;
    return LFM2_OK;
}

int32_t tpl_run(tpl_vm *vm)
{
    static int32_t (*const ops[])(tpl_vm *, const tpl_code *) = {
#define X(name) op_##name,
        TPL_OPS(X)
#undef X
    };
    for (;;) {
        const tpl_code *in = &vm->t->code[vm->pc++];
        vm->line = in->line;
        LF_TRY(tpl_charge(vm, 1));
        if (in->op == TPL_OP_END) {
            return LFM2_OK;
        }
        LF_TRY(ops[in->op](vm, in));
    }
}
