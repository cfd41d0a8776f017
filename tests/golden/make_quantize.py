# SPDX-License-Identifier: Apache-2.0
"""Check sums of the files that llama-quantize writes with an importance matrix or types of tensors.

    python make_quantize.py --lfm2 PROGRAM --llama-quantize PROGRAM

makes the model "tiny" with lfm2 synth and an importance matrix (tests/support/imatrix_file.h), runs
llama-quantize and writes quantize.txt: lines of preset, mode ("imatrix", "types" or "both"), size in bytes and
CRC-32 of the whole file. Needs numpy and gguf.
"""
import argparse
import pathlib
import subprocess
import tempfile
import zlib

import gguf
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
PRESETS = ["q8_0", "q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "q4_0", "iq4_nl", "iq4_xs", "q3_k_l", "q3_k_m",
           "q3_k_s", "q2_k"]
TYPES = [r"blk\.(1|2)\.(attn_v|ffn_down)=q5_1", "ffn_(gate|up)_exps=iq4_nl", r"^token_embd|conv\.out=Q4_1",
         r"blk\.\d+\.attn_[qk]\.w=f16"]


def write_imatrix(model, path):
    w = gguf.GGUFWriter(path, "")
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", ["text.txt"])
    w.add_uint32("imatrix.chunk_count", 3)
    w.add_uint32("imatrix.chunk_size", 512)
    t = 0
    for m in gguf.GGUFReader(model).tensors:
        if not m.name.startswith("blk.") or len(m.shape) < 2 or ".conv." in m.name:
            continue
        experts = int(m.shape[2]) if len(m.shape) > 2 else 1
        n = int(m.shape[0]) * experts
        values = ((37 * np.arange(n) + 11 * t) % 251 + 1).astype(np.float32) * np.float32(0.125)
        counts = np.arange(experts) % 5 * 8 if experts > 1 else np.full(1, 8)
        w.add_tensor(m.name + ".in_sum2", values.reshape(experts, -1))
        w.add_tensor(m.name + ".counts", counts.astype(np.float32).reshape(experts, 1))
        t += 1
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--lfm2", required=True)
    p.add_argument("--llama-quantize", required=True)
    a = p.parse_args()
    types = [word for text in TYPES for word in ("--tensor-type", text)]
    options = {"imatrix": ["--imatrix", "imatrix.gguf"], "types": types}
    options["both"] = options["imatrix"] + types
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([a.lfm2, "synth", "in.gguf", "--shape", "tiny", "--type", "f32", "--seed", "1"], cwd=folder,
                       check=True, stdout=subprocess.DEVNULL)
        write_imatrix(f"{folder}/in.gguf", f"{folder}/imatrix.gguf")
        for preset in PRESETS:
            for mode in ["imatrix"] + (["types", "both"] if preset in ("q4_k_m", "q4_0") else []):
                subprocess.run([a.llama_quantize, *options[mode], "in.gguf", "out.gguf", preset], cwd=folder, check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                data = pathlib.Path(folder, "out.gguf").read_bytes()
                lines.append(f"{preset} {mode} {len(data)} {zlib.crc32(data):08x}\n")
    (HERE / "quantize.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
