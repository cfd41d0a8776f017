/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the folder that stands for "/". */
#include "support/fake_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

char lft_root[64];

int lft_root_setup(void **state)
{
    (void)state;
    strcpy(lft_root, "/tmp/lfm2-root-XXXXXX");
    return mkdtemp(lft_root) == NULL ? -1 : 0;
}

int lft_root_teardown(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", lft_root);
    return system(command) == 0 ? 0 : -1;
}

void lft_root_put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", lft_root, path);
    for (char *at = full + strlen(lft_root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}
