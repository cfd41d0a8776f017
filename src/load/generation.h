/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/load: what a model's files say about generation: end tokens and sampling. */
#ifndef LF_LOAD_GENERATION_H
#define LF_LOAD_GENERATION_H

#include "load/config.h"

/* Adds an end token unless the list has it. FORMAT if the list is full; `name` is the file, for the
 * message. */
int32_t lf_end_add(lf_ends *ends, int32_t id, const char *name);

/* Reads generation_config.json: its end tokens replace config->ends, its sampling values go to
 * source->sampling. `name` is its path. */
int32_t lf_generation_from_json(lf_source *source, const lf_json *root, const char *name,
                                lf_config_json *config);

/* Reads general.sampling.*. A value that no sampler accepts is ignored with a warning, here as in
 * generation_config.json. */
int32_t lf_generation_from_gguf(lf_source *source, const lf_gguf *g);

/* Completes source->sampling with the values of the model's card, once everything else is read. */
int32_t lf_generation_finish(lf_source *source);

#endif /* LF_LOAD_GENERATION_H */
