/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests of Responses, Messages and Ollama become: a conversation and tools in OpenAI's
 * form, or an error that names the field. */
#include "serve/messages.h"
#include "serve/ollama.h"
#include "serve/reply.h"
#include "serve/responses.h"
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lft_api a;

typedef enum reader { RESPONSES, MESSAGES, OLLAMA_CHAT, OLLAMA_GENERATE } reader;

/* What a request was read as, or the error. */
typedef struct result {
    char *messages, *tools; /* "" if there are none */
    lft_exchange *e;        /* over: the error */
    job_request job;        /* its pointers are invalid */
} result;

static void keep(result *r, bool ok, const job_request *request)
{
    r->job = *request;
    if (ok) {
        r->messages = strdup(request->messages != NULL ? request->messages : "");
        r->tools = strdup(request->tools != NULL ? request->tools : "");
    }
}

static void read_response(result *r, exchange *x)
{
    response in = {.a = a.api, .x = x, .status = "in_progress"};
    job_request_init(a.api, x, &in.job);
    talk_init(&in.talk);
    tool_list_init(&in.tools);
    keep(r, response_read(&in), &in.job);
    response_free(&in);
}

static void read_message(result *r, exchange *x)
{
    message in = {.a = a.api, .x = x};
    job_request_init(a.api, x, &in.job);
    talk_init(&in.talk);
    tool_list_init(&in.tools);
    keep(r, message_read(&in, false), &in.job);
    message_free(&in);
}

static void read_ollama(result *r, exchange *x, bool generate)
{
    ollama in = {.a = a.api, .x = x, .generate = generate};
    job_request_init(a.api, x, &in.job);
    talk_init(&in.talk);
    tool_list_init(&in.tools);
    keep(r, ollama_read(&in), &in.job);
    ollama_free(&in);
}

static result convert(reader kind, const char *body)
{
    static const exchange_style styles[] = {STYLE_OPENAI, STYLE_ANTHROPIC, STYLE_OLLAMA,
                                            STYLE_OLLAMA};
    result r = {.e = lft_exchange_new("POST", "/", body)};
    r.e->x.style = styles[kind];
    reply_hold(&r.e->x);
    if (kind == RESPONSES) {
        read_response(&r, &r.e->x);
    } else if (kind == MESSAGES) {
        read_message(&r, &r.e->x);
    } else {
        read_ollama(&r, &r.e->x, kind == OLLAMA_GENERATE);
    }
    reply_release(&r.e->x);
    assert_int_equal(r.e->over, r.messages == NULL);
    return r;
}

static void free_result(result *r)
{
    free(r->messages);
    free(r->tools);
    lft_exchange_free(r->e);
}

/* The request is a conversation with these messages and tools (NULL = not compared). */
static void expect(reader kind, const char *body, const char *messages, const char *tools)
{
    result r = convert(kind, body);
    if (r.messages == NULL) {
        fail_msg("%s: %s", body, r.e->text);
        return;
    }
    assert_string_equal(r.messages, messages);
    if (tools != NULL) {
        assert_string_equal(r.tools, tools);
    }
    free_result(&r);
}

/* The request is refused, and the error begins like this. */
static void refuse(reader kind, const char *body, const char *begins)
{
    result r = convert(kind, body);
    if (r.messages != NULL) {
        fail_msg("accepted: %s", body);
        return;
    }
    const lf_json *error = lft_get(lft_response(r.e), "error");
    const lf_json *text = kind >= OLLAMA_CHAT ? error : lft_get(error, "message");
    assert_int_equal(r.e->status, 400);
    if (strncmp(text->text, begins, strlen(begins)) != 0) {
        fail_msg("%s: %s, not %s", body, text->text, begins);
    }
    free_result(&r);
}

#define USER   "{\"role\":\"user\",\"content\":\"Hi\"}"
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}"
#define TOOL(name)                                                                                 \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"parameters\":" SCHEMA "}}"
#define CUSTOM(name)                                                                               \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"parameters\":{\"type\":"         \
    "\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},\"required\":[\"input\"]}}}"

/* ---- Responses ---- */

