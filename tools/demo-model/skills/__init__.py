# SPDX-License-Identifier: Apache-2.0
"""The skills of the demo model."""
