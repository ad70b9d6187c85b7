/* SPDX-License-Identifier: MIT */
#include "tests/mesh.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static bool earlier(const struct mesh_packet *a, const struct mesh_packet *b)
{
	return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void enqueue(struct mesh *mesh, const struct mesh_packet *packet)
{
	uint32_t at = mesh->queued++;

	assert_true(mesh->queued < MESH_QUEUE_MAX);
	while (at > 0 && earlier(packet, &mesh->queue[(at - 1) / 2])) {
		mesh->queue[at] = mesh->queue[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	mesh->queue[at] = *packet;
}

static struct mesh_packet dequeue(struct mesh *mesh)
{
	struct mesh_packet first = mesh->queue[0];
	struct mesh_packet last = mesh->queue[--mesh->queued];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= mesh->queued)
			break;
		if (child + 1 < mesh->queued &&
			earlier(&mesh->queue[child + 1], &mesh->queue[child]))
			child++;
		if (!earlier(&mesh->queue[child], &last))
			break;
		mesh->queue[at] = mesh->queue[child];
		at = child;
	}
	mesh->queue[at] = last;
	return first;
}

uint64_t mesh_wall(const struct mesh *mesh, uint32_t site)
{
	return (uint64_t)((int64_t)FOUNDING_NOW + mesh->now / USEC_MSEC +
			  mesh->sites[site].clock_ms);
}

static uint32_t site_with(const struct mesh *mesh, const struct row_id *id)
{
	uint32_t i = 0;

	while (memcmp(mesh->sites[i].id.bytes, id->bytes, ROW_ID_SIZE) != 0)
		i++;
	return i;
}

static void transmit(struct mesh *mesh, uint32_t from, const struct sync_send *send)
{
	struct mesh_packet packet = {
		.from = from, .to = site_with(mesh, &send->to), .size = send->size};
	/* UDP and IPv4, padded to 16 and sealed by WireGuard, then UDP and IPv4 again. */
	uint64_t inner = send->size + 28;

	mesh->bytes += (inner + 15) / 16 * 16 + 32 + 28;
	mesh->largest = inner > mesh->largest ? inner : mesh->largest;
	mesh->messages[send->bytes[1]]++;
	if (!mesh->wires[from][packet.to] || prng_below(&mesh->prng, 1000) < mesh->loss)
		return;
	memcpy(packet.bytes, send->bytes, send->size);
	for (unsigned copy = 0; copy < 1u + (prng_below(&mesh->prng, 1000) < mesh->twice); copy++) {
		packet.at = mesh->now + prng_jitter(&mesh->prng, mesh->delay, 10);
		packet.number = mesh->numbers++;
		enqueue(mesh, &packet);
	}
}

static void perform(struct mesh *mesh, uint32_t site, const struct sync_actions *actions)
{
	if (actions->learned_count > 0)
		mesh->sites[site].learned_at = mesh->now;
	for (uint32_t i = 0; i < actions->message_count; i++)
		transmit(mesh, site, &actions->messages[i]);
}

void mesh_init(struct mesh *mesh, uint32_t count, uint8_t seed, bool acquainted)
{
	struct bytes delegations[FOUNDING_ADMINS];
	struct bytes certificates[MESH_SITES_MAX];

	assert_true(count <= MESH_SITES_MAX);
	memset(mesh, 0, sizeof *mesh);
	founding_init(&mesh->founding, &crypto_stub, MESH_SITES_MAX);
	prng_init(&mesh->prng, (const uint8_t[PRNG_SEED_SIZE]){seed});
	mesh->delay = 20 * USEC_MSEC;
	mesh->now = USEC_SECOND;
	mesh->count = count;
	mesh->queue = calloc(MESH_QUEUE_MAX, sizeof *mesh->queue);
	assert_non_null(mesh->queue);
	for (uint32_t i = 0; i < FOUNDING_ADMINS; i++) {
		struct delegation delegation = founding_delegation(&mesh->founding, i);

		delegations[i] = founding_seal_delegation(&mesh->founding, &delegation);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct certificate certificate = founding_certificate(&mesh->founding, 0, i);

		certificate.roles = i == 0 ? ROLE_HUB : 0;
		certificates[i] = founding_seal_certificate(&mesh->founding, 0, &certificate);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct mesh_site *site = &mesh->sites[i];
		struct secret secret = founding_site(i);
		struct hash hash = founding_hash(&secret);
		struct sync_options options = {
			.hub = i == 0, .neighbours_max = MESH_SITES_MAX, .boot = i + 1};

		site->id = row_id_of(&hash);
		options.self = site->id;
		site->ledger = founding_ledger(&mesh->founding);
		site->memory = aligned_alloc(16, (sync_memory(&options) + 15) / 16 * 16);
		assert_non_null(site->memory);
		prng_fork(&site->prng, &mesh->prng, "site", i);
		sync_init(&site->sync, &options, site->ledger, &site->prng, site->memory);
		for (uint32_t k = 0; k < FOUNDING_ADMINS; k++)
			(void)founding_offer(site->ledger, &delegations[k]);
		for (uint32_t k = 0; k < count; k++) {
			if (acquainted || k == i || i == 0)
				(void)founding_offer(site->ledger, &certificates[k]);
		}
	}
}

void mesh_empty(struct mesh *mesh, uint32_t site, uint32_t sites_max)
{
	struct mesh_site *at = &mesh->sites[site];
	struct founding founding = mesh->founding;

	founding.options.sites_max = sites_max;
	founding_ledger_free(at->ledger);
	at->ledger = founding_ledger(&founding);
	at->sync.ledger = at->ledger;
}

void mesh_free(struct mesh *mesh)
{
	for (uint32_t i = 0; i < mesh->count; i++) {
		founding_ledger_free(mesh->sites[i].ledger);
		free(mesh->sites[i].memory);
	}
	free(mesh->queue);
}

void mesh_wire(struct mesh *mesh, uint32_t a, uint32_t b, enum neighbour_kind as_seen)
{
	mesh->wires[a][b] = true;
	assert_true(sync_connect(&mesh->sites[a].sync, mesh->now, &mesh->sites[b].id, as_seen));
}

void mesh_connect_hub(struct mesh *mesh, uint32_t site)
{
	mesh_wire(mesh, site, 0, NEIGHBOUR_HUB);
	mesh_wire(mesh, 0, site, NEIGHBOUR_SPOKE);
}

void mesh_connect(struct mesh *mesh, uint32_t a, uint32_t b)
{
	mesh_wire(mesh, a, b, NEIGHBOUR_LINK);
	mesh_wire(mesh, b, a, NEIGHBOUR_LINK);
}

void mesh_disconnect(struct mesh *mesh, uint32_t a, uint32_t b)
{
	mesh->wires[a][b] = false;
	mesh->wires[b][a] = false;
	sync_disconnect(&mesh->sites[a].sync, &mesh->sites[b].id);
	sync_disconnect(&mesh->sites[b].sync, &mesh->sites[a].id);
}

static void step_due(struct mesh *mesh)
{
	struct sync_actions actions;

	for (uint32_t i = 0; i < mesh->count; i++) {
		struct mesh_site *site = &mesh->sites[i];

		while (!site->down && sync_wakeup(&site->sync) <= mesh->now) {
			sync_step(&site->sync, mesh->now, mesh_wall(mesh, i), &actions);
			perform(mesh, i, &actions);
		}
	}
}

static usec_t next_event(const struct mesh *mesh)
{
	usec_t at = mesh->queued > 0 ? mesh->queue[0].at : USEC_NEVER;

	for (uint32_t i = 0; i < mesh->count; i++) {
		if (!mesh->sites[i].down)
			at = usec_min(at, sync_wakeup(&mesh->sites[i].sync));
	}
	return at;
}

void mesh_run(struct mesh *mesh, usec_t duration)
{
	usec_t end = mesh->now + duration;
	struct sync_actions actions;

	step_due(mesh);
	for (;;) {
		usec_t at = next_event(mesh);

		if (at > end)
			break;
		mesh->now = at > mesh->now ? at : mesh->now;
		while (mesh->queued > 0 && mesh->queue[0].at <= mesh->now) {
			struct mesh_packet packet = dequeue(mesh);
			struct mesh_site *to = &mesh->sites[packet.to];

			if (to->down || !mesh->wires[packet.from][packet.to])
				continue;
			sync_receive(&to->sync, mesh->now, mesh_wall(mesh, packet.to),
				&mesh->sites[packet.from].id, packet.bytes, packet.size, &actions);
			perform(mesh, packet.to, &actions);
		}
		step_due(mesh);
	}
	mesh->now = end;
}

enum verdict mesh_offer(struct mesh *mesh, uint32_t site, const struct bytes *fact)
{
	return ledger_offer(
		mesh->sites[site].ledger, mesh_wall(mesh, site), fact->bytes, fact->size, true)
		.verdict;
}

void mesh_publish(struct mesh *mesh, uint32_t site, const struct bytes *fact)
{
	struct mesh_site *at = &mesh->sites[site];
	struct ledger_outcome outcome = ledger_offer(
		at->ledger, mesh_wall(mesh, site), fact->bytes, fact->size, true);

	assert_int_equal(outcome.verdict, VERDICT_NEW);
	sync_publish(&at->sync, mesh->now, &outcome);
	at->learned_at = mesh->now;
}

void mesh_record(struct mesh *mesh, uint32_t site)
{
	struct mesh_site *at = &mesh->sites[site];
	struct record record = founding_record(site, 0);
	uint64_t wall = mesh_wall(mesh, site);
	struct bytes bytes;

	at->sequence = at->sequence + 1 > wall ? at->sequence + 1 : wall;
	record.sequence = at->sequence;
	record.issued_at = wall;
	/* As large as a typical one: seven links. */
	for (uint8_t i = 0; i < 7; i++)
		record.links[record.link_count++] = (struct direct_link){{{i + 1u}}, 100};
	bytes = founding_seal_record(&mesh->founding, site, &record);
	mesh_publish(mesh, site, &bytes);
}

bool mesh_agrees(struct mesh *mesh)
{
	struct ledger_summary first = {0};
	bool found = false;

	for (uint32_t i = 0; i < mesh->count; i++) {
		struct ledger_summary summary;

		if (mesh->sites[i].down)
			continue;
		summary = *ledger_summarize(mesh->sites[i].ledger, mesh_wall(mesh, i));
		if (!found)
			first = summary;
		else if (memcmp(&summary, &first, sizeof first) != 0)
			return false;
		found = true;
	}
	return true;
}

usec_t mesh_converge(struct mesh *mesh, usec_t most)
{
	usec_t start = mesh->now;

	while (mesh->now - start < most) {
		if (mesh_agrees(mesh))
			return mesh->now - start;
		mesh_run(mesh, 10 * USEC_MSEC);
	}
	return mesh_agrees(mesh) ? mesh->now - start : USEC_NEVER;
}

void mesh_reset_counts(struct mesh *mesh)
{
	memset(mesh->messages, 0, sizeof mesh->messages);
	mesh->bytes = 0;
	mesh->largest = 0;
}
