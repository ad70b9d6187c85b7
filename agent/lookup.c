/* SPDX-License-Identifier: MIT */
#include "agent/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "agent/memory.h"
#include "agent/sockaddr.h"

#define SERVERS_FILE "/etc/resolv.conf"
#define HOSTS_FILE "/etc/hosts"
#define ADDRESSES_MAX 16
#define AGAIN_AFTER_S 5 /* at boot a network may not be there yet */

/* What a file is known by. */
struct version {
	bool there;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct question {
	struct lookup *lookup;
	struct evdns_getaddrinfo_request *request; /* NULL: the place is free */
	bool dropped;
	enum site_interface interface;
	struct key peer;
	char host[INVITE_HOST_MAX + 1];
	uint16_t port;
	uint32_t turn;
	struct event *again; /* it is asked once more; NULL: it is not */
};

struct lookup {
	struct event_base *loop;
	struct evdns_base *resolver;
	struct log *log;
	lookup_found_fn found;
	void *context;
	struct version servers;
	struct version hosts;
	uint32_t turn;
	struct question questions[LOOKUP_ASKED_MAX];
};

static struct version version_of(const char *path)
{
	struct version version = {.there = false};
	struct stat status;

	if (stat(path, &status) < 0)
		return version;
	version.there = true;
	version.inode = status.st_ino;
	version.size = status.st_size;
	version.changed = status.st_mtim;
	return version;
}

static bool same_version(const struct version *a, const struct version *b)
{
	return a->there == b->there && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* A resolver that knows the files as they are. What was asked of the old one comes to nothing. */
static void renew(struct lookup *lookup)
{
	struct version servers = version_of(SERVERS_FILE);
	struct version hosts = version_of(HOSTS_FILE);

	if (lookup->resolver && same_version(&servers, &lookup->servers) &&
		same_version(&hosts, &lookup->hosts))
		return;
	if (lookup->resolver)
		evdns_base_free(lookup->resolver, 1);
	lookup->servers = servers;
	lookup->hosts = hosts;
	lookup->resolver = evdns_base_new(lookup->loop, 0);
	if (!lookup->resolver)
		return;
	(void)evdns_base_set_option(lookup->resolver, "timeout", "2");
	(void)evdns_base_set_option(lookup->resolver, "attempts", "2");
	(void)evdns_base_set_option(lookup->resolver, "randomize-case", "0");
	(void)evdns_base_resolv_conf_parse(lookup->resolver,
		DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_HOSTSFILE, SERVERS_FILE);
}

/* Whether this machine has a way there at all; nothing is sent. */
static bool is_reachable(const struct endpoint *endpoint)
{
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(endpoint, &storage);
	int descriptor = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool reachable;

	if (descriptor < 0)
		return false;
	reachable = connect(descriptor, (const struct sockaddr *)&storage, length) == 0;
	(void)close(descriptor);
	return reachable;
}

/* The addresses that can be reached, in the order of the answer. Returns how many. */
static uint32_t read_answer(const struct evutil_addrinfo *answer, uint16_t port,
	struct endpoint ret[static ADDRESSES_MAX])
{
	uint32_t count = 0;

	for (; answer && count < ADDRESSES_MAX; answer = answer->ai_next) {
		if (sockaddr_read(answer->ai_addr, answer->ai_addrlen, &ret[count]) < 0)
			continue;
		ret[count].port = port;
		count += is_reachable(&ret[count]);
	}
	return count;
}

static void ask(struct question *question);
static void forget(struct question *question);

static void on_again(evutil_socket_t descriptor, short what, void *context)
{
	struct question *question = context;

	(void)descriptor;
	(void)what;
	forget(question);
	ask(question);
}

/* What leads nowhere now may do so soon. */
static void ask_again(struct question *question)
{
	const struct timeval after = {.tv_sec = AGAIN_AFTER_S};

	if (!question->again)
		question->again = evtimer_new(question->lookup->loop, on_again, question);
	if (question->again)
		(void)event_add(question->again, &after);
}

static void on_answer(int result, struct evutil_addrinfo *answer, void *context)
{
	struct question *question = context;
	struct lookup *lookup = question->lookup;
	struct endpoint endpoints[ADDRESSES_MAX];
	uint32_t count = 0;

	if (result == 0 && !question->dropped)
		count = read_answer(answer, question->port, endpoints);
	if (answer)
		evutil_freeaddrinfo(answer);
	question->request = NULL;
	if (question->dropped)
		return;
	if (count == 0) {
		log_write(lookup->log, LOG_NAMES, CONFIG_LEVEL_WARNING,
			"the name %s leads nowhere: %s", question->host,
			result ? evutil_gai_strerror(result) : "no address can be reached");
		ask_again(question);
		return;
	}
	lookup->found(lookup->context, question->interface, &question->peer,
		&endpoints[question->turn % count]);
}

static void forget(struct question *question)
{
	if (question->again)
		event_free(question->again);
	question->again = NULL;
}

static struct question *place_for(
	struct lookup *lookup, enum site_interface interface, const struct key *peer)
{
	struct question *free_one = NULL;

	for (int i = 0; i < LOOKUP_ASKED_MAX; i++) {
		struct question *question = &lookup->questions[i];
		bool same = question->interface == interface && key_equal(&question->peer, peer);

		if (question->again && same)
			forget(question);
		if (question->request && same && !question->dropped) {
			question->dropped = true;
			evdns_getaddrinfo_cancel(question->request);
		}
		if (!question->request && !question->again)
			free_one = question;
	}
	return free_one;
}

static void ask(struct question *question)
{
	const struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
	struct lookup *lookup = question->lookup;
	struct evdns_getaddrinfo_request *request;

	renew(lookup);
	if (!lookup->resolver) {
		ask_again(question);
		return;
	}
	question->turn = lookup->turn++;
	/* It may be answered before this returns; there is then no request. */
	request = evdns_getaddrinfo(
		lookup->resolver, question->host, NULL, &hints, on_answer, question);
	question->request = request;
}

void lookup_ask(struct lookup *lookup, enum site_interface interface, const struct key *peer,
	const char *host, uint16_t port)
{
	struct question *question = place_for(lookup, interface, peer);

	if (!question) {
		log_write(lookup->log, LOG_NAMES, CONFIG_LEVEL_WARNING,
			"the name %s cannot be asked for now: %d others are", host,
			LOOKUP_ASKED_MAX);
		return;
	}
	*question = (struct question){
		.lookup = lookup, .interface = interface, .peer = *peer, .port = port};
	(void)snprintf(question->host, sizeof question->host, "%s", host);
	ask(question);
}

struct lookup *lookup_new(
	struct event_base *loop, struct log *log, lookup_found_fn found, void *context)
{
	struct lookup *lookup = memory_zeroed(1, sizeof *lookup);

	lookup->loop = loop;
	lookup->log = log;
	lookup->found = found;
	lookup->context = context;
	return lookup;
}

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;
	/* Open questions are answered with an error now. */
	for (int i = 0; i < LOOKUP_ASKED_MAX; i++) {
		lookup->questions[i].dropped = true;
		forget(&lookup->questions[i]);
	}
	if (lookup->resolver)
		evdns_base_free(lookup->resolver, 1);
	/* Their answers are delivered by the loop. */
	(void)event_base_loop(lookup->loop, EVLOOP_NONBLOCK);
	free(lookup);
}
