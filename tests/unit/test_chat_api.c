/* SPDX-License-Identifier: Apache-2.0 */
/* Chat templates through the public API: where they come from, which one is used, what it does, and
 * hostile templates. */
#include "support/models.h"
#include "support/tiny_files.h"
#include "text/chat_format.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lfm2_runtime *runtime;

static int begin(void **state)
{
    (void)state;
    runtime = lft_runtime(1, LFM2_KERNELS_OWN, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_runtime_free(runtime);
    lft_end();
    return 0;
}

/* ---- Models ---- */

/* The tokenizer of a Hugging Face folder whose setting chat_template is this JSON. */
static lfm2_model *open_with(lfm2_runtime *r, const char *setting)
{
    tiny_folder f;
    tiny_folder_init(&f, false);
    tiny_replace(&f.settings, "\"{{ bos_token }}\"", setting);
    memset(f.data, 0, f.n_data);
    tiny_folder_write(&f, lft_temp("chat"));
    tiny_folder_free(&f);
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = LFM2_LOAD_TOKENIZER;
    lfm2_model *m = NULL;
    LFT_OK(lfm2_model_load(r, lft_temp("chat"), &o, &m));
    return m;
}

#define NAMED                                                                                      \
    "[{\"name\": \"rag\", \"template\": \"rag\"}, {\"name\": \"default\", \"template\": "          \
    "\"{{ bos_token }}default{{ messages | length }}\"}, {\"name\": \"tool_use\", \"template\": "  \
    "\"tools{{ tools | length }}\"}]"

static lfm2_chat_options defaults(void)
{
    lfm2_chat_options o;
    lfm2_chat_options_init(&o, sizeof o);
    return o;
}

static const char user[] = "[{\"role\": \"user\", \"content\": \"u\"}]";

static void renders(const lfm2_model *m, const lfm2_chat_options *o, const char *want)
{
    char text[600] = "";
    size_t n = 0;
    LFT_OK(lfm2_chat_render(m, user, sizeof user - 1, o, text, sizeof text - 1, &n));
    text[n] = '\0';
    assert_string_equal(text, want);
}

static void fails(const lfm2_model *m, const lfm2_chat_options *o, int32_t status, const char *code,
                  const char *part)
{
    char text[8];
    size_t n = 77;
    LFT_FAILS(lfm2_chat_render(m, user, sizeof user - 1, o, text, sizeof text, &n), status);
    assert_string_equal(lfm2_last_error_code(), code);
    if (strstr(lfm2_last_error(), part) == NULL) {
        fail_msg("'%s' lacks '%s'", lfm2_last_error(), part);
    }
    assert_int_equal(n, 77);
}

/* ---- Which template is used ---- */

static void check_list(const lfm2_model *m, const char *origins, const char *const (*want)[2],
                       uint32_t n)
{
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(m, &info));
    assert_int_equal(info.n_chat_templates, n + 1);
    for (uint32_t i = 0; i <= n; i++) {
        lfm2_chat_template_info t = {.size = sizeof t};
        LFT_OK(lfm2_model_get_chat_template(m, i, &t));
        assert_string_equal(t.name, i < n ? want[i][0] : "lfm2");
        assert_string_equal(t.text, i < n ? want[i][1] : lf_chat_format);
        assert_int_equal(t.len, strlen(t.text));
        assert_non_null(strstr(i < n ? origins : "built-in", t.origin));
    }
    lfm2_chat_template_info t = {.size = sizeof t};
    LFT_FAILS(lfm2_model_get_chat_template(m, n + 1, &t), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "model.chat_template");
}

static const char *meta_of(const lfm2_model *m, const char *key)
{
    const char *k = NULL;
    const char *value = NULL;
    for (uint32_t i = 0; lfm2_model_get_meta(m, i, &k, &value) == LFM2_OK; i++) {
        if (strcmp(k, key) == 0) {
            return value;
        }
    }
    return "";
}

