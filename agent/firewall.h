/* SPDX-License-Identifier: MIT */
/*
 * firewall.h - what the packet filters of this machine do with what is forwarded, as far as
 * nf_tables tells. It looks and changes nothing.
 */
#pragma once

#include <stdbool.h>

#define FIREWALL_NAME_SIZE 128
#define FIREWALL_REMEDY_SIZE 256

struct firewall {
	char drops[64];    /* "TABLE CHAIN" whose policy is to drop what is forwarded; "": none */
	bool lets_through; /* some rule takes what comes in by our interface, or hands it on */
	bool docker;
	bool ufw;
	bool firewalld;
};

/* Returns 0, -EPERM where this user may not look, or another error: there is no nf_tables. */
int firewall_read(const char *interface, struct firewall *ret);

/* "filter FORWARD, Docker" */
void firewall_name(const struct firewall *firewall, char ret[static FIREWALL_NAME_SIZE]);

/* The very command that lets members through. */
void firewall_remedy(const struct firewall *firewall, const char *interface,
	char ret[static FIREWALL_REMEDY_SIZE]);
