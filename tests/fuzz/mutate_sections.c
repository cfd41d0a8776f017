/* SPDX-License-Identifier: Apache-2.0 */
/* Changes texts whose syntax consists of known sections. */
#include "fuzz/mutate.h"

#include <string.h>

size_t fuzz_mutate_sections(uint64_t *random, uint8_t *data, size_t size, size_t max_size,
                            const char *const *sections, size_t n)
{
    if (fuzz_one_in(random, 4)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size_t at = (size_t)fuzz_integer(random, 7) % (size + 1);
    at = (at + (size_t)*random) % (size + 1);
    if (size > 0 && fuzz_one_in(random, 3)) {
        size_t len = (size_t)(*random % 12) + 1;
        len = len < size - at ? len : size - at;
        memmove(data + at, data + at + len, size - at - len);
        return size - len;
    }
    fuzz_one_in(random, 2);
    const char *section = sections[(*random >> 8) % n];
    size_t len = strlen(section);
    if (size + len > max_size) {
        return size;
    }
    memmove(data + at + len, data + at, size - at);
    memcpy(data + at, section, len);
    return size + len;
}
