/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/control_message.h"
#include "base/wire.h"

static void fill(char *text, size_t size)
{
	memset(text, 'a', size - 1);
	text[size - 1] = '\0';
}

static struct prefix longest_prefix(uint32_t number)
{
	struct prefix prefix = {{.family = ADDRESS_IPV6, .bytes = {0xfd}}, 128};

	prefix.address.bytes[14] = (uint8_t)(number >> 8);
	prefix.address.bytes[15] = (uint8_t)number;
	return prefix;
}

static void fill_prefixes(struct prefixes *prefixes)
{
	prefixes->count = FIELD_PREFIXES_MAX;
	for (uint32_t i = 0; i < FIELD_PREFIXES_MAX; i++)
		prefixes->items[i] = longest_prefix(i);
}

static void fill_names(struct names *names)
{
	names->count = FIELD_NAMES_MAX;
	for (uint32_t i = 0; i < FIELD_NAMES_MAX; i++) {
		fill(names->items[i], sizeof names->items[i]);
		names->items[i][0] = (char)('a' + i);
	}
}

static struct control_request largest_request(void)
{
	struct control_request request = {.version = CONTROL_VERSION,
		.kind = CONTROL_COMMAND,
		.command = {.kind = SITE_COMMANDS - 1,
			.approval = true,
			.lifetime_ms = FIELD_TIME_MAX,
			.supernet = longest_prefix(1),
			.subnet = longest_prefix(2),
			.endpoint_count = INVITE_ENDPOINTS_MAX}};

	fill(request.command.name, sizeof request.command.name);
	fill(request.text, sizeof request.text);
	memset(request.command.key.bytes, 0xff, KEY_SIZE);
	fill_prefixes(&request.command.routes);
	fill_names(&request.command.tags);
	for (int i = 0; i < INVITE_ENDPOINTS_MAX; i++) {
		fill(request.command.endpoints[i].host, sizeof request.command.endpoints[i].host);
		request.command.endpoints[i].port = UINT16_MAX;
	}
	return request;
}

static struct control_answer largest_answer(void)
{
	struct control_answer answer = {.kind = CONTROL_EVENT,
		.prefix = longest_prefix(1),
		.address = longest_prefix(2).address,
		.endpoint = {longest_prefix(3).address, UINT16_MAX},
		.path = CONTROL_PATH_DOWN,
		.hubs_word = true,
		.roles = UINT32_MAX,
		.count = UINT64_MAX,
		.of = UINT64_MAX,
		.refused = UINT64_MAX,
		.rx_bytes = UINT64_MAX,
		.tx_bytes = UINT64_MAX,
		.age_ms = INT64_MAX,
		.rtt_us = INT64_MAX,
		.wall = UINT64_MAX};

	fill(answer.name, sizeof answer.name);
	fill(answer.text, sizeof answer.text);
	fill(answer.note, sizeof answer.note);
	fill_prefixes(&answer.subnets);
	fill_names(&answer.tags);
	memset(answer.id.bytes, 0xff, HASH_SIZE);
	return answer;
}

/* One value has one encoding: what is equal once written was equal. */
static void check_request(const struct control_request *request)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	uint8_t again[CONTROL_SIZE_MAX];
	struct control_request *read = calloc(1, sizeof *read);
	size_t size = control_request_write(request, bytes);

	assert_non_null(read);
	assert_int_equal(control_size(bytes), size - CONTROL_HEAD);
	assert_int_equal(control_request_read(read, bytes + CONTROL_HEAD, size - CONTROL_HEAD), 0);
	assert_ptr_equal(read->command.text, read->text);
	assert_int_equal(control_request_write(read, again), size);
	assert_memory_equal(bytes, again, size);
	free(read);
}

static void check_answer(const struct control_answer *answer)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	uint8_t again[CONTROL_SIZE_MAX];
	struct control_answer read;
	size_t size = control_answer_write(answer, bytes);

	assert_int_equal(control_size(bytes), size - CONTROL_HEAD);
	assert_int_equal(control_answer_read(&read, bytes + CONTROL_HEAD, size - CONTROL_HEAD), 0);
	assert_int_equal(control_answer_write(&read, again), size);
	assert_memory_equal(bytes, again, size);
}

TEST(requests_come_as_they_were_sent)
{
	struct control_request request = largest_request();

	(void)state;
	check_request(&request);
	for (uint32_t kind = 0; kind < CONTROL_KINDS; kind++) {
		request = (struct control_request){
			.version = CONTROL_VERSION, .kind = (enum control_kind)kind};
		check_request(&request);
	}
	for (uint32_t kind = 0; kind < SITE_COMMANDS; kind++) {
		request = (struct control_request){.version = CONTROL_VERSION,
			.command = {.kind = (enum site_command_kind)kind, .name = "ann"}};
		check_request(&request);
	}
}

