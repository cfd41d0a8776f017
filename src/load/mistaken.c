/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes files that people give instead of a model file, for error messages. */
#include "load/source.h"

#include <string.h>

static bool starts_with(const uint8_t *head, size_t n, const char *text)
{
    size_t len = strlen(text);
    return n >= len && memcmp(head, text, len) == 0;
}

const char *lf_mistaken(const uint8_t *head, size_t n)
{
    if (n == 0) {
        return "it is empty";
    }
    if (starts_with(head, n, "version https://git-lfs")) {
        return "this is a Git LFS pointer; 'git lfs pull' downloads the file itself";
    }
    if (starts_with(head, n, "<!") || starts_with(head, n, "<html")) {
        return "this is a web page; download the file itself";
    }
    if (head[0] == '{') {
        return "this is a JSON file; the path of a Hugging Face model is that of its folder";
    }
    return NULL;
}
