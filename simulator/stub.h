/* SPDX-License-Identifier: MIT */
/*
 * stub.h - signatures that are keyed hashes, for very many sites: as strict as real ones towards
 * mistakes, and far cheaper. It replaces the primitives, never a decision.
 */
#pragma once

#include "gossip/crypto.h"

extern const struct crypto crypto_stub;
