#!/usr/bin/env python3
"""Reads the examples of tests/vectors with nothing but docs/PROTOCOL.md: that page suffices.

It decodes and verifies only: it shares no code with the program, keeps no ledger, signs and sends
nothing, and leaves alone what the page says about when messages are sent. No line of the examples
tells the supernet of their collective, so what has to be inside or outside of it is not looked at,
except in an invite.
"""

import base64
import hashlib
import ipaddress
import re
import struct
import sys
from typing import NamedTuple

USAGE = "usage: protocol.py tests/vectors/vectors.txt"


class Refused(Exception):
    """Bytes that a reader must not take."""


class Failure(Exception):
    """A case that did not come out as expected."""


def require(condition, why):
    if not condition:
        raise Refused(why)


def expect(condition, why):
    if not condition:
        raise Failure(why)


# --- 1. Wire form ---------------------------------------------------------------------------------

# Every form of a number, length or count: what it is for, first byte, bytes of the number that
# follow, and the first number that does not fit. Without bytes to follow, the number is added to
# the first byte. Of one purpose the shorter forms come first.
FORMS = [(purpose, tag, size, 1 << bits) for purpose, forms in (
    (int, ((0x00, 0, 7), (0xCC, 1, 8), (0xCD, 2, 16), (0xCE, 4, 32), (0xCF, 8, 64))),
    (dict, ((0x80, 0, 4), (0xDE, 2, 16), (0xDF, 4, 32))),
    (list, ((0x90, 0, 4), (0xDC, 2, 16), (0xDD, 4, 32))),
    (str, ((0xA0, 0, 5), (0xD9, 1, 8), (0xDA, 2, 16), (0xDB, 4, 32))),
    (bytes, ((0xC4, 1, 8), (0xC5, 2, 16), (0xC6, 4, 32))),
) for tag, size, bits in forms]

# Negative numbers: first byte, bytes that follow, and the least number that has a shorter form.
NEGATIVE = {0xD0: (1, -1 << 5), 0xD1: (2, -1 << 7), 0xD2: (4, -1 << 15), 0xD3: (8, -1 << 31)}

CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}

DEPTH = 8  # of an item that is passed over; the body or the message around it comes on top
NOT_SHORTEST = "not the shortest form"


def shortest(purpose, number):
    return next(bytes([tag]) + number.to_bytes(size, "big") if size else bytes([tag + number])
                for kind, tag, size, limit in FORMS if kind is purpose and number < limit)


class Reader:
    """Reads values one after the other; remembers where the outermost items were."""

    def __init__(self, data):
        self.data = data
        self.at = 0
        self.items = []

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        require(size <= self.left(), "the bytes end too early")
        self.at += size
        return self.data[self.at - size:self.at]

    def head(self, first, start):
        """The rest of a head: its purpose and its number."""
        for purpose, tag, size, limit in FORMS:
            if size and first == tag:
                number = int.from_bytes(self.take(size), "big")
                break
            if not size and tag <= first < tag + limit:
                number = first - tag
                break
        else:
            raise Refused(f"first byte {first:#04x}, which is no form of this protocol")
        require(self.data[start:self.at] == shortest(purpose, number), NOT_SHORTEST)
        return purpose, number

    def value(self, room=DEPTH + 1):
        """One value, in which arrays and maps are nested at most `room` deep."""
        start = self.at
        first = self.take(1)[0]
        if first in CONSTANTS:
            return CONSTANTS[first]
        if first >= 0xE0:
            return first - 0x100
        if first in NEGATIVE:
            size, shorter = NEGATIVE[first]
            number = int.from_bytes(self.take(size), "big", signed=True)
            require(number < shorter, NOT_SHORTEST)
            return number

        purpose, number = self.head(first, start)
        if purpose is int:
            return number
        if purpose is bytes:
            return self.take(number)
        if purpose is str:
            return self.take(number).decode("utf-8", "surrogateescape")
        require(room > 0, "nested too deep")
        if purpose is list:
            require(number <= self.left(), "more items than bytes")
            return [self.item(room) for _ in range(number)]
        require(2 * number <= self.left(), "more entries than bytes")
        return self.map(number, room - 1)

    def item(self, room):
        if room > DEPTH:
            self.items.append(self.at)
        return self.value(room - 1)

    def map(self, number, room):
        entries, last = {}, -1
        for _ in range(number):
            key = self.value(0)
            require(type(key) is int and key >= 0, "a key that is no unsigned integer")
            require(key > last, "keys that do not ascend")
            entries[key] = self.value(room)
            last = key
        return entries


def unpack(data):
    reader = Reader(data)
    value = reader.value()
    require(reader.left() == 0, "bytes behind the end")
    return value


def pack(value):
    """The encoding of a value; only the negative cases need it."""
    purpose = type(value)
    if value is None or purpose is bool:
        return next(bytes([tag]) for tag, constant in CONSTANTS.items() if constant is value)
    if purpose is int:
        return shortest(int, value)
    if purpose is str:
        value = value.encode("utf-8", "surrogateescape")
    head = shortest(purpose, len(value))
    if purpose is dict:
        return head + b"".join(pack(key) + pack(value[key]) for key in sorted(value))
    if purpose is list:
        return head + b"".join(pack(item) for item in value)
    return head + value


# --- 2. Primitives --------------------------------------------------------------------------------

