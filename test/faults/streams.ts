/** Streams and short connections between pods, checked at both ends: what runs while something else is broken. */
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { startProgram } from '../cluster/peers.ts';
import type { Peer } from '../cluster/peers.ts';

const program = join(import.meta.dirname, 'stream.ts');

export interface End {
  readonly node: ClusterNode;
  readonly pod: Pod;
}

function addressesOf({ status }: Pod): readonly string[] {
  return (status.podIPs ?? []).map(({ ip }) => ip);
}

function run({ node, pod }: End, ...args: readonly string[]): Peer {
  return startProgram(program, node, pod.status.podIP, ...args);
}

/** Makes a pod answer streams and short connections. */
export async function serve(end: End): Promise<Peer> {
  const server = run(end, 'serve');
  expect(await server.line()).toBe('listening');
  return server;
}

/** A stream to each address of a pod that serves; `finish` ends them and shows that no byte was lost either way. */
export async function streamTo(from: End, to: End, server: Peer): Promise<{ finish(): Promise<void> }> {
  const streams: Peer[] = [];
  for (const address of addressesOf(to.pod)) {
    const stream = run(from, 'stream', address);
    expect(await stream.line()).toBe('connected');
    streams.push(stream);
  }
  return {
    finish: async () => {
      for (const stream of streams) {
        stream.finish();
        const [mine, theirs] = [figures(await stream.line()), figures(await server.line())];
        expect(mine.sent).toBeGreaterThan(0);
        expect(theirs).toEqual({ sent: mine.received, received: mine.sent });
      }
    },
  };
}

function figures(line: string): { readonly sent: number; readonly received: number } {
  const [, sent, received] = /^sent (\d+) received (\d+)$/.exec(line) ?? [];
  if (sent === undefined) throw new Error(`a stream ended otherwise than told: ${line}`);
  return { sent: Number(sent), received: Number(received) };
}

/** Makes short connections one after another until finished, at least so many to each address; none may fail. */
export async function knockAt(from: End, to: End, least: number): Promise<{ finish(): Promise<void> }> {
  const knocking: Peer[] = [];
  for (const address of addressesOf(to.pod)) {
    const peer = run(from, 'knock', address, String(least));
    expect(await peer.line()).toBe('first');
    knocking.push(peer);
  }
  return {
    finish: async () => {
      for (const peer of knocking) {
        peer.finish();
        const line = await peer.line();
        expect(line).toMatch(/^\d+ connections, 0 failed$/);
        expect(Number.parseInt(line, 10)).toBeGreaterThanOrEqual(least);
      }
    },
  };
}
