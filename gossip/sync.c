/* SPDX-License-Identifier: MIT */
#include "gossip/sync.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define REPEATS 3
#define ASKED_AGAIN_MAX 2 /* without an answer, before the usual interval */
#define ASK_AGAIN_AFTER (2 * USEC_SECOND)
#define HURRIES 16                     /* quick comparisons before we agree */
#define STUBBORN 3                     /* comparisons that did not end in agreement */
#define ANSWER_PAUSE (100 * USEC_MSEC) /* for a neighbour that asked for too much */
#define RANGE_SPACING (20 * USEC_MSEC) /* between two digests of one scan */

static const struct row_id lowest;

static struct row_id highest(void)
{
	struct row_id id;

	memset(id.bytes, 0xff, sizeof id.bytes);
	return id;
}

/* The id behind this one, which is not the highest. */
static struct row_id next_id(const struct row_id *id)
{
	struct row_id next = *id;

	for (int i = ROW_ID_SIZE - 1; i >= 0 && ++next.bytes[i] == 0; i--)
		continue;
	return next;
}

static bool same_id(const struct row_id *a, const struct row_id *b)
{
	return memcmp(a->bytes, b->bytes, ROW_ID_SIZE) == 0;
}

/* Budgets. */

/* Facts by admins and root, and those that hubs bring, have a share that floods do not reach. */
static bool may_verify(struct sync *sync, struct neighbour *from, usec_t now, enum fact_kind kind)
{
	uint32_t count = sync->neighbours.count > 0 ? sync->neighbours.count : 1;
	bool plenty;

	budget_refill(&sync->verify, now, SYNC_VERIFY_PER_SECOND, SYNC_VERIFY_PER_SECOND);
	budget_refill(&sync->verify_reserved, now, SYNC_VERIFY_RESERVED, SYNC_VERIFY_RESERVED);
	budget_refill(&from->verify, now, SYNC_VERIFY_PER_SECOND / count + 1,
		SYNC_VERIFY_PER_SECOND / count + 1);
	/* While there is plenty nobody has to wait; then each neighbour has its share. */
	plenty = sync->verify.left > SYNC_VERIFY_PER_SECOND / 2 * BUDGET_ONE;
	if ((plenty || budget_spend(&from->verify)) && budget_spend(&sync->verify))
		return true;
	/* Whoever brings forgeries has no part in the reserve. */
	return (from->kind == NEIGHBOUR_HUB || (kind != FACT_RECORD && from->forged == 0)) &&
	       budget_spend(&sync->verify_reserved);
}

/* Neighbours. */

size_t sync_memory(const struct sync_options *options)
{
	return options->neighbours_max * (sizeof(struct neighbour) + sizeof(uint32_t));
}

void sync_init(struct sync *sync, const struct sync_options *options, struct ledger *ledger,
	struct prng *prng, void *memory)
{
	struct neighbour *items = memory;
	uint32_t *order = (uint32_t *)(void *)(items + options->neighbours_max);

	*sync = (struct sync){.options = *options, .ledger = ledger, .prng = prng};
	sync->verify.left = SYNC_VERIFY_PER_SECOND * BUDGET_ONE;
	sync->verify_reserved.left = SYNC_VERIFY_RESERVED * BUDGET_ONE;
	table_init(&sync->neighbours, items, order, options->neighbours_max,
		sizeof(struct neighbour), offsetof(struct neighbour, id), ROW_ID_SIZE);
}

void sync_doubt_all(struct sync *sync)
{
	for (uint32_t i = 0; i < sync->neighbours.count; i++) {
		struct neighbour *n = table_at(&sync->neighbours, i);

		n->agreed = false;
	}
}

struct neighbour *sync_neighbour(const struct sync *sync, const struct row_id *id)
{
	return table_find(&sync->neighbours, id->bytes);
}

bool sync_has_hub(const struct sync *sync)
{
	for (uint32_t i = 0; i < sync->neighbours.count; i++) {
		const struct neighbour *n = table_at(&sync->neighbours, i);

		if (n->kind == NEIGHBOUR_HUB)
			return true;
	}
	return false;
}

/* With more sites than go into one message, whole comparisons become rarer. */
static usec_t least_interval(const struct sync *sync)
{
	uint32_t sites = sync->ledger->members.count;
	usec_t interval = SYNC_INTERVAL_MIN;

	for (; sites > MESSAGE_ROWS_MAX; sites /= 2)
		interval += SYNC_INTERVAL_MIN;
	return interval;
}

static uint32_t count_links(const struct sync *sync)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < sync->neighbours.count; i++) {
		const struct neighbour *n = table_at(&sync->neighbours, i);

		count += n->kind == NEIGHBOUR_LINK;
	}
	return count;
}

