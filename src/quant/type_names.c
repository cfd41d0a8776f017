/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the GGUF types that are not supported, for error messages. */
#include "quant/quant.h"

static const struct {
    uint32_t number;
    const char *name;
} unsupported[] = {
    {4, "Q4_2"},        {5, "Q4_3"},        {9, "Q8_1"},   {15, "Q8_K"},  {24, "I8"},
    {25, "I16"},        {26, "I32"},        {27, "I64"},   {28, "F64"},   {31, "Q4_0_4_4"},
    {32, "Q4_0_4_8"},   {33, "Q4_0_8_8"},   {34, "TQ1_0"}, {35, "TQ2_0"}, {36, "IQ4_NL_4_4"},
    {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}, {41, "Q1_0"},  {42, "Q2_0"},
};

const char *lf_type_name(uint32_t number)
{
    const lf_type_info *info = lf_type_get(number);
    if (info != NULL) {
        return info->name;
    }
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++) {
        if (unsupported[i].number == number) {
            return unsupported[i].name;
        }
    }
    return NULL;
}
