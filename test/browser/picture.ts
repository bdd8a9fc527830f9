/**
 * `node test/browser/picture.ts [CLUSTER]`: makes docs/page.png, the page of a node with the examples on it, one half by day and
 * one by night. Of a cluster of its own, or of a running one with Berth and the examples.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { upCluster, useCluster } from '../../cluster/cluster.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { deployBerth, manifestFolder, sidecarImages } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { startBrowser } from './browser.ts';
import { forwardPage } from './forward.ts';
import { palettePng } from './palettepng.ts';
import type { Pixels } from './palettepng.ts';

const width = 1280;
const target = join(import.meta.dirname, '../../docs/page.png');

async function withExamples(): Promise<Cluster> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const images = ['busybox', ...sidecarImages] as const;
  const cluster = await upCluster({ name: 'picture', dns: true, images, onStep: say });
  await deployBerth(cluster, say);
  await kubectl(cluster, ['apply', '-k', join(manifestFolder, 'examples')]);
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'pod', '--all', '-n', 'berth-examples', '--timeout=120s']);
  return cluster;
}

/** From the top to the end of the pools: what a pod has, and what there is to have. */
async function shoot(page: Page, url: string, scheme: string): Promise<Shot> {
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(url);
  // The kubelet tells who holds a device a moment after the pod has started.
  const shown = (text: string) => `document.getElementById('pods').textContent.includes('${text}')`;
  await page.waitForFunction(`${shown('berth.dev/fuse')} && ${shown('berth-examples/web-ext4')}`);
  await page.evaluate(`document.querySelectorAll('details').forEach((details) => { details.open = true; })`);
  const end = (await page.evaluate(`document.getElementById('pools').getBoundingClientRect().bottom`)) as number;
  const height = Math.ceil(end) + 16;
  await page.setViewport({ width, height });
  return { height, picture: await page.screenshot({ encoding: 'base64' }) };
}

interface Shot {
  readonly height: number;
  /** A PNG in base64. */
  readonly picture: string;
}

/** Two pictures of a screen, of which the second shows beyond a slanting line. */
async function halves(browser: Browser, one: Shot, other: Shot): Promise<Pixels> {
  const height = Math.max(one.height, other.height);
  const page = await browser.newPage();
  const data = (await page.evaluate(`(async () => {
    const load = async (base64) => {
      const image = new Image();
      image.src = 'data:image/png;base64,' + base64;
      await image.decode();
      return image;
    };
    const canvas = new OffscreenCanvas(${width}, ${height});
    const context = canvas.getContext('2d');
    context.drawImage(await load('${one.picture}'), 0, 0);
    context.beginPath();
    context.moveTo(${width * 0.6}, 0);
    context.lineTo(${width}, 0);
    context.lineTo(${width}, ${height});
    context.lineTo(${width * 0.4}, ${height});
    context.clip();
    context.drawImage(await load('${other.picture}'), 0, 0);
    return new Uint8Array(context.getImageData(0, 0, ${width}, ${height}).data.buffer).toBase64();
  })()`)) as string;
  return { width, height, data: Buffer.from(data, 'base64') };
}

const [, , running] = process.argv;
const cluster = running === undefined ? await withExamples() : useCluster(running);
try {
  const [node] = cluster.nodes;
  const forwarded = await forwardPage(cluster, node?.name ?? '');
  const browser = await startBrowser();
  try {
    const page = await browser.newPage();
    const [day, night] = [await shoot(page, forwarded.url, 'light'), await shoot(page, forwarded.url, 'dark')];
    const png = palettePng(await halves(browser, day, night));
    await writeFile(target, png);
    process.stderr.write(`${target}: ${Math.ceil(png.length / 1000)} kB\n`);
  } finally {
    await browser.close();
    await forwarded.end();
  }
} finally {
  if (running === undefined) await cluster.down();
}
