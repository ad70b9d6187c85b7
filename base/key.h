/* SPDX-License-Identifier: MIT */
/*
 * key.h - 32 bytes that name or open something: Ed25519, Curve25519 and preshared keys.
 *
 * Text forms are lower-case hex (WireGuard's userspace interface) and padded base64 (people, wg).
 * Making keys is not done here: that needs chance, which the caller passes elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define KEY_SIZE 32
#define KEY_HEX_SIZE 65    /* with the final NUL */
#define KEY_BASE64_SIZE 45 /* with the final NUL */

struct key {
	uint8_t bytes[KEY_SIZE];
};

/* Compares in constant time. */
bool key_equal(const struct key *a, const struct key *b);

/* Whether every byte is zero, in constant time. */
bool key_is_zero(const struct key *key);

/* Overwrites the key so that no compiler leaves it out. */
void key_wipe(struct key *key);

/* Writes 64 hexadecimal digits, in constant time. */
void key_to_hex(const struct key *key, char out[static KEY_HEX_SIZE]);

/* Reads exactly 64 hexadecimal digits. Returns 0 or -EINVAL. */
int key_from_hex(const char *text, struct key *out);

/* Writes 44 characters of padded base64, in constant time. */
void key_to_base64(const struct key *key, char out[static KEY_BASE64_SIZE]);

/* Reads the one base64 form that key_to_base64 writes. Returns 0 or -EINVAL. */
int key_from_base64(const char *text, struct key *out);
