/* SPDX-License-Identifier: MIT */
#include "nat/lease.h"

#include <assert.h>
#include <errno.h>

#include "base/prefix.h"

#define EPOCH_SLACK_S 2 /* RFC 6886, section 3.6 */

/* What each result means, and after how long another is likely. */
static const struct {
	const char *word;
	usec_t rest;
} results[] = {
	[LEASE_OK] = {"", USEC_HOUR},
	[LEASE_VERSION] = {"the router speaks another version of NAT-PMP", USEC_HOUR},
	[LEASE_REFUSED] = {"the router refuses it: port mapping is turned off there", USEC_HOUR},
	[LEASE_NETWORK] = {"the router has no address on the internet yet", USEC_MINUTE},
	[LEASE_RESOURCES] = {"the router has no port left", 15 * USEC_MINUTE},
	[LEASE_OPCODE] = {"the router does not map ports", USEC_HOUR},
	[LEASE_SILENT] = {"the router does not answer NAT-PMP", USEC_HOUR},
	[LEASE_NONSENSE] = {"the router's answer makes no sense", USEC_HOUR},
};

void lease_init(struct lease *lease, uint16_t inside)
{
	assert(inside != 0);
	*lease = (struct lease){
		.state = LEASE_IDLE,
		.inside = inside,
		.wanted = inside,
		.next_at = USEC_NEVER,
		.expires_at = USEC_NEVER,
	};
}

static void drop(struct lease *lease)
{
	lease->port = 0;
	lease->expires_at = USEC_NEVER;
}

static void ask(struct lease *lease, enum lease_state question, usec_t now)
{
	lease->state = question;
	lease->asks = 0;
	lease->next_at = now;
}

void lease_begin(struct lease *lease, usec_t now)
{
	drop(lease);
	lease->router = (struct address){0};
	lease->heard = false;
	lease->result = LEASE_OK;
	ask(lease, LEASE_ASK_OUTSIDE, now);
}

/* The question came to an end without what it was for. */
static void fail(struct lease *lease, usec_t now, enum lease_result result)
{
	usec_t rest = results[result].rest;

	if (lease->port != 0) {
		usec_t half = (lease->expires_at - now) / 2;

		rest = usec_min(rest, half < LEASE_RENEW_LEAST ? LEASE_RENEW_LEAST : half);
	}
	lease->result = result;
	lease->state = LEASE_REST;
	lease->next_at = usec_add(now, rest);
}

uint32_t lease_epoch_least(const struct lease *lease, usec_t now)
{
	usec_t elapsed = now - lease->epoch_at;
	uint64_t least;

	if (!lease->heard)
		return 0;
	/* Its clock may run slow by an eighth. */
	least = lease->epoch_s + (elapsed > 0 ? (uint64_t)(elapsed / USEC_SECOND * 7 / 8) : 0);
	least = least > EPOCH_SLACK_S ? least - EPOCH_SLACK_S : 0;
	return least > UINT32_MAX ? UINT32_MAX : (uint32_t)least;
}

/* A router that is younger than it can be has begun anew, and what it had granted is gone. */
static void note_epoch(struct lease *lease, usec_t now, uint32_t epoch_s)
{
	if (epoch_s < lease_epoch_least(lease, now)) {
		drop(lease);
		if (lease->state == LEASE_REST)
			ask(lease, LEASE_ASK_OUTSIDE, now);
	}
	lease->heard = true;
	lease->epoch_s = epoch_s;
	lease->epoch_at = now;
}

static enum lease_result result_of(uint16_t number)
{
	return number <= LEASE_OPCODE ? (enum lease_result)number : LEASE_NONSENSE;
}

static bool is_outside(const struct address *address)
{
	struct prefix prefix = {*address, 32};

	return address->family == ADDRESS_IPV4 && prefix_reserved(&prefix) == NULL;
}

static void take_outside(
	struct lease *lease, usec_t now, const struct lease_reply *reply, bool asked)
{
	enum lease_result result = result_of(reply->result);

	/* Without a line of its own it names 0.0.0.0. */
	if (result == LEASE_OK && !is_outside(&reply->outside))
		result = LEASE_NETWORK;
	if (result == LEASE_OK)
		lease->router = reply->outside;
	if (!asked)
		return;
	if (result == LEASE_OK)
		ask(lease, LEASE_ASK_PORT, now);
	else
		fail(lease, now, result);
}

