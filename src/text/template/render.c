/* SPDX-License-Identifier: Apache-2.0 */
/* Renders a compiled template, and divides the text into spans. */
#include "text/template/vm.h"

#include <string.h>

static int32_t set_variables(tpl_vm *vm, const lf_template_variable *variables, size_t n)
{
    const lf_template *t = vm->t;
    LF_TRY(tpl_new(vm, t->n_names, sizeof *vm->variables, &vm->variables));
    for (size_t i = 0; i < t->n_names; i++) {
        vm->variables[i] = tpl_undefined(t->names[i]);
    }
    for (size_t i = 0; tpl_builtin_names[i] != NULL; i++) {
        const char *name = tpl_builtin_names[i];
        uint32_t id = tpl_name_index(t, name, strlen(name));
        if (id != UINT32_MAX) {
            vm->variables[id] = (tpl_value){.type = TPL_BUILTIN, .u.i = (int64_t)i};
        }
    }
    for (size_t i = 0; i < n; i++) {
        const lf_template_variable *v = &variables[i];
        uint32_t id = tpl_name_index(t, v->name, strlen(v->name));
        if (id == UINT32_MAX) {
            continue;
        }
        vm->variables[id] = tpl_none();
        if (v->value != NULL) {
            LF_TRY(tpl_from_json(vm, v->value, !v->from_template, &vm->variables[id]));
        }
    }
    return LFM2_OK;
}

static size_t count_spans(const uint8_t *marks, size_t len)
{
    size_t n = len > 0;
    for (size_t i = 1; i < len; i++) {
        n += marks[i] != marks[i - 1];
    }
    return n;
}

static int32_t make_spans(const tpl_vm *vm, const tpl_text *text, lf_template_output *out)
{
    void *spans = NULL;
    size_t n = count_spans(text->marks, text->len);
    if (n > (vm->limits.memory - vm->memory) / sizeof(lf_template_span)) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.memory", "more than %zu bytes of memory",
                        vm->limits.memory);
    }
    LF_TRY(lf_arena_string(&out->arena, text->len > 0 ? text->text : "", text->len, &out->text));
    LF_TRY(lf_arena_new(&out->arena, n, sizeof(lf_template_span), "chat template", &spans));
    lf_template_span *s = spans;
    for (size_t i = 0; i < text->len; i++) {
        if (i == 0 || text->marks[i] != text->marks[i - 1]) {
            *s++ = (lf_template_span){.text = out->text + i, .from_template = text->marks[i] == 0};
        }
        s[-1].len++;
    }
    out->spans = spans;
    out->n_spans = n;
    out->len = text->len;
    return LFM2_OK;
}

int32_t lf_template_render(const lf_template *t, const lf_alloc *alloc,
                           const lf_template_limits *limits, const lf_template_variable *variables,
                           size_t n_variables, const lf_template_time *now, lf_template_output *out)
{
    tpl_text text = {0};
    tpl_vm vm = {.t = t, .limits = *limits, .now = now, .out = &text, .line = 1};
    *out = (lf_template_output){.text = ""};
    lf_arena_init(&out->arena, alloc);
    lf_arena_init(&vm.arena, alloc);
    int32_t status = LFM2_OK;
    LF_TRY_DONE(tpl_stack_grow(&vm));
    LF_TRY_DONE(set_variables(&vm, variables, n_variables));
    LF_TRY_DONE(tpl_run(&vm));
    LF_TRY_DONE(make_spans(&vm, &text, out));
done:
    lf_arena_free(&vm.arena);
    return status;
}

void lf_template_output_free(lf_template_output *out)
{
    lf_arena_free(&out->arena);
    *out = (lf_template_output){.text = ""};
}
