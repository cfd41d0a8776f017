/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner loops of the 256-bit integer kernels in assembly. With intrinsics, gcc generates code
 * that keeps more sums and quants alive than there are registers.
 *
 * A step multiplies (`mul`) two registers of quants, w0 and w1, with a dword of LHS quants in all
 * lanes and adds (`add`) the products to two sums.
 */
#ifndef LF_KERNELS_X86_YMM_ASM_H
#define LF_KERNELS_X86_YMM_ASM_H

#include "kernels/x86/ymm.h"

/* The steps of a loop are one string of up to 9 KB; only clang warns. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Woverlength-strings"
#endif

/* s0, s1 = the products of w0, w1 with the dword at x. */
#define LF_YMM_MUL(mul, w0, w1, x, s0, s1)                                                         \
    __asm__("vpbroadcastd %4, %1\n\t" mul " %1, %2, %0\n\t" mul " %1, %3, %1"                      \
            : "=&x"(s0), "=&x"(s1)                                                                 \
            : "x"(w0), "x"(w1), "m"(x))

/* s0, s1 += the products of w0, w1 with the dword at x. */
#define LF_YMM_MULADD(mul, add, w0, w1, x, s0, s1)                                                 \
    {                                                                                              \
        __m256i t, u;                                                                              \
        __asm__("vpbroadcastd %6, %2\n\t" mul " %2, %4, %3\n\t" mul " %2, %5, %2\n\t" add          \
                " %3, %0, %0\n\t" add " %2, %1, %1"                                                \
                : "+x"(s0), "+x"(s1), "=&x"(t), "=&x"(u)                                           \
                : "x"(w0), "x"(w1), "m"(x));                                                       \
    }

/* n steps for 2 to 4 rows: v[2 * row], v[2 * row + 1] = sums of products. The quants of the steps
 * are consecutive at w; the LHS quants of a row are consecutive at x, rows `stride` dwords
 * (`bytes` bytes) apart. The sums of row 0 are operands %0 and %1, and so on. */
#define LF_ASM_LOAD(s) "vmovdqa 64*" #s "(%[w]), %[w0]\n\tvmovdqa 64*" #s "+32(%[w]), %[w1]\n\t"
#define LF_ASM_MUL(mul, add, bytes, s, row, v0, v1)                                                \
    "vpbroadcastd 4*" #s "+" bytes "*" #row "(%[x]), " v1 "\n\t" mul " " v1 ", %[w0], " v0         \
    "\n\t" mul " " v1 ", %[w1], " v1 "\n\t"
#define LF_ASM_MULADD(mul, add, bytes, s, row, v0, v1)                                             \
    "vpbroadcastd 4*" #s "+" bytes "*" #row "(%[x]), %[t]\n\t" mul " %[t], %[w0], %[u]\n\t" mul    \
    " %[t], %[w1], %[t]\n\t" add " %[u], " v0 ", " v0 "\n\t" add " %[t], " v1 ", " v1 "\n\t"
#define LF_ASM_ROWS_2(step, mul, add, bytes, s)                                                    \
    LF_ASM_LOAD(s)                                                                                 \
    step(mul, add, bytes, s, 0, "%0", "%1") step(mul, add, bytes, s, 1, "%2", "%3")
#define LF_ASM_ROWS_3(step, mul, add, bytes, s)                                                    \
    LF_ASM_ROWS_2(step, mul, add, bytes, s) step(mul, add, bytes, s, 2, "%4", "%5")
#define LF_ASM_ROWS_4(step, mul, add, bytes, s)                                                    \
    LF_ASM_ROWS_3(step, mul, add, bytes, s) step(mul, add, bytes, s, 3, "%6", "%7")
#define LF_ASM_STEPS_2(rows, ...)                                                                  \
    rows(LF_ASM_MUL, __VA_ARGS__, 0) rows(LF_ASM_MULADD, __VA_ARGS__, 1)