static void take_port(struct lease *lease, usec_t now, const struct lease_reply *reply)
{
	enum lease_result result = result_of(reply->result);
	uint32_t lifetime_s = reply->lifetime_s;
	usec_t half;

	if (result == LEASE_OK && (lifetime_s == 0 || reply->outside_port == 0))
		result = LEASE_NONSENSE;
	if (result != LEASE_OK) {
		fail(lease, now, result);
		return;
	}
	if (lifetime_s > LEASE_LIFETIME_MAX_S)
		lifetime_s = LEASE_LIFETIME_MAX_S;
	half = lifetime_s * USEC_SECOND / 2;
	lease->result = LEASE_OK;
	lease->state = LEASE_REST;
	lease->port = reply->outside_port;
	lease->wanted = reply->outside_port;
	lease->expires_at = usec_add(now, lifetime_s * USEC_SECOND);
	lease->next_at = usec_add(now, half < LEASE_RENEW_LEAST ? LEASE_RENEW_LEAST : half);
}

int lease_answer(struct lease *lease, usec_t now, const struct lease_reply *reply)
{
	enum lease_state question = reply->is_port ? LEASE_ASK_PORT : LEASE_ASK_OUTSIDE;
	bool asked = lease->state == question && lease->asks > 0;

	if (lease->state == LEASE_IDLE)
		return -EPROTO;
	/* The outside address is announced unasked, too; nothing else is. */
	if (!asked && (reply->is_port || reply->result != LEASE_OK))
		return -EPROTO;
	if (reply->is_port && reply->result == LEASE_OK && reply->inside_port != lease->inside)
		return -EPROTO;
	note_epoch(lease, now, reply->epoch_s);
	if (reply->is_port)
		take_port(lease, now, reply);
	else
		take_outside(lease, now, reply, asked);
	return 0;
}

static void act(struct lease_actions *out, struct lease_action action)
{
	assert(out->count < LEASE_ACTIONS_MAX);
	out->items[out->count++] = action;
}

static void send_question(struct lease *lease, usec_t now, struct lease_actions *out)
{
	if (lease->state == LEASE_REST)
		ask(lease, LEASE_ASK_OUTSIDE, now);
	if (lease->asks == LEASE_ASKS) {
		fail(lease, now, LEASE_SILENT);
		return;
	}
	lease->next_at = usec_add(now, LEASE_RETRY << lease->asks);
	lease->asks++;
	if (lease->state == LEASE_ASK_OUTSIDE)
		act(out, (struct lease_action){.kind = LEASE_SEND_OUTSIDE});
	else
		act(out, (struct lease_action){.kind = LEASE_SEND_PORT,
				 .inside = lease->inside,
				 .wanted = lease->wanted,
				 .lifetime_s = LEASE_LIFETIME_S});
}

/* What others should know of; no address: nothing. */
static struct endpoint to_tell(const struct lease *lease)
{
	if (lease->port == 0 || lease->router.family == ADDRESS_NONE)
		return (struct endpoint){0};
	return (struct endpoint){lease->router, lease->port};
}

static void tell(struct lease *lease, struct lease_actions *out)
{
	struct endpoint endpoint = to_tell(lease);

	if (endpoint_equal(&endpoint, &lease->told))
		return;
	if (endpoint.port != 0)
		act(out, (struct lease_action){.kind = LEASE_HELD, .endpoint = endpoint});
	else
		act(out, (struct lease_action){.kind = LEASE_LOST, .endpoint = lease->told});
	lease->told = endpoint;
}

void lease_step(struct lease *lease, usec_t now, struct lease_actions *out)
{
	out->count = 0;
	if (now >= lease->expires_at)
		drop(lease);
	if (now >= lease->next_at)
		send_question(lease, now, out);
	tell(lease, out);
}

usec_t lease_wakeup(const struct lease *lease)
{
	struct endpoint endpoint = to_tell(lease);

	if (!endpoint_equal(&endpoint, &lease->told))
		return 0;
	return usec_min(lease->next_at, lease->expires_at);
}

void lease_end(struct lease *lease, struct lease_actions *out)
{
	/* A port that was asked for may have been granted without our knowing. */
	bool may_hold = lease->port != 0 || (lease->state == LEASE_ASK_PORT && lease->asks > 0);

	out->count = 0;
	if (may_hold)
		act(out, (struct lease_action){.kind = LEASE_SEND_RETURN, .inside = lease->inside});
	drop(lease);
	lease->state = LEASE_IDLE;
	lease->next_at = USEC_NEVER;
	tell(lease, out);
}

const char *lease_word(enum lease_result result)
{
	return results[result].word;
}
