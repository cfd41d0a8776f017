/* SPDX-License-Identifier: Apache-2.0 */
/* Structs of other versions: smaller or larger than the library's, with unknown fields and bits. */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

static lfm2_runtime *runtime;
static lfm2_model *model;

/* A struct of a newer caller: this version's fields, then unknown ones. */
typedef union newer {
    size_t size;
    lfm2_runtime_options runtime;
    lfm2_model_options model;
    lfm2_session_options session;
    lfm2_restore_options restore;
    lfm2_cache_options cache;
    lfm2_sampler_options sampler;
    lfm2_generate_options generate;
    lfm2_stream_options stream;
    lfm2_constraint_options constraint;
    lfm2_chat_options chat;
    lfm2_chat_parser_options chat_parser;
    lfm2_engine_options engine;
    lfm2_request_options request;
    lfm2_convert_options convert;
    unsigned char bytes[512];
} newer;

/* ---- Every option struct, with the call that takes it ---- */

static void init_sampler(void *options, size_t size)
{
    lfm2_sampler_options_init(options, size, NULL);
}

static int32_t use_runtime(const void *options)
{
    lfm2_runtime *r = NULL;
    int32_t status = lfm2_runtime_create(options, &r);
    lfm2_runtime_free(r);
    return status;
}

static int32_t use_model(const void *options)
{
    lfm2_model *m = NULL;
    int32_t status = lfm2_model_load(runtime, lft_tiny("q4_0"), options, &m);
    lfm2_model_free(m);
    return status;
}

static int32_t use_constraint(const void *options)
{
    lfm2_constraint *c = NULL;
    int32_t status = lfm2_constraint_create(model, LFM2_CONSTRAINT_REGEX, "a", 1, options, &c);
    lfm2_constraint_free(c);
    return status;
}

static int32_t use_cache(const void *options)
{
    lfm2_cache *c = NULL;
    int32_t status = lfm2_cache_create(model, options, &c);
    lfm2_cache_free(c);
    return status;
}

static int32_t use_session(const void *options)
{
    lfm2_session *s = NULL;
    lfm2_memory memory = {.size = sizeof memory};
    int32_t status = lfm2_session_create(model, options, &s);
    assert_int_equal(lfm2_estimate_memory(model, options, &memory), status);
    lfm2_session_free(s);
    return status;
}

static int32_t use_restore(const void *options)
{
    lfm2_session *s = lft_session(model, 8, 0, LFM2_KV_Q8);
    uint8_t bytes[1 << 12];
    size_t n = 0;
    LFT_OK(lfm2_session_save_memory(s, 0, bytes, sizeof bytes, &n));
    lfm2_session_free(s);
    s = NULL;
    int32_t status = lfm2_session_restore_memory(model, bytes, n, options, &s);
    lfm2_session_free(s);
    return status;
}

static int32_t use_sampler(const void *options)
{
    lfm2_sampler *sampler = NULL;
    int32_t status = lfm2_sampler_create(model, options, &sampler);
    lfm2_sampler_free(sampler);
    return status;
}

static int32_t use_generate(const void *options)
{
    lfm2_session *s = lft_session(model, 8, 0, LFM2_KV_F16);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    int32_t status = lfm2_generate(s, sampler, (int32_t[]){1, 2}, 2, options, NULL);
    lfm2_sampler_free(sampler);
    lfm2_session_free(s);
    return status;
}

static int32_t use_stream(const void *options)
{
    lfm2_sampler *sampler = NULL;
    lfm2_stream *stream = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    int32_t status = lfm2_stream_create(model, sampler, options, &stream);
    lfm2_stream_free(stream);
    lfm2_sampler_free(sampler);
    return status;
}

static int32_t use_chat(const void *options)
{
    size_t n = 0;
    char text[64];
    int32_t ids[64];
    int32_t status = lfm2_chat_render(model, "[]", 2, options, text, sizeof text, &n);
    assert_int_equal(lfm2_chat_tokenize(model, "[]", 2, options, ids, 64, &n), status);
    return status;
}

