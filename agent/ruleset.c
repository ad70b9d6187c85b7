/* SPDX-License-Identifier: MIT */
#include "agent/ruleset_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "agent/filter.h"
#include "agent/memory.h"

#define ATTEMPTS 4      /* at a list that changes while it is read */
#define CHAINS_MAX 8192 /* with the sets, which tables count with them */
#define RULES_MAX 16384 /* of one chain */
#define READ_WORK 10    /* of a rule: it is made into a message, and copied */
#define PIECE_WORK 256  /* rules that are passed by for one such piece of work */
#define ASK_WORK 200    /* of a question to the kernel */

/* Attributes. */

const struct nlattr *ruleset_part(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *part;

	if (!nest)
		return NULL;
	netlink_for_each_nested (part, nest) {
		if (mnl_attr_get_type(part) == type)
			return part;
	}
	return NULL;
}

const char *ruleset_text(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0)
		return "";
	return mnl_attr_get_str(attribute);
}

uint32_t ruleset_number(const struct nlattr *attribute, uint32_t otherwise)
{
	if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
		return otherwise;
	return ntohl(mnl_attr_get_u32(attribute));
}

static const struct nlattr *of_message(const struct nlmsghdr *message, uint16_t type)
{
	const struct nlattr *attribute;

	netlink_for_each (attribute, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	}
	return NULL;
}

static uint8_t family_of(const struct nlmsghdr *message)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof *head)
		return AF_UNSPEC;
	return head->nfgen_family;
}

/* Work. */

bool ruleset_spend(struct ruleset *ruleset, uint32_t work)
{
	uint32_t left = RULESET_WORK_MAX - ruleset->work;

	ruleset->work += work < left ? work : left;
	return ruleset->work < RULESET_WORK_MAX;
}

uint32_t ruleset_work(const struct ruleset *ruleset)
{
	return ruleset->work;
}

/* Tables and chains. */

static bool is_met_by_ipv4(uint8_t family)
{
	return family == NFPROTO_IPV4 || family == NFPROTO_INET;
}

static int take_table(const struct nlmsghdr *message, void *context)
{
	struct ruleset *ruleset = context;
	struct ruleset_table table = {.family = family_of(message)};

	ruleset->table_use += ruleset_number(of_message(message, NFTA_TABLE_USE), 0);
	if (!(ruleset_number(of_message(message, NFTA_TABLE_FLAGS), 0) & NFT_TABLE_F_DORMANT))
		return 0;
	(void)snprintf(table.name, sizeof table.name, "%s",
		ruleset_text(of_message(message, NFTA_TABLE_NAME)));
	ruleset->sleepers = memory_grown(ruleset->sleepers, &ruleset->sleeper_capacity,
		ruleset->sleeper_count + 1, sizeof table);
	ruleset->sleepers[ruleset->sleeper_count++] = table;
	return 0;
}

static bool is_asleep(const struct ruleset *ruleset, const struct ruleset_chain *chain)
{
	for (uint32_t i = 0; i < ruleset->sleeper_count; i++) {
		if (ruleset->sleepers[i].family == chain->family &&
			strcmp(ruleset->sleepers[i].name, chain->table) == 0)
			return true;
	}
	return false;
}

static void note_author(struct ruleset_authors *authors, const struct ruleset_chain *chain)
{
	authors->docker = authors->docker || strcmp(chain->name, "DOCKER-USER") == 0;
	authors->ufw = authors->ufw || strncmp(chain->name, "ufw-", 4) == 0;
	authors->firewalld = authors->firewalld || strcmp(chain->table, "firewalld") == 0;
}

static int take_chain(const struct nlmsghdr *message, void *context)
{
	struct ruleset *ruleset = context;
	const struct nlattr *hook = of_message(message, NFTA_CHAIN_HOOK);
	const char *type = ruleset_text(of_message(message, NFTA_CHAIN_TYPE));
	struct ruleset_chain chain = {.family = family_of(message), .is_base = hook != NULL};

	(void)snprintf(chain.table, sizeof chain.table, "%s",
		ruleset_text(of_message(message, NFTA_CHAIN_TABLE)));
	(void)snprintf(chain.name, sizeof chain.name, "%s",
		ruleset_text(of_message(message, NFTA_CHAIN_NAME)));
	/* Our own table has to do with other packets. */
	if (!is_met_by_ipv4(chain.family) || strcmp(chain.table, FILTER_TABLE) == 0 ||
		is_asleep(ruleset, &chain))
		return 0;
	note_author(&ruleset->authors, &chain);
	/* A translation takes no packet away. */
	if (chain.is_base && strcmp(type, "filter") != 0)
		return 0;
	chain.policy = ruleset_number(of_message(message, NFTA_CHAIN_POLICY), NF_ACCEPT);
	chain.hook = ruleset_number(ruleset_part(hook, NFTA_HOOK_HOOKNUM), NF_INET_NUMHOOKS);
	chain.priority = (int32_t)ruleset_number(ruleset_part(hook, NFTA_HOOK_PRIORITY), 0);
	chain.use = ruleset_number(of_message(message, NFTA_CHAIN_USE), UINT32_MAX);
	ruleset->chains = memory_grown(
		ruleset->chains, &ruleset->chain_capacity, ruleset->chain_count + 1, sizeof chain);
	ruleset->chains[ruleset->chain_count++] = chain;
	return 0;
}