TEST(answers_come_as_they_were_sent)
{
	struct control_answer answer = largest_answer();
	struct control_answer read;
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size;

	(void)state;
	check_answer(&answer);
	for (uint32_t kind = CONTROL_PROGRESS; kind <= CONTROL_EVENT; kind++) {
		answer = (struct control_answer){
			.kind = (enum control_answer_kind)kind, .age_ms = -1, .rtt_us = -1};
		check_answer(&answer);
	}
	/* What is not known stays unknown. */
	size = control_answer_write(&answer, bytes);
	assert_int_equal(control_answer_read(&read, bytes + CONTROL_HEAD, size - CONTROL_HEAD), 0);
	assert_int_equal(read.age_ms, -1);
	assert_int_equal(read.prefix.address.family, ADDRESS_NONE);
	assert_int_equal(read.endpoint.address.family, ADDRESS_NONE);
}

/* Copies, so that reading beyond the end is seen. */
static int read_cut(bool is_request, const uint8_t *bytes, size_t size)
{
	struct control_request *request = calloc(1, sizeof *request);
	struct control_answer answer;
	uint8_t *copy = malloc(size ? size : 1);
	int r;

	assert_non_null(request);
	assert_non_null(copy);
	memcpy(copy, bytes, size);
	r = is_request ? control_request_read(request, copy, size)
		       : control_answer_read(&answer, copy, size);
	free(copy);
	free(request);
	return r;
}

TEST(what_is_cut_off_anywhere_is_refused)
{
	const struct control_request request = largest_request();
	const struct control_answer answer = largest_answer();
	uint8_t bytes[CONTROL_SIZE_MAX + 1] = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		size_t size = (i == 0 ? control_request_write(&request, bytes)
				      : control_answer_write(&answer, bytes)) -
			      CONTROL_HEAD;

		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(read_cut(i == 0, bytes + CONTROL_HEAD, cut), -EBADMSG);
		/* Nor may anything follow. */
		assert_int_equal(read_cut(i == 0, bytes + CONTROL_HEAD, size + 1), -EBADMSG);
	}
}

/* A request of the items that a case writes. */
static int read_items(struct wire_writer *writer, struct control_request *ret)
{
	int size = wire_writer_end(writer);

	assert_true(size > 0);
	return control_request_read(ret, writer->bytes, (size_t)size);
}

TEST(a_request_needs_its_version_only)
{
	uint8_t bytes[64];
	struct wire_writer writer;
	struct control_request request;

	(void)state;
	for (uint64_t version = 0; version < 4; version++) {
		wire_writer_init(&writer, bytes, sizeof bytes);
		wire_write_map(&writer, 1);
		wire_write_uint(&writer, 0);
		wire_write_uint(&writer, version);
		assert_int_equal(
			read_items(&writer, &request), version == CONTROL_VERSION ? 0 : -EBADMSG);
	}
	assert_int_equal(control_request_read(&request, "\x80", 1), -EBADMSG);
	assert_int_equal(control_request_read(&request, "", 0), -EBADMSG);
}

TEST(what_a_newer_program_adds_is_passed_over)
{
	uint8_t bytes[64];
	struct wire_writer writer;
	struct control_request request;

	(void)state;
	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_map(&writer, 3);
	wire_write_uint(&writer, 0);
	wire_write_uint(&writer, CONTROL_VERSION);
	wire_write_uint(&writer, 1);
	wire_write_uint(&writer, CONTROL_EVENTS);
	wire_write_uint(&writer, 200);
	wire_write_map(&writer, 1);
	wire_write_uint(&writer, 7);
	wire_write_str(&writer, "newer");
	assert_int_equal(read_items(&writer, &request), 0);
	assert_int_equal(request.kind, CONTROL_EVENTS);
}

TEST(an_item_comes_once_and_in_order)
{
	static const uint64_t keys[][2] = {{0, 0}, {1, 0}};
	uint8_t bytes[64];
	struct wire_writer writer;
	struct control_request request;

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		wire_writer_init(&writer, bytes, sizeof bytes);
		wire_write_map(&writer, 2);
		for (int k = 0; k < 2; k++) {
			wire_write_uint(&writer, keys[i][k]);
			wire_write_uint(&writer, CONTROL_VERSION);
		}
		assert_int_equal(read_items(&writer, &request), -EBADMSG);
	}
}

