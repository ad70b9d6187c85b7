/* SPDX-License-Identifier: MIT */
#include "agent/uapi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/memory.h"

#define ERRNO_MAX 4095 /* the kernel's own limit */
#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u
#define NUMBER_TEXT_SIZE 21

/* Requests. */

void uapi_text_free(struct uapi_text *text)
{
	if (text->bytes)
		sodium_memzero(text->bytes, text->capacity);
	free(text->bytes);
	memset(text, 0, sizeof *text);
}

static void append(struct uapi_text *text, const char *bytes)
{
	uint32_t size = (uint32_t)strlen(bytes);

	text->bytes = memory_grown(text->bytes, &text->capacity, text->length + size, 1);
	memcpy(text->bytes + text->length, bytes, size);
	text->length += size;
}

static void append_line(struct uapi_text *text, const char *key, const char *value)
{
	append(text, key);
	append(text, "=");
	append(text, value);
	append(text, "\n");
}

static void append_key(struct uapi_text *text, const char *name, const struct key *key)
{
	char hex[KEY_HEX_SIZE];

	key_to_hex(key, hex);
	append_line(text, name, hex);
	sodium_memzero(hex, sizeof hex);
}

static void append_number(struct uapi_text *text, const char *key, unsigned number)
{
	char digits[NUMBER_TEXT_SIZE];

	(void)snprintf(digits, sizeof digits, "%u", number);
	append_line(text, key, digits);
}

static void append_allowed(struct uapi_text *text, const struct prefix *prefix)
{
	char printed[PREFIX_TEXT_SIZE];

	prefix_print(prefix, printed);
	append_line(text, "allowed_ip", printed);
}

static void append_peer(struct uapi_text *text, const struct wireguard_peer_change *peer)
{
	char printed[ENDPOINT_TEXT_SIZE];

	append_key(text, "public_key", &peer->key);
	if (peer->remove) {
		append_line(text, "remove", "true");
		return;
	}
	if (peer->update_only)
		append_line(text, "update_only", "true");
	if (peer->set_preshared)
		append_key(text, "preshared_key", &peer->preshared);
	/* Keepalive that is switched on sends at once: the endpoint has to be the new one then. */
	if (peer->set_endpoint) {
		endpoint_print(&peer->endpoint, printed);
		append_line(text, "endpoint", printed);
	}
	if (peer->set_keepalive)
		append_number(text, "persistent_keepalive_interval", peer->keepalive);
	for (uint32_t i = 0; i < peer->allowed_count; i++)
		append_allowed(text, &peer->allowed[i]);
}

void uapi_ask(struct uapi_text *text)
{
	text->length = 0;
	append(text, "get=1\n\n");
}

uint32_t uapi_tell(struct uapi_text *text, const struct wireguard_change *change, uint32_t first)
{
	bool switched_on = false;
	uint32_t next;

	text->length = 0;
	append(text, "set=1\n");
	if (first == 0 && change->set_private_key)
		append_key(text, "private_key", &change->private_key);
	if (first == 0 && change->set_port)
		append_number(text, "listen_port", change->port);
	for (next = first; next < change->peer_count; next++) {
		const struct wireguard_peer_change *peer = &change->peers[next];

		/*
		 * Until the next keepalive line, or the end of the request, wireguard-go remembers
		 * that one was switched on, and sends to every peer in between: first packets that
		 * nobody asked for, to peers that should wait for the other side's.
		 */
		if (switched_on && !peer->remove && !peer->set_keepalive)
			break;
		if (!peer->remove)
			switched_on = peer->set_keepalive && peer->keepalive > 0;
		append_peer(text, peer);
	}
	append(text, "\n");
	return next;
}

/* Answers. */

/* Reads a decimal number without sign or leading zero. Returns 0 or -EBADMSG. */
static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;

	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EBADMSG;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (*text < '0' || *text > '9' || number > (max - digit) / 10)
			return -EBADMSG;
		number = number * 10 + digit;
	}
	*ret = number;
	return 0;
}

