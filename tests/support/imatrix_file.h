/* SPDX-License-Identifier: Apache-2.0 */
/* Makes an importance matrix for the matrices of a model. */
#ifndef LF_TESTS_IMATRIX_FILE_H
#define LF_TESTS_IMATRIX_FILE_H

/* Writes `path` for the model in `model`: value i of matrix t (in file order) is ((37 i + 11 t) mod
 * 251 + 1) / 8; expert e has the count 8 (e mod 5), a dense matrix 8. golden/make_quantize.py
 * makes the same. */
void lft_write_imatrix(const char *model, const char *path);

#endif /* LF_TESTS_IMATRIX_FILE_H */
