/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer: a byte of flags, a seed, then the text. Given whole, byte by byte, in
 * random pieces and as tokens, it keeps the laws of the chat parser and has one message. */
#include "fuzz/mutate.h"
#include "fuzz/target.h"
#include "support/answers.h"
#include "support/random.h"
#include "support/text_vocab.h"

#include <stdlib.h>
#include <string.h>

/* What answers consist of. */
static const char *const parts[] = {"<|tool_call_start|>",
                                    "<|tool_call_end|>",
                                    "<think>",
                                    "</think>",
                                    "<|im_end|>",
                                    "[",
                                    "]",
                                    "f(",
                                    ")",
                                    "a=",
                                    "b=",
                                    ", ",
                                    "'",
                                    "\"",
                                    "'''",
                                    "\\",
                                    "\\n",
                                    "\\u0041",
                                    "\\ud83d\\ude00",
                                    "{\"name\": \"f\", \"arguments\": {",
                                    "}}",
                                    "{",
                                    "}",
                                    ": ",
                                    "1",
                                    "07",
                                    "1e5",
                                    "True",
                                    "null",
                                    "x",
                                    " ",
                                    "\n",
                                    "'x', ",
                                    "it's",
                                    "(1, 2)",
                                    "b'",
                                    "f'",
                                    "**",
                                    "<|tool_call_",
                                    "\xE2\x82\xAC",
                                    "\xE2\x82",
                                    "\"arguments\": \"{}\"",
                                    "\"function\": ",
                                    "[f(a='b')]",
                                    "f(a=1)"};

/* Adds or removes some of it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = fuzz_random_of(seed);
    if (size < 3 || fuzz_one_in(&random, 4)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size_t at = 2 + random_below(&random, (uint32_t)size - 1);
    size_t cut = fuzz_one_in(&random, 3) ? random_below(&random, 12) : 0;
    cut = cut < size - at ? cut : size - at;
    memmove(data + at, data + at + cut, size - at - cut);
    size -= cut;
    const char *part = parts[random_below(&random, sizeof parts / sizeof parts[0])];
    size_t n = strlen(part);
    if (n <= max_size - size) {
        memmove(data + at + n, data + at, size - at);
        memcpy(data + at, part, n);
        size += n;
    }
    return size;
}

static lf_tokenizer *tokenizer; /* until the process ends */

static void set_up(const lf_alloc *alloc)
{
    text_vocab v;
    text_vocab_init_small(&v);
    fuzz_must(lf_tokenizer_create(alloc, &v.data, false, &tokenizer) == LFM2_OK);
    text_vocab_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const syntax[] = {NULL};
    static const char tools[] = "[{\"type\": \"function\", \"function\": {\"name\": \"f\", "
                                "\"parameters\": {\"properties\": "
                                "{\"a\": {\"type\": \"string\"}}}}}]";
    lf_alloc alloc = fuzz_memory();
    if (tokenizer == NULL) {
        set_up(&alloc);
    }
    if (size < 2) {
        return 0;
    }
    const lfm2_chat_parser_options o = {.size = sizeof o,
                                        .flags = data[0] & 3u,
                                        .tools = (data[0] & 4) != 0 ? tools : NULL,
                                        .tools_len = (data[0] & 4) != 0 ? sizeof tools - 1 : 0};
    const char *text = (const char *)data + 2;
    char *message[4] = {NULL};
    fuzz_memory_begin(size);
    for (size_t i = 0; i < 4; i++) {
        fuzz_must(lft_answer(&alloc, tokenizer, &o, text, size - 2, (lft_feed)i, data[1],
                             &message[i]) == NULL);
    }
    fuzz_memory_end();
    fuzz_must(strcmp(message[0], message[1]) == 0 && strcmp(message[0], message[2]) == 0);
    fuzz_count(strstr(message[0], "\"tool_calls\"") != NULL ? LFM2_OK : LFM2_E_TEXT, syntax);
    for (size_t i = 0; i < 4; i++) {
        free(message[i]);
    }
    return 0;
}
