/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/completions, tokenize, detokenize, render, and sessions with names. */
#include "serve/sessions.h"
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static lft_api a;

#define TEXT "/v1/completions"

/* ---- Completions ---- */

static void test_whole(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(
        &a, TEXT, "{\"prompt\":\"The capital of\",\"max_tokens\":8,\"temperature\":0}", 200);
    assert_memory_equal(lft_get_string(r, "id"), "cmpl-", 5);
    assert_string_equal(lft_get_string(r, "object"), "text_completion");
    assert_int_equal(lft_get(r, "choices.0.logprobs")->kind, LF_JSON_NULL);
    const char *text = lft_get_string(r, "choices.0.text");
    assert_true(strlen(text) > 0);
    lft_exchange *e =
        lft_post(&a, TEXT,
                 "{\"prompt\":\"The capital of\",\"max_tokens\":8,\"temperature\":0,\"stream\":"
                 "true,\"stream_options\":{\"include_usage\":true}}");
    char *streamed = lft_joined(e, "choices.0.text");
    assert_string_equal(streamed, text);
    char *finish = lft_joined(e, "choices.0.finish_reason");
    assert_string_equal(finish, lft_get_string(r, "choices.0.finish_reason"));
    free(streamed);
    free(finish);
    lft_exchange_free(e);
    /* The same as ids. */
    const lf_json *ids =
        lft_ask(&a, "/v1/tokenize", "{\"content\":\"The capital of\",\"add_special\":true}", 200);
    char body[512];
    size_t n = (size_t)sprintf(body, "{\"max_tokens\":8,\"temperature\":0,\"prompt\":[");
    for (const lf_json *t = lft_get(ids, "tokens")->child; t != NULL; t = t->next) {
        n += (size_t)sprintf(body + n, "%s%s", t->text, t->next != NULL ? "," : "]}");
    }
    r = lft_ask(&a, TEXT, body, 200);
    assert_string_equal(lft_get_string(r, "choices.0.text"), text);
}

/* Several prompts, several choices of each: as if each had been asked for alone. */
static void test_prompts(void **state)
{
    (void)state;
    static const char *const prompts[] = {"One two", "Red green", "Once upon"};
    const lf_json *r = lft_ask(&a, TEXT,
                               "{\"prompt\":[\"One two\",\"Red green\",\"Once upon\"],\"n\":2,"
                               "\"max_tokens\":6,\"temperature\":1,\"seed\":3}",
                               200);
    assert_int_equal(lft_get(r, "choices")->count, 6);
    int64_t n_prompt = 0;
    for (int i = 0; i < 6; i++) {
        char body[256], path[32];
        snprintf(body, sizeof body,
                 "{\"prompt\":\"%s\",\"max_tokens\":6,\"temperature\":1,\"seed\":%d}",
                 prompts[i / 2], 3 + i % 2);
        const lf_json *one = lft_ask(&a, TEXT, body, 200);
        snprintf(path, sizeof path, "choices.%d.text", i);
        assert_string_equal(lft_get_string(r, path), lft_get_string(one, "choices.0.text"));
        n_prompt += i % 2 == 0 ? lft_get_int(one, "usage.prompt_tokens") : 0;
    }
    assert_int_equal(lft_get_int(r, "usage.prompt_tokens"), n_prompt);
}

static void test_echo(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(
        &a, TEXT, "{\"prompt\":\"The sea\",\"max_tokens\":2,\"echo\":true,\"best_of\":1}", 200);
    assert_memory_equal(lft_get_string(r, "choices.0.text"), "The sea", 7);
    lft_exchange *e = lft_post(
        &a, TEXT, "{\"prompt\":\"The sea\",\"max_tokens\":2,\"echo\":true,\"stream\":true}");
    char *text = lft_joined(e, "choices.0.text");
    assert_memory_equal(text, "The sea", 7);
    free(text);
    lft_exchange_free(e);
}

