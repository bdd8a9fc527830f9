// The model of csi/model.test.ts against the real kernel: few runs, for each call makes filesystems, devices and mounts.
import { readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { anyOperation, fruitfulOperation, life, lifeOfTwo, severalOperations } from '../../csi/fake/model/generate.ts';
import {
  expectPoolAsModelled,
  expectPoolInOrder,
  expectRoomAsModelled,
  modelledDevices,
  modelledMounts,
} from '../../csi/fake/model/holds.ts';
import { emptyModel, rebooted } from '../../csi/fake/model/model.ts';
import { ModelledNode } from '../../csi/fake/model/modellednode.ts';
import type { Operation } from '../../csi/fake/model/operation.ts';
import { TestNode } from '../../csi/fake/testnode.ts';
import { MiB } from '../../csi/quantity.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { unmountBelow } from './volumelife.ts';

/** What the ledger may give; the disk has much more, for XFS frees what was deleted a moment later. */
const capacity = 496n * MiB;
const runs = 60;

/** Without this capability the kernel grows no ext4 that is mounted, which the model does not know. */
const sysResource = 1n << 24n;
const effective = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
const canGrow = (effective & sysResource) !== 0n;
const leftOut = canGrow ? '' : ' (without growth, for which CAP_SYS_RESOURCE is missing)';
const isPossible = ({ kind }: Operation): boolean => canGrow || kind !== 'expand';
const any = anyOperation.filter(isPossible);
const several = severalOperations.filter((all) => all.every(isPossible));
const fruitfulOnes = fc.array(fruitfulOperation.filter(isPossible), { minLength: 1, maxLength: 3 });

type Step = readonly Operation[] | 'restart' | 'reboot';
const oneByOne = (operations: readonly Operation[]): readonly Step[] => operations.map((one) => [one]);
const step: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 6, arbitrary: any.map((one) => [[one]]) },
  { weight: 4, arbitrary: several.map((all) => [all]) },
  { weight: 3, arbitrary: life.map(oneByOne) },
  { weight: 2, arbitrary: fc.constantFrom(['restart' as const], ['reboot' as const]) },
);
/** Calls of which most hit something, some of them at once and repeated, then any. */
const steps = fc
  .tuple(fc.array(fruitfulOnes, { minLength: 2, maxLength: 6 }), fc.array(step, { maxLength: 8 }))
  .map(([fruitful, rest]): readonly Step[] => [...oneByOne(lifeOfTwo), ...fruitful, ...rest.flat()]);

let shared: SharedFolder;
let disk: ScratchPool;
let made = 0;

beforeAll(async () => {
  shared = await makeSharedFolder();
  disk = await makeScratchPool('xfs', 4096 * Number(MiB));
});
afterAll(async () => {
  await disk.close();
  await shared.close();
});

/** A node on the real kernel, and what happens to it. */
class Scene {
  readonly #modelled: ModelledNode;

  private constructor(node: TestNode) {
    this.#modelled = new ModelledNode(node, emptyModel(capacity, 'shared'));
  }

  static async make(): Promise<Scene> {
    const pool = join(disk.path, `run-${made++}`);
    const storage = { central: true };
    const node = await TestNode.make({ base: shared.path, pool, capacity: String(capacity), storage });
    await node.start();
    return new Scene(node);
  }

  async do(step: Step): Promise<void> {
    const { node } = this.#modelled;
    if (step === 'restart') await node.start();
    else if (step === 'reboot') {
      await this.#reboot();
      this.#modelled.model = rebooted(this.#modelled.model);
      await node.start();
    } else await this.#modelled.sendAtOnce(step);
    if (typeof step === 'string') await expectPoolInOrder(node.pool);
    await this.#expectInvariants();
  }

  async close(): Promise<void> {
    const { node } = this.#modelled;
    await this.#reboot();
    await node.close();
    await rm(node.pool, { recursive: true });
  }

  /** What a reboot leaves: files, and neither mounts nor devices nor what is kept in memory. */
  async #reboot(): Promise<void> {
    const { node } = this.#modelled;
    await node.stop();
    await unmountBelow(node.folder);
    const images = join(node.pool, 'images');
    for (const file of await readdir(images)) await kernelLoopDevices().detach(join(images, file));
    await rm(join(node.folder, 'run'), { recursive: true, force: true });
  }

  async #expectInvariants(): Promise<void> {
    const { node } = this.#modelled;
    await expectPoolAsModelled(this.#modelled);
    await expectRoomAsModelled(this.#modelled, true);
    const mounts = (await kernelMounts().list()).filter(({ mountPoint }) => mountPoint.startsWith(`${node.folder}/`));
    const shown = mounts.map(({ mountPoint, options }) => `${mountPoint}${options.includes('ro') ? ' ro' : ''}`);
    expect(shown.sort()).toEqual(await modelledMounts(this.#modelled));
    const images = join(node.pool, 'images');
    const devices = await Promise.all(
      (await readdir(images)).map((file) => kernelLoopDevices().find(join(images, file))),
    );
    expect(devices.filter((device) => device !== undefined)).toHaveLength(modelledDevices(this.#modelled));
  }
}

test(`on a pool of xfs every answer is right and nothing is left over${leftOut}`, { timeout: 300_000 }, async () => {
  const property = fc.asyncProperty(steps, async (all) => {
    const scene = await Scene.make();
    try {
      for (const next of all) await scene.do(next);
    } finally {
      await scene.close();
    }
  });
  // A failure is told as it came: to look for a smaller one takes longer here than to read it.
  await fc.assert(property, { numRuns: runs, endOnFailure: true });
});
