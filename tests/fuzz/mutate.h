/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to inputs that keep their structure, so that most pass the checks of syntax. A target
 * calls these from LLVMFuzzerCustomMutator, which libFuzzer and replay_main.c both use. They change
 * data[0..size) in place and return the new size, at most max_size. Inputs that they cannot parse
 * are changed byte by byte. */
#ifndef LF_TESTS_FUZZ_MUTATE_H
#define LF_TESTS_FUZZ_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Byte-level changes: libFuzzer's, or replay_main.c's. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
/* Optional in a target. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* The state of tests/support/random.h's generator for a seed. */
uint64_t fuzz_random_of(unsigned seed);
/* True once in n times. */
bool fuzz_one_in(uint64_t *random, uint32_t n);
/* An integer near `old`, or one at which something overflows. */
uint64_t fuzz_integer(uint64_t *random, uint64_t old);
/* The bits of a special float (zero, subnormal, infinity, NaN), or of any float. */
uint32_t fuzz_float(uint64_t *random);

/* Little-endian integers of files. */
uint64_t fuzz_get(const uint8_t *data, size_t bytes);
void fuzz_put(uint8_t *data, uint64_t value, size_t bytes);

size_t fuzz_mutate_gguf(uint64_t *random, uint8_t *data, size_t size, size_t max_size);
size_t fuzz_mutate_json(uint64_t *random, uint8_t *data, size_t size, size_t max_size);
size_t fuzz_mutate_safetensors(uint64_t *random, uint8_t *data, size_t size, size_t max_size);
/* Removes a piece of the text, inserts one of n sections, or changes bytes. */
size_t fuzz_mutate_sections(uint64_t *random, uint8_t *data, size_t size, size_t max_size,
                            const char *const *sections, size_t n);

#endif /* LF_TESTS_FUZZ_MUTATE_H */