/* Links share one turn: each is asked as often as it would be in rotation. */
static void schedule_summary(struct sync *sync, struct neighbour *n, usec_t now)
{
	usec_t interval = n->interval;

	if (n->kind == NEIGHBOUR_LINK)
		interval *= count_links(sync);
	n->summary_at = usec_add(now, prng_jitter(sync->prng, interval, SYNC_JITTER));
}

/* A hub is asked by its spokes; it asks other hubs, and whom it could not tell something. */
static bool asks(const struct sync *sync, const struct neighbour *n)
{
	return n->kind != NEIGHBOUR_SPOKE || !sync->options.hub || n->unsure;
}

/* Something is unsure: compare at the short interval, and no later than it would be then. */
static void doubt(struct sync *sync, struct neighbour *n, usec_t now)
{
	usec_t before = n->summary_at;

	n->wake_at = 0;
	n->interval = least_interval(sync);
	schedule_summary(sync, n, now);
	n->summary_at = usec_min(before, n->summary_at);
}

bool sync_connect(struct sync *sync, usec_t now, const struct row_id *id, enum neighbour_kind kind)
{
	struct neighbour *n = sync_neighbour(sync, id);
	struct budget messages = {now, SYNC_MESSAGES_BURST * BUDGET_ONE};
	struct budget answers = {now, SYNC_ANSWER_BURST * BUDGET_ONE};

	if (!n) {
		n = table_add(&sync->neighbours, id->bytes);
		if (!n)
			return false;
		n->messages = messages;
		n->answers = answers;
		n->verify.at = now;
	}
	n->kind = kind;
	n->agreed = false;
	n->hellos = 0;
	n->hello_at = now;
	n->tell_at = n->tell_count > 0 ? now : USEC_NEVER;
	n->scan_at = USEC_NEVER;
	n->interval = least_interval(sync);
	schedule_summary(sync, n, now);
	n->wake_at = 0;
	return true;
}

void sync_disconnect(struct sync *sync, const struct row_id *id)
{
	uint32_t position = table_lower_bound(&sync->neighbours, id->bytes);

	if (sync_neighbour(sync, id))
		table_remove(&sync->neighbours, position);
}

/* Rows on their way. */

static void forget_out(struct neighbour *n, uint32_t i)
{
	n->out_count--;
	memmove(&n->out[i], &n->out[i + 1], (n->out_count - i) * sizeof n->out[0]);
}

static bool is_out(const struct row *row)
{
	return row->version == LEDGER_REVOKED_VERSION;
}

/* Whether somebody who has this row has what was sent. */
static bool acknowledges(const struct row *row, const struct row *sent)
{
	if (!same_id(&row->id, &sent->id))
		return false;
	if (is_out(row) || is_out(sent))
		return is_out(row) && is_out(sent) && row->sequence == sent->sequence;
	return row->version >= sent->version && row->sequence >= sent->sequence;
}

/* Queues what is newer than a row. A later change of the same id takes the place of an earlier. */
/* A comparison of everything brings what a push could not. */
static void ask_about_push(struct sync *sync, struct neighbour *n, usec_t now)
{
	if (!asks(sync, n))
		n->summary_at = USEC_NEVER;
	n->unsure = true;
	doubt(sync, n, now);
}

static void queue_out(struct sync *sync, struct neighbour *n, const struct sync_out *out)
{
	for (uint32_t i = 0; i < n->out_count; i++) {
		struct sync_out *old = &n->out[i];

		if (!same_id(&old->have.id, &out->have.id) ||
			is_out(&old->have) != is_out(&out->have) ||
			(is_out(&old->have) && old->have.sequence != out->have.sequence))
			continue;
		if (out->have.version < old->have.version)
			old->have.version = out->have.version;
		if (out->have.sequence < old->have.sequence)
			old->have.sequence = out->have.sequence;
		/* An answer that joins a push does not change what acknowledges the push. */
		if (out->push)
			old->sent = out->sent;
		old->same |= out->same;
		old->at = usec_min(old->at, out->at);
		old->tries = 0;
		old->sent_facts = 0;
		old->push |= out->push;
		return;
	}
	if (n->out_count == SYNC_OUT_MAX) {
		sync->counters[SYNC_OVERFLOW]++;
		ask_about_push(sync, n, out->at);
		return;
	}
	n->out[n->out_count++] = *out;
}

/* The row that somebody has who lacks just this fact. */
static struct row row_before(const struct ledger_outcome *outcome)
{
	struct row row = outcome->row;

	if (is_out(&row))
		return row;
	if (outcome->kind == FACT_RECORD)
		row.sequence--;
	else
		row.version--;
	/* Of certificate and record, the other one is no news. */
	if (outcome->kind == FACT_CERTIFICATE)
		row.sequence = UINT64_MAX;
	return row;
}

static void push(
	struct sync *sync, struct neighbour *n, usec_t at, const struct ledger_outcome *outcome)
{
	const struct sync_out out = {
		.have = row_before(outcome),
		.sent = outcome->row,
		.at = at,
		.push = true,
	};