TIME_MAX = (1 << 48) - 1
OUT = (1 << 32) - 1
RESERVED = [ipaddress.ip_network(item) for item in (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/128",
    "::1/128", "fe80::/10", "ff00::/8")]  # and so any prefix of length 0
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def digest(data, size=16, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def collective_id(root):
    return digest(b"collective root 1\0" + root)


# Ed25519, RFC 8032 section 5.1. Points are in extended coordinates (X, Y, Z, T).

PRIME = (1 << 255) - 19
ORDER = (1 << 252) + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_1 = pow(2, (PRIME - 1) // 4, PRIME)
NEUTRAL = (0, 1, 1, 0)


def decode_point(data):
    require(len(data) == 32, "a point that is not 32 bytes")
    number = int.from_bytes(data, "little")
    odd, y = number >> 255, number & ((1 << 255) - 1)
    require(y < PRIME, "a point whose y is not reduced")
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * ROOT_OF_MINUS_1 % PRIME
    require(x * x % PRIME == square, "a point that is not on the curve")
    require(x != 0 or not odd, "a point with x = 0 and a sign")
    if x & 1 != odd:
        x = PRIME - x
    return x, y, 1, x * y % PRIME


def add_points(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % PRIME
    b = (p[1] + p[0]) * (q[1] + q[0]) % PRIME
    c = 2 * CURVE_D * p[3] * q[3] % PRIME
    d = 2 * p[2] * q[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def add_multiples(m, p, n, q):
    """[m]p + [n]q, for m and n below the order."""
    terms = (None, p, q, add_points(p, q))
    total = NEUTRAL
    for bit in reversed(range(ORDER.bit_length())):
        total = add_points(total, total)
        term = terms[(m >> bit & 1) + 2 * (n >> bit & 1)]
        if term:
            total = add_points(total, term)
    return total


def is_small(point):
    x, y, z, _ = add_multiples(8, point, 0, NEUTRAL)
    return x == 0 and y == z


BASE = decode_point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))


def verify(public, message, signature):
    """Whether [s]B = R + [k]A, without the cofactor; neither R nor A may be of small order."""
    try:
        x, y, z, t = decode_point(public)
        r = decode_point(signature[:32])
    except Refused:
        return False
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER or is_small((x, y, z, t)) or is_small(r):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    point = add_multiples(s, BASE, k, (PRIME - x, y, z, PRIME - t))
    return (point[0] - r[0] * point[2]) % PRIME == 0 and (point[1] - r[1] * point[2]) % PRIME == 0


# X25519, RFC 7748 section 5.

def clamp(key):
    return bytes([key[0] & 0xF8]) + key[1:31] + bytes([key[31] & 0x7F | 0x40])


def x25519(private, public):
    scalar = int.from_bytes(clamp(private), "little")
    u = int.from_bytes(public, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in reversed(range(255)):
        if scalar >> bit & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        e = a * a - b * b
        x3, z3 = (d * a + c * b) ** 2 % PRIME, u * (d * a - c * b) ** 2 % PRIME
        x2, z2 = a * a * b * b % PRIME, e * (a * a + 121665 * e) % PRIME
        if scalar >> bit & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, -1, PRIME) % PRIME).to_bytes(32, "little") if z2 else bytes(32)


# XChaCha20-Poly1305, RFC 8439 and draft-irtf-cfrg-xchacha. Only a nonce of zeros is needed.

def chacha(key, counter):
    """The state before and after the twenty rounds."""
    start = struct.unpack("<16I", b"expand 32-byte k" + key + bytes([counter]) + bytes(15))
    state = list(start)

    def mix(a, b, c, turn):
        state[a] = state[a] + state[b] & 0xFFFFFFFF
        mixed = state[c] ^ state[a]
        state[c] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF

    for turn in range(20):
        for i in range(4):
            shift = turn % 2
            a, b, c, d = i, 4 + (i + shift) % 4, 8 + (i + 2 * shift) % 4, 12 + (i + 3 * shift) % 4
            mix(a, b, d, 16)
            mix(c, d, b, 12)
            mix(a, b, d, 8)
            mix(c, d, b, 7)
    return start, state


def unseal(key, context, sealed):
    """What is sealed: at most 64 bytes, then 16 of tag."""
    _, state = chacha(key, 0)
    key = struct.pack("<8I", *state[:4], *state[12:])
    pads = [struct.pack("<16I", *(a + b & 0xFFFFFFFF for a, b in zip(*chacha(key, i))))
            for i in range(2)]
    text, tag = sealed[:-16], sealed[-16:]
    signed = b"".join(part + bytes(-len(part) % 16) for part in (context, text))
    signed += struct.pack("<QQ", len(context), len(text))
    r = int.from_bytes(pads[0][:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(signed), 16):
        total += int.from_bytes(signed[at:at + 16] + b"\1", "little")
        total = total * r % ((1 << 130) - 5)
    total += int.from_bytes(pads[0][16:32], "little")
    require(total % (1 << 128) == int.from_bytes(tag, "little"), "a seal that does not hold")
    return bytes(a ^ b for a, b in zip(text, pads[1]))


# Checks of single values. Each takes what was read and returns what it means.

def ascending(items):
    return all(a < b for a, b in zip(items, items[1:]))


def sized(value, kind, low, high):
    require(type(value) is kind, f"not a {kind.__name__}")
    require(low <= len(value) <= high, f"not {low} to {high} of length")
    return value


# What a check must refuse, for the cases below, which add to it.
BAD = {}


def integer(low, high):
    def check(value):
        require(type(value) is int, "not an integer")
        require(low <= value <= high, f"not from {low} to {high}")
        return value
    BAD[check] = [None, True, *range(low)[-1:], *range(high + 1, min(high + 2, 1 << 64))]
    return check


def blob(size):
    def check(value):
        return sized(value, bytes, size, size)
    BAD[check] = [None, bytes(size - 1), bytes(size + 1)]
    return check


def blobs(size, low, high):
    """A bin that holds `low` to `high` entries of `size` bytes."""
    def check(value):
        sized(value, bytes, low * size, high * size)
        require(len(value) % size == 0, f"not a multiple of {size} bytes")
        return [value[at:at + size] for at in range(0, len(value), size)]
    return check


def boolean(value):
    require(type(value) is bool, "not a boolean")
    return value


def public_key(value):
    require(any(blob(32)(value)), "a key of zeros")
    return value


def name(value):
    require(NAME_CHARACTERS.issuperset(sized(value, str, 1, 64)), "a character that no name has")
    return value


def why_or_nil(value):
    return None if value is None else sized(value, str, 1, 79)


def name_or_nil(value):
    return None if value is None else name(value)


def names(value):
    result = [name(item) for item in sized(value, list, 0, 8)]
    require(ascending(result), "names that do not ascend")
    return result


def program(value):
    require(all("!" <= item <= "~" for item in sized(value, str, 1, 23)), "not printable")
    return value


def address(value):
    require(len(sized(value, bytes, 4, 16)) in (4, 16), "neither 4 nor 16 bytes of address")
    result = ipaddress.ip_address(value)
    require(result.version == 4 or result.ipv4_mapped is None, "an IPv4-mapped address")
    return result


def prefix(value):
    base = address(sized(value, bytes, 1, 17)[1:])
    require(value[0] <= base.max_prefixlen, "a prefix longer than its address")
    try:
        return ipaddress.ip_network((base, value[0]))
    except ValueError as error:
        raise Refused("bits behind the length of the prefix") from error


def prefixes(value):
    result = [prefix(item) for item in sized(value, list, 0, 16)]
    order = [(item.version, item.network_address.packed, item.prefixlen) for item in result]
    require(ascending(order), "prefixes that do not ascend")
    # In this order a prefix that overlaps any later one overlaps the next.
    require(not any(a.overlaps(b) for a, b in zip(result, result[1:])), "prefixes that overlap")
    return result


def claimed(value):
    result = prefixes(value)
    require(not any(item.overlaps(other) for item in result for other in RESERVED), "reserved")
    return result


def nat(value):
    """Mapping, filtering, allocation, remapped."""
    integer(1, 0x7F)(value)
    return [value & 3, value >> 2 & 3, value >> 4 & 3, value >> 6]


def endpoints(value):
    result = []
    for item in sized(value, list, 1, 8):
        base, port = address(sized(item, bytes, 6, 18)[:-2]), int.from_bytes(item[-2:], "big")
        require(port != 0, "port 0")
        result.append(f"{base}:{port}" if base.version == 4 else f"[{base}]:{port}")
    return result


def joined(*parts):
    return "/".join(part.hex() if type(part) is bytes else str(part) for part in parts)


def services(value):
    for item in sized(value, list, 1, 8):
        sized(item, list, 3, 3)
        name(item[0]), integer(0, 0xFF)(item[1]), integer(0, 0xFFFF)(item[2])
    require(ascending([item[0] for item in value]), "services that do not ascend")
    return [joined(*item) for item in value]


def links(value):
    result = list(struct.iter_unpack(">8sH", b"".join(blobs(10, 1, 16)(value))))
    require(ascending([peer for peer, _ in result]), "links that do not ascend")
    return [joined(*link) for link in result]


def rows(value):
    return [joined(row[:8], int.from_bytes(row[8:12], "big"), int.from_bytes(row[12:], "big"))
            for row in blobs(18, 0, 64)(value)]


def kept(value):
    require(ascending(blobs(16, 0, 48)(value)), "hashes that do not ascend")
    return value


def fact_list(value):
    return [sized(item, bytes, 1, FACT_MAX) for item in sized(value, list, 1, 16)]


def status(value):
    integer(0, 255)(value)
    return value if 1 <= value <= 8 else 7


moment = integer(0, TIME_MAX)
version = integer(1, OUT - 1)
count = integer(0, (1 << 32) - 1)
bits = integer(0, (1 << 32) - 1)
some_bits = integer(1, (1 << 32) - 1)
short_hash = blob(16)
row_id = blob(8)
signature_item = blob(64)


# --- 3. Facts -------------------------------------------------------------------------------------

FACT_MAX = 1024
SIGNATURE = 64
FORMAT = 1
FLAG_LEFT = 1

# By kind: its name, then for the keys from 2 on the name, the check and, if the field is optional,
# what it is when it is absent.
KINDS = {
    1: ("delegation", (
        ("admin", public_key), ("version", version), ("name", name), ("grants", bits),
        ("within", prefixes), ("tags", names), ("issued_at", moment),
        ("since", moment),
    )),
    2: ("certificate", (
        ("site", public_key), ("version", version), ("backbone", public_key),
        ("links", public_key), ("name", name), ("address", address), ("subnets", claimed),
        ("routes", claimed), ("tags", names), ("roles", bits), ("since", moment),
        ("issued_at", moment), ("issuer", short_hash), ("not_after", integer(1, TIME_MAX), 0),
    )),
    3: ("revocation", (
        ("subject", short_hash), ("reason", integer(0, 255)), ("issuer", short_hash),
        ("issued_at", moment),
    )),
    4: ("removal", (
        ("subject", short_hash), ("parts", integer(1, 32)), ("part", integer(0, 31)),
        ("issued_at", moment), ("kept", kept),
    )),
    5: ("record", (
        ("site", public_key), ("sequence", integer(1, (1 << 48) - 1)), ("issued_at", moment),
        ("lifetime", integer(0, 87600)), ("protocol", integer(0, 0xFFFF)), ("program", program),
        ("flags", some_bits, 0), ("nat", nat, [0, 0, 0, 0]), ("roles", some_bits, 0),
        ("endpoints", endpoints, []), ("services", services, []), ("links", links, []),
        ("admin", public_key, b""),
    )),
}


class Signed(NamedTuple):
    """A fact or a message: what it says, and what its signature is over, beside the collective."""

    sort: str
    fields: dict
    tag: bytes = b""
    body: bytes = b""
    signature: bytes = b""


def checked(label, check, value):
    try:
        return check(value)
    except Refused as error:
        raise Refused(f"{label}: {error}") from error


def check_together(fields):
    """The rules about several fields."""
    if "backbone" in fields:
        require(fields["links"] != fields["backbone"], "one key for backbone and links")
    if "subnets" in fields:
        require(any(fields["address"] in subnet for subnet in fields["subnets"]),
                "an address outside of the subnets")
    if "since" in fields:
        require(fields["since"] <= fields["issued_at"], "since a time after it was issued")
    if "parts" in fields:
        require(fields["part"] < fields["parts"], "a part behind the last one")
    if "lifetime" in fields:
        left = fields["flags"] & FLAG_LEFT
        require(fields["lifetime"] <= (87600 if left else 86400), "a lifetime too long")
    if "range_hash" in fields:
        # Several rows may have one id: a site or an admin, and each fact that put it out.
        ids = [bytes.fromhex(row.split("/")[0]) for row in fields["rows"]]
        require(fields["first"] <= fields["end"], "the first behind the last")
        require(ids == sorted(ids), "rows that do not ascend")
        require(all(fields["first"] <= item <= fields["end"] for item in ids),
                "a row outside of the range")


def decode_fact(data):
    require(len(data) <= FACT_MAX, "a fact of too many bytes")
    reader = Reader(data)
    body = reader.value()
    require(type(body) is dict, "a body that is not a map")
    require(reader.left() == SIGNATURE, "not 64 bytes of signature behind the body")
    kind = integer(1, len(KINDS))(body.get(0))
    checked("format", integer(FORMAT, FORMAT), body.get(1))
    sort, known = KINDS[kind]
    fields = {}
    for key, (label, check, *absent) in enumerate(known, 2):
        require(absent or key in body, f"{label} is missing")
        fields[label] = checked(label, check, body[key]) if key in body else absent[0]
    check_together(fields)
    tag = b"collective fact 1\0" + bytes([kind])
    return Signed(sort, fields, tag, data[:reader.at], data[reader.at:])


def is_signed(what, signer, collective):
    return verify(signer, what.tag + collective + what.body, what.signature)


def may_sign(fields, signer, root):
    """Whether this names the signer, or is a fact that the root signs and this is the root."""
    if "issuer" in fields:
        return digest(signer) == fields["issuer"]
    return signer == fields.get("site", root)


# --- 5. and 7. Messages ---------------------------------------------------------------------------

MESSAGE_MAX = 1232
MEMBERSHIP_MAX = 1200
ITEMS_MAX = 32
PROTOCOL = 1
MEMBERSHIP = 16  # the first type of section 7

STATE = (("answer", boolean), ("facts", count), ("facts_hash", short_hash),
         ("revocations", count), ("revocations_hash", short_hash))

# By type: its name, then the items from 4 on.
TYPES = {
    1: ("hello", (*STATE, ("boot", integer(0, (1 << 64) - 1)))),
    2: ("summary", STATE),
    3: ("digest", (
        ("first", row_id), ("end", row_id), ("out", boolean), ("range_hash", short_hash),
        ("rows", rows),
    )),
    4: ("want", (("rows", rows),)),
    5: ("ihave", (("rows", rows),)),
    6: ("delta", (("fact_list", fact_list),)),
    16: ("join-request", (
        ("invite", short_hash), ("site", public_key), ("backbone", public_key),
        ("links", public_key), ("signature", signature_item),
    )),
    17: ("join-reply", (
        ("invite", short_hash), ("site", public_key), ("status", status), ("name", name_or_nil),
        ("contact", name_or_nil),
    )),
    18: ("petition", (
        ("site", public_key), ("version", integer(1, OUT - 2)), ("backbone", public_key),
        ("links", public_key), ("routes", prefixes), ("signature", signature_item),
    )),
    19: ("grant", (
        ("issuer", short_hash), ("invite", short_hash), ("peer", public_key),
        ("ephemeral", public_key), ("sealed", blob(48)), ("join_number", integer(1, 254)),
        ("name", name), ("reserved", prefix), ("routes", prefixes), ("tags", names),
        ("expires", moment), ("approval", boolean), ("signature", signature_item),
    )),
    20: ("grant-answer", (("invite", short_hash), ("why", why_or_nil))),
}
TAGS = {16: b"collective join 1\0", 18: b"collective petition 1\0", 19: b"collective grant 1\0"}


def decode_message(data, collective):
    require(len(data) <= MESSAGE_MAX, "a message of too many bytes")
    reader = Reader(data)
    items = reader.value()
    require(reader.left() == 0, "bytes behind the end")
    sized(items, list, 4, ITEMS_MAX)
    kind = items[0]
    require(type(kind) is int and kind in TYPES, "a type that is not known")
    require(kind < MEMBERSHIP or len(data) <= MEMBERSHIP_MAX, "a message of too many bytes")
    own = collective if kind >= MEMBERSHIP else collective[:8]
    sort, known = TYPES[kind]
    known = (("type", integer(1, 20)), ("protocol", integer(1, 0xFFFF)),
             ("collective", blob(len(own))), ("clock", moment), *known)
    require(len(items) >= len(known), "an item is missing")
    fields = {label: checked(label, check, item) for (label, check), item in zip(known, items)}
    require(fields["collective"] == own, "a message of another collective")
    check_together(fields)
    if kind not in TAGS:
        return Signed(sort, fields)
    body = data[:reader.items[len(known) - 1]]
    return Signed(sort, fields, TAGS[kind], body, fields["signature"])


def open_grant(fields, private):
    """The preshared key that a grant holds for the hub of this private key."""
    public = x25519(private, (9).to_bytes(32, "little"))
    shared = x25519(private, fields["ephemeral"])
    require(any(shared), "a shared secret of zeros")
    key = digest(b"collective grant seal 1\0" + shared + fields["ephemeral"] + public, 32)
    return unseal(key, fields["invite"], fields["sealed"])


# --- 6. Invites -----------------------------------------------------------------------------------

HOST_CHARACTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_")


def decode_invite(text):
    head, mark, rest = re.sub(r"[ \t\r\n]", "", text).partition("_")
    number = head.removeprefix("collective")
    require(mark and number != head and number.isdecimal(), "no invite")
    require(number == "1", "an invite of a newer program")
    try:
        data = base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4))
    except ValueError as error:
        raise Refused("no base64") from error
    require(base64.urlsafe_b64encode(data).decode().rstrip("=") == rest, "no base64")
    require(digest(data[:-4])[:4] == data[-4:], "the checksum is wrong")
    reader = Reader(data[:-4])

    def number_of(size):
        return int.from_bytes(reader.take(size), "big")

    def range_of(what):
        base = reader.take(4)
        return what(reader.take(1) + base)

    def interface(value):
        require(value[0] <= 32, "a prefix longer than its address")
        return ipaddress.ip_interface((value[1:], value[0]))

    def endpoint():
        size = integer(1, 64)(number_of(1))
        host_name = reader.take(size)
        require(HOST_CHARACTERS.issuperset(host_name), "a character that no host has")
        return f"{host_name.decode()}/{integer(1, 0xFFFF)(number_of(2))}"

    fields = {
        "root": public_key(reader.take(32)),
        "supernet": range_of(prefix),
        "hub": range_of(interface),
        "hub_key": public_key(reader.take(32)),
        "join_address": f"169.254.77.{integer(1, 254)(number_of(1))}",
        "reserved": range_of(prefix),
        "expires": number_of(5),
        "approval": number_of(1) & 1,
        "secret": public_key(reader.take(32)),
        "endpoints": [endpoint() for _ in range(integer(1, 3)(number_of(1)))],
    }
    require(reader.left() == 0, "bytes behind the end")
    require(fields["reserved"].subnet_of(fields["supernet"]), "reserved outside of the supernet")
    hub = fields["hub"].ip
    require(hub in fields["supernet"], "a hub outside of the supernet")
    require(hub not in fields["reserved"], "a hub inside of what is reserved")
    secret = fields["secret"]
    fields["private"] = clamp(digest(b"collective join key", 32, secret))
    fields["preshared"] = digest(b"collective join preshared key", 32, secret)
    fields["id"] = digest(b"collective join id", 16, secret)
    return fields


