/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/notify.h"

/* Listens at a name, written as in NOTIFY_SOCKET. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_true(strlen(name) < sizeof address.sun_path);
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

/* What was said is there as soon as it was sent. */
static void expect_heard(int fd, const char *wanted)
{
	char heard[128];
	ssize_t size = recv(fd, heard, sizeof heard, 0);

	assert_int_equal(size, strlen(wanted));
	assert_memory_equal(heard, wanted, strlen(wanted));
	assert_int_equal(recv(fd, heard, sizeof heard, 0), -1);
}

TEST(abstract_socket_hears_it)
{
	char name[64];
	int fd;

	(void)state;
	(void)snprintf(name, sizeof name, "@collective-test-%d", (int)getpid());
	fd = listen_at(name);
	notify_send("READY=1");
	expect_heard(fd, "READY=1");
	notify_send("STATUS=two words");
	expect_heard(fd, "STATUS=two words");
	(void)close(fd);
	/* Nobody listens any more. */
	notify_send("READY=1");
}

TEST(socket_with_a_path_hears_it)
{
	char directory[] = "/tmp/test-notify.XXXXXX";
	char path[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/socket", directory);
	fd = listen_at(path);
	notify_send("READY=1");
	expect_heard(fd, "READY=1");
	(void)close(fd);
	notify_send("READY=1");
	assert_int_equal(unlink(path), 0);
	notify_send("READY=1");
	assert_int_equal(rmdir(directory), 0);
}

TEST(longest_path_hears_it)
{
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd;

	(void)state;
	memset(name, 'n', sizeof name);
	(void)snprintf(name, 32, "@collective-test-%d-", (int)getpid());
	name[strlen(name)] = 'n';
	name[sizeof name - 1] = '\0';
	fd = listen_at(name);
	notify_send("READY=1");
	expect_heard(fd, "READY=1");
	(void)close(fd);
}

TEST(garbage_is_not_talked_to)
{
	char longer[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 2];
	static const char *const rows[] = {
		"", "/", "@", "relative", "vsock:2:1234", " /leading", "./here"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", rows[i], 1), 0);
		notify_send("READY=1");
	}
	memset(longer, 'n', sizeof longer);
	longer[0] = '/';
	for (size_t length = sizeof longer - 3; length < sizeof longer; length++) {
		longer[length] = '\0';
		assert_int_equal(setenv("NOTIFY_SOCKET", longer, 1), 0);
		notify_send("READY=1");
		longer[length] = 'n';
	}
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	notify_send("READY=1");
}

/* Sends until nobody takes any more. */
static void fill(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	for (int i = 0; i < 1000000 && send(fd, "X=1", 3, 0) == 3; i++)
		;
	assert_int_equal(send(fd, "X=1", 3, 0), -1);
	(void)close(fd);
}

/* It must not stand still for a manager that does not read. */
TEST(manager_that_does_not_read_is_bearable)
{
	char name[64];
	int fd;

	(void)state;
	(void)snprintf(name, sizeof name, "@collective-test-%d", (int)getpid());
	fd = listen_at(name);
	fill(name);
	/* Which ends this program, should it wait for ever. */
	(void)alarm(10);
	notify_send("WATCHDOG=1");
	(void)alarm(0);
	(void)close(fd);
}

TEST(watchdog_is_read)
{
	static const struct {
		const char *every;
		usec_t wanted;
	} rows[] = {
		{NULL, USEC_NEVER},
		{"", USEC_NEVER},
		{"0", USEC_NEVER},
		{"-5", USEC_NEVER},
		{"5x", USEC_NEVER},
		{"soon", USEC_NEVER},
		{"30000000", 30 * USEC_SECOND},
		{"1", 1},
	};

	(void)state;
	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].every)
			assert_int_equal(setenv("WATCHDOG_USEC", rows[i].every, 1), 0);
		else
			assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
		assert_true(notify_watchdog() == rows[i].wanted);
	}
}

TEST(watchdog_of_another_process_is_not_ours)
{
	char own[16];

	(void)state;
	assert_int_equal(setenv("WATCHDOG_USEC", "5000000", 1), 0);
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
	assert_true(notify_watchdog() == USEC_NEVER);
	assert_int_equal(setenv("WATCHDOG_PID", "garbage", 1), 0);
	assert_true(notify_watchdog() == USEC_NEVER);
	(void)snprintf(own, sizeof own, "%d", (int)getpid());
	assert_int_equal(setenv("WATCHDOG_PID", own, 1), 0);
	assert_true(notify_watchdog() == 5 * USEC_SECOND);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(abstract_socket_hears_it),
		CASE(socket_with_a_path_hears_it),
		CASE(longest_path_hears_it),
		CASE(garbage_is_not_talked_to),
		CASE(manager_that_does_not_read_is_bearable),
		CASE(watchdog_is_read),
		CASE(watchdog_of_another_process_is_not_ours),
	};

	return RUN(cases);
}