	queue_out(sync, n, &out);
}

/* Tells a row as we hold it: an acknowledgement or a notice. */
static void tell(struct sync *sync, struct neighbour *n, usec_t now, const struct row *row)
{
	for (uint32_t i = 0; i < n->tell_count; i++) {
		if (same_id(&n->tell[i].id, &row->id) && is_out(&n->tell[i]) == is_out(row) &&
			(!is_out(row) || n->tell[i].sequence == row->sequence)) {
			n->tell[i] = *row;
			return;
		}
	}
	if (n->tell_count == SYNC_TELL_MAX) {
		sync->counters[SYNC_OVERFLOW]++;
		return;
	}
	if (n->tell_count == 0)
		n->tell_at = now + SYNC_COALESCE;
	n->tell[n->tell_count++] = *row;
	/* Full: it need not wait for more. */
	if (n->tell_count == SYNC_TELL_MAX)
		n->tell_at = now;
}

/* Follows a fact: the oldest of those followed makes room. */
static void watch(struct sync *sync, usec_t now, const struct row *row)
{
	uint32_t place = sync->next_watch;
	uint16_t bit = (uint16_t)(1u << place);

	sync->watches[place] = (struct sync_watch){*row, now};
	sync->next_watch = (place + 1) % SYNC_WATCHES_MAX;
	for (uint32_t i = 0; i < sync->neighbours.count; i++) {
		struct neighbour *n = table_at(&sync->neighbours, i);

		n->watched &= (uint16_t)~bit;
	}
}

/* A neighbour holds this row. */
static void note_watched(struct sync *sync, struct neighbour *n, const struct row *row)
{
	for (uint32_t i = 0; i < SYNC_WATCHES_MAX; i++) {
		if (sync->watches[i].row.version != 0 && acknowledges(row, &sync->watches[i].row))
			n->watched |= (uint16_t)(1u << i);
	}
}

/* A neighbour holds all that we hold. */
static void note_all_watched(struct neighbour *n)
{
	n->watched = UINT16_MAX;
}

bool sync_confirmed(
	const struct sync *sync, usec_t now, const struct row_id *id, struct sync_confirmation *ret)
{
	uint32_t newest = SYNC_WATCHES_MAX;

	for (uint32_t i = 0; i < SYNC_WATCHES_MAX; i++) {
		if (sync->watches[i].row.version != 0 && same_id(&sync->watches[i].row.id, id) &&
			(newest == SYNC_WATCHES_MAX ||
				sync->watches[i].begun > sync->watches[newest].begun))
			newest = i;
	}
	if (newest == SYNC_WATCHES_MAX)
		return false;
	*ret = (struct sync_confirmation){
		.of = sync->neighbours.count, .age = now - sync->watches[newest].begun};
	for (uint32_t i = 0; i < sync->neighbours.count; i++) {
		const struct neighbour *n = table_at(&sync->neighbours, i);

		ret->confirmed += n->watched >> newest & 1;
	}
	return true;
}

/* Whether a fact ends somebody's membership, so that people want to know who has heard of it. */
static bool is_followed(const struct sync *sync, const struct ledger_outcome *outcome)
{
	const struct member *member = ledger_find(sync->ledger, &outcome->row.id);

	if (is_out(&outcome->row))
		return true;
	return outcome->kind == FACT_RECORD && member && member->left;
}

/* Spreads a fact that is new here; from is NULL for one of our own. */
static void spread(struct sync *sync, usec_t now, const struct ledger_outcome *outcome,
	const struct neighbour *from)
{
	bool has_hub = sync->options.hub || sync_has_hub(sync);
	/* Our own changes may come in a row; what others said has waited once. */
	usec_t at = from ? now : now + SYNC_COALESCE;

	if (is_followed(sync, outcome))
		watch(sync, now, &outcome->row);

	for (uint32_t i = 0; i < sync->neighbours.count; i++) {
		struct neighbour *n = table_at(&sync->neighbours, i);

		doubt(sync, n, now);
		if (n == from) {
			note_watched(sync, n, &outcome->row);
			continue;
		}
		switch (n->kind) {
		case NEIGHBOUR_HUB:
			/* What a hub said, hubs know. */
			if (!from || from->kind != NEIGHBOUR_HUB)
				push(sync, n, at, outcome);
			break;
		case NEIGHBOUR_SPOKE:
			push(sync, n, at, outcome);
			break;
		case NEIGHBOUR_LINK:
			if (!has_hub)
				push(sync, n, at, outcome);
			else if (!from)
				tell(sync, n, now, &outcome->row);
			break;
		}
	}
}

void sync_publish(struct sync *sync, usec_t now, const struct ledger_outcome *outcome)
{
	spread(sync, now, outcome, NULL);
}

/* Receiving. */

