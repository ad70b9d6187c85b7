/* SPDX-License-Identifier: MIT */
#include "agent/control_message.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/wire.h"

/* Forms of items. */
enum form {
	FORM_NUMBER32, /* of at most .most, as an enum or a count */
	FORM_NUMBER64,
	FORM_SIGNED, /* at least -1 */
	FORM_BOOL,
	FORM_TEXT, /* .most bytes with the final zero */
	FORM_KEY,
	FORM_HASH,
	FORM_PREFIX, /* or nil, as the two behind it */
	FORM_ADDRESS,
	FORM_ENDPOINT,
	FORM_PREFIXES,
	FORM_NAMES,
	FORM_HOSTS, /* of a command: names or addresses, with their ports */
};

/* An item is known by its place in the table: rows are added at the end only. */
struct item {
	enum form form;
	size_t offset;
	uint64_t most;
};

#define REQUEST(form, member, most)                                  \
	{                                                            \
		form, offsetof(struct control_request, member), most \
	}
#define ANSWER(form, member, most)                                  \
	{                                                           \
		form, offsetof(struct control_answer, member), most \
	}

static const struct item request_items[] = {
	REQUEST(FORM_NUMBER32, version, UINT32_MAX),
	REQUEST(FORM_NUMBER32, kind, CONTROL_KINDS - 1),
	REQUEST(FORM_NUMBER32, command.kind, SITE_COMMANDS - 1),
	REQUEST(FORM_TEXT, command.name, TEXT_NAME_MAX + 1),
	REQUEST(FORM_TEXT, text, CONTROL_TEXT_MAX),
	REQUEST(FORM_KEY, command.key, 0),
	REQUEST(FORM_PREFIX, command.supernet, 0),
	REQUEST(FORM_PREFIX, command.subnet, 0),
	REQUEST(FORM_PREFIXES, command.routes, 0),
	REQUEST(FORM_NAMES, command.tags, 0),
	REQUEST(FORM_BOOL, command.approval, 0),
	REQUEST(FORM_NUMBER64, command.lifetime_ms, FIELD_TIME_MAX),
	REQUEST(FORM_HOSTS, command, 0),
	REQUEST(FORM_NUMBER32, mode, CONTROL_MODES - 1),
	REQUEST(FORM_BOOL, command.force, 0),
};

static const struct item answer_items[] = {
	ANSWER(FORM_NUMBER32, kind, CONTROL_ANSWER_LAST),
	ANSWER(FORM_TEXT, name, TEXT_NAME_MAX + 1),
	ANSWER(FORM_TEXT, text, CONTROL_TEXT_MAX),
	ANSWER(FORM_TEXT, note, SITE_NOTE_SIZE),
	ANSWER(FORM_PREFIX, prefix, 0),
	ANSWER(FORM_ADDRESS, address, 0),
	ANSWER(FORM_PREFIXES, subnets, 0),
	ANSWER(FORM_NAMES, tags, 0),
	ANSWER(FORM_HASH, id, 0),
	ANSWER(FORM_ENDPOINT, endpoint, 0),
	ANSWER(FORM_NUMBER32, path, CONTROL_PATH_DOWN),
	ANSWER(FORM_BOOL, hubs_word, 0),
	ANSWER(FORM_NUMBER32, roles, UINT32_MAX),
	ANSWER(FORM_NUMBER64, count, UINT64_MAX),
	ANSWER(FORM_NUMBER64, of, UINT64_MAX),
	ANSWER(FORM_NUMBER64, refused, UINT64_MAX),
	ANSWER(FORM_NUMBER64, rx_bytes, UINT64_MAX),
	ANSWER(FORM_NUMBER64, tx_bytes, UINT64_MAX),
	ANSWER(FORM_SIGNED, age_ms, 0),
	ANSWER(FORM_SIGNED, rtt_us, 0),
	ANSWER(FORM_NUMBER64, wall, UINT64_MAX),
	ANSWER(FORM_TEXT, link.state, CONTROL_WORD_SIZE),
	ANSWER(FORM_TEXT, link.reason, CONTROL_WORD_SIZE),
	ANSWER(FORM_SIGNED, link.since_ms, 0),
	ANSWER(FORM_SIGNED, link.next_ms, 0),
	ANSWER(FORM_SIGNED, link.hub_rtt_us, 0),
	ANSWER(FORM_SIGNED, link.hub_jitter_us, 0),
	ANSWER(FORM_SIGNED, link.direct_rtt_us, 0),
	ANSWER(FORM_SIGNED, link.direct_jitter_us, 0),
	ANSWER(FORM_NUMBER32, link.hub_judged, UINT32_MAX),
	ANSWER(FORM_NUMBER32, link.hub_lost, UINT32_MAX),
	ANSWER(FORM_NUMBER32, link.direct_judged, UINT32_MAX),
	ANSWER(FORM_NUMBER32, link.direct_lost, UINT32_MAX),
	ANSWER(FORM_NUMBER64, link.switches, UINT64_MAX),
	ANSWER(FORM_NUMBER64, link.attempts, UINT64_MAX),
};

