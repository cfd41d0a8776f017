/* SPDX-License-Identifier: Apache-2.0 */
/* A C++ program of another project, built with the installed library; prints what example.c prints. */
#include <lfm2.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

template <typename T, void (*Free)(T *)> struct Deleter {
    void operator()(T *handle) const
    {
        Free(handle);
    }
};
using Runtime = std::unique_ptr<lfm2_runtime, Deleter<lfm2_runtime, lfm2_runtime_free>>;
using Model = std::unique_ptr<lfm2_model, Deleter<lfm2_model, lfm2_model_free>>;
using Session = std::unique_ptr<lfm2_session, Deleter<lfm2_session, lfm2_session_free>>;
using Sampler = std::unique_ptr<lfm2_sampler, Deleter<lfm2_sampler, lfm2_sampler_free>>;

void check(std::int32_t status)
{
    if (status != LFM2_OK) {
        throw std::runtime_error(std::string(lfm2_status_name(status)) + ": " + lfm2_last_error());
    }
}

std::vector<std::int32_t> chat_ids(const Model &model, const std::string &messages)
{
    lfm2_chat_options options;
    lfm2_chat_options_init(&options, sizeof options);
    options.flags = LFM2_CHAT_GENERATION_PROMPT;
    std::size_t n = 0;
    std::int32_t status =
        lfm2_chat_tokenize(model.get(), messages.data(), messages.size(), &options, nullptr, 0, &n);
    if (status != LFM2_E_BUFFER) {
        check(status);
    }
    std::vector<std::int32_t> ids(n);
    check(lfm2_chat_tokenize(model.get(), messages.data(), messages.size(), &options, ids.data(),
                             ids.size(), &n));
    return ids;
}

std::string answer(const Model &model, const std::string &messages)
{
    lfm2_session *raw_session = nullptr;
    check(lfm2_session_create(model.get(), nullptr, &raw_session));
    Session session(raw_session);

    lfm2_sampler_options sampling;
    lfm2_sampler_options_init(&sampling, sizeof sampling, model.get());
    sampling.temperature = 0.0f;
    lfm2_sampler *raw_sampler = nullptr;
    check(lfm2_sampler_create(model.get(), &sampling, &raw_sampler));
    Sampler sampler(raw_sampler);

    std::string text;
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = 24;
    options.callback = [](void *user, const lfm2_generated_token *token) -> std::int32_t {
        static_cast<std::string *>(user)->append(token->text, token->len);
        return 0;
    };
    options.callback_user = &text;
    std::vector<std::int32_t> ids = chat_ids(model, messages);
    check(lfm2_generate(session.get(), sampler.get(), ids.data(), ids.size(), &options, nullptr));
    return text;
}

void run(const char *path)
{
    std::printf("version %s\n", lfm2_version());
    lfm2_runtime_options options;
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = 2;
    lfm2_runtime *raw_runtime = nullptr;
    check(lfm2_runtime_create(&options, &raw_runtime));
    Runtime runtime(raw_runtime);

    lfm2_model *raw_model = nullptr;
    if (lfm2_model_load(runtime.get(), "no such file", nullptr, &raw_model) != LFM2_E_IO) {
        throw std::runtime_error("a missing file was loaded");
    }
    if (path != nullptr) {
        check(lfm2_model_load(runtime.get(), path, nullptr, &raw_model));
        Model model(raw_model);
        const char *messages = R"([{"role": "user", "content": "What is the capital of France?"}])";
        std::printf("%s\n", answer(model, messages).c_str());
    }
}

} // namespace

int main(int argc, char **argv)
{
    try {
        run(argc > 1 ? argv[1] : nullptr);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