static void test_logprobs(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, TEXT,
                "{\"prompt\":\"The sea\",\"max_tokens\":5,\"logprobs\":3,\"temperature\":0,"
                "\"ignore_eos\":true}",
                200);
    const lf_json *l = lft_get(r, "choices.0.logprobs");
    uint32_t n = (uint32_t)lft_get_int(r, "usage.completion_tokens");
    assert_int_equal(lft_get(l, "tokens")->count, n);
    assert_int_equal(lft_get(l, "token_logprobs")->count, n);
    assert_int_equal(lft_get(l, "top_logprobs")->count, n);
    assert_int_equal(lft_get(l, "text_offset")->count, n);
    assert_int_equal(lft_get(l, "top_logprobs.0")->count, 3);
    assert_int_equal(lft_get_int(l, "text_offset.0"), 0);
    /* Greedy: the token is the most likely one. */
    assert_string_equal(lft_get(l, "top_logprobs.0")->child->key, lft_get_string(l, "tokens.0"));
}

/* ---- Text ---- */

static void test_tokenize(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, "/v1/tokenize", "{\"content\":\"Hello <|im_end|> \\u00e9\"}", 200);
    assert_int_equal(lft_get_int(r, "count"), lft_get(r, "tokens")->count);
    char body[512];
    size_t n = (size_t)sprintf(body, "{\"tokens\":[");
    for (const lf_json *t = lft_get(r, "tokens")->child; t != NULL; t = t->next) {
        n += (size_t)sprintf(body + n, "%s%s", t->text, t->next != NULL ? "," : "]}");
    }
    r = lft_ask(&a, "/v1/detokenize", body, 200);
    assert_string_equal(lft_get_string(r, "content"), "Hello <|im_end|> \u00e9");
    r = lft_ask(&a, "/tokenize", "{\"content\":\"Hello\",\"with_pieces\":true}", 200);
    assert_true(lft_get_int(r, "tokens.0.id") > 0);
    assert_true(strlen(lft_get_string(r, "tokens.0.piece")) > 0);
    r = lft_ask(&a, "/tokenize", "{}", 400);
    assert_string_equal(lft_get_string(r, "error.param"), "content");
    (void)lft_ask(&a, "/detokenize", "{\"tokens\":[1,-5]}", 400);
    (void)lft_ask(&a, "/detokenize", "{\"tokens\":[]}", 200);
}

static void test_render(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, "/apply-template",
                "{\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":"
                "\"text\",\"text\":\"Be \"},{\"type\":\"text\",\"text\":\"brief\"}]},"
                "{\"role\":\"user\",\"content\":\"Hi\"}]}",
                200);
    const char *text = lft_get_string(r, "prompt");
    assert_non_null(strstr(text, "<|im_start|>system\nBe brief<|im_end|>\n<|im_start|>user\nHi"));
    static const char tail[] = "<|im_start|>assistant\n";
    assert_string_equal(text + strlen(text) - (sizeof tail - 1), tail);
    static const char talk[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}";
    r = lft_ask(&a, "/v1/chat/completions/input_tokens", talk, 200);
    const lf_json *chat = lft_ask(&a, "/v1/chat/completions", talk, 200);
    assert_int_equal(lft_get_int(r, "input_tokens"), lft_get_int(chat, "usage.prompt_tokens"));
}

/* ---- Sessions ---- */

static const lf_json *call(const char *method, const char *path, const char *body, int status)
{
    static lft_exchange *last;
    if (last != NULL) {
        lft_exchange_free(last);
        last = NULL;
    }
    if (method == NULL) {
        return NULL;
    }
    last = lft_send(&a, method, path, body);
    lft_api_run(&a);
    if (last->status != status) {
        fail_msg("%s %s: %d: %s", method, path, last->status, last->text);
    }
    return lft_response(last);
}

#define TALK                                                                                       \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}],\"max_tokens\":4,"                 \
    "\"temperature\":0,\"cache_prompt\":false,\"session\":\"talk\"}"

