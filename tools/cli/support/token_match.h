/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the tokens of a session with those of a prompt. */
#ifndef LFM2_CLI_TOKEN_MATCH_H
#define LFM2_CLI_TOKEN_MATCH_H

#include "cli/support/token_ids.h"

/* Finds how many of the tokens `held` a prompt `ids` keeps (*keep), and the ids that follow them,
 * ids[*from..]. The ids are equal up to there, except in answers, where sampled[i] is not 0: the
 * model may have chosen other tokens than those to which the tokenizer divides the same text. Bytes
 * of an answer that are not UTF-8 equal U+FFFD. Returns an exit code, after a message unless it is
 * EXIT_OK. */
int token_match(const lfm2_model *model, const id_list *held, const char *sampled,
                const id_list *ids, size_t *keep, size_t *from);

#endif /* LFM2_CLI_TOKEN_MATCH_H */
