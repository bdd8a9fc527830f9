/**
 * The rules that a node offers devices by: those of its configuration and of its folder together, as either of them changes. What has a
 * mistake changes nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../kit/log.ts';
import type { ResourceRule } from './config/resource.ts';
import { environmentPart } from './config/resourcename.ts';
import type { DevicesConfig } from './config/section.ts';
import { followRulesFolder, readRulesFolder } from './rulesfolder.ts';
import type { FolderContent } from './rulesfolder.ts';
import { compileRules } from './units/compile.ts';
import type { CompiledRules } from './units/compile.ts';

/** What may change while the service runs. */
export type RuleSettings = Pick<DevicesConfig, 'resources' | 'deny' | 'mountRoots'>;

export interface RulesInForceParts {
  readonly log: Logger;
  /** Told whether the folder has mistakes. */
  readonly refused: (isRefused: boolean) => void;
}

type Take = (rules: CompiledRules) => void;

export class RulesInForce {
  readonly #folder: string | undefined;
  readonly #parts: RulesInForceParts;
  #settings: RuleSettings;
  /** The last of the folder that were right. */
  #ofFolder: readonly ResourceRule[] = [];
  #rules: readonly ResourceRule[] = [];
  #compiled: CompiledRules = compileRules([], []);
  #isRefused = false;
  #following: { readonly take: Take; readonly signal: AbortSignal } | undefined;
  #endFolder = new AbortController();

  constructor(config: RuleSettings & Pick<DevicesConfig, 'rulesDir'>, parts: RulesInForceParts) {
    this.#settings = config;
    this.#folder = config.rulesDir;
    this.#parts = parts;
  }

  /** The rules as they are now, before anybody follows them. Mistakes of the folder are told when it is followed. */
  async read(): Promise<CompiledRules> {
    const content = this.#folder === undefined ? { rules: [] } : await readRulesFolder(this.#folder, this.#settings);
    this.#ofFolder = 'rules' in content ? content.rules : [];
    this.#set(this.#together());
    return this.#compiled;
  }

  /** Calls `take` with the rules whenever they are others than those that were read, until `signal`. */
  follow(read: CompiledRules, take: Take, signal: AbortSignal): void {
    this.#following = { take, signal };
    if (this.#compiled !== read) take(this.#compiled);
    this.#followFolder();
  }

  /** Takes other settings over. The folder is checked anew with them: it may have what they name, and mounts outside their folders. */
  use(settings: RuleSettings): void {
    if (settings === this.#settings) return;
    const { deny } = this.#settings;
    this.#settings = settings;
    this.#takeOver('the configuration', !isDeepStrictEqual(deny, settings.deny));
    this.#followFolder();
  }

  #followFolder(): void {
    this.#endFolder.abort();
    if (this.#folder === undefined || this.#following === undefined) return;
    this.#endFolder = new AbortController();
    const signal = AbortSignal.any([this.#following.signal, this.#endFolder.signal]);
    followRulesFolder(this.#folder, this.#settings, this.#takeFolder.bind(this, this.#folder), signal);
  }

  #takeFolder(path: string, content: FolderContent): void {
    const { log, refused } = this.#parts;
    const wasRefused = this.#isRefused;
    this.#isRefused = 'problems' in content;
    refused(this.#isRefused);
    if ('problems' in content) {
      const { problems } = content;
      log.error({ event: 'device.rules_refused', path, problems }, 'the rules have mistakes; those before stay');
      return;
    }
    this.#ofFolder = content.rules;
    this.#takeOver(path, wasRefused);
  }

  #takeOver(path: string, inAnyCase: boolean): void {
    const rules = keepSame(this.#rules, this.#together());
    if (isSame(rules, this.#rules) && !inAnyCase) return;
    this.#set(rules);
    if (this.#following === undefined || this.#following.signal.aborted) return;
    this.#parts.log.info({ event: 'device.rules', path, resources: rules.length }, 'rules of devices taken over');
    this.#following.take(this.#compiled);
  }

  #set(rules: readonly ResourceRule[]): void {
    this.#rules = rules;
    this.#compiled = compileRules(rules, this.#settings.deny);
  }

  /** A name that the configuration has is not taken from the folder, which was right with another configuration. */
  #together(): readonly ResourceRule[] {
    const { resources } = this.#settings;
    const names = new Set(resources.map(({ name }) => environmentPart(name)));
    return [...resources, ...this.#ofFolder.filter(({ name }) => !names.has(environmentPart(name)))];
  }
}

/** The new rules, those that say what they said before as the objects they were: nothing of them begins anew. */
function keepSame(before: readonly ResourceRule[], after: readonly ResourceRule[]): readonly ResourceRule[] {
  const old = new Map(before.map((rule) => [rule.name, rule]));
  return after.map((rule) => {
    const same = old.get(rule.name);
    return same !== undefined && isDeepStrictEqual(same, rule) ? same : rule;
  });
}

function isSame(one: readonly ResourceRule[], other: readonly ResourceRule[]): boolean {
  return one.length === other.length && one.every((rule, index) => rule === other[index]);
}