static void test_sessions(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, "/v1/chat/completions", TALK, 200);
    int64_t n_prompt = lft_get_int(r, "usage.prompt_tokens");
    assert_int_equal(lft_get_int(r, "usage.prompt_tokens_details.cached_tokens"), 0);
    r = call("GET", "/v1/sessions", "", 200);
    assert_string_equal(lft_get_string(r, "data.0.id"), "talk");
    assert_true(lft_get_int(r, "data.0.tokens") > n_prompt);
    assert_int_equal(lft_get(r, "data.0.saved")->kind, LF_JSON_FALSE);
    /* The second request finds its prompt in the session. */
    const lf_json *again = lft_ask(&a, "/v1/chat/completions", TALK, 200);
    assert_true(lft_get_int(again, "usage.prompt_tokens_details.cached_tokens") > 0);
    (void)call("POST", "/v1/sessions/talk/save", "{}", 200);
    (void)call("POST", "/v1/sessions/talk/fork", "{\"to\":\"copy\"}", 200);
    r = call("DELETE", "/v1/sessions/copy", "", 200);
    assert_int_equal(lft_get(r, "deleted")->kind, LF_JSON_TRUE);
    r = call("POST", "/v1/sessions/talk/restore", "{}", 200);
    assert_int_equal(lft_get(r, "saved")->kind, LF_JSON_TRUE);
    /* Another owner sees nothing of it. */
    lft_exchange *e = lft_exchange_new("GET", "/v1/sessions", "");
    e->x.owner = 7;
    api_handle(a.api, &e->x);
    assert_int_equal(lft_get(lft_response(e), "data")->count, 0);
    lft_exchange_free(e);
    static const char *const actions[][2] = {{"POST", "/v1/sessions/talk/restore"},
                                             {"POST", "/v1/sessions/talk/save"},
                                             {"POST", "/v1/sessions/talk/fork"},
                                             {"DELETE", "/v1/sessions/talk"}};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        e = lft_exchange_new(actions[i][0], actions[i][1], "{\"to\":\"mine\"}");
        e->x.owner = 7;
        api_handle(a.api, &e->x);
        assert_int_equal(e->status, 404);
        lft_exchange_free(e);
    }
    (void)call("DELETE", "/v1/sessions/talk", "", 200);
    (void)call("DELETE", "/v1/sessions/talk", "", 404);
    r = call("GET", "/v1/sessions", "", 200);
    assert_int_equal(lft_get(r, "data")->count, 0);
    (void)call(NULL, NULL, NULL, 0);
}

/* A saved session is continued by a server that was started later. */
static void test_restart(void **state)
{
    (void)state;
    (void)lft_ask(&a, "/v1/chat/completions", TALK, 200);
    (void)call("POST", "/v1/sessions/talk/save", "{}", 200);
    (void)call(NULL, NULL, NULL, 0);
    api_options options = lft_api_options();
    options.session_folder = lft_temp("");
    lft_api other = lft_api_open(NULL, &options, NULL);
    lft_exchange *e = lft_post(&other, "/v1/chat/completions", TALK);
    assert_true(lft_get_int(lft_response(e), "usage.prompt_tokens_details.cached_tokens") > 0);
    lft_exchange_free(e);
    api_free(other.api);
    lfm2_engine_free(other.engine);
    lfm2_model_free(other.model);
    (void)call("DELETE", "/v1/sessions/talk", "", 200);
    (void)call(NULL, NULL, NULL, 0);
}

/* Sessions take a quarter of the memory at most: the oldest go. */
static void test_session_memory(void **state)
{
    (void)state;
    lfm2_kv_usage usage = {.size = sizeof usage};
    lfm2_memory memory = {.size = sizeof memory};
    LFT_OK(lfm2_model_kv_usage(a.model, &usage));
    LFT_OK(lfm2_estimate_memory(a.model, NULL, &memory));
    LFT_OK(lfm2_model_set_kv_budget(a.model, 12 * memory.kv_page)); /* 3 sessions of a page */
    for (int i = 0; i < 5; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"prompt\":\"x\",\"max_tokens\":1,\"session\":\"s%d\",\"ignore_eos\":true}", i);
        (void)lft_ask(&a, TEXT, body, 200);
    }
    const lf_json *r = call("GET", "/v1/sessions", "", 200);
    assert_int_equal(lft_get(r, "data")->count, 3);
    assert_string_equal(lft_get_string(r, "data.0.id"), "s3");
    (void)call("DELETE", "/v1/sessions/s2", "", 200);
    (void)call("DELETE", "/v1/sessions/s3", "", 200);
    (void)call("DELETE", "/v1/sessions/s4", "", 200);
    (void)call("DELETE", "/v1/sessions/s0", "", 404);
    (void)call(NULL, NULL, NULL, 0);
    LFT_OK(lfm2_model_set_kv_budget(a.model, usage.budget));
}

