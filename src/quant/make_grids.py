# SPDX-License-Identifier: Apache-2.0
"""Writes grids.c, the codebooks of the IQ formats, and kernels/scalar/iq3s_grid.c, that of IQ3_S for
matrix kernels, from the data of the `gguf` package.

    python make_grids.py

A grid maps an index to 8 (IQ3: 4) magnitudes out of a few. grids.c has one number per index: element i of
the vector is bits 2i and up (IQ3: 3i and up), the position of its value among those of the format.
"""
import pathlib

import gguf.quants as q

GRIDS = [("iq2_xxs", q.IQ2_XXS, 2), ("iq2_xs", q.IQ2_XS, 2), ("iq2_s", q.IQ2_S, 2), ("iq3_xxs", q.IQ3_XXS, 3),
         ("iq3_s", q.IQ3_S, 3), ("iq1", q.IQ1_S, 2)]
PER_LINE = 12
FOR_KERNELS = "iq3_s"


def write_for_kernels(grid, codes):
    """For each vector a dword, 128 + magnitude of element i in byte i, and a word, its code."""
    dwords = [sum(128 + int(v) << 8 * i for i, v in enumerate(row)) for row in grid]
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */",
             "/* The codebook of IQ3_S, written by src/quant/make_grids.py. */",
             '#include "kernels/panel_layout.h"', "", f"const uint32_t lf_iq3s_grid[{len(dwords)}] = {{"]
    for at in range(0, len(dwords), 8):
        lines.append("    " + " ".join(f"0x{d:08x}," for d in dwords[at:at + 8]))
    lines += ["};", "", f"const uint16_t lf_iq3s_fields[{len(codes)}] = {{"]
    for at in range(0, len(codes), PER_LINE):
        lines.append("    " + " ".join(f"0x{c:04x}," for c in codes[at:at + PER_LINE]))
    lines.append("};")
    path = pathlib.Path(__file__).resolve().parents[2] / "kernels/scalar/iq3s_grid.c"
    path.write_text("\n".join(lines) + "\n")


def main():
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */",
             "/* The codebooks of the IQ formats, written by make_grids.py. */", '#include "quant/grids.h"']
    for name, kind, bits in GRIDS:
        kind.init_grid()
        n, length = kind.grid_shape
        grid = kind.grid.reshape(n, length)
        positions = {int(value): i for i, value in enumerate(kind.grid_map)}
        codes = [sum(positions[int(v)] << bits * i for i, v in enumerate(row)) for row in grid]
        lines += ["", f"const uint16_t lf_grid_{name}[{n}] = {{"]
        for at in range(0, n, PER_LINE):
            lines.append("    " + " ".join(f"0x{c:04x}," for c in codes[at:at + PER_LINE]))
        lines.append("};")
        if name == FOR_KERNELS:
            write_for_kernels(grid, codes)
    path = pathlib.Path(__file__).resolve().parent / "grids.c"
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