# --- The vectors ----------------------------------------------------------------------------------

SORTS = ("fact", "message", "invite", "membership", "preshared")


class Block(NamedTuple):
    sort: str
    name: str
    lines: dict

    def text(self, key):
        values = self.lines.get(key, [])
        expect(len(values) == 1, f"line '{key}' does not have one value")
        return values[0]

    def hex(self, key):
        return bytes.fromhex(self.text(key))


def read_vectors(path):
    with open(path, encoding="ascii") as file:
        text = "".join(line for line in file if not line.startswith("#"))
    blocks = []
    for part in re.split(r"\n{2,}", text.strip()):
        lines = [line.split() for line in part.splitlines()]
        sort, label = "root", "root"  # any other block is named by its first line
        if blocks:
            expect(lines[0][0] in SORTS and len(lines[0]) == 2, f"'{lines[0]}' is not known here")
            sort, label = lines.pop(0)
        blocks.append(Block(sort, label, {key: values for key, *values in lines}))
        expect(len(blocks[-1].lines) == len(lines), f"{sort} {label}: a line given twice")
    expect(len({block[:2] for block in blocks}) == len(blocks), "a name given twice")
    return blocks


def words(value):
    """A decoded value as a line of the vectors has it."""
    if isinstance(value, list):
        return [word for item in value for word in words(item)]
    if value is None:
        return []
    if isinstance(value, bytes):
        return [value.hex()] if value else []
    return [str(int(value) if isinstance(value, bool) else value)]


