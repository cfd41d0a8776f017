/* SPDX-License-Identifier: Apache-2.0 */
/* Options of llama.cpp and ollama that have no effect here, or that are refused with what to do
 * instead. */
#include "cli/options/compat_options.h"

/* Reasons why options are ignored. They are compared by address: each is printed once. */
static const char gpu[] = "lfm2 runs on the CPU, so GPU options have no effect";
static const char batch[] = "--chunk (-ub) sets the number of prompt tokens in a pass";
static const char threads[] = "-t sets the threads for prompts and answers alike";
static const char memory[] = "files are memory-mapped unless --no-mmap is given";
static const char placement[] = "the operating system places the threads";
static const char no_server[] = "only 'lfm2 serve' answers several requests";

/* Reasons why options are refused. */
static const char download[] =
    "lfm2 does not download models: get one from https://huggingface.co/LiquidAI and pass its path "
    "with -m";
static const char adapter[] = "adapters are not supported: merge them into the model";
static const char drafts[] = "draft models are not supported; run and chat have --draft ngram";
static const char text_only[] = "lfm2 runs text models only";
static const char pairs[] = "combined tests are not supported: -p and -n are measured separately";
static const char chat_template[] =
    "this command applies no chat template: run, chat, eval, perplexity --messages and render do";

static const opt_choice switch_words[] = {{"on", 1, NULL},    {"off", 0, NULL}, {"auto", 2, NULL},
                                          {"0", 0, NULL},     {"1", 1, NULL},   {"true", 1, NULL},
                                          {"false", 0, NULL}, {NULL, 0, NULL}};

#define IGNORED(spellings, value, sentence)                                                        \
    {                                                                                              \
        .type = OPT_IGNORED, .aliases = (spellings), .arg = (value), .help = (sentence)            \
    }
/* The value is optional. */
#define IGNORED_SWITCH(spellings, sentence)                                                        \
    {                                                                                              \
        .type = OPT_IGNORED, .aliases = (spellings), .arg = "[WORD]", .help = (sentence),          \
        .choices = switch_words                                                                    \
    }
#define REFUSED(spellings, sentence)                                                               \
    {                                                                                              \
        .type = OPT_REFUSED, .aliases = (spellings), .help = (sentence)                            \
    }

const opt_spec compat_specs[] = {
    IGNORED("-ngl --gpu-layers --n-gpu-layers", "N", gpu),
    IGNORED("-mg --main-gpu", "N", gpu),
    IGNORED("-ts --tensor-split", "LIST", gpu),
    IGNORED("-sm --split-mode", "MODE", gpu),
    IGNORED("-dev --device", "LIST", gpu),
    IGNORED("-ot --override-tensor", "LIST", gpu),
    IGNORED("-ncmoe --n-cpu-moe", "N", gpu),
    IGNORED("-cmoe --cpu-moe", NULL, gpu),
    IGNORED("-fitt --fit-target", "LIST", gpu),
    IGNORED("-fitc --fit-ctx", "N", gpu),
    IGNORED_SWITCH("-fit --fit", gpu),
    IGNORED_SWITCH("-nkvo --no-kv-offload -kvo --kv-offload", gpu),
    IGNORED_SWITCH("-nopo --no-op-offload --op-offload", gpu),
    /* There is one implementation of attention. */
    IGNORED_SWITCH("-fa --flash-attn", NULL),
    IGNORED("-b --batch-size", "N", batch),
    IGNORED("-tb --threads-batch", "N", threads),
    IGNORED("--mlock", NULL, memory),
    IGNORED("--mmap --no-warmup --warmup --progress --no-perf --log-disable --offline", NULL, NULL),
    IGNORED("--numa --prio --poll -C --cpu-mask -Cr --cpu-range --cpu-strict", "VALUE", placement),
    IGNORED("--keepalive", "TIME", no_server),
    IGNORED("-dio --direct-io -ndio --no-direct-io", NULL, memory),
    IGNORED("-lm --load-mode", "MODE", memory),
    REFUSED("-hf -hfr --hf-repo -hff --hf-file -mu --model-url -dr --docker-repo", download),
    REFUSED("--lora --lora-scaled --control-vector --control-vector-scaled", adapter),
    REFUSED("--chat-template --chat-template-file", chat_template),
    IGNORED_SWITCH("--jinja --no-jinja -co --color", NULL),
    IGNORED_SWITCH("-mmp", memory),
    IGNORED("-oe --output-err", "FORMAT", NULL),
    IGNORED("-np --parallel", "N", no_server),
    IGNORED("-cb --cont-batching -nocb --no-cont-batching", NULL, no_server),
    REFUSED("-md --model-draft", drafts),
    REFUSED("-mm --mmproj", text_only),
    REFUSED("-pg", pairs),
    {.type = OPT_END},
};

const opt_spec compat_text_specs[] = {
    IGNORED("--no-display-prompt --simple-io --no-escape --nowordwrap --no-context-shift", NULL,
            NULL),
    IGNORED("--reasoning-format", "FORMAT", NULL),
    REFUSED("--verbose-prompt",
            "'lfm2 render' shows a prompt, 'lfm2 tokenize' the tokens of a text; -v prints their "
            "number and the timing"),
    REFUSED("--display-prompt", "only the answer is printed"),
    REFUSED("-e --escape",
            "escape sequences are not processed: put line breaks into the prompt or use -f FILE"),
    REFUSED("--context-shift", "an answer ends when the context is full: -c N sets its size"),
    REFUSED("-mli --multiline-input",
            "chat sends pasted lines as one message; /help shows how to type several lines"),
    REFUSED("--mirostat --mirostat-lr --mirostat-ent --typical --typical-p --dynatemp-range "
            "--xtc-probability --dry-multiplier --samplers --sampling-seq --top-nsigma",
            "lfm2 does not have this sampler: it applies penalties, --temp, --top-k, --top-p and "
            "--min-p, "
            "in this order"),
    REFUSED("-l --logit-bias", "only the library has logit biases"),
    REFUSED("--prompt-cache-all --prompt-cache-ro", "--prompt-cache DIR always keeps everything"),
    REFUSED("--keep", "a full context ends the answer; nothing is dropped"),
    {.type = OPT_END},
};
