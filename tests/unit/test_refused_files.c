/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of files that are not models this library loads: the message says what the file is and what
 * to do. Folders that hold GGUF files. */
#include "support/sources.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char pointer[] = "version https://git-lfs.github.com/spec/v1\n"
                              "oid sha256:0123456789abcdef\nsize 4728195\n";
static const char page[] = "\n<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n";

static int32_t open_bytes(const void *data, size_t n)
{
    gb_write(lft_temp("m.gguf"), data, n);
    return lft_open_path(lft_temp("m.gguf"));
}

static void test_starts(void **state)
{
    (void)state;
    static const struct {
        const char *start, *advice;
        size_t n;
    } files[] = {
        {pointer, "Git LFS pointer, not the file itself; run 'git lfs pull'", 0},
        {page, "this is a web page, not a model file", 0},
        {"<HTML>", "this is a web page", 0},
        {"\xef\xbb\xbf<?xml version=\"1.0\"?>", "this is a web page", 0},
        {"Entry not found", "this is the message of a failed download", 0},
        {"{\"error\":\"Repository not found\"}", "the message of a failed download", 0},
        {"{\"a\":1}", "this is a JSON file; the path of a Hugging Face model is that of", 0},
        {"PK\003\004data", "as PyTorch and zip write it", 0},
        {"\x80\x02\x8a", "a Python pickle, as older versions of PyTorch write it", 0},
        {"\x89HDF\r\n", "an HDF5 file, as Keras writes it", 0},
        {"\037\213\010", "compressed archive", 0},
        {"tjgg", "preceded GGUF", 0},
        {"\x40\0\0\0\0\0\0\0{\"a\":", "this is a safetensors file; give the folder", 13},
        {"", "it is empty", 0},
        {"\0\0\0\0\0\0", "starts with zeros", 6},
        {"GGU", "it does not start with 'GGUF'", 0},
        {"something else that is much longer than the magic", "it does not start with 'GGUF'", 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t n = files[i].n > 0 ? files[i].n : strlen(files[i].start);
        lft_open_refused(open_bytes(files[i].start, n), LFM2_E_FORMAT, "gguf.magic",
                         files[i].advice);
    }
}

static void test_folder_files(void **state)
{
    (void)state;
    static const char *const names[] = {"config.json", "tokenizer.json", "model.safetensors"};
    for (size_t i = 0; i < 3; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", lft_temp("hf"), names[i]);
        tiny_folder_write(&lft_folder, lft_temp("hf"));
        gb_write(path, pointer, strlen(pointer));
        lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_FORMAT,
                         i < 2 ? "hf.not_json" : "safetensors.header", "Git LFS pointer");
        gb_write(path, page, strlen(page));
        lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_FORMAT,
                         i < 2 ? "hf.not_json" : "safetensors.header", "web page");
    }
    /* white space before a JSON text is not an advice's business */
    tiny_replace(&lft_folder.config, "{\"arch", "        {\"arch");
    LFT_OK(lft_open_folder());
}

static void config_advice(const char *from, const char *to, const char *advice)
{
    tiny_replace(&lft_folder.config, from, to);
    lft_open_refused(lft_open_folder(), LFM2_E_UNSUPPORTED, "config.architecture", advice);
}

static void gguf_advice(const char *key, const char *value, const char *code, const char *advice)
{
    gguf_builder b;
    bool arch = strcmp(key, "general.architecture") == 0;
    tiny_gguf(&b, true, &(const tiny_change){.skip = arch ? key : NULL});
    gb_string(&b, key, value);
    gb_finish(&b);
    int32_t status = open_bytes(b.file.data, b.file.size);
    gb_free(&b);
    lft_open_refused(status, LFM2_E_UNSUPPORTED, code, advice);
}