static int parse_u16(const char *text, uint16_t *ret)
{
	uint64_t number;

	if (parse_number(text, UINT16_MAX, &number) < 0)
		return -EBADMSG;
	*ret = (uint16_t)number;
	return 0;
}

static int parse_key(const char *text, struct key *ret)
{
	return key_from_hex(text, ret) < 0 ? -EBADMSG : 0;
}

static int read_private_key(struct uapi_answer *answer, const char *value)
{
	return parse_key(value, &answer->reading.device.private_key);
}

static int read_port(struct uapi_answer *answer, const char *value)
{
	return parse_u16(value, &answer->reading.device.port);
}

static int read_public_key(struct uapi_answer *answer, const char *value)
{
	struct wireguard_peer *peer;
	struct key key;

	if (parse_key(value, &key) < 0)
		return -EBADMSG;
	peer = wireguard_reading_peer(&answer->reading, &key);
	if (!peer)
		return -EBADMSG;
	answer->peer = peer;
	answer->handshake_s = 0;
	answer->handshake_ns = 0;
	answer->stage = UAPI_STAGE_PEER;
	return 0;
}

static int read_preshared(struct uapi_answer *answer, const char *value)
{
	return parse_key(value, &answer->peer->preshared);
}

/*
 * Whether this is an endpoint, though one that has no value here: with a zone, with a mapped IPv4
 * address, or with port 0, which whoever holds the peer's key can send from. None of them may make
 * a device unreadable.
 */
static bool is_strange_endpoint(const char *value)
{
	const char *colon = strrchr(value, ':');
	struct address address;
	uint16_t port;

	if (!colon || parse_u16(colon + 1, &port) < 0)
		return false;
	if (value[0] == '[')
		return colon[-1] == ']' && colon - value > 2;
	return port == 0 && address_parse(value, (size_t)(colon - value), &address) == 0 &&
	       address.family == ADDRESS_IPV4;
}

static int read_endpoint(struct uapi_answer *answer, const char *value)
{
	struct wireguard_peer *peer = answer->peer;

	peer->has_endpoint = endpoint_parse(value, &peer->endpoint) == 0;
	return peer->has_endpoint || is_strange_endpoint(value) ? 0 : -EBADMSG;
}

static int read_keepalive(struct uapi_answer *answer, const char *value)
{
	return parse_u16(value, &answer->peer->keepalive);
}

static int read_rx_bytes(struct uapi_answer *answer, const char *value)
{
	return parse_number(value, UINT64_MAX, &answer->peer->rx_bytes);
}

static int read_tx_bytes(struct uapi_answer *answer, const char *value)
{
	return parse_number(value, UINT64_MAX, &answer->peer->tx_bytes);
}

static void set_handshake(struct uapi_answer *answer)
{
	answer->peer->handshake = answer->handshake_s * 1000 + answer->handshake_ns / NS_PER_MS;
}

static int read_handshake_s(struct uapi_answer *answer, const char *value)
{
	if (parse_number(value, UINT64_MAX / 1000 - 1, &answer->handshake_s) < 0)
		return -EBADMSG;
	set_handshake(answer);
	return 0;
}

static int read_handshake_ns(struct uapi_answer *answer, const char *value)
{
	if (parse_number(value, NS_PER_S - 1, &answer->handshake_ns) < 0)
		return -EBADMSG;
	set_handshake(answer);
	return 0;
}

static int read_allowed(struct uapi_answer *answer, const char *value)
{
	struct prefix prefix;

	if (prefix_parse(value, &prefix) < 0)
		return -EBADMSG;
	return wireguard_reading_allow(&answer->reading, &prefix);
}

