/* SPDX-License-Identifier: MIT */
/*
 * site.h - the brain of a site: events in, a bounded list of actions out.
 *
 * It composes membership, gossip and the backbone. It owns no socket, clock, file or log: whoever
 * carries it (the agent, the simulator) hands it what happened and performs what it asks for: of a
 * list first every SAVE_KEY, then all SAVEs as one change of the store, then every PROMOTE_KEY, and
 * then the rest in order. So what is said and set up stands on what is durable. When one of the
 * saves fails, later saves, sends and replies of the list are left out; all else is performed.
 * After a list with saves in it the carrier hands in SITE_EVENT_SAVED.
 *
 * Life: site_init(); site_restore() and site_restore_key() with all that the store holds, by table
 * and kind; SITE_EVENT_START; then whatever happens, and SITE_EVENT_TIMER at site_wakeup().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/key.h"
#include "base/prefix.h"
#include "base/prng.h"
#include "base/usec.h"
#include "gossip/invite.h"
#include "gossip/ledger.h"
#include "gossip/message.h"
#include "nat/seal.h"

#define SITE_PORT 51822      /* of gossip, inside the tunnel */
#define SITE_JOIN_PORT 51823 /* of the join responder, inside the tunnel */
#define SITE_KEEPALIVE_S 25
#define SITE_SUSPECT_AFTER (55 * USEC_SECOND)
#define SITE_DOWN_AFTER (180 * USEC_SECOND)
#define SITE_ACTIONS_MAX 96
#define SITE_ROW_KEY_MAX 64
#define SITE_ROW_BYTES_MAX 1024
#define SITE_STATISTICS_MAX 64 /* peers in one event */
#define SITE_NETWORKS_MAX 64
#define SITE_NOTE_SIZE 200
#define SITE_TEXT_SIZE 1000

enum site_interface { SITE_BACKBONE, SITE_LINKS, SITE_INTERFACES };

/* What is kept, in the words of the store. */
enum site_table {
	SITE_TABLE_SETTING,
	SITE_TABLE_FACT,
	SITE_TABLE_PRESHARED,
	SITE_TABLE_INVITE,
	SITE_TABLE_ENDPOINT,
	SITE_TABLE_FLOOR,
	SITE_TABLES,
};

enum site_key_slot {
	SITE_KEY_IDENTITY,
	SITE_KEY_BACKBONE,
	SITE_KEY_BACKBONE_PENDING,
	SITE_KEY_LINKS,
	SITE_KEY_LINKS_PENDING,
	SITE_KEY_ADMIN,
	SITE_KEY_ROOT,
	SITE_KEY_SLOTS,
};

struct site_row {
	enum site_table table;
	uint8_t kind;
	uint8_t key_size;
	uint8_t key[SITE_ROW_KEY_MAX];
	uint64_t version;
	bool remove;
	uint16_t size;
	uint8_t bytes[SITE_ROW_BYTES_MAX];
};

/* Networks; whoever hands them in keeps them. */
struct site_networks {
	uint32_t count;
	const struct prefix *items;
};

/* Sites that a rule speaks of: all that carry a tag, or one by name. */
struct site_selector {
	bool is_tag;
	char name[TEXT_NAME_MAX + 1];
};

enum site_when { SITE_WHEN_ALWAYS, SITE_WHEN_TRAFFIC, SITE_WHEN_ASKED };

/* With whom this site has direct links, and when; whoever hands it in keeps it. */
struct site_policy {
	uint32_t count;
	const struct site_selector *items;
	enum site_when when;
	bool publishes; /* where it is met may stand in its record: others may ask it where they are
			 */
};

struct site_options {
	uint32_t sites_max;
	uint32_t neighbours_max; /* that gossip is spoken with: sites_max on a hub */
	const struct crypto *crypto;
	uint64_t built_ms;             /* no clock is believed that shows less */
	const char *program;           /* version, as in "0.1.0" */
	struct site_networks isolated; /* never routed, accepted or announced */
	struct site_networks offered;  /* what this site asks to announce, sorted, at most as many
					  as a certificate holds */
	struct site_policy links;
};

