/* SPDX-License-Identifier: Apache-2.0 */
/* A C program of another project: answers two questions at once with the model named on the command
 * line. Both sessions take part in one pass, and a stream turns the logits of each into text. The
 * answers must be those of lfm2_generate, byte for byte. */
#include <lfm2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2, PROMPT_TOKENS = 256, TEXT_BYTES = 4096, MAX_TOKENS = 40 };

static const char *const questions[N] = {
    "[{\"role\": \"user\", \"content\": \"What is the capital of France?\"}]",
    "[{\"role\": \"user\", \"content\": \"Repeat: one two three\"}]"};
static const char *const stops[] = {"three", "\n\n"};

/* One conversation. */
typedef struct sequence {
    int32_t prompt[PROMPT_TOKENS];
    size_t n_prompt;
    lfm2_session *session;
    lfm2_stream *stream;
    char text[TEXT_BYTES];
    size_t len;
    int32_t finish; /* 0 while it is generated */
    int32_t next;   /* the token to append */
} sequence;

static void need(int32_t status, const char *what)
{
    if (status != LFM2_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, lfm2_last_error(), lfm2_last_error_code());
        exit(1);
    }
}

static void append(sequence *s, const char *text, size_t len)
{
    if (len >= TEXT_BYTES - s->len) {
        fprintf(stderr, "the text is too long\n");
        exit(1);
    }
    memcpy(s->text + s->len, text, len);
    s->len += len;
    s->text[s->len] = '\0';
}

static lfm2_sampler *make_sampler(const lfm2_model *model, int i)
{
    lfm2_sampler *sampler = NULL;
    lfm2_sampler_options options;
    lfm2_sampler_options_init(&options, sizeof options, model);
    options.temperature = 0.7f;
    options.seed = (uint64_t)i + 1;
    need(lfm2_sampler_create(model, &options, &sampler), "sampler");
    return sampler;
}

static void start(sequence *s, lfm2_model *model, int i)
{
    lfm2_chat_options chat;
    lfm2_chat_options_init(&chat, sizeof chat);
    chat.flags = LFM2_CHAT_GENERATION_PROMPT;
    need(lfm2_chat_tokenize(model, questions[i], strlen(questions[i]), &chat, s->prompt,
                            PROMPT_TOKENS, &s->n_prompt),
         "question");
    need(lfm2_session_create(model, NULL, &s->session), "session");
}

/* ---- One by one ---- */

static int32_t on_token(void *user, const lfm2_generated_token *token)
{
    append(user, token->text, token->len);
    return 0;
}

static void answer_alone(sequence *s, lfm2_model *model, int i)
{
    lfm2_sampler *sampler = make_sampler(model, i);
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = MAX_TOKENS;
    options.stop_strings = stops;
    options.n_stop_strings = 2;
    options.callback = on_token;
    options.callback_user = s;
    start(s, model, i);
    need(lfm2_generate(s->session, sampler, s->prompt, s->n_prompt, &options, NULL), "generate");
    lfm2_session_free(s->session);
    lfm2_sampler_free(sampler);
}

/* ---- Together ---- */

/* Chooses the next token; at the end of the text adds what the stream held back. */
static void step(sequence *s)
{
    const float *logits = NULL;
    size_t n_vocab = 0;
    lfm2_stream_step result;
    result.size = sizeof result;
    need(lfm2_session_logits(s->session, &logits, &n_vocab), "logits");
    need(lfm2_stream_sample(s->stream, logits, n_vocab, &result), "sample");
    append(s, result.text, result.len);
    s->finish = result.finish;
    s->next = result.id;
    if (s->finish != 0) {
        need(lfm2_stream_flush(s->stream, &result), "flush");
        append(s, result.text, result.len);
    }
}

static void answer_together(sequence *all, lfm2_model *model)
{
    lfm2_stream_options options;
    lfm2_stream_options_init(&options, sizeof options);
    options.max_tokens = MAX_TOKENS;
    options.stop_strings = stops;
    options.n_stop_strings = 2;
    for (int i = 0; i < N; i++) {
        sequence *s = &all[i];
        lfm2_sampler *sampler = make_sampler(model, i);
        start(s, model, i);
        need(lfm2_stream_create(model, sampler, &options, &s->stream), "stream");
        lfm2_sampler_free(sampler); /* the stream holds a reference */
        need(lfm2_session_prefill(s->session, s->prompt, s->n_prompt), "prefill");
        need(lfm2_stream_prompt(s->stream, s->prompt, s->n_prompt), "prompt");
    }
    for (;;) {
        lfm2_session *sessions[N];
        int32_t ids[N];
        uint32_t n = 0;
        for (int i = 0; i < N; i++) {
            if (all[i].finish == 0) {
                step(&all[i]);
            }
            if (all[i].finish == 0) {
                sessions[n] = all[i].session;
                ids[n++] = all[i].next;
            }
        }
        if (n == 0) {
            break;
        }
        need(lfm2_session_decode_many(sessions, ids, n), "decode");
    }
    for (int i = 0; i < N; i++) {
        lfm2_stream_free(all[i].stream);
        lfm2_session_free(all[i].session);
    }
}

int main(int argc, char **argv)
{
    static sequence alone[N];
    static sequence together[N];
    lfm2_runtime *runtime = NULL;
    lfm2_model *model = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: batch MODEL\n");
        return 1;
    }
    need(lfm2_runtime_create(NULL, &runtime), "runtime");
    need(lfm2_model_load(runtime, argv[1], NULL, &model), argv[1]);
    answer_together(together, model);
    for (int i = 0; i < N; i++) {
        answer_alone(&alone[i], model, i);
        printf("%s\n", together[i].text);
        if (alone[i].len != together[i].len ||
            memcmp(alone[i].text, together[i].text, alone[i].len) != 0) {
            fprintf(stderr, "lfm2_generate alone: %s\n", alone[i].text);
            return 1;
        }
    }
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    return 0;
}
