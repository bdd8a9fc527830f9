/** Debian's Chromium without a screen, as a person with a browser would use it. */
import { launch } from 'puppeteer-core';
import type { Browser } from 'puppeteer-core';

/** `npm test` installs it (pretest in package.json). */
const program = '/usr/bin/chromium';

export async function startBrowser(): Promise<Browser> {
  return await launch({
    executablePath: program,
    // Chromium refuses to confine its processes when root runs it.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'],
  });
}
