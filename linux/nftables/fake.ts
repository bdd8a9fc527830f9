/** nftables in memory, for tests: interprets transactions as the kernel does, all or nothing, and keeps their state. */
import { BerthError } from '../../kit/errors.ts';
import type { NftCommand, NftTableState, Nftables } from './nftables.ts';
import { render } from './render.ts';

interface FakeTable {
  readonly sets: Map<string, Set<string>>;
  readonly chains: Map<string, readonly string[]>;
}

function normal(element: string): string {
  if (element.includes(' . ')) return element;
  return element.includes('/') ? element : `${element}/${element.includes(':') ? 128 : 32}`;
}

function missing(what: string): BerthError {
  return new BerthError('NOT_FOUND', `nftables refused a transaction: No such file or directory: ${what}`);
}

export class FakeNftables implements Nftables {
  #tables = new Map<string, FakeTable>();
  #generation = 1;

  run(commands: readonly NftCommand[]): Promise<void> {
    return new Promise((resolve) => {
      // Syntax first, as nft does.
      render(commands);
      const draft = new Map(
        [...this.#tables].map(([name, { sets, chains }]) => [
          name,
          { sets: new Map([...sets].map(([set, elements]) => [set, new Set(elements)])), chains: new Map(chains) },
        ]),
      );
      let changed = false;
      for (const command of commands) if (apply(draft, command)) changed = true;
      this.#tables = draft;
      if (changed) this.#generation++;
      resolve();
    });
  }

  list(table: string): Promise<NftTableState | undefined> {
    const found = this.#tables.get(table);
    if (found === undefined) return Promise.resolve(undefined);
    return Promise.resolve({
      sets: new Map([...found.sets].map(([name, elements]) => [name, [...elements].sort()])),
      chains: new Map([...found.chains].map(([name, rules]) => [name, rules.length])),
    });
  }

  generation(): Promise<number> {
    return Promise.resolve(this.#generation);
  }

  /** The rules of a chain, or undefined when there is none. */
  rules(table: string, chain: string): readonly string[] | undefined {
    return this.#tables.get(table)?.chains.get(chain);
  }

  close(): void {
    // Nothing is held.
  }
}

/** Returns whether it changed anything: a transaction that does not is no new generation. */
function apply(tables: Map<string, FakeTable>, command: NftCommand): boolean {
  switch (command.op) {
    case 'replace-table': {
      const { name, sets, chains } = command.table;
      tables.set(name, {
        sets: new Map(sets.map((set) => [set.name, new Set(set.elements.map(normal))])),
        chains: new Map(chains.map((chain) => [chain.name, chain.rules])),
      });
      return true;
    }
    case 'delete-table':
      // The kernel counts that also without a table: it is made first, so that its deletion cannot fail.
      tables.delete(command.table);
      return true;
    case 'add-elements':
    case 'delete-elements': {
      const set = tables.get(command.table)?.sets.get(command.set);
      if (set === undefined) throw missing(`set ${command.set} of table ${command.table}`);
      let changed = false;
      for (const element of command.elements.map(normal)) {
        const had = set.has(element);
        if (command.op === 'add-elements') {
          const [key = '', value] = element.split(' : ');
          if (value !== undefined && [...set].some((other) => other !== element && other.startsWith(`${key} : `)))
            throw new BerthError('INTERNAL', 'nftables refused a transaction: File exists');
          set.add(element);
        } else if (!set.delete(element)) throw missing(`element ${element} of set ${command.set}`);
        if (set.has(element) !== had) changed = true;
      }
      return changed;
    }
  }
}
