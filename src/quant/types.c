/* SPDX-License-Identifier: Apache-2.0 */
/* The table of tensor types: names and sizes. */
#include "quant/block.h"

static const lf_type_info types[] = {
    {LF_F32, "F32", 1, 4, 0, false},
    {LF_F16, "F16", 1, 2, 0, false},
    {LF_Q4_0, "Q4_0", LF_BLOCK, LF_Q4_0_BYTES, 32, false},
    {LF_Q4_1, "Q4_1", LF_BLOCK, LF_Q4_1_BYTES, 32, true},
    {LF_Q5_0, "Q5_0", LF_BLOCK, LF_Q5_0_BYTES, 32, false},
    {LF_Q5_1, "Q5_1", LF_BLOCK, LF_Q5_1_BYTES, 32, true},
    {LF_Q8_0, "Q8_0", LF_BLOCK, LF_Q8_0_BYTES, 32, false},
    {LF_Q2_K, "Q2_K", LF_SUPER_BLOCK, LF_Q2_K_BYTES, 16, true},
    {LF_Q3_K, "Q3_K", LF_SUPER_BLOCK, LF_Q3_K_BYTES, 16, false},
    {LF_Q4_K, "Q4_K", LF_SUPER_BLOCK, LF_Q4_K_BYTES, 32, true},
    {LF_Q5_K, "Q5_K", LF_SUPER_BLOCK, LF_Q5_K_BYTES, 32, true},
    {LF_Q6_K, "Q6_K", LF_SUPER_BLOCK, LF_Q6_K_BYTES, 16, false},
    {LF_IQ2_XXS, "IQ2_XXS", LF_SUPER_BLOCK, LF_IQ2_XXS_BYTES, 32, false},
    {LF_IQ2_XS, "IQ2_XS", LF_SUPER_BLOCK, LF_IQ2_XS_BYTES, 16, false},
    {LF_IQ3_XXS, "IQ3_XXS", LF_SUPER_BLOCK, LF_IQ3_XXS_BYTES, 32, false},
    {LF_IQ1_S, "IQ1_S", LF_SUPER_BLOCK, LF_IQ1_S_BYTES, 32, false},
    {LF_IQ4_NL, "IQ4_NL", LF_BLOCK, LF_IQ4_NL_BYTES, 32, false},
    {LF_IQ3_S, "IQ3_S", LF_SUPER_BLOCK, LF_IQ3_S_BYTES, 32, false},
    {LF_IQ2_S, "IQ2_S", LF_SUPER_BLOCK, LF_IQ2_S_BYTES, 16, false},
    {LF_IQ4_XS, "IQ4_XS", LF_SUPER_BLOCK, LF_IQ4_XS_BYTES, 32, false},
    {LF_IQ1_M, "IQ1_M", LF_SUPER_BLOCK, LF_IQ1_M_BYTES, 16, false},
    {LF_BF16, "BF16", 1, 2, 0, false},
    {LF_MXFP4, "MXFP4", LF_BLOCK, LF_MXFP4_BYTES, 32, false},
    {LF_NVFP4, "NVFP4", LF_NVFP4_BLOCK, LF_NVFP4_BYTES, 16, false},
};

const lf_type_info *lf_type_get(uint32_t number)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if ((uint32_t)types[i].type == number) {
            return &types[i];
        }
    }
    return NULL;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const lf_type_info *lf_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *t = types[i].name;
        size_t j = 0;
        while (t[j] != '\0' && t[j] == upper(name[j])) {
            j++;
        }
        if (t[j] == '\0' && name[j] == '\0') {
            return &types[i];
        }
    }
    return NULL;
}

size_t lf_row_bytes(lf_type type, size_t n)
{
    const lf_type_info *info = lf_type_get((uint32_t)type);
    if (info == NULL || n % info->block != 0 || n / info->block > SIZE_MAX / info->block_bytes) {
        return 0;
    }
    return n / info->block * info->block_bytes;
}
