// Nodes for a test file: one that all tests share which leave their agent alone, and those of single tests. The machine stays as it was.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { buildExecutable } from '../../../scripts/executable.ts';
import { TestNode } from './node.ts';

export interface Nodes {
  /** Shared, with an agent that runs: starting one takes a second. Its pods go after each test. */
  readonly common: () => Promise<TestNode>;
  /** For one test. */
  readonly make: (podCIDR?: string | readonly string[]) => TestNode;
  /** The same with an agent that runs. */
  readonly start: (podCIDR?: string | readonly string[]) => Promise<TestNode>;
}

/** What the machine's own namespace has: the tests must leave it as it is. */
function machineState(): string {
  const links = JSON.parse(execFileSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' })) as { ifname: string }[];
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  return JSON.stringify([links.filter((link) => /^veth[0-9a-f]{11}$/.test(link.ifname)), /inet berth\b/.test(tables)]);
}

/** To be called at the top of a test file, once. */
export function useNodes(): Nodes {
  const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
  const shim = join(folder, 'berth');
  const nodes: TestNode[] = [];
  let shared: TestNode | undefined;
  let machine = '';
  beforeAll(async () => {
    machine = machineState();
    await buildExecutable(shim);
  });
  afterAll(() => {
    shared?.dispose();
    rmSync(folder, { recursive: true });
  });
  afterEach(async () => {
    await shared?.clear();
    for (const node of nodes.splice(0)) node.dispose();
    expect(machineState()).toBe(machine);
  });
  const make = (podCIDR?: string | readonly string[]): TestNode => {
    const node = new TestNode(shim, podCIDR);
    nodes.push(node);
    return node;
  };
  return {
    make,
    common: async () => {
      if (shared === undefined) {
        shared = new TestNode(shim);
        await shared.startAgent();
      }
      return shared;
    },
    start: async (podCIDR) => {
      const node = make(podCIDR);
      await node.startAgent();
      return node;
    },
  };
}

/** The error code in an answer. */
export function codeOf(answer: { readonly stdout: string }): unknown {
  return (JSON.parse(answer.stdout) as { readonly code?: number }).code;
}

export function expectNothingLeft(node: TestNode): void {
  expect(node.podLinks()).toEqual([]);
  expect(node.podRoutes()).toEqual([]);
  expect(node.records()).toEqual([]);
}
