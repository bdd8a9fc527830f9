/** CNI configurations whose names come before ours: the runtime takes the first it finds, and with a broken one containerd takes none. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, errnoOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { readRegularFile } from '../kit/regularfile.ts';
import type { NetworkConfig } from './config.ts';

export interface Rival {
  readonly name: string;
  /** Why no runtime can use it. */
  readonly problem?: string;
}

/** Bytes. Real ones have a few thousand. */
const largest = 1_048_576;

/** In the order of their names. Empty when the folder is not there. */
export async function findRivals({
  cniConfDir,
  conflistName,
}: Pick<NetworkConfig, 'cniConfDir' | 'conflistName'>): Promise<readonly Rival[]> {
  const names = await readdir(cniConfDir).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const before = names.filter((name) => /\.(conf|conflist|json)$/.test(name) && name < conflistName).sort();
  return await Promise.all(
    before.map(async (name) => {
      const problem = await problemOf(join(cniConfDir, name));
      return { name, ...(problem === undefined ? {} : { problem }) };
    }),
  );
}

async function problemOf(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readRegularFile(path, largest);
  } catch (error) {
    if (error instanceof BerthError) return error.message;
    return `it cannot be read (${errnoOf(error) ?? String(error)})`;
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  const { plugins } = (content ?? {}) as { readonly plugins?: unknown };
  const list: readonly unknown[] = path.endsWith('.conflist') ? (Array.isArray(plugins) ? plugins : []) : [content];
  const typed = list.every((plugin) => typeof (plugin as { readonly type?: unknown } | null)?.type === 'string');
  return list.length > 0 && typed ? undefined : 'it names no plugin';
}

/** Says what is found, once until it changes. */
export class RivalWatch {
  readonly #config: NetworkConfig;
  readonly #log: Logger;
  #said = '[]';

  constructor(config: NetworkConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  async look(): Promise<void> {
    const rivals = await findRivals(this.#config);
    const found = JSON.stringify(rivals);
    if (found === this.#said) return;
    this.#said = found;
    const broken = rivals.filter(({ problem }) => problem !== undefined);
    if (rivals.length === 0)
      this.#log.info({ event: 'conflist.first' }, 'no other CNI configuration comes before ours any more');
    else if (broken.length > 0)
      this.#log.error(
        { event: 'conflist.broken_rival', rivals },
        `${broken.map(({ name, problem = '' }) => `${name}: ${problem}`).join('; ')}: as its name comes before ours, the runtime may give no pod a network; mend or remove it`,
      );
    else
      this.#log.warn(
        { event: 'conflist.rival', rivals },
        'the runtime takes another CNI configuration, whose name comes first, instead of ours',
      );
  }
}