static void test_session_errors(void **state)
{
    (void)state;
    static const char *const bad[] = {"/v1/sessions/.x/save", "/v1/sessions/a b/save",
                                      "/v1/sessions/../save", "/v1/sessions/a/b/save"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)call("POST", bad[i], "{}", 400);
    }
    (void)call("POST", "/v1/sessions/none/save", "{}", 404);
    (void)call("POST", "/v1/sessions/none/restore", "{}", 404);
    (void)call("POST", "/v1/sessions/none/fork", "{\"to\":\"x\"}", 404);
    (void)call("POST", "/v1/sessions/none/fork", "{\"to\":\"/x\"}", 400);
    /* A damaged file is refused. */
    char path[512];
    snprintf(path, sizeof path, "%s/%016x-bad.session", lft_temp(""), 0u);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("no session", file);
    fclose(file);
    const lf_json *r = call("POST", "/v1/sessions/bad/restore", "{}", 500);
    assert_non_null(strstr(lft_get_string(r, "error.message"), "session 'bad'"));
    assert_null(strchr(lft_get_string(r, "error.message"), '/'));
    (void)call("POST", "/v1/sessions/bad/fork", "{\"to\":\"other\"}", 500);
    /* A generation does not need it, and the next one saved takes its place. */
    (void)lft_ask(&a, "/v1/completions", "{\"prompt\":\"x\",\"max_tokens\":1,\"session\":\"bad\"}",
                  200);
    (void)call("POST", "/v1/sessions/bad/save", "{}", 200);
    (void)call("POST", "/v1/sessions/bad/restore", "{}", 200);
    (void)call("DELETE", "/v1/sessions/bad", "", 200);
    (void)call(NULL, NULL, NULL, 0);
}

/* A client cannot fill the disk: an owner has a limited number of files. */
static void test_session_files(void **state)
{
    (void)state;
    char path[512];
    (void)lft_ask(&a, "/v1/chat/completions", TALK, 200);
    (void)call("POST", "/v1/sessions/talk/fork", "{\"to\":\"f0\"}", 200);
    for (int i = 0; i < MAX_SESSION_FILES; i++) {
        snprintf(path, sizeof path, "%s/%016x-f%d.session", lft_temp(""), 0u, i);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fclose(file);
    }
    const lf_json *r = call("POST", "/v1/sessions/talk/save", "{}", 400);
    assert_string_equal(lft_get_string(r, "error.code"), "too_many_sessions");
    (void)call("POST", "/v1/sessions/f0/save", "{}", 200); /* replaces its file */
    for (int i = 0; i < MAX_SESSION_FILES; i++) {
        snprintf(path, sizeof path, "/v1/sessions/f%d", i);
        (void)call("DELETE", path, "", 200);
    }
    (void)call("POST", "/v1/sessions/talk/save", "{}", 200);
    (void)call("DELETE", "/v1/sessions/talk", "", 200);
    (void)call(NULL, NULL, NULL, 0);
}

/* What a killed process was writing is deleted after a while, and nothing else. */
static void test_session_remains(void **state)
{
    (void)state;
    static const char *const names[] = {
        "0000000000000001-x.session.tmp-9-0", /* old */
        "0000000000000001-y.session.tmp-9-0", /* another process writes it */
        "0000000000000001-x.session", "notes.session.tmp-9-0"};
    struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    char path[512];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", lft_temp(""), names[i]);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fclose(file);
        assert_true(i == 1 || utimensat(AT_FDCWD, path, old, 0) == 0);
    }
    api_options options = lft_api_options();
    options.session_folder = lft_temp("");
    lft_api other = lft_api_open(NULL, &options, NULL);
    api_free(other.api);
    lfm2_engine_free(other.engine);
    lfm2_model_free(other.model);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", lft_temp(""), names[i]);
        assert_int_equal(unlink(path), i == 0 ? -1 : 0);
    }
}

static int open_api(void **state)
{
    (void)state;
    api_options options = lft_api_options();
    options.session_folder = lft_temp("");
    a = lft_api_open(NULL, &options, NULL);
    return 0;
}

static int close_api(void **state)
{
    (void)state;
    lft_api_close(&a);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),          cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_echo),           cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_tokenize),       cmocka_unit_test(test_render),
        cmocka_unit_test(test_sessions),       cmocka_unit_test(test_restart),
        cmocka_unit_test(test_session_memory), cmocka_unit_test(test_session_errors),
        cmocka_unit_test(test_session_files),  cmocka_unit_test(test_session_remains),
    };
    return cmocka_run_group_tests(tests, open_api, close_api);
}