static void test_responses_messages(void **state)
{
    (void)state;
    expect(RESPONSES, "{\"input\":\"Hi\"}", "[" USER "]", "");
    expect(RESPONSES, "{\"instructions\":\"Be brief\",\"input\":\"Hi\"}",
           "[{\"role\":\"system\",\"content\":\"Be brief\"}," USER "]", "");
    /* Instructions and the system messages at the beginning are one. */
    expect(RESPONSES,
           "{\"instructions\":\"A\\\"\",\"input\":[{\"role\":\"developer\",\"content\":\"B\"},"
           "{\"type\":\"message\",\"role\":\"system\",\"content\":[{\"type\":\"input_text\","
           "\"text\":\"C\"}]}," USER ",{\"role\":\"system\",\"content\":\"D\"}]}",
           "[{\"role\":\"system\",\"content\":\"A\\\"\\n\\nB\\n\\nC\"}," USER
           ",{\"role\":\"system\",\"content\":\"D\"}]",
           "");
    expect(RESPONSES,
           "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"H\"},"
           "{\"type\":\"input_text\",\"text\":\"i\"}]},{\"type\":\"message\",\"id\":\"msg_1\","
           "\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":"
           "\"output_text\",\"text\":\"Yes\",\"annotations\":[]},{\"type\":\"refusal\","
           "\"refusal\":\"!\"}]},{\"type\":\"web_search_call\",\"id\":\"ws_1\"}]}",
           "[" USER ",{\"role\":\"assistant\",\"content\":\"Yes!\"}]", "");
}

/* What one answer was, item by item, is one message again. */
static void test_responses_calls(void **state)
{
    (void)state;
    expect(RESPONSES,
           "{\"input\":[" USER ",{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],"
           "\"content\":[{\"type\":\"reasoning_text\",\"text\":\"Hm\"}]},{\"type\":\"message\","
           "\"role\":\"assistant\",\"content\":\"Look\"},{\"type\":\"function_call\",\"call_id\":"
           "\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"},{\"type\":\"function_call\","
           "\"call_id\":\"c2\",\"name\":\"g\",\"namespace\":\"mcp__x\",\"arguments\":\"{}\"},"
           "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"one\"},{\"type\":"
           "\"function_call_output\",\"call_id\":\"c2\",\"output\":[{\"type\":\"input_text\","
           "\"text\":\"two\"}]}]}",
           "[" USER ",{\"role\":\"assistant\",\"content\":\"Look\",\"reasoning_content\":\"Hm\","
           "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
           "\"arguments\":\"{\\\"a\\\": 1}\"}},{\"id\":\"c2\",\"type\":\"function\",\"function\":{"
           "\"name\":\"mcp__x__g\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
           "\"c1\",\"content\":\"one\"},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":"
           "\"two\"}]",
           "");
    expect(RESPONSES,
           "{\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"sh\","
           "\"input\":\"a \\\"b\\\"\"},{\"type\":\"custom_tool_call_output\",\"call_id\":\"c\","
           "\"output\":\"x\"}]}",
           "[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c\",\"type\":"
           "\"function\",\"function\":{\"name\":\"sh\",\"arguments\":\"{\\\"input\\\":\\\"a "
           "\\\\\\\"b\\\\\\\"\\\"}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":"
           "\"x\"}]",
           "");
    /* Reasoning of this server comes back in this form, that of others cannot be read. */
    expect(RESPONSES,
           "{\"input\":[{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"lfm2:Hm\"},"
           "{\"role\":\"assistant\",\"content\":\"x\"}]}",
           "[{\"role\":\"assistant\",\"content\":\"x\",\"reasoning_content\":\"Hm\"}]", "");
    expect(RESPONSES,
           "{\"input\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":"
           "\"s\"}],\"encrypted_content\":\"gAAAA\"},{\"role\":\"assistant\",\"content\":\"x\"}]}",
           "[{\"role\":\"assistant\",\"content\":\"x\"}]", "");
}

