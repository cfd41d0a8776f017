/* SPDX-License-Identifier: Apache-2.0 */
/* Chat templates against jinja2 (golden/text/templates.jsonl), provenance of the output, hostile
 * templates, and failing memory.
 * ctest-labels: golden */
#include "common/json.h"
#include "support/counting_alloc.h"
#include "support/text_vocab.h"
#include "text/template/template.h"
#include "text/template/value.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_VARIABLES = 40 };

static const lf_template_time now = {2026, 3, 7, 9, 5, 1};

typedef struct input {
    lf_arena arena;
    lf_template_variable variables[MAX_VARIABLES];
    size_t n;
} input;

/* Strings of `bos_token` count as the template's. */
static void read_context(input *in, const lf_json *context)
{
    in->n = 0;
    for (const lf_json *c = context->child; c != NULL; c = c->next) {
        assert_true(in->n < MAX_VARIABLES);
        in->variables[in->n++] = (lf_template_variable){c->key, c, lf_json_key_is(c, "bos_token")};
    }
}

static void parse_context(input *in, const lf_alloc *alloc, const char *json)
{
    const lf_json *context = NULL;
    lf_arena_init(&in->arena, alloc);
    assert_int_equal(
        lf_json_parse(&in->arena, "context", LFM2_E_TEXT, json, strlen(json), &context), LFM2_OK);
    read_context(in, context);
}

static int32_t render_with(const lf_alloc *alloc, const lf_template_limits *limits,
                           const char *text, size_t len, const input *in,
                           const lf_template_time *time, lf_template_output *out)
{
    lf_template *t = NULL;
    *out = (lf_template_output){.text = ""};
    lf_arena_init(&out->arena, alloc);
    int32_t status = lf_template_compile(alloc, limits, text, len, &t);
    if (status == LFM2_OK) {
        status = lf_template_render(t, alloc, limits, in->variables, in->n, time, out);
    }
    lf_template_free(t);
    return status;
}

/* Spans cover the text, are not empty, and neighbors differ. */
static void check_spans(const lf_template_output *out)
{
    size_t at = 0;
    for (size_t i = 0; i < out->n_spans; i++) {
        assert_true(out->spans[i].len > 0);
        assert_ptr_equal(out->spans[i].text, out->text + at);
        assert_true(i == 0 || out->spans[i].from_template != out->spans[i - 1].from_template);
        at += out->spans[i].len;
    }
    assert_int_equal(at, out->len);
}

/* ---- The reference's cases ---- */

static void golden(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lf_template_limits limits = lf_template_limits_default();
    size_t size = 0, lines = 0, wrong = 0;
    uint8_t *file = text_golden_read("templates.jsonl", &size);
    assert_non_null(file);
    input in;
    lf_arena_init(&in.arena, &alloc);
    for (const char *line = (const char *)file; *line != '\0'; lines++) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        const lf_json *json = NULL;
        assert_int_equal(
            lf_json_parse(&in.arena, "line", LFM2_E_TEXT, line, (size_t)(end - line), &json),
            LFM2_OK);
        line = end + 1;
        if (lines == 0) {
            read_context(&in, lf_json_get(json, "context"));
            continue;
        }
        const lf_json *source = lf_json_get(json, "t");
        const lf_json *want = lf_json_get(json, "x");
        lf_template_output out;
        int32_t status = render_with(&alloc, &limits, source->text, source->len, &in, &now, &out);
        check_spans(&out);
        bool right = want->kind == LF_JSON_NULL ? status != LFM2_OK
                                                : status == LFM2_OK && out.len == want->len &&
                                                      memcmp(out.text, want->text, out.len) == 0;
        if (!right) {
            wrong++;
            print_error("line %zu: %s\ngives: %s\nnot: %s\n", lines + 1, source->text,
                        status == LFM2_OK ? out.text : lf_fail_text(),
                        want->kind == LF_JSON_NULL ? "an error" : want->text);
        }
        lf_template_output_free(&out);
    }
    lf_arena_free(&in.arena);
    free(file);
    assert_true(lines > 700);
    assert_int_equal(wrong, 0);
}

/* ---- Provenance ---- */

