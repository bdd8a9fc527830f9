/**
 * The configuration file while the agent runs: follows it, takes over what can be, and tells of the rest what it would need. It never
 * ends the agent: what cannot be used is told, and what ran before runs on.
 */
import { formatProblem } from '../../kit/config/problem.ts';
import { followFile } from '../../kit/followfile.ts';
import type { FileContent } from '../../kit/followfile.ts';
import type { Latest } from '../../kit/latest.ts';
import type { Logger } from '../../kit/log.ts';
import { loadNodeConfig } from '../nodeconfig.ts';
import type { NodeConfig } from '../nodeconfig.ts';
import type { Plugin } from '../part.ts';
import { concerning, decide } from './decision.ts';

/** The item of the view `configuration`: how the file is, compared with what runs. */
export interface ConfigFileView {
  readonly file: string;
  /** Everything for which it cannot be used; empty when it can. */
  readonly problems: readonly string[];
  /** Fields that are another than what runs, and need a restart: `storage.pools[fast].capacity`. */
  readonly pending: readonly string[];
  /** What has to be restarted for them. */
  readonly daemonSet: string;
  /** The text that could be used last. */
  readonly text: string;
}

export interface ConfigFileParts {
  readonly path: string;
  /** What the agent was started with, of all plugins, and the ones that this process runs; none are all. */
  readonly whole: NodeConfig;
  readonly only: readonly Plugin[];
  /** What runs; others hear of what is taken over. */
  readonly running: Latest<NodeConfig>;
  readonly env: Readonly<Record<'NODE_NAME' | 'POD_NAME', string | undefined>>;
  readonly log: Logger;
  /** Called when there is something else to tell. */
  readonly changed: () => void;
}

/** Longer is no configuration. */
const largestBytes = 1_048_576;

export class ConfigFile {
  readonly #parts: ConfigFileParts;
  readonly #end = new AbortController();
  #look: () => Promise<void> = () => Promise.resolve();
  #view: ConfigFileView;

  constructor(parts: ConfigFileParts) {
    this.#parts = parts;
    const daemonSet = daemonSetOf(parts.env.POD_NAME);
    this.#view = { file: parts.path, problems: [], pending: [], daemonSet, text: '' };
  }

  start(): void {
    const options = { signal: this.#end.signal, largest: largestBytes };
    this.#look = followFile(this.#parts.path, this.#take.bind(this), options);
  }

  stop(): void {
    this.#end.abort();
  }

  /** Whether what runs is what the file says, as far as changes of it have been heard of. */
  get inEffect(): boolean {
    return this.#view.problems.length + this.#view.pending.length === 0;
  }

  /** How it is now: several parts of an agent must not differ because one hears of a change before another. */
  async view(): Promise<ConfigFileView> {
    await this.#look();
    return this.#view;
  }

  #take(content: FileContent): void {
    const { path, whole, only, running, log } = this.#parts;
    const found = this.#check(content);
    if ('problems' in found) {
      const { problems } = found;
      log.error({ event: 'config.refused', path, problems }, 'the configuration cannot be used; what runs stays');
      this.#tell({ ...this.#view, problems, pending: [] });
      return;
    }
    const wasInEffect = this.inEffect;
    const { config, applied, pending } = decide(running.value, concerning(found.config, only, whole));
    if (applied.length > 0) {
      log.info({ event: 'config.applied', path, fields: applied }, 'changes of the configuration are taken over');
      running.set(config);
    }
    if (pending.length > 0)
      log.warn(
        { event: 'config.pending', path, fields: pending },
        'the configuration has changed; this needs a restart',
      );
    else if (!wasInEffect) log.info({ event: 'config.in_effect', path }, 'what runs is what the configuration says');
    this.#tell({ ...this.#view, problems: [], pending, text: found.text });
  }

  #check(
    content: FileContent,
  ): { readonly config: NodeConfig; readonly text: string } | { readonly problems: readonly string[] } {
    const { path, env } = this.#parts;
    if ('reason' in content) return { problems: [`${path}: ${content.reason}`] };
    const loaded = loadNodeConfig(content.text, env.NODE_NAME);
    if ('config' in loaded) return { config: loaded.config, text: content.text };
    return { problems: loaded.problems.map((problem) => formatProblem(path, problem)) };
  }

  #tell(view: ConfigFileView): void {
    const before = this.#view;
    this.#view = view;
    const said = ({ problems, pending }: ConfigFileView): string => JSON.stringify([problems, pending]);
    if (said(view) !== said(before)) this.#parts.changed();
  }
}

/** Of a pod of a group of nodes it is another than `berth`. */
function daemonSetOf(podName = ''): string {
  return /^([a-z0-9][a-z0-9-]*)-[a-z0-9]{5}$/.exec(podName)?.[1] ?? 'berth';
}
