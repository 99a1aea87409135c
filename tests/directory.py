"""A small LDAP directory on loopback: people, groups, simple binds and searches. Enough of RFC 4511 to log somebody in.

Knows BER by the schema ldap3 brings. Must not know ZapFS. Like real directories it takes a bind without a password for
one as nobody, and says yes to it.
"""

import socketserver
import threading

from ldap3.protocol import rfc4511 as ldap
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import SubstrateUnderrunError


class Directory:
    """A context. `people`: DN -> (attributes, password); `groups`: DN -> DNs of members. `asked`: filters seen, and
    `binds`: (name, whether a password came)."""

    def __init__(self, people, groups):
        self.people, self.groups = people, groups
        self.asked, self.binds = [], []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self._server.server_address[1]}"

    def _handler(self):
        directory = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                received = b""
                while data := self.request.recv(65_536):
                    received += data
                    while received:
                        try:
                            message, received = decoder.decode(received, asn1Spec=ldap.LDAPMessage())
                        except SubstrateUnderrunError:
                            break
                        for answer in directory.answers(message):
                            self.request.sendall(encoder.encode(answer))

        return Handler

    def answers(self, message):
        """The answers to one message."""
        operation = message["protocolOp"]
        kind = operation.getName()
        if kind == "bindRequest":
            yield _message(message, "bindResponse", _result(ldap.BindResponse(), self._bound(operation["bindRequest"])))
        elif kind == "searchRequest":
            asked = operation["searchRequest"]
            self.asked.append(asked["filter"].prettyPrint())
            for dn in self._found(asked["filter"]):
                entry = ldap.SearchResultEntry()
                entry["object"] = dn
                entry["attributes"] = ldap.PartialAttributeList()
                yield _message(message, "searchResEntry", entry)
            yield _message(message, "searchResDone", _result(ldap.SearchResultDone(), 0))
        elif kind == "extendedReq":  # StartTLS: not here
            yield _message(message, "extendedResp", _result(ldap.ExtendedResponse(), 2))

    def _bound(self, request):
        name, password = str(request["name"]), bytes(request["authentication"]["simple"]).decode()
        self.binds.append((name, bool(password)))
        return 0 if not password or self.people.get(name, ({}, None))[1] == password else 49

    def _found(self, wanted):
        entries = {dn: attributes for dn, (attributes, _) in self.people.items()}
        entries |= {dn: {"member": members} for dn, members in self.groups.items()}
        return [dn for dn, attributes in entries.items() if _fits(wanted, attributes)]


def _fits(wanted, attributes):
    kind = wanted.getName()
    inner = wanted[kind]
    if kind in ("and", "or"):
        found = [_fits(one, attributes) for one in inner]
        return all(found) if kind == "and" else any(found)
    if kind == "present":
        return str(inner) in attributes
    if kind == "equalityMatch":
        return str(inner["assertionValue"]) in attributes.get(str(inner["attributeDesc"]), ())
    if kind == "substringFilter":
        return str(inner["type"]) in attributes
    raise AssertionError(f"a filter nobody meant: {wanted.prettyPrint()}")


def _message(asked, kind, response):
    message = ldap.LDAPMessage()
    message["messageID"] = asked["messageID"]
    message["protocolOp"] = ldap.ProtocolOp().setComponentByName(kind, response)
    return message


def _result(response, code):
    response["resultCode"] = code
    response["matchedDN"] = ""
    response["diagnosticMessage"] = ""
    return response
