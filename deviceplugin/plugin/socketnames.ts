/** Names of our sockets in the kubelet's directories: never the same twice, and known again by the next agent. */
import { createHash } from 'node:crypto';
import type { Logger } from '../../kit/log.ts';
import { removeAbandonedSockets } from '../../protos/serve.ts';

/** A name nobody has used before, also not an agent before this one: 28 bytes. */
let generation = 0;
export function nextSocket(resource: string): string {
  generation = Math.max(generation + 1, Date.now());
  const hash = createHash('sha256').update(resource).digest('hex').slice(0, 8);
  return `berth-${hash}-${generation.toString(36)}.sock`;
}

const ours = /^berth-[0-9a-f]{8}-[0-9a-z]{8,9}\.sock$/;

/** Removes sockets that a killed agent left: those of our names that nobody answers. Never throws. */
export async function removeStaleSockets(directory: string, log: Logger): Promise<void> {
  for (const path of await removeAbandonedSockets(directory, ours))
    log.info({ event: 'device.socket_removed', path }, 'removed the socket of an agent that has ended');
}