/* Renders and writes data in brackets, which the contexts do not contain. */
static void check_marks(const char *text, const char *json, const char *want)
{
    lf_alloc alloc = lf_alloc_default();
    lf_template_limits limits = lf_template_limits_default();
    lf_template_output out;
    input in;
    parse_context(&in, &alloc, json);
    if (render_with(&alloc, &limits, text, strlen(text), &in, &now, &out) != LFM2_OK) {
        fail_msg("%s", lf_fail_text());
    }
    check_spans(&out);
    char shown[1000];
    size_t n = 0;
    for (size_t i = 0; i < out.n_spans; i++) {
        const lf_template_span *s = &out.spans[i];
        assert_true(n + s->len + 3 < sizeof shown);
        n += (size_t)snprintf(shown + n, sizeof shown - n, s->from_template ? "%.*s" : "[%.*s]",
                              (int)s->len, s->text);
    }
    shown[n] = '\0';
    assert_string_equal(shown, want);
    lf_template_output_free(&out);
    lf_arena_free(&in.arena);
}

static void marks(void **state)
{
    (void)state;
    static const char context[] =
        "{\"c\": \"a<E>b\", \"bos_token\": \"<S>\", \"l\": [\"x\", \"y\"], \"d\": {\"k\": \"v\"},"
        " \"i\": 12, \"n\": null, \"u\": \"\\u00e9\\u00df\"}";
    static const char *const cases[][2] = {
        {"A{{ c }}B", "A[a<E>b]B"},
        {"{{ bos_token }}{{ c }}", "<S>[a<E>b]"},
        {"{{ '<E>' + c + '<E>' }}", "<E>[a<E>b]<E>"},
        {"{{ '<E>' ~ c ~ i ~ n }}", "<E>[a<E>b12None]"},
        {"{{ ('<E>' + c)[1:5] }}", "E>[a<]"},
        {"{{ ('12' + c)[::-1] }}", "[b>E<a]21"},
        {"{{ ('12' + c)[2] }}", "[a]"},
        {"{{ l|join('-') }}", "[x]-[y]"},
        {"{{ '-'.join(l) }}", "[x]-[y]"},
        {"{{ c|replace('<E>', '!') }}", "[a]![b]"},
        {"{{ '(<E>)'|replace('<E>', c) }}", "([a<E>b])"},
        {"{{ c.split('<E>') }}", "[['a'], ['b']]"},
        {"{{ ('p ' + c + ' q')|upper }}", "P [A<E>B] Q"},
        {"{{ u|upper }}", "[\xC3\x89SS]"},
        {"{{ ('  ' + c + '  ')|trim }}", "[a<E>b]"},
        {"{{ d|tojson }}", "[{\"k\": \"v\"}]"},
        {"{{ [c, 'z']|tojson }}", "[[\"a<E>b\"], \"z\"]"},
        {"{{ {'k': c} }}", "{'k': ['a<E>b']}"},
        {"{{ 'x%sy' % c }}{{ '%s|%d' % (c, i) }}", "x[a<E>b]y[a<E>b]|[12]"},
        {"{{ 'x{}y{:>3}'.format(c, 'q') }}", "x[a<E>b]y  q"},
        {"{% set x %}1{{ c }}2{% endset %}{{ x }}", "1[a<E>b]2"},
        {"{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(c)|length }}{{ m(c) }}", "7<[a<E>b]>"},
        {"{% filter upper %}x{{ c }}{% endfilter %}", "X[A<E>B]"},
        {"{% for x in c %}{{ x }}{% endfor %}", "[a<E>b]"},
        {"{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", "[k]=[v]"},
        {"{{ c|indent(2, true) }}", "  [a<E>b]"},
        {"{{ c|escape }}", "[a&lt;E&gt;b]"},
        {"{{ (c + '-')|truncate(4, true, '!', 0) }}", "[a<E]!"},
        {"{{ c|center(9) }}", "  [a<E>b]  "},
        {"{{ c if c else 'x' }}{{ n or 'y' }}", "[a<E>b]y"},
        {"{{ i + 1 }}{{ 1 + 1 }}{{ i|string }}", "[13]2[12]"},
        {"{{ l|map('upper')|join }}", "[XY]"},
        {"{{ ('s' ~ c).title() }}", "S[a<E>B]"},
        {"{{ ('x' ~ c)|list|join }}", "x[a<E>b]"},
        {"{{ (c ~ 'x').replace('', '.') }}", ".[a].[<].[E].[>].[b].x."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_marks(cases[i][0], context, cases[i][1]);
    }
}

/* ---- Errors ---- */

static void check_error(const char *text, int32_t status, const char *code, const char *part)
{
    lf_alloc alloc = lf_alloc_default();
    lf_template_limits limits = lf_template_limits_default();
    lf_template_output out;
    input in;
    parse_context(&in, &alloc, "{\"s\": \"x\"}");
    int32_t got = render_with(&alloc, &limits, text, strlen(text), &in, NULL, &out);
    if (got != status || strcmp(lf_fail_code(), code) != 0 ||
        strstr(lf_fail_text(), part) == NULL) {
        fail_msg("%.60s: %d %s: %s", text, (int)got, lf_fail_code(), lf_fail_text());
    }
    assert_int_equal(out.len, 0);
    lf_template_output_free(&out);
    lf_arena_free(&in.arena);
}

static void errors(void **state)
{
    (void)state;
    check_error("a\n{{ 1 + }}", LFM2_E_FORMAT, "template.syntax",
                "chat template, line 2: expected an expression, found the end of the tag");
    check_error("\n\n{% if s %}\n", LFM2_E_FORMAT, "template.syntax", "line 3: if without its end");
    check_error("{{ s|nope }}", LFM2_E_FORMAT, "template.syntax", "no filter named nope");
    check_error("{% nope %}", LFM2_E_FORMAT, "template.syntax", "unknown tag nope");
    check_error("\xFF", LFM2_E_FORMAT, "template.utf8", "not UTF-8");
    check_error("{% include 'x' %}", LFM2_E_UNSUPPORTED, "template.unsupported", "include");
    check_error("{{ s|pprint }}", LFM2_E_UNSUPPORTED, "template.unsupported", "pprint");
    check_error("{{ f(*s) }}", LFM2_E_UNSUPPORTED, "template.unsupported", "* and **");
    check_error("{% for x in s recursive %}{% endfor %}", LFM2_E_UNSUPPORTED,
                "template.unsupported", "recursive");
    check_error("\n{{ raise_exception('no ' ~ s) }}", LFM2_E_TEXT, "template.exception",
                "line 2: the template refuses this input: no x");
    check_error("{{ strftime_now('%Y') }}", LFM2_E_TEXT, "template.date", "the date");
    check_error("{{ nothing.x }}", LFM2_E_TEXT, "template.type", "nothing is undefined");
    check_error("{{ [].append(1) }}", LFM2_E_TEXT, "template.type", "append would change a list");
    check_error("{{ 9223372036854775807 + 1 }}", LFM2_E_LIMIT, "template.integer", "64 bits");
}

/* ---- Hostile templates ---- */

static char *repeat(const char *text, size_t n)
{
    size_t len = strlen(text);
    char *all = malloc(len * n + 1);
    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        memcpy(all + i * len, text, len);
    }
    all[len * n] = '\0';
    return all;
}

