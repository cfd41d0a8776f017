/* SPDX-License-Identifier: Apache-2.0 */
/* States as bytes: session files. README.md has the format. */
#ifndef LF_MODEL_STATE_FILE_H
#define LF_MODEL_STATE_FILE_H

#include "model/state.h"

/* What is saved. */
typedef struct lf_state_content {
    const lf_state *state;
    const float *logits; /* [V] after the last token; NULL: none */
    int32_t pending;     /* a token that follows and is not computed yet, or -1 */
} lf_state_content;

/* The header of a file: checked, and made for the model that read it. */
typedef struct lf_state_header {
    lf_kv_type kv_type;
    uint32_t length;
    int32_t pending; /* or -1 */
    bool has_logits;
    uint64_t seed; /* of the checksums */
} lf_state_header;

/* The number of bytes that lf_state_write writes. */
uint64_t lf_state_file_bytes(const lfm2_model *model, const lf_state_content *content);

/* Writes the content, without committing the writer. Errors: those of the writer, MEMORY. */
int32_t lf_state_write(const lfm2_model *model, const lf_state_content *content, lf_writer *writer);

/* Reads a header. A file that is known to be shorter or longer than the header says is refused; a
 * descriptor may have more bytes. Errors: IO, FORMAT, UNSUPPORTED (another version, model or other
 * kernels). */
int32_t lf_state_read_header(const lfm2_model *model, lf_input *input, lf_state_header *out);

/* Reads what follows the header into a state without tokens, of the header's KV type and with at
 * least its length as n_ctx. `logits`, [V], receives the logits if there are any. Memory is taken
 * as far as bytes are known to exist. Errors: IO, FORMAT, MEMORY, LIMIT (the KV budget); the state
 * can then only be freed. */
int32_t lf_state_read(lfm2_model *model, lf_input *input, const lf_state_header *header,
                      lf_state *state, float *logits);

/* The same in two steps, for an input of a file: the ids, [length], then the first n >= 1 tokens.
 * The history is read if n is the length; otherwise state->conv stays as it is, and the caller
 * computes it. `logits` NULL: they are not read. */
int32_t lf_state_read_ids(const lfm2_model *model, lf_input *input, const lf_state_header *header,
                          int32_t *ids);
int32_t lf_state_read_tokens(lfm2_model *model, lf_input *input, const lf_state_header *header,
                             const int32_t *ids, uint32_t n, lf_state *state, float *logits);

/* A hash of ids, to name files; `seed` is the hash of what precedes them. */
uint64_t lf_ids_hash(uint64_t seed, const int32_t *ids, uint32_t n);

#endif /* LF_MODEL_STATE_FILE_H */
