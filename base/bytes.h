/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - numbers in forms of fixed length, the most significant byte first.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The size lowest bytes of a number, of at most eight. */
void bytes_put(uint8_t *out, uint64_t number, size_t size);
uint64_t bytes_get(const uint8_t *in, size_t size);
