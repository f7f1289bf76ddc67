// Someone who can't get in and has no link: the page on which one asks, and what a stranger sees of it.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { until } from './server.mjs';

/** Asks, as someone who forgot their password; the answer's status. */
async function ask(visitor, who) {
  await visitor.page.getByLabel('Your account', { exact: true }).fill(who);
  await visitor.page.getByLabel('I forgot my password').check();
  return visitor.press('Ask for it');
}

export default function asker(house) {
  test('every page on the way to a request looks right, and the answer is the same whomever it names', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      await visitor.open(`${server.pages}/`);
      await visitor.look('home');
      await visitor.page.getByRole('link', { name: 'I can’t get in' }).click();
      assert.equal(await visitor.heading(), 'I can’t get in');
      await visitor.look('ask');
      assert.equal(await ask(visitor, '  '), 422);
      assert.match(await visitor.alert(), /your user name/);
      assert.match(await visitor.page.title(), /^Error: /);
      assert.ok(await visitor.page.getByLabel('I forgot my password').isChecked(), 'what was chosen stays chosen');
      await visitor.look('ask-wrong');
      const texts = new Set();
      // Nobody, an identity that is retired, one that is a program, and markup.
      for (const who of ['nobody.here', 'retired.jones', 'payments-batch', '<b>"x"</b>']) {
        await visitor.open(`${server.pages}/ask`);
        assert.equal(await ask(visitor, who), 200);
        texts.add(await visitor.page.content());
      }
      assert.equal(texts.size, 1, [...texts].join('\n---\n'));
      assert.equal(await visitor.heading(), 'Look at your messages');
      await visitor.look('asked');
    }));

  test('a person asks for itself, without scripts, and has its access back without anyone of the staff', () =>
    house.bePlain({ javaScriptEnabled: false }, async (visitor) => {
      const server = house.plain;
      await visitor.open(`${server.pages}/ask`);
      assert.equal(await ask(visitor, 'P.Rossi@ferrol.example'), 200);
      const told = await until('told', () => server.letters().reverse().find((l) => l.to === 'p.rossi@ferrol.example' && l.subject.includes('was started')));
      assert.ok(told.word && told.link('n'), told.body);
      const id = told.subject.match(/CS-\d\d-\d+/)[0];
      // The code goes to the first recorded mailbox that can serve.
      const letter = await server.letter('Your code for case', id);
      await visitor.open(letter.link('p'));
      assert.equal(await visitor.code(letter.code), 200);
      assert.match(await visitor.text(), /by portal/);
      await until(`${id} restored`, async () => (await server.case(id)).row.state === 'restored');
    }));
}