static void test_models(void **state)
{
    (void)state;
    static const char encoder[] = "this is an encoder or embedding model";
    config_advice("Lfm2MoeForCausalLM", "Lfm2MoeModel", encoder);
    config_advice("Lfm2MoeForCausalLM", "Lfm2BidirectionalModel", encoder);
    config_advice("Lfm2MoeForCausalLM", "ColBERT", encoder);
    config_advice("\"lfm2_moe\"", "\"modernbert\", \"x\": \"lfm2_moe\"", encoder);
    config_advice("\"lfm2_moe\"", "\"dspark_draft\", \"x\": \"lfm2_moe\"", "drafter");
    config_advice("\"lfm2_moe\"", "\"llama\", \"x\": \"lfm2_moe\"", "supported: 'lfm2'");
    static const char arch[] = "general.architecture";
    gguf_advice(arch, "clip", "gguf.architecture", "projector (mmproj)");
    gguf_advice(arch, "bert", "gguf.architecture", encoder);
    gguf_advice(arch, "eagle3", "gguf.architecture", "drafter");
    gguf_advice(arch, "llama", "gguf.architecture", "'llama' is not supported; supported: 'lfm2'");
    gguf_advice("general.type", "mmproj", "gguf.general_type", "projector (mmproj)");
    gguf_advice("general.type", "adapter", "gguf.general_type", "adapter (LoRA)");
    gguf_advice("general.type", "imatrix", "gguf.general_type", "importance matrix");
    gguf_advice("lfm2moe.rope.scaling.type", "yarn", "gguf.variant", "with YaRN");
    config_advice("\"lfm2_moe\"", "\"lfm2_audio\", \"x\": \"lfm2_moe\"", "audio model");
    static const char *const keys[] = {"lfm2moe.pooling_type", "lfm2moe.embedding_length_out"};
    for (size_t i = 0; i < 2; i++) {
        gguf_builder b;
        tiny_gguf(&b, true, NULL);
        gb_string(&b, "general.type", "model");
        gb_u32(&b, keys[i], 1);
        gb_finish(&b);
        int32_t status = open_bytes(b.file.data, b.file.size);
        gb_free(&b);
        lft_open_refused(status, LFM2_E_UNSUPPORTED, "gguf.variant", encoder);
    }
}

/* ---- Folders of GGUF files ---- */

static void write_model(const char *folder, const char *name)
{
    char path[1024];
    gguf_builder b;
    tiny_gguf(&b, true, NULL);
    gb_finish(&b);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
}

static void test_gguf_folder(void **state)
{
    (void)state;
    const char *folder = lft_temp("models");
    char path[1024];
    assert_int_equal(mkdir(folder, 0700), 0);
    lft_open_refused(lft_open_path(folder), LFM2_E_IO, "io.open", "config.json");
    write_model(folder, "mmproj-model-f16.gguf");
    lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "folder.projector", "mmproj");
    write_model(folder, "b-Q4_0.gguf");
    write_model(folder, ".hidden.gguf");
    write_model(folder, "readme.txt");
    LFT_OK(lft_open_path(folder));
    snprintf(path, sizeof path, "%s/b-Q4_0.gguf", folder);
    assert_string_equal(lft_source->path, path);
    assert_false(lft_source->hugging_face);
    lft_open_without_memory(folder);
    write_model(folder, "a.gguf");
    lft_open_refused(lft_open_path(folder), LFM2_E_ARGUMENT, "folder.several",
                     "has 2 GGUF models; give the path of one of them: a.gguf, b-Q4_0.gguf");
    assert_null(strstr(lf_fail_text(), ", ..."));
    for (int i = 9; i >= 0; i--) { /* more than a message lists, against the order */
        char name[32];
        snprintf(name, sizeof name, "m%d.gguf", i);
        write_model(folder, name);
    }
    lft_open_refused(lft_open_path(folder), LFM2_E_ARGUMENT, "folder.several",
                     "has 12 GGUF models; give the path of one of them: a.gguf, b-Q4_0.gguf, "
                     "m0.gguf, m1.gguf, m2.gguf, m3.gguf, m4.gguf, m5.gguf, ...");
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    gb_write(path, lft_folder.tokenizer, strlen(lft_folder.tokenizer));
    snprintf(path, sizeof path, "%s/adapter_config.json", folder);
    gb_write(path, "{}", 2);
    lft_open_refused(lft_open_path(folder), LFM2_E_UNSUPPORTED, "folder.adapter", "(LoRA)");
}

/* Endings in any case; folders whose names end like files. */
static void test_gguf_names(void **state)
{
    (void)state;
    const char *folder = lft_temp("names");
    char path[1024];
    assert_int_equal(mkdir(folder, 0700), 0);
    write_model(folder, "MMPROJ-model.GGUF");
    lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "folder.projector", "mmproj");
    write_model(folder, "model-00002-of-00002.Gguf");
    lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "folder.part", "not the first part");
    write_model(folder, "MODEL.GGUF");
    snprintf(path, sizeof path, "%s/a.gguf", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    LFT_OK(lft_open_path(folder));
    snprintf(path, sizeof path, "%s/MODEL.GGUF", folder);
    assert_string_equal(lft_source->path, path);
    snprintf(path, sizeof path, "%s/b.gguf", folder);
    assert_int_equal(symlink("missing", path), 0); /* a broken link is named, not skipped */
    lft_open_refused(lft_open_path(folder), LFM2_E_ARGUMENT, "folder.several",
                     "MODEL.GGUF, b.gguf");
}

