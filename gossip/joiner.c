/* SPDX-License-Identifier: MIT */
#include "gossip/joiner.h"

void joiner_init(struct joiner *joiner, usec_t now, const struct join_request *request)
{
	*joiner = (struct joiner){
		.state = JOINER_ASKING,
		.request = *request,
		.next = now,
		.pause = JOINER_ASK_FIRST,
		.asking_since = now,
	};
}

static void ask_again(struct joiner *joiner, usec_t now)
{
	joiner->state = JOINER_ASKING;
	joiner->next = now;
	joiner->pause = JOINER_ASK_FIRST;
	joiner->asking_since = now;
}

static void settle(struct joiner *joiner, usec_t now)
{
	joiner->state = JOINER_SETTLING;
	joiner->next = now + JOINER_SETTLE;
}

struct joiner_action joiner_step(struct joiner *joiner, usec_t now)
{
	struct joiner_action action = {
		.own_key = joiner->state == JOINER_SETTLING || joiner->state == JOINER_JOINED};

	if (joiner->next > now)
		return action;
	switch (joiner->state) {
	case JOINER_SETTLING:
		/* The hub may never have taken our key: the temporary one still works. */
		ask_again(joiner, now);
		action.own_key = false;
		__attribute__((fallthrough));
	case JOINER_ASKING:
		if (now - joiner->asking_since >= JOINER_ASK_FOR) {
			/* Perhaps it has admitted us long ago. */
			settle(joiner, now);
			action.own_key = true;
			break;
		}
		action.send = true;
		joiner->next = now + joiner->pause;
		joiner->pause = usec_min(2 * joiner->pause, JOINER_ASK_MOST);
		break;
	case JOINER_JOINED:
	case JOINER_REFUSED:
		joiner->next = USEC_NEVER;
		break;
	}
	return action;
}

usec_t joiner_wakeup(const struct joiner *joiner)
{
	return joiner->next;
}

void joiner_receive(
	struct joiner *joiner, usec_t now, uint64_t wall, const struct join_reply *reply)
{
	if (!hash_equal(&reply->invite, &joiner->request.invite) ||
		!key_equal(&reply->site, &joiner->request.site) || joiner->state == JOINER_JOINED ||
		joiner->state == JOINER_REFUSED)
		return;
	joiner->reply = *reply;
	joiner->answered = true;
	joiner->asking_since = now;
	joiner->clock_offset = (int64_t)reply->clock - (int64_t)wall;
	switch (reply->status) {
	case JOIN_GRANTED:
		if (joiner->state == JOINER_SETTLING)
			break;
		settle(joiner, now);
		break;
	case JOIN_APPROVAL:
	case JOIN_NO_ADMIN:
		/* People are slow: there is no hurry any more. */
		joiner->pause = JOINER_ASK_MOST;
		joiner->next = now + joiner->pause;
		break;
	case JOIN_USED:
	case JOIN_WITHDRAWN:
	case JOIN_EXPIRED:
	case JOIN_UNKNOWN:
	case JOIN_TAKEN:
	case JOIN_STATUSES:
	default:
		joiner->state = JOINER_REFUSED;
		joiner->next = USEC_NEVER;
		break;
	}
}

void joiner_heard(struct joiner *joiner, usec_t now)
{
	if (joiner->state == JOINER_SETTLING)
		joiner->next = now + JOINER_SETTLE;
}

void joiner_settled(struct joiner *joiner)
{
	if (joiner->state == JOINER_REFUSED)
		return;
	joiner->state = JOINER_JOINED;
	joiner->next = USEC_NEVER;
}

const char *joiner_text(const struct joiner *joiner)
{
	if (joiner->state == JOINER_JOINED)
		return "";
	if (!joiner->answered)
		return "the hub is silent: is it running, is its UDP port forwarded by its router "
		       "and let in by its own firewall (\"collective doctor\" there says so), and "
		       "does this network let UDP out?";
	switch (joiner->reply.status) {
	case JOIN_GRANTED:
		return "admitted; waiting for the hub to take the new key";
	case JOIN_APPROVAL:
		return "waiting for an admin to approve";
	case JOIN_NO_ADMIN:
		return "waiting for the agent of an admin, which the hub cannot reach now";
	case JOIN_USED:
		return "this invite was used on another machine already: if that was not you, tell "
		       "whoever sent it at once";
	case JOIN_WITHDRAWN:
		return "this invite was withdrawn: ask for a new one";
	case JOIN_EXPIRED:
		return "this invite has expired: ask for a new one";
	case JOIN_TAKEN:
		return "the name, subnet or a key of this invite is another member's by now: ask "
		       "for a new one";
	case JOIN_UNKNOWN:
	case JOIN_STATUSES:
	default:
		return "the hub does not know this invite: ask for a new one";
	}
}
