/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

void bytes_put(uint8_t *out, uint64_t number, size_t size)
{
	for (size_t i = size; i > 0; i--) {
		out[i - 1] = (uint8_t)number;
		number >>= 8;
	}
}

uint64_t bytes_get(const uint8_t *in, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | in[i];
	return number;
}
