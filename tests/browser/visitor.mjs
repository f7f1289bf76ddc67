// Someone with a browser: a fresh profile, and a watch on everything that the browser asks for.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import assert from 'node:assert/strict';

const tools = process.env.BROWSER_TOOLS;
const require = createRequire(join(tools, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const pictures = join(tools, 'pictures');
mkdirSync(pictures, { recursive: true });

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-proxy-server', '--ignore-certificate-errors'];

export const launch = () => chromium.launch({ executablePath: process.env.BROWSER_CHROMIUM, headless: true, args: FLAGS });

/** 360 px is a small telephone; 320 px is a window of 640 px at 200 % and one of 1280 px at 400 %. */
/** Name, size, colours, and whether axe looks too: what it looks for does not change between the others. */
const SHAPES = [
  ['wide', { width: 1000, height: 800 }, 'light', true],
  ['wide-dark', { width: 1000, height: 800 }, 'dark', true],
  ['phone', { width: 360, height: 740 }, 'light', true],
  ['phone-dark', { width: 360, height: 740 }, 'dark', false],
  ['enlarged', { width: 320, height: 256 }, 'light', false],
];

export class Visitor {
  /** A visitor with a fresh profile; options are the browser's (`javaScriptEnabled`, `viewport`, `colorScheme` ...). */
  static async come(browser, server, options = {}) {
    const visitor = new Visitor();
    Object.assign(visitor, { origin: server.pages, asked: [], answered: [], complaints: [] });
    visitor.context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options });
    visitor.context.on('request', (request) => visitor.asked.push(request.url()));
    visitor.context.on('response', (response) => {
      const headers = Promise.all([response.allHeaders(), response.request().allHeaders()]);
      // A page that was closed meanwhile has none to show any more.
      visitor.answered.push(headers.then(([got, sent]) => ({ url: response.url(), status: response.status(), got, sent }), () => undefined));
    });
    visitor.page = await visitor.context.newPage();
    visitor.page.setDefaultTimeout(15_000);
    visitor.page.on('console', (m) => ['error', 'warning'].includes(m.type()) && visitor.complaints.push(m.text()));
    visitor.page.on('pageerror', (e) => visitor.complaints.push(String(e)));
    return visitor;
  }

  /** Runs something as a new visitor; afterwards nothing may have been asked for elsewhere, and the browser may have complained of nothing. */
  static async be(browser, server, options, what) {
    const visitor = await Visitor.come(browser, server, options);
    try {
      await what(visitor);
      await visitor.answersAreClosed();
      const elsewhere = visitor.asked.filter((url) => !url.startsWith(`${visitor.origin}/`));
      assert.deepEqual(elsewhere, [], 'asked for elsewhere');
      // A form that is refused is an answer, and the browser's word for it no complaint.
      const complaints = visitor.complaints.filter((c) => !/status of 4(00|03|04|13|22|29)/.test(c));
      assert.deepEqual(complaints, [], 'the browser complains');
    } finally {
      await visitor.leave();
    }
  }

  /** What every answer says to the browser (T27), and that no address is told on. */
  async answersAreClosed() {
    const answers = (await Promise.all(this.answered)).filter((a) => a?.url.startsWith(this.origin));
    assert.ok(answers.length > 0);
    for (const { url, status, got, sent } of answers) {
      const where = `${status} ${url}`;
      assert.equal(got['cache-control'], 'no-store', where);
      assert.equal(got['referrer-policy'], 'no-referrer', where);
      assert.equal(got['x-content-type-options'], 'nosniff', where);
      assert.equal(got['x-frame-options'], 'DENY', where);
      for (const part of ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]) {
        assert.ok(got['content-security-policy'].includes(part), `${where}: ${part}`);
      }
      assert.equal('strict-transport-security' in got, this.origin.startsWith('https:'), where);
      assert.ok(!sent.referer?.startsWith(this.origin), `${where}: told where one was`);
    }
  }

  async leave() {
    await this.context.close();
  }

  async open(link) {
    return this.page.goto(link);
  }

  heading() {
    return this.page.locator('h1').innerText();
  }

  text() {
    return this.page.locator('main').innerText();
  }

  alert() {
    return this.page.getByRole('alert').innerText();
  }

  /** Types a code or word and sends it; the answer's status. */
  async type(label, text, button) {
    await this.page.getByLabel(label, { exact: true }).fill(text);
    return this.press(button);
  }

  async press(button) {
    const [answer] = await Promise.all([
      this.page.waitForResponse((r) => r.request().isNavigationRequest() && (r.status() < 300 || r.status() >= 400)),
      this.page.getByRole('button', { name: button }).click(),
    ]);
    await this.page.waitForLoadState('load');
    return answer.status();
  }

  /** Presses a button again while the answer is still on its way; the forms that went out. */
  async pressTwice(button) {
    const posts = [];
    this.page.on('request', (r) => r.method() === 'POST' && posts.push(r));
    const box = await this.page.getByRole('button', { name: button }).boundingBox();
    const click = () => this.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    for (let i = 0; i < 2; i += 1) await Promise.all([this.page.waitForRequest((r) => r.method() === 'POST'), click()]);
    return posts;
  }

  code(text) {
    return this.type('Code', text, 'Continue');
  }

  word(text) {
    return this.type('Word', text, 'Stop this request');
  }

  /** Looks at the page as it stands, light and dark, wide, on a telephone and enlarged: accessible, nothing cut off; and keeps pictures. */
  async look(name) {
    const before = this.page.viewportSize();
    for (const [shape, size, colorScheme, axed] of SHAPES) {
      await this.page.setViewportSize(size);
      await this.page.emulateMedia({ colorScheme });
      const where = `${name} ${shape}`;
      assert.deepEqual(await this.page.evaluate(cutOff), [], `${where}: cut off`);
      await this.page.screenshot({ path: join(pictures, `${name}-${shape}.png`), fullPage: true });
      if (axed) assert.deepEqual(await this.complaintsOfAxe(), [], `${where}: what axe finds`);
    }
    await this.page.setViewportSize(before);
    await this.page.emulateMedia({ colorScheme: 'light' });
  }

  async complaintsOfAxe() {
    await this.page.evaluate(axe);
    const options = { resultTypes: ['violations', 'incomplete'], rules: { 'target-size': { enabled: true } } };
    const found = await this.page.evaluate((o) => window.axe.run(document, o), options);
    return [...found.violations, ...found.incomplete].map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(' | ')}`);
  }
}

/** Elements that reach out of the window, and texts that reach out of their boxes. Runs in the page. */
function cutOff() {
  const width = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll('body *')].filter((e) => {
    const box = e.getBoundingClientRect();
    const visible = box.width > 0 && box.height > 0;
    return visible && (box.right > width + 0.5 || box.left < -0.5 || (e.tagName !== 'INPUT' && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0));
  });
  return out.map((e) => e.outerHTML.slice(0, 120));
}