/* Converting keeps all templates; GGUF lists the default first. */
static void test_sources(void **state)
{
    (void)state;
    static const char *const folder[][2] = {
        {"rag", "rag"},
        {"default", "{{ bos_token }}default{{ messages | length }}"},
        {"tool_use", "tools{{ tools | length }}"}};
    static const char *const gguf[][2] = {
        {"default", "{{ bos_token }}default{{ messages | length }}"},
        {"rag", "rag"},
        {"tool_use", "tools{{ tools | length }}"}};
    lfm2_model *m = open_with(runtime, NAMED);
    check_list(m, "tokenizer_config.json", folder, 3);
    lfm2_model_free(m);
    const char *first = lft_temp("first.gguf");
    const char *second = lft_temp("second.gguf");
    LFT_OK(lfm2_quantize(runtime, lft_temp("chat"), first, NULL));
    LFT_OK(lfm2_quantize(runtime, first, second, NULL));
    for (int i = 0; i < 2; i++) {
        m = lft_load(runtime, i == 0 ? first : second);
        check_list(m,
                   "tokenizer.chat_template tokenizer.chat_template.rag "
                   "tokenizer.chat_template.tool_use",
                   gguf, 3);
        assert_string_equal(meta_of(m, "tokenizer.chat_templates"), "[str x 2]");
        lfm2_model_free(m);
    }
    m = open_with(runtime, "null");
    check_list(m, "", NULL, 0);
    lfm2_model_free(m);
}

static void test_choice(void **state)
{
    (void)state;
    lfm2_model *m = open_with(runtime, NAMED);
    lfm2_chat_options o = defaults();
    lfm2_chat_template *t = NULL;
    renders(m, NULL, "<|startoftext|>default1");
    o.flags = LFM2_CHAT_NO_BOS;
    renders(m, &o, "default1");
    o.tools = "[{}, {}]";
    o.tools_len = strlen(o.tools);
    renders(m, &o, "tools2");
    o.tools = "[]";
    o.tools_len = 2;
    renders(m, &o, "tools0");
    /* by name, by text */
    LFT_OK(lfm2_chat_template_find(m, "rag", &t));
    o.chat_template = t;
    renders(m, &o, "rag");
    assert_ptr_equal(lfm2_chat_template_retain(t), t);
    lfm2_chat_template_free(t);
    renders(m, &o, "rag");
    lfm2_chat_template_free(t);
    LFT_OK(lfm2_chat_template_find(m, "lfm2", &t));
    lfm2_model_free(m); /* the template outlives the model */
    m = open_with(runtime, "null");
    o.chat_template = t;
    renders(m, &o, "<|im_start|>user\nu<|im_end|>\n");
    o.chat_template = NULL;
    renders(m, &o, "<|im_start|>user\nu<|im_end|>\n");
    lfm2_chat_template_free(t);
    LFT_OK(lfm2_chat_template_create(runtime, "{{ eos_token ~ x }}", 19, &t));
    o.chat_template = t;
    o.template_args = "{\"x\": 3}";
    o.template_args_len = strlen(o.template_args);
    renders(m, &o, "<|im_end|>3");
    lfm2_chat_template_free(t);
    LFT_FAILS(lfm2_chat_template_find(m, "rag", &t), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "chat.template_name");
    assert_non_null(strstr(lfm2_last_error(), "there is no chat template 'rag'; allowed: lfm2"));
    lfm2_chat_template_free(NULL);
    assert_null(lfm2_chat_template_retain(NULL));
    lfm2_model_free(m);
    /* neither "default" nor a single template */
    m = open_with(runtime, "[{\"name\": \"rag\", \"template\": \"rag\"}]");
    o = defaults();
    renders(m, &o, "<|startoftext|><|im_start|>user\nu<|im_end|>\n");
    lfm2_model_free(m);
}

