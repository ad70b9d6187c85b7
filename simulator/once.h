/* SPDX-License-Identifier: MIT */
/*
 * once.h - real signatures, each of which is verified once.
 *
 * In a world of its own a site would pay for each; here all sites, and who looks on, are told the
 * same facts again and again, in one process. What is said of a signature, a message and a key is
 * libsodium's, and is the same whoever asks.
 */
#pragma once

#include "gossip/crypto.h"

extern const struct crypto crypto_once;