/* Programs tell their own errors as negative numbers, as they stand in Go. */
static int read_errno(struct uapi_answer *answer, const char *value)
{
	uint64_t number;

	if (parse_number(*value == '-' ? value + 1 : value, ERRNO_MAX, &number) < 0)
		return -EBADMSG;
	answer->result = -(int)number;
	answer->stage = UAPI_STAGE_RESULT;
	return 0;
}

enum scope { SCOPE_ANY, SCOPE_DEVICE, SCOPE_PEER };

static const struct row {
	const char *key;
	enum scope scope;
	int (*read)(struct uapi_answer *answer, const char *value);
} rows[] = {
	{"private_key", SCOPE_DEVICE, read_private_key},
	{"listen_port", SCOPE_DEVICE, read_port},
	{"public_key", SCOPE_ANY, read_public_key},
	{"preshared_key", SCOPE_PEER, read_preshared},
	{"endpoint", SCOPE_PEER, read_endpoint},
	{"persistent_keepalive_interval", SCOPE_PEER, read_keepalive},
	{"rx_bytes", SCOPE_PEER, read_rx_bytes},
	{"tx_bytes", SCOPE_PEER, read_tx_bytes},
	{"last_handshake_time_sec", SCOPE_PEER, read_handshake_s},
	{"last_handshake_time_nsec", SCOPE_PEER, read_handshake_ns},
	{"allowed_ip", SCOPE_PEER, read_allowed},
	{"errno", SCOPE_ANY, read_errno},
};

static bool is_in_scope(enum scope scope, enum uapi_stage stage)
{
	return scope == SCOPE_ANY || (scope == SCOPE_PEER) == (stage == UAPI_STAGE_PEER);
}

static bool is_word(const char *text)
{
	return *text != '\0' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

/* Keys that are not known are those of newer programs. */
static int take_value(struct uapi_answer *answer, const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].key, key) != 0)
			continue;
		if (!is_in_scope(rows[i].scope, answer->stage))
			return -EBADMSG;
		return rows[i].read(answer, value);
	}
	return is_word(key) ? 0 : -EBADMSG;
}

static int take_line(struct uapi_answer *answer)
{
	char *equals;

	answer->line[answer->length] = '\0';
	if (answer->stage == UAPI_STAGE_RESULT) {
		if (answer->length > 0)
			return -EBADMSG;
		answer->stage = UAPI_STAGE_WHOLE;
		return 0;
	}
	equals = strchr(answer->line, '=');
	if (!equals)
		return -EBADMSG;
	*equals = '\0';
	answer->length = 0;
	return take_value(answer, answer->line, equals + 1);
}

static int take_byte(struct uapi_answer *answer, char c)
{
	unsigned char byte = (unsigned char)c;

	if (answer->stage == UAPI_STAGE_WHOLE || answer->stage == UAPI_STAGE_BROKEN)
		return -EBADMSG;
	if (c == '\n')
		return take_line(answer);
	if (byte < ' ' || byte == 0x7f || answer->length == UAPI_LINE_MAX)
		return -EBADMSG;
	answer->line[answer->length++] = c;
	return 0;
}

void uapi_answer_init(struct uapi_answer *answer)
{
	memset(answer, 0, sizeof *answer);
	wireguard_reading_init(&answer->reading);
}

int uapi_answer_push(struct uapi_answer *answer, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int r = take_byte(answer, bytes[i]);

		if (r < 0) {
			answer->stage = UAPI_STAGE_BROKEN;
			return r;
		}
	}
	return 0;
}

bool uapi_answer_is_whole(const struct uapi_answer *answer)
{
	return answer->stage == UAPI_STAGE_WHOLE;
}

int uapi_answer_end(struct uapi_answer *answer, struct wireguard_device *ret)
{
	int r = uapi_answer_is_whole(answer) ? answer->result : -EBADMSG;

	if (r == 0 && ret)
		r = wireguard_reading_end(&answer->reading, ret);
	wireguard_reading_drop(&answer->reading);
	sodium_memzero(answer, sizeof *answer);
	return r;
}
