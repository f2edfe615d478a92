"""A DNS server for the scene: scripted zones, over UDP and TCP, and a list of every query that came.

A name's entry in ZONE is a list of answers, one for each look-up of it (the last one stays). An answer is
an Answer: addresses and the way they are sent. What is in no zone does not exist (NXDOMAIN).
"""
import asyncio
import ipaddress
import struct

A, CNAME, PTR, AAAA, OPT = 1, 5, 12, 28, 41
TYPES = {A: "A", CNAME: "CNAME", PTR: "PTR", AAAA: "AAAA"}


class Answer:
    """One answer.

    addresses   of both families, as text
    via         the chain of names that leads to them, each a CNAME
    code        the response code
    how         "plain"; "silent": none at all; "slow": after everybody gave up; "truncated": over UDP only
                that there is more over TCP; "spoof-id", "spoof-name": a wrong one goes before the right one;
                "garbage": bytes that are no message; "loop": compression that points to itself;
                "other-name": the records are another name's; "half": A answered, AAAA silent;
                "count-lies": more records promised than there are
    """

    def __init__(self, *addresses, via=(), code=0, how="plain"):
        self.addresses, self.via, self.code, self.how = addresses, via, code, how


def labels(name):
    return b"".join(bytes([len(x)]) + x for x in name.encode().split(b".") if x) + b"\0"


def record(name, rtype, data, ttl=60):
    return labels(name) + struct.pack(">HHIH", rtype, 1, ttl, len(data)) + data


def question(message):
    """(name, type, the question's bytes) of a query; None of what is none."""
    at, name = 12, []
    try:
        while message[at]:
            n = message[at]
            name.append(message[at + 1:at + 1 + n].decode("latin-1"))
            at += n + 1
        rtype, = struct.unpack_from(">H", message, at + 1)
        return ".".join(name), rtype, message[12:at + 5]
    except (IndexError, struct.error):
        return None


def reply(message, asked, answer, name, rtype, wide):
    """The bytes of ANSWER to the query MESSAGE. WIDE: there is room for everything."""
    if answer.how == "garbage":
        return message[:2] + b"\x81\x80" + b"\xff" * 40
    if answer.how == "loop":
        return message[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + asked + b"\xc0" + \
            bytes([12 + len(asked)]) + struct.pack(">HHIH", rtype, 1, 60, 4) + b"\x5d\xb8\xd7\x0e"
    records, owner = [], name
    if answer.how == "other-name":
        owner = "else.example.net"
    for alias in answer.via:
        records.append(record(owner, CNAME, labels(alias)))
        owner = alias
    for text in answer.addresses:
        a = ipaddress.ip_address(text)
        if rtype == (A if a.version == 4 else AAAA):
            records.append(record(owner, rtype, a.packed))
    flags = 0x8180 | answer.code
    body, count = b"".join(records), len(records)
    if not wide and (answer.how == "truncated" or len(body) > 1100):
        flags, body, count = flags | 0x200, b"", 0
    if answer.how == "count-lies":
        count += 3
    return message[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + asked + body


class Server(asyncio.DatagramProtocol):
    def __init__(self, zone):
        self.zone = zone
        self.queries = []  # (name in lower case, type, "udp" or "tcp")
        self.asked = {}    # how often a name and type were

    async def start(self, host):
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 53))
        self.tcp = await asyncio.start_server(self.stream, host, 53, backlog=4096)

    def connection_made(self, transport):
        self.transport = transport

    def pick(self, name, rtype):
        answers = self.zone.get(name)
        if answers is None:
            return Answer(code=3)
        n = self.asked.get((name, rtype), 0)
        self.asked[name, rtype] = n + 1
        return answers[min(n, len(answers) - 1)]

    def read(self, message, transport):
        q = question(message)
        if q is None:
            return None
        name, rtype, asked = q[0].lower(), q[1], q[2]
        self.queries.append((name, TYPES.get(rtype, str(rtype)), transport))
        return name, rtype, asked, self.pick(name, rtype)

    def datagram_received(self, message, sender):
        got = self.read(message, "udp")
        if not got:
            return
        name, rtype, asked, answer = got
        if answer.how == "silent" or (answer.how == "half" and rtype == AAAA):
            return
        send = self.transport.sendto
        if answer.how.startswith("spoof"):
            forged = Answer("93.184.215.66" if rtype == A else "2606:2800::66")
            wrong = bytes([message[0] ^ 0x5a, message[1] ^ 0x5a]) if answer.how == "spoof-id" else message[:2]
            other = asked if answer.how == "spoof-id" else labels("else.example.net") + asked[-4:]
            send(reply(wrong + message[2:], other, forged, name if answer.how == "spoof-id" else
                       "else.example.net", rtype, False), sender)
        data = reply(message, asked, answer, name, rtype, False)
        if answer.how == "slow":
            asyncio.get_running_loop().call_later(30, send, data, sender)
        else:
            send(data, sender)

    async def stream(self, reader, writer):
        try:
            while True:
                n, = struct.unpack(">H", await reader.readexactly(2))
                message = await reader.readexactly(n)
                got = self.read(message, "tcp")
                if not got or got[3].how in ("silent", "slow"):
                    await reader.read()
                    break
                name, rtype, asked, answer = got
                data = reply(message, asked, answer, name, rtype, True)
                writer.write(struct.pack(">H", len(data)) + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, struct.error):
            pass
        finally:
            writer.close()
