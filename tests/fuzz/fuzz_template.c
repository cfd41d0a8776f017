/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a chat template; 0xFF, which UTF-8 never holds, divides it from a context as JSON.
 */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "text/template/template.h"

#include <string.h>

enum { MAX_VARIABLES = 32 };

/* Sections of templates to insert. */
/* clang-format off */
static const char *const sections[] = {
    "{{ ", " }}", "{% ", " %}", "{%- ", " -%}", "{% if i %}", "{% else %}", "{% endif %}",
    "{% for x in l %}", "{% endfor %}", "{% break %}", "{% continue %}", "{% set x = ",
    "{% set x %}", "{% endset %}", "{% macro f(a, b=1) %}", "{% endmacro %}", "f(", ")", "[", "]",
    "{", "}", "(", ", ", "|", " is ", "not ", " in ", " and ", " or ", " if ", " else ", "~", "+",
    "*", "//", "%", "**", "-", "==", "<", ".", ":", "::", "loop.index", "loop", "messages",
    "tools", "s", "l", "i", "x", "none", "true", "1", "-1", "2.5", "'a'", "namespace(a=1)",
    "|tojson", "|map('upper')", "|join", "|sort", "|list", "|replace('a', 'b')", "|items",
    ".split('e')", ".format(1)", "[::-1]", "[1:]", "{% call f() %}", "{% endcall %}", "caller()",
    "{% filter upper %}", "{% endfilter %}", "{% generation %}", "{% endgeneration %}",
    "{% raw %}", "{% endraw %}", "{# ", " #}", "|groupby('role')", "|batch(2)", "range(3)",
};
/* clang-format on */

/* Inserts or removes a section of a template, or changes bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    return fuzz_mutate_sections(&random, data, size, max_size, sections,
                                sizeof sections / sizeof *sections);
}

static size_t read_context(lf_arena *arena, const uint8_t *text, size_t len,
                           lf_template_variable *out)
{
    static const char usual[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a <|im_end|>\"}, {\"role\": "
        "\"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\", "
        "\"arguments\": {\"x\": 1.5}}}]}], \"tools\": [{\"name\": \"f\"}], \"bos_token\": \"<s>\", "
        "\"add_generation_prompt\": true, \"s\": \"text\", \"l\": [3, 1, 2], \"i\": 7}";
    const lf_json *context = NULL;
    if (text == NULL || lf_json_parse(arena, "context", LFM2_E_TEXT, (const char *)text, len,
                                      &context) != LFM2_OK) {
        fuzz_must(lf_json_parse(arena, "context", LFM2_E_TEXT, usual, sizeof usual - 1, &context) ==
                  LFM2_OK);
    }
    size_t n = 0;
    for (const lf_json *c = context->child; c != NULL && n < MAX_VARIABLES; c = c->next) {
        if (context->kind == LF_JSON_OBJECT) {
            out[n++] = (lf_template_variable){c->key, c, lf_json_key_is(c, "bos_token")};
        }
    }
    return n;
}

/* The spans are the text, in order. */
static void check(const lf_template_output *out)
{
    size_t at = 0;
    for (size_t i = 0; i < out->n_spans; i++) {
        fuzz_must(out->spans[i].len > 0 && out->spans[i].text == out->text + at);
        fuzz_must(i == 0 || out->spans[i].from_template != out->spans[i - 1].from_template);
        at += out->spans[i].len;
    }
    fuzz_must(at == out->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {"template.syntax", "template.utf8", NULL};
    static const lf_template_time now = {2026, 2, 28, 12, 0, 59};
    const lf_template_limits limits = {.template_bytes = 64 << 10,
                                       .steps = 100000,
                                       .memory = 1 << 20,
                                       .output = 256 << 10,
                                       .calls = 64};
    lf_alloc alloc = fuzz_memory();
    const uint8_t *end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    size_t len = end != NULL ? (size_t)(end - data) : size;
    lf_template_variable variables[MAX_VARIABLES];
    lf_template *t = NULL;
    lf_template_output out = {.text = ""};
    lf_arena arena;
    fuzz_memory_begin(size);
    lf_arena_init(&arena, &alloc);
    lf_arena_init(&out.arena, &alloc);
    int32_t status = lf_template_compile(&alloc, &limits, (const char *)data, len, &t);
    if (status == LFM2_OK) {
        size_t n = read_context(&arena, end != NULL ? end + 1 : NULL,
                                end != NULL ? size - len - 1 : 0, variables);
        status = lf_template_render(t, &alloc, &limits, variables, n, &now, &out);
    }
    fuzz_count(status, syntax);
    if (status == LFM2_OK) {
        check(&out);
    } else {
        fuzz_must(status == LFM2_E_FORMAT || status == LFM2_E_UNSUPPORTED ||
                  status == LFM2_E_LIMIT || status == LFM2_E_TEXT);
    }
    lf_template_output_free(&out);
    lf_template_free(t);
    lf_arena_free(&arena);
    fuzz_memory_end();
    return 0;
}