static int compare_names(
	const struct ruleset_chain *chain, uint8_t family, const char *table, const char *name)
{
	int order = chain->family - family;

	if (order == 0)
		order = strcmp(chain->table, table);
	return order ? order : strcmp(chain->name, name);
}

/* Base chains stand first, as packets come to them; the others are looked for by their names. */
static int compare_chains(const void *left, const void *right)
{
	const struct ruleset_chain *a = left;
	const struct ruleset_chain *b = right;

	if (a->is_base != b->is_base)
		return a->is_base ? -1 : 1;
	if (a->hook != b->hook)
		return a->hook < b->hook ? -1 : 1;
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return compare_names(a, b->family, b->table, b->name);
}

struct ruleset_chain *ruleset_find(
	const struct ruleset *ruleset, const struct ruleset_chain *from, const char *name)
{
	uint32_t first = ruleset->base_count;
	uint32_t end = ruleset->chain_count;

	while (first < end) {
		uint32_t middle = first + (end - first) / 2;
		struct ruleset_chain *chain = &ruleset->chains[middle];
		int order = compare_names(chain, from->family, from->table, name);

		if (order == 0)
			return chain;
		if (order < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return NULL;
}

/* Questions. */

static void put_head(struct nlmsghdr *message, uint8_t family)
{
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->nfgen_family = family;
}

static struct nlmsghdr *begin_list(struct ruleset *ruleset, uint16_t type, uint8_t family)
{
	struct nlmsghdr *message = netlink_begin(
		ruleset->netlink, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP);

	put_head(message, family);
	return message;
}

static struct nlmsghdr *begin_question(struct ruleset *ruleset, uint16_t type, uint8_t family)
{
	struct nlmsghdr *message = netlink_begin_question(
		ruleset->netlink, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type));

	put_head(message, family);
	return message;
}

/* Rules. */

static int take_rule(const struct nlmsghdr *message, void *context)
{
	struct ruleset_chain *chain = context;
	const struct nlattr *expressions = of_message(message, NFTA_RULE_EXPRESSIONS);
	uint32_t size;

	if (!expressions)
		return 0;
	size = MNL_ALIGN(expressions->nla_len);
	chain->rules = memory_grown(chain->rules, &chain->capacity, chain->size + size, 1);
	memcpy(chain->rules + chain->size, expressions, expressions->nla_len);
	chain->size += size;
	return 0;
}

/*
 * Whoever leads to a chain is counted with its rules, of which there are no more than that. For
 * every piece of a list the kernel counts from its beginning again: 9,000 rules are 40 ms. A chain
 * for which there is not enough left leaves what there is to others.
 */
static bool spend_reading(struct ruleset *ruleset, uint32_t rules)
{
	uint32_t work;

	if (rules > RULES_MAX)
		return false;
	work = ASK_WORK + rules * (READ_WORK + rules / PIECE_WORK);
	return work < RULESET_WORK_MAX - ruleset->work && ruleset_spend(ruleset, work);
}

bool ruleset_read(struct ruleset *ruleset, struct ruleset_chain *chain)
{
	struct nlmsghdr *message;

	if (chain->is_read)
		return true;
	if (!spend_reading(ruleset, chain->use))
		return false;
	chain->size = 0;
	message = begin_list(ruleset, NFT_MSG_GETRULE, chain->family);
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, chain->table);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain->name);
	chain->is_read = netlink_run(ruleset->netlink, take_rule, chain) == 0;
	return chain->is_read;
}

/* Life. */

