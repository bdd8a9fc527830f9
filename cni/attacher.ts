/**
 * Attaches and detaches: reserves in the store, asks the kernel, records. One operation at a time per attachment.
 * Everything here can be repeated: after an error, after a crash at any point, or because the runtime asks twice.
 */
import { BerthError, messageOf } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import type { Logger } from '../kit/log.ts';
import type { NetworkNamespace } from '../linux/netns.ts';
import { RouteError } from '../linux/rtnetlink/rtnetlink.ts';
import type { RouteSocket } from '../linux/rtnetlink/rtnetlink.ts';
import { hostLinkName, keyText, linkAlias, linkGroup, queueLinkName } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { checkAttachment } from './check.ts';
import type { CheckRequest } from './check.ts';
import { CniError } from './errors.ts';
import type { HostPorts } from './hostports.ts';
import type { NetworkKernel } from './kernel.ts';
import type { LinkRemover } from './linkremover.ts';
import type { AddressPool } from './pool.ts';
import { hostRequests, planAttachment, randomIndex, reachRequests, releaseRequests, resultOf } from './plan.ts';
import { cniCode } from './protocol.ts';
import type { AttachmentKey, CniRequest } from './request.ts';
import { explainRefusal } from './refusals.ts';
import type { AddResult } from './result.ts';
import type { Sandboxes } from './sandbox.ts';
import type { AttachmentStore } from './store.ts';
import { sourcesOf } from './uplink.ts';
import type { Uplink } from './uplink.ts';

type AddRequest = Extract<CniRequest, { command: 'ADD' }>;

export interface AttacherParts {
  readonly kernel: NetworkKernel;
  /** Socket in the node's namespace. */
  readonly host: RouteSocket;
  readonly store: AttachmentStore;
  readonly pool: AddressPool;
  readonly remover: LinkRemover;
  readonly ports: HostPorts;
  /** Looks at the node's own network again. */
  readonly uplink: () => Promise<Uplink>;
  /** What it looked like at the start. */
  readonly knownUplink: Uplink;
  /** MTU of a new pod's link. */
  readonly mtu: (uplink: Uplink) => number;
  readonly sandboxes: Sandboxes;
  readonly log: Logger;
  readonly now: () => number;
}

/** Milliseconds. The kernel has refused to delete a link, which it hardly ever does. */
const removeAgainAfter = 1_000;

export class Attacher {
  readonly #parts: AttacherParts;
  readonly #lock = new KeyedLock();
  /** What is done behind answers. */
  readonly #trailing = new Set<Promise<void>>();
  #ending = false;
  #uplink: Uplink;

  constructor(parts: AttacherParts) {
    this.#parts = parts;
    this.#uplink = parts.knownUplink;
  }

