/** Puts a call into the queue on the node's side: bounded, whole or not at all. Loaded only when the agent does not answer. */
import { largestEntry, largestQueue, mostEntries, unfinishedPrefix } from '../queue/entry.ts';

/** Writes the entry `name`. Throws a sentence when the queue is full or cannot be written. */
export async function enqueue(folder: string, name: string, frame: Uint8Array): Promise<void> {
  // Not imported at the top: loading node:fs would cost every call some of its milliseconds.
  const { mkdir, readdir, rename, rm, stat, writeFile } = await import('node:fs/promises');
  if (frame.length > largestEntry)
    throw new Error(`the call has ${frame.length} bytes, the queue takes ${largestEntry}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const others = (await readdir(folder)).filter((other) => other !== name);
  if (others.length >= mostEntries) throw new Error(`the queue ${folder} is full: ${others.length} calls wait in it`);
  // One that is gone was replayed or replaced meanwhile.
  const sizes = await Promise.all(others.map((other) => stat(`${folder}/${other}`).catch(() => ({ size: 0 }))));
  const used = sizes.reduce((sum, { size }) => sum + size, 0);
  if (used + frame.length > largestQueue) throw new Error(`the queue ${folder} is full: ${used} bytes wait in it`);
  const temporary = `${folder}/${unfinishedPrefix}${process.pid}-${Date.now()}`;
  try {
    // No fsync: the queue is on tmpfs, and a power cut takes the pods as well.
    await writeFile(temporary, frame, { mode: 0o600, flag: 'wx' });
    await rename(temporary, `${folder}/${name}`);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Takes an entry out again, whether or not it is still there. */
export async function dequeue(folder: string, name: string): Promise<void> {
  const { rm } = await import('node:fs/promises');
  await rm(`${folder}/${name}`, { force: true });
}
