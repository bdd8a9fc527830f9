/** What the pod network knows of each Node of the cluster, and where it learns it from. */

/** As the API has it: nothing is checked yet. */
export interface NodeFacts {
  /** `spec.podCIDRs`. */
  readonly podCIDRs: readonly string[];
  /** `status.addresses` of type InternalIP, in their order. */
  readonly addresses: readonly string[];
}

/** The Nodes of the cluster, as the API server has them. */
export interface NodeSource {
  /** The Node we are. */
  readonly name: string;
  /**
   * Follows the Nodes until the signal fires; never rejects. `changed` gets all of them by name, at first and after each
   * change of one; it is not called before all are known, nor while the API is away.
   */
  follow(changed: (nodes: ReadonlyMap<string, NodeFacts>) => void, signal: AbortSignal): Promise<void>;
}