def compare(listed, decoded, used):
    """Holds listed lines against decoded fields; `used` are the keys of lines that are no field."""
    listed = {key: values for key, values in listed.items() if key not in used}
    for key in listed.keys() | decoded.keys():
        expect(key in decoded, f"line '{key}' is not known here")
        expect(key in listed, f"no line for decoded field '{key}'")
        got = words(decoded[key])
        expect(listed[key] == got, f"{key}: listed {listed[key]}, decoded {got}")


# --- Cases ----------------------------------------------------------------------------------------

def must_refuse(what, why, function, *arguments):
    """Expects Refused, and if `why` is given, this text in it."""
    try:
        function(*arguments)
    except Refused as error:
        expect(why is None or why in str(error), f"{what}: refused, but because: {error}")
        return
    raise Failure(f"{what}: was taken")


def case_complete(blocks):
    wanted = {("root", "root"), ("invite", "sample"), ("preshared", "next")}
    wanted |= {("fact", sort) for sort, _ in KINDS.values()}
    wanted |= {("message" if kind < MEMBERSHIP else "membership", sort)
               for kind, (sort, _) in TYPES.items()}
    got = {(block.sort, block.name.split("-")[0] if block.sort == "fact" else block.name)
           for block in blocks}
    expect(got == wanted, f"missing or not known: {sorted(got ^ wanted)}")
    missing = RULES.keys() - {block.name for block in blocks}
    expect(not missing, f"no blocks {sorted(missing)}, whose rules are to be broken")


