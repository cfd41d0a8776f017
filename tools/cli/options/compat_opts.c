/* SPDX-License-Identifier: Apache-2.0 */
/* Options that users of llama.cpp and ollama type and that do nothing here, or are refused with
 * what to use instead. */
#include "cli/options/compat_opts.h"

/* Sentences are compared by address: each is said once. */
static const char gpu[] = "lfm2 runs on CPUs only, and GPU options do nothing here";
static const char batch[] = "--chunk (-ub) says how many tokens of a prompt are computed at a time";
static const char threads[] = "-t is for prompts and answers";
static const char memory[] = "files are mapped, or read into memory with --no-mmap";
static const char placement[] = "the operating system places threads";
static const char no_server[] = "there is no server: the model is loaded while the command runs";
static const char download[] =
    "lfm2 downloads nothing: give the path of a model file with -m (Liquid "
    "AI publishes them on https://huggingface.co/LiquidAI)";
static const char grammar[] = "the form of an answer cannot be constrained";
static const char adapter[] = "adapters are not supported: merge them into the model first";
static const char drafts[] = "draft models are not supported";
static const char text_only[] = "lfm2 runs the text part of a model";
static const char pairs[] = "give the lengths with -p and -n, which are measured one by one";
static const char format_of_model[] = "the model's own chat format is always used; run --raw "
                                      "does without";

static const opt_choice switch_words[] = {{"on", 1}, {"off", 0},  {"auto", 2},  {"0", 0},
                                          {"1", 1},  {"true", 1}, {"false", 0}, {NULL, 0}};

#define IGNORED(spellings, value, sentence)                                                        \
    {                                                                                              \
        .kind = OPT_IGNORED, .aliases = (spellings), .arg = (value), .help = (sentence)            \
    }
/* The value may be left out. */
#define IGNORED_SWITCH(spellings, sentence)                                                        \
    {                                                                                              \
        .kind = OPT_IGNORED, .aliases = (spellings), .arg = "[WORD]", .help = (sentence),          \
        .choices = switch_words                                                                    \
    }
#define REFUSED(spellings, sentence)                                                               \
    {                                                                                              \
        .kind = OPT_REFUSED, .aliases = (spellings), .help = (sentence)                            \
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
    /* Attention is computed in one way only. */
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
    REFUSED("--grammar --grammar-file -j --json-schema -jf --json-schema-file --format", grammar),
    REFUSED("--lora --lora-scaled --control-vector --control-vector-scaled", adapter),
    REFUSED("--chat-template --chat-template-file", format_of_model),
    IGNORED_SWITCH("--jinja --no-jinja -co --color", NULL),
    IGNORED_SWITCH("-mmp", memory),
    IGNORED("-oe --output-err", "FORMAT", NULL),
    IGNORED("-np --parallel", "N", no_server),
    IGNORED("-cb --cont-batching -nocb --no-cont-batching", NULL, no_server),
    REFUSED("-md --model-draft", drafts),
    REFUSED("-mm --mmproj", text_only),
    REFUSED("-pg", pairs),
};

_Static_assert(COUNT(compat_specs) == COMPAT_SPECS, "rows");

const opt_spec compat_text_specs[] = {
    IGNORED("--no-display-prompt --simple-io --no-escape --nowordwrap --no-context-shift", NULL,
            NULL),
    REFUSED("--display-prompt", "only the answer is written"),
    REFUSED("-e --escape", "a prompt is taken as it is; write line breaks into it, or use -f FILE"),
    REFUSED("--context-shift", "an answer ends when the context is full; -c makes it larger"),
    REFUSED("-mli --multiline-input",
            "chat takes pasted lines as one message, and /help says how to write several"),
    REFUSED("--mirostat --mirostat-lr --mirostat-ent --typical --typical-p --dynatemp-range "
            "--xtc-probability --dry-multiplier --samplers --sampling-seq --top-nsigma",
            "there is no such sampler; the order is penalties, --temp, --top-k, --top-p, --min-p"),
    REFUSED("-l --logit-bias", "only the library takes a bias of tokens"),
    REFUSED("--prompt-cache --prompt-cache-all --prompt-cache-ro --keep",
            "sessions are not stored"),
};
_Static_assert(COUNT(compat_text_specs) == COMPAT_TEXT_SPECS, "rows");