/* Commands of the owner. */
enum site_command_kind {
	SITE_COMMAND_FOUND,     /* name, supernet, subnet, endpoints */
	SITE_COMMAND_ENDPOINTS, /* endpoints: of a hub, those that invites name; of others, to be
				   told */
	SITE_COMMAND_INVITE,    /* name, routes, tags, approval, lifetime_ms, subnet (optional) */
	SITE_COMMAND_UNINVITE,  /* name */
	SITE_COMMAND_APPROVE,   /* name: of an invite, or of a member that wants other routes */
	SITE_COMMAND_JOIN,      /* text: the invite */
	SITE_COMMAND_EXPEL,     /* name */
	SITE_COMMAND_LEAVE,     /* force: of a hub that others depend on */
	SITE_COMMAND_ROTATE,    /* */
	SITE_COMMAND_ROUTES,    /* routes: what this site wants to announce */
	SITE_COMMAND_OFFER,     /* makes an admin's key for this site, which offers to be one */
	SITE_COMMAND_DELEGATE,  /* name, key: makes an admin; zero: the key that member offers */
	SITE_COMMAND_REMOVE_ADMIN, /* name */
	SITE_COMMAND_PING,         /* name: how far it is; the reply has rtt_us */
	SITE_COMMAND_SURVEY,       /* the same of all, for site_view(), with the hub's word */
	SITE_COMMAND_DOWN,         /* takes everything off the machine; the state stays */
	SITE_COMMAND_ROOT_TAKE,    /* key: the root key's seed, back from where it was kept */
	SITE_COMMAND_ROOT_REMOVE,  /* takes it off this machine */
	SITE_COMMAND_NETCHECK, /* from where is it seen? the reply has it as text, with rtt_us */
	SITE_COMMAND_LINK,     /* name, lifetime_ms (0: until it is unlinked) */
	SITE_COMMAND_UNLINK,   /* name */
	SITE_COMMAND_WHY,      /* name; text: of whom it is asked, where that is not this site */
	SITE_COMMANDS,
};

struct site_command {
	enum site_command_kind kind;
	uint32_t request; /* comes back in the replies */
	char name[TEXT_NAME_MAX + 1];
	const char *text;
	struct key key;
	struct prefix supernet;
	struct prefix subnet; /* family ADDRESS_NONE: the first that is free */
	struct prefixes routes;
	struct names tags;
	bool approval;
	bool force;
	uint64_t lifetime_ms;
	uint32_t endpoint_count;
	struct invite_endpoint endpoints[INVITE_ENDPOINTS_MAX];
};

/* Events. */
enum site_event_kind {
	SITE_EVENT_START,      /* everything was restored */
	SITE_EVENT_TIMER,      /* site_wakeup() has come */
	SITE_EVENT_DATAGRAM,   /* out of a tunnel */
	SITE_EVENT_STATISTICS, /* of peers, as asked for or by itself */
	SITE_EVENT_NETWORKS,   /* the networks that this machine is in have changed */
	SITE_EVENT_COMMAND,
	SITE_EVENT_SAVED,   /* the saves of the last list were done, or failed */
	SITE_EVENT_RESUME,  /* the machine slept */
	SITE_EVENT_OUTSIDE, /* a sealed datagram, outside the tunnel */
	SITE_EVENT_PLACES,  /* this machine's ports, addresses, or its port mapping have changed */
	SITE_EVENT_TRAFFIC, /* packets of these went by the backbone, as site_watches() wants to
			       know */
};

/* An address of this machine, outside the tunnel. */
struct site_own_address {
	struct address address;
	bool containers; /* of a bridge that leads to nobody else */
};

struct site_statistics {
	struct key peer;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t handshake; /* when the last one was completed: ms by the machine's clock; 0: never
			     */
	bool has_endpoint;
	struct endpoint endpoint;
};

struct site_event {
	enum site_event_kind kind;
	uint64_t wall; /* ms: what the machine's clock shows */
	union {
		struct {
			enum site_interface interface;
			struct endpoint from;
			uint16_t port; /* that it came to */
			const uint8_t *bytes;
			size_t size;
		} datagram;
		struct {
			enum site_interface interface;
			uint32_t count;
			const struct site_statistics *peers;
		} statistics;
		struct {
			uint32_t count;
			const struct prefix *items;
		} networks;
		struct {
			enum site_interface interface; /* whose port it came to */
			struct endpoint from;
			const uint8_t *bytes;
			size_t size;
		} outside;
		struct {
			uint16_t ports[SITE_INTERFACES]; /* of WireGuard; 0: not known */
			bool deaf; /* nothing can be sent or heard outside the tunnel */
			struct endpoint
				mapped; /* to the links' port, by the router; no address: none */
			struct address
				router; /* outside, as it says itself; no address: it does not */
			bool router_is_inside; /* it says that it has none on the internet */
			uint32_t count;
			const struct site_own_address *items;
		} places;
		struct {
			uint32_t count;
			const struct prefix *items;
		} traffic;
		const struct site_command *command;
		int saved; /* 0 or negative errno */
	};
};

