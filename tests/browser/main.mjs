// Starts the servers and the browser once, and runs every suite against them.

import { after, before, describe } from 'node:test';
import { join } from 'node:path';
import { Server } from './server.mjs';
import { Visitor, launch } from './visitor.mjs';
import asker from './asker.mjs';
import attester from './attester.mjs';
import hostile from './hostile.mjs';
import subject from './subject.mjs';

const folder = process.env.BROWSER_FOLDER;
const house = {
  /** As someone with a browser of their own. */
  be: (options, what) => Visitor.be(house.browser, house.server, options, what),
  /** The same where the pages are served without TLS. */
  bePlain: (options, what) => Visitor.be(house.browser, house.plain, options, what),
};

before(async () => {
  const tls = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
  const program = process.env.BROWSER_PROGRAM;
  const ready = { server: Server.start(program, tls), plain: Server.start(program), browser: launch() };
  // What did start is kept, so that it is also stopped when something else did not.
  await Promise.allSettled(Object.entries(ready).map(async ([name, starting]) => void (house[name] = await starting)));
  await Promise.all(Object.values(ready));
});

after(async () => {
  await house.browser?.close();
  await Promise.all([house.server?.stop(), house.plain?.stop()]);
});

// Two at a time: each has a case of its own, and much of a visit is waiting.
describe('in a browser', { concurrency: 2, timeout: 600_000 }, () => {
  subject(house);
  attester(house);
  asker(house);
  hostile(house);
});