static void test_responses_tools(void **state)
{
    (void)state;
    static const char function[] =
        "{\"type\":\"function\",\"name\":\"f\",\"parameters\":" SCHEMA ",\"strict\":true}";
    char body[2048];
    snprintf(body, sizeof body,
             "{\"input\":\"Hi\",\"tools\":[%s,{\"type\":\"custom\",\"name\":\"patch\",\"format\":{"
             "\"type\":\"grammar\",\"syntax\":\"lark\",\"definition\":\"x\"}},{\"type\":"
             "\"namespace\",\"name\":\"mcp__docs__\",\"description\":\"d\",\"tools\":[{\"type\":"
             "\"function\",\"name\":\"search\",\"parameters\":" SCHEMA "}]},{\"type\":"
             "\"web_search\"},{\"type\":\"web_search_preview\"},{\"type\":\"image_generation\"},"
             "{\"type\":\"tool_search\"},{\"type\":\"local_shell\"}]}",
             function);
    expect(RESPONSES, body, "[" USER "]",
           "[" TOOL("f") "," CUSTOM("patch") "," TOOL("mcp__docs__search") "]");
    snprintf(
        body, sizeof body,
        "{\"input\":[{\"type\":\"additional_tools\",\"role\":\"developer\",\"tools\":[%s]}," USER
        "]}",
        function);
    expect(RESPONSES, body, "[" USER "]", "[" TOOL("f") "]");
    snprintf(body, sizeof body,
             "{\"input\":\"Hi\",\"tools\":[%s,{\"type\":\"custom\",\"name\":\"g\"}],"
             "\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"required\",\"tools\":[{"
             "\"type\":\"custom\",\"name\":\"g\"}]}}",
             function);
    expect(RESPONSES, body, "[" USER "]", "[" CUSTOM("g") "]");
}

static const char *const refused_responses[][2] = {
    {"{}", "input is missing"},
    {"{\"input\":5}", "input must be a string or an array, not a number"},
    {"{\"input\":[5]}", "input[0] must be an object, not a number"},
    {"{\"input\":[{\"role\":\"robot\",\"content\":\"x\"}]}", "input[0].role must be \"user\""},
    {"{\"input\":[{\"role\":\"user\"}]}", "input[0].content is missing"},
    {"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":"
     "\"x\"}]}]}",
     "input[0].content[0].type is \"input_image\", which is not supported"},
    {"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\"}]}]}",
     "input[0].content[0].type is \"input_file\""},
    {"{\"input\":[{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"{}\"}]}",
     "input[0].call_id is missing"},
    {"{\"input\":[{\"type\":\"function_call\",\"name\":\"f\",\"call_id\":\"c\",\"arguments\":{}"
     "}]}",
     "input[0].arguments must be a string, not an object"},
    {"{\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"f\"}]}",
     "input[0].input is missing"},
    {"{\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":null}]}",
     "input[0].output is missing"},
    {"{\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":{}}]}",
     "input[0].output must be a string or an array, not an object"},
    {"{\"input\":[{\"type\":\"unknown_tool_call\"}]}",
     "input[0].type is \"unknown_tool_call\", which is not supported"},
    {"{\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_x_0\"}]}",
     "input[0].id is not that of an item"},
    {"{\"input\":\"x\",\"temperature\":\"hot\"}", "temperature must be a number"},
    {"{\"input\":\"x\",\"max_output_tokens\":0}", "max_output_tokens must be from 1"},
    {"{\"input\":\"x\",\"background\":true}", "background must be false"},
    {"{\"input\":\"x\",\"conversation\":\"c\"}", "conversation is not supported"},
    {"{\"input\":\"x\",\"prompt\":{\"id\":\"p\"}}", "prompt is not supported"},
    {"{\"input\":\"x\",\"top_logprobs\":2}", "top_logprobs is not supported here"},
    {"{\"input\":\"x\",\"include\":[\"message.output_text.logprobs\"]}", "include "},
    {"{\"input\":\"x\",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"x\"}}}",
     "text.format.schema is missing"},
    {"{\"input\":\"x\",\"text\":{\"format\":{\"type\":\"yaml\"}}}", "text.format.type must be"},
    {"{\"input\":\"x\",\"reasoning\":{\"effort\":\"huge\"}}", "reasoning.effort must be"},
    {"{\"input\":\"x\",\"tools\":[{\"type\":\"file_search\"}]}",
     "tools[0].type is \"file_search\""},
    {"{\"input\":\"x\",\"tools\":[{\"type\":\"function\"}]}", "tools[0].name is missing"},
    {"{\"input\":\"x\",\"tools\":[{\"type\":\"custom\",\"name\":\"f\"},{\"type\":\"custom\","
     "\"name\":\"f\"}]}",
     "tools[1].name is the name of two tools: 'f'"},
    {"{\"input\":\"x\",\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":"
     "\"namespace\",\"name\":\"m\",\"tools\":[]}]}]}",
     "tools[0].tools[0].type is \"namespace\""},
    {"{\"input\":\"x\",\"tool_choice\":\"required\"}", "tool_choice requires a call"},
    {"{\"input\":\"x\",\"tool_choice\":\"maybe\"}", "tool_choice must be \"auto\""},
    {"{\"input\":\"x\",\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}}",
     "tool_choice.name is \"f\", but no tool has this name"},
    {"{\"input\":\"x\",\"tool_choice\":{\"type\":\"web_search\"}}", "tool_choice.type must be"},
    {"{\"input\":\"x\",\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":"
     "[]}}",
     "tool_choice.tools must name"},
    {"{\"input\":\"x\",\"previous_response_id\":\"resp_no\"}",
     "previous_response_id: there is no response 'resp_no'"},
};

