/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes files that are not models this library loads. */
#include "load/advice.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool lf_starts(const char *text, size_t n, const char *prefix)
{
    size_t i = 0;
    while (prefix[i] != '\0' && i < n && lower(text[i]) == prefix[i]) {
        i++;
    }
    return prefix[i] == '\0';
}

bool lf_contains(const char *text, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++) {
        if (lf_starts(text + i, n - i, word)) {
            return true;
        }
    }
    return false;
}

bool lf_ends_with(const char *text, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n >= m && lf_starts(text + n - m, m, ending);
}

/* ---- Starts of files ---- */

static const char page[] =
    "this is a web page, not a model file: the download saved the page of a site or an error; "
    "download it again from the link to the file itself";
static const char error[] =
    "this is the message of a failed download; check the address and the access to the repository, "
    "and download it again";
static const char archive[] = "this is a compressed archive; unpack it and load the model inside";
static const char torch[] =
    "this is an archive, as PyTorch and zip write it; use the model's GGUF file or its folder with "
    "*.safetensors";
static const char pickle[] =
    "this is a Python pickle, as older versions of PyTorch write it; use the model's GGUF file or "
    "its folder with *.safetensors";
static const char old_ggml[] =
    "this is a file in the format that preceded GGUF; use a current GGUF file of the model";

static const struct {
    const char *prefix;
    const char *advice;
} file_starts[] = {
    {"version https://git-lfs", "this is a Git LFS pointer, not the file itself; run 'git lfs "
                                "pull' in its folder, or download "
                                "the file again"},
    {"<!doctype html", page},
    {"<html", page},
    {"<?xml", page},
    {"<head", page},
    {"entry not found", error},
    {"repository not found", error},
    {"invalid username", error},
    {"access to model", error},
    {"{\"error\"", error},
    {"pk\003\004", torch},
    {"\x80\x02", pickle},
    {"\x89hdf", "this is an HDF5 file, as Keras writes it; use the model's GGUF file or its folder "
                "with *.safetensors"},
    {"\037\213", archive},
    {"\x28\xb5\x2f\xfd", archive},
    {"tjgg", old_ggml},
    {"lmgg", old_ggml},
    {"fmgg", old_ggml},
};

const char *lf_advice_start(const uint8_t *bytes, size_t n)
{
    const char *text = (const char *)bytes;
    n = n < LF_ADVICE_BYTES ? n : LF_ADVICE_BYTES;
    if (n >= 9 && text[8] == '{' && memcmp(text + 4, "\0\0\0\0", 4) == 0) {
        return "this is a safetensors file; give the folder that holds it, with its config.json";
    }
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
        text += 3;
        n -= 3;
    }
    while (n > 0 && (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')) {
        text++;
        n--;
    }
    for (size_t i = 0; i < sizeof file_starts / sizeof file_starts[0]; i++) {
        if (lf_starts(text, n, file_starts[i].prefix)) {
            return file_starts[i].advice;
        }
    }
    while (n > 0 && *text == '\0') {
        text++;
        n--;
    }
    return n == 0 ? "it is empty or starts with zeros: the download is incomplete; download it "
                    "again"
                  : NULL;
}

/* ---- Names of weight files ---- */

#define CONVERT                                                                                    \
    "; load it with transformers and save_pretrained, which writes model.safetensors, or use a "   \
    "GGUF file of the model"

static const char pytorch_weights[] = "PyTorch's format, which is not supported" CONVERT;

/* A weight file has this prefix and this ending. The first entry that fits counts. */
static const struct {
    const char *prefix, *ending, *advice;
} weight_files[] = {
    {"training_args", "", NULL}, /* states of a trainer */
    {"optimizer", "", NULL},
    {"scheduler", "", NULL},
    {"rng_state", "", NULL},
    {"scaler", "", NULL},
    {"", ".safetensors",
     "a name that is not read; a single file must have the name model.safetensors, several require "
     "model.safetensors.index.json"},
    {"pytorch_model", ".bin", pytorch_weights},
    {"consolidated", ".bin", pytorch_weights},
    {"model", ".bin", pytorch_weights},
    {"", ".pt", pytorch_weights},
    {"", ".pth", pytorch_weights},
    {"", ".ckpt", pytorch_weights},
    {"", ".onnx",
     "the ONNX format, which is not supported; use the original folder of the model "
     "or a GGUF file"},
    {"", ".h5", "TensorFlow's format, which is not supported" CONVERT},
    {"", ".msgpack", "Flax's format, which is not supported" CONVERT},
};

const char *lf_advice_weights(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof weight_files / sizeof weight_files[0]; i++) {
        if (lf_starts(name, n, weight_files[i].prefix) &&
            lf_ends_with(name, n, weight_files[i].ending)) {
            return weight_files[i].advice;
        }
    }
    return NULL;
}

/* ---- Names of architectures ---- */

const char lf_advice_encoder[] =
    "this is an encoder or embedding model, which generates no text; load a text model of the "
    "LFM2 family";
static const char projector[] =
    "this is the projector (mmproj) of a vision or audio model; load the GGUF file of its text "
    "model";
static const char drafter[] =
    "this is a drafter for speculative decoding, which is not supported; load the main model alone";
static const char adapter[] = "this is an adapter (LoRA), not a model; merge it into its model "
                              "and load the result";

static const struct {
    const char *word;
    const char *advice;
} model_names[] = {
    {"mmproj", projector},
    {"clip", projector},
    {"projector", projector},
    {"dspark", drafter},
    {"draft", drafter},
    {"eagle", drafter},
    {"adapter", adapter},
    {"imatrix", "this is an importance matrix, not a model; lfm2 quantize uses such files"},
    {"colbert", lf_advice_encoder},
    {"bert", lf_advice_encoder},
    {"embed", lf_advice_encoder},
    {"encoder", lf_advice_encoder},
    {"bidirectional", lf_advice_encoder},
    {"maskedlm", lf_advice_encoder},
    {"classification", lf_advice_encoder},
    {"lfm2model", lf_advice_encoder},
    {"lfm2moemodel", lf_advice_encoder},
    {"audio", "this is an audio model, which is not supported; load a text model of the "
              "LFM2 family"},
};

const char *lf_advice_model(const char *name, size_t len)
{
    len = len < LF_SHOWN ? len : LF_SHOWN;
    for (size_t i = 0; i < sizeof model_names / sizeof model_names[0]; i++) {
        if (lf_contains(name, len, model_names[i].word)) {
            return model_names[i].advice;
        }
    }
    return NULL;
}
