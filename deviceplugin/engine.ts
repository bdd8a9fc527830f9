/**
 * The moving part of the device service, from its start to its end: whatever changes (inventory, rules, health, holders, time)
 * leads to one more look by the catalogue, and what comes out goes to sessions, CDI files, probes, labels and the log.
 */
import { messageOf } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import type { Logger } from '../kit/log.ts';
import type { RegistrationView } from '../kubelet/registrationview.ts';
import { Catalogue, subjectsOf } from './catalogue.ts';
import { followCdiSupport } from './cdisupport.ts';
import { reportChanges } from './changes.ts';
import { watchDrift } from './drift.ts';
import type { DevicesConfig } from './config/section.ts';
import { HealthMonitor } from './health/monitor.ts';
import { probe } from './health/probe.ts';
import { HeldUnits } from './heldunits.ts';
import { createIdentityKeeper } from './identitykeeper.ts';
import type { IdentityKeeper } from './identitykeeper.ts';
import type { Inventory } from './inventory/inventory.ts';
import type { DeviceMetrics } from './metrics.ts';
import { Offers } from './offers.ts';
import { socketApproach, watcherApproach } from './plugin/approach.ts';
import { createCdiFiles } from './plugin/cdifiles.ts';
import type { CdiFiles } from './plugin/cdifiles.ts';
import { createFeaturesFile } from './plugin/features.ts';
import type { FeaturesFile } from './plugin/features.ts';
import { conflictsOf, unitsInUse } from './plugin/holders.ts';
import { watchHolders } from './plugin/holderswatch.ts';
import type { HoldersWatch } from './plugin/holderswatch.ts';
import type { PluginContext } from './plugin/plugin.ts';
import type { CompiledRules } from './units/compile.ts';
import type { IdentityMemory } from './units/memory.ts';
import type { ResourceState, Snapshot } from './units/unit.ts';

export interface EngineParts {
  readonly config: DevicesConfig;
  readonly kubeletRoot: string;
  readonly memoryFile: string;
  readonly memory: IdentityMemory;
  readonly rules: CompiledRules;
  readonly inventory: Inventory;
  readonly readsCdi: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  readonly log: Logger;
  readonly metrics: DeviceMetrics;
  readonly called?: PluginContext['called'];
}

/** Longest time between two looks: timers of thirty days and more fire at once. */
const longestWaitMs = 24 * 3_600_000;
/** How long verdicts of probes are collected: those of a start are thousands, and each look is at everything. */
const collectMs = 20;
/** Until a look that failed is tried again. */
const retryMs = 5_000;

export class DeviceEngine {
  readonly #parts: EngineParts;
  readonly #end = new AbortController();
  readonly #catalogue: Catalogue;
  readonly #holders: HoldersWatch;
  readonly #cdi: CdiFiles;
  readonly #features: FeaturesFile | undefined;
  readonly #health: HealthMonitor;
  readonly #offers: Offers;
  readonly #identities: IdentityKeeper;
  #rules: CompiledRules;
  #inventory: Inventory;
  #held = new HeldUnits(undefined);
  #readsCdi = false;
  #removal: NodeJS.Timeout | undefined;
  #verdicts: NodeJS.Timeout | undefined;
  /** What sessions, files, labels and the log have heard of. */
  #shown: Snapshot | undefined;
  #complained: string | undefined;
  #conflicts = '';
  /** When the kernel told of what made a state: milliseconds of `performance.now()`. */
  readonly #eventOf = new WeakMap<ResourceState, number>();

