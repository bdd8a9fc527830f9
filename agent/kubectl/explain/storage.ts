/** Whether a node has room for a claim, or is where its volume is. Pure. */
import type { StoragePoolView } from '../../../csi/views.ts';
import { sizeText } from '../../commands/cells.ts';
import { matchesTerms } from '../matching.ts';
import type { NodeObject, VolumeObject } from '../objects.ts';
import { bytesOf } from '../quantity.ts';
import { seenOr } from '../seen.ts';
import type { ClaimSight, DataSource, FleetSight, Obstacle } from './sight.ts';

export const driver = 'csi.berth.dev';

/** Bytes that the claim asks for. */
export function askedBytes({ claim }: ClaimSight): number {
  return bytesOf(seenOr(claim, undefined)?.spec?.resources?.requests?.storage ?? '0') ?? 0;
}

/** Why the volume of the claim cannot be, or be made, on the node. */
export function storageObstacle(sight: ClaimSight, node: NodeObject, fleet: FleetSight): Obstacle | undefined {
  const about = `the claim ${sight.name}`;
  if (sight.volume !== undefined) {
    if (isOn(sight.volume, node)) return undefined;
    return { about, text: 'is not where its volume is' };
  }
  const storageClass = seenOr(sight.storageClass, undefined);
  // Whose room nobody here knows.
  if (storageClass?.provisioner !== driver) return undefined;
  if (sight.source !== undefined && !isSource(sight.source, node))
    return { about, text: 'is not where the source of its data is' };
  const text = roomObstacle(sight, node, fleet);
  return text === undefined ? undefined : { about, text };
}

/** Data is copied within a node only. */
function isSource(source: DataSource, node: NodeObject): boolean {
  return 'volume' in source ? isOn(source.volume, node) : source.node === node.metadata.name;
}

/** Volumes of Berth name their node; one that names none can be anywhere. */
export function isOn({ spec }: VolumeObject, node: NodeObject): boolean {
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined || matchesTerms(terms, node);
}

function roomObstacle(sight: ClaimSight, node: NodeObject, fleet: FleetSight): string | undefined {
  const wanted = askedBytes(sight);
  const storageClass = seenOr(sight.storageClass, undefined);
  const pool = storageClass?.parameters?.['pool'];
  const told = fleet.pools.find((each) => each.node === node.metadata.name);
  if (told !== undefined && 'answer' in told) {
    const pools = (told.answer.items ?? []).filter((each): each is StoragePoolView => each.kind === 'storage');
    const fitting = pools.filter(({ engine }) => canMake(engine, storageClass?.parameters?.[fstypeKey]));
    return poolsObstacle(fitting, pool, wanted) ?? capacityObstacle(sight, node, fleet, wanted);
  }
  const why = capacityObstacle(sight, node, fleet, wanted);
  if (why !== undefined || told === undefined) return why;
  return `cannot be asked: ${told.error}`;
}

const fstypeKey = 'csi.storage.k8s.io/fstype';

/** As docs/storage.md has it; a pool whose engine nobody tells may make anything. */
function canMake(engine: StoragePoolView['engine'], fstype: string | undefined): boolean {
  if (engine === 'image' || engine === '' || fstype === undefined) return true;
  return engine === 'subvolume' && fstype === 'btrfs';
}

function poolsObstacle(
  pools: readonly StoragePoolView[],
  wantedPool: string | undefined,
  wanted: number,
): string | undefined {
  const fitting = pools.filter(({ name }) => wantedPool === undefined || name === wantedPool);
  if (fitting.length === 0) return wantedPool === undefined ? 'has no pool for it' : `has no pool "${wantedPool}"`;
  const hasRoom = fitting.some(({ available }) => available !== null && available >= wanted);
  if (hasRoom) return undefined;
  const each = fitting.map(({ name, available, reason }) => {
    const ill = reason === '' ? '' : ` (${reason})`;
    return `${sizeText(available)} in the pool "${name}"${ill}`;
  });
  return `has ${each.join(' and ')}, ${sizeText(wanted)} asked`;
}

/** What the scheduler believes, which may be half a minute old. */
function capacityObstacle(
  { claim }: ClaimSight,
  node: NodeObject,
  { capacities }: FleetSight,
  wanted: number,
): string | undefined {
  const all = seenOr(capacities, undefined);
  const wantedClass = seenOr(claim, undefined)?.spec?.storageClassName;
  const ofClass = (all ?? []).filter(({ storageClassName }) => storageClassName === wantedClass);
  if (ofClass.length === 0) return undefined;
  const labels = node.metadata.labels ?? {};
  const here = ofClass.find(({ nodeTopology }) => {
    const wantedLabels = Object.entries(nodeTopology?.matchLabels ?? {});
    return wantedLabels.length > 0 && wantedLabels.every(([key, value]) => labels[key] === value);
  });
  if (here === undefined) return `offers no room to the class ${wantedClass ?? ''}`;
  const most = bytesOf(here.maximumVolumeSize ?? here.capacity ?? '0') ?? 0;
  return most >= wanted ? undefined : `offers ${sizeText(most)} to the scheduler, ${sizeText(wanted)} asked`;
}