/* Weights in other formats: the message names a file, its format and what to do. */
static void test_other_weights(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"pytorch_model.bin", "PyTorch's format, which is not supported; load it with"},
        {"pytorch_model-00001-of-00002.bin", "PyTorch's format"},
        {"consolidated.00.pth", "PyTorch's format"},
        {"model.PT", "PyTorch's format"},
        {"last.ckpt", "PyTorch's format"},
        {"tf_model.h5", "TensorFlow's format"},
        {"flax_model.msgpack", "Flax's format"},
        {"model_q4.onnx", "the ONNX format"},
        {"model-00001-of-00002.safetensors", "several require model.safetensors.index.json"},
        {"weights.safetensors", "must have the name model.safetensors"},
    };
    const char *folder = lft_temp("hf");
    char path[1024];
    char says[256];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        tiny_folder_write(&lft_folder, folder);
        snprintf(path, sizeof path, "%s/model.safetensors", folder);
        unlink(path);
        write_model(folder, "training_args.bin");
        write_model(folder, "optimizer.pt");
        write_model(folder, files[i][0]);
        snprintf(says, sizeof says, "'%s' has ", files[i][0]);
        LFT_OK(lft_open_path(folder)); /* the tokenizer */
        assert_int_equal(lf_source_need_weights(lft_source), LFM2_E_FORMAT);
        assert_string_equal(lf_fail_code(), "hf.weights");
        assert_non_null(strstr(lf_fail_text(), says));
        assert_non_null(strstr(lf_fail_text(), files[i][1]));
        snprintf(path, sizeof path, "%s/tokenizer.json", folder);
        unlink(path);
        lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "hf.weights", says);
        snprintf(path, sizeof path, "%s/config.json", folder);
        unlink(path);
        lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "folder.weights", says);
        assert_non_null(strstr(lf_fail_text(), files[i][1]));
        snprintf(path, sizeof path, "%s/%s", folder, files[i][0]);
        unlink(path);
    }
    lft_open_refused(lft_open_path(folder), LFM2_E_IO, "io.open", "config.json");
    assert_null(strstr(lf_fail_text(), "PyTorch")); /* training_args.bin and optimizer.pt remain */
}

/* Folders of GGUF files may have config.json and tokenizer.json too. */
static void test_gguf_with_config(void **state)
{
    (void)state;
    char path[1024];
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    write_model(lft_temp("hf"), "m.gguf");
    LFT_OK(lft_open_path(lft_temp("hf")));
    assert_true(lft_source->hugging_face);
    snprintf(path, sizeof path, "%s/model.safetensors", lft_temp("hf"));
    unlink(path);
    LFT_OK(lft_open_path(lft_temp("hf")));
    assert_false(lft_source->hugging_face);
    assert_null(lft_source->missing);
}

/* The parts of a split model count as one model. */
static void test_split_folder(void **state)
{
    (void)state;
    const char *folder = lft_temp("split");
    assert_int_equal(mkdir(folder, 0700), 0);
    for (int i = 0; i < 2; i++) {
        char path[1024];
        gguf_builder b;
        tiny_gguf(&b, true, &(const tiny_change){.skip = i == 0 ? "token_embd.weight" : NULL});
        gb_raw(&b, "split.no", 2, &(uint16_t){(uint16_t)i}, 2);
        gb_raw(&b, "split.count", 2, &(uint16_t){2}, 2);
        gb_finish(&b);
        snprintf(path, sizeof path, "%s/m-%05d-of-00002.gguf", folder, i + 1);
        gb_write(path, b.file.data, b.file.size);
        gb_free(&b);
    }
    char first[1024];
    char moved[1024];
    snprintf(first, sizeof first, "%s/m-00001-of-00002.gguf", folder);
    snprintf(moved, sizeof moved, "%s/m-00001-of-00002.part", folder);
    assert_int_equal(rename(first, moved), 0);
    lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "folder.part", "not the first part");
    assert_int_equal(rename(moved, first), 0);
    /* both parts have the other tensors: the first part was opened, and joined with the second */
    lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "source.duplicate", "00002.gguf");
    snprintf(moved, sizeof moved, "%s/m-00001-of-00002.GGUF", folder);
    assert_int_equal(rename(first, moved), 0);
    snprintf(first, sizeof first, "%s/m-00002-of-00002.gguf", folder);
    char second[1024];
    snprintf(second, sizeof second, "%s/m-00002-of-00002.GGUF", folder);
    assert_int_equal(rename(first, second), 0);
    lft_open_refused(lft_open_path(folder), LFM2_E_FORMAT, "source.duplicate", "00002.GGUF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_starts, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_folder_files, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_models, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_gguf_folder, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_gguf_names, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_other_weights, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_gguf_with_config, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_split_folder, lft_source_begin, lft_source_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
