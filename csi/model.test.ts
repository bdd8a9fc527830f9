// Random calls in random order, alone and at once, twice, over restarts and reboots, against a model of what storage promises.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import { anyOperation, fruitfulOperation, life, lifeOfTwo, severalOperations } from './fake/model/generate.ts';
import {
  expectPoolAsModelled,
  expectPoolInOrder,
  expectRoomAsModelled,
  modelledDevices,
  modelledMounts,
} from './fake/model/holds.ts';
import { chunkBytes, emptyModel, rebooted, writtenTo } from './fake/model/model.ts';
import type { Model } from './fake/model/model.ts';
import { ModelledNode } from './fake/model/modellednode.ts';
import type { Operation } from './fake/model/operation.ts';
import { MortalNode } from './fake/mortalnode.ts';
import { MiB } from './quantity.ts';

const kernelBytes = 512n * MiB;
/** What the ledger leaves of it. */
const margin = 16n * MiB;
/** In memory, where there is such a folder: thousands of fsyncs are not what is tested here. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

type Step = readonly Operation[] | 'restart' | 'reboot' | Write | Kill;
/** A pod writes a chunk. */
interface Write {
  readonly kind: 'write';
  readonly volume: number;
  readonly chunk: number;
}
/** The process dies at a point of the journal: the one after `points` others. */
interface Kill {
  readonly kind: 'kill';
  readonly points: number;
  readonly during: readonly Operation[];
}

const write = fc.record({ kind: fc.constant('write' as const), volume: fc.nat(2), chunk: fc.nat(3) });
const killDuring = (during: fc.Arbitrary<readonly Operation[]>): fc.Arbitrary<Kill> =>
  fc.record({ kind: fc.constant('kill' as const), points: fc.nat(6), during });
const oneByOne = (operations: readonly Operation[]): readonly Step[] => operations.map((one) => [one]);

/** Calls and deaths that hit something. */
const fruitful = fc
  .array(
    fc.oneof(
      fc.array(fruitfulOperation, { minLength: 1, maxLength: 3 }),
      killDuring(fc.array(fruitfulOperation, { minLength: 1, maxLength: 2 })),
      write,
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((some): readonly Step[] => [...oneByOne(lifeOfTwo), ...some]);

const step: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 8, arbitrary: anyOperation.map((one) => [[one]]) },
  { weight: 4, arbitrary: severalOperations.map((several) => [several]) },
  { weight: 3, arbitrary: life.map(oneByOne) },
  { weight: 2, arbitrary: write.map((one) => [one]) },
  { weight: 3, arbitrary: killDuring(severalOperations).map((one) => [one]) },
  { weight: 1, arbitrary: fc.constantFrom(['restart' as const], ['reboot' as const]) },
);
const steps = fc
  .tuple(fc.oneof(fc.constant([]), fruitful), fc.array(step, { maxLength: 12 }))
  .map(([first, rest]) => [...first, ...rest.flat()]);

/** A node on a kernel in memory, and what happens to it. */
class Scene {
  readonly kernel: FakeStorageKernel;
  readonly host: MortalNode;
  readonly modelled: ModelledNode;
  /** Something that shares bytes was written since they were measured. */
  #unmeasured = false;

  private constructor(kernel: FakeStorageKernel, host: MortalNode, copies: Model['copies']) {
    this.kernel = kernel;
    this.host = host;
    this.modelled = new ModelledNode(host.node, emptyModel(kernelBytes - margin, copies));
  }

  static async make(pool: 'xfs' | 'ext4'): Promise<Scene> {
    const kernel = new FakeStorageKernel(kernelBytes, { pool });
    const scene = new Scene(kernel, await MortalNode.make({ kernel, base }), pool === 'ext4' ? 'full' : 'shared');
    await scene.#start();
    return scene;
  }

  async do(step: Step): Promise<void> {
    if (step === 'restart') await this.#start();
    else if (step === 'reboot') await this.#reboot();
    else if (!('kind' in step)) await this.modelled.sendAtOnce(step);
    else if (step.kind === 'write') await this.#write(step);
    else await this.#kill(step);
    await this.#expectInvariants();
  }

  async #start(): Promise<void> {
    await this.host.node.start();
    this.#unmeasured = false;
    if (this.host.dead) return;
    await expectPoolInOrder(this.host.node.pool);
    expect(this.kernel.frozen()).toEqual([]);
  }

  async #reboot(): Promise<void> {
    const { node } = this.host;
    await node.stop();
    this.kernel.reboot();
    await rm(join(node.folder, 'run'), { recursive: true });
    this.modelled.model = rebooted(this.modelled.model);
    await this.#start();
  }

  /** Thick volumes never run out of the space they were promised, whatever shares bytes with them. */
  async #write({ volume: name, chunk }: Write): Promise<void> {
    const { node, model } = this.modelled;
    const volume = model.volumes.find((other) => other.name === name && other.staged !== undefined);
    if (volume === undefined || BigInt(chunk + 1) * chunkBytes > volume.bytes) return;
    const image = join(node.pool, 'images', `${volume.id}.img`);
    await this.kernel.write(image, BigInt(chunk) * chunkBytes, chunkBytes);
    this.modelled.model = writtenTo(model, volume, chunk);
    this.#unmeasured = true;
  }

  async #kill({ points, during }: Kill): Promise<void> {
    this.host.dieAfter(points);
    const attempt = await this.modelled.attempt(during, () => this.host.dead);
    // It may also die while it starts again.
    if (!this.host.dead) await this.#start();
    while (this.host.dead) {
      await this.host.bury();
      await this.#start();
    }
    this.host.live();
    await this.modelled.repeat(attempt);
    this.#unmeasured = false;
  }

  async #expectInvariants(): Promise<void> {
    await expectPoolAsModelled(this.modelled);
    await expectRoomAsModelled(this.modelled, !this.#unmeasured);
    const { loops, mounts } = this.kernel.dump();
    expect(loops).toHaveLength(modelledDevices(this.modelled));
    expect(mounts).toEqual(await modelledMounts(this.modelled));
    expect(this.kernel.frozen()).toEqual([]);
  }
}

test.each(['xfs', 'ext4'] as const)(
  'on %s every answer is right and nothing is left over',
  async (pool) => {
    const property = fc.asyncProperty(steps, async (all) => {
      const scene = await Scene.make(pool);
      try {
        for (const next of all) await scene.do(next);
      } finally {
        await scene.host.node.close();
      }
    });
    await fc.assert(property, { numRuns: 25 });
  },
  60_000,
);
