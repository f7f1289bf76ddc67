// Mail scanners and other sites (threats.md T25, T27).

import { test } from 'node:test';
import { createServer } from 'node:http';
import { once } from 'node:events';
import assert from 'node:assert/strict';

/** Another site on this machine: `localhost` is another site than `127.0.0.1`, another port only another origin. */
async function elsewhere(html, what) {
  const server = createServer((_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end(html));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await what(server.address().port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** What a robot finds to press: every form, its fields left empty, or every box ticked and every field filled with nonsense. */
async function pressEverything(visitor, link, fill) {
  const { page } = visitor;
  await visitor.open(link);
  const forms = await page.locator('form').count();
  assert.ok(forms > 0, link);
  assert.equal(await page.locator('a[href]').count(), 0, 'nothing else to follow');
  for (let i = 0; i < forms; i += 1) {
    await visitor.open(link);
    const form = page.locator('form').nth(i);
    await form.evaluate((f) => f.setAttribute('novalidate', ''));
    if (fill) {
      for (const field of await form.locator('input[type=text]').all()) await field.fill('click here');
      for (const box of await form.locator('input[type=checkbox], input[type=radio]').all()) await box.check();
    }
    const [answer] = await Promise.all([page.waitForNavigation(), form.locator('button').click()]);
    assert.ok(answer.status() >= 400, `${link} form ${i}: ${answer.status()}`);
  }
}

export default function hostile(house) {
  test('T25: a robot that opens every link of every message and presses everything changes nothing', () =>
    house.be({}, async (visitor) => {
      const { server } = house;
      const id = await server.open('s.dupont', 'account_reactivation');
      await server.prove(id, 'issued_code');
      const other = await server.open('vendor.scan');
      await server.prove(other, 'manager_attestation');
      await server.letter('A recovery was started', id);
      await server.letter('A recovery was started', other);
      const before = [await server.case(id), await server.case(other)];
      const letters = server.letters().filter((l) => [id, other].some((c) => l.subject.includes(c)));
      const links = [...new Set(letters.flatMap((l) => ['p', 'a', 'n'].map((p) => l.link(p)).filter(Boolean)))];
      assert.deepEqual([...new Set(links.map((l) => new URL(l).pathname[1]))].sort(), ['a', 'n', 'p'], 'links of every kind');
      const kinds = new Map(links.map((l) => [`${new URL(l).pathname[1]}`, l]));
      for (const link of links) {
        // As a scanner's own client, as a browser that fetches ahead, and as one that looks.
        for (const headers of [{}, { 'sec-purpose': 'prefetch', purpose: 'prefetch' }]) {
          assert.equal((await visitor.context.request.get(link, { headers })).status(), 200);
        }
        assert.equal((await visitor.context.request.head(link)).status(), 200);
      }
      for (const link of kinds.values()) {
        await visitor.open(link);
        await visitor.page.reload();
        await pressEverything(visitor, link, false);
        await pressEverything(visitor, link, true);
        await visitor.page.goBack().catch(() => {});
      }
      assert.deepEqual([await server.case(id), await server.case(other)].map(still), before.map(still));
    }));

  test('T27: another site can neither send the forms, nor frame the pages, nor use the pass', async () => {
    const { server } = house;
    const id = await server.open('j.whitfield');
    const letter = await server.prove(id, 'manager_attestation');
    const proof = await server.prove(id, 'issued_code');
    await house.be({}, async (visitor) => {
      await visitor.open(letter.link('a'));
      await visitor.code(letter.code);
      assert.equal(await visitor.heading(), 'Is this wanted?');
      const before = await server.case(id);
      const tries = [
        [`${letter.link('a')}/answer`, { answer: 'yes', confirm: 'yes' }],
        [letter.link('a'), { code: letter.code }],
        [proof.link('p'), { code: proof.code }],
        [proof.link('n'), { word: proof.word }],
      ];
      for (const [to, fields] of tries) {
        const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join('');
        const html = `<form method="post" action="${to}">${inputs}<button>Win a prize</button></form>`;
        await elsewhere(html, async (port) => {
          for (const host of ['localhost', '127.0.0.1']) {
            const evil = await visitor.context.newPage();
            await evil.goto(`http://${host}:${port}/`);
            const [answer] = await Promise.all([evil.waitForNavigation(), evil.getByRole('button').click()]);
            assert.equal(answer.status(), 403, `${to} from ${host}`);
            assert.equal(await evil.locator('h1').innerText(), 'Not from here');
            const sent = await answer.request().allHeaders();
            if (host === 'localhost') assert.equal(sent.cookie, undefined, 'the pass does not travel with another site');
            await evil.close();
          }
        });
      }
      await elsewhere(`<iframe src="${letter.link('a')}"></iframe>`, async (port) => {
        for (const host of ['localhost', '127.0.0.1']) {
          const evil = await visitor.context.newPage();
          await evil.goto(`http://${host}:${port}/`);
          const frame = evil.frames()[1];
          assert.ok(!(await frame.content()).includes('Type your code'), `framed by ${host}`);
          assert.ok(!frame.url().startsWith(visitor.origin), frame.url());
          await evil.close();
        }
      });
      await elsewhere('<p>read</p>', async (port) => {
        const evil = await visitor.context.newPage();
        await evil.goto(`http://localhost:${port}/`);
        const read = (mode) => evil.evaluate(([url, m]) => fetch(url, { mode: m, credentials: 'include' }).then((r) => r.type, () => 'refused'),
          [letter.link('a'), mode]);
        assert.deepEqual([await read('cors'), await read('no-cors')], ['refused', 'refused']);
        const opened = await Promise.all([evil.waitForEvent('popup'), evil.evaluate((url) => void window.open(url), letter.link('a'))]);
        await opened[0].waitForLoadState();
        assert.equal(await opened[0].evaluate(() => window.opener), null, 'opener and pages are kept apart');
        await evil.close();
      });
      const after = await server.case(id);
      assert.deepEqual(still(after), still(before));
      assert.equal(after.checklist.done, 0);
      // The visitor's own page goes on as if nothing had been.
      await visitor.page.getByLabel('No, or I could not find out').check();
      await visitor.page.getByLabel('This is my own answer').check();
      await visitor.press('Send my answer');
      assert.equal(await visitor.heading(), 'Thank you');
      visitor.asked = visitor.asked.filter((url) => url.startsWith(visitor.origin));
      visitor.complaints = [];
    });
  });
}

/** What of a case may not have changed: all but what time does to it. */
function still(state) {
  const { row, hold, checklist } = state;
  const sessions = checklist.items.flatMap((i) => i.sessions).map(({ id, tries_left: left, outcome }) => ({ id, left, outcome }));
  return { version: row.version, state: row.state, held: row.held, hold, sessions, done: checklist.done };
}
