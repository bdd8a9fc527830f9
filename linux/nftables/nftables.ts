/** What Berth asks of nftables: tables of its own, changed only by transactions. The kernel and the fake share this interface. */

/**
 * A set or map. `ipv4_addr`, `ipv6_addr`: networks of one family (an interval set), such as `10.244.0.0/24`, which must not
 * overlap. `…_pair`: source and destination, `10.1.0.2 . 10.1.0.2`. `…_port`: a map of `tcp . 8080 : 10.1.0.2 . 80`.
 * `…_address_port`: a map of `192.0.2.1 . tcp . 8080 : 10.1.0.2 . 80`.
 */
export interface NftSet {
  readonly name: string;
  readonly type:
    | 'ipv4_addr'
    | 'ipv6_addr'
    | 'ipv4_pair'
    | 'ipv6_pair'
    | 'ipv4_port'
    | 'ipv6_port'
    | 'ipv4_address_port'
    | 'ipv6_address_port';
  readonly elements: readonly string[];
}

/** A base chain. `rules` are in nft's own syntax, written by us and never containing what came from outside. */
export interface NftChain {
  readonly name: string;
  readonly type: 'filter' | 'nat';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
  readonly rules: readonly string[];
}

/** A whole table of the family inet. */
export interface NftTable {
  readonly name: string;
  readonly sets: readonly NftSet[];
  readonly chains: readonly NftChain[];
}

/** One step of a transaction. */
export type NftCommand =
  /** Makes the table be exactly this; what it had before is gone in the same instant. */
  | { readonly op: 'replace-table'; readonly table: NftTable }
  /** Removes the table; no error when there is none. */
  | { readonly op: 'delete-table'; readonly table: string }
  /** Adds elements; those that are there already stay. */
  | { readonly op: 'add-elements'; readonly table: string; readonly set: string; readonly elements: readonly string[] }
  /** Removes elements; NOT_FOUND when one is missing. */
  | {
      readonly op: 'delete-elements';
      readonly table: string;
      readonly set: string;
      readonly elements: readonly string[];
    };

/** What a table has: elements by set, number of rules by chain. */
export interface NftTableState {
  readonly sets: ReadonlyMap<string, readonly string[]>;
  readonly chains: ReadonlyMap<string, number>;
}

export interface Nftables {
  /** Does all commands or none. Throws NOT_FOUND for a missing table, set or element, else INTERNAL with nft's words. */
  run(commands: readonly NftCommand[]): Promise<void>;
  /** The state of one of our tables (family inet), or undefined when it does not exist. Elements are sorted. */
  list(table: string): Promise<NftTableState | undefined>;
  /** A number that changes with every transaction of anybody in this namespace. Far cheaper than `list`. */
  generation(): Promise<number>;
  close(): void;
}
