/** What the parts of the volume manager that work on one pool share. */
import type { Logger } from '../kit/log.ts';
import type { GracePeriods } from '../linux/graceperiods.ts';
import type { Engine } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import type { Ledger } from './ledger.ts';
import type { NodeState } from './nodestate.ts';
import type { Operations } from './operations.ts';
import type { Records } from './records.ts';
import type { GroupRecord, SnapshotRecord } from './snapshot.ts';
import type { AssertPresent } from './poolpresence.ts';
import type { RecordStore } from './store.ts';
import type { Trash } from './trash.ts';
import type { VolumeRecord } from './volume.ts';
import type { VolumeLimits } from './volumelimits.ts';

export interface PoolParts {
  readonly pool: { readonly name: string; readonly id: string };
  /** Throws UNAVAILABLE while another disk, or none, is in its place. */
  readonly assertPresent: AssertPresent;
  readonly store: RecordStore;
  readonly ledger: Ledger;
  readonly engine: Engine;
  readonly nodeState: NodeState;
  readonly limits: VolumeLimits;
  readonly gracePeriods: GracePeriods;
  readonly operations: Operations;
  readonly volumes: Records<VolumeRecord>;
  readonly snapshots: Records<SnapshotRecord>;
  readonly groups: Records<GroupRecord>;
  readonly trash: Trash;
  /** How many times the pool's space thin volumes may have together; 1: all of it is kept for them. */
  readonly overcommit: number;
  /** Used percent of the pool's filesystem above which no more thin volumes are made where they may have more than there is. */
  readonly thinWatermark: number;
  /** Told how long volumes were held still, in seconds. */
  readonly onFrozen: (seconds: number) => void;
  readonly log: Logger;
  readonly atPoint: AtPoint;
}
