/* SPDX-License-Identifier: Apache-2.0 */
/* Appends instructions, constants and names to a template. */
#include "text/template/parse.h"

#include "common/utf8.h"

#include <string.h>

/* Space for one more item; old memory stays in the arena. */
static int32_t grow(lf_arena *arena, void *items, size_t n, size_t *cap, size_t item)
{
    if (n < *cap) {
        return LFM2_OK;
    }
    size_t larger = *cap > 0 ? 2 * *cap : 64;
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, larger, item, "chat template", &p));
    void *old = NULL;
    memcpy(&old, items, sizeof old);
    if (n > 0) {
        memcpy(p, old, n * item);
    }
    memcpy(items, &p, sizeof p);
    *cap = larger;
    return LFM2_OK;
}

int32_t tpl_emit(tpl_parser *p, tpl_op op, int32_t a, uint32_t n, uint32_t x)
{
    lf_template *t = p->t;
    LF_TRY(grow(&t->arena, &t->code, t->n_code, &t->cap_code, sizeof *t->code));
    t->code[t->n_code++] = (tpl_code){(uint8_t)op, (uint8_t)x, (uint16_t)n, a, p->now.line};
    return LFM2_OK;
}

int32_t tpl_emit_constant(tpl_parser *p, tpl_op op, tpl_value v, uint32_t x)
{
    lf_template *t = p->t;
    LF_TRY(grow(&t->arena, &t->constants, t->n_constants, &t->cap_constants, sizeof v));
    t->constants[t->n_constants++] = v;
    return tpl_emit(p, op, (int32_t)(t->n_constants - 1), 0, x);
}

static int32_t new_string(lf_template *t, const char *text, size_t len, const tpl_string **out)
{
    void *s = NULL;
    const char *copy = NULL;
    LF_TRY(lf_arena_new(&t->arena, 1, sizeof(tpl_string), "chat template", &s));
    LF_TRY(lf_arena_string(&t->arena, text, len, &copy));
    *(tpl_string *)s = (tpl_string){.text = copy, .len = len, .chars = tpl_count_chars(copy, len)};
    *out = s;
    return LFM2_OK;
}

int32_t tpl_emit_text(tpl_parser *p, tpl_op op, const char *text, size_t len, uint32_t x)
{
    tpl_value v = {.type = TPL_STRING};
    LF_TRY(new_string(p->t, text, len, &v.u.s));
    return tpl_emit_constant(p, op, v, x);
}

static uint32_t hash(const char *name, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)name[i]) * 16777619u;
    }
    return h;
}

/* The slot of a name, or the free one for it. The table is at most half full. */
static uint32_t slot_of(const lf_template *t, const char *name, size_t len)
{
    uint32_t i = hash(name, len) % TPL_NAME_SLOTS;
    while (t->slots[i] != 0) {
        const tpl_string *s = t->names[t->slots[i] - 1];
        if (s->len == len && memcmp(s->text, name, len) == 0) {
            break;
        }
        i = (i + 1) % TPL_NAME_SLOTS;
    }
    return i;
}

uint32_t tpl_name_index(const lf_template *t, const char *name, size_t len)
{
    uint32_t i = slot_of(t, name, len);
    return t->slots[i] != 0 ? t->slots[i] - 1u : UINT32_MAX;
}

int32_t tpl_name(tpl_parser *p, const char *name, size_t len, uint32_t *out)
{
    lf_template *t = p->t;
    uint32_t i = slot_of(t, name, len);
    if (t->slots[i] == 0) {
        if (t->n_names == TPL_MAX_NAMES) {
            return lf_fail(LFM2_E_LIMIT, "template.names",
                           "chat template, line %u: more than %d different names", p->now.line,
                           TPL_MAX_NAMES);
        }
        LF_TRY(new_string(t, name, len, &t->names[t->n_names]));
        t->slots[i] = (uint16_t)++t->n_names;
    }
    *out = t->slots[i] - 1u;
    return LFM2_OK;
}

int32_t tpl_emit_targets(tpl_parser *p, const tpl_targets *targets)
{
    for (size_t i = 0; i < targets->n; i++) {
        uint32_t a = targets->t[i].a;
        tpl_op op = targets->t[i].type == 0   ? TPL_OP_STORE
                    : targets->t[i].type == 1 ? TPL_OP_STORE_NS
                                              : TPL_OP_UNPACK;
        LF_TRY(tpl_emit(p, op, (int32_t)a, targets->t[i].n, 0));
    }
    return LFM2_OK;
}

int32_t tpl_emit_jump(tpl_parser *p, tpl_op op, int32_t *list)
{
    int32_t previous = *list;
    *list = (int32_t)p->t->n_code;
    return tpl_emit(p, op, previous, 0, 0);
}

void tpl_resolve(tpl_parser *p, int32_t *list)
{
    while (*list >= 0) {
        tpl_code *jump = &p->t->code[*list];
        int32_t next = jump->a;
        jump->a = (int32_t)p->t->n_code - *list;
        *list = next;
    }
}

static void reverse(tpl_code *code, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        tpl_code c = code[i];
        code[i] = code[n - 1 - i];
        code[n - 1 - i] = c;
    }
}

/* Moves the code from `middle` to the end before that from `from` to `middle`. */
void tpl_rotate(tpl_parser *p, size_t from, size_t middle)
{
    tpl_code *code = p->t->code;
    reverse(code + from, middle - from);
    reverse(code + middle, p->t->n_code - middle);
    reverse(code + from, p->t->n_code - from);
}