static void test_responses_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_responses / sizeof refused_responses[0]; i++) {
        refuse(RESPONSES, refused_responses[i][0], refused_responses[i][1]);
    }
}

/* ---- Messages ---- */

#define HEAD "{\"max_tokens\":5,"

static void test_messages_messages(void **state)
{
    (void)state;
    expect(MESSAGES, HEAD "\"messages\":[" USER "]}", "[" USER "]", "");
    expect(MESSAGES,
           HEAD "\"system\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: cch=1;\"},"
                "{\"type\":\"text\",\"text\":\"You are helpful.\",\"cache_control\":{\"type\":"
                "\"ephemeral\"}},{\"type\":\"text\",\"text\":\" Be concise.\"}],\"messages\":["
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"H\"},{\"type\":"
                "\"text\",\"text\":\"i\"}]},{\"role\":\"system\",\"content\":\"Now\"}]}",
           "[{\"role\":\"system\",\"content\":\"You are helpful. Be concise.\"}," USER
           ",{\"role\":\"system\",\"content\":\"Now\"}]",
           "");
    expect(MESSAGES,
           HEAD "\"system\":\"S\",\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":[{"
                "\"type\":\"thinking\",\"thinking\":\"Hm\",\"signature\":\"x\"},{\"type\":"
                "\"redacted_thinking\",\"data\":\"x\"},{\"type\":\"text\",\"text\":\"Look\"},"
                "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\": [1, 2.50]}"
                "}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
                "\"t1\",\"content\":[{\"type\":\"text\",\"text\":\"on\"},{\"type\":\"text\","
                "\"text\":\"e\"}]},{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"is_error\":"
                "true,\"content\":\"bad\"},{\"type\":\"tool_result\",\"tool_use_id\":\"t3\"},"
                "{\"type\":\"text\",\"text\":\"Go \"},{\"type\":\"text\",\"text\":\"on\"}]}]}",
           "[{\"role\":\"system\",\"content\":\"S\"}," USER ",{\"role\":\"assistant\",\"content\":"
           "\"Look\",\"reasoning_content\":\"Hm\",\"tool_calls\":[{\"id\":\"t1\",\"type\":"
           "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":[1,2.50]}\"}}]},"
           "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"one\"},{\"role\":\"tool\","
           "\"tool_call_id\":\"t2\",\"content\":\"Error: bad\"},{\"role\":\"tool\","
           "\"tool_call_id\":\"t3\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"Go on\"}]",
           "");
}

static void test_messages_tools(void **state)
{
    (void)state;
    expect(MESSAGES,
           HEAD "\"messages\":[" USER "],\"tools\":[{\"name\":\"f\",\"input_schema\":" SCHEMA
                ",\"cache_control\":{\"type\":\"ephemeral\"},\"defer_loading\":true},{\"type\":"
                "\"custom\",\"name\":\"g\",\"input_schema\":" SCHEMA "},{\"type\":"
                "\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":5}]}",
           "[" USER "]", "[" TOOL("f") "," TOOL("g") "]");
    /* A tool whose type is not known has a schema all the same. */
    expect(MESSAGES,
           HEAD "\"messages\":[" USER "],\"tools\":[{\"type\":\"new_2030\",\"name\":\"f\","
                "\"input_schema\":" SCHEMA "}]}",
           "[" USER "]", "[" TOOL("f") "]");
}

