// Hundreds of pods that come and go sixteen at a time, and all at once: afterwards every address, link and element is accounted for.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { call as callAgent, requestOf, socketOf } from './cni/client.ts';
import { TestNode } from './cni/node.ts';

const count = 250;
const atOnce = 16;
const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const pods = Array.from({ length: count }, (_, at) => `p${at}`);
let node: TestNode;

function namespaces(action: 'add' | 'del'): void {
  const lines = pods.map((pod) => `netns ${action} ${node.name(pod)}`).join('\n');
  execFileSync('ip', ['-force', '-batch', '-'], { input: lines, stdio: ['pipe', 'ignore', 'ignore'] });
}

beforeAll(async () => {
  await buildExecutable(join(folder, 'berth'));
  node = new TestNode(join(folder, 'berth'), ['10.244.0.0/22', 'fd00:7::/64']);
  await node.startAgent();
  namespaces('add');
}, 120_000);
afterAll(() => {
  namespaces('del');
  node.dispose();
  rmSync(folder, { recursive: true });
}, 120_000);

/** Over the socket, as the executable would: 500 processes are not what is tested here. Returns the addresses of an ADD. */
async function call(command: 'ADD' | 'DEL', pod: string): Promise<readonly string[]> {
  const at = pods.indexOf(pod);
  const mappings = [{ hostPort: 20_000 + at, containerPort: 80, protocol: at % 4 === 0 ? 'udp' : 'tcp' }];
  const config = { cniVersion: '1.0.0', ...(at % 2 === 0 ? { runtimeConfig: { portMappings: mappings } } : {}) };
  const variables = { ...node.variables(pod), CNI_PATH: '/opt/cni/bin', CNI_COMMAND: command };
  const { exit, stdout } = await callAgent(socketOf(node), requestOf(variables, config));
  expect({ command, pod, exit, stdout: exit === 0 ? '' : stdout }).toEqual({ command, pod, exit: 0, stdout: '' });
  if (command === 'DEL') return [];
  return (JSON.parse(stdout) as { readonly ips: readonly { readonly address: string }[] }).ips.map(
    ({ address }) => address,
  );
}

/** What the node has for so many pods, of which some have a port: exactly that, and no address twice. */
async function expectAccounts(attached: ReadonlyMap<string, readonly string[]>): Promise<void> {
  const addresses = [...attached.values()].flat().map((address) => address.replace(/\/.*/, ''));
  expect(new Set(addresses).size).toBe(2 * attached.size);
  const withPort = [...attached.keys()].filter((pod) => pods.indexOf(pod) % 2 === 0).length;
  // DEL answers before the link has gone.
  await vi.waitUntil(() => node.records().length === attached.size, { timeout: 30_000, interval: 20 });
  expect(node.podLinks()).toHaveLength(attached.size);
  const routes = `${node.ip('node', 'route', 'show')}\n${node.ip('node', '-6', 'route', 'show')}`;
  const routed = [...routes.matchAll(/^(\S+) dev veth/gm)].map(([, to = '']) => to).filter((to) => !to.includes('/'));
  expect(routed.sort()).toEqual(addresses.sort());
  const table = node.nft('list', 'table', 'inet', 'berth');
  expect(table.match(/ : 10\.244\.\d+\.\d+ \. 80/g) ?? []).toHaveLength(withPort);
  expect(table.match(/ : fd00:7::\S* \. 80/g) ?? []).toHaveLength(withPort);
}

test('sixteen at a time, again and again, and then all at once', async () => {
  const attached = new Map<string, readonly string[]>();
  const add = async (pod: string): Promise<void> => {
    attached.set(pod, await call('ADD', pod));
  };
  const del = async (pod: string): Promise<void> => {
    await call('DEL', pod);
    attached.delete(pod);
  };
  const churn = async (steps: Iterator<string>, work: (pod: string) => Promise<void>): Promise<void> => {
    const worker = async (): Promise<void> => {
      for (let next = steps.next(); next.done !== true; next = steps.next()) await work(next.value);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  };

  await churn(pods.values(), add);
  await expectAccounts(attached);
  // Each comes, comes again as after a crash of the runtime, and goes; every third stays.
  await churn(pods.values(), async (pod) => {
    await del(pod);
    await add(pod);
    if (pods.indexOf(pod) % 5 === 0) await add(pod);
    if (pods.indexOf(pod) % 3 !== 0) await del(pod);
  });
  await expectAccounts(attached);
  expect(attached.size).toBe(84);
  await Promise.all([...attached.keys()].map(del));
  await Promise.all(pods.map(add));
  await expectAccounts(attached);
  await Promise.all(pods.map(del));
  await expectAccounts(new Map());
}, 180_000);
