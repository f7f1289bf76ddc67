// The subject's day, and what goes wrong in it.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { until } from './server.mjs';

/** Another code than the right one. */
const wrongFor = (code) => (code === '0000 0000' ? '1111 1111' : '0000 0000');

/** From the message to access restored. */
async function theWholeDay(server, visitor, subject) {
  const id = await server.open(subject);
  const letter = await server.prove(id, 'issued_code');
  assert.equal((await visitor.open(letter.link('p'))).status(), 200);
  assert.equal(await visitor.heading(), 'Type your code');
  assert.ok(!(await visitor.page.content()).includes(id), 'a link alone says nothing about the case');
  assert.equal(await visitor.code(wrongFor(letter.code)), 422);
  assert.match(await visitor.alert(), /not right.*at most 4 tries/);
  assert.match(await visitor.page.title(), /^Error: /);
  assert.equal(await server.proofs(id), 0);
  assert.equal(await visitor.code(letter.code), 200);
  assert.match(await visitor.text(), new RegExp(`Case ${id}[^]*Your code was right`));
  assert.match(await visitor.text(), /Proved so far\s+issued code/i);
  assert.equal(await server.proofs(id), 1);
  await server.restore(id);
  await visitor.open(letter.link('p'));
  assert.match(await visitor.text(), /It is done/);
  const told = await server.letter('A recovery was completed', id);
  assert.ok(told.word && told.link('n'), told.body);
}

