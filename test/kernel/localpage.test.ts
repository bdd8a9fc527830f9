/** The local page in Debian's Chromium: how it looks, what a keyboard reaches, and what hostile names do to it. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page as Tab } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PageKey } from '../../agent/page/access.ts';
import { Page } from '../../agent/page/page.ts';
import { testViews } from '../../agent/page/testviews.ts';
import { startBrowser } from '../browser/browser.ts';
import { complaintsOf, faintTexts, focused, misplacedTexts } from '../browser/looks.ts';

let browser: Browser;
let tab: Tab;
let page: Page;
let server: Server;
let url = '';
let views: Readonly<Record<string, readonly object[]>> = {};
let complaints: readonly string[] = [];

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => {
  await browser.close();
});

beforeEach(async () => {
  views = testViews();
  const key = new PageKey();
  const facts = { node: 'node-1.example', version: '1.2.3', since: 0 };
  page = new Page({ facts, key, sources: [(view) => Promise.resolve(views[view])], intervalMs: 20 });
  server = createServer((request, response) => {
    void page.answer(request, response, new URL(request.url ?? '', 'http://localhost'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?token=${key.token}`;
  tab = await browser.newPage();
  complaints = complaintsOf(tab);
  // What moves is not where it will be.
  await tab.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
});
afterEach(async () => {
  await tab.close();
  page.stop();
  server.closeAllConnections();
  server.close();
  expect(complaints).toEqual([]);
});

/** Opens the page and waits until it is kept up to date. */
async function open(): Promise<void> {
  await tab.goto(url, { waitUntil: 'load' });
  await tab.waitForFunction(`document.getElementById('live').textContent.includes('kept up to date')`);
}

describe.each(['light', 'dark'])('in %s colours', (scheme) => {
  test.each([
    [1280, ''],
    [400, ''],
    [1280, 'long'.repeat(15)],
    [400, 'long'.repeat(15)],
  ])('at a width of %i every text is readable, and none is cut or covered (names end in "%s")', async (width, end) => {
    views = testViews((word) => `${word}${end}`);
    await tab.setViewport({ width, height: 900 });
    await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await open();
    await tab.evaluate(`document.querySelectorAll('details').forEach((details) => { details.open = true; })`);
    const ground = (await tab.evaluate(`getComputedStyle(document.body).backgroundColor`)) as string;
    const [red = 0] = /\d+/.exec(ground)?.map(Number) ?? [];
    expect(scheme === 'dark' ? red < 60 : red > 200).toBe(true);
    expect(await faintTexts(tab)).toEqual([]);
    expect(await misplacedTexts(tab)).toEqual([]);
    expect(await tab.evaluate(`document.documentElement.scrollWidth`)).toBeLessThanOrEqual(width);
  });
});

test('with a keyboard only everything is reached in order, seen when it is, and opened', async () => {
  await tab.setViewport({ width: 1280, height: 700 });
  await open();
  await tab.keyboard.press('Tab');
  expect(await focused(tab)).toMatchObject({ text: 'Skip to the services', seen: true });
  await tab.keyboard.press('Enter');
  expect(await focused(tab)).toMatchObject({ tag: 'MAIN' });
  const reachable = (await tab.evaluate(
    `[...document.querySelectorAll('a[href], summary, button, input')].map((element) => element.textContent.trim())`,
  )) as readonly string[];
  await tab.keyboard.down('Shift');
  for (let step = 0; step < reachable.length; step++) {
    if ((await focused(tab))?.text === 'Skip to the services') break;
    await tab.keyboard.press('Tab');
  }
  await tab.keyboard.up('Shift');
  const walked: string[] = [];
  for (let at = await focused(tab); at !== undefined && walked.length < 100; at = await focused(tab)) {
    expect(at).toMatchObject({ seen: true });
    walked.push(at.text);
    if (at.tag === 'SUMMARY') {
      await tab.keyboard.press('Enter');
      expect(await tab.evaluate(`document.activeElement.parentElement.open`)).toBe(true);
    }
    await tab.keyboard.press('Tab');
  }
  expect(walked).toEqual(reachable);
  expect(walked.filter((text) => text.startsWith('What holds its room'))).toHaveLength(1);
});

test('landmarks and headings lead through it', async () => {
  await open();
  const headings = (await tab.evaluate(
    `[...document.querySelectorAll('h1, h2, h3')].filter((each) => each.checkVisibility()).map((each) => Number(each.tagName[1]))`,
  )) as readonly number[];
  expect(headings[0]).toBe(1);
  headings.slice(1).forEach((level, index) => {
    expect(level - headings[index]!).toBeLessThanOrEqual(1);
  });
  expect(headings.filter((level) => level === 1)).toHaveLength(1);
  const tree = JSON.stringify(await tab.accessibility.snapshot({ interestingOnly: false }));
  for (const role of ['banner', 'navigation', 'main', 'region', 'table', 'columnheader', 'rowheader', 'status'])
    expect(tree).toContain(`"role":"${role}"`);
});