static int32_t use_chat_parser(const void *options)
{
    lfm2_chat_parser *parser = NULL;
    int32_t status = lfm2_chat_parser_create(model, options, &parser);
    lfm2_chat_parser_free(parser);
    return status;
}

static int32_t use_engine(const void *options)
{
    lfm2_engine *engine = NULL;
    int32_t status = lfm2_engine_create(model, options, &engine);
    lfm2_engine_free(engine);
    return status;
}

/* With a prompt; no options are no request. */
static int32_t use_request(const void *options)
{
    if (options == NULL) {
        return LFM2_OK;
    }
    const int32_t prompt[] = {1};
    newer o = *(const newer *)options;
    o.request.prompt = prompt;
    o.request.n_prompt = 1;
    uint64_t id = 0;
    lfm2_engine *engine = NULL;
    LFT_OK(lfm2_engine_create(model, NULL, &engine));
    int32_t status = lfm2_engine_submit(engine, &o.request, &id);
    lfm2_engine_free(engine);
    return status;
}

static int32_t use_convert(const void *options)
{
    return lfm2_synthesize(runtime, "tiny", 1, lft_temp("structs.gguf"), options);
}

/* Casts of function pointers that differ in the type of one pointer argument are undefined in C. */
#define INIT_OF(name)                                                                              \
    static void init_##name(void *options, size_t size)                                            \
    {                                                                                              \
        lfm2_##name##_options_init(options, size);                                                 \
    }
INIT_OF(runtime)
INIT_OF(model)
INIT_OF(session)
INIT_OF(restore)
INIT_OF(cache)
INIT_OF(generate)
INIT_OF(stream)
INIT_OF(constraint)
INIT_OF(chat)
INIT_OF(chat_parser)
INIT_OF(engine)
INIT_OF(request)
INIT_OF(convert)

static const struct {
    const char *name;
    void (*init)(void *options, size_t size);
    int32_t (*use)(const void *options);
    size_t size;
    size_t first_size; /* of its first version */
} structs[] = {
    {"runtime", init_runtime, use_runtime, sizeof(lfm2_runtime_options),
     sizeof(lfm2_runtime_options)},
    {"model", init_model, use_model, sizeof(lfm2_model_options), sizeof(lfm2_model_options)},
    {"session", init_session, use_session, sizeof(lfm2_session_options),
     offsetof(lfm2_session_options, n_reserve)},
    {"restore", init_restore, use_restore, sizeof(lfm2_restore_options),
     sizeof(lfm2_restore_options)},
    {"sampler", init_sampler, use_sampler, sizeof(lfm2_sampler_options),
     sizeof(lfm2_sampler_options)},
    {"generate", init_generate, use_generate, sizeof(lfm2_generate_options),
     offsetof(lfm2_generate_options, draft_ids)},
    {"cache", init_cache, use_cache, sizeof(lfm2_cache_options), sizeof(lfm2_cache_options)},
    {"stream", init_stream, use_stream, sizeof(lfm2_stream_options),
     offsetof(lfm2_stream_options, constraint)},
    {"constraint", init_constraint, use_constraint, sizeof(lfm2_constraint_options),
     sizeof(lfm2_constraint_options)},
    {"chat", init_chat, use_chat, sizeof(lfm2_chat_options),
     offsetof(lfm2_chat_options, template_args)},
    {"chat_parser", init_chat_parser, use_chat_parser, sizeof(lfm2_chat_parser_options),
     sizeof(lfm2_chat_parser_options)},
    {"engine", init_engine, use_engine, sizeof(lfm2_engine_options), sizeof(lfm2_engine_options)},
    {"request", init_request, use_request, sizeof(lfm2_request_options),
     sizeof(lfm2_request_options)},
    {"convert", init_convert, use_convert, sizeof(lfm2_convert_options),
     offsetof(lfm2_convert_options, imatrix)},
};

enum { N_STRUCTS = sizeof structs / sizeof structs[0] };

