/* SPDX-License-Identifier: Apache-2.0 */
/* A C program of another project, built with the installed library: loads the model named on the
 * command line, asks a question and prints the answer while it is generated. Without a model it
 * checks that errors are reported. */
#include <lfm2.h>

#include <stdio.h>
#include <string.h>

enum { PROMPT_TOKENS = 256 };

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s (%s)\n", what, lfm2_last_error(), lfm2_last_error_code());
    return 1;
}

static int32_t print_token(void *user, const lfm2_generated_token *token)
{
    (void)user;
    fwrite(token->text, 1, token->len, stdout);
    return 0;
}

static int answer(lfm2_model *model, const char *messages)
{
    int32_t ids[PROMPT_TOKENS];
    size_t n_ids = 0;
    lfm2_session *session = NULL;
    lfm2_sampler *sampler = NULL;
    lfm2_chat_options chat;
    lfm2_sampler_options sampling;
    lfm2_generate_options options;

    lfm2_chat_options_init(&chat, sizeof chat);
    chat.flags = LFM2_CHAT_GENERATION_PROMPT;
    lfm2_sampler_options_init(&sampling, sizeof sampling, model);
    sampling.temperature = 0.0f;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = 24;
    options.callback = print_token;

    int status = 0;
    if (lfm2_chat_tokenize(model, messages, strlen(messages), &chat, ids, PROMPT_TOKENS, &n_ids) !=
            LFM2_OK ||
        lfm2_session_create(model, NULL, &session) != LFM2_OK ||
        lfm2_sampler_create(model, &sampling, &sampler) != LFM2_OK ||
        lfm2_generate(session, sampler, ids, n_ids, &options, NULL) != LFM2_OK) {
        status = fail("answer");
    } else {
        printf("\n");
    }
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
    return status;
}

int main(int argc, char **argv)
{
    lfm2_runtime_options options;
    lfm2_runtime *runtime = NULL;
    lfm2_model *model = NULL;

    printf("version %s\n", lfm2_version());
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = 2;
    if (lfm2_runtime_create(&options, &runtime) != LFM2_OK) {
        return fail("runtime");
    }
    int status = 0;
    if (lfm2_model_load(runtime, "no such file", NULL, &model) != LFM2_E_IO || model != NULL) {
        fprintf(stderr, "a missing file: expected %s\n", lfm2_status_name(LFM2_E_IO));
        status = 1;
    }
    if (status == 0 && argc > 1) {
        status = lfm2_model_load(runtime, argv[1], NULL, &model) == LFM2_OK
                     ? answer(model, "[{\"role\": \"user\", "
                                     "\"content\": \"What is the capital of France?\"}]")
                     : fail(argv[1]);
    }
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    return status;
}
