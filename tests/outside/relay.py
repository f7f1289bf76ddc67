# A mail relay for tests: relay.py FOLDER MODE [CERTIFICATE KEY [USER PASSWORD]], where MODE is plain, starttls or tls.
# Prints its port. Every accepted message is FOLDER/N.eml, its first line the envelope; what is asked of it is in FOLDER/commands.
# refused*: 550 for good. grey* and okafor*: 451 the first time, as greylisting does. slow*: answers when nobody listens any more.
import asyncio, email, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

folder, mode = sys.argv[1], sys.argv[2]
context = None
if len(sys.argv) > 4:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
login = tuple(sys.argv[5:7]) if len(sys.argv) > 6 else None
seen, count = set(), 0


def tls(server):
    return server.session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None


def note(server, word):
    with open(folder + "/commands", "a") as f:
        f.write(word + (" in TLS\n" if tls(server) else "\n"))


class Relay(SMTP):
    async def _call_handler_hook(self, command, *args):
        note(self, command)
        return await super()._call_handler_hook(command, *args)


class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 no such user here"
        if address.startswith(("grey", "okafor")) and address not in seen:
            seen.add(address)
            return "451 4.7.1 Greylisted, try again later"
        if address.startswith("slow") and address not in seen:
            seen.add(address)
            await asyncio.Event().wait()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global count
        count += 1
        text = email.message_from_bytes(envelope.content).get_payload(decode=True).decode()
        head = [envelope.mail_from, envelope.rcpt_tos, tls(server), session.authenticated or False, text]
        with open(f"{folder}/{count}.eml", "wb") as f:
            f.write(json.dumps(head).encode() + b"\n")
            f.write(envelope.content)
        return "250 OK"


def known(server, session, envelope, mechanism, data):
    note(server, "AUTH")
    return AuthResult(success=(data.login.decode(), data.password.decode()) == login, handled=False)


def serve():
    more = {"tls_context": context, "require_starttls": True} if mode == "starttls" else {}
    if login:
        # A relay that would take a password in the clear: it is the sender's part not to give it.
        more |= {"authenticator": known, "auth_required": True, "auth_require_tls": mode == "starttls"}
    return Relay(Keep(), hostname="test", **more)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