def case_fields(block, root, collective, decode, *arguments):
    data = block.hex("bytes")
    what = decode(data, *arguments)
    fields, used = dict(what.fields), {"bytes"}
    expect(what.sort in (block.name, block.name.split("-")[0]), f"decoded as {what.sort}")
    if what.tag:
        signer = block.hex("signer")
        expect(may_sign(fields, signer, root), "the signer is not the one that must sign this")
        expect(is_signed(what, signer, collective), "the signature is wrong")
        used.add("signer")
    if block.sort == "fact":
        fields["hash"] = digest(data)
    else:
        # No lines list these: the decoder has held one against the collective, this is the other.
        expect(fields.pop("protocol") == PROTOCOL, "another protocol version")
        del fields["collective"]
        fields.pop("signature", None)
    if "sealed" in fields:
        fields["preshared"] = open_grant(fields, block.hex("hub_private"))
        del fields["sealed"], fields["ephemeral"]
        used.add("hub_private")
    if "fact_list" in fields:
        facts = [decode_fact(item) for item in fields.pop("fact_list")]
        fields["fact_count"] = len(facts)
        for fact in facts:
            expect(fact.sort != "delegation" or is_signed(fact, root, collective), "a wrong fact")
    compare(block.lines, fields, used)


def case_out_row(block, collective):
    """The row that tells of a fact, made by hand: id of the subject, version, start of the hash."""
    start, end = block.text("subject")[:16], block.text("hash")[:12]
    row = bytes.fromhex(start + "ffffffff" + end)
    for kind, items in ((3, [bytes(8), b"\xff" * 8, True, bytes(16)]), (4, []), (5, [])):
        message = pack([kind, PROTOCOL, collective[:8], 0, *items, row])
        got = decode_message(message, collective).fields["rows"]
        expect(got == [f"{start}/{OUT}/{int(end, 16)}"], f"type {kind}: decoded as {got}")


def case_seal(block, collective):
    fields = decode_message(block.hex("bytes"), collective).fields
    private = block.hex("hub_private")
    for label in ("invite", "sealed", "ephemeral"):
        changed = {**fields, label: bytes([fields[label][0] ^ 1]) + fields[label][1:]}
        must_refuse(f"{label} changed", "seal", open_grant, changed, private)
    low = {**fields, "ephemeral": b"\1" + bytes(31)}
    must_refuse("an ephemeral key of small order", "zeros", open_grant, low, private)
    must_refuse("another hub", "seal", open_grant, fields, private[:-1] + b"\1")