#define LF_ASM_STEPS_4(rows, ...)                                                                  \
    LF_ASM_STEPS_2(rows, __VA_ARGS__)                                                              \
    rows(LF_ASM_MULADD, __VA_ARGS__, 2) rows(LF_ASM_MULADD, __VA_ARGS__, 3)
#define LF_ASM_STEPS_8(rows, ...)                                                                  \
    LF_ASM_STEPS_4(rows, __VA_ARGS__)                                                              \
    rows(LF_ASM_MULADD, __VA_ARGS__, 4) rows(LF_ASM_MULADD, __VA_ARGS__, 5)                        \
        rows(LF_ASM_MULADD, __VA_ARGS__, 6) rows(LF_ASM_MULADD, __VA_ARGS__, 7)
#define LF_ASM_STEPS_16(rows, ...)                                                                 \
    LF_ASM_STEPS_8(rows, __VA_ARGS__)                                                              \
    rows(LF_ASM_MULADD, __VA_ARGS__, 8) rows(LF_ASM_MULADD, __VA_ARGS__, 9)                        \
        rows(LF_ASM_MULADD, __VA_ARGS__, 10) rows(LF_ASM_MULADD, __VA_ARGS__, 11)                  \
            rows(LF_ASM_MULADD, __VA_ARGS__, 12) rows(LF_ASM_MULADD, __VA_ARGS__, 13)              \
                rows(LF_ASM_MULADD, __VA_ARGS__, 14) rows(LF_ASM_MULADD, __VA_ARGS__, 15)
#define LF_ASM_PRODUCTS(mul, add, bytes, stride, n, rows, lhs, quants, ...)                        \
    {                                                                                              \
        __m256i w0, w1, t, u;                                                                      \
        __asm__(LF_ASM_STEPS_##n(LF_ASM_ROWS_##rows, mul, add, bytes)                              \
                : __VA_ARGS__, [w0] "=&x"(w0), [w1] "=&x"(w1), [t] "=&x"(t), [u] "=&x"(u)          \
                : [w] "r"(quants), [x] "r"(lhs),                                                   \
                  "m"(*(const struct { uint8_t at[(n)*64]; } *)(const void *)(quants)),            \
                  "m"(*(const struct {                                                             \
                      uint32_t at[((rows)-1) * (stride) + (n)];                                    \
                  } *)(const void *)(lhs)));                                                       \
    }
#define LF_ASM_SUM(v, i) "=&x"((v)[i])
#define LF_YMM_PRODUCTS(mul, add, bytes, stride, n, m, lhs, quants, v)                             \
    if ((m) == 2) {                                                                                \
        LF_ASM_PRODUCTS(mul, add, bytes, stride, n, 2, lhs, quants, LF_ASM_SUM(v, 0),              \
                        LF_ASM_SUM(v, 1), LF_ASM_SUM(v, 2), LF_ASM_SUM(v, 3))                      \
    } else if ((m) == 3) {                                                                         \
        LF_ASM_PRODUCTS(mul, add, bytes, stride, n, 3, lhs, quants, LF_ASM_SUM(v, 0),              \
                        LF_ASM_SUM(v, 1), LF_ASM_SUM(v, 2), LF_ASM_SUM(v, 3), LF_ASM_SUM(v, 4),    \
                        LF_ASM_SUM(v, 5))                                                          \
    } else {                                                                                       \
        LF_ASM_PRODUCTS(mul, add, bytes, stride, n, 4, lhs, quants, LF_ASM_SUM(v, 0),              \
                        LF_ASM_SUM(v, 1), LF_ASM_SUM(v, 2), LF_ASM_SUM(v, 3), LF_ASM_SUM(v, 4),    \
                        LF_ASM_SUM(v, 5), LF_ASM_SUM(v, 6), LF_ASM_SUM(v, 7))                      \
    }

/* The same for AVX-VNNI and 3 to 6 rows: v[2 * row], v[2 * row + 1] += sums of products. Six
 * rows take 29 of the 30 operands of an asm statement, so that the memory cannot be named as
 * operands. */
