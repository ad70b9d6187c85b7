/* SPDX-License-Identifier: MIT */
/*
 * wire_writer.c - packing by msgpack-c into a fixed buffer, through a write callback.
 */
#include "base/wire.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <msgpack/pack.h>
#include <string.h>

void wire_writer_init(struct wire_writer *writer, void *bytes, size_t size)
{
	assert(size <= INT_MAX);
	*writer = (struct wire_writer){.bytes = bytes, .size = size};
}

int wire_writer_end(const struct wire_writer *writer)
{
	return writer->error ? writer->error : (int)writer->length;
}

void wire_write_raw(struct wire_writer *writer, const void *bytes, size_t size)
{
	if (writer->error)
		return;
	if (size > writer->size - writer->length) {
		writer->error = -ENOBUFS;
		return;
	}
	if (size > 0)
		memcpy(writer->bytes + writer->length, bytes, size);
	writer->length += size;
}

static int append(void *data, const char *bytes, size_t size)
{
	struct wire_writer *writer = data;

	wire_write_raw(writer, bytes, size);
	return writer->error ? -1 : 0;
}

static msgpack_packer packer_for(struct wire_writer *writer)
{
	msgpack_packer packer;

	msgpack_packer_init(&packer, writer, append);
	return packer;
}

/* What the packer returns is already in writer->error. */

void wire_write_nil(struct wire_writer *writer)
{
	msgpack_packer packer = packer_for(writer);

	(void)msgpack_pack_nil(&packer);
}

void wire_write_bool(struct wire_writer *writer, bool value)
{
	msgpack_packer packer = packer_for(writer);

	(void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

void wire_write_uint(struct wire_writer *writer, uint64_t value)
{
	msgpack_packer packer = packer_for(writer);

	(void)msgpack_pack_uint64(&packer, value);
}

void wire_write_int(struct wire_writer *writer, int64_t value)
{
	msgpack_packer packer = packer_for(writer);

	(void)msgpack_pack_int64(&packer, value);
}

void wire_write_bin(struct wire_writer *writer, const void *bytes, size_t size)
{
	msgpack_packer packer = packer_for(writer);

	(void)msgpack_pack_bin(&packer, size);
	wire_write_raw(writer, bytes, size);
}

void wire_write_str(struct wire_writer *writer, const char *text)
{
	msgpack_packer packer = packer_for(writer);
	size_t size = strlen(text);

	(void)msgpack_pack_str(&packer, size);
	wire_write_raw(writer, text, size);
}

void wire_write_array(struct wire_writer *writer, uint32_t count)
{
	msgpack_packer packer = packer_for(writer);

	(void)msgpack_pack_array(&packer, count);
}

void wire_write_map(struct wire_writer *writer, uint32_t count)
{
	msgpack_packer packer = packer_for(writer);

	(void)msgpack_pack_map(&packer, count);
}
