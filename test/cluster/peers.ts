// Peers of test/kernel/cni/peer.ts in the network of a node or of a pod, with this machine's own files.
import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';

const conversation = join(import.meta.dirname, '../kernel/cni/peer.ts');
const running = new Set<ChildProcess>();

export interface Peer {
  /** The next line it prints. */
  line(): Promise<string>;
  say(line: string): void;
  /** Ends its input, which is to some a word to finish. */
  finish(): void;
  end(): void;
}

/** Ends the peers of a test file with it. */
export function usePeers(): void {
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL');
  });
}

/** Starts a peer in the network of a node, or of the pod with an address on it. */
export function startPeer(node: ClusterNode, podAddress: string | undefined, ...args: readonly string[]): Peer {
  return startProgram(conversation, node, podAddress, ...args);
}

/** The same with another program of this machine (TypeScript). */
export function startProgram(
  program: string,
  node: ClusterNode,
  podAddress: string | undefined,
  ...args: readonly string[]
): Peer {
  const child = startCommand('nsenter', [networkOf(node, podAddress), process.execPath, program, ...args]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    line: async () => {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the peer ${args.join(' ')} ended without another line`);
      return value;
    },
    say: (line) => child.stdin.write(line),
    finish: () => child.stdin.end(),
    end: () => child.kill('SIGKILL'),
  };
}

/** Starts any program of this machine, which ends with the test file as peers do. Its errors are the test's. */
export function startCommand(file: string, args: readonly string[]): ChildProcessByStdio<Writable, Readable, null> {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  child.on('close', () => running.delete(child));
  return child;
}

/** What tells nsenter to enter the network of a node, or of the pod with an address on it. */
export function networkOf(node: ClusterNode, podAddress: string | undefined): string {
  return `--net=/proc/${node.pid}/${podAddress === undefined ? 'ns/net' : `root${namespaceOf(node, podAddress)}`}`;
}

/** Path of a pod's network namespace on its node, as the agent's records have it. */
function namespaceOf(node: ClusterNode, address: string): string {
  const folder = `/proc/${node.pid}/root/run/berth/attachments`;
  const records = readdirSync(folder).map(
    (name) =>
      JSON.parse(readFileSync(join(folder, name), 'utf8')) as { addresses: string[]; netns: { readonly path: string } },
  );
  const found = records.find(({ addresses }) => addresses.includes(address));
  if (found === undefined) throw new Error(`no attachment on ${node.name} has the address ${address}`);
  // Seen from here the node's /var/run would lead to this machine's /run.
  return found.netns.path.replace(/^\/var\/run\//, '/run/');
}
