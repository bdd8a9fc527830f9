/** The local page of a real node, opened as a user does: berth page, kubectl port-forward, a browser. */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBrowser } from '../browser/browser.ts';
import { forwardPage } from '../browser/forward.ts';
import type { ForwardedPage } from '../browser/forward.ts';
import { complaintsOf, misplacedTexts } from '../browser/looks.ts';
import { addLoop, loopNumbers, removeLoop } from './blockdevices.ts';
import { offered, useDeviceRules } from './devicerules.ts';
import { claimManifest, eventually, podManifest, useScene } from './scene.ts';

const scene = useScene('localpage');
const { cluster, namespace } = scene;
const rules = useDeviceRules(cluster);
const node = cluster.nodes[1] ?? cluster.nodes[0]!;
const [disk] = loopNumbers(1) as [number];
const resource = 'pods.test/page-disk';

let browser: Browser;
let forwarded: ForwardedPage;
let tab: Page;
let complaints: readonly string[] = [];

beforeAll(async () => {
  browser = await startBrowser();
  forwarded = await forwardPage(cluster, node.name);
  tab = await browser.newPage();
  complaints = complaintsOf(tab);
  await tab.goto(forwarded.url);
  await tab.evaluate(`window.same = true`);
});
afterAll(async () => {
  await browser.close();
  await forwarded.end();
  removeLoop(disk);
});

/** Waits until a section shows a text; nobody loads the page again. */
async function shows(section: string, text: string): Promise<void> {
  await tab.waitForFunction(
    `document.getElementById(${JSON.stringify(section)}).textContent.includes(${JSON.stringify(text)})`,
    { timeout: 60_000 },
  );
  expect(await tab.evaluate('window.same')).toBe(true);
}

test('the address of berth page opens it, and its key does not stay in the address', async () => {
  expect(await tab.title()).toBe(`${node.name} – Berth`);
  expect(new URL(tab.url()).search).toBe('');
  for (const service of ['network', 'devices', 'storage']) await shows('services', service);
  await shows('verdict', 'all services are ready');
  await shows('registrations', 'csi.berth.dev');
});

test('whoever has not the key sees nothing of it', async () => {
  const { origin } = new URL(forwarded.url);
  const other = await browser.createBrowserContext();
  const page = await other.newPage();
  expect((await page.goto(origin))?.status()).toBe(401);
  expect(await page.evaluate(`document.body.textContent`)).not.toContain('coredns');
  expect((await fetch(`${origin}/readyz`)).status).toBe(200);
  await other.close();
});

test('a device that is plugged in appears by itself', async () => {
  await rules.set({ name: resource, match: [{ subsystem: 'block', name: `loop${disk}` }] });
  addLoop(disk);
  await shows('devices', resource);
  await shows('registrations', resource);
  await offered(cluster, node.name, resource, 1);
});

test('a pod that has all three appears with its address, device and volume, and with the calls that gave them', async () => {
  await scene.apply(
    claimManifest('data', 'berth-ext4', '64Mi'),
    podManifest('all', { node: node.name, limits: { [resource]: 1 }, claims: { '/data': 'data' } }),
  );
  const { status } = await scene.ready('all');
  const pod = `${namespace}/all`;
  await shows('attachments', pod);
  await shows('devices', pod);
  await shows('volumes', pod);
  const row = await eventually('the pod to have everything', 30, async () => {
    const cells = (await tab.evaluate(
      `[...document.querySelectorAll('#pods tbody tr')].map((row) => row.textContent).find((text) => text.includes(${JSON.stringify(pod)}))`,
    )) as string | undefined;
    return cells?.includes(`${namespace}/data`) === true && cells.includes(resource) ? cells : undefined;
  });
  expect(row).toContain(status.podIP);
  for (const call of [`${pod} eth0`, 'NodePublishVolume', `${namespace}/data`, `${resource}: `])
    await shows('calls', call);
  await shows('pools', `${namespace}/data`);
});

test('it fits the screen with what a real node has', async () => {
  for (const width of [1280, 400]) {
    await tab.setViewport({ width, height: 900 });
    expect(await misplacedTexts(tab)).toEqual([]);
  }
});

test('a pod that has gone goes from it', async () => {
  await scene.remove('pod', 'all');
  await tab.waitForFunction(`!document.getElementById('pods').textContent.includes('${namespace}/all')`);
  await tab.waitForFunction(`!document.getElementById('devices').textContent.includes('${namespace}/all')`);
  expect(await tab.evaluate('window.same')).toBe(true);
});

test('the browser had nothing to complain about', () => {
  expect(complaints).toEqual([]);
});