test('what changes comes by itself, and leaves focus, open parts and scrolling as they are', async () => {
  await tab.setViewport({ width: 1280, height: 500 });
  await open();
  await tab.evaluate(
    `window.same = true; document.querySelector('summary').click(); document.querySelector('summary').focus()`,
  );
  await tab.evaluate(`document.querySelector('summary').scrollIntoView({ block: 'center' })`);
  const place = async (): Promise<number> =>
    (await tab.evaluate(`document.activeElement.getBoundingClientRect().top`)) as number;
  const before = await place();
  const [pool, ...pools] = views['pools']!;
  // The section of devices, above, becomes longer at the same time.
  const devices = [...views['devices']!, ...views['devices']!];
  views = { ...views, devices, pools: [{ ...pool, used: 77 }, ...pools] };
  await tab.waitForFunction(`document.getElementById('pools').textContent.includes('77 of 253 used')`);
  expect(
    await tab.evaluate(`[window.same, document.activeElement.tagName, document.querySelector('details').open]`),
  ).toEqual([true, 'SUMMARY', true]);
  // Scrolling knows no parts of a pixel.
  expect(Math.abs((await place()) - before)).toBeLessThan(1);
  expect(await tab.evaluate(`scrollY`)).toBeGreaterThan(0);
});

test('a section appears when there is something for it, and goes with it', async () => {
  const { doctor, ...others } = testViews();
  views = others;
  await open();
  const isShown = `document.getElementById('doctor').checkVisibility()`;
  expect(await tab.evaluate(isShown)).toBe(false);
  views = { ...others, doctor: doctor! };
  await tab.waitForFunction(isShown);
  expect(await tab.evaluate(`document.getElementById('contents').textContent`)).toContain('Doctor');
  views = others;
  await tab.waitForFunction(`!${isShown}`);
});

test('when the agent has gone it says so, and is kept up to date again when it is back', async () => {
  await open();
  const { port } = server.address() as AddressInfo;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await tab.waitForFunction(`document.getElementById('live').textContent.startsWith('No news comes')`);
  views = { ...views, routes: [] };
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await tab.waitForFunction(`document.getElementById('routes').textContent.includes('No other node is known')`);
  expect(await tab.evaluate(`document.getElementById('live').textContent`)).toContain('kept up to date');
  // That it could not connect is what the browser is right to say.
  expect(complaints.every((text) => text.includes('ERR_CONNECTION_REFUSED') || text.includes('ERR_INCOMPLETE'))).toBe(
    true,
  );
  (complaints as string[]).length = 0;
});

test('without scripts it shows everything and says how to have news', async () => {
  await tab.setJavaScriptEnabled(false);
  await tab.goto(url);
  const text = await tab.evaluate(`document.body.textContent`);
  expect(text).toContain('load it again for news');
  expect(text).toContain('camera-1');
});

test.each([
  ['reduce', 'auto'],
  ['no-preference', 'smooth'],
])('with motion %s scrolling is %s', async (preference, behaviour) => {
  await tab.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: preference }]);
  await open();
  expect(await tab.evaluate(`getComputedStyle(document.documentElement).scrollBehavior`)).toBe(behaviour);
});

test.each([
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `</code></section><iframe src="javascript:alert(1)"></iframe>`,
  `' style='position:fixed;inset:0`,
])('a device, pod or volume that calls itself %s is shown by this very name', async (name) => {
  views = testViews((word) => `${word}${name}`);
  await open();
  const counts = `['script', 'img', 'iframe', '[style]', '[onerror]'].map((each) => document.querySelectorAll(each).length)`;
  expect(await tab.evaluate(counts)).toEqual([1, 0, 0, 0, 0]);
  for (const shown of ['camera-1', 'pvc-9', 'node-2', 'csi.berth.dev', 'RESOURCE_EXHAUSTED', '/dev/video0'])
    expect(await tab.evaluate(`document.body.textContent`)).toContain(`${shown}${name}`);
  // The same when it comes as news.
  views = { ...views, devices: [{ ...views['devices']![0], id: `news${name}` }] };
  await tab.waitForFunction(`document.getElementById('devices').textContent.includes('news')`);
  expect(await tab.evaluate(`document.getElementById('devices').textContent`)).toContain(`news${name}`);
  expect(await tab.evaluate(counts)).toEqual([1, 0, 0, 0, 0]);
});