export default function subject(house) {
  test('a subject follows the link, mistypes, types the code, and sees the receipt and the end', () =>
    house.be({}, (visitor) => theWholeDay(house.server, visitor, 'n.ferreira')));

  test('the whole day without scripts, and without TLS on the loopback address', () =>
    house.bePlain({ javaScriptEnabled: false }, (visitor) => theWholeDay(house.plain, visitor, 'n.ferreira')));

  test('a saved code is proved, its successor shown once, and every page on the way looks right', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const id = await server.open('k.adeyemi');
      const letter = await server.prove(id, 'saved_code');
      await visitor.open(letter.link('p'));
      await visitor.look('code');
      assert.equal(await visitor.code('12345'), 422);
      assert.match(await visitor.alert(), /not counted/);
      await visitor.look('code-none');
      assert.equal(await visitor.code('1111 1111'), 422);
      await visitor.look('code-wrong');
      const card = server.card('k.adeyemi');
      assert.equal(await visitor.code(card.toLowerCase()), 200);
      const fresh = await visitor.page.locator('.code').innerText();
      assert.notEqual(fresh, card);
      await visitor.look('case-new-code');
      await visitor.open(letter.link('p'));
      assert.ok(!(await visitor.page.content()).includes(fresh), 'shown once');
      await visitor.look('case');
      assert.equal(await server.proofs(id), 1);
    }));

  test('after five wrong codes the right one counts no more', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const id = await server.open('p.rossi');
      const letter = await server.prove(id, 'issued_code');
      await visitor.open(letter.link('p'));
      for (const told of ['at most 4 tries left', 'at most 3 tries left', 'at most 2 tries left', 'at most 1 try left', 'void']) {
        assert.equal(await visitor.code(wrongFor(letter.code)), 422);
        assert.ok((await visitor.alert()).includes(told), `${told}: ${await visitor.alert()}`);
      }
      await visitor.look('code-void');
      assert.equal(await visitor.code(letter.code), 422);
      assert.match(await visitor.alert(), /void/);
      assert.equal(await server.proofs(id), 0);
      assert.ok(!(await server.sessions(id)).some((s) => s.method === 'issued_code' && s.outcome !== 'exhausted'), 'nothing is open any more');
    }));

  test('a used, a withdrawn and a forged link are told alike, and nothing comes of them', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const id = await server.open('m.okafor');
      const used = await server.prove(id, 'issued_code');
      const gone = await server.open('l.fontaine');
      const withdrawn = await server.prove(gone, 'issued_code');
      await server.act('nadia', gone, 'withdraw', { text: 'they remembered' });
      await house.be({}, async (other) => {
        await other.open(used.link('p'));
        assert.equal(await other.code(used.code), 200);
      });
      const forged = { link: () => `${server.pages}/p/${'A'.repeat(43)}`, code: used.code };
      const shapeless = { link: () => `${server.pages}/p/x`, code: used.code };
      // For a moment after it was typed, the same form is taken for a second press of the button.
      const body = new URLSearchParams({ code: used.code });
      await until('the used code is over', async () => (await fetch(used.link('p'), { method: 'POST', body })).status === 422);
      const texts = new Set();
      for (const letter of [used, withdrawn, forged]) {
        await visitor.open(letter.link('p'));
        assert.equal(await visitor.heading(), 'Type your code');
        assert.equal(await visitor.code(letter.code), 422);
        texts.add(await visitor.text());
      }
      assert.equal(texts.size, 1, [...texts].join('\n---\n'));
      await visitor.open(shapeless.link());
      assert.equal(await visitor.code(shapeless.code), 404);
      await visitor.look('nothing-here');
      assert.equal(await server.proofs(id), 1);
    }));

  test('pressing twice, loading again and going back neither fail nor count', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const id = await server.open('t.oneill');
      const letter = await server.prove(id, 'issued_code');
      const { page } = visitor;
      await visitor.open(letter.link('p'));
      await page.getByLabel('Code', { exact: true }).fill(letter.code);
      const posts = await visitor.pressTwice('Continue');
      await page.getByText('Your code was right').waitFor();
      assert.ok(posts.length >= 2, 'the browser sent the form twice');
      const before = await server.case(id);
      assert.equal(before.checklist.done, 1);
      await page.reload();
      assert.match(await visitor.text(), /What is asked for/);
      await page.goBack();
      await visitor.open(letter.link('p'));
      assert.match(await visitor.text(), /What is asked for/);
      assert.equal((await server.case(id)).row.version, before.row.version);
    }));

  test('the keyboard is enough, and one always sees where one is', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const id = await server.open('b.lindgren');
      const letter = await server.prove(id, 'issued_code');
      const { page } = visitor;
      await visitor.open(letter.link('p'));
      const seen = [];
      for (let i = 0; i < 4; i += 1) {
        await page.keyboard.press('Tab');
        seen.push(await page.evaluate(() => {
          const style = getComputedStyle(document.activeElement);
          return `${document.activeElement.id || document.activeElement.innerText} ${style.outlineStyle} ${parseInt(style.outlineWidth, 10) >= 2}`;
        }));
      }
      assert.deepEqual(seen, ['code solid true', 'Continue solid true', 'word solid true', 'Stop this request solid true']);
      for (let i = 0; i < 3; i += 1) await page.keyboard.press('Shift+Tab');
      await page.keyboard.type(letter.code);
      await page.keyboard.press('Enter');
      await page.getByText('Your code was right').waitFor();
      assert.equal(await server.proofs(id), 1);
    }));

  test('the pass is a cookie of this host alone, which no script reads', async () => {
    for (const [be, server, name, secure] of [[house.be, house.server, '__Host-recovery', true], [house.bePlain, house.plain, 'recovery', false]]) {
      await be({}, async (visitor) => {
        const id = await server.open('y.tanaka');
        const letter = await server.prove(id, 'issued_code');
        await visitor.open(letter.link('p'));
        assert.deepEqual(await visitor.context.cookies(), [], 'none before the code');
        assert.equal(await visitor.code(letter.code), 200);
        const [cookie, ...others] = await visitor.context.cookies();
        assert.deepEqual(others, []);
        const { domain, path, httpOnly, sameSite } = cookie;
        assert.deepEqual({ name: cookie.name, domain, path, httpOnly, secure: cookie.secure, sameSite }, {
          name, domain: '127.0.0.1', path: '/', httpOnly: true, secure, sameSite: 'Strict',
        });
        const minutes = (cookie.expires * 1000 - Date.now()) / 60_000;
        assert.ok(minutes > 10 && minutes <= 15, `${minutes}`);
        assert.equal(await visitor.page.evaluate(() => document.cookie), '');
        // Whoever has the link and not the pass sees nothing.
        await visitor.context.clearCookies();
        await visitor.open(letter.link('p'));
        assert.equal(await visitor.heading(), 'Type your code');
      });
    }
  });
}