/* Init writes exactly `size` bytes of the caller; unknown fields become 0. */
static void test_init(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_STRUCTS; i++) {
        newer whole;
        memset(&whole, 0xEE, sizeof whole);
        structs[i].init(&whole, structs[i].size);
        for (size_t size = 0; size <= sizeof whole; size++) {
            newer o;
            memset(&o, 0xEE, sizeof o);
            structs[i].init(&o, size);
            size_t written = size < sizeof(size_t) ? 0 : size;
            if (written > 0) {
                assert_int_equal(o.size, size);
            }
            for (size_t b = sizeof(size_t); b < sizeof o; b++) {
                unsigned char want = b >= written ? 0xEE : b < structs[i].size ? whole.bytes[b] : 0;
                if (o.bytes[b] != want) {
                    fail_msg("%s: size %zu: byte %zu is %u, not %u", structs[i].name, size, b,
                             o.bytes[b], want);
                }
            }
        }
        structs[i].init(NULL, structs[i].size);
    }
}

/* A newer caller succeeds if it sets no unknown field, and fails otherwise. */
static void test_newer_callers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_STRUCTS; i++) {
        newer o;
        structs[i].init(&o, sizeof o);
        LFT_OK(structs[i].use(&o));
        for (size_t b = structs[i].size; b < sizeof o; b += 1 + b % 7) {
            o.bytes[b] = 1;
            LFT_FAILS(structs[i].use(&o), LFM2_E_ARGUMENT);
            assert_string_equal(lfm2_last_error_code(), "argument.unknown_field");
            o.bytes[b] = 0;
        }
        o.bytes[sizeof o - 1] = 1;
        LFT_FAILS(structs[i].use(&o), LFM2_E_ARGUMENT);
    }
}

/* Sizes that no version has: the init function was not called, or the struct is garbage. */
static void test_wrong_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_STRUCTS; i++) {
        newer o;
        structs[i].init(&o, structs[i].size);
        const size_t wrong[] = {0, 1, sizeof(size_t), structs[i].first_size - 1, 4097, SIZE_MAX};
        for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
            o.size = wrong[w];
            LFT_FAILS(structs[i].use(&o), LFM2_E_ARGUMENT);
            assert_string_equal(lfm2_last_error_code(), "argument.size");
        }
        o.size = structs[i].size;
        LFT_OK(structs[i].use(&o));
        o.size = structs[i].first_size;
        LFT_OK(structs[i].use(&o));
        LFT_OK(structs[i].use(NULL));
    }
}

