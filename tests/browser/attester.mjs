// Those who are asked about someone else, and those who say "this wasn't me".

import { test } from 'node:test';
import assert from 'node:assert/strict';

/** A case that waits for its manager's word, and the message that asks for it. */
async function asked(server, subject) {
  const id = await server.open(subject);
  return { id, letter: await server.prove(id, 'manager_attestation') };
}

async function outcome(server, id) {
  return (await server.sessions(id)).find((s) => s.method === 'manager_attestation').outcome;
}

export default function attester(house) {
  test('a manager says yes, with the keyboard alone, and is told when something is missing', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const { id, letter } = await asked(server, 'h.voss');
      const { page } = visitor;
      await visitor.open(letter.link('a'));
      assert.equal(await page.getByLabel('Word').count(), 0);
      await visitor.code(letter.code);
      assert.equal(await visitor.heading(), 'Is this wanted?');
      await visitor.look('question');
      // A browser that lets an empty form through.
      await page.evaluate(() => document.querySelector('form').setAttribute('novalidate', ''));
      assert.equal(await visitor.press('Send my answer'), 422);
      assert.match(await visitor.alert(), /Choose yes or no/);
      await visitor.look('question-unanswered');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Space');
      assert.ok(await page.getByLabel('Yes, I spoke to them').isChecked());
      await page.keyboard.press('Tab');
      await page.keyboard.press('Space');
      assert.ok(await page.getByLabel('This is my own answer').isChecked());
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Thank you' }).waitFor();
      await visitor.look('thank-you');
      assert.equal(await outcome(server, id), 'proved');
      const version = (await server.case(id)).row.version;
      await visitor.open(`${letter.link('a')}/answer`);
      assert.match(await visitor.text(), /is recorded, and it stands/);
      await visitor.look('answered');
      assert.equal((await server.case(id)).row.version, version);
    }));

  test('a manager says no, pressing twice and without scripts, and it is recorded once', () =>
    house.be({ javaScriptEnabled: false }, async (visitor) => {
      const { server } = house;
      const { id, letter } = await asked(server, 'c.marchetti');
      const { page } = visitor;
      await visitor.open(letter.link('a'));
      await visitor.code(letter.code);
      await page.getByLabel('No, or I could not find out').check();
      await page.getByLabel('This is my own answer').check();
      assert.equal((await visitor.pressTwice('Send my answer')).length, 2);
      await page.getByText(/is recorded/).waitFor();
      assert.equal(await outcome(server, id), 'declined');
      assert.equal(await server.proofs(id), 0);
    }));

  test('a question whose pass has ended asks for the code again, and goes on', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const { id, letter } = await asked(server, 'o.petrov');
      const { page } = visitor;
      await visitor.open(letter.link('a'));
      await visitor.code(letter.code);
      await visitor.context.clearCookies();
      await page.getByLabel('Yes, I spoke to them').check();
      await page.getByLabel('This is my own answer').check();
      await visitor.press('Send my answer');
      assert.equal(await visitor.heading(), 'Type your code');
      assert.equal(await outcome(server, id), null, 'still open');
      await visitor.code(letter.code);
      assert.equal(await visitor.heading(), 'Is this wanted?');
    }));

  test('"this wasn\'t me" holds the case, by the word of the message and nothing less', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const id = await server.open('e.sorensen');
      const started = await server.letter('A recovery was started', id);
      await visitor.open(started.link('n'));
      assert.equal(await visitor.heading(), 'This wasn’t me');
      await visitor.look('not-me');
      assert.equal(await visitor.word('zzzzzz'), 422);
      assert.match(await visitor.alert(), /not the word/);
      await visitor.look('not-me-wrong');
      assert.equal((await server.case(id)).row.held, false);
      assert.equal(await visitor.word(` ${started.word.toUpperCase()} `), 200);
      assert.equal(await visitor.heading(), 'The request is stopped');
      await visitor.look('stopped');
      const held = await server.case(id);
      assert.equal(held.row.held, true);
      // Said again, it stays so.
      await visitor.open(started.link('n'));
      assert.equal(await visitor.word(started.word), 200);
      assert.equal((await server.case(id)).row.version, held.row.version);
    }));

  test('"this wasn\'t me" holds the case from the page of the code too', () =>
    house.be({ javaScriptEnabled: false }, async (visitor) => {
      const { server } = house;
      const id = await server.open('j.costa');
      const letter = await server.prove(id, 'issued_code');
      await visitor.open(letter.link('p'));
      assert.equal(await visitor.word(letter.word), 200);
      assert.equal((await server.case(id)).row.held, true);
      await visitor.open(letter.link('p'));
      assert.equal(await visitor.code(letter.code), 422, 'nothing moves until security lifts it');
      assert.equal(await server.proofs(id), 0);
    }));
}
