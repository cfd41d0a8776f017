/* SPDX-License-Identifier: Apache-2.0 */
/* An application that uses every struct of lfm2.h on its stack, each between two guards. Built with
 * one version's header and run with another version's library, under the address sanitizer: the
 * sanitizer or a guard detects writes beyond a struct. */
#include <lfm2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, lfm2_last_error()); \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { GUARD = 64, FILL = 0xA5 };

/* A struct between two guards, which must not change. */
#define GUARDED(type)                                                                              \
    struct {                                                                                       \
        unsigned char before[GUARD];                                                               \
        type value;                                                                                \
        unsigned char after[GUARD];                                                                \
    }

static int untouched(const unsigned char *guard)
{
    for (int i = 0; i < GUARD; i++) {
        if (guard[i] != FILL) {
            return 0;
        }
    }
    return 1;
}

#define CHECK_GUARDS(variable) CHECK(untouched((variable).before) && untouched((variable).after))

static int n_tokens;

static int32_t on_token(void *user, const lfm2_generated_token *token)
{
    (void)user;
    /* An older library's struct is shorter than this header's, but has the fields of 0.2. */
    CHECK(token->size >= offsetof(lfm2_generated_token, n_top) + sizeof token->n_top);
    CHECK(token->n_top == (token->id >= 0 ? 3 : 0) && token->text[token->len] == '\0');
    for (size_t i = 0; i < token->n_top; i++) {
        CHECK(token->top_ids[i] >= 0 && token->top_logprobs[i] <= 0);
    }
    n_tokens += token->id >= 0;
    return 0;
}

static void log_nothing(void *user, int32_t level, const char *text, size_t len)
{
    (void)user;
    CHECK(level >= LFM2_LOG_ERROR && text[len] == '\0');
}

static void look_at(const lfm2_model *model)
{
    GUARDED(lfm2_model_info) info;
    memset(&info, FILL, sizeof info);
    info.value.size = sizeof info.value;
    CHECK(lfm2_model_get_info(model, &info.value) == LFM2_OK);
    CHECK(info.value.size == sizeof info.value && info.value.n_layer > 0);
    CHECK_GUARDS(info);
    GUARDED(lfm2_tensor_info) tensor;
    memset(&tensor, FILL, sizeof tensor);
    tensor.value.size = sizeof tensor.value;
    CHECK(lfm2_model_get_tensor(model, 0, &tensor.value) == LFM2_OK);
    CHECK(tensor.value.bytes > 0);
    CHECK_GUARDS(tensor);
    GUARDED(lfm2_memory) memory;
    memset(&memory, FILL, sizeof memory);
    memory.value.size = sizeof memory.value;
    CHECK(lfm2_estimate_memory(model, NULL, &memory.value) == LFM2_OK);
    CHECK(memory.value.total > memory.value.kv);
    CHECK_GUARDS(memory);
}

static size_t make_prompt(const lfm2_model *model, int32_t *ids, size_t capacity)
{
    static const char messages[] = "[{\"role\": \"user\", \"content\": \"What is 2 + 2?\"}]";
    GUARDED(lfm2_chat_options) chat;
    memset(&chat, FILL, sizeof chat);
    lfm2_chat_options_init(&chat.value, sizeof chat.value);
    chat.value.tools = "[{\"name\": \"add\"}]";
    chat.value.tools_len = strlen(chat.value.tools);
    chat.value.flags = LFM2_CHAT_GENERATION_PROMPT;
    size_t n = 0;
    CHECK(lfm2_chat_tokenize(model, messages, sizeof messages - 1, &chat.value, ids, capacity,
                             &n) == LFM2_OK);
    CHECK_GUARDS(chat);
    return n;
}