static void want(struct sync *sync, struct neighbour *n, usec_t at, const struct row *row)
{
	for (uint32_t i = 0; i < n->want_count; i++) {
		if (same_id(&n->want[i].row.id, &row->id) &&
			is_out(&n->want[i].row) == is_out(row) &&
			(!is_out(row) || n->want[i].row.sequence == row->sequence)) {
			n->want[i].row = *row;
			n->want[i].at = usec_min(n->want[i].at, at);
			return;
		}
	}
	if (n->want_count == SYNC_WANT_MAX) {
		sync->counters[SYNC_OVERFLOW]++;
		return;
	}
	n->want[n->want_count++] = (struct sync_want){*row, at};
}

/* Whether a row says more than we hold. What expired here is not asked for again. */
static bool is_news(const struct sync *sync, const struct row *row)
{
	const struct member *member = ledger_find(sync->ledger, &row->id);
	struct row held = ledger_row(sync->ledger, &row->id);
	uint32_t handles[3];

	if (is_out(row))
		return ledger_newer(sync->ledger, 0, row, true, handles) == 0;
	if (is_out(&held))
		return false;
	if (row->version > held.version)
		return true;
	/* Of a site that came again there is a floor for its records before there is one. */
	return row->sequence > held.sequence && (!member || row->sequence >= member->sequence);
}

static void receive_rows(
	struct sync *sync, struct neighbour *n, usec_t now, const struct message *message)
{
	/* A link's notice waits for the copy that comes by the hub. */
	usec_t at = n->kind == NEIGHBOUR_LINK && sync_has_hub(sync) ? now + SYNC_WANT_DELAY : now;

	for (uint32_t i = 0; i < message->row_count; i++) {
		const struct row *row = &message->rows[i];

		note_watched(sync, n, row);
		for (uint32_t k = n->out_count; k > 0; k--) {
			if (n->out[k - 1].push && acknowledges(row, &n->out[k - 1].sent))
				forget_out(n, k - 1);
		}
		if (is_news(sync, row))
			want(sync, n, at, row);
	}
}

static void receive_want(
	struct sync *sync, struct neighbour *n, usec_t now, const struct message *message)
{
	for (uint32_t i = 0; i < message->row_count; i++) {
		const struct sync_out out = {.have = message->rows[i], .at = now};

		queue_out(sync, n, &out);
	}
}

/* Answers a row that the other side has, against ours of the same id. */
static void compare_rows(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	const struct row *theirs, bool *differs)
{
	const struct sync_out out = {.have = *theirs, .at = now};
	uint32_t handles[3];

	if (is_news(sync, theirs)) {
		want(sync, n, now, theirs);
		*differs = true;
	}
	if (!is_out(theirs) && ledger_newer(sync->ledger, wall, theirs, false, handles) > 0) {
		queue_out(sync, n, &out);
		*differs = true;
	}
}

static bool lists(const struct message *digest, const struct row *row)
{
	for (uint32_t i = 0; i < digest->row_count; i++) {
		const struct row *theirs = &digest->rows[i];

		if (same_id(&theirs->id, &row->id) && is_out(theirs) == is_out(row) &&
			(!is_out(row) || theirs->sequence == row->sequence))
			return true;
	}
	return false;
}

static void send(struct sync *sync, struct neighbour *n, uint64_t wall, struct message *message,
	struct sync_actions *actions)
{
	struct sync_send *to = &actions->messages[actions->message_count++];

	assert(actions->message_count <= SYNC_MESSAGES_MAX);
	message->clock = wall;
	to->to = n->id;
	to->size = message_write(message, &sync->ledger->collective, to->bytes);
	/* What a neighbour makes us say is bounded, however little its question cost it. */
	n->answers.left -= (int64_t)to->size * BUDGET_ONE;
	sync->counters[SYNC_SENT]++;
}

static bool has_room(const struct sync_actions *actions)
{
	return actions->message_count < SYNC_MESSAGES_MAX;
}

static void fill_digest(const struct sync *sync, uint64_t wall, const struct row_id *first,
	const struct row_id *end, bool out, struct message *message)
{
	message->type = MESSAGE_DIGEST;
	message->out = out;
	message->first = *first;
	message->row_count = ledger_rows(
		sync->ledger, first, end, out, message->rows, MESSAGE_ROWS_MAX, &message->end);
	message->hash = ledger_range_hash(sync->ledger, wall, first, &message->end, out);
}

/* All that is held under an id, whatever the other side says it has. */
static void send_all_of(
	struct sync *sync, struct neighbour *n, usec_t now, const struct row_id *id, bool with_out)
{
	struct row rows[MESSAGE_ROWS_MAX];
	struct sync_out out = {.have = {.id = *id}, .at = now};
	struct row_id last;
	uint32_t count = ledger_rows(sync->ledger, id, id, with_out, rows, MESSAGE_ROWS_MAX, &last);

