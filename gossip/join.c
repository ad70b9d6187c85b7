/* SPDX-License-Identifier: MIT */
#include "gossip/join.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "gossip/envelope.h"

#define REQUEST_ITEMS (ENVELOPE_HEAD + 5)
#define REPLY_ITEMS (ENVELOPE_HEAD + 5)

static const char tag[] = "collective join 1";

size_t join_request_write(const struct join_request *request, const struct secret *site,
	const struct hash *collective, const struct crypto *crypto,
	uint8_t out[static JOIN_MESSAGE_MAX])
{
	struct wire_writer writer;
	int size;

	envelope_begin(&writer, out, JOIN_MESSAGE_MAX, ENVELOPE_JOIN_REQUEST, REQUEST_ITEMS,
		collective, request->clock);
	field_write_hash(&writer, &request->invite);
	field_write_key(&writer, &request->site);
	field_write_key(&writer, &request->backbone);
	field_write_key(&writer, &request->links);
	size = envelope_sign(&writer, tag, site, collective, crypto);
	assert(size > 0);
	return (size_t)size;
}

int join_request_read(struct join_request *ret, const struct hash *collective,
	const struct crypto *crypto, const void *bytes, size_t size)
{
	struct join_request request = {0};
	struct envelope envelope;
	int r = envelope_open(
		&envelope, ENVELOPE_JOIN_REQUEST, REQUEST_ITEMS, collective, bytes, size);

	if (r < 0)
		return r;
	request.clock = envelope.clock;
	field_read_hash(&envelope.reader, &request.invite);
	field_read_key(&envelope.reader, &request.site);
	field_read_key(&envelope.reader, &request.backbone);
	field_read_key(&envelope.reader, &request.links);
	envelope_read_signature(&envelope);
	if (envelope_end(&envelope) < 0 || key_equal(&request.backbone, &request.links))
		return -EBADMSG;
	if (!envelope_verify(&envelope, tag, &request.site, collective, crypto))
		return -EKEYREJECTED;
	*ret = request;
	return 0;
}

/* A name, or nil where there is none. */
static void write_name(struct wire_writer *writer, const char *name)
{
	if (name[0])
		wire_write_str(writer, name);
	else
		wire_write_nil(writer);
}

static void read_name(struct wire_reader *reader, char out[static TEXT_NAME_MAX + 1])
{
	memset(out, 0, TEXT_NAME_MAX + 1);
	if (!wire_read_nil(reader))
		field_read_name(reader, out);
}

size_t join_reply_write(const struct join_reply *reply, const struct hash *collective,
	uint8_t out[static JOIN_MESSAGE_MAX])
{
	struct wire_writer writer;

	envelope_begin(&writer, out, JOIN_MESSAGE_MAX, ENVELOPE_JOIN_REPLY, REPLY_ITEMS, collective,
		reply->clock);
	field_write_hash(&writer, &reply->invite);
	field_write_key(&writer, &reply->site);
	wire_write_uint(&writer, reply->status);
	write_name(&writer, reply->name);
	write_name(&writer, reply->contact);
	assert(wire_writer_end(&writer) > 0);
	return writer.length;
}

int join_reply_read(
	struct join_reply *ret, const struct hash *collective, const void *bytes, size_t size)
{
	struct join_reply reply = {0};
	struct envelope envelope;
	uint64_t status;
	int r = envelope_open(&envelope, ENVELOPE_JOIN_REPLY, REPLY_ITEMS, collective, bytes, size);

	if (r < 0)
		return r;
	reply.clock = envelope.clock;
	field_read_hash(&envelope.reader, &reply.invite);
	field_read_key(&envelope.reader, &reply.site);
	status = wire_read_uint(&envelope.reader, UINT8_MAX);
	read_name(&envelope.reader, reply.name);
	read_name(&envelope.reader, reply.contact);
	if (envelope_end(&envelope) < 0 || status == 0)
		return -EBADMSG;
	reply.status = status < JOIN_STATUSES ? (enum join_status)status : JOIN_UNKNOWN;
	*ret = reply;
	return 0;
}
