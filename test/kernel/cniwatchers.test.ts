// The configuration list as the runtimes see it: containerd, which overlooks new files and takes none behind a broken one, and
// CRI-O, which asks each plugin for its versions. And what the agent says of others' lists that come before ours.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { TestNode } from './cni/node.ts';
import { useNodes } from './cni/scene.ts';

const { make } = useNodes();
const watchers: ChildProcess[] = [];
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.kill('SIGKILL');
});

/** A runtime that watches the node's folder of configurations. */
interface Runtime {
  readonly said: readonly string[];
  /** Waits until it has seen all that has happened so far; returns what it had said by then. */
  readonly caughtUp: () => Promise<number>;
  /** Waits until it has looked since `mark` and uses this network. */
  readonly uses: (network: string, mark?: number) => Promise<void>;
}

async function watchAs(runtime: string, node: TestNode): Promise<Runtime> {
  const script = join(import.meta.dirname, 'cni', 'watcher.ts');
  const args = [script, runtime, node.config.cniConfDir, node.config.cniBinDir];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  watchers.push(child);
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  const uses = async (network: string, mark = 0): Promise<void> => {
    await vi.waitUntil(() => said.slice(mark).at(-1)?.endsWith(` -> ${network}`) === true, {
      timeout: 30_000,
      interval: 10,
    });
  };
  await uses('none');
  const caughtUp = async (): Promise<number> => {
    const marker = `marker-${said.length}`;
    writeFileSync(join(node.config.cniConfDir, marker), 'x');
    await vi.waitUntil(() => said.some((line) => line.startsWith(`Write ${marker} `)), { timeout: 30_000 });
    return said.length;
  };
  return { said, caughtUp, uses };
}

async function says(node: TestNode, text: string, times = 1): Promise<string> {
  return await vi.waitUntil(
    () => {
      const lines = node.agentLog.split('\n').filter((line) => line.includes(text));
      return lines.length >= times ? lines.at(-1) : undefined;
    },
    { timeout: 30_000, interval: 20 },
  );
}

const other = JSON.stringify({ cniVersion: '1.0.0', name: 'other', plugins: [{ type: 'berth' }] });

describe.each(['containerd', 'cri-o'])('%s', (kind) => {
  async function start(): Promise<{ node: TestNode; runtime: Runtime; path: string }> {
    const node = make();
    mkdirSync(node.config.cniConfDir);
    const runtime = await watchAs(kind, node);
    await node.startAgent();
    await runtime.uses('berth');
    return { node, runtime, path: join(node.config.cniConfDir, node.config.conflistName) };
  }

  test('sees our list when it is installed, and again after it was removed, moved away or damaged', async () => {
    const { node, runtime, path } = await start();
    // Its plugin was there before it, and nothing in between was taken for a configuration.
    expect(new Set(runtime.said.map((line) => line.split(' -> ')[1]))).toEqual(new Set(['none', 'berth']));
    const harms = [
      (): void => {
        rmSync(path);
      },
      (): void => {
        renameSync(path, `${path}.bak`);
      },
      (): void => {
        writeFileSync(path, '{"cniVersion":');
      },
    ];
    for (const [at, harm] of harms.entries()) {
      const mark = await runtime.caughtUp();
      harm();
      await says(node, '"conflist","msg":"restored', at + 1);
      await runtime.uses('berth', mark);
    }
  });

  test('takes another list that comes first, and ours again when that has gone', async () => {
    const { node, runtime } = await start();
    const rival = join(node.config.cniConfDir, '00-other.conflist');
    let mark = await runtime.caughtUp();
    writeFileSync(rival, other);
    await runtime.uses('other', mark);
    mark = await runtime.caughtUp();
    rmSync(rival);
    await runtime.uses('berth', mark);
  });

  test('takes none or ours behind a broken list, and ours when that has gone', async () => {
    const { node, runtime } = await start();
    const broken = join(node.config.cniConfDir, '00-broken.conf');
    let mark = await runtime.caughtUp();
    writeFileSync(broken, '{"type":');
    // CRI-O goes on to the next, containerd gives no pod a network.
    await runtime.uses(kind === 'containerd' ? 'none' : 'berth', mark);
    mark = await runtime.caughtUp();
    rmSync(broken);
    await runtime.uses('berth', mark);
  });

  test('keeps our list while the agent stops, and sees no change when it starts again', async () => {
    const { node, runtime } = await start();
    const mark = await runtime.caughtUp();
    await node.stopAgent();
    await node.startAgent();
    await runtime.caughtUp();
    expect(runtime.said.slice(mark).filter((line) => !line.includes(' marker-'))).toEqual([]);
  });
});

test('the agent tells of a list that comes before ours, of a broken one with the reason, and when both have gone', async () => {
  const node = make();
  await node.startAgent();
  const [rival, broken] = ['00-other.conflist', '01-broken.conf'].map((name) => join(node.config.cniConfDir, name));
  writeFileSync(rival ?? '', other);
  expect(await says(node, 'conflist.rival')).toContain('00-other.conflist');
  writeFileSync(broken ?? '', '{"type":');
  const line = JSON.parse(await says(node, 'conflist.broken_rival')) as { readonly msg: string };
  expect(line.msg).toMatch(/^01-broken\.conf: it is not JSON: .*mend or remove it$/);
  for (const path of [rival, broken]) rmSync(path ?? '');
  await says(node, 'conflist.first');
});
