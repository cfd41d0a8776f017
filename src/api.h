/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the checks that the api*.c files share. These files implement lfm2.h and lfm2_tools.h:
 * they check arguments, copy structs of other versions, and call the modules. */
#ifndef LF_API_H
#define LF_API_H

#include "model/model.h"

/* Fails with ARGUMENT: `what` is NULL. */
int32_t lf_api_null(const char *what);

/* The largest `size` that is accepted. Public structs stay smaller; a larger value means that the
 * caller never set the field. */
enum { LF_API_MAX_STRUCT = 4096 };

/* Implements the _init functions: clears `size` bytes and copies the defaults, as many of them as
 * fit. Does nothing if options is NULL or `size` does not cover the field `size`. */
void lf_api_init(void *options, size_t size, const void *defaults, size_t defaults_size);

/* Copies the caller's option struct over the defaults in `options`; NULL changes nothing. The two
 * versions of the struct may differ in size; `least` is the size of the first version. Errors:
 * ARGUMENT for a size that no version has, and if a field is set that this version does not have.
 * `what` names the struct in messages. */
int32_t lf_api_read(const char *what, const void *given, size_t least, void *options, size_t size);

/* Fails with ARGUMENT if `flags` has bits outside `known`. `known` is 0 for a reserved field. */
int32_t lf_api_flags(uint32_t flags, uint32_t known, const char *what);

/* The size of the first version of an option struct: `last` was its last field. */
#define LF_API_FIRST(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

/* Fails with ARGUMENT if `out` is NULL or its `size` is not set. Writes nothing. */
int32_t lf_api_check_result(const void *out, const char *what);

/* Copies a result struct into the caller's, as much of it as the caller's version has. Clears the
 * rest of a larger one. */
int32_t lf_api_write(const void *value, size_t size, void *out, const char *what);

/* Writes n ids to the caller's array and their number to *n_out. Errors: BUFFER. */
int32_t lf_api_ids(const int32_t *ids, size_t n, int32_t *out, size_t capacity, size_t *n_out);

/* Reads and checks session options. */
int32_t lf_api_session_options(const lfm2_session_options *given, lfm2_session_options *out);

/* Read and check options of samplers, with the defaults of the model, and of chat parsers. */
int32_t lf_api_sampler_options(const lfm2_model *model, const lfm2_sampler_options *given,
                               lfm2_sampler_options *out);
int32_t lf_api_parser_options(const lfm2_chat_parser_options *given, lfm2_chat_parser_options *out);

/* Ends a call that computes: it consumes the request to cancel, even one that came too late. */
int32_t lf_api_end_call(lfm2_session *session, int32_t status);

#endif /* LF_API_H */
