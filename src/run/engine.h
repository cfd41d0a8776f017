/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: many requests in, events out. */
#ifndef LF_RUN_ENGINE_H
#define LF_RUN_ENGINE_H

#include "model/model.h"

/* Contracts: the functions of lfm2.h with the names lfm2_engine_*, with complete structs, flags
 * that exist, and no NULL where those refuse it. In a request `sampler` is not NULL. */
int32_t lf_engine_create(lfm2_model *model, const lfm2_engine_options *options, lfm2_engine **out);
void lf_engine_free(lfm2_engine *engine); /* NULL is allowed */
int32_t lf_engine_submit(lfm2_engine *engine, const lfm2_request_options *request, uint64_t *id);
int32_t lf_engine_cancel(lfm2_engine *engine, uint64_t id);
int32_t lf_engine_step(lfm2_engine *engine, uint32_t *n_left);
int32_t lf_engine_next(lfm2_engine *engine, lfm2_engine_event *event);
int32_t lf_engine_wait(lfm2_engine *engine, uint32_t milliseconds, lfm2_engine_event *event);
int32_t lf_engine_take_session(lfm2_engine *engine, uint64_t id, lfm2_session **out);
int32_t lf_engine_stats(lfm2_engine *engine, lfm2_engine_stats *stats);
lfm2_cache *lf_engine_cache(lfm2_engine *engine);
const lfm2_model *lf_engine_model(const lfm2_engine *engine);

#endif /* LF_RUN_ENGINE_H */