  constructor(parts: EngineParts) {
    const { config, kubeletRoot, log, metrics, memory, rules, inventory } = parts;
    this.#parts = parts;
    this.#rules = rules;
    this.#inventory = inventory;
    this.#catalogue = new Catalogue(memory);
    this.#identities = createIdentityKeeper(parts.memoryFile, memory, log);
    this.#holders = watchHolders({ rootDir: kubeletRoot, log });
    const { latest } = this.#holders;
    this.#cdi = createCdiFiles({
      directory: config.cdiDir,
      holders: latest,
      log,
      onWrite: (result) => {
        metrics.cdiWritten(result);
      },
    });
    this.#features = config.featuresDir === undefined ? undefined : createFeaturesFile(config.featuresDir, log);
    this.#health = new HealthMonitor({
      probe: (subject, rule) => probe(subject, rule, config),
      probed: (...args) => {
        metrics.probed(...args);
      },
      changed: () => {
        this.#verdicts ??= setTimeout(() => {
          this.#verdicts = undefined;
          this.look();
        }, collectMs);
      },
    });
    const approach =
      config.registration === 'watcher' ? watcherApproach(kubeletRoot) : socketApproach(kubeletRoot, new KeyedLock());
    this.#offers = new Offers({
      approach,
      log,
      metrics,
      context: {
        devRoot: config.devRoot,
        cdi: this.#cdi,
        cdiAvailable: () => this.#readsCdi,
        allocated: () => {
          this.#holders.allocated();
        },
        called: parts.called,
        sent: (state) => {
          const since = this.#eventOf.get(state);
          if (since !== undefined) metrics.hotplugLatency((performance.now() - since) / 1_000);
          this.#eventOf.delete(state);
        },
      },
    });
    latest.onChange(() => {
      this.#takeHolders();
    }, this.#end.signal);
  }

  get snapshot(): Snapshot {
    return this.#catalogue.snapshot;
  }

  get inventory(): Inventory {
    return this.#inventory;
  }

  get rules(): CompiledRules {
    return this.#rules;
  }

  get registrations(): readonly RegistrationView[] {
    return this.#offers.registrations();
  }

  get held(): HeldUnits {
    return this.#held;
  }

  start(): void {
    this.look();
    const { readsCdi, kubeletRoot, metrics } = this.#parts;
    void watchDrift({ rootDir: kubeletRoot, snapshot: () => this.snapshot, metrics, signal: this.#end.signal });
    if (readsCdi === undefined) return;
    const told = (reads: boolean): void => {
      this.#readsCdi = reads;
    };
    void followCdiSupport(readsCdi, told, this.#end.signal);
  }

  /** `toldAt`: when the kernel's event came that led to it, in milliseconds of `performance.now()`. */
  setInventory(inventory: Inventory, toldAt?: number): void {
    this.#inventory = inventory;
    const before = this.snapshot;
    this.look();
    if (toldAt === undefined) return;
    for (const [name, state] of this.snapshot) if (before.get(name) !== state) this.#eventOf.set(state, toldAt);
  }

  setRules(rules: CompiledRules): void {
    this.#rules = rules;
    this.look();
  }

  notReady(): string | undefined {
    return this.#offers.notReady();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#end.abort();
    clearTimeout(this.#removal);
    clearTimeout(this.#verdicts);
    this.#health.stop();
    this.#cdi.stop();
    await Promise.all([
      this.#offers.stop(deadline),
      this.#holders.stop(),
      this.#features?.stop(),
      this.#identities.stop(this.#catalogue.memory),
    ]);
  }

  /**
   * One look, on the spot: what the kernel has told is with the kubelet in the same turn of the event loop, and a burst of
   * events has been put together before. The CDI files follow, and an allocation waits for them. A look that fails, by a
   * device such as nobody has foreseen, changes nothing: what is offered stays so.
   */
  look(): void {
    if (this.#end.signal.aborted) return;
    const now = performance.now();
    clearTimeout(this.#removal);
    let next: number | undefined = retryMs;
    try {
      this.#show(now);
      next = this.#catalogue.nextRemoval(now);
      this.#complained = undefined;
    } catch (thrown) {
      const reason = messageOf(thrown);
      if (reason !== this.#complained)
        this.#parts.log.error(
          { event: 'device.look_failed', reason, stack: (thrown as Error).stack },
          'looking at the devices failed; what is offered stays, and it is tried again',
        );
      this.#complained = reason;
    }
    if (next !== undefined) this.#removal = setTimeout(this.look.bind(this), Math.min(next, longestWaitMs));
  }

  #show(now: number): void {
    const { log, metrics } = this.#parts;
    const after = this.#catalogue.update({
      rules: this.#rules,
      inventory: this.#inventory,
      held: this.#held,
      problemOf: ({ name, health }, id) => this.#health.problemOf(name, id, health),
      now,
    });
    // Where a device is in sysfs may change and leave the unit what it is.
    this.#health.watch(subjectsOf(after, this.#inventory));
    this.#identities.keep(this.#catalogue.memory);
    if (after === this.#shown) return;
    void this.#cdi.update(after);
    this.#offers.update(after);
    metrics.snapshot(after);
    reportChanges(this.#shown ?? new Map(), after, log, metrics);
    void this.#features?.update(after);
    this.#shown = after;
  }

  #takeHolders(): void {
    const holders = this.#holders.latest.value;
    this.#held = new HeldUnits(holders);
    this.look();
    if (holders === undefined) return;
    this.#parts.metrics.inUse(unitsInUse(holders, this.snapshot));
    const conflicts = conflictsOf(holders, this.snapshot);
    if (conflicts.join() !== this.#conflicts && conflicts.length > 0)
      this.#parts.log.error(
        { event: 'device.conflict', conflicts },
        'the kubelet gave devices to more than may have them',
      );
    this.#conflicts = conflicts.join();
  }
}