	queue_out(sync, n, &out);
	for (uint32_t i = 0; i < count; i++) {
		out.have = rows[i];
		if (is_out(&rows[i]))
			queue_out(sync, n, &out);
	}
}

/* Where the rows are cut in two: no id is, and neither part is empty. 0: all are of one id. */
static uint32_t middle_of(const struct message *digest)
{
	const struct row *rows = digest->rows;
	uint32_t right = digest->row_count / 2;
	uint32_t left = right;

	while (right < digest->row_count && same_id(&rows[right - 1].id, &rows[right].id))
		right++;
	if (right < digest->row_count)
		return right;
	while (left > 0 && same_id(&rows[left - 1].id, &rows[left].id))
		left--;
	return left;
}

/* The rows are alike and the facts are not: halves of the range, down to one id. */
static void divide(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	const struct message *digest, struct sync_actions *actions)
{
	struct message half = {0};
	uint32_t middle;

	if (digest->row_count == 0)
		return;
	middle = digest->row_count > 1 ? middle_of(digest) : 0;
	if (middle == 0) {
		send_all_of(sync, n, now, &digest->rows[0].id, digest->out);
		return;
	}
	fill_digest(sync, wall, &digest->first, &digest->rows[middle - 1].id, digest->out, &half);
	if (has_room(actions))
		send(sync, n, wall, &half, actions);
	fill_digest(sync, wall, &digest->rows[middle].id, &digest->end, digest->out, &half);
	if (has_room(actions))
		send(sync, n, wall, &half, actions);
}

/* What it says now it says of everything that it holds. */
static void note_answer(struct neighbour *n)
{
	n->asked_again = 0;
	n->unsure = false;
	n->wake_at = 0;
}

static void receive_digest(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	const struct message *digest, struct sync_actions *actions)
{
	struct row rows[MESSAGE_ROWS_MAX];
	struct row_id first = digest->first;
	struct row_id last;
	bool differs = false;
	struct hash hash;
	uint32_t count;

	if (n->asked) {
		n->asked = false;
		schedule_summary(sync, n, now);
	}
	note_answer(n);
	for (uint32_t i = 0; i < digest->row_count; i++)
		compare_rows(sync, n, now, wall, &digest->rows[i], &differs);
	/* What we hold in the range and they do not list at all. */
	do {
		count = ledger_rows(sync->ledger, &first, &digest->end, digest->out, rows,
			MESSAGE_ROWS_MAX, &last);
		for (uint32_t i = 0; i < count; i++) {
			struct sync_out out = {.have = {.id = rows[i].id}, .at = now};

			if (lists(digest, &rows[i]))
				continue;
			if (is_out(&rows[i]))
				out.have = rows[i];
			queue_out(sync, n, &out);
			differs = true;
		}
		first = next_id(&last);
	} while (count > 0 && memcmp(last.bytes, digest->end.bytes, ROW_ID_SIZE) < 0);

	hash = ledger_range_hash(sync->ledger, wall, &digest->first, &digest->end, digest->out);
	if (same_id(&digest->first, &lowest))
		n->scans++;
	/* What differs is on its way. If that did not help before, there is more to it. */
	if ((!differs || n->scans >= STUBBORN) && !hash_equal(&hash, &digest->hash))
		divide(sync, n, now, wall, digest, actions);
	if (differs)
		doubt(sync, n, now);
}

/* Begins to send all our rows, range by range. */
static void begin_scan(struct sync *sync, struct neighbour *n, usec_t now,
	const struct ledger_summary *theirs, const struct ledger_summary *ours)
{
	/* Certificates are believed once their admin is known: a newcomer hears of admins first. */
	for (uint32_t i = 0; theirs->facts == 0 && i < sync->ledger->admins.count; i++) {
		const struct admin *admin = table_at(&sync->ledger->admins, i);
		const struct sync_out out = {.have = {.id = admin->id}, .at = now};

		queue_out(sync, n, &out);
	}
	n->scan_out = theirs->revocations != ours->revocations ||
		      !hash_equal(&theirs->revocations_hash, &ours->revocations_hash);
	n->next_range = lowest;
	n->scan_at = now;
	doubt(sync, n, now);
}

static bool agree(const struct ledger_summary *a, const struct ledger_summary *b)
{
	return a->facts == b->facts && a->revocations == b->revocations &&
	       hash_equal(&a->facts_hash, &b->facts_hash) &&
	       hash_equal(&a->revocations_hash, &b->revocations_hash);
}