def case_flips(data, signer, collective, decode, *arguments):
    """One bit at a time: five before the signature, three in it."""
    end, start = 8 * len(data), 8 * (len(data) - SIGNATURE)
    places = [start * (2 * i + 1) // 10 for i in range(5)]
    places += [start + (end - start) * (2 * i + 1) // 6 for i in range(3)]
    for place in places:
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        try:
            what = decode(bytes(changed), *arguments)
        except Refused:
            continue
        expect(not is_signed(what, signer, collective), f"bit {place}: the signature still holds")


def case_cuts(data, decode, *arguments):
    for size in range(len(data)):
        must_refuse(f"the first {size} bytes", None, decode, data[:size], *arguments)
    must_refuse("a byte more", None, decode, data + b"\0", *arguments)


def case_elsewhere(data, signer, collective, decode, *arguments):
    other = collective[:7] + bytes([collective[7] ^ 1]) + collective[8:]
    if arguments:
        must_refuse("for another collective", "another collective", decode, data, other)
    if signer:
        what = decode(data, *arguments)
        expect(not is_signed(what, signer, other), "the signature holds there, too")


def case_rules(data, broken, decode, *arguments):
    """Breaks one rule at a time; signatures are of no account here."""
    is_fact = not arguments
    body = unpack(data[:-SIGNATURE] if is_fact else data)
    entries = body if is_fact else dict(enumerate(body))

    def rebuilt(changes):
        changed = {key: item for key, item in {**entries, **changes}.items() if item is not ABSENT}
        if is_fact:
            return decode(pack(changed) + bytes(SIGNATURE)).fields
        return decode(pack(list(changed.values())), *arguments).fields

    fields = decode(data, *arguments).fields
    deep, deeper = (unpack(b"\x91" * depth + b"\x90") for depth in (DEPTH - 1, DEPTH))
    expect(rebuilt({}) == fields, "another value when written anew")
    for unknown in (None, 1 << 40, b"\0", "\u00fc", "\udcff", {1: [True]}, deep):
        expect(rebuilt({99: unknown}) == fields, f"{unknown!r} behind the end is not passed over")
    must_refuse("deep nesting", "too deep", rebuilt, {99: deeper})
    most = FACT_MAX if is_fact else MEMBERSHIP_MAX if body[0] >= MEMBERSHIP else MESSAGE_MAX
    room = most - len(data) - 4  # about 4 for heads and a key
    expect(rebuilt({99: bytes(room - 4)}) == fields, "nearly as many bytes as fit: not taken")
    must_refuse("a few bytes too many", "too many bytes", rebuilt, {99: bytes(room + 4)})
    must_refuse("far too many bytes", "too many bytes", rebuilt, {99: bytes(MESSAGE_MAX)})
    known, first = (KINDS[body[0]][1], 2) if is_fact else (TYPES[body[0]][1], 4)
    for key, (label, check, *absent) in enumerate(known, first):
        for item in [{}, *BAD[check]]:
            must_refuse(f"{item!r:.60} as {label}", f"{label}: ", rebuilt, {key: item})
        if is_fact and not absent:
            must_refuse(f"no {label}", "missing", rebuilt, {key: ABSENT})
    if is_fact:
        must_refuse("an array as body", "not a map", decode, pack([1]) + bytes(SIGNATURE))
        always = ((0, 0, "1 to 5"), (0, 6, "1 to 5"), (1, 0, "format"), (1, 2, "format"),
                  (0, ABSENT, "integer"), (1, ABSENT, "format"))
    else:
        fill = {key: 0 for key in range(len(body), ITEMS_MAX)}
        expect(rebuilt(fill) == fields, "32 items are not taken")
        must_refuse("33 items", "4 to 32", rebuilt, {**fill, 99: 0})
        must_refuse("an item less", "missing", rebuilt, {len(body) - 1: ABSENT})
        always = ((0, 0, "type"), (0, 7, "type"), (0, 15, "type"), (0, 21, "type"),
                  (1, 0, "protocol"), (1, 1 << 16, "protocol"), (1, 0xFFFF, TAKEN),
                  (2, body[2] + b"\0", "collective"), (2, bytes(len(body[2])), "collective"),
                  (3, TIME_MAX, TAKEN), (3, TIME_MAX + 1, "clock"))
    for key, item, why in always + broken:
        if why is TAKEN:
            rebuilt({key: item})
        else:
            must_refuse(f"{item!r:.60} as {key}", why, rebuilt, {key: item})


def case_invite_typing(text):
    fields = decode_invite(text)
    for gap in (" ", "\t", "\r\n"):
        expect(decode_invite(gap + gap.join(text) + gap) == fields, "white space is in the way")
    for gap in ("\f", "\v", "\u00a0"):
        must_refuse(f"{gap!r} at the end", None, decode_invite, text + gap)
    for at, letter in enumerate(text):
        for other in ("", "A" if letter != "A" else "B", "+", "=", "\u00e4", letter * 2):
            changed = text[:at] + other + text[at + 1:]
            must_refuse(f"{other!r} as character {at}", None, decode_invite, changed)
        swapped = text[:at] + text[at + 1:at + 2] + letter + text[at + 2:]
        if swapped != text:
            must_refuse(f"characters {at} and {at + 1} swapped", None, decode_invite, swapped)
    for start in ("collective2_", "collective10_"):
        changed = text.replace("collective1_", start)
        must_refuse(start, "newer program", decode_invite, changed)


def case_invite_rules(text):
    start, _, rest = text.partition("_")
    data = base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4))[:-4]

    def rebuilt(at, end, new):
        changed = data[:at] + new + data[end:]
        changed = base64.urlsafe_b64encode(changed + digest(changed)[:4]).decode().rstrip("=")
        return decode_invite(f"{start}_{changed}")

    size, host_size = len(data), data[119]
    end = 120 + host_size
    expect(rebuilt(0, 0, b"") == decode_invite(text), "another invite when written anew")
    expect(rebuilt(85, 86, b"\xfe")["approval"] == 0, "other flags are not passed over")
    expect(rebuilt(119, end, b"\x40" + b"a" * 64), "a host of 64 letters is not taken")
    for at, stop, new, why in (
            (0, 32, bytes(32), "zeros"), (32, 36, host("10.100.0.1"), "bits behind"),
            (36, 37, b"\x21", "longer"), (41, 42, b"\x21", "longer"), (42, 74, bytes(32), "zeros"),
            (37, 41, host("10.101.1.1"), "hub outside"), (37, 41, host("10.100.3.1"), "hub inside"),
            (86, 118, bytes(32), "zeros"),
            (74, 75, b"\0", "1 to 254"), (74, 75, b"\xff", "1 to 254"),
            (75, 79, host("10.101.3.0"), "outside"), (75, 79, host("10.100.3.1"), "bits behind"),
            (79, 80, b"\x08", "bits behind"), (118, size, b"\0", "1 to 3"),
            (118, 119, b"\4", "1 to 3"), (118, 119, b"\3", "too early"),
            (118, 119, b"\1", "behind the end"), (119, end, b"\0", "1 to 64"),
            (119, end, b"\x41" + b"a" * 65, "1 to 64"), (120, 121, b" ", "character"),
            (120, 121, b"\xe4", "character"), (end, end + 2, b"\0\0", "1 to 65535"),
            (size, size, b"\0", "behind the end")):
        must_refuse(f"bytes {at} to {stop} as {new.hex()}", why, rebuilt, at, stop, new)