/* The model loads; chat calls fail and say what to do. */
static void test_broken(void **state)
{
    (void)state;
    lfm2_model *m = open_with(runtime, "\"{% if %}\"");
    lfm2_chat_options o = defaults();
    lfm2_chat_info info = {.size = sizeof info, .tools = 7};
    for (int i = 0; i < 2; i++) {
        fails(m, NULL, LFM2_E_FORMAT, "template.syntax",
              "tokenizer_config.json cannot be used; choose another chat template, such as 'lfm2': "
              "chat template, line 1");
    }
    LFT_FAILS(lfm2_chat_get_info(m, NULL, &info), LFM2_E_FORMAT);
    assert_string_equal(info.name, "default");
    assert_string_equal(info.origin, "tokenizer_config.json");
    assert_int_equal(info.tools, 0);
    lfm2_chat_template *t = NULL;
    LFT_FAILS(lfm2_chat_template_find(m, "default", &t), LFM2_E_FORMAT);
    LFT_OK(lfm2_chat_template_find(m, "lfm2", &t));
    o.chat_template = t;
    renders(m, &o, "<|startoftext|><|im_start|>user\nu<|im_end|>\n");
    lfm2_chat_template_free(t);
    lfm2_model_free(m);
    m = open_with(runtime, "\"{% include 'x' %}\"");
    fails(m, NULL, LFM2_E_UNSUPPORTED, "template.unsupported", "cannot be used");
    lfm2_model_free(m);
    LFT_FAILS(lfm2_chat_template_create(runtime, "\xFF", 1, &t), LFM2_E_FORMAT);
}

/* ---- Options ---- */

static void test_time(void **state)
{
    (void)state;
    lfm2_model *m = open_with(runtime, "\"{{ strftime_now('%Y-%m-%d %H:%M:%S %A') }}\"");
    lfm2_chat_options o = defaults();
    lfm2_time now = {sizeof now, 2024, 2, 29, 9, 5, 1};
    fails(m, &o, LFM2_E_TEXT, "template.date", "the date");
    o.now = &now;
    renders(m, &o, "2024-02-29 09:05:01 Thursday");
    static const lfm2_time bad[] = {
        {sizeof now, 2023, 2, 29, 0, 0, 0}, {sizeof now, 1969, 1, 1, 0, 0, 0},
        {sizeof now, 10000, 1, 1, 0, 0, 0}, {sizeof now, 2024, 13, 1, 0, 0, 0},
        {sizeof now, 2024, 0, 1, 0, 0, 0},  {sizeof now, 2024, 4, 31, 0, 0, 0},
        {sizeof now, 2024, 4, 3, 24, 0, 0}, {sizeof now, 2024, 4, 3, 0, 60, 0},
        {sizeof now, 2024, 4, 3, 0, 0, -1}, {sizeof now, 2024, 4, 0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o.now = &bad[i];
        fails(m, &o, LFM2_E_ARGUMENT, "chat.now", "allowed: ");
    }
    now.size = 0;
    o.now = &now;
    fails(m, &o, LFM2_E_ARGUMENT, "argument.size", "now: size is 0");
    lfm2_model_free(m);
}

static void test_args(void **state)
{
    (void)state;
    lfm2_model *m = open_with(runtime, "\"{{ bos_token }}|{{ documents }}|{{ a }}\"");
    static const struct {
        const char *args;
        int32_t status;
        const char *code, *text;
    } cases[] = {
        {"[]", LFM2_E_TEXT, "chat.template_args", "template_args: offset 0: not a JSON object"},
        {"{", LFM2_E_TEXT, "json.truncated", "template_args: "},
        {"{\"messages\": 1}", LFM2_E_ARGUMENT, "chat.template_args", "'messages' is not allowed"},
        {"{\"tools\": 1}", LFM2_E_ARGUMENT, "chat.template_args", "'tools' is not allowed"},
        {"{\"a\\u0000b\": 1}", LFM2_E_ARGUMENT, "chat.template_args", "is not allowed"},
        {"{\"a\": 1, \"add_generation_prompt\": 1}", LFM2_E_ARGUMENT, "chat.template_args",
         "offset 34: 'add_generation_prompt' is not allowed"},
    };
    lfm2_chat_options o = defaults();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        o.template_args = cases[i].args;
        o.template_args_len = strlen(cases[i].args);
        fails(m, &o, cases[i].status, cases[i].code, cases[i].text);
    }
    renders(m, NULL, "<|startoftext|>|None|");
    o.template_args = "{\"bos_token\": \"B\", \"documents\": [1], \"a\": {\"b\": null}}";
    o.template_args_len = strlen(o.template_args);
    renders(m, &o, "B|[1]|{'b': None}");
    o.template_args = NULL;
    fails(m, &o, LFM2_E_ARGUMENT, "argument.null", "template_args");
    lfm2_model_free(m);
}

