# SPDX-License-Identifier: Apache-2.0
# Writes a public header in which every struct that starts with `size` has new fields at its end, as in
# a later version: awk -f grow.awk lfm2.h >grown/lfm2.h
/^typedef struct [a-z0-9_]+ \{$/ { name = $3; sized = 0 }
/^    size_t size;/ { sized = 1 }
/^} lfm2_[a-z0-9_]+;$/ {
    if (sized) {
        print "    uint64_t grown[9];"
        structs++
    }
    sized = 0
}
{ print }
END { print "/* " structs " structs have grown */" }