static void forget(struct ruleset *ruleset)
{
	for (uint32_t i = 0; i < ruleset->chain_count; i++)
		free(ruleset->chains[i].rules);
	ruleset->table_use = 0;
	ruleset->sleeper_count = 0;
	ruleset->chain_count = 0;
	ruleset->base_count = 0;
	ruleset->authors = (struct ruleset_authors){.docker = false};
}

static int read_chains(struct ruleset *ruleset)
{
	int r = filter_generation(ruleset->netlink, &ruleset->generation);

	if (r < 0)
		return r;
	(void)begin_list(ruleset, NFT_MSG_GETTABLE, AF_UNSPEC);
	r = netlink_run(ruleset->netlink, take_table, ruleset);
	if (r < 0)
		return r;
	if (ruleset->table_use > CHAINS_MAX)
		return -E2BIG;
	(void)begin_list(ruleset, NFT_MSG_GETCHAIN, AF_UNSPEC);
	r = netlink_run(ruleset->netlink, take_chain, ruleset);
	if (r < 0 || ruleset->chain_count == 0)
		return r;
	qsort(ruleset->chains, ruleset->chain_count, sizeof *ruleset->chains, compare_chains);
	while (ruleset->base_count < ruleset->chain_count &&
		ruleset->chains[ruleset->base_count].is_base)
		ruleset->base_count++;
	return 0;
}

int ruleset_open(struct ruleset **ret)
{
	struct ruleset *ruleset = memory_zeroed(1, sizeof *ruleset);
	int r = netlink_open(&ruleset->netlink, NETLINK_NETFILTER);

	if (r == 0)
		r = -EINTR;
	for (int i = 0; i < ATTEMPTS && r == -EINTR; i++) {
		forget(ruleset);
		r = read_chains(ruleset);
	}
	if (r < 0) {
		ruleset_close(ruleset);
		return r;
	}
	*ret = ruleset;
	return 0;
}

void ruleset_close(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	forget(ruleset);
	free(ruleset->chains);
	free(ruleset->sleepers);
	netlink_close(ruleset->netlink);
	free(ruleset);
}

uint32_t ruleset_generation(const struct ruleset *ruleset)
{
	return ruleset->generation;
}

uint32_t ruleset_generation_now(void)
{
	struct netlink *netlink;
	uint32_t generation = 0;

	if (netlink_open(&netlink, NETLINK_NETFILTER) < 0)
		return 0;
	(void)filter_generation(netlink, &generation);
	netlink_close(netlink);
	return generation;
}

struct ruleset_authors ruleset_authors(const struct ruleset *ruleset)
{
	return ruleset->authors;
}

/* Sets. */

static int take_key_size(const struct nlmsghdr *message, void *context)
{
	*(uint32_t *)context = ruleset_number(of_message(message, NFTA_SET_KEY_LEN), 0);
	return 0;
}

int ruleset_key_size(
	struct ruleset *ruleset, const struct ruleset_chain *chain, const char *set, uint32_t *ret)
{
	struct nlmsghdr *message;

	if (!ruleset_spend(ruleset, ASK_WORK))
		return -E2BIG;
	message = begin_question(ruleset, NFT_MSG_GETSET, chain->family);
	mnl_attr_put_strz(message, NFTA_SET_TABLE, chain->table);
	mnl_attr_put_strz(message, NFTA_SET_NAME, set);
	return netlink_run(ruleset->netlink, take_key_size, ret);
}

struct finding {
	ruleset_element_fn take;
	void *context;
};

static int take_element(const struct nlmsghdr *message, void *context)
{
	const struct finding *finding = context;

	finding->take(
		ruleset_part(of_message(message, NFTA_SET_ELEM_LIST_ELEMENTS), NFTA_LIST_ELEM),
		finding->context);
	return 0;
}

int ruleset_element(struct ruleset *ruleset, const struct ruleset_chain *chain, const char *set,
	const struct ruleset_key *key, ruleset_element_fn take, void *context)
{
	struct finding finding = {take, context};
	struct nlmsghdr *message;
	struct nlattr *list;
	struct nlattr *element;
	struct nlattr *nest;

	if (!ruleset_spend(ruleset, ASK_WORK))
		return -E2BIG;
	message = begin_question(ruleset, NFT_MSG_GETSETELEM, chain->family);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, chain->table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	if (key) {
		nest = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
		mnl_attr_put(message, NFTA_DATA_VALUE, key->size, key->bytes);
		mnl_attr_nest_end(message, nest);
	} else {
		mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_CATCHALL));
	}
	mnl_attr_nest_end(message, element);
	mnl_attr_nest_end(message, list);
	return netlink_run(ruleset->netlink, take_element, &finding);
}
