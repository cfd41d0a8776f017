# SPDX-License-Identifier: Apache-2.0
# A module of the surrounding project whose name lfm2 uses as well.
message(FATAL_ERROR "lfm2 included a module of the surrounding project")
