/* SPDX-License-Identifier: MIT */
/*
 * device.h - what holds of every device that was read, whichever room of WireGuard it is in.
 */
#pragma once

#include "agent/wireguard.h"

/* Ends the process where something does not hold. */
void fuzz_check_device(const struct wireguard_device *device);
