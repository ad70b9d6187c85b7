/* SPDX-License-Identifier: MIT */
#include "agent/netlink.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <sodium.h>

#include "agent/memory.h"

#define ANSWER_SIZE 65536
#define COMPLAINT_SIZE 128
#define PATIENCE_S 5

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence; /* of the last request, */
	uint32_t first;    /* and of the first that goes out with it */
	struct nlmsghdr *last;
	bool question; /* the first answer is the whole of it */
	char complaint[COMPLAINT_SIZE];
	/* Headers are read and written in place. */
	_Alignas(max_align_t) uint8_t request[NETLINK_REQUEST_MAX];
	_Alignas(max_align_t) uint8_t answer[ANSWER_SIZE];
};

/* Not every kernel knows each of these; what they add is more words, or less work. */
static void ask_for_more(struct mnl_socket *socket)
{
	int yes = 1;

	(void)mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &yes, sizeof yes);
	(void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &yes, sizeof yes);
	(void)mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &yes, sizeof yes);
}

int netlink_open(struct netlink **ret, int bus)
{
	/* The kernel answers at once; should it ever not, the agent must not stand still. */
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	struct netlink *netlink;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
		setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
			sizeof patience) < 0) {
		int r = -errno;

		(void)mnl_socket_close(socket);
		return r;
	}
	ask_for_more(socket);
	netlink = memory_zeroed(1, sizeof *netlink);
	netlink->socket = socket;
	*ret = netlink;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	(void)mnl_socket_close(netlink->socket);
	free(netlink);
}

static struct nlmsghdr *put_header(
	struct netlink *netlink, void *where, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(where);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++netlink->sequence;
	netlink->last = message;
	netlink->question = false;
	return message;
}

struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	netlink->first = netlink->sequence + 1;
	/* The end of a list is marked; of all else an acknowledgement says that it was done. */
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		flags |= NLM_F_ACK;
	return put_header(netlink, netlink->request, type, flags);
}

struct nlmsghdr *netlink_begin_question(struct netlink *netlink, uint16_t type)
{
	struct nlmsghdr *message;

	netlink->first = netlink->sequence + 1;
	message = put_header(netlink, netlink->request, type, 0);
	netlink->question = true;
	return message;
}

struct nlmsghdr *netlink_begin_batch(struct netlink *netlink, uint16_t type)
{
	netlink->first = netlink->sequence + 1;
	return put_header(netlink, netlink->request, type, 0);
}

struct nlmsghdr *netlink_next(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	char *end = mnl_nlmsg_get_payload_tail(netlink->last);

	assert(end - (char *)netlink->request < NETLINK_REQUEST_MAX / 2);
	return put_header(netlink, end, type, flags);
}

/* Words stand behind a number, in what ends a list and in all other errors. */
static void read_words(struct netlink *netlink, const struct nlmsghdr *message, size_t offset)
{
	const struct nlattr *attribute;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	netlink_for_each (attribute, message, offset) {
		if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
			mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			strncpy(netlink->complaint, mnl_attr_get_str(attribute),
				COMPLAINT_SIZE - 1);
	}
}

/* The number an error message carries, with its words where there are any. */
static int read_error(struct netlink *netlink, const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof *error)
		return -EBADMSG;
	if (error->error < 0 && (message->nlmsg_flags & NLM_F_CAPPED))
		read_words(netlink, message, sizeof *error);
	return error->error;
}

struct answer {
	netlink_each_fn each;
	void *context;
	bool done;
	bool interrupted;
	int result;
};

/* Returns whether there is more to come. */
static void take(struct netlink *netlink, const struct nlmsghdr *message, struct answer *answer)
{
	int r = 0;

	if (message->nlmsg_seq - netlink->first > netlink->sequence - netlink->first)
		return;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->interrupted = true;
	switch (message->nlmsg_type) {
	case NLMSG_NOOP:
		return;
	case NLMSG_ERROR:
		answer->done = true;
		r = read_error(netlink, message);
		break;
	case NLMSG_DONE:
		answer->done = true;
		/* A list may fail half way through; its number stands in the end mark. */
		if (mnl_nlmsg_get_payload_len(message) >= sizeof r)
			memcpy(&r, mnl_nlmsg_get_payload(message), sizeof r);
		if (r < 0)
			read_words(netlink, message, sizeof r);
		break;
	default:
		answer->done = netlink->question;
		if (answer->each && answer->result == 0)
			r = answer->each(message, answer->context);
	}
	if (answer->result == 0 && r < 0)
		answer->result = r;
}

static int receive(struct netlink *netlink, struct answer *answer)
{
	ssize_t size = mnl_socket_recvfrom(
		netlink->socket, netlink->answer, sizeof netlink->answer);
	const struct nlmsghdr *message = (const void *)netlink->answer;
	int left;

	if (size < 0)
		return errno == EINTR ? 0 : errno == EAGAIN ? -ETIMEDOUT : -errno;
	left = (int)size;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		take(netlink, message, answer);
	sodium_memzero(netlink->answer, (size_t)size);
	return 0;
}

int netlink_run(struct netlink *netlink, netlink_each_fn each, void *context)
{
	const struct nlmsghdr *message = (const void *)netlink->request;
	struct answer answer = {.each = each, .context = context};
	size_t size = (size_t)((const uint8_t *)mnl_nlmsg_get_payload_tail(netlink->last) -
			       netlink->request);
	ssize_t sent;
	int r = 0;

	netlink->complaint[0] = '\0';
	sent = mnl_socket_sendto(netlink->socket, message, size);
	if (sent < 0)
		r = -errno;
	sodium_memzero(netlink->request, size);
	while (r == 0 && !answer.done)
		r = receive(netlink, &answer);
	if (r < 0)
		return r;
	if (answer.result < 0)
		return answer.result;
	return answer.interrupted ? -EINTR : 0;
}

/* libmnl counts the padding behind the last byte as well, which need not be there. */
const void *netlink_tail_of(const struct nlmsghdr *message)
{
	return (const char *)message + message->nlmsg_len;
}

const void *netlink_end_of(const struct nlattr *nest)
{
	return (const char *)mnl_attr_get_payload(nest) + mnl_attr_get_payload_len(nest);
}

bool netlink_is_within(const struct nlattr *attribute, const void *end)
{
	ptrdiff_t left = (const char *)end - (const char *)attribute;

	return left > 0 && left <= INT_MAX && mnl_attr_ok(attribute, (int)left);
}

uint32_t netlink_port(const struct netlink *netlink)
{
	return mnl_socket_get_portid(netlink->socket);
}

const char *netlink_complaint(const struct netlink *netlink)
{
	return netlink->complaint;
}
