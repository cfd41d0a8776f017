/* SPDX-License-Identifier: Apache-2.0 */
/* The stack size that lfm2.h requires is enough: a thread with this stack, above an inaccessible
 * page, makes all calls. Not with a sanitizer, which makes frames larger. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_STACK */
#include "lfm2_tools.h"
#include "support/models.h"
#include "support/retype.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { STATED = 64 * 1024, GUARD = 4096, PAINT = 0xA5, N_IDS = 100 };

typedef struct task {
    int32_t threads, kernels, kv_type;
    uint32_t cpu_disable;
    const char *path, *source, *out;
    const char *failed;
    char why[200];
} task;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != LFM2_OK) {                                                                   \
            t->failed = #call;                                                                     \
            strncpy(t->why, lfm2_last_error(), sizeof t->why - 1);                                 \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

static int32_t go_on(void *user, const lfm2_generated_token *token)
{
    (void)user;
    (void)token;
    return 0;
}

/* The callback of a generation with a parser takes its events, inside all of its calls. */
static int32_t take_events(void *user, const lfm2_generated_token *token)
{
    static char message[8192];
    size_t len = 0;
    lfm2_chat_parser *parser = user;
    lfm2_chat_event event = {.size = sizeof event};
    (void)token;
    while (lfm2_chat_parser_next(parser, &event) == LFM2_OK && event.kind != LFM2_CHAT_EVENT_NONE) {
    }
    return lfm2_chat_parser_message(parser, message, sizeof message, &len) == LFM2_OK ? 0 : 1;
}

/* Generates under a constraint of each kind, with nested ones, with drafts, stop strings and a
 * parser. */
static int32_t use_constraints(task *t, lfm2_model *model, lfm2_session *session,
                               lfm2_sampler *sampler)
{
    static const char schema[] =
        "{\"$defs\": {\"t\": {\"type\": \"object\", \"properties\": {\"a\": {\"anyOf\": "
        "[{\"$ref\": "
        "\"#/$defs/t\"}, {\"type\": \"number\", \"minimum\": -1.5, \"maximum\": 99}, {\"type\": "
        "\"string\", \"pattern\": \"^((a|b)*c){2,9}$\", \"maxLength\": 12}, {\"enum\": [null, 1, "
        "\"x\"]}]}}, \"patternProperties\": {\"^b+$\": {\"type\": \"array\", \"minItems\": 1}}}}, "
        "\"$ref\": \"#/$defs/t\"}";
    static const struct {
        int32_t kind;
        const char *text;
    } kinds[] = {
        {LFM2_CONSTRAINT_JSON_SCHEMA, schema},
        {LFM2_CONSTRAINT_REGEX, "((((a|[^b])*c?){1,9}){1,9}|\\d{3,500})+"},
        {LFM2_CONSTRAINT_GBNF,
         "root ::= ((((x | \"y\"))))+ \"z\"\nx ::= \"(\" x* \")\" | [a-c]{2,99}"},
        {LFM2_CONSTRAINT_CHOICES, "[\"one\", \"two\"]"},
        {LFM2_CONSTRAINT_TOOLS,
         "[{\"name\": \"f\", \"parameters\": {\"properties\": {\"a\": {\"items\": "
         "{\"type\": \"string\"}}}}}]"},
    };
    static const char *const stop[] = {"\"a\": never", "[f(a=never"};
    lfm2_constraint *constraint = NULL;
    lfm2_chat_parser *parser = NULL;
    lfm2_generate_options go;
    lfm2_generate_options_init(&go, sizeof go);
    TRY(lfm2_chat_parser_create(model, NULL, &parser));
    go.max_tokens = 12;
    go.callback = take_events;
    go.callback_user = parser;
    go.parser = parser;
    go.stop_strings = stop;
    go.n_stop_strings = 2;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        TRY(lfm2_constraint_create(model, kinds[i].kind, kinds[i].text, strlen(kinds[i].text), NULL,
                                   &constraint));
        go.constraint = constraint;
        go.flags = i % 2 == 0 ? LFM2_GENERATE_DRAFT : 0;
        TRY(lfm2_generate(session, sampler, NULL, 0, &go, NULL));
        TRY(lfm2_chat_parser_reset(parser));
        lfm2_constraint_free(constraint);
        constraint = NULL;
    }
    /* A message is written. */
    static const char wrong[] = "root ::= ((\"a\" | [b-\n";
    if (lfm2_constraint_create(model, LFM2_CONSTRAINT_GBNF, wrong, sizeof wrong - 1, NULL,
                               &constraint) == LFM2_OK) {
        t->failed = "refusal";
    }
done:
    lfm2_constraint_free(constraint);
    lfm2_chat_parser_free(parser);
    return t->failed == NULL ? LFM2_OK : LFM2_E_INTERNAL;
}

