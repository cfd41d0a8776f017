/* SPDX-License-Identifier: Apache-2.0 */
/* Divides a template into text and tags, and compiles it. */
#include "text/template/parse.h"

#include "common/utf8.h"

#include <string.h>

lf_template_limits lf_template_limits_default(void)
{
    return (lf_template_limits){.template_bytes = 512 << 10,
                                .steps = 5000000,
                                .memory = 40 << 20,
                                .output = 4 << 20,
                                .calls = 64};
}

static bool starts(const tpl_lexer *lex, size_t at, const char *text)
{
    size_t n = strlen(text);
    return lex->len - at >= n && memcmp(lex->text + at, text, n) == 0;
}

static size_t skip_space(const tpl_lexer *lex, size_t at)
{
    while (at < lex->len) {
        uint32_t c = 0;
        size_t n = lf_utf8_decode((const uint8_t *)lex->text + at, lex->len - at, &c);
        if (!tpl_is_space(c)) {
            break;
        }
        at += n;
    }
    return at;
}

/* The end of [from, to) without the white space at its end. */
static size_t trim_end(const tpl_lexer *lex, size_t from, size_t to)
{
    while (to > from) {
        size_t start = to - 1;
        while (start > from && ((uint8_t)lex->text[start] & 0xC0) == 0x80) {
            start--;
        }
        uint32_t c = 0;
        lf_utf8_decode((const uint8_t *)lex->text + start, to - start, &c);
        if (!tpl_is_space(c)) {
            break;
        }
        to = start;
    }
    return to;
}

/* Emits the text before a tag. `sign` is the character after {%, {# or {{. lstrip_blocks removes
 * white space between the start of the line and a tag that is not {{. */
static int32_t text_before(tpl_parser *p, size_t from, size_t to, char sign, bool variable)
{
    const tpl_lexer *lex = &p->lex;
    size_t end = to;
    if (sign == '-') {
        end = trim_end(lex, from, to);
    } else if (sign != '+' && !variable) {
        size_t line = to;
        while (line > from && lex->text[line - 1] != '\n') {
            line--;
        }
        if ((line > from || lex->line_start) && trim_end(lex, line, to) == line) {
            end = line;
        }
    }
    return end > from ? tpl_emit_text(p, TPL_OP_TEXT, lex->text + from, end - from, 0) : LFM2_OK;
}

static void move_to(tpl_lexer *lex, size_t pos)
{
    for (; lex->pos < pos; lex->pos++) {
        lex->line += lex->text[lex->pos] == '\n';
    }
    lex->line_start = pos > 0 && lex->text[pos - 1] == '\n';
}

/* The position after the end of a tag at `at` (-%} or %}, +%} and a line break if `trims`), or 0.
 */
static size_t tag_end(const tpl_lexer *lex, size_t at, const char *end, bool trims)
{
    char sign = at < lex->len ? lex->text[at] : '\0';
    size_t p = at + (sign == '-' || (sign == '+' && trims));
    if (p >= lex->len || !starts(lex, p, end)) {
        return 0;
    }
    p += 2;
    if (sign == '-') {
        return skip_space(lex, p);
    }
    return trims && sign != '+' && p < lex->len && lex->text[p] == '\n' ? p + 1 : p;
}

/* {# ... #} */
static int32_t comment(tpl_parser *p, size_t at)
{
    for (size_t i = at + 2; i + 1 < p->lex.len; i++) {
        size_t start = i; /* of the end, with its sign */
        size_t end = tag_end(&p->lex, start, "#}", true);
        if (end > 0) {
            move_to(&p->lex, end);
            return LFM2_OK;
        }
    }
    return tpl_syntax_error(p->lex.line, "a comment without its end");
}

/* The position after `{%`, a sign and `name` at `at`; 0 if it is another tag. */
static size_t named_tag(const tpl_lexer *lex, size_t at, const char *name)
{
    size_t i = at + 2;
    i += i < lex->len && (lex->text[i] == '-' || lex->text[i] == '+');
    i = skip_space(lex, i);
    if (i >= lex->len || !starts(lex, i, name)) {
        return 0;
    }
    return skip_space(lex, i + strlen(name));
}

/* {% raw %} ... {% endraw %}; *found is false if the tag at `at` is another one. */
static int32_t raw(tpl_parser *p, size_t at, bool *found)
{
    tpl_lexer *lex = &p->lex;
    size_t begin = named_tag(lex, at, "raw");
    begin = begin > 0 ? tag_end(lex, begin, "%}", false) : 0;
    *found = begin > 0;
    if (begin == 0) {
        return LFM2_OK;
    }
    move_to(lex, begin);
    for (size_t i = begin; i + 1 < lex->len; i++) {
        size_t end = starts(lex, i, "{%") ? named_tag(lex, i, "endraw") : 0;
        end = end > 0 ? tag_end(lex, end, "%}", true) : 0;
        if (end > 0) {
            LF_TRY(text_before(p, begin, i, lex->text[i + 2], false));
            move_to(lex, end);
            return LFM2_OK;
        }
    }
    return tpl_syntax_error(lex->line, "raw without endraw");
}

