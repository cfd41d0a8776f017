/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text: parsing those of the command line, formatting sizes and counts for people. */
#ifndef LFM2_CLI_NUMBER_H
#define LFM2_CLI_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* These accept a finite decimal number that is the whole text, without white space. */
bool parse_real(const char *text, double *out);
bool parse_u64(const char *text, uint64_t *out);
bool parse_i64(const char *text, int64_t *out);

/* "1.50 GiB". Returns `out`. */
const char *format_bytes(uint64_t bytes, char out[32]);

/* "8.34 B", "354.48 M". Returns `out`. */
const char *format_count(uint64_t count, char out[32]);

#endif /* LFM2_CLI_NUMBER_H */