def case_wire():
    """Values of every form, and bytes that no reader takes."""
    taken = {
        "c0": None, "c2": False, "c3": True, "00": 0, "7f": 127, "cc80": 128, "ccff": 255,
        "cd0100": 256, "ce00010000": 1 << 16, "cf0000000100000000": 1 << 32,
        "cfffffffffffffffff": (1 << 64) - 1, "ff": -1, "e0": -32, "d0df": -33, "d080": -128,
        "d1ff7f": -129, "d2ffff7fff": -(1 << 15) - 1, "d3ffffffff7fffffff": -(1 << 31) - 1,
        "d38000000000000000": -(1 << 63), "a0": "", "a161": "a", "c400": b"", "c40100": b"\0",
        "90": [], "920190": [1, []], "80": {}, "8201020304": {1: 2, 3: 4},
    }
    for data, value in taken.items():
        got = unpack(bytes.fromhex(data))
        expect(type(got) is type(value) and got == value, f"{data}: decoded as {got!r}")
    refused = {
        NOT_SHORTEST: (
            "cc7f", "cd00ff", "ce0000ffff", "cf00000000ffffffff", "d000", "d0e0", "d0ff", "d1ff80",
            "d10080", "d2ffff8000", "d3ffffffff80000000", "d90161", "da000161", "db0000000161",
            "c5000100", "c60000000100", "dc0000", "dd00000000", "de0000", "df00000000", "81cc0000"),
        "ascend": ("8201000000", "8200000000"),
        "unsigned": ("81ff00", "81a000", "81c000", "81c40000"),
        "no form": ("c1", "ca00000000", "cb0000000000000000", "c7000100", "c80000", "c900000000",
                    "d40100", "d50100", "d60100", "d70100", "d80100"),
        "end too early": ("", "cc", "cd01", "a1", "c401", "c6ffffffff00", "dbffffffff00", "d0"),
        "more items": ("91", "dc001000", "ddffffffff00"),
        "more entries": ("8100", "820000", "de00100000", "dfffffffff0000"),
        "behind the end": ("0000", "9000"),
        "too deep": ("91" * (DEPTH + 1) + "90", "8100" * (DEPTH + 1) + "80", "91" * 100 + "90"),
    }
    for why, examples in refused.items():
        for data in examples:
            must_refuse(data or "nothing", why, unpack, bytes.fromhex(data))


def case_ed25519():
    """What is refused. With the base as public key the private one is 1, and s = r + k."""
    base, nothing = BASE[1].to_bytes(32, "little"), (1).to_bytes(32, "little")

    def sign(point, r, more=0):
        k = int.from_bytes(hashlib.sha512(point + base).digest(), "little")
        return point + ((r + k) % ORDER + more).to_bytes(32, "little")

    def point(y, odd=0):
        return decode_point((y + (odd << 255)).to_bytes(32, "little"))

    good = sign(base, 1)
    expect(verify(base, b"", good), "a good signature does not verify")
    for what, message, bad in (("another message", b"\0", good), ("shorter", b"", good[:-1]),
                               ("longer", b"", good + b"\0"), ("s + L", b"", sign(base, 1, ORDER)),
                               ("an R of small order", b"", sign(nothing, 0))):
        expect(not verify(base, message, bad), f"{what}: verifies")
    expect(not verify(nothing, b"", base + nothing), "a public key of small order verifies")
    expect(is_small(point(0)) and not is_small(BASE), "small order is not told")
    must_refuse("33 bytes", "32 bytes", decode_point, b"\1" + bytes(32))
    must_refuse("y = p", "reduced", point, PRIME)
    must_refuse("y = 1 and a sign", "sign", point, 1, 1)
    must_refuse("y = 2", "curve", point, 2)


def net(text):
    """A prefix as a fact has it; bits behind the length are left as they are."""
    base, length = text.split("/")
    return bytes([int(length)]) + ipaddress.ip_address(base).packed


def host(text, port=b""):
    return ipaddress.ip_address(text).packed + port


ABSENT, TAKEN = object(), object()

BAD[public_key] = [bytes(32), b"\1" * 31, b"\1" * 33]
BAD[name] = ["", "a" * 65, "Site", "a b", "a_b", "\u00e4", b"site"]
BAD[name_or_nil] = BAD[name]
BAD[names] = [["b", "a"], ["a", "a"], [""], [f"t{i}" for i in range(9)], "a"]
BAD[program] = ["", "x" * 24, "a b", "a\x7f", "\u00e4", b"a"]
BAD[boolean] = [0, 1, None]
BAD[address] = [host("::ffff:10.100.1.1"), bytes(5), b""]
BAD[prefix] = [net("10.100.1.1/24"), net("2001:db8::1/64"), net("10.100.1.0/33"),
               net("2001:db8::/129"), net("::ffff:10.0.0.0/104"), b"", bytes(4), bytes(6)]
BAD[prefixes] = [[item] for item in BAD[prefix]] + [[net(item) for item in items] for items in (
    ("10.100.2.0/24", "10.100.1.0/24"), ("2001:db8::/32", "10.100.1.0/24"),
    ("10.100.1.0/24", "10.100.1.0/24"), ("10.100.0.0/16", "10.100.1.0/24"),
    ("10.100.0.0/16", "10.100.0.0/24"), [f"10.100.{i}.0/24" for i in range(17)])]
BAD[claimed] = BAD[prefixes] + [[net(item)] for item in (
    "0.0.0.0/0", "::/0", "0.1.0.0/16", "126.0.0.0/7", "169.254.77.0/24", "224.0.0.0/8",
    "255.255.255.255/32", "::/127", "::1/128", "fe80::/64", "ff02::/16")]
BAD[nat] = [0, 128]
BAD[endpoints] = [[], [host("192.0.2.1", b"\1\1")] * 9, [host("192.0.2.1", b"\0\0")],
                  [host("192.0.2.1")], [host("::ffff:192.0.2.1", b"\1\1")], [b"\1"]]
BAD[services] = [[], [["a", 6]], [["a", 6, 80, 0]], [["A", 6, 80]], [["a", 256, 80]],
                 [["a", 6, 65536]], [["b", 6, 80], ["a", 6, 80]], [["a", 6, 80], ["a", 6, 81]],
                 [[f"s{i}", 6, 80] for i in range(9)]]
BAD[links] = [b"", bytes(11), bytes(20), b"".join(bytes([i]) + bytes(9) for i in range(17))]
BAD[rows] = [bytes(17), ""]
BAD[kept] = [bytes(17), bytes(32), b"\2" * 16 + b"\1" * 16,
             b"".join(bytes(15) + bytes([i]) for i in range(49))]
