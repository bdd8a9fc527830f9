/** Labels of the Node by Node Feature Discovery: what resources there are, never which devices or whose serial numbers. */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../../kit/durablefile.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { coalesce } from '../../kit/coalesce.ts';
import type { Snapshot } from '../units/unit.ts';

/** Node Feature Discovery takes no larger file. */
const maxBytes = 64 * 1024;
/** Longest name part of a label. */
const maxName = 63;

/** The name of our file in `features.d`. */
const fileName = 'berth-devices';

/** The text of the file: two lines per resource, of units that are there. Resources that no longer fit are left out. */
export function featuresText(snapshot: Snapshot): string {
  let text = '# Made by Berth: what this node offers to pods.\n';
  for (const [resource, { units }] of [...snapshot].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const present = [...units.values()].filter((unit) => unit.present).length;
    const lines = `${key(resource, '.present')}=${present > 0}\n${key(resource, '.count')}=${present}\n`;
    if (Buffer.byteLength(text + lines) > maxBytes) break;
    text += lines;
  }
  return text;
}

/** A valid label key: a name that would be too long is cut, with a hash that keeps it apart from others. */
function key(resource: string, suffix: string): string {
  const at = resource.indexOf('/');
  const name = resource.slice(at + 1);
  const room = maxName - suffix.length;
  const hash = createHash('sha256').update(resource).digest('hex').slice(0, 8);
  const short = name.length <= room ? name : `${name.slice(0, room - hash.length - 1)}-${hash}`;
  return `${resource.slice(0, at)}/${short}${suffix}`;
}

export interface FeaturesFile {
  /** Writes the file where it changed. Never throws. */
  update(snapshot: Snapshot): Promise<void>;
  /** Writes no more. The file stays, for the next agent is there before it expires. Never throws. */
  stop(): Promise<void>;
}

/** After this long without an agent the labels go: Node Feature Discovery reads the file again every minute. */
const lifetimeMs = 60 * 60_000;
const renewMs = 10 * 60_000;

/** Keeps our file in the folder `features.d`. */
export function createFeaturesFile(directory: string, log: Logger): FeaturesFile {
  const path = join(directory, fileName);
  let wanted: string | undefined;
  let written: string | undefined;
  let told = '';
  let stopped = false;
  const sync = coalesce(async () => {
    if (wanted === undefined || wanted === written || stopped) return;
    const text = wanted;
    const expires = new Date(Date.now() + lifetimeMs).toISOString().replace(/\.\d+/, '');
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      await writeFileAtomic(path, `# +expiry-time=${expires}\n${text}`, { mode: 0o644, sync: false });
      written = text;
      told = '';
    } catch (thrown) {
      const reason = messageOf(thrown);
      if (reason !== told)
        log.warn({ event: 'device.features_failed', path, reason }, 'node features cannot be written');
      told = reason;
    }
  });
  const renewal = setInterval(() => {
    // Also what could not be written, and what somebody removed.
    written = undefined;
    void sync();
  }, renewMs).unref();
  return {
    update: (snapshot) => {
      wanted = featuresText(snapshot);
      return sync();
    },
    stop: async () => {
      stopped = true;
      clearInterval(renewal);
      await sync();
    },
  };
}