/* A tag {{ or {% at `at`. */
static int32_t tag(tpl_parser *p, size_t at, bool block)
{
    move_to(&p->lex, at + 2);
    char sign = p->lex.pos < p->lex.len ? p->lex.text[p->lex.pos] : '\0';
    p->lex.pos += sign == '-' || sign == '+';
    p->lex.block = block;
    p->lex.n_open = 0;
    p->nesting = 0;
    LF_TRY(tpl_next(p));
    if (block) {
        LF_TRY(tpl_statement(p));
    } else {
        LF_TRY(tpl_tuple(p, true));
        LF_TRY(tpl_need_end(p));
        LF_TRY(tpl_emit(p, TPL_OP_PRINT, 0, 0, 0));
    }
    if (p->unknown.kind != NULL) {
        const tpl_token *name = &p->unknown.name;
        lf_shown shown;
        return tpl_syntax_error(name->line, "no %s named %s", p->unknown.kind,
                                lf_show(&shown, name->text, name->len));
    }
    return LFM2_OK;
}

/* One tag with the text before it, or the text at the end. */
static int32_t step(tpl_parser *p)
{
    tpl_lexer *lex = &p->lex;
    size_t from = lex->pos;
    size_t at = from;
    while (at + 1 < lex->len && !(lex->text[at] == '{' && lex->text[at + 1] != '\0' &&
                                  strchr("{%#", lex->text[at + 1]) != NULL)) {
        at++;
    }
    if (at + 1 >= lex->len) {
        p->now.line = lex->line;
        LF_TRY(tpl_emit_text(p, TPL_OP_TEXT, lex->text + from, lex->len - from, 0));
        move_to(lex, lex->len);
        return LFM2_OK;
    }
    char kind = lex->text[at + 1];
    char sign = at + 2 < lex->len ? lex->text[at + 2] : '\0';
    p->now.line = lex->line;
    LF_TRY(text_before(p, from, at, sign, kind == '{'));
    move_to(lex, at);
    bool is_raw = false;
    if (kind == '#') {
        return comment(p, at);
    }
    if (kind == '%') {
        LF_TRY(raw(p, at, &is_raw));
    }
    return is_raw ? LFM2_OK : tag(p, at, kind == '%');
}

static int32_t compile(tpl_parser *p)
{
    static const char *const special[] = {"loop", "caller", "varargs", "kwargs"};
    uint32_t *const ids[] = {&p->t->name_loop, &p->t->name_caller, &p->t->name_varargs,
                             &p->t->name_kwargs};
    for (size_t i = 0; i < 4; i++) {
        LF_TRY(tpl_name(p, special[i], strlen(special[i]), ids[i]));
    }
    while (p->lex.pos < p->lex.len) {
        LF_TRY(step(p));
    }
    if (p->n_blocks > 0) {
        static const char *const names[] = {"if",    "for",  "for",        "set", "filter",
                                            "macro", "call", "generation", "with"};
        const tpl_block *b = &p->blocks[p->n_blocks - 1];
        return tpl_syntax_error(b->line, "%s without its end", names[b->type]);
    }
    return tpl_emit(p, TPL_OP_END, 0, 0, 0);
}

/* Copies the text with \n for all line breaks and without one at the end. */
static int32_t normalize(lf_template *t, const char *text, size_t len, tpl_lexer *lex)
{
    void *copy = NULL;
    LF_TRY(lf_arena_new(&t->arena, len + 1, 1, "chat template", &copy));
    char *to = copy;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r') {
            to[n++] = '\n';
            i += i + 1 < len && text[i + 1] == '\n';
        } else {
            to[n++] = text[i];
        }
    }
    n -= n > 0 && to[n - 1] == '\n';
    to[n] = '\0';
    *lex = (tpl_lexer){.text = to, .len = n, .line = 1, .line_start = true};
    return LFM2_OK;
}

static int32_t build(lf_template *t, const char *text, size_t len)
{
    void *parser = NULL, *slots = NULL, *names = NULL;
    LF_TRY(lf_arena_new(&t->arena, 1, sizeof(tpl_parser), "chat template", &parser));
    LF_TRY(lf_arena_new(&t->arena, TPL_NAME_SLOTS, sizeof *t->slots, "chat template", &slots));
    LF_TRY(lf_arena_new(&t->arena, TPL_MAX_NAMES, sizeof *t->names, "chat template", &names));
    memset(slots, 0, TPL_NAME_SLOTS * sizeof *t->slots);
    t->slots = slots;
    t->names = names;
    tpl_parser *p = parser;
    memset(p, 0, sizeof *p);
    p->t = t;
    LF_TRY(normalize(t, text, len, &p->lex));
    return compile(p);
}

int32_t lf_template_compile(const lf_alloc *alloc, const lf_template_limits *limits,
                            const char *text, size_t len, lf_template **out)
{
    *out = NULL;
    if (len > limits->template_bytes) {
        return lf_fail(LFM2_E_LIMIT, "template.size",
                       "the chat template has %zu bytes; allowed: %zu", len,
                       limits->template_bytes);
    }
    if (!lf_utf8_valid(text, len)) {
        return lf_fail(LFM2_E_FORMAT, "template.utf8", "the chat template is not UTF-8");
    }
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_template), "chat template", &p));
    lf_template *t = p;
    t->alloc = *alloc;
    lf_arena_init(&t->arena, &t->alloc);
    int32_t status = build(t, text, len);
    if (status != LFM2_OK) {
        lf_template_free(t);
        return status;
    }
    *out = t;
    return LFM2_OK;
}

void lf_template_free(lf_template *t)
{
    if (t != NULL) {
        lf_alloc alloc = t->alloc;
        lf_arena_free(&t->arena);
        lf_free(&alloc, t, 1, sizeof *t);
    }
}