/* An answer that ends with text of the assistant is continued. */
static void test_messages_prefill(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        bool continued;
    } cases[] = {{"\"It is\"", true},
                 {"[{\"type\":\"text\",\"text\":\"It is\"}]", true},
                 {"[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}]", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        snprintf(body, sizeof body,
                 HEAD "\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":%s}]}",
                 cases[i].content);
        result r = convert(MESSAGES, body);
        assert_int_equal(r.job.continue_last, cases[i].continued);
        free_result(&r);
    }
}

static const char *const refused_messages[][2] = {
    {"{\"messages\":[" USER "]}", "max_tokens is missing"},
    {"{\"max_tokens\":0,\"messages\":[" USER "]}", "max_tokens must be from 1"},
    {HEAD "\"messages\":[]}", "messages must not be empty"},
    {HEAD "\"messages\":\"Hi\"}", "messages must be an array"},
    {HEAD "\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]}",
     "messages[0].role must be \"user\", \"assistant\" or \"system\""},
    {HEAD "\"messages\":[{\"role\":\"user\"}]}", "messages[0].content is missing"},
    {HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{}}]}]}",
     "messages[0].content[0].type is \"image\", which is not supported"},
    {HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\"}]}]}",
     "messages[0].content[0].type is \"document\""},
    {HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
          "\"x\"}]}]}",
     "messages[0].content[0].type is \"thinking\""},
    {HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
          "\"tool_use_id\":\"t\",\"content\":[{\"type\":\"image\"}]}]}]}",
     "messages[0].content[0].content[0].type is \"image\""},
    {HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\"}]}]}",
     "messages[0].content[0].tool_use_id is missing"},
    {HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"name\":"
          "\"f\",\"input\":{}}]}]}",
     "messages[0].content[0].id is missing"},
    {HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"
          "\"t\",\"input\":{}}]}]}",
     "messages[0].content[0].name is missing"},
    {HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"
          "\"t\",\"name\":\"f\",\"input\":\"{}\"}]}]}",
     "messages[0].content[0].input must be an object"},
    {HEAD "\"messages\":[" USER "],\"system\":5}", "system must be a string or an array"},
    {HEAD "\"messages\":[" USER "],\"system\":[{\"type\":\"image\"}]}",
     "system[0].type must be \"text\""},
    {HEAD "\"messages\":[" USER "],\"tools\":[{\"name\":\"f\"}]}",
     "tools[0].input_schema is missing"},
    {HEAD "\"messages\":[" USER "],\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]}",
     "tools[0].type is \"bash_20250124\", which is not supported"},
    {HEAD "\"messages\":[" USER "],\"tool_choice\":{\"type\":\"any\"}}",
     "tool_choice.type requires a call"},
    {HEAD "\"messages\":[" USER "],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}}",
     "tool_choice.name is not the name of a tool"},
    {HEAD "\"messages\":[" USER "],\"tool_choice\":{\"type\":\"must\"}}",
     "tool_choice.type must be \"auto\""},
    {HEAD "\"messages\":[" USER "],\"thinking\":{\"type\":\"deep\"}}",
     "thinking.type must be \"disabled\""},
    {HEAD "\"messages\":[" USER "],\"stop_sequences\":[\"\"]}", "stop_sequences must not"},
    {HEAD "\"messages\":[" USER "],\"top_k\":1.5}", "top_k must be an integer"},
    {HEAD "\"messages\":[" USER "],\"output_config\":{\"format\":{\"type\":\"json_schema\"}}}",
     "output_config.format.schema is missing"},
};