/* Actions. */
enum site_action_kind {
	SITE_SAVE,
	SITE_SAVE_KEY,     /* a private key; zero: remove it */
	SITE_PROMOTE_KEY,  /* a pending key becomes the current one */
	SITE_SEND,         /* a datagram into a tunnel */
	SITE_SEND_OUTSIDE, /* a sealed datagram, from the port of an interface */
	SITE_DEVICE,       /* the private key of an interface; zero: take the interface away */
	SITE_ADDRESS,      /* of an interface, set or removed */
	SITE_PEER,         /* all of one peer but its prefixes */
	SITE_PEER_REMOVE,
	SITE_ALLOW,    /* a prefix to a peer, from whichever had it */
	SITE_DISALLOW, /* and back */
	SITE_ROUTE,    /* set or replaced */
	SITE_ROUTE_REMOVE,
	SITE_SETTLED, /* what was not told since the start is not wanted: to be removed */
	SITE_POLL,    /* statistics of an interface are wanted now */
	SITE_LOG,     /* something to be written down */
	SITE_REPLY,   /* to a command */
};

enum site_route_kind {
	SITE_ROUTE_BACKBONE,
	SITE_ROUTE_LINKS,
	SITE_ROUTE_GUARD, /* unreachable, behind all others: nothing leaves in clear */
	SITE_ROUTE_OWN,   /* no route, but a network of ours that members may reach */
};

/* What happened, for logs and alerts; site_log_text() has the words. */
enum site_log_code {
	SITE_LOG_STARTED,
	SITE_LOG_FOUNDED,
	SITE_LOG_JOINED,
	SITE_LOG_MEMBER_NEW,
	SITE_LOG_MEMBER_GONE,
	SITE_LOG_MEMBER_LEFT,
	SITE_LOG_HUB_SUSPECT,
	SITE_LOG_HUB_DOWN,
	SITE_LOG_HUB_BACK,
	SITE_LOG_SITE_DOWN,
	SITE_LOG_SITE_BACK,
	SITE_LOG_STRANGER,
	SITE_LOG_EQUIVOCATION,
	SITE_LOG_CLOCK_OFF,
	SITE_LOG_CLOCK_WELL,
	SITE_LOG_EXPELLED,
	SITE_LOG_RIVAL,
	SITE_LOG_ROUTE_REFUSED,
	SITE_LOG_SAVE_FAILED,
	SITE_LOG_SAVE_WELL,
	SITE_LOG_KEY_CHANGED,
	SITE_LOG_CERTIFICATE_ENDS,
	SITE_LOG_PETITION,
	SITE_LOG_APPLIED,
	SITE_LOG_LINK_DIRECT,        /* name */
	SITE_LOG_LINK_DIRECT_WITHIN, /* the number is the round trip in µs */
	SITE_LOG_LINK_HUB,
	SITE_LOG_LINK_DEAD,
	SITE_LOG_LINK_ENDED,
	SITE_LOG_CODES,
};

enum site_reply_status {
	SITE_REPLY_PROGRESS, /* more comes */
	SITE_REPLY_DONE,
	SITE_REPLY_FAILED,
};

