/** What must be true after every call: nothing exists without an owner, nothing owned is missing, and the promises add up. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readPoolIdentity } from '../../pool.ts';
import { readRecords } from '../../store.ts';
import type { ModelledNode } from './modellednode.ts';
import { availableIn } from './model.ts';
import { stagingOf, targetOf } from './send.ts';

/** The pool's folders and what the node lists are what the model has. */
export async function expectPoolAsModelled(modelled: ModelledNode): Promise<void> {
  const { node, model } = modelled;
  // Which waits for what is being freed.
  await modelled.free();
  const files = async (folder: string): Promise<string[]> => (await readdir(join(node.pool, folder))).sort();
  const idsOf = (objects: readonly { readonly id: string }[]): string[] => objects.map(({ id }) => id).sort();
  const [volumes, snapshots, groups] = [idsOf(model.volumes), idsOf(model.snapshots), idsOf(model.groups)];
  const all = [...groups, ...snapshots, ...volumes];
  expect({
    meta: await files('meta'),
    images: await files('images'),
    snapshots: await files('snapshots'),
    trash: await files('trash'),
  }).toEqual({
    meta: all.map((id) => `${id}.json`),
    images: volumes.map((id) => `${id}.img`),
    snapshots: snapshots.map((id) => `${id}.img`),
    trash: [],
  });
  const sizeOf = async (folder: string, id: string): Promise<bigint> =>
    (await stat(join(node.pool, folder, `${id}.img`), { bigint: true })).size;
  for (const { id, bytes } of model.volumes) expect(await sizeOf('images', id)).toBe(bytes);
  for (const { id, bytes } of model.snapshots) expect(await sizeOf('snapshots', id)).toBe(bytes);
  const listed = await node.controller.ListVolumes({});
  expect(listed.entries.map(({ volume }) => volume?.volume_id)).toEqual(volumes);
  const listedSnapshots = await node.controller.ListSnapshots({});
  expect(listedSnapshots.entries.map(({ snapshot }) => snapshot?.snapshot_id)).toEqual(snapshots);
}

/** What a start leaves, whatever was unfinished: records that are ready, each with its bytes, and no bytes without a record. */
export async function expectPoolInOrder(pool: string): Promise<void> {
  const { id = '' } = (await readPoolIdentity(pool)) ?? {};
  const { volumes, snapshots, groups, unreadable } = await readRecords(join(pool, 'meta'), id);
  const states = [...volumes, ...snapshots, ...groups].map(({ state }) => state);
  expect(new Set(states).difference(new Set(['ready']))).toEqual(new Set());
  expect({ unreadable, growing: volumes.filter(({ grownFrom }) => grownFrom !== undefined) }).toEqual({
    unreadable: [],
    growing: [],
  });
  for (const [folder, objects] of [
    ['images', volumes],
    ['snapshots', snapshots],
    ['trash', []],
  ] as const) {
    const files = await readdir(join(pool, folder));
    expect(files.sort()).toEqual(objects.map(({ id }) => `${id}.img`).sort());
    for (const { id, bytes } of objects)
      expect((await stat(join(pool, folder, `${id}.img`), { bigint: true })).size).toBe(bytes);
  }
}

/** Never more is promised than there is; and no less, as soon as what shares bytes is measured. */
export async function expectRoomAsModelled(modelled: ModelledNode, exactly: boolean): Promise<void> {
  const room = availableIn(modelled.model);
  if (exactly) await expect.poll(() => modelled.free()).toBe(room);
  else expect(await modelled.free()).toBeLessThanOrEqual(room);
}

/** Mount points, those that can only be read with ` ro`; sorted. */
export async function modelledMounts({ node, model }: ModelledNode): Promise<string[]> {
  const paths: string[] = [];
  for (const { name, type, staged, published } of model.volumes) {
    if (staged !== undefined && type !== 'block') paths.push(await stagingOf(node, name));
    for (const { target, readonly } of published) paths.push(`${await targetOf(node, target)}${readonly ? ' ro' : ''}`);
  }
  return paths.sort();
}

/** How many devices there have to be. */
export function modelledDevices({ model }: ModelledNode): number {
  return model.volumes.filter(({ staged }) => staged !== undefined).length;
}
