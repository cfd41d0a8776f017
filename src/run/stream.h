/* SPDX-License-Identifier: Apache-2.0 */
/* The stream: logits in; tokens, final text and the reason to stop out. */
#ifndef LF_RUN_STREAM_H
#define LF_RUN_STREAM_H

#include "run/sampler.h"

typedef int32_t lf_logits_hook(void *user, float *logits, size_t n_vocab);

/* Contracts: the lfm2_ functions of the same names, with complete structs and no NULL where those
 * refuse it. `logits` are those of the stream's model. */
int32_t lf_stream_create(lfm2_model *model, lfm2_sampler *sampler,
                         const lfm2_stream_options *options, lfm2_stream **out);
int32_t lf_stream_clone(const lfm2_stream *stream, lfm2_stream **out);
void lf_stream_free(lfm2_stream *stream);

lfm2_sampler *lf_stream_sampler(const lfm2_stream *stream);
uint32_t lf_stream_n_vocab(const lfm2_stream *stream);
void lf_stream_set_hook(lfm2_stream *stream, lf_logits_hook *hook, void *user);

/* Gives a clone, before its first token, a chat parser of its own (NULL: none). */
void lf_stream_set_parser(lfm2_stream *stream, struct lfm2_chat_parser *parser);

int32_t lf_stream_prompt(lfm2_stream *stream, const int32_t *ids, size_t n);
int32_t lf_stream_sample(lfm2_stream *stream, const float *logits, lfm2_stream_step *step);
int32_t lf_stream_force(lfm2_stream *stream, int32_t id, const float *logits,
                        lfm2_stream_step *step);
/* *ids receives the forced tokens, which are valid until the stream changes. */
int32_t lf_stream_forced(lfm2_stream *stream, const int32_t **ids, size_t *n);
void lf_stream_flush(lfm2_stream *stream, lfm2_stream_step *step);

#endif /* LF_RUN_STREAM_H */