struct site_action {
	enum site_action_kind kind;
	enum site_interface interface;
	union {
		struct site_row row;
		struct {
			enum site_key_slot slot;
			struct key key;
		} key;
		struct {
			struct address from;
			struct endpoint to;
			uint16_t port; /* that it is sent from */
			uint16_t size;
			uint8_t bytes[MESSAGE_SIZE_MAX];
		} send;
		struct {
			struct endpoint to;
			uint8_t ttl; /* 0: the system's */
			uint16_t size;
			uint8_t bytes[SEAL_DATAGRAM_MAX];
		} outside;
		struct key device;
		struct {
			struct address address;
			bool remove;
		} address;
		struct {
			struct key key;
			struct key preshared;
			uint16_t keepalive;
			bool set_endpoint;              /* or leave it as it is */
			char host[INVITE_HOST_MAX + 1]; /* a name, or an address */
			uint16_t port;
		} peer;
		struct {
			struct key key;
			struct prefix prefix;
		} allow;
		struct {
			struct prefix prefix;
			enum site_route_kind kind;
		} route;
		struct {
			enum site_log_code code;
			char name[TEXT_NAME_MAX + 1];
			int64_t number;
		} log;
		struct {
			uint32_t request;
			enum site_reply_status status;
			char note[SITE_NOTE_SIZE]; /* what went wrong, or how far it is */
			char name[TEXT_NAME_MAX + 1];
			struct prefix prefix;
			uint32_t count;            /* sites that confirmed, */
			uint32_t of;               /* of so many */
			int64_t age_ms;            /* after so long */
			int64_t rtt_us;            /* to a member and back */
			char text[SITE_TEXT_SIZE]; /* an invite, a place, an explanation */
		} reply;
	};
};

struct site_actions {
	uint32_t count;
	struct site_action items[SITE_ACTIONS_MAX];
};

struct site;

/* Bytes that a site with these options needs, aligned to 16. */
size_t site_size(const struct site_options *options);

/* Prepares a blank site. A seed is never used twice. The crypto and program outlive the site. */
struct site *site_init(void *memory, const struct site_options *options,
	const uint8_t seed[static PRNG_SEED_SIZE]);

/* Overwrites all secrets. */
void site_wipe(struct site *site);

/*
 * Hands in what the store holds, settings first, then in the order of table and kind. Returns 0, or
 * -EBADMSG for a row that no program like this one wrote.
 */
int site_restore(struct site *site, const struct site_row *row);
void site_restore_key(struct site *site, enum site_key_slot slot, const struct key *key);

void site_step(
	struct site *site, usec_t now, const struct site_event *event, struct site_actions *out);

/* When SITE_EVENT_TIMER is due; may be in the past. */
usec_t site_wakeup(const struct site *site);

/* Asking; nothing here changes anything. */

enum site_state {
	SITE_BLANK,   /* knows nothing */
	SITE_JOINING, /* has an invite */
	SITE_MEMBER,
	SITE_OUT, /* left, or was expelled */
};

enum site_presence {
	SITE_SELF,
	SITE_UNKNOWN, /* nobody here hears it directly */
	SITE_HEARD,
	SITE_SUSPECT,
	SITE_DOWN,
};

enum site_state site_state(const struct site *site);
bool site_is_hub(const struct site *site);

/* The same by what it holds, also before it has started: a hub needs room for all as neighbours. */
bool site_holds_hub(const struct site *site);

/* NULL before the collective is known. */
const struct ledger *site_ledger(const struct site *site);

/* Counts and hashes of what it believes now; it belongs to a collective. */
const struct ledger_summary *site_summary(struct site *site);

/* Whether this site, by its key, was expelled for all that is known. */
bool site_is_revoked(const struct site *site, const struct key *key);
enum site_presence site_presence(const struct site *site, const struct row_id *member);

/* How a member is reached. */
enum site_path { SITE_PATH_NONE, SITE_PATH_SELF, SITE_PATH_HUB, SITE_PATH_DIRECT };

/* What a way was measured to be, of late. */
struct site_measure {
	int64_t rtt_us; /* -1: not known */
	int64_t jitter_us;
	uint32_t judged; /* probes that were answered or lost */
	uint32_t lost;
};

/* The direct link to a member, or what there is instead. */
struct site_link_view {
	const char *state;  /* "direct", "hub", "meeting", "waiting", "off" */
	const char *reason; /* a word for scripts */
	usec_t since;       /* that it is in this state; -1: for ever */
	usec_t next_at;     /* of the next attempt; USEC_NEVER: none is planned */
	struct site_measure hub;
	struct site_measure direct;
	uint64_t attempts; /* to meet, since this site began */
	uint64_t switches;
};