BAD[fact_list] = [[], [b"\0"] * 17, [0], b"", [b""], [bytes(FACT_MAX + 1)]]
BAD[status] = [None, True, "", 256]

ALL_BITS = (1 << 32) - 1
OUT_ROWS = b"".join(b"\2" * 8 + b"\xff" * 4 + part for part in (
    b"\xff" * 6, bytes(6), b"\xa1\xb2\xc3\xd4\xe5\xf6", b"\0\0\0\0\0\1"))
ROWS = ((4, OUT_ROWS, TAKEN), (4, bytes(18 * 65), "rows"), (4, bytes(18 * 64), TAKEN),
        (4, b"", TAKEN), (4, b"\2" * 8 + b"\xff" * 10 + b"\1" * 18, TAKEN))
SAME_KEYS = ((7, b"\1" + bytes(31), "one key"),)

# By block, beside BAD: key or item, what to put there, and why that is refused.
RULES = {
    "delegation": (
        (5, ALL_BITS, TAKEN), (3, OUT - 1, TAKEN), (9, 0, TAKEN), (8, TIME_MAX, TAKEN),
        (9, 1789999000001, "after it was issued"), (9, TIME_MAX, "after it was issued"),
        (8, 1789998999999, "after it was issued"), (8, 0, "after it was issued"),
        (9, ABSENT, "since is missing"),
    ),
    "certificate-full": (
        (5, b"\4\0\1" + bytes(29), "one key"), (7, host("10.200.0.1"), "outside"),
        (8, [], "outside"), (11, ALL_BITS, TAKEN), (12, TIME_MAX, "after it was issued"),
        (13, 0, "after it was issued"), (15, ABSENT, TAKEN),
    ),
    "revocation": ((3, 255, TAKEN),),
    "removal": ((4, 1, "behind the last"), (6, b"", TAKEN)),
    "record-full": (
        (5, 0, TAKEN), (6, 0, TAKEN), (8, 2, "lifetime"), (8, ABSENT, "lifetime"),
        (8, ALL_BITS, TAKEN), (9, 127, TAKEN), (10, ALL_BITS, TAKEN),
    ),
    "hello": ((5, ALL_BITS, TAKEN), (9, (1 << 64) - 1, TAKEN)),
    "summary": (),
    "digest": (
        (8, b"\2" * 18 + b"\1" * 18, "ascend"), (8, b"\1" * 36, TAKEN), (8, bytes(18 * 64), TAKEN),
        (8, OUT_ROWS, TAKEN), (8, b"\2" * 18 + OUT_ROWS, TAKEN), (8, OUT_ROWS + b"\2" * 18, TAKEN),
        (4, b"\2" * 8, "outside"), (5, b"\2" * 8, "outside"), (4, b"\xff" * 8, "outside"),
    ),
    "want": ROWS,
    "ihave": ROWS,
    "delta": ((4, [b"\0"] * 16, TAKEN), (4, [bytes(FACT_MAX)], TAKEN)),
    "join-request": SAME_KEYS,
    "join-reply": ((6, 0, TAKEN), (6, 8, TAKEN), (6, 255, TAKEN), (7, None, TAKEN),
                   (8, "admin", TAKEN)),
    "petition": ((5, OUT - 2, TAKEN), (5, OUT - 1, "version"), (8, [], TAKEN), *SAME_KEYS),
    "grant": ((9, 254, TAKEN), (12, [], TAKEN), (13, [], TAKEN)),
}


def all_cases(blocks):
    """Every case: name, function, arguments."""
    root = blocks[0].hex("root")
    collective = collective_id(root)
    cases = [
        ("root: the collective's id follows from the key", compare,
         blocks[0].lines, {"root": root, "collective": collective}, ()),
        ("everything has an example", case_complete, blocks),
        ("wire form", case_wire),
        ("Ed25519", case_ed25519),
    ]
    for block in blocks[1:]:
        title = f"{block.sort} {block.name}"
        if block.sort == "preshared":
            before, fresh = block.hex("before"), block.hex("fresh")
            mask = digest(b"collective preshared key 2\0" + fresh, 32)
            after = bytes(a ^ b for a, b in zip(before, mask))
            cases.append((f"{title}: the rule", compare, block.lines,
                          {"before": before, "fresh": fresh, "after": after}, ()))
            continue
        if block.sort == "invite":
            text = block.text("text")
            cases += [
                (f"{title}: fields and what follows from the secret", compare, block.lines,
                 decode_invite(text), ("text",)),
                (f"{title}: a typing error is noticed", case_invite_typing, text),
                (f"{title}: broken rules are refused", case_invite_rules, text),
            ]
            continue
        data, is_fact = block.hex("bytes"), block.sort == "fact"
        signer = block.hex("signer") if "signer" in block.lines else None
        decoder = (decode_fact,) if is_fact else (decode_message, collective)
        cases += [
            (f"{title}: what it says and who signed it", case_fields, block, root, collective,
             *decoder),
            (f"{title}: not for another collective", case_elsewhere, data, signer, collective,
             *decoder),
            (f"{title}: shorter or longer bytes are refused", case_cuts, data, *decoder),
        ]
        if signer:
            cases.append((f"{title}: a flipped bit is noticed", case_flips, data, signer,
                          collective, *decoder))
        if is_fact and block.name in ("revocation", "removal"):
            cases.append((f"{title}: the row that tells of it", case_out_row, block, collective))
        if "hub_private" in block.lines:
            cases.append((f"{title}: the seal", case_seal, block, collective))
        if block.name in RULES:
            cases.append((f"{title}: broken rules are refused", case_rules, data,
                          RULES[block.name], *decoder))
    return cases


def main():
    if len(sys.argv) != 2:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        cases = all_cases(read_vectors(sys.argv[1]))
    except (OSError, ValueError, Failure, Refused) as error:
        print("1..1", "not ok 1 - the vectors can be read", f"# {error}", sep="\n")
        return 1

    failed = 0
    print(f"1..{len(cases)}")
    for at, (title, function, *arguments) in enumerate(cases, 1):
        try:
            function(*arguments)
            print(f"ok {at} - {title}")
        except Exception as error:  # whatever goes wrong is a failure of this case alone
            failed += 1
            print(f"not ok {at} - {title}", f"# {type(error).__name__}: {error}", sep="\n")
    print(f"# {len(cases) - failed} of {len(cases)} cases passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