  /**
   * Attaches a container. An attachment that is there already is replaced under the same addresses, name and MAC, so a
   * repeated ADD gives the same answer.
   */
  async add(request: AddRequest): Promise<AddResult> {
    return await this.#lock.run(keyText(request.key), async () => {
      const namespace = this.#parts.sandboxes.open(request.netns);
      try {
        const before = this.#parts.store.get(request.key);
        const addresses = await this.#takeAddresses(request.key, before, request.wishes.ips);
        const attachment = planAttachment({
          key: request.key,
          network: request.network,
          namespace,
          addresses,
          mac: request.wishes.mac,
          ports: request.wishes.portMappings,
          bandwidth: request.wishes.bandwidth,
          mtu: this.#parts.mtu(this.#uplink),
          pod: request.pod,
          now: this.#parts.now(),
          pickIndex: randomIndex,
        });
        await this.#attach(attachment, namespace);
        return resultOf(attachment);
      } finally {
        namespace.close();
      }
    });
  }

  /**
   * Detaches a container. What is gone already, or never was, is no error. Resolves as soon as nothing leads to the
   * container any more and its record says so; its link, for which the kernel takes some 20 ms, is deleted behind that
   * together with those of others, and only then can anybody have its addresses.
   */
  remove(key: AttachmentKey): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    let answered = false;
    const whole: Promise<void> = this.#removeWhole(key, () => {
      answered = true;
      this.#trailing.add(whole);
      resolve(undefined);
    }).then(
      () => {
        resolve(undefined);
      },
      (error: unknown) => {
        if (!answered) reject(error instanceof Error ? error : new Error(String(error)));
        else this.#removeLater(key, error);
      },
    );
    void whole.finally(() => this.#trailing.delete(whole));
    return promise;
  }

  /** Waits for what is done behind answers. Nothing may be asked of this object any more. */
  async settle(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#trailing);
  }

  async #removeWhole(key: AttachmentKey, onUnreachable: () => void): Promise<void> {
    await this.#lock.run(keyText(key), async () => {
      const attachment = this.#parts.store.get(key);
      if (attachment === undefined) await this.#detachUnknown(key);
      else await this.#detach(attachment, [], onUnreachable);
    });
  }

  /** Does what needs an address or a port that is free; what is just being freed is waited for. */
  async #withFreed<T>(work: () => T): Promise<T> {
    try {
      return work();
    } catch (error) {
      const taken = error instanceof BerthError && (error.code === 'RESOURCE_EXHAUSTED' || error.code === 'BUSY');
      if (!taken || this.#trailing.size === 0) throw error;
      await Promise.all(this.#trailing);
      return work();
    }
  }

  /** The runtime has its answer and will not ask again. */
  #removeLater(key: AttachmentKey, error: unknown): void {
    const { log } = this.#parts;
    log.warn({ container: key.containerID, error: messageOf(error) }, 'cannot delete the link of a container yet');
    if (!this.#ending)
      setTimeout(() => {
        if (!this.#ending)
          this.remove(key).catch((again: unknown) => {
            this.#removeLater(key, again);
          });
      }, removeAgainAfter).unref();
  }

  /** Detaches all of a network that are not in the list and were there when the list was made. */
  async collect(network: string, valid: readonly AttachmentKey[], before: number): Promise<void> {
    const wanted = new Set(valid.map(keyText));
    const stale = this.#parts.store
      .all()
      .filter((entry) => entry.network === network && entry.since < before && !wanted.has(keyText(entry)));
    const results = await Promise.allSettled(stale.map((entry) => this.#removeWhole(entry, () => undefined)));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []));
    if (failures.length > 0)
      throw new BerthError(
        'UNAVAILABLE',
        `${failures.length} of ${stale.length} attachments were not removed: ${failures.join('; ')}`,
      );
  }

  /** Detaches if what is attached is still this, which an ADD or DEL in between would have replaced; returns whether it was. */
  async release(attachment: Attachment): Promise<boolean> {
    return await this.#lock.run(keyText(attachment), async () => {
      if (this.#parts.store.get(attachment) !== attachment) return false;
      await this.#detach(attachment);
      return true;
    });
  }

  /** Deletes the links of a key that no attachment has; returns whether none has it. */
  async removeLinks(key: AttachmentKey): Promise<boolean> {
    return await this.#lock.run(keyText(key), async () => {
      if (this.#parts.store.get(key) !== undefined) return false;
      await this.#removeLinksOf(key, true);
      return true;
    });
  }

  /** Throws when the attachment is not as ADD left it. */
  async check(request: CheckRequest): Promise<void> {
    await this.#lock.run(keyText(request.key), async () => {
      const namespace = this.#parts.sandboxes.open(request.netns);
      try {
        const { host, kernel, store } = this.#parts;
        const attachment = store.get(request.key);
        await checkAttachment(request, attachment, host, () => kernel.rtnetlink.open(namespace));
        const missing = attachment === undefined ? undefined : await this.#parts.ports.missing(attachment);
        if (missing !== undefined)
          throw new CniError(cniCode.attachmentBroken, `the nft table lacks the port mapping ${missing}`);
      } finally {
        namespace.close();
      }
    });
  }

  /** Brings the loopback interface of a namespace up. */
  async loopback(netns: string): Promise<void> {
    const namespace = this.#parts.sandboxes.open(netns);
    try {
      await this.#parts.sandboxes.bringUpLoopback(namespace);
    } finally {
      namespace.close();
    }
  }

  /** The addresses for an ADD: those it had before, once that attachment is undone, else the next or those asked for. */
  async #takeAddresses(
    key: AttachmentKey,
    before: Attachment | undefined,
    wanted: readonly string[],
  ): Promise<readonly string[]> {
    const { pool } = this.#parts;
    if (before === undefined) {
      if (pool.holdsFor(keyText(key))) await this.#detachUnknown(key);
      return await this.#withFreed(() => pool.allocate(wanted));
    }
    const kept = before.addresses.filter((address) => pool.has(address));
    await this.#detach(before, kept);
    try {
      const addresses = await this.#withFreed(() => pool.allocate(wanted, kept));
      pool.release(kept.filter((address) => !addresses.includes(address)));
      return addresses;
    } catch (error) {
      pool.release(kept);
      throw error;
    }
  }

  async #attach(attachment: Attachment, namespace: NetworkNamespace): Promise<void> {
    try {
      await this.#withFreed(() => {
        this.#parts.ports.claim(attachment);
      });
      this.#parts.store.put(attachment);
      await this.#applyHost(attachment, namespace);
      await this.#parts.sandboxes.configure(attachment, namespace);
      await this.#parts.ports.open(attachment);
      this.#parts.store.put({ ...attachment, state: 'active' });
    } catch (error) {
      await this.#undo(attachment);
      const { host, kernel } = this.#parts;
      throw await explainRefusal(error, attachment, host, () => kernel.rtnetlink.open(namespace));
    }
  }

  async #applyHost(attachment: Attachment, namespace: NetworkNamespace): Promise<void> {
    try {
      await this.#parts.host.apply(hostRequests(attachment, namespace, sourcesOf(this.#uplink)));
    } catch (error) {
      const stale = error instanceof RouteError && error.request?.op === 'add-route' && error.code === 'EINVAL';
      if (!stale) throw error;
      // The node's address has changed since we looked: the kernel takes only its own as a source.
      this.#uplink = await this.#parts.uplink();
      // Of two families one may have been taken.
      await this.#parts.host.apply(releaseRequests(attachment));
      await this.#parts.host.apply(reachRequests(attachment, sourcesOf(this.#uplink)));
    }
  }

  /** After a failed ADD: back to nothing. When that fails too, the record stays, and DEL or the next start does it. */
  async #undo(attachment: Attachment): Promise<void> {
    try {
      if (this.#parts.store.get(attachment) === undefined) {
        this.#parts.pool.release(attachment.addresses);
        this.#parts.ports.release(attachment);
      } else await this.#detach(attachment);
    } catch (error) {
      this.#parts.log.warn(
        { container: attachment.containerID, interface: attachment.ifname, error: messageOf(error) },
        'cannot undo a failed ADD yet; the address stays reserved until DEL',
      );
    }
  }

  /** `onUnreachable` hears when nothing leads to the container any more. */
  async #detach(
    attachment: Attachment,
    kept: readonly string[] = [],
    onUnreachable: () => void = () => undefined,
  ): Promise<void> {
    const { store, host, ports } = this.#parts;
    const recorded = this.#recordReleasing(attachment);
    await host.apply(releaseRequests(attachment));
    await ports.close(attachment);
    // Without the record a crash from here on would leave one of a living pod: then only the whole is an answer.
    if (recorded) onUnreachable();
    await this.#removeLinksOf(attachment, attachment.limits?.egress !== undefined);
    store.remove(attachment);
    ports.release(attachment);
    this.#parts.pool.release(attachment.addresses.filter((address) => !kept.includes(address)));
    this.#parts.pool.releaseHeld(keyText(attachment));
  }

  /** Returns whether it could: a pod must be able to go also where there is no room for a word more. */
  #recordReleasing(attachment: Attachment): boolean {
    const { store, log } = this.#parts;
    try {
      store.put({ ...attachment, state: 'releasing' });
      return true;
    } catch (error) {
      log.warn({ container: attachment.containerID, error: messageOf(error) }, 'detaching without a record of it');
      return false;
    }
  }

  /** Of one that nobody knows, or whose record cannot be read, there may be links and a file. */
  async #detachUnknown(key: AttachmentKey): Promise<void> {
    await this.#removeLinksOf(key, true);
    this.#parts.store.remove(key);
    this.#parts.pool.releaseHeld(keyText(key));
  }

  /** Deletes the links of a key that are there and ours: by what they say of themselves, as indexes can be reused. */
  async #removeLinksOf(key: AttachmentKey, limited: boolean): Promise<void> {
    const names = [hostLinkName(key), ...(limited ? [queueLinkName(key)] : [])];
    await Promise.all(
      names.map(async (name) => {
        const link = await this.#parts.host.link(name);
        if (link === undefined || link.group !== linkGroup) return;
        // A batch cut short by the end of the agent leaves a link that has its group already and no alias yet.
        if (link.alias === linkAlias(key) || link.alias === '') await this.#parts.remover.remove(link.index);
      }),
    );
  }
}