static void answer(lfm2_model *model)
{
    int32_t ids[256];
    size_t n = make_prompt(model, ids, 256);

    GUARDED(lfm2_session_options) so;
    memset(&so, FILL, sizeof so);
    lfm2_session_options_init(&so.value, sizeof so.value);
    so.value.n_ctx = 512;
    lfm2_session *session = NULL;
    CHECK(lfm2_session_create(model, &so.value, &session) == LFM2_OK);
    CHECK_GUARDS(so);

    static const int32_t bias_ids[] = {5};
    static const float bias_values[] = {-1};
    GUARDED(lfm2_sampler_options) po;
    memset(&po, FILL, sizeof po);
    lfm2_sampler_options_init(&po.value, sizeof po.value, model);
    po.value.temperature = 0;
    po.value.bias_ids = bias_ids;
    po.value.bias_values = bias_values;
    po.value.n_bias = 1;
    lfm2_sampler *sampler = NULL;
    CHECK(lfm2_sampler_create(model, &po.value, &sampler) == LFM2_OK);
    CHECK_GUARDS(po);

    GUARDED(lfm2_generate_options) go;
    memset(&go, FILL, sizeof go);
    lfm2_generate_options_init(&go.value, sizeof go.value);
    go.value.max_tokens = 8;
    go.value.flags = LFM2_GENERATE_IGNORE_EOS;
    go.value.n_top = 3;
    go.value.callback = on_token;
    GUARDED(lfm2_generate_result) result;
    memset(&result, FILL, sizeof result);
    result.value.size = sizeof result.value;
    CHECK(lfm2_generate(session, sampler, ids, n, &go.value, &result.value) == LFM2_OK);
    CHECK(result.value.n_generated == 8 && n_tokens == 8 && result.value.excluded_id == -1);
    CHECK(result.value.n_prompt == n && result.value.finish == LFM2_FINISH_LENGTH);
    CHECK_GUARDS(go);
    CHECK_GUARDS(result);
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
}

static int32_t read_file(void *user, uint64_t offset, void *buffer, size_t n)
{
    FILE *file = user;
    return fseek(file, (long)offset, SEEK_SET) != 0 || fread(buffer, 1, n, file) != n;
}

static void load_by_reader(lfm2_runtime *runtime, const char *path)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    GUARDED(lfm2_model_reader) reader;
    memset(&reader, FILL, sizeof reader);
    reader.value = (lfm2_model_reader){.size = sizeof reader.value,
                                       .bytes = (uint64_t)ftell(file),
                                       .read = read_file,
                                       .user = file};
    GUARDED(lfm2_model_options) mo;
    memset(&mo, FILL, sizeof mo);
    lfm2_model_options_init(&mo.value, sizeof mo.value);
    mo.value.mode = LFM2_LOAD_INSPECT;
    lfm2_model *model = NULL;
    CHECK(lfm2_model_load_reader(runtime, &reader.value, &mo.value, &model) == LFM2_OK);
    CHECK_GUARDS(reader);
    CHECK_GUARDS(mo);
    look_at(model);
    lfm2_model_free(model);
    fclose(file);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    GUARDED(lfm2_runtime_options) ro;
    memset(&ro, FILL, sizeof ro);
    lfm2_runtime_options_init(&ro.value, sizeof ro.value);
    ro.value.n_threads = 1;
    ro.value.log = log_nothing;
    lfm2_runtime *runtime = NULL;
    CHECK(lfm2_runtime_create(&ro.value, &runtime) == LFM2_OK);
    CHECK_GUARDS(ro);

    GUARDED(lfm2_model_options) mo;
    memset(&mo, FILL, sizeof mo);
    lfm2_model_options_init(&mo.value, sizeof mo.value);
    mo.value.cache = LFM2_CACHE_OFF;
    lfm2_model *model = NULL;
    CHECK(lfm2_model_load(runtime, argv[1], &mo.value, &model) == LFM2_OK);
    CHECK_GUARDS(mo);
    look_at(model);
    answer(model);
    lfm2_model_free(model);
    load_by_reader(runtime, argv[1]);
    lfm2_runtime_free(runtime);
    printf("ok\n");
    return 0;
}