#define COUNT(items) ((uint32_t)(sizeof(items) / sizeof(items)[0]))

_Static_assert(sizeof(enum control_kind) == sizeof(uint32_t), "enums are numbers of 32 bits");

/* Writing. */

static void write_hosts(struct wire_writer *writer, const struct site_command *command)
{
	wire_write_array(writer, 2 * command->endpoint_count);
	for (uint32_t i = 0; i < command->endpoint_count; i++) {
		wire_write_str(writer, command->endpoints[i].host);
		wire_write_uint(writer, command->endpoints[i].port);
	}
}

static void write_place(struct wire_writer *writer, enum form form, const void *at)
{
	const struct prefix *prefix = at;
	const struct address *address = at;
	const struct endpoint *endpoint = at;

	if (form == FORM_PREFIX && prefix->address.family != ADDRESS_NONE)
		field_write_prefix(writer, prefix);
	else if (form == FORM_ADDRESS && address->family != ADDRESS_NONE)
		field_write_address(writer, address);
	else if (form == FORM_ENDPOINT && endpoint->address.family != ADDRESS_NONE)
		field_write_endpoint(writer, endpoint);
	else
		wire_write_nil(writer);
}

static void write_item(struct wire_writer *writer, const struct item *item, const void *from)
{
	const void *at = (const char *)from + item->offset;

	switch (item->form) {
	case FORM_NUMBER32:
		wire_write_uint(writer, *(const uint32_t *)at);
		break;
	case FORM_NUMBER64:
		wire_write_uint(writer, *(const uint64_t *)at);
		break;
	case FORM_SIGNED:
		wire_write_int(writer, *(const int64_t *)at);
		break;
	case FORM_BOOL:
		wire_write_bool(writer, *(const bool *)at);
		break;
	case FORM_TEXT:
		wire_write_str(writer, at);
		break;
	case FORM_KEY:
		wire_write_bin(writer, at, KEY_SIZE);
		break;
	case FORM_HASH:
		wire_write_bin(writer, at, HASH_SIZE);
		break;
	case FORM_PREFIX:
	case FORM_ADDRESS:
	case FORM_ENDPOINT:
		write_place(writer, item->form, at);
		break;
	case FORM_PREFIXES:
		field_write_prefixes(writer, at);
		break;
	case FORM_NAMES:
		field_write_names(writer, at);
		break;
	case FORM_HOSTS:
		write_hosts(writer, at);
		break;
	}
}

static size_t write_all(const struct item *items, uint32_t count, const void *from,
	uint8_t out[static CONTROL_SIZE_MAX])
{
	struct wire_writer writer;
	int size;

	wire_writer_init(&writer, out + CONTROL_HEAD, CONTROL_SIZE_MAX - CONTROL_HEAD);
	wire_write_map(&writer, count);
	for (uint32_t i = 0; i < count; i++) {
		wire_write_uint(&writer, i);
		write_item(&writer, &items[i], from);
	}
	size = wire_writer_end(&writer);
	/* The largest of each item fits. */
	assert(size > 0);
	for (int i = 0; i < CONTROL_HEAD; i++)
		out[i] = (uint8_t)((size_t)size >> (8 * i));
	return (size_t)size + CONTROL_HEAD;
}

size_t control_request_write(
	const struct control_request *request, uint8_t out[static CONTROL_SIZE_MAX])
{
	return write_all(request_items, COUNT(request_items), request, out);
}

size_t control_answer_write(
	const struct control_answer *answer, uint8_t out[static CONTROL_SIZE_MAX])
{
	return write_all(answer_items, COUNT(answer_items), answer, out);
}

/* Reading. */

