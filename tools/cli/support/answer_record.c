/* SPDX-License-Identifier: Apache-2.0 */
/* Records an answer and prints it as a JSON object. */
#include "cli/support/answer_record.h"
#include "cli/support/answer_report.h"
#include "cli/support/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct recorded_token {
    int32_t id;
    float logprob;
    bool forced;
    size_t n_top;
    struct {
        int32_t id;
        float logprob;
    } top[];
};

int answer_record_text(answer_record *record, answer_channel channel, const char *text, size_t len)
{
    return text_append(&record->text[channel], text, len);
}

int answer_record_token(answer_record *record, const lfm2_generated_token *generated)
{
    if (record->n_tokens == record->capacity) {
        size_t capacity = record->capacity * 2 + 64;
        recorded_token **tokens = realloc(record->tokens, capacity * sizeof(recorded_token *));
        if (tokens == NULL) {
            return fail("cli.memory", "out of memory");
        }
        record->tokens = tokens;
        record->capacity = capacity;
    }
    recorded_token *token = malloc(sizeof *token + generated->n_top * sizeof token->top[0]);
    if (token == NULL) {
        return fail("cli.memory", "out of memory");
    }
    token->id = generated->id;
    token->logprob = generated->logprob;
    token->forced = generated->forced != 0;
    token->n_top = generated->n_top;
    for (size_t i = 0; i < generated->n_top; i++) {
        token->top[i].id = generated->top_ids[i];
        token->top[i].logprob = generated->top_logprobs[i];
    }
    record->tokens[record->n_tokens++] = token;
    return EXIT_OK;
}

static void print_token(const lfm2_model *model, int32_t id, float logprob)
{
    const char *bytes = "";
    size_t len = 0;
    lfm2_token_get(model, id, &bytes, &len, NULL);
    out_printf("\"id\":%d,", (int)id);
    json_text_member("text", bytes, len);
    out_printf(",\"logprob\":");
    json_number((double)logprob);
}

static void print_tokens(const answer_record *record, const lfm2_model *model)
{
    out_printf(",\"tokens\":[");
    for (size_t i = 0; i < record->n_tokens; i++) {
        const recorded_token *token = record->tokens[i];
        out_printf("%s{", i > 0 ? "," : "");
        print_token(model, token->id, token->logprob);
        out_printf("%s,\"top\":[", token->forced ? ",\"forced\":true" : "");
        for (size_t k = 0; k < token->n_top; k++) {
            out_printf("%s{", k > 0 ? "," : "");
            print_token(model, token->top[k].id, token->top[k].logprob);
            out_printf("}");
        }
        out_printf("]}");
    }
    out_printf("]");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void answer_record_content(const answer_record *record, bool reasoned, const char **text,
                           size_t *len)
{
    const text_buffer *content = &record->text[ANSWER_CONTENT];
    size_t start = 0;
    while (reasoned && start < content->len && is_space(content->data[start])) {
        start++;
    }
    *text = content->data != NULL ? content->data + start : "";
    *len = content->len - start;
}

/* Prints "reasoning_content", without white space at its ends. */
static void print_reasoning(const text_buffer *text)
{
    size_t start = 0;
    size_t end = text->len;
    while (start < end && is_space(text->data[start])) {
        start++;
    }
    while (end > start && is_space(text->data[end - 1])) {
        end--;
    }
    out_printf(",\"reasoning_content\":");
    json_string(end > start ? text->data + start : "", end - start);
}

int answer_record_set_content(answer_record *record, const answer *a)
{
    record->text[ANSWER_CONTENT].len = 0;
    return answer_calls_content(a, &record->text[ANSWER_CONTENT]);
}

void answer_record_print(const answer_record *record, const answer *a, const lfm2_model *model,
                         const char *path, uint64_t seed, bool logprobs)
{
    const lfm2_generate_result *r = &a->result;
    const char *text = "";
    size_t len = 0;
    out_printf("{\"model\":");
    json_string(path, strlen(path));
    answer_record_content(record, a->reasoned, &text, &len);
    out_printf(",\"text\":");
    json_string(text, len);
    if (a->reasoned) {
        print_reasoning(&record->text[ANSWER_REASONING]);
    }
    if (answer_n_calls(a) > 0) {
        out_printf(",\"tool_calls\":");
        answer_calls_print(a);
    }
    out_printf(",\"ids\":");
    json_ids(a->ids.data, a->ids.n);
    out_printf(",\"finish\":\"%s\",\"stop_id\":", finish_name(r->finish));
    if (r->stop_id >= 0) {
        out_printf("%d", (int)r->stop_id);
    } else {
        out_printf("null");
    }
    out_printf(",\"n_prompt\":%u,\"n_reused\":%u,\"n_generated\":%u,\"n_reasoning\":%u,"
               "\"n_drafted\":%u,\"n_accepted\":%u,\"n_forced\":%u,\"prompt_seconds\":",
               a->n_reused + r->n_prompt, a->n_reused, r->n_generated, a->n_reasoning, r->n_drafted,
               r->n_accepted, r->n_forced);
    json_number(r->prompt_seconds);
    out_printf(",\"generate_seconds\":");
    json_number(r->generate_seconds);
    out_printf(",\"seed\":%" PRIu64, seed);
    if (logprobs) {
        print_tokens(record, model);
    }
    out_printf("}\n");
}

void answer_record_free(answer_record *record)
{
    for (size_t i = 0; i < record->n_tokens; i++) {
        free(record->tokens[i]);
    }
    free(record->tokens);
    text_free(&record->text[ANSWER_CONTENT]);
    text_free(&record->text[ANSWER_REASONING]);
    *record = (answer_record){0};
}