/* Undefined bits and reserved fields. */
static void test_unknown_bits(void **state)
{
    (void)state;
    newer o;
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        init_generate(&o, sizeof o.generate);
        o.generate.flags = bit;
        o.generate.max_tokens = 1;
        LFT_FAILS(use_generate(&o), bit <= LFM2_GENERATE_DRAFT ? LFM2_OK : LFM2_E_ARGUMENT);
        init_stream(&o, sizeof o.stream);
        o.stream.flags = bit;
        LFT_FAILS(use_stream(&o), bit <= LFM2_STREAM_LOGPROBS ? LFM2_OK : LFM2_E_ARGUMENT);
        init_chat(&o, sizeof o.chat);
        o.chat.flags = bit;
        LFT_FAILS(use_chat(&o), bit <= LFM2_CHAT_JOIN_PARTS ? LFM2_OK : LFM2_E_ARGUMENT);
        init_engine(&o, sizeof o);
        o.engine.flags = bit;
        LFT_FAILS(use_engine(&o), bit <= LFM2_ENGINE_NO_CACHE ? LFM2_OK : LFM2_E_ARGUMENT);
        init_request(&o, sizeof o);
        o.request.flags = bit;
        LFT_FAILS(use_request(&o), bit <= LFM2_REQUEST_PROGRESS ? LFM2_OK : LFM2_E_ARGUMENT);
        init_convert(&o, sizeof o.convert);
        o.convert.flags = bit;
        LFT_FAILS(use_convert(&o), bit <= LFM2_CONVERT_REQUANTIZE ? LFM2_OK : LFM2_E_ARGUMENT);
        int32_t ids[4];
        char text[4];
        size_t n = 0;
        lfm2_decoder *d = NULL;
        LFT_FAILS(lfm2_tokenize(model, "", 0, bit, ids, 4, &n),
                  bit <= LFM2_TOKENIZE_SPECIAL ? LFM2_OK : LFM2_E_ARGUMENT);
        LFT_FAILS(lfm2_detokenize(model, ids, 0, bit, text, 4, &n),
                  bit <= LFM2_DETOKENIZE_SPECIAL ? LFM2_OK : LFM2_E_ARGUMENT);
        LFT_FAILS(lfm2_decoder_create(model, bit, &d),
                  bit <= LFM2_DETOKENIZE_SPECIAL ? LFM2_OK : LFM2_E_ARGUMENT);
        lfm2_decoder_free(d);
    }
    init_generate(&o, sizeof o.generate);
    o.generate.reserved = 1;
    LFT_FAILS(use_generate(&o), LFM2_E_ARGUMENT);
    init_stream(&o, sizeof o.stream);
    o.stream.reserved = 1;
    LFT_FAILS(use_stream(&o), LFM2_E_ARGUMENT);
    init_session(&o, sizeof o.session);
    o.session.reserved = 1;
    LFT_FAILS(use_session(&o), LFM2_E_ARGUMENT);
    init_session(&o, sizeof o.session);
    o.session.reserved2 = 1;
    LFT_FAILS(use_session(&o), LFM2_E_ARGUMENT);
    init_chat(&o, sizeof o.chat);
    o.chat.reserved = 1;
    LFT_FAILS(use_chat(&o), LFM2_E_ARGUMENT);
    init_convert(&o, sizeof o.convert);
    o.convert.reserved = 1;
    LFT_FAILS(use_convert(&o), LFM2_E_ARGUMENT);
}

/* Results are written up to the size of the caller's struct; its unknown fields are cleared. */
static void test_results(void **state)
{
    (void)state;
    union {
        lfm2_model_info info;
        unsigned char bytes[sizeof(lfm2_model_info) + 64];
    } u;
    lfm2_model_info whole = {.size = sizeof whole};
    LFT_OK(lfm2_model_get_info(model, &whole));

    memset(&u, 0xEE, sizeof u);
    u.info.size = offsetof(lfm2_model_info, n_vocab);
    LFT_OK(lfm2_model_get_info(model, &u.info));
    assert_int_equal(u.info.size, offsetof(lfm2_model_info, n_vocab));
    assert_memory_equal(u.bytes + sizeof(size_t), (unsigned char *)&whole + sizeof(size_t),
                        offsetof(lfm2_model_info, n_vocab) - sizeof(size_t));
    for (size_t i = offsetof(lfm2_model_info, n_vocab); i < sizeof u; i++) {
        assert_int_equal(u.bytes[i], 0xEE);
    }

    memset(&u, 0xEE, sizeof u);
    u.info.size = sizeof u - 1; /* a newer caller */
    LFT_OK(lfm2_model_get_info(model, &u.info));
    assert_int_equal(u.info.size, sizeof u - 1);
    assert_int_equal(u.info.n_vocab, whole.n_vocab);
    for (size_t i = sizeof(lfm2_model_info); i < sizeof u - 1; i++) {
        assert_int_equal(u.bytes[i], 0);
    }
    assert_int_equal(u.bytes[sizeof u - 1], 0xEE);

    const size_t wrong[] = {0, sizeof(size_t) - 1, 4097, SIZE_MAX};
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        u.info.size = wrong[w];
        LFT_FAILS(lfm2_model_get_info(model, &u.info), LFM2_E_ARGUMENT);
    }
    LFT_FAILS(lfm2_model_get_info(model, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_get_info(NULL, &whole), LFM2_E_ARGUMENT);
}

static int begin(void **state)
{
    (void)state;
    runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    model = lft_load(runtime, lft_tiny("q4_0"));
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),        cmocka_unit_test(test_newer_callers),
        cmocka_unit_test(test_wrong_sizes), cmocka_unit_test(test_unknown_bits),
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