static void receive_summary(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	const struct message *message, struct sync_actions *actions)
{
	const struct ledger_summary *ours = ledger_summarize(sync->ledger, wall);
	struct message answer = {.type = message->type, .answer = true, .boot = sync->options.boot};
	bool same = agree(&message->summary, ours);

	if (message->type == MESSAGE_HELLO) {
		/* Whoever forgot everything waits for nothing that was said before. */
		if (n->boot != message->boot)
			n->out_count = 0;
		n->boot = message->boot;
		n->hello_at = USEC_NEVER;
	}
	if (same) {
		note_all_watched(n);
		n->agreed = true;
		n->scans = 0;
		n->hurried = 0;
	}
	note_answer(n);
	answer.summary = *ours;
	if (!message->answer && (same || message->type == MESSAGE_HELLO) && has_room(actions))
		send(sync, n, wall, &answer, actions);
	if (!same && !message->answer) {
		begin_scan(sync, n, now, &message->summary, ours);
	} else if (!same) {
		doubt(sync, n, now);
	} else if (message->answer || n->asked) {
		n->asked = false;
		n->interval = n->interval < SYNC_INTERVAL_MAX / 2 ? 2 * n->interval
								  : SYNC_INTERVAL_MAX;
		schedule_summary(sync, n, now);
	}
}

/* One author's records, as often as an honest one makes them. */
static bool is_paced(const struct sync *sync, usec_t now, const struct ledger_outcome *outcome)
{
	const struct member *member = ledger_find(sync->ledger, &outcome->author);

	return outcome->kind == FACT_RECORD && member &&
	       member->paced > now + (SYNC_RECORD_BURST - 1) * SYNC_RECORD_SPACING;
}

static void pace(const struct sync *sync, usec_t now, const struct ledger_outcome *outcome)
{
	struct member *member = ledger_find(sync->ledger, &outcome->author);

	if (outcome->kind == FACT_RECORD && member)
		member->paced = (member->paced > now ? member->paced : now) + SYNC_RECORD_SPACING;
}

/* Whoever sent what loses by its hash alone gets what it lost to. */
static void answer_tie(
	struct sync *sync, struct neighbour *n, usec_t now, const struct ledger_outcome *outcome)
{
	const struct sync_out out = {.have = outcome->row, .at = now, .same = true};

	if (outcome->tie)
		queue_out(sync, n, &out);
}

static void hurry(struct neighbour *n, usec_t now)
{
	usec_t soon = now + SYNC_WANT_DELAY;

	if (n->summary_at <= soon || n->hurried == HURRIES)
		return;
	n->hurried++;
	n->summary_at = soon;
}

static void receive_fact(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	const uint8_t *bytes, size_t size, struct sync_actions *actions)
{
	struct ledger_outcome outcome = ledger_offer(sync->ledger, wall, bytes, size, false);

	if (outcome.verdict == VERDICT_DEFERRED) {
		if (is_paced(sync, now, &outcome) || !may_verify(sync, n, now, outcome.kind)) {
			sync->counters[SYNC_PUT_OFF]++;
			doubt(sync, n, now);
			return;
		}
		outcome = ledger_offer(sync->ledger, wall, bytes, size, true);
	}
	switch (outcome.verdict) {
	case VERDICT_NEW:
		pace(sync, now, &outcome);
		actions->learned[actions->learned_count++] = outcome;
		spread(sync, now, &outcome, n);
		tell(sync, n, now, &outcome.row);
		break;
	case VERDICT_SPARE:
		answer_tie(sync, n, now, &outcome);
		actions->learned[actions->learned_count++] = outcome;
		tell(sync, n, now, &outcome.row);
		break;
	case VERDICT_OLDER:
	case VERDICT_KNOWN:
		answer_tie(sync, n, now, &outcome);
		tell(sync, n, now, &outcome.row);
		break;
	case VERDICT_COLLISION:
		answer_tie(sync, n, now, &outcome);
		break;
	case VERDICT_REVOKED: /* the row says so, and whoever lacks the revocation asks for it */
		tell(sync, n, now, &outcome.row);
		break;
	case VERDICT_UNKNOWN_ISSUER:
	case VERDICT_NOT_MEMBER:
		/* It may have overtaken what it stands on: compare soon, unless that was in vain.
		 */
		doubt(sync, n, now);
		hurry(n, now);
		break;
	case VERDICT_UNSIGNED:
		n->forged++;
		break;
	case VERDICT_DEFERRED:
	case VERDICT_OVERSIZED:
	case VERDICT_MALFORMED:
	case VERDICT_NEWER_FORMAT:
	case VERDICT_REMOVED_ISSUER:
	case VERDICT_NOT_GRANTED:
	case VERDICT_MISPLACED:
	case VERDICT_FUTURE:
	case VERDICT_EXPIRED:
	case VERDICT_FULL:
	case VERDICTS:
		break;
	}
}

/* Whether a datagram is worth reading; says with which counter it is not. */
static int admit(struct sync *sync, struct neighbour *n, usec_t now, const void *bytes, size_t size,
	struct message *message)
{
	int r = message_read(message, &sync->ledger->collective, bytes, size);

