/**
 * Finds, while the agent runs, attachments and links whose pod has gone without a DEL, and releases them. Only what was seen
 * so in two looks: a runtime that just takes a pod down must have the time to say so itself.
 */
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { NamespaceSighting } from '../linux/netns.ts';
import type { LinkState } from '../linux/rtnetlink/rtnetlink.ts';
import { hostLinkName, keyOfAlias, keyText, linkAlias, linkGroup, queueLinkName } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { describeAttachment } from './recovery.ts';
import type { AttachmentKey } from './request.ts';

/**
 * Milliseconds between two looks. A look costs one statfs(2) for each attachment and one listing of links: a few
 * milliseconds on a full node, too much for each second and nothing in half a minute. An address that is leaked for a
 * minute is no harm.
 */
export const reapEveryMs = 30_000;

export interface ReaperParts {
  readonly attachments: () => readonly Attachment[];
  readonly look: (path: string) => NamespaceSighting;
  /** The links of the node's namespace. */
  readonly links: () => Promise<readonly LinkState[]>;
  /** Releases an attachment if it is still this one; returns whether it was. */
  readonly release: (attachment: Attachment) => Promise<boolean>;
  /** Deletes the links of a key if no attachment has it; returns whether none had. */
  readonly removeLinks: (key: AttachmentKey) => Promise<boolean>;
  /** Aliases of links whose record cannot be read. */
  readonly spared: ReadonlySet<string>;
  readonly count: (what: 'attachment' | 'link') => void;
  readonly log: Logger;
}

/** The metric of what was released. */
export function createReapCounter(registry: Registry): ReaperParts['count'] {
  const reaped = new Counter({
    name: 'berth_cni_reaped_total',
    help: 'What was released although no DEL came: attachments whose network namespace and link had gone, links that no attachment owns.',
    labelNames: ['what'],
    registers: [registry],
  });
  return (what) => {
    reaped.inc({ what });
  };
}

export class Reaper {
  readonly #parts: ReaperParts;
  /** Those of the last look. An ADD or DEL in between puts another object in the place of an attachment. */
  #suspects: ReadonlySet<Attachment> = new Set();
  /** `INDEX/NAME` of links. */
  #suspectLinks: ReadonlySet<string> = new Set();

  constructor(parts: ReaperParts) {
    this.#parts = parts;
  }

  /** Looks once, and releases what the look before saw, too. Never rejects. */
  async look(): Promise<void> {
    try {
      const links = await this.#parts.links();
      await this.#reapAttachments(links);
      await this.#reapLinks(links);
    } catch (error) {
      this.#parts.log.warn({ error: messageOf(error) }, 'cannot look for attachments whose pod has gone');
    }
  }

  async #reapAttachments(links: readonly LinkState[]): Promise<void> {
    // By name: the queue of a limited pod has the same alias, and does not go with the pod's namespace.
    const aliases = new Map(links.map(({ name, alias }) => [name, alias]));
    const gone = this.#parts
      .attachments()
      .filter((each) => aliases.get(each.host.name) !== linkAlias(each) && this.#hasNoNamespace(each));
    const again = gone.filter((each) => this.#suspects.has(each));
    this.#suspects = new Set(gone);
    for (const attachment of again) {
      if (!(await this.#parts.release(attachment))) continue;
      this.#parts.count('attachment');
      this.#parts.log.warn(
        { attachment: describeAttachment(attachment), addresses: attachment.addresses },
        'released an attachment whose network namespace and link have gone without a DEL',
      );
    }
  }

  #hasNoNamespace({ netns }: Attachment): boolean {
    const sighting = this.#parts.look(netns.path);
    // What cannot be seen is not taken for gone: that would cut a living pod off.
    return sighting === 'gone' || (sighting !== 'unseen' && sighting.identity !== netns.identity);
  }

  async #reapLinks(links: readonly LinkState[]): Promise<void> {
    // Asked after the links were listed: an ADD writes its record before it makes a link.
    const owned = new Set(this.#parts.attachments().map(keyText));
    const orphans = new Map<string, AttachmentKey>();
    for (const { name, index, group, alias } of links) {
      const key = group === linkGroup && !this.#parts.spared.has(alias) ? keyOfAlias(alias) : undefined;
      if (key === undefined || owned.has(keyText(key))) continue;
      if (name === hostLinkName(key) || name === queueLinkName(key)) orphans.set(`${index}/${name}`, key);
    }
    const before = this.#suspectLinks;
    this.#suspectLinks = new Set(orphans.keys());
    for (const [link, key] of orphans) {
      if (!before.has(link) || !(await this.#parts.removeLinks(key))) continue;
      this.#parts.count('link');
      this.#parts.log.warn({ link, alias: linkAlias(key) }, 'removed a link of ours that no attachment owns');
    }
  }
}
