/* SPDX-License-Identifier: Apache-2.0 */
/* Character classes of every code point against the reference (golden/text/classes.txt).
 * ctest-labels: golden */
#include "common/utf8.h"
#include "support/text_vocab.h"
#include "text/unicode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utf8proc.h>

static uint8_t want[0x110000];

static void read_classes(void)
{
    size_t size = 0;
    uint8_t *file = text_golden_read("classes.txt", &size);
    assert_non_null(file);
    const char *line = (const char *)file;
    size_t lines = 0;
    for (; *line != '\0'; lines++) {
        char *end = NULL;
        unsigned long first = strtoul(line + 1, &end, 16);
        unsigned long last = strtoul(end, &end, 16);
        assert_true(last < 0x110000 && first <= last && *end == '\n');
        uint8_t class =
            line[0] == 'L' ? LF_CLASS_LETTER : (line[0] == 'N' ? LF_CLASS_NUMBER : LF_CLASS_SPACE);
        memset(want + first, class, last - first + 1);
        line = end + 1;
    }
    assert_true(lines > 800);
    free(file);
}

static void every_code_point(void **state)
{
    (void)state;
    read_classes();
    /* A utf8proc newer than the reference knows letters that the reference calls unassigned. */
    bool newer = strtol(utf8proc_unicode_version(), NULL, 10) > 16;
    print_message("utf8proc %s, Unicode %s\n", utf8proc_version(), utf8proc_unicode_version());
    size_t wrong = 0;
    for (uint32_t c = 0; c < 0x110000; c++) {
        lf_class got = lf_class_of(c);
        if (got != want[c] && !(newer && want[c] == LF_CLASS_OTHER)) {
            print_error("U+%04X: class %d, not %d\n", c, (int)got, want[c]);
            wrong++;
        }
        if (c < 128) {
            assert_int_equal(lf_class_ascii[c], want[c]);
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(lf_class_of(LF_UTF8_BAD), LF_CLASS_OTHER);
    assert_int_equal(lf_class_of(LF_UTF8_CUT), LF_CLASS_OTHER);
    assert_int_equal(lf_class_of(UINT32_MAX), LF_CLASS_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_code_point)};
    return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