/* ---- What a template does ---- */

static void check_info(const char *text, const char *args, uint32_t system, uint32_t tools,
                       uint32_t calls, uint32_t parts, uint32_t open, const char *arg)
{
    lfm2_model *m = open_with(runtime, "null");
    lfm2_chat_options o = defaults();
    lfm2_chat_template *t = NULL;
    LFT_OK(lfm2_chat_template_create(runtime, text, strlen(text), &t));
    o.chat_template = t;
    o.template_args = args;
    o.template_args_len = args != NULL ? strlen(args) : 0;
    lfm2_chat_info info = {.size = sizeof info};
    LFT_OK(lfm2_chat_get_info(m, &o, &info));
    assert_string_equal(info.name, "");
    assert_string_equal(info.origin, "application");
    assert_int_equal(info.system, system);
    assert_int_equal(info.tools, tools);
    assert_int_equal(info.tool_calls, calls);
    assert_int_equal(info.parts, parts);
    assert_int_equal(info.opens_reasoning, open);
    assert_string_equal(info.reasoning_arg, arg);
    assert_int_equal(info.reasoning_start_id, -1);
    assert_int_equal(info.reasoning_end_id, -1);
    lfm2_chat_template_free(t);
    lfm2_model_free(m);
}

static void test_info(void **state)
{
    (void)state;
#define LOOP "{% for m in messages %}{{ m.content }}{% endfor %}"
    check_info("", NULL, 0, 0, 0, 1, 0, "");
    check_info(LOOP, NULL, 1, 0, 0, 0, 0, "");
    check_info("{{ messages[-1].content + 'x' }}", NULL, 0, 0, 0, 0, 0, "");
    check_info("{{ messages[0].content|string }}{{ tools }}", NULL, 1, 1, 0, 0, 0, "");
    check_info("{{ messages }}", NULL, 1, 0, 1, 0, 0, "");
    check_info("{% for m in messages if m.role != 'system' %}{{ m.tool_calls }}{% endfor %}", NULL,
               0, 0, 1, 1, 0, "");
    check_info(LOOP "{% if add_generation_prompt %}a<think>\n{% endif %}", NULL, 1, 0, 0, 0, 1, "");
    check_info("<think>" LOOP "{% if add_generation_prompt %}a{% endif %}", NULL, 1, 0, 0, 0, 0,
               "");
    check_info(LOOP "<think>{% if enable_thinking is defined and not enable_thinking %}</think>"
                    "{% endif %}",
               NULL, 1, 0, 0, 0, 1, "enable_thinking");
    check_info(LOOP "<think>{% if not enable_thinking %}</think>{% endif %}",
               "{\"enable_thinking\": false}", 1, 0, 0, 0, 0, "enable_thinking");
    check_info(LOOP "{{ '<think>' if thinking }}", NULL, 1, 0, 0, 0, 0, "thinking");
    check_info("{{ strftime_now('%Y') }}" LOOP, NULL, 1, 0, 0, 0, 0, "");
    check_info("{{ raise_exception('no') }}", NULL, 0, 0, 0, 0, 0, "");
    check_info(lf_chat_format, NULL, 1, 1, 1, 1, 0, "");
#undef LOOP
    /* The markers are tokens. */
    lfm2_model_options mo;
    lfm2_model_options_init(&mo, sizeof mo);
    mo.mode = LFM2_LOAD_TOKENIZER;
    tiny_folder f;
    tiny_folder_init(&f, false);
    tiny_replace(&f.tokenizer, "\"<|fim_pre|>\"", "\"<think>\"");
    tiny_replace(&f.tokenizer, "\"<|fim_pre|>\"", "\"<think>\"");
    tiny_folder_write(&f, lft_temp("think"));
    tiny_folder_free(&f);
    lfm2_model *m = NULL;
    LFT_OK(lfm2_model_load(runtime, lft_temp("think"), &mo, &m));
    lfm2_chat_info info = {.size = sizeof info};
    LFT_OK(lfm2_chat_get_info(m, NULL, &info));
    assert_true(info.reasoning_start_id > 0);
    assert_int_equal(info.reasoning_end_id, -1);
    lfm2_chat_options o = defaults();
    o.tools = "{}";
    o.tools_len = 2;
    LFT_FAILS(lfm2_chat_get_info(m, &o, &info), LFM2_E_TEXT);
    lfm2_model_free(m);
}

