/** Puts a call into the queue on the node's side: bounded, whole or not at all. */
import { largestEntry, largestQueue, mostEntries, unfinishedPrefix } from '../queue/entry.ts';
import { SystemError, checked } from './calls.ts';
import type { Host } from './host.ts';

/** What it needs of the system. */
export type QueueHost = Pick<
  Host,
  'mkdir' | 'list' | 'size' | 'create' | 'write' | 'close' | 'rename' | 'unlink' | 'pid' | 'now' | 'nameOf'
>;

const exists = -17;

function makeFolder(host: QueueHost, folder: string): void {
  const parent = folder.slice(0, folder.lastIndexOf('/'));
  for (const each of parent === '' ? [folder] : [parent, folder]) {
    const result = host.mkdir(each);
    if (result !== exists) checked(`mkdir ${each}`, result, host);
  }
}

/** Bytes of all entries but that one, whose number is bounded. */
function usedByOthers(host: QueueHost, folder: string, name: string): number {
  const found = host.list(folder);
  if (typeof found === 'number') throw new SystemError(`readdir ${folder}`, -found, host);
  const others = found.filter((other) => other !== name);
  if (others.length >= mostEntries) throw new Error(`the queue ${folder} is full: ${others.length} calls wait in it`);
  // One that is gone was replayed or replaced meanwhile.
  return others.reduce((sum, other) => sum + Math.max(0, host.size(`${folder}/${other}`)), 0);
}

/** Writes the entry `name`. Throws a sentence when the queue is full or cannot be written. */
export function enqueue(host: QueueHost, folder: string, name: string, frame: Uint8Array): void {
  if (frame.length > largestEntry)
    throw new Error(`the call has ${frame.length} bytes, the queue takes ${largestEntry}`);
  makeFolder(host, folder);
  const used = usedByOthers(host, folder, name);
  if (used + frame.length > largestQueue) throw new Error(`the queue ${folder} is full: ${used} bytes wait in it`);
  const temporary = `${folder}/${unfinishedPrefix}${host.pid()}-${Math.round(host.now() * 1_000)}`;
  const file = checked(`open ${temporary}`, host.create(temporary), host);
  try {
    try {
      // No fsync: the queue is on tmpfs, and a power cut takes the pods as well.
      for (let at = 0; at < frame.length;)
        at += checked('write', host.write(file, frame.buffer, frame.byteOffset + at, frame.length - at), host);
    } finally {
      host.close(file);
    }
    checked('rename', host.rename(temporary, `${folder}/${name}`), host);
  } catch (error) {
    host.unlink(temporary);
    throw error;
  }
}

/** Takes an entry out again, whether or not it is still there. */
export function dequeue(host: Pick<Host, 'unlink'>, folder: string, name: string): void {
  host.unlink(`${folder}/${name}`);
}
