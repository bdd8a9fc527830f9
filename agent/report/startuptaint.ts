/**
 * Takes a taint off this Node once every plugin serves: an administrator registers new nodes with it, so that no pod comes
 * before what it needs. `kubelet --register-with-taints=berth.dev/agent-not-ready=:NoExecute`
 */
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { ApiClient } from '../kubernetes/client.ts';

export interface StartupTaintParts {
  readonly client: Pick<ApiClient, 'get' | 'operate'>;
  readonly nodeName: string;
  /** `berth.dev/agent-not-ready`; whatever its value and effect. */
  readonly key: string;
  readonly log: Logger;
}

/** Milliseconds between two reads of the Node; it may have been registered anew with the taint. */
const recheckMs = 300_000;

export class StartupTaint {
  readonly #parts: StartupTaintParts;
  readonly #recheckMs: number;
  #doneAt = -Infinity;
  #failure = '';

  constructor(parts: StartupTaintParts, recheck = recheckMs) {
    this.#parts = parts;
    this.#recheckMs = recheck;
  }

  /** Reads the Node when that is due, and takes the taint off. Never throws: the next call tries again. */
  async remove(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#doneAt < this.#recheckMs) return;
    const { client, nodeName, key, log } = this.#parts;
    const path = `/api/v1/nodes/${encodeURIComponent(nodeName)}`;
    try {
      const { taints } = ((await client.get(path, signal))['spec'] ?? {}) as { readonly taints?: unknown };
      const before = Array.isArray(taints) ? (taints as readonly { readonly key?: unknown }[]) : [];
      const after = before.filter((taint) => taint.key !== key);
      if (after.length < before.length) {
        // Taints are one list, and others write to it: only if it is still what was read.
        const change = { op: 'replace', path: '/spec/taints', value: after };
        await client.operate(path, [{ op: 'test', path: '/spec/taints', value: before }, change], signal);
        log.info({ event: 'report.taint_removed', key }, 'every plugin serves: the startup taint is off this Node');
      }
      this.#doneAt = performance.now();
      this.#failure = '';
    } catch (error) {
      if (signal.aborted) return;
      const why = messageOf(error);
      const text = `the startup taint ${key} was not taken off: ${why}`;
      if (why !== this.#failure) log.warn({ event: 'report.taint_failed', key }, text);
      this.#failure = why;
    }
  }
}