static void test_messages_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_messages / sizeof refused_messages[0]; i++) {
        refuse(MESSAGES, refused_messages[i][0], refused_messages[i][1]);
    }
}

/* ---- Ollama ---- */

#define DEMO "{\"model\":\"demo\","

static void test_ollama_messages(void **state)
{
    (void)state;
    expect(OLLAMA_CHAT,
           DEMO "\"messages\":[{\"role\":\"system\",\"content\":\"S\"}," USER
                ",{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"Hm\",\"tool_calls\":[{"
                "\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},{\"role\":\"tool\","
                "\"tool_name\":\"f\",\"content\":\"x\"}],\"tools\":[" TOOL("f") "],\"keep_alive\":"
                                                                                "\"5m\"}",
           "[{\"role\":\"system\",\"content\":\"S\"}," USER ",{\"role\":\"assistant\",\"content\":"
           "\"\",\"reasoning_content\":\"Hm\",\"tool_calls\":[{\"id\":\"\",\"type\":\"function\","
           "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\","
           "\"tool_call_id\":\"\",\"content\":\"x\"}]",
           "[" TOOL("f") "]");
    expect(OLLAMA_GENERATE, "{\"model\":\"demo:latest\",\"prompt\":\"Hi\",\"system\":\"S\"}",
           "[{\"role\":\"system\",\"content\":\"S\"}," USER "]", "");
    result r = convert(OLLAMA_GENERATE,
                       DEMO "\"prompt\":\"Hi\",\"raw\":true,\"options\":{\"num_predict\":7,"
                            "\"temperature\":0.5,\"stop\":\"x\",\"num_ctx\":4096}}");
    assert_string_equal(r.messages, "");
    assert_int_equal(r.job.text_len, 2);
    assert_int_equal(r.job.max_tokens, 7);
    assert_int_equal(r.job.n_stop, 1);
    assert_true(r.job.sampler.temperature == 0.5F);
    free_result(&r);
}

static void test_ollama_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"messages\":[]}", "model is missing"},
        {DEMO "\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"images\":[\"aa\"]}]}",
         "messages[0].images is not supported"},
        {DEMO "\"messages\":[{\"role\":\"robot\"}]}", "messages[0].role must be \"system\""},
        {DEMO "\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
         "messages[0].content must be a string"},
        {DEMO "\"messages\":[" USER "],\"format\":\"yaml\"}", "format must be \"json\""},
        {DEMO "\"messages\":[" USER "],\"think\":\"much\"}", "think must be \"none\""},
        {DEMO "\"messages\":[" USER "],\"options\":{\"temperature\":\"hot\"}}",
         "options.temperature must be a number"},
        {DEMO "\"messages\":[" USER "],\"options\":{\"num_predict\":-3}}",
         "options.num_predict must be from -2"},
        {DEMO "\"messages\":[" USER "],\"logprobs\":true}", "logprobs is not supported here"},
        {DEMO "\"messages\":[" USER "],\"tools\":[{}]}", "tools[0].function is missing"},
        {DEMO "\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{}]}]}",
         "messages[0].tool_calls[0].function is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refuse(OLLAMA_CHAT, cases[i][0], cases[i][1]);
    }
    refuse(OLLAMA_GENERATE, DEMO "\"prompt\":\"x\",\"images\":[\"aa\"]}",
           "images is not supported");
    refuse(OLLAMA_GENERATE, DEMO "\"prompt\":\"x\",\"suffix\":\"y\"}", "suffix is not supported");
    refuse(OLLAMA_GENERATE, DEMO "\"prompt\":5}", "prompt must be a string");
}

static int set_up(void **state)
{
    (void)state;
    a = lft_api_open(NULL, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lft_api_close(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses_messages), cmocka_unit_test(test_responses_calls),
        cmocka_unit_test(test_responses_tools),    cmocka_unit_test(test_responses_refused),
        cmocka_unit_test(test_messages_messages),  cmocka_unit_test(test_messages_tools),
        cmocka_unit_test(test_messages_prefill),   cmocka_unit_test(test_messages_refused),
        cmocka_unit_test(test_ollama_messages),    cmocka_unit_test(test_ollama_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