/* Every one is refused, in bounded memory. */
static void check_hostile(const char *text)
{
    enum { MOST = 64 << 20 };
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_template_limits limits = lf_template_limits_default();
    lf_template_output out;
    input in;
    parse_context(&in, &alloc, "{\"s\": \"xy\"}");
    int32_t status = render_with(&alloc, &limits, text, strlen(text), &in, NULL, &out);
    bool refused = status == LFM2_E_LIMIT || status == LFM2_E_TEXT || status == LFM2_E_FORMAT ||
                   status == LFM2_E_UNSUPPORTED;
    if (!refused || counter.peak > MOST) {
        fail_msg("%.80s: status %d, %zu bytes: %s", text, (int)status, counter.peak,
                 status != LFM2_OK ? lf_fail_text() : "");
    }
    lf_template_output_free(&out);
    lf_arena_free(&in.arena);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
}

static const char *const hostile_cases[] = {
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxxxx{% endfor %}{% endfor "
    "%}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
    "{{ 'x' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ ('x' * 100000) * 100000 }}",
    "{{ range(1000000000)|list }}",
    "{{ 's'.ljust(1000000000) }}",
    "{{ '7'.zfill(999999999) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '{:999999}'.format(1)|replace('', 'x' * 1000) }}",
    "{{ s|center(1000000000) }}",
    "{{ s|indent(1000000000, true) }}",
    "{{ s|batch(1000000000, 'x')|list }}",
    "{{ s|slice(1000000000)|list }}",
    "{{ {}|tojson(indent=9999999999) }}{{ [1]|tojson(indent=9999999999) }}",
    "{% set ns = namespace(a='xxxxxxxxxx') %}{% for i in range(9999) %}"
    "{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
    "{% set ns = namespace(a='xxxxxxxxxx') %}{% for i in range(9999) %}"
    "{% set ns.a = ns.a|replace('x', 'xxx') %}{% endfor %}",
    "{% set ns = namespace(a=[]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor "
    "%}",
    "{% set ns = namespace(a=[1]) %}{% for i in range(9999) %}{% set ns.a = ns.a + ns.a %}"
    "{% endfor %}",
    "{% set ns = namespace(a={}) %}{% for i in range(9999) %}{% set ns.a = {'a': ns.a, 'b': "
    "ns.a}"
    " %}{% endfor %}{{ ns.a }}",
    "{% set ns = namespace(a=[]) %}{% for i in range(90) %}{% set ns.a = [ns.a, ns.a] %}"
    "{% endfor %}{{ ns.a }}",
    "{% set ns = namespace(a=[], b=[]) %}{% for i in range(90) %}{% set ns.a = [ns.a, ns.a] %}"
    "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
    "{% set a = 'a' * 1000000 %}{% for i in range(99999) %}{{ a.find('aaaaaaaaaaaaab') }}"
    "{% endfor %}",
    "{% set a = ('a' * 1000000) ~ 'b' %}{% set b = 'a' * 500000 ~ 'c' %}{{ b in a }}"
    "{% for i in range(99999) %}{{ a|upper|length }}{% endfor %}",
    "{% for i in range(99999) %}{% set a = range(99999)|list|sort %}{% endfor %}",
    "{% for i in range(99999) %}{% set a = range(99999)|unique|list %}{% endfor %}",
    "{{ range(99999)|map('string')|join|list|unique(true)|list|groupby(0)|length }}"
    "{% for i in range(99999) %}{{ 2 ** 62 // 3 }}{{ 1 ** 9999999999 }}{% endfor %}",
    "{{ s|map('map', 'map', 'map', 'map', 'map', 'upper')|list }}",
    "{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns.x.x.x.x }}{{ {'a': ns}|tojson }}",
    "{% for i in range(99999) %}{{ 1.1 * i }}{{ 1e300 * i }}{{ 1e-300 * i }}{% endfor %}",
    "{% for i in range(99999) %}{% set x = ('%s' * 20) % 5 %}{% endfor %}",
    "{% set a = 'a' * 2000000 %}{{ a.strip('b' * 2000000 ~ 'a') }}{{ 1 / 0 }}",
    "{% set a = [1] * 90000 %}{% set b = [a] * 90000 %}{% set c = [a] * 90000 %}{{ b == c }}",
    "{% set a = ['x' * 1000000] * 90000 %}{% set b = ['x' * 1000000] * 90000 %}{{ a == b }}",
    "{% set k = 'x' * 1000000 %}{% set d = {k ~ 1: 1, k ~ 2: 2, k ~ 3: 3} %}{% set q = k ~ 4 %}"
    "{% for i in range(99999) %}{{ d[q] }}{% endfor %}",
    "{% set d = dict(range(99999)|map('string')|batch(2)) %}{{ d == d }}",
    "{% set ns = namespace(a=1, b=1) %}{% for i in range(99999) %}{% set ns.a = {(ns.a,): 1} %}"
    "{% set ns.b = {(ns.b,): 1} %}{% endfor %}{{ ns.a == ns.b }}",
    "{% set ns = namespace(a=1, b=1) %}{% for i in range(99999) %}{% set ns.a = (ns.a,) %}"
    "{% set ns.b = {ns.b: 1}.items()|first %}{% endfor %}{{ ns.a == ns.b }}",
    "{% set ns = namespace(a=1, b=1) %}{% for i in range(500) %}{% set ns.a = (ns.a, ns.a) %}"
    "{% set ns.b = (ns.b, ns.b) %}{% endfor %}{{ {ns.a: 1}[ns.b] }}",
};

static void hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile_cases / sizeof *hostile_cases; i++) {
        check_hostile(hostile_cases[i]);
    }
}