	budget_refill(&n->messages, now, SYNC_MESSAGES_PER_SECOND, SYNC_MESSAGES_BURST);
	if (r < 0) {
		(void)budget_spend(&n->messages);
		n->refused++;
		sync->counters[r == -EXDEV     ? SYNC_FOREIGN
			       : r == -ENOTSUP ? SYNC_NEWER
					       : SYNC_MALFORMED]++;
		return r;
	}
	if (message->type == MESSAGE_DELTA && n->deltas_due > 0) {
		n->deltas_due--;
		return 0;
	}
	if (!budget_spend(&n->messages)) {
		n->refused++;
		sync->counters[SYNC_OVER_BUDGET]++;
		return -EDQUOT;
	}
	return 0;
}

void sync_receive(struct sync *sync, usec_t now, uint64_t wall, const struct row_id *from,
	const void *bytes, size_t size, struct sync_actions *actions)
{
	struct neighbour *n = sync_neighbour(sync, from);
	struct message message;

	actions->learned_count = 0;
	actions->message_count = 0;
	if (!n) {
		sync->counters[SYNC_STRANGER]++;
		return;
	}
	if (admit(sync, n, now, bytes, size, &message) < 0)
		return;
	sync->counters[SYNC_RECEIVED]++;
	n->wake_at = 0;
	n->clock_offset = (int64_t)message.clock - (int64_t)wall;
	switch (message.type) {
	case MESSAGE_HELLO:
	case MESSAGE_SUMMARY:
		receive_summary(sync, n, now, wall, &message, actions);
		break;
	case MESSAGE_DIGEST:
		receive_digest(sync, n, now, wall, &message, actions);
		break;
	case MESSAGE_WANT:
		receive_want(sync, n, now, &message);
		break;
	case MESSAGE_IHAVE:
		receive_rows(sync, n, now, &message);
		break;
	case MESSAGE_DELTA:
		for (uint32_t i = 0; i < message.fact_count; i++)
			receive_fact(sync, n, now, wall, message.facts[i], message.fact_sizes[i],
				actions);
		break;
	}
}

/* Sending what is due. */

static void send_hello(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	struct sync_actions *actions)
{
	struct message message = {.type = MESSAGE_HELLO,
		.boot = sync->options.boot,
		.summary = *ledger_summarize(sync->ledger, wall)};

	send(sync, n, wall, &message, actions);
	/* 1, 2, 4, 8 s, then 10: until something is heard. */
	n->hello_at = now + (n->hellos < 4 ? USEC_SECOND << n->hellos : SYNC_INTERVAL_MIN);
	if (n->hellos < 4)
		n->hellos++;
}

static void send_tell(
	struct sync *sync, struct neighbour *n, uint64_t wall, struct sync_actions *actions)
{
	struct message message = {.type = MESSAGE_IHAVE, .row_count = n->tell_count};

	memcpy(message.rows, n->tell, n->tell_count * sizeof n->tell[0]);
	send(sync, n, wall, &message, actions);
	n->tell_count = 0;
	n->tell_at = USEC_NEVER;
}

/* Asks for what is due and still news, with the rows as we hold them. */
static void send_want(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	struct sync_actions *actions)
{
	struct message message = {.type = MESSAGE_WANT};
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n->want_count; i++) {
		const struct row *row = &n->want[i].row;

		if (n->want[i].at > now) {
			n->want[kept++] = n->want[i];
			continue;
		}
		if (!is_news(sync, row))
			continue;
		message.rows[message.row_count++] = is_out(row)
							    ? *row
							    : ledger_row(sync->ledger, &row->id);
	}
	n->want_count = kept;
	if (message.row_count == 0)
		return;
	/* Each row is answered by one message at most, or two where its facts are large. */
	n->deltas_due = 2 * message.row_count;
	send(sync, n, wall, &message, actions);
}

/* After an entry was sent: it waits for its acknowledgement, or is done. Returns false when done.
 */
static bool keep_waiting(struct sync *sync, struct neighbour *n, struct sync_out *out, usec_t now)
{
	if (!out->push)
		return false;
	if (out->tries == REPEATS) {
		sync->counters[SYNC_UNACKNOWLEDGED]++;
		ask_about_push(sync, n, now);
		return false;
	}
	out->at = now + (250 * USEC_MSEC << out->tries);
	out->sent_facts = 0;
	out->tries++;
	return true;
}

/*
 * Adds the facts of an entry. Returns false when the message has no room for all of them: then it
 * is to be sent, and the entry goes on behind those that it has put there.
 */
static bool add_facts(
	const struct sync *sync, uint64_t wall, struct sync_out *out, struct message *message)
{
	uint32_t handles[3];
	uint32_t count = ledger_newer(sync->ledger, wall, &out->have, out->same, handles);

	while (out->sent_facts < count) {
		size_t size;
		const uint8_t *bytes = ledger_bytes(sync->ledger, handles[out->sent_facts], &size);

		if (!message_delta_room(message, size))
			return false;
		message->facts[message->fact_count] = bytes;
		message->fact_sizes[message->fact_count++] = size;
		out->sent_facts++;
	}
	return true;
}

