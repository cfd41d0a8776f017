/* SPDX-License-Identifier: Apache-2.0 */
/* An opened source and a model folder to change, for tests of what lf_source_open accepts. */
#ifndef LF_TESTS_SOURCES_H
#define LF_TESTS_SOURCES_H

#include "support/models.h"
#include "support/tiny_files.h"

#include "load/source.h"

extern lf_source *lft_source;  /* the source opened last, or NULL */
extern tiny_folder lft_folder; /* valid until a test changes it */

/* For cmocka_unit_test_setup_teardown. */
int lft_source_begin(void **state);
int lft_source_end(void **state);

/* Opens a model into lft_source. */
int32_t lft_open_path(const char *path);

/* Writes lft_folder to lft_temp("hf"), opens that, and makes lft_folder valid again. */
int32_t lft_open_folder(void);

/* Opening returned `expected` with this code and a message that contains `says`. */
void lft_open_refused(int32_t status, int32_t expected, const char *code, const char *says);

/* Opens path with each allocation failing in turn: every failure is reported and leaks nothing. */
void lft_open_without_memory(const char *path);

#endif /* LF_TESTS_SOURCES_H */
