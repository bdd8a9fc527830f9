/**
 * A node on a kernel in memory whose process can die at a point of the journal, as by SIGKILL. What dies cannot run on, but
 * JavaScript does: so at that instant everything on disk and in the kernel is set aside, and put back when the rest has ended.
 */
import { existsSync, linkSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeStorageKernel } from '../../linux/fake/storage.ts';
import { TestNode } from './testnode.ts';

/** What a process leaves behind, below the node's folder. */
const remaining = ['pool', 'run', 'kubelet/pods', 'kubelet/plugins/kubernetes.io'] as const;

/** The same folders with the same files, not copies of them: they stay what they are for the kernel. */
function linkAll(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (lstatSync(source).isDirectory()) linkAll(source, target);
    else linkSync(source, target);
  }
}

export class MortalNode {
  readonly node: TestNode;
  readonly #kernel: FakeStorageKernel;
  #left: number | undefined;
  #restore: (() => void) | undefined;

  private constructor(kernel: FakeStorageKernel, make: (atPoint: () => void) => TestNode) {
    this.#kernel = kernel;
    this.node = make(() => {
      this.#atPoint();
    });
  }

  static async make({
    kernel,
    base,
  }: {
    readonly kernel: FakeStorageKernel;
    readonly base: string;
  }): Promise<MortalNode> {
    let atPoint = (): void => undefined;
    const node = await TestNode.make({
      kernel,
      base,
      atPoint: () => {
        atPoint();
      },
    });
    return new MortalNode(kernel, (own) => {
      atPoint = own;
      return node;
    });
  }

  get dead(): boolean {
    return this.#restore !== undefined;
  }

  /** Dies at the point after so many. */
  dieAfter(points: number): void {
    this.#left = points;
  }

  /** Dies no more. */
  live(): void {
    this.#left = undefined;
  }

  /** Ends what still runs of the dead process and puts everything back to the instant of its death. */
  async bury(): Promise<void> {
    await this.node.stop();
    this.#restore?.();
    this.#restore = undefined;
  }

  #atPoint(): void {
    if (this.#left === undefined) return;
    if (this.#left > 0) {
      this.#left -= 1;
      return;
    }
    this.#left = undefined;
    this.#restore = this.#setAside();
    throw new Error('the process died here');
  }

  #setAside(): () => void {
    const { folder } = this.node;
    const aside = join(folder, 'aside');
    const there = remaining.filter((part) => existsSync(join(folder, part)));
    for (const part of there) linkAll(join(folder, part), join(aside, part));
    const restoreKernel = this.#kernel.save();
    return () => {
      for (const part of remaining) rmSync(join(folder, part), { recursive: true, force: true });
      for (const part of there) linkAll(join(aside, part), join(folder, part));
      rmSync(aside, { recursive: true, force: true });
      restoreKernel();
    };
  }
}