/* Source that is deep, long or full of names. */
static void hostile_source(void **state)
{
    (void)state;
    static const struct {
        const char *before, *repeated, *after;
        size_t n;
    } cases[] = {
        {"{{ ", "(", "", 100000},
        {"{{ ", "[", "", 100},
        {"{{ ", "{1:", "", 100},
        {"{{ ", "-", "1 }}", 100000},
        {"{{ ", "not ", "", 100000},
        {"{{ ", "f(", "", 10000},
        {"{{ ", "a[", "", 10000},
        {"{{ 1", " if 1", " }}", 80000},
        {"{{ ", "1 if x else ", "", 20000},
        {"", "{% if 1 %}", "", 50000},
        {"", "{% for x in s %}", "", 30000},
        {"{{ ", "'a' ", "+ }}", 100000},
        {"{% macro f(", "a,", ") %}", 1000},
        {"{% set ", "a,", "= 1 %}", 1000},
        {"", "{{", "", 250000},
        {"{{ 1", "|first", " }}", 80000},
        {"{{ 1 ", "< 1 ", " }}x{{ 1/0 }}", 100000},
        {"{{ 1", "**1", "}}{{ 1/0 }}", 100000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *middle = repeat(cases[i].repeated, cases[i].n);
        size_t size = strlen(middle) + 100;
        char *text = malloc(size);
        assert_non_null(text);
        snprintf(text, size, "%s%s%s", cases[i].before, middle, cases[i].after);
        check_hostile(text);
        free(text);
        free(middle);
    }
    char *names = malloc(100000);
    size_t n = 0;
    assert_non_null(names);
    for (int i = 0; i < 9000; i++) {
        n += (size_t)snprintf(names + n, 100000 - n, "{{n%d}}", i);
    }
    check_hostile(names);
    free(names);
}

/* ---- Failing memory ---- */

static void failing_memory(void **state)
{
    (void)state;
    static const char text[] =
        "{% macro m(a, b=2) %}{{ a }}{{ varargs }}{{ kwargs }}{{ caller() }}{% endmacro %}"
        "{% set ns = namespace(a='', l=[]) %}"
        "{% for k, v in d|dictsort if v %}{% set ns.a = ns.a + k ~ v %}"
        "{% set ns.l = ns.l + [v] %}{{ loop.changed(v) }}{% endfor %}"
        "{% call(x) m(1, 2, 3, z=4) %}{{ x }}{% endcall %}{% filter upper %}{{ s }}{% endfilter %}"
        "{{ [s, d, 1.5]|tojson(indent=2, sort_keys=true) }}{{ s.split()|map('upper')|join }}"
        "{{ '%s %05d' % (s, 7) }}{{ '{:>5}'.format(s) }}{{ s[::-1] }}{{ s * 3000 }}"
        "{{ [[3], [1]]|sort|groupby(0)|list }}{{ range(50)|list|unique|list }}{{ "
        "strftime_now('%Y') "
        "}}"
        "{% set x %}{{ ns.a }}{% endset %}{{ x|indent|escape|urlencode|truncate(9)|title }}";
    counting_alloc counter;
    lf_alloc plain = lf_alloc_default();
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_template_limits limits = lf_template_limits_default();
    input in;
    parse_context(&in, &plain, "{\"s\": \"ab c\", \"d\": {\"b\": 1, \"a\": [2, {\"x\": null}]}}");
    size_t at = 0;
    for (bool done = false; !done; at++) {
        lf_template_output out;
        counter.calls = 0;
        counter.fail_at = at;
        int32_t status = render_with(&alloc, &limits, text, sizeof text - 1, &in, &now, &out);
        if (status != LFM2_OK && status != LFM2_E_MEMORY) {
            fail_msg("call %zu: %s", at, lf_fail_text());
        }
        done = status == LFM2_OK;
        lf_template_output_free(&out);
        assert_int_equal(counter.live, 0);
    }
    assert_true(at > 5);
    lf_arena_free(&in.arena);
}

/* Each limit of lf_template_limits, lowered until it is reached. */
static void limits_apply(void **state)
{
    (void)state;
    static const char text[] = "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}ab{% endmacro %}"
                               "{{ f(5) }}{{ 'x' * 2000 }}";
    lf_alloc alloc = lf_alloc_default();
    input in = {.n = 0};
    for (int i = 0; i < 6; i++) {
        lf_template_limits limits = lf_template_limits_default();
        lf_template_output out;
        size_t *const fields[] = {&limits.template_bytes, &limits.steps, &limits.memory,
                                  &limits.output, &limits.calls};
        if (i < 5) {
            *fields[i] = 5;
        }
        int32_t status = render_with(&alloc, &limits, text, sizeof text - 1, &in, NULL, &out);
        assert_int_equal(status, i < 5 ? LFM2_E_LIMIT : LFM2_OK);
        lf_template_output_free(&out);
    }
}

/* ---- A small stack ---- */

typedef struct task {
    const lf_alloc *alloc;
    const char *text;
    const input *in;
    int32_t status;
} task;

static void *render_task(void *user)
{
    task *t = user;
    lf_template_limits limits = lf_template_limits_default();
    lf_template_output out;
    t->status = render_with(t->alloc, &limits, t->text, strlen(t->text), t->in, &now, &out);
    lf_template_output_free(&out);
    return NULL;
}

/* What recurses does it within the stack that lfm2.h asks of a caller. */
static void small_stack(void **state)
{
    (void)state;
    enum { STACK = 64 * 1024 };
    const char *sanitized = getenv("LFM2_SANITIZED");
    if (sanitized != NULL && *sanitized != '\0') {
        skip(); /* frames are larger */
    }
    pthread_attr_t smallest;
    assert_int_equal(pthread_attr_init(&smallest), 0);
    bool allowed = pthread_attr_setstacksize(&smallest, STACK) == 0;
    pthread_attr_destroy(&smallest);
    if (!allowed) {
        skip(); /* glibc on arm64 requires larger stacks */
    }
    static const char *const nests[][3] = {{"{{ ", "f(", ""},
                                           {"{{ ", "x|d(", ""},
                                           {"{{ ", "[{1: (", ""},
                                           {"{{ ", "x[1:", ""},
                                           {"{{ ", "1 or 2 and not 3 == 4 + 5 ~ 6 * 7 ** (", ""},
                                           {"{% set ns = namespace(a=1, b=1) %}",
                                            "{% set ns.a = [ns.a] %}{% set ns.b = [ns.b] %}",
                                            "{{ ns.a == ns.b }}{{ ns.a < ns.b }}{{ ns.a|tojson "
                                            "}}{{ [[1], ns.a]|map('string')|list }}{{ x == [x] "
                                            "}}{{ x|tojson }}{{ x < x }}{{ {'a': x} == {'a': x} }}"
                                            "{% set t = (ns.a|string, ns.b|string) %}{{ {t: 1} == "
                                            "{t: 1} }}{{ {(t, t): 1} }}"}};
    lf_alloc alloc = lf_alloc_default();
    input in;
    enum { DEEP = LF_JSON_MAX_DEPTH - 1 };
    char *open = repeat("[", DEEP), *close = repeat("]", DEEP), json[2 * DEEP + 20];
    snprintf(json, sizeof json, "{\"x\": %s%s}", open, close);
    parse_context(&in, &alloc, json);
    for (size_t i = 0; i < sizeof nests / sizeof *nests; i++) {
        char *middle = repeat(nests[i][1], i == 5 ? TPL_MAX_DEPTH - 1 : 200);
        size_t size = strlen(middle) + 600;
        char *text = malloc(size);
        assert_non_null(text);
        snprintf(text, size, "%s%s%s", nests[i][0], middle, nests[i][2]);
        task t = {.alloc = &alloc, .text = text, .in = &in};
        pthread_attr_t attr;
        pthread_t thread;
        assert_int_equal(pthread_attr_init(&attr), 0);
        assert_int_equal(pthread_attr_setstacksize(&attr, STACK), 0);
        assert_int_equal(pthread_create(&thread, &attr, render_task, &t), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        pthread_attr_destroy(&attr);
        assert_int_equal(t.status, i == 5 ? LFM2_OK : LFM2_E_LIMIT);
        free(text);
        free(middle);
    }
    free(open);
    free(close);
    lf_arena_free(&in.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),         cmocka_unit_test(marks),
        cmocka_unit_test(errors),         cmocka_unit_test(hostile),
        cmocka_unit_test(hostile_source), cmocka_unit_test(failing_memory),
        cmocka_unit_test(limits_apply),   cmocka_unit_test(small_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
