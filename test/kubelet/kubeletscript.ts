/** What a scripted kubelet does, and what it then knows. */
import type { DevicePluginOptions__Output } from '../../protos/types/v1beta1/DevicePluginOptions.ts';

export interface KubeletScript {
  /** The `:authority` of its calls to a plugin. Default `localhost`, as since Kubernetes 1.26. */
  authority?: (path: string) => string;
  /** Up to 1.35: the end of an old stream disconnects the newest client of the same resource. */
  oldStreamKillsNew?: boolean;
  /** Refuses registrations with this text. */
  refuse?: string;
  /** Answers Register and never opens ListAndWatch. */
  neverWatches?: boolean;
  /** Opens ListAndWatch twice; ends the first when the second has its list. */
  watchesTwice?: boolean;
  /** Opens ListAndWatch and reads nothing until `resume`. */
  stopsReading?: boolean;
  /** How long it tries to reach the socket of a plugin before Register fails. Default 10 s, as the real one. */
  dialMs?: number;
  /** How long devices count after their stream has ended. Default 5 min, as the real one. */
  graceMs?: number;
}

/** What the kubelet knows of a resource. `health` is by device ID and empty once the stream has ended. */
export interface KnownResource {
  readonly endpoint: string;
  readonly options: DevicePluginOptions__Output;
  readonly health: Readonly<Record<string, string>>;
  /** NUMA nodes by device ID, of devices that have any. */
  readonly numa: Readonly<Record<string, readonly number[]>>;
  readonly lists: number;
  /** How many devices count, healthy or not: those of the last list until the grace after its stream is over. */
  readonly capacity: number;
}