/* Packs due entries into DELTAs. Returns whether all that was due is out. */
static bool send_out(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	struct sync_actions *actions)
{
	struct message message = {.type = MESSAGE_DELTA};
	uint32_t i = 0;

	budget_refill(&n->answers, now, SYNC_ANSWER_PER_SECOND, SYNC_ANSWER_BURST);
	while (i < n->out_count) {
		struct sync_out *out = &n->out[i];

		if (out->at > now) {
			i++;
			continue;
		}
		if (!has_room(actions))
			return false;
		if (!out->push && n->answers.left <= 0) {
			out->at = now + ANSWER_PAUSE;
			i++;
			continue;
		}
		if (!add_facts(sync, wall, out, &message)) {
			send(sync, n, wall, &message, actions);
			message.fact_count = 0;
			continue;
		}
		if (out->sent_facts > 0 && keep_waiting(sync, n, out, now))
			i++;
		else
			forget_out(n, i);
	}
	if (message.fact_count > 0) {
		if (!has_room(actions))
			return false;
		send(sync, n, wall, &message, actions);
	}
	return true;
}

static void send_range(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	struct sync_actions *actions)
{
	struct row_id end = highest();
	struct message message = {0};

	fill_digest(sync, wall, &n->next_range, &end, n->scan_out, &message);
	send(sync, n, wall, &message, actions);
	n->scan_at = USEC_NEVER;
	if (same_id(&message.end, &end))
		return;
	n->next_range = next_id(&message.end);
	n->scan_at = now + RANGE_SPACING;
}

static void send_summary(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	struct sync_actions *actions)
{
	struct message message = {
		.type = MESSAGE_SUMMARY, .summary = *ledger_summarize(sync->ledger, wall)};

	/* No answer to the last one: be quicker again. */
	if (n->asked)
		n->interval = least_interval(sync);
	n->asked = true;
	send(sync, n, wall, &message, actions);
	schedule_summary(sync, n, now);
	/* One that is lost is not waited for all that long. */
	if (n->asked_again == ASKED_AGAIN_MAX)
		return;
	n->asked_again++;
	n->summary_at = usec_min(n->summary_at, now + ASK_AGAIN_AFTER);
}

static usec_t next_due(const struct sync *sync, const struct neighbour *n)
{
	usec_t at = usec_min(usec_min(n->hello_at, n->tell_at), n->scan_at);

	if (asks(sync, n))
		at = usec_min(at, n->summary_at);
	for (uint32_t i = 0; i < n->want_count; i++)
		at = usec_min(at, n->want[i].at);
	for (uint32_t i = 0; i < n->out_count; i++)
		at = usec_min(at, n->out[i].at);
	return at;
}

/* The same, remembered until something about the neighbour changes. */
static usec_t due_at(const struct sync *sync, struct neighbour *n)
{
	if (n->wake_at == 0)
		n->wake_at = next_due(sync, n);
	return n->wake_at;
}

/* Each part needs one place in the list; what has none waits for the next step. */
static void serve(struct sync *sync, struct neighbour *n, usec_t now, uint64_t wall,
	struct sync_actions *actions)
{
	if (n->hello_at <= now && has_room(actions))
		send_hello(sync, n, now, wall, actions);
	if (n->tell_at <= now && has_room(actions))
		send_tell(sync, n, wall, actions);
	if (n->want_count > 0 && has_room(actions))
		send_want(sync, n, now, wall, actions);
	if (n->out_count > 0)
		(void)send_out(sync, n, now, wall, actions);
	if (n->scan_at <= now && has_room(actions))
		send_range(sync, n, now, wall, actions);
	if (asks(sync, n) && n->summary_at <= now && has_room(actions))
		send_summary(sync, n, now, wall, actions);
}

void sync_step(struct sync *sync, usec_t now, uint64_t wall, struct sync_actions *actions)
{
	uint32_t count = sync->neighbours.count;

	actions->learned_count = 0;
	actions->message_count = 0;
	for (uint32_t i = 0; i < count && has_room(actions); i++) {
		struct neighbour *n = table_at(&sync->neighbours, (sync->turn + i) % count);

		if (due_at(sync, n) > now)
			continue;
		serve(sync, n, now, wall, actions);
		n->wake_at = 0;
		/* Who was cut short is first in the next step. */
		if (!has_room(actions)) {
			sync->turn = (sync->turn + i) % count;
			break;
		}
	}
}

usec_t sync_wakeup(const struct sync *sync)
{
	usec_t at = USEC_NEVER;

	for (uint32_t i = 0; i < sync->neighbours.count; i++)
		at = usec_min(at, due_at(sync, table_at(&sync->neighbours, i)));
	return at;
}
