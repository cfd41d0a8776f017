/* SPDX-License-Identifier: Apache-2.0 */
/* The list of commands: entry(NAME) adds `const command cmd_NAME`, which cmd_NAME.c defines. The
 * help, the manual page and the completions have this order. */
#ifndef LFM2_CLI_COMMANDS_H
#define LFM2_CLI_COMMANDS_H

#include "cli/options/options.h"

/* Without libevent there is no server. */
#ifdef LFM2_SERVE
#define SERVE_ENTRY(entry) entry(serve)
#else
#define SERVE_ENTRY(entry)
#endif

/* clang-format off */
#define COMMANDS(entry) \
    entry(run) \
    entry(chat) \
    SERVE_ENTRY(entry) \
    entry(batch) \
    entry(tokenize) \
    entry(detokenize) \
    entry(render) \
    entry(parse) \
    entry(constrain) \
    entry(inspect) \
    entry(logits) \
    entry(perplexity) \
    entry(eval) \
    entry(bench) \
    entry(imatrix) \
    entry(quantize) \
    entry(synth) \
    entry(pack)
/* clang-format on */

#define DECLARE_COMMAND(name) extern const command cmd_##name;
COMMANDS(DECLARE_COMMAND)
#undef DECLARE_COMMAND

extern const command *const commands[];
extern const uint32_t n_commands;

#endif /* LFM2_CLI_COMMANDS_H */