#define LF_ASM_DOT(bytes, s, row, v0, v1)                                                          \
    "vpbroadcastd 4*" #s "+" bytes "*" #row "(%[x]), %[t]\n\t"                                     \
    "%{vex%} vpdpbusd %[t], %[w0], " v0 "\n\t%{vex%} vpdpbusd %[t], %[w1], " v1 "\n\t"
#define LF_ASM_DOT_ROWS_3(bytes, s)                                                                \
    LF_ASM_LOAD(s)                                                                                 \
    LF_ASM_DOT(bytes, s, 0, "%0", "%1")                                                            \
    LF_ASM_DOT(bytes, s, 1, "%2", "%3") LF_ASM_DOT(bytes, s, 2, "%4", "%5")
#define LF_ASM_DOT_ROWS_4(bytes, s) LF_ASM_DOT_ROWS_3(bytes, s) LF_ASM_DOT(bytes, s, 3, "%6", "%7")
#define LF_ASM_DOT_ROWS_5(bytes, s) LF_ASM_DOT_ROWS_4(bytes, s) LF_ASM_DOT(bytes, s, 4, "%8", "%9")
#define LF_ASM_DOT_ROWS_6(bytes, s)                                                                \
    LF_ASM_DOT_ROWS_5(bytes, s) LF_ASM_DOT(bytes, s, 5, "%10", "%11")
#define LF_ASM_DOT_STEPS_4(rows, bytes) rows(bytes, 0) rows(bytes, 1) rows(bytes, 2) rows(bytes, 3)
#define LF_ASM_DOT_STEPS_8(rows, bytes)                                                            \
    LF_ASM_DOT_STEPS_4(rows, bytes) rows(bytes, 4) rows(bytes, 5) rows(bytes, 6) rows(bytes, 7)
#define LF_ASM_DOTS(bytes, n, rows, lhs, quants, ...)                                              \
    {                                                                                              \
        __m256i w0, w1, t;                                                                         \
        __asm__ volatile(LF_ASM_DOT_STEPS_##n(LF_ASM_DOT_ROWS_##rows, bytes)                       \
                         : __VA_ARGS__, [w0] "=&x"(w0), [w1] "=&x"(w1), [t] "=&x"(t)               \
                         : [w] "r"(quants), [x] "r"(lhs)                                           \
                         : "memory");                                                              \
    }
#define LF_ASM_SUMS(v, i) "+x"((v)[i]), "+x"((v)[(i) + 1])
#define LF_YMM_DOTS(bytes, n, m, lhs, quants, v)                                                   \
    if ((m) == 3) {                                                                                \
        LF_ASM_DOTS(bytes, n, 3, lhs, quants, LF_ASM_SUMS(v, 0), LF_ASM_SUMS(v, 2),                \
                    LF_ASM_SUMS(v, 4))                                                             \
    } else if ((m) == 4) {                                                                         \
        LF_ASM_DOTS(bytes, n, 4, lhs, quants, LF_ASM_SUMS(v, 0), LF_ASM_SUMS(v, 2),                \
                    LF_ASM_SUMS(v, 4), LF_ASM_SUMS(v, 6))                                          \
    } else if ((m) == 5) {                                                                         \
        LF_ASM_DOTS(bytes, n, 5, lhs, quants, LF_ASM_SUMS(v, 0), LF_ASM_SUMS(v, 2),                \
                    LF_ASM_SUMS(v, 4), LF_ASM_SUMS(v, 6), LF_ASM_SUMS(v, 8))                       \
    } else {                                                                                       \
        LF_ASM_DOTS(bytes, n, 6, lhs, quants, LF_ASM_SUMS(v, 0), LF_ASM_SUMS(v, 2),                \
                    LF_ASM_SUMS(v, 4), LF_ASM_SUMS(v, 6), LF_ASM_SUMS(v, 8), LF_ASM_SUMS(v, 10))   \
    }

#endif /* LF_KERNELS_X86_YMM_ASM_H */
