/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sockaddr.h"

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint), 0);
	return endpoint;
}

/* From a block of exactly this size, so that reading beyond it is seen. */
static int read_exactly(const void *bytes, size_t size, struct endpoint *ret)
{
	void *exact = malloc(size ? size : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, bytes, size);
	r = sockaddr_read(exact, size, ret);
	free(exact);
	return r;
}

TEST(what_is_written_is_read)
{
	static const char *const rows[] = {"192.0.2.1:51820", "0.0.0.0:1", "255.255.255.255:65535",
		"[2001:db8::1]:51820", "[::]:1", "[ffff:ffff::ffff]:65535"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct endpoint endpoint = endpoint_of(rows[i]);
		struct sockaddr_storage storage;
		struct endpoint again;
		socklen_t length = sockaddr_from(&endpoint, &storage);

		assert_int_equal(read_exactly(&storage, length, &again), 0);
		assert_true(endpoint_equal(&again, &endpoint));
	}
}

TEST(system_reads_it_as_it_is_meant)
{
	struct endpoint endpoint = endpoint_of("192.0.2.1:51820");
	const struct sockaddr_in *narrow;
	const struct sockaddr_in6 *wide;
	struct sockaddr_storage storage;

	(void)state;
	memset(&storage, 0xee, sizeof storage);
	assert_int_equal(sockaddr_from(&endpoint, &storage), sizeof *narrow);
	narrow = (const struct sockaddr_in *)&storage;
	assert_int_equal(narrow->sin_family, AF_INET);
	assert_int_equal(ntohs(narrow->sin_port), 51820);
	assert_int_equal(ntohl(narrow->sin_addr.s_addr), 0xc0000201);

	endpoint = endpoint_of("[2001:db8::1]:51820");
	memset(&storage, 0xee, sizeof storage);
	assert_int_equal(sockaddr_from(&endpoint, &storage), sizeof *wide);
	wide = (const struct sockaddr_in6 *)&storage;
	assert_int_equal(wide->sin6_family, AF_INET6);
	assert_int_equal(ntohs(wide->sin6_port), 51820);
	assert_int_equal(wide->sin6_addr.s6_addr[0], 0x20);
	assert_int_equal(wide->sin6_addr.s6_addr[15], 1);
	/* What was there before is nowhere left. */
	assert_int_equal(wide->sin6_scope_id, 0);
	assert_int_equal(wide->sin6_flowinfo, 0);
}

TEST(any_port_of_the_family_can_be_asked_for)
{
	const struct endpoint any = {.address.family = ADDRESS_IPV6, .port = 0};
	struct sockaddr_storage storage;
	struct endpoint again = {.port = 9};

	(void)state;
	assert_int_equal(read_exactly(&storage, sockaddr_from(&any, &storage), &again), 0);
	assert_int_equal(again.port, 0);
	assert_int_equal(again.address.family, ADDRESS_IPV6);
}

TEST(mapped_address_is_ipv4)
{
	const struct sockaddr_in6 mapped = {.sin6_family = AF_INET6,
		.sin6_port = htons(5),
		.sin6_addr.s6_addr = {[10] = 0xff, 0xff, 192, 0, 2, 1}};
	/* Only nearly. */
	const struct sockaddr_in6 other = {.sin6_family = AF_INET6,
		.sin6_port = htons(5),
		.sin6_addr.s6_addr = {[10] = 0xff, 0xfe, 192, 0, 2, 1}};
	const struct endpoint wanted = endpoint_of("192.0.2.1:5");
	struct endpoint endpoint;

	(void)state;
	assert_int_equal(read_exactly(&mapped, sizeof mapped, &endpoint), 0);
	assert_true(endpoint_equal(&endpoint, &wanted));
	/* Bytes beyond its size are zero, so that it may be compared whole. */
	for (size_t i = 4; i < sizeof endpoint.address.bytes; i++)
		assert_int_equal(endpoint.address.bytes[i], 0);
	assert_int_equal(read_exactly(&other, sizeof other, &endpoint), 0);
	assert_int_equal(endpoint.address.family, ADDRESS_IPV6);
}

TEST(what_is_short_or_of_another_family_is_refused)
{
	static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNSPEC, AF_UNIX, AF_PACKET};
	static const size_t least[] = {sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6),
		SIZE_MAX, SIZE_MAX, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct sockaddr_storage storage = {.ss_family = families[i]};

		for (size_t size = 0; size <= sizeof storage; size++) {
			struct endpoint endpoint = {.port = 9};
			int r = read_exactly(&storage, size, &endpoint);

			assert_int_equal(r, size >= least[i] ? 0 : -EAFNOSUPPORT);
			assert_int_equal(endpoint.port, r == 0 ? 0 : 9);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(what_is_written_is_read),
		CASE(system_reads_it_as_it_is_meant),
		CASE(any_port_of_the_family_can_be_asked_for),
		CASE(mapped_address_is_ipv4),
		CASE(what_is_short_or_of_another_family_is_refused),
	};

	return RUN(cases);
}