/* An item of a request that is written by hand. */
static int read_number(uint64_t key, uint64_t value)
{
	uint8_t bytes[64];
	struct wire_writer writer;
	struct control_request request;

	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_map(&writer, 2);
	wire_write_uint(&writer, 0);
	wire_write_uint(&writer, CONTROL_VERSION);
	wire_write_uint(&writer, key);
	wire_write_uint(&writer, value);
	return read_items(&writer, &request);
}

TEST(numbers_that_mean_nothing_are_refused)
{
	(void)state;
	assert_int_equal(read_number(1, CONTROL_KINDS - 1), 0);
	assert_int_equal(read_number(1, CONTROL_KINDS), -EBADMSG);
	assert_int_equal(read_number(2, SITE_COMMANDS - 1), 0);
	assert_int_equal(read_number(2, SITE_COMMANDS), -EBADMSG);
	assert_int_equal(read_number(2, UINT64_MAX), -EBADMSG);
	assert_int_equal(read_number(11, FIELD_TIME_MAX), 0);
	assert_int_equal(read_number(11, FIELD_TIME_MAX + 1), -EBADMSG);
	/* A number where there should be a text. */
	assert_int_equal(read_number(3, 1), -EBADMSG);
}

static int read_name(const void *name, size_t length)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	struct wire_writer writer;
	struct control_request request;
	const uint8_t head[] = {0xd9, (uint8_t)length}; /* a text of so many bytes */
	const uint8_t short_head = (uint8_t)(0xa0 | length);

	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_map(&writer, 2);
	wire_write_uint(&writer, 0);
	wire_write_uint(&writer, CONTROL_VERSION);
	wire_write_uint(&writer, 3);
	if (length < 32)
		wire_write_raw(&writer, &short_head, 1);
	else
		wire_write_raw(&writer, head, sizeof head);
	wire_write_raw(&writer, name, length);
	return read_items(&writer, &request);
}

TEST(names_are_names_or_nothing)
{
	char name[TEXT_NAME_MAX + 2];

	(void)state;
	fill(name, sizeof name);
	assert_int_equal(read_name("", 0), 0);
	assert_int_equal(read_name("ann-2", 5), 0);
	assert_int_equal(read_name(name, TEXT_NAME_MAX), 0);
	assert_int_equal(read_name(name, TEXT_NAME_MAX + 1), -EBADMSG);
	assert_int_equal(read_name("Ann", 3), -EBADMSG);
	assert_int_equal(read_name("a b", 3), -EBADMSG);
	assert_int_equal(read_name("\x1b[2J", 4), -EBADMSG);
	assert_int_equal(read_name("ann\0bob", 7), -EBADMSG);
}

TEST(a_head_announces_no_more_than_can_be)
{
	static const struct {
		uint8_t head[CONTROL_HEAD];
		size_t size;
	} rows[] = {
		{{0, 0, 0, 0}, 0},
		{{1, 0, 0, 0}, 1},
		{{0xfc, 0x0f, 0, 0}, CONTROL_SIZE_MAX - CONTROL_HEAD},
		{{0xfd, 0x0f, 0, 0}, 0},
		{{1, 0, 0, 1}, 0},
		{{0xff, 0xff, 0xff, 0xff}, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(control_size(rows[i].head), rows[i].size);
}

/* Looking is what changes nothing and tells no secret: a new command is not looking by itself. */
TEST(the_group_may_look_only)
{
	struct control_request request = {.version = CONTROL_VERSION};

	(void)state;
	for (uint32_t kind = 0; kind < SITE_COMMANDS; kind++) {
		request.command.kind = (enum site_command_kind)kind;
		assert_int_equal(control_is_looking(&request),
			kind == SITE_COMMAND_PING || kind == SITE_COMMAND_WHY ||
				kind == SITE_COMMAND_NETCHECK);
	}
	request.kind = CONTROL_STATUS;
	assert_true(control_is_looking(&request));
	request.kind = CONTROL_EVENTS;
	assert_true(control_is_looking(&request));
	request.kind = CONTROL_INVITES;
	assert_false(control_is_looking(&request));
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(requests_come_as_they_were_sent),
		CASE(answers_come_as_they_were_sent),
		CASE(what_is_cut_off_anywhere_is_refused),
		CASE(a_request_needs_its_version_only),
		CASE(what_a_newer_program_adds_is_passed_over),
		CASE(an_item_comes_once_and_in_order),
		CASE(numbers_that_mean_nothing_are_refused),
		CASE(names_are_names_or_nothing),
		CASE(a_head_announces_no_more_than_can_be),
		CASE(the_group_may_look_only),
	};

	return RUN(cases);
}
