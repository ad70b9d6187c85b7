/* SPDX-License-Identifier: MIT */
#include "agent/sockaddr.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

socklen_t sockaddr_from(const struct endpoint *endpoint, struct sockaddr_storage *ret)
{
	struct sockaddr_in *narrow = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *wide = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof *ret);
	if (endpoint->address.family == ADDRESS_IPV4) {
		narrow->sin_family = AF_INET;
		narrow->sin_port = htons(endpoint->port);
		memcpy(&narrow->sin_addr, endpoint->address.bytes, sizeof narrow->sin_addr);
		return sizeof *narrow;
	}
	wide->sin6_family = AF_INET6;
	wide->sin6_port = htons(endpoint->port);
	memcpy(&wide->sin6_addr, endpoint->address.bytes, sizeof wide->sin6_addr);
	return sizeof *wide;
}

int sockaddr_read(const void *bytes, size_t size, struct endpoint *ret)
{
	struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
	const struct sockaddr_in *narrow = (const struct sockaddr_in *)&storage;
	const struct sockaddr_in6 *wide = (const struct sockaddr_in6 *)&storage;
	struct endpoint endpoint = {.port = 0};

	memcpy(&storage, bytes, size < sizeof storage ? size : sizeof storage);
	if (storage.ss_family == AF_INET && size >= sizeof *narrow) {
		endpoint.address.family = ADDRESS_IPV4;
		endpoint.port = ntohs(narrow->sin_port);
		memcpy(endpoint.address.bytes, &narrow->sin_addr, sizeof narrow->sin_addr);
	} else if (storage.ss_family != AF_INET6 || size < sizeof *wide) {
		return -EAFNOSUPPORT;
	} else if (IN6_IS_ADDR_V4MAPPED(&wide->sin6_addr)) {
		endpoint.address.family = ADDRESS_IPV4;
		endpoint.port = ntohs(wide->sin6_port);
		memcpy(endpoint.address.bytes, wide->sin6_addr.s6_addr + 12, 4);
	} else {
		endpoint.address.family = ADDRESS_IPV6;
		endpoint.port = ntohs(wide->sin6_port);
		memcpy(endpoint.address.bytes, &wide->sin6_addr, sizeof wide->sin6_addr);
	}
	*ret = endpoint;
	return 0;
}
