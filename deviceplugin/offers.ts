/** The resources that are offered to the kubelet at the moment: one session each, begun and ended as rules come and go. */
import { messageOf } from '../kit/errors.ts';
import { Latest } from '../kit/latest.ts';
import type { Logger } from '../kit/log.ts';
import type { RegistrationView } from '../kubelet/registrationview.ts';
import type { DeviceMetrics } from './metrics.ts';
import type { Approach } from './plugin/approach.ts';
import type { PluginContext } from './plugin/plugin.ts';
import { startSession } from './plugin/session.ts';
import type { Session } from './plugin/session.ts';
import type { ResourceState, Snapshot } from './units/unit.ts';

export interface OffersOptions {
  readonly approach: Approach;
  readonly context: PluginContext;
  readonly log: Logger;
  readonly metrics: DeviceMetrics;
}

interface Offer {
  readonly latest: Latest<ResourceState>;
  readonly session: Session;
}

export class Offers {
  readonly #options: OffersOptions;
  readonly #offers = new Map<string, Offer>();
  /** Why a resource cannot be offered at all, by its name. */
  readonly #refused = new Map<string, string>();
  /** Sessions of resources that no rule names any more, or did not when they began to end. */
  readonly #ending = new Map<string, Promise<void>>();
  #snapshot: Snapshot = new Map();
  readonly #deadline = new AbortController();

  constructor(options: OffersOptions) {
    this.#options = options;
  }

  /** Makes the offers those of the snapshot. */
  update(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const [name, state] of snapshot) {
      const offer = this.#offers.get(name);
      if (offer === undefined) this.#begin(name, state);
      // The same state would only wake everybody up.
      else if (offer.latest.value !== state) offer.latest.set(state);
    }
    for (const [name, { session }] of this.#offers) {
      if (snapshot.has(name)) continue;
      this.#offers.delete(name);
      this.#ending.set(name, this.#end(name, session));
    }
    for (const name of this.#refused.keys()) {
      if (snapshot.has(name)) continue;
      this.#refused.delete(name);
      this.#options.metrics.forget(name);
    }
  }

  /** In the order in which they are offered. */
  registrations(): readonly RegistrationView[] {
    return [...this.#snapshot.keys()].map((name) => ({ kind: 'device plugin', name, ...this.#standOf(name) }));
  }

  #standOf(name: string): Pick<RegistrationView, 'state' | 'reason'> {
    const { state, reason } = this.#offers.get(name)?.session.status() ?? {
      state: this.#refused.has(name) ? 'refused' : 'waiting',
      reason: this.#refused.get(name) ?? 'it is still being withdrawn, and is offered again then',
    };
    return { state: state === 'streaming' ? 'registered' : state, reason };
  }

  notReady(): string | undefined {
    const reasons = [...this.#offers.values()].map(({ session }) => session.notReady());
    const waiting = [...this.#ending.keys()]
      .filter((name) => this.#snapshot.has(name))
      .map((name) => `${name} is still being withdrawn, and is offered again then`);
    const all = [...this.#refused.values(), ...waiting, ...reasons].filter((reason) => reason !== undefined);
    return all.length === 0 ? undefined : all.join('; ');
  }

  /** Ends every session; what is offered stays with the kubelet until it notices, for another agent may come. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#deadline.abort();
    await Promise.all([...this.#offers.values()].map(({ session }) => session.stop(deadline)));
    await Promise.all(this.#ending.values());
    this.#offers.clear();
  }

  async #end(name: string, session: Session): Promise<void> {
    await session.stop(this.#deadline.signal, { withdraw: true });
    this.#ending.delete(name);
    const state = this.#snapshot.get(name);
    if (state === undefined) this.#options.metrics.forget(name);
    else if (!this.#deadline.signal.aborted) this.#begin(name, state);
  }

  #begin(name: string, state: ResourceState): void {
    // The kubelet would take the last word of the session before, an empty list, for a word of this one.
    if (this.#ending.has(name)) return;
    const latest = new Latest(state);
    try {
      this.#offers.set(name, { latest, session: startSession({ ...this.#options, latest }) });
      this.#refused.delete(name);
    } catch (thrown) {
      const reason = `${name} cannot be offered: ${messageOf(thrown)}`;
      // The name of the socket in it is another one each time.
      if (!this.#refused.has(name)) this.#options.log.error({ event: 'device.refused', resource: name }, reason);
      this.#refused.set(name, reason);
    }
  }
}
