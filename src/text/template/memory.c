/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the limits and the errors of the renderer. */
#include "text/template/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int32_t tpl_fail(const tpl_vm *vm, int32_t status, const char *code, const char *format, ...)
{
    char text[768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return lf_fail(status, code, "chat template, line %u: %s", vm->line, text);
}

int32_t tpl_new(tpl_vm *vm, size_t count, size_t item, void *out)
{
    size_t bytes = 0;
    if (!lf_mul_size(count, item, &bytes) || bytes > vm->limits.memory - vm->memory) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.memory", "more than %zu bytes of memory",
                        vm->limits.memory);
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(&vm->arena, bytes, 1, "chat template", &p));
    vm->memory += (bytes + 15) & ~(size_t)15;
    vm->memory = vm->memory < vm->limits.memory ? vm->memory : vm->limits.memory;
    memcpy(out, &p, sizeof p);
    return tpl_charge(vm, bytes / 256);
}

int32_t tpl_grow(tpl_vm *vm, void *items, size_t n, size_t *cap, size_t first, size_t item)
{
    if (n < *cap) {
        return LFM2_OK;
    }
    size_t larger = *cap > 0 ? 2 * *cap : first;
    void *p = NULL;
    void *old = NULL;
    LF_TRY(tpl_new(vm, larger, item, &p));
    memcpy(&old, items, sizeof old);
    if (n > 0) {
        memcpy(p, old, n * item);
    }
    memcpy(items, &p, sizeof p);
    *cap = larger;
    return LFM2_OK;
}

void tpl_spend(tpl_vm *vm, size_t steps)
{
    size_t left = vm->limits.steps - vm->steps;
    vm->steps += steps < left ? steps : left;
}

int32_t tpl_charge(tpl_vm *vm, size_t steps)
{
    if (steps > vm->limits.steps - vm->steps) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.steps", "more than %zu steps",
                        vm->limits.steps);
    }
    vm->steps += steps;
    return LFM2_OK;
}

int32_t tpl_enter_nested(tpl_vm *vm)
{
    enum { MAX_NESTED = 4 };
    if (vm->nested == MAX_NESTED) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.nesting", "functions nested more than %d deep",
                        MAX_NESTED);
    }
    vm->nested++;
    return LFM2_OK;
}