/* A member as this site sees it. */
struct site_view {
	struct row_id id;
	struct hash site;
	struct key backbone;
	struct key links;
	char name[TEXT_NAME_MAX + 1];
	struct address address;
	struct prefixes subnets;
	struct prefixes routes;
	struct names tags;
	uint32_t roles;
	bool left;
	enum site_presence presence;
	bool heard; /* so the next one means something */
	usec_t heard_at;
	bool hubs_word;   /* presence and heard_at are what the hub says */
	int64_t rtt_us;   /* -1: not measured of late */
	char program[24]; /* its version; "" where it has not said */
	enum site_path path;
	struct site_link_view link;
};

/* The member at this place. Returns false behind the last one. */
bool site_view(const struct site *site, uint32_t place, struct site_view *ret);

/* An invite at this place, on the site that made it or on the hub. */
struct site_invite_view {
	char name[TEXT_NAME_MAX + 1];
	const char *state; /* "open", "redeemed", … */
	struct prefix reserved;
	uint64_t expires; /* ms, wall */
	bool approval;    /* waits for it */
	bool applied;     /* somebody has asked */
};

bool site_invite_view(const struct site *site, uint32_t place, struct site_invite_view *ret);

/* Where friends call this site, as it was told last. Returns how many places these are. */
uint32_t site_endpoints(
	const struct site *site, struct invite_endpoint ret[static INVITE_ENDPOINTS_MAX]);

/* The networks that this site announces, or asks to announce. */
struct prefixes site_routes(const struct site *site);

/* Those of them that no admin has granted yet. */
struct prefixes site_routes_awaited(const struct site *site);

/*
 * A network of a member (or of this site itself) that is in force, and not reached from here since
 * this machine is in one that overlaps it, or since it is isolated. Returns false behind the last.
 */
struct site_refused_view {
	struct prefix prefix;
	char name[TEXT_NAME_MAX + 1]; /* whose it is; "" where nobody is found */
	bool isolated;
};

bool site_refused(const struct site *site, uint32_t place, struct site_refused_view *ret);

/* The collective's own network; family ADDRESS_NONE before one is known. */
struct prefix site_supernet(const struct site *site);

/* Whether something may come outside the tunnel: to listen costs a little of every packet. */
bool site_listens_outside(const struct site *site);

/* Whether the home's router is to be asked for a port. */
bool site_wants_mapping(const struct site *site);

/*
 * A network of which it matters now whether packets go to or from it by the backbone. Returns false
 * behind the last.
 */
bool site_watches(const struct site *site, uint32_t place, struct prefix *ret);

/* How this site stands towards the internet, as it was seen last. */
struct site_standing {
	struct endpoint seen; /* from the links' port; no address: the hub has not said */
	int64_t rtt_us;
	struct endpoint mapped; /* by the router; port 0: none */
	uint16_t port;          /* of the links */
	bool is_public;         /* no router translates */
	bool is_carrier_nat;
	bool is_double_nat;
	int mapping; /* as nat/behaviour.h numbers it */
	const char *mapping_word;
	const char *ports_word;
	uint32_t place_count;
	struct {
		const char *kind;
		struct endpoint endpoint;
	} places[8];
};

/* Returns false where there is nothing to say: of a hub, or of no member. */
bool site_standing(const struct site *site, struct site_standing *ret);

/* Why this site and a member are on the path that they are on, in one paragraph. */
#define SITE_WHY_SIZE SITE_TEXT_SIZE
void site_standing_text(const struct site_standing *standing, char ret[static SITE_WHY_SIZE]);
void site_why(const struct site *site, const struct row_id *member, char ret[static SITE_WHY_SIZE]);

/* The wall clock that the site goes by, ms. */
uint64_t site_wall(const struct site *site);

/* What stands between a joining site and membership; "" when nothing does. */
const char *site_join_text(const struct site *site);

/* Everything that has a bound: how full it is. Returns false beyond the last one. */
struct site_limit {
	const char *name;
	uint64_t used;
	uint64_t most;
	uint64_t refused; /* how often it was full */
};

bool site_limit(const struct site *site, uint32_t position, struct site_limit *ret);

struct site_counter {
	const char *name;
	uint64_t value;
};

bool site_counter(const struct site *site, uint32_t position, struct site_counter *ret);

/* "hub silent for 55 s: …", with %s for the name and %lld for the number where they matter. */
const char *site_log_text(enum site_log_code code);
