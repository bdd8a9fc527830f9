/**
 * Lives of volumes as Kubernetes causes them: cluster/csicaller calls with the Go library that csi-provisioner and the kubelet use, over
 * connections as theirs. A caller in Node.js would take 0.4 ms more for each call, which nobody pays.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ensurePrograms, programPath } from '../../../cluster/build.ts';
import { BerthError } from '../../../kit/errors.ts';

/** An xfs volume to be made, and the kubelet's paths for it. */
export interface LiveVolume {
  readonly name: string;
  readonly staging: string;
  readonly target: string;
}

/** Milliseconds for all volumes: create, stage and publish; unpublish, unstage and delete. */
export interface WayTimes {
  readonly up: number;
  readonly down: number;
}

/** Builds the program if it is not there. Throws without Go or modules. */
export async function ensureCaller(): Promise<void> {
  await ensurePrograms(['csicaller']);
}

export class Caller {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #said = '';

  /** Of the driver that serves at the socket. */
  constructor(socket: string) {
    const child = spawn(programPath('csicaller'), [socket], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stderr.on('data', (text: Buffer) => (this.#said = `${this.#said}${text.toString()}`.slice(-2_000)));
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#child = child;
  }

  /** Takes the volumes, of so many bytes each, up and back, so many at once. Throws what a call was answered. */
  async live(volumes: readonly LiveVolume[], bytes: number, atOnce: number): Promise<WayTimes> {
    this.#child.stdin?.write(`${JSON.stringify({ volumes, bytes, atOnce })}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new BerthError('IO_FAILED', `csicaller has ended: ${this.#said.trim()}`);
    return JSON.parse(line.value) as WayTimes;
  }

  async end(): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}
