// A demo server of the real program: started, spoken to as staff do, its mail read as its readers do, and stopped with its owner.
// Every wait has a deadline.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import assert from 'node:assert/strict';

/** How long anything may take to come about. */
const SOON = 30_000;

/** Asks again until there is an answer, or fails. */
export async function until(what, ask) {
  const end = Date.now() + SOON;
  for (;;) {
    const found = await ask();
    if (found) return found;
    assert.ok(Date.now() < end, `${what}: not in time`);
    await new Promise((again) => setTimeout(again, 50));
  }
}

/** A message as its reader sees it. */
function letter(text) {
  const [head, body] = text.replaceAll('\r\n', '\n').split(/\n\n([\s\S]*)/);
  const header = (name) => head.split('\n').find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
  const printable = header('Content-Transfer-Encoding') === 'quoted-printable';
  const bytes = printable ? body.replaceAll('=\n', '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))) : body;
  const plain = printable ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes;
  const found = (pattern) => plain.match(pattern)?.[1];
  return {
    to: header('To'),
    subject: header('Subject'),
    body: plain,
    code: found(/^ +(\d{4} \d{4})$/m),
    card: found(/^Saved recovery code: (\S+)$/m),
    word: found(/type the word "([a-z]+)"/),
    link: (page) => found(new RegExp(`^ *(https?://\\S+/${page}/\\S+)$`, 'm')),
  };
}

export class Server {
  /** Starts one, with TLS if certificate and key are given. */
  static async start(program, tls) {
    const server = new Server();
    const flags = tls ? ['--certificate', tls.certificate, '--key', tls.key] : [];
    server.child = spawn(program, ['demo', '--headless', ...flags], { stdio: ['pipe', 'pipe', 'ignore'] });
    const lines = createInterface({ input: server.child.stdout });
    const [line] = await Promise.race([
      once(lines, 'line', { signal: AbortSignal.timeout(120_000) }),
      once(server.child, 'exit').then(() => assert.fail('the demo ended before it was ready')),
    ]);
    Object.assign(server, JSON.parse(line));
    server.serial = 0;
    return server;
  }

  async stop() {
    this.child.stdin.end();
    if (this.child.exitCode === null) await once(this.child, 'exit', { signal: AbortSignal.timeout(20_000) });
  }

  async ask(who, path, body, seen) {
    const headers = { authorization: `Bearer ${this.tokens[who]}` };
    if (body) Object.assign(headers, { 'content-type': 'application/json', 'idempotency-key': `browser-${++this.serial}` });
    if (seen !== undefined) headers['if-match'] = `"${seen}"`;
    const answer = await fetch(this.api + path, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  }

  async case(id) {
    const { status, body } = await this.ask('nadia', `/v1/cases/${id}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** Proof sessions of a case, as staff see them. */
  async sessions(id) {
    return (await this.case(id)).checklist.items.flatMap((i) => i.sessions);
  }

  /** How much is proved so far. */
  async proofs(id) {
    return (await this.case(id)).checklist.done;
  }

  /** Writes on a case as it is now; a change of the server's own in between is no reason to fail. */
  async act(who, id, what, body) {
    return until(`${what} ${id}`, async () => {
      const answer = await this.ask(who, `/v1/cases/${id}/${what}`, body, (await this.case(id)).row.version);
      if (answer.status === 412) return undefined;
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.body;
    });
  }

  /** A case about everything that the subject holds, ready to be proved. */
  async open(subject, action = 'password_reset') {
    const found = await this.ask('nadia', `/v1/subjects/${subject}`);
    const held = found.body.entitlements[0];
    const { status, body } = await this.ask('nadia', '/v1/cases', {
      subject, action, path: 'assisted', target: held.target, scope: held.scopes, channel: 'phone', requester: 'subject', summary: 'it does not let me in',
    });
    assert.equal(status, 201, JSON.stringify(body));
    const id = body.row.id;
    await this.act('nadia', id, 'triage', { failure: 'lost_credential', reproduction: 'tried it with them', remedy_owner: 'p-nadia' });
    return id;
  }

  /** Asks for a proof; the message that leads to its page. */
  async prove(id, method) {
    const now = await this.case(id);
    const startable = now.checklist.items.flatMap((i) => i.startable).filter((s) => s.method === method);
    const start = startable.find((s) => !s.endpoint || s.endpoint.endsWith('-mail'));
    assert.ok(start, `${method} can't be started: ${JSON.stringify(now.checklist)}`);
    await this.act('nadia', id, 'proofs', { method, endpoint: start.endpoint, attester: start.attester });
    const words = { issued_code: 'Your code for case', saved_code: 'A recovery code is asked for', manager_attestation: 'Your answer is asked for' };
    return this.letter(`${words[method]}`, id);
  }

  letters() {
    const names = readdirSync(this.mail).filter((n) => n.endsWith('.eml')).sort();
    return names.map((n) => letter(readFileSync(join(this.mail, n), 'utf8')));
  }

  /** The newest message with these words in its subject line, once it is there. */
  letter(...words) {
    return until(words.join(' '), () => this.letters().reverse().find((l) => words.every((w) => l.subject.includes(w))));
  }

  /** The card in a subject's drawer. */
  card(subject) {
    return this.letters().reverse().find((l) => l.card && l.to === `${subject}@ferrol.example`).card;
  }

  /** Seals, has it approved by someone else, and waits until access is back. */
  async restore(id) {
    await this.act('nadia', id, 'seal', {});
    const { body } = await this.ask('d.ruiz', `/v1/cases/${id}/statement?decision=approve`);
    const seal = (await this.case(id)).seal.sha256;
    await this.act('d.ruiz', id, 'decisions', { decision: 'approve', seal_sha256: seal, nonce: body.nonce, reason: 'called back, all is as it says' });
    return until(`${id} restored`, async () => (await this.case(id)).row.state === 'restored');
  }
}
