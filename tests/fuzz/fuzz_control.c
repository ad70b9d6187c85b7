/* SPDX-License-Identifier: MIT */
/*
 * fuzz_control.c - any bytes at the control socket, as a request and as an answer: what is read is
 * within its bounds, and once it was written it is read as the same.
 */
#include <errno.h>
#include <string.h>

#include "agent/control_message.h"
#include "tests/fuzz/fuzz.h"

static uint8_t written[CONTROL_SIZE_MAX];
static uint8_t again[CONTROL_SIZE_MAX];

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void check_request(const struct control_request *request)
{
	static struct control_request other;
	const struct site_command *command = &request->command;
	size_t size = control_request_write(request, written);

	REQUIRE(request->kind < CONTROL_KINDS && command->kind < SITE_COMMANDS);
	REQUIRE(command->text == request->text && is_text(request->text, sizeof request->text));
	REQUIRE(!command->name[0] || text_is_name(command->name));
	REQUIRE(command->endpoint_count <= INVITE_ENDPOINTS_MAX);
	for (uint32_t i = 0; i < command->endpoint_count; i++)
		REQUIRE(is_text(command->endpoints[i].host, sizeof command->endpoints[i].host));
	REQUIRE(command->routes.count <= FIELD_PREFIXES_MAX);
	REQUIRE(command->tags.count <= FIELD_NAMES_MAX);
	REQUIRE(control_size(written) == size - CONTROL_HEAD);
	REQUIRE(control_request_read(&other, written + CONTROL_HEAD, size - CONTROL_HEAD) == 0);
	REQUIRE(control_request_write(&other, again) == size);
	REQUIRE(memcmp(written, again, size) == 0);
}

static void check_answer(const struct control_answer *answer)
{
	static struct control_answer other;
	size_t size = control_answer_write(answer, written);

	REQUIRE(answer->kind > CONTROL_NOTHING && answer->kind <= CONTROL_ANSWER_LAST);
	REQUIRE(answer->path <= CONTROL_PATH_DOWN);
	REQUIRE(answer->age_ms >= -1 && answer->rtt_us >= -1);
	REQUIRE(is_text(answer->name, sizeof answer->name));
	REQUIRE(is_text(answer->text, sizeof answer->text));
	REQUIRE(is_text(answer->note, sizeof answer->note));
	REQUIRE(answer->subnets.count <= FIELD_PREFIXES_MAX);
	REQUIRE(control_answer_read(&other, written + CONTROL_HEAD, size - CONTROL_HEAD) == 0);
	REQUIRE(control_answer_write(&other, again) == size);
	REQUIRE(memcmp(written, again, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct control_request request;
	static struct control_answer answer;
	int r;

	if (size >= CONTROL_HEAD)
		REQUIRE(control_size(bytes) <= CONTROL_SIZE_MAX - CONTROL_HEAD);
	r = control_request_read(&request, bytes, size);
	REQUIRE(r == 0 || r == -EBADMSG);
	if (r == 0)
		check_request(&request);
	r = control_answer_read(&answer, bytes, size);
	REQUIRE(r == 0 || r == -EBADMSG);
	if (r == 0)
		check_answer(&answer);
	return 0;
}