static void *use_everything(void *argument)
{
    static const char messages[] =
        "[{\"role\": \"system\", \"content\": \"Be \\u00e9xact.\"}, {\"role\": \"user\", "
        "\"content\": \"How many 12345 caf\\u00e9s?\"}]";
    static const char tools[] = "[{\"name\": \"f\", \"parameters\": {\"a\": [1, 2.5, null]}}]";
    static int32_t ids[1000];
    static char text[4096];
    task *t = argument;
    lfm2_runtime *runtime = NULL;
    lfm2_model *model = NULL;
    lfm2_session *session = NULL;
    lfm2_sampler *sampler = NULL;
    lfm2_runtime_options ro;
    lfm2_session_options so;
    lfm2_generate_options go;
    lfm2_chat_options co;
    lfm2_memory memory = {.size = sizeof memory};
    size_t n = 0;
    lfm2_runtime_options_init(&ro, sizeof ro);
    ro.n_threads = t->threads;
    ro.kernels = t->kernels;
    ro.cpu_disable = t->cpu_disable;
    TRY(lfm2_runtime_create(&ro, &runtime));
    if (t->source != NULL) {
        TRY(lfm2_quantize(runtime, t->source, t->out, NULL));
    }
    TRY(lfm2_model_load(runtime, t->path, NULL, &model));
    lfm2_session_options_init(&so, sizeof so);
    so.n_ctx = 2000;
    so.kv_type = t->kv_type;
    TRY(lfm2_estimate_memory(model, &so, &memory));
    TRY(lfm2_session_create(model, &so, &session));
    TRY(lfm2_sampler_create(model, NULL, &sampler));
    lfm2_chat_options_init(&co, sizeof co);
    co.tools = tools;
    co.tools_len = sizeof tools - 1;
    TRY(lfm2_chat_tokenize(model, messages, sizeof messages - 1, &co, ids, 1000, &n));
    TRY(lfm2_session_prefill(session, ids, n));
    for (size_t i = 0; i < N_IDS; i++) {
        ids[i] = (int32_t)i;
    }
    TRY(lfm2_session_prefill(session, ids, N_IDS));
    for (int32_t i = 0; i < 4; i++) {
        TRY(lfm2_session_decode(session, i));
    }
    lfm2_generate_options_init(&go, sizeof go);
    go.max_tokens = 8;
    go.n_top = 8;
    go.callback = go_on;
    TRY(lfm2_generate(session, sampler, ids, 4, &go, NULL));
    TRY(use_constraints(t, model, session, sampler));
    TRY(lfm2_detokenize(model, ids, N_IDS, LFM2_DETOKENIZE_SPECIAL, text, sizeof text, &n));
    if (lfm2_session_decode(session, -1) == LFM2_OK) { /* a message is written */
        t->failed = "refusal";
    }
done:
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    return NULL;
}

/* Bytes of the stack that were written. */
static size_t run_on_small_stack(task *t)
{
    uint8_t *memory = mmap(NULL, GUARD + STATED, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    assert_true(memory != MAP_FAILED);
    uint8_t *stack = memory + GUARD;
    memset(stack, PAINT, STATED);
    assert_int_equal(mprotect(memory, GUARD, PROT_NONE), 0);
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstack(&attr, stack, STATED), 0);
    assert_int_equal(pthread_create(&thread, &attr, use_everything, t), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    if (t->failed != NULL) {
        fail_msg("%s: %s", t->failed, t->why);
    }
    size_t untouched = 0;
    while (untouched < STATED && stack[untouched] == PAINT) {
        untouched++;
    }
    munmap(memory, GUARD + STATED);
    return STATED - untouched;
}

static void test_stack(void **state)
{
    (void)state;
    const char *sanitizer = getenv("LFM2_SANITIZED");
    if (sanitizer != NULL && *sanitizer != 0) {
        skip();
    }
    static const uint32_t without[] = {0, LFM2_CPU_AVX512, LFM2_CPU_AVX512 | LFM2_CPU_AVXVNNI,
                                       LFM2_CPU_ALL};
    const char *paths[] = {lft_tiny("q4_0"), lft_tiny("q6_k"), lft_tiny("q8_0"),
                           lft_retyped_all(LF_IQ3_XXS)};
    const char *folder = lft_golden_folder("dense-plain");
    size_t most = 0;
    for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
        for (int i = (int)p; i < 12; i += 2) {
            task t = {.threads = 1 + i % 2,
                      .kernels = i % 3 == 2 ? LFM2_KERNELS_OWN : LFM2_KERNELS_AUTO,
                      .kv_type = i % 3,
                      .cpu_disable = without[i / 3],
                      .path = paths[p],
                      .source = i > 2    ? NULL
                                : i == 0 ? lft_tiny("f32")
                                         : folder,
                      .out = lft_temp("stack.gguf")};
            size_t used = run_on_small_stack(&t);
            most = used > most ? used : most;
        }
    }
    print_message("%zu of %d bytes were used\n", most, STATED);
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stack)};
    return cmocka_run_group_tests(tests, NULL, end);
}
