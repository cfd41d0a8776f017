/* SPDX-License-Identifier: Apache-2.0 */
/* A folder that stands for "/" in tests of what is read from /sys and /proc. A failure in a helper
 * fails the test. */
#ifndef LF_TESTS_FAKE_ROOT_H
#define LF_TESTS_FAKE_ROOT_H

/* The folder's path, between the setup and the teardown of a test. */
extern char lft_root[64];
int lft_root_setup(void **state);
int lft_root_teardown(void **state);

/* Writes a file below the folder, with its folders. */
void lft_root_put(const char *path, const char *text);

#endif /* LF_TESTS_FAKE_ROOT_H */