/* ---- Hostile templates ---- */

typedef struct gauge {
    size_t live, peak;
} gauge;

static void *take(void *counter, size_t bytes, size_t align)
{
    gauge *g = counter;
    void *p = NULL;
    g->live += bytes;
    g->peak = g->live > g->peak ? g->live : g->peak;
    return posix_memalign(&p, align < sizeof p ? sizeof p : align, bytes) == 0 ? p : NULL;
}

static void give(void *counter, void *p, size_t bytes, size_t align)
{
    (void)align;
    ((gauge *)counter)->live -= bytes;
    free(p);
}

/* Compiling, rendering, encoding and asking cost at most 64 MiB. The texts of `large` are within
 * the limits: one pre-token, and as many spans as bytes. */
static void test_hostile(void **state)
{
    (void)state;
#define C "{{ messages[0].content }}a"
    static const char *const large[] = {
        "{{ 'a' * 1000000 }}",
        "{% for i in range(99999) %}" C C C C C "{% endfor %}",
    };
#undef C
    static const char *const cases[] = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'x' * 1000000000 }}",
        "{{ range(1000000000)|list }}",
        "{% for a in range(99999) %}{{ messages }}{{ messages|tojson }}{% endfor %}",
        "{% set ns = namespace(a='xxxxxxxxxx') %}{% for i in range(9999) %}"
        "{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(9999) %}{% set ns.a = [ns.a, ns.a] %}"
        "{% endfor %}{{ ns.a }}",
    };
    gauge memory = {0};
    lfm2_runtime_options ro;
    lfm2_runtime_options_init(&ro, sizeof ro);
    ro.n_threads = 1;
    ro.alloc = take;
    ro.free = give;
    ro.alloc_user = &memory;
    lfm2_runtime *r = NULL;
    LFT_OK(lfm2_runtime_create(&ro, &r));
    lfm2_model *m = open_with(r, "null");
    size_t before = memory.live;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lfm2_chat_options o = defaults();
        lfm2_chat_info info = {.size = sizeof info};
        lfm2_chat_template *t = NULL;
        char text[8];
        size_t n = 0;
        memory.peak = memory.live;
        LFT_OK(lfm2_chat_template_create(r, cases[i], strlen(cases[i]), &t));
        o.chat_template = t;
        LFT_FAILS(lfm2_chat_render(m, user, sizeof user - 1, &o, text, 8, &n), LFM2_E_LIMIT);
        LFT_FAILS(lfm2_chat_get_info(m, &o, &info), LFM2_E_LIMIT);
        lfm2_chat_template_free(t);
        assert_true(memory.peak - before < (size_t)64 << 20);
        assert_int_equal(memory.live, before);
    }
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        lfm2_chat_options o = defaults();
        lfm2_chat_template *t = NULL;
        size_t n = 0;
        memory.peak = memory.live;
        LFT_OK(lfm2_chat_template_create(r, large[i], strlen(large[i]), &t));
        o.chat_template = t;
        LFT_FAILS(lfm2_chat_tokenize(m, user, sizeof user - 1, &o, NULL, 0, &n), LFM2_E_BUFFER);
        lfm2_chat_template_free(t);
        assert_true(memory.peak - before < (size_t)64 << 20);
        assert_int_equal(memory.live, before);
    }
    lfm2_model_free(m);
    lfm2_runtime_free(r);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources), cmocka_unit_test(test_choice),
        cmocka_unit_test(test_broken),  cmocka_unit_test(test_time),
        cmocka_unit_test(test_args),    cmocka_unit_test(test_info),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests_name("chat_api", tests, begin, end);
}