static void read_text(struct wire_reader *reader, char *out, size_t size)
{
	size_t length;
	const char *text = wire_read_str(reader, 0, size - 1, &length);

	if (!text || length == 0)
		return;
	/* A zero within would end it early, and hide the rest. */
	if (memchr(text, '\0', length))
		wire_refuse(reader);
	else
		memcpy(out, text, length);
}

static void read_hosts(struct wire_reader *reader, struct site_command *command)
{
	uint32_t items = wire_read_array(reader, 0, 2 * INVITE_ENDPOINTS_MAX);

	if (items % 2 != 0)
		wire_refuse(reader);
	command->endpoint_count = items / 2;
	for (uint32_t i = 0; i < items / 2; i++) {
		struct invite_endpoint *endpoint = &command->endpoints[i];

		read_text(reader, endpoint->host, sizeof endpoint->host);
		endpoint->port = (uint16_t)wire_read_uint(reader, UINT16_MAX);
	}
}

static void read_place(struct wire_reader *reader, enum form form, void *at)
{
	if (wire_read_nil(reader))
		return;
	if (form == FORM_PREFIX)
		field_read_prefix(reader, at);
	else if (form == FORM_ADDRESS)
		field_read_address(reader, at);
	else
		field_read_endpoint(reader, at);
}

static void read_item(struct wire_reader *reader, const struct item *item, void *to)
{
	void *at = (char *)to + item->offset;

	switch (item->form) {
	case FORM_NUMBER32:
		*(uint32_t *)at = (uint32_t)wire_read_uint(reader, item->most);
		break;
	case FORM_NUMBER64:
		*(uint64_t *)at = wire_read_uint(reader, item->most);
		break;
	case FORM_SIGNED:
		*(int64_t *)at = wire_read_int(reader, -1, INT64_MAX);
		break;
	case FORM_BOOL:
		*(bool *)at = wire_read_bool(reader);
		break;
	case FORM_TEXT:
		read_text(reader, at, (size_t)item->most);
		break;
	case FORM_KEY:
		wire_read_exact(reader, at, KEY_SIZE);
		break;
	case FORM_HASH:
		wire_read_exact(reader, at, HASH_SIZE);
		break;
	case FORM_PREFIX:
	case FORM_ADDRESS:
	case FORM_ENDPOINT:
		read_place(reader, item->form, at);
		break;
	case FORM_PREFIXES:
		field_read_prefixes(reader, at);
		break;
	case FORM_NAMES:
		field_read_names(reader, at);
		break;
	case FORM_HOSTS:
		read_hosts(reader, at);
		break;
	}
}

static int read_all(
	const struct item *items, uint32_t count, void *to, const void *bytes, size_t size)
{
	struct wire_reader reader;
	struct wire_map map;
	uint64_t number;

	wire_reader_init(&reader, bytes, size);
	map = wire_read_map(&reader, 2 * count);
	while (wire_next_key(&reader, &map, &number)) {
		if (number < count)
			read_item(&reader, &items[number], to);
		else
			wire_skip(&reader);
	}
	return wire_reader_end(&reader);
}

int control_request_read(struct control_request *ret, const void *bytes, size_t size)
{
	struct control_request request = {.kind = CONTROL_COMMAND};

	if (read_all(request_items, COUNT(request_items), &request, bytes, size) < 0 ||
		request.version != CONTROL_VERSION ||
		(request.command.name[0] && !text_is_name(request.command.name)))
		return -EBADMSG;
	*ret = request;
	ret->command.text = ret->text;
	return 0;
}

int control_answer_read(struct control_answer *ret, const void *bytes, size_t size)
{
	struct control_answer answer = {.kind = CONTROL_NOTHING};

	if (read_all(answer_items, COUNT(answer_items), &answer, bytes, size) < 0 ||
		answer.kind == CONTROL_NOTHING)
		return -EBADMSG;
	*ret = answer;
	return 0;
}

size_t control_size(const uint8_t head[static CONTROL_HEAD])
{
	size_t size = 0;

	for (int i = 0; i < CONTROL_HEAD; i++)
		size |= (size_t)head[i] << (8 * i);
	return size <= CONTROL_SIZE_MAX - CONTROL_HEAD ? size : 0;
}

bool control_is_looking(const struct control_request *request)
{
	return request->kind == CONTROL_STATUS || request->kind == CONTROL_EVENTS ||
	       (request->kind == CONTROL_COMMAND &&
		       (request->command.kind == SITE_COMMAND_PING ||
			       request->command.kind == SITE_COMMAND_WHY ||
			       request->command.kind == SITE_COMMAND_NETCHECK));
}
