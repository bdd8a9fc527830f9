/** Gathers what explains a pod or a claim: from the API server what the user may see, from the agents what their nodes have. */
import { BerthError, messageOf } from '../../../kit/errors.ts';
import { askAgents } from '../agents.ts';
import type { Agent, Told } from '../agents.ts';
import { chooseAgents } from '../choose.ts';
import type { Session } from '../command.ts';
import { isObjectName } from '../kubectl.ts';
import type {
  BerthNodeObject,
  CapacityObject,
  ClaimObject,
  ClassObject,
  EventObject,
  Meta,
  NodeObject,
  PodObject,
  VolumeObject,
} from '../objects.ts';
import { getObject, listObjects, seenOr } from '../seen.ts';
import type { Seen } from '../seen.ts';
import { askedResources } from './devices.ts';
import { claimsOf } from './pod.ts';
import type { ClaimSight, DataSource, FleetSight, PodSight } from './sight.ts';

/** Throws NOT_FOUND when there is no such pod, UNAVAILABLE when it may not be seen. */
export async function gatherPod(session: Session, name: string): Promise<PodSight> {
  const { kubectl } = session;
  const namespace = await session.namespace();
  const found = await getObject<PodObject>(kubectl, ['pods', name, `--namespace=${namespace}`]);
  if ('unseen' in found) throw new BerthError('UNAVAILABLE', `the pod cannot be seen: ${found.why}`);
  const pod = found.seen;
  if (pod === undefined) throw new BerthError('NOT_FOUND', `pods "${name}" not found in ${namespace} namespace`);
  const asked: readonly FleetKind[] = [
    ...(askedResources(pod.spec ?? {}).size > 0 ? (['devices'] as const) : []),
    ...(claimsOf(pod).length > 0 ? (['pools'] as const) : []),
  ];
  const [events, fleet, claims] = await Promise.all([
    eventsAbout(session, 'Pod', namespace, name),
    gatherFleet(session, asked),
    Promise.all(claimsOf(pod).map((claim) => gatherClaim(session, namespace, claim, { seen: [pod] }))),
  ]);
  return { pod, events, fleet, claims };
}

/** `users` where they are known already. */
export async function gatherClaim(
  { kubectl }: Session,
  namespace: string,
  name: string,
  users?: Seen<readonly PodObject[]>,
): Promise<ClaimSight> {
  const inNamespace = `--namespace=${namespace}`;
  const claim = await getObject<ClaimObject>(kubectl, ['persistentvolumeclaims', name, inNamespace]);
  const { volumeName = '', storageClassName = '', dataSource } = seenOr(claim, undefined)?.spec ?? {};
  const [volume, storageClass, events, source, pods] = await Promise.all([
    volumeName === '' ? undefined : volumeOf(kubectl, volumeName),
    storageClassName === ''
      ? ({ seen: undefined } as const)
      : getObject<ClassObject>(kubectl, ['storageclasses.storage.k8s.io', storageClassName]),
    eventsAbout({ kubectl }, 'PersistentVolumeClaim', namespace, name),
    dataSource === undefined ? undefined : sourceOf(kubectl, namespace, dataSource),
    users ?? listObjects<PodObject>(kubectl, ['pods', inNamespace]),
  ]);
  const using = 'seen' in pods ? { seen: pods.seen.filter((pod) => claimsOf(pod).includes(name)) } : pods;
  return { namespace, name, claim, volume, storageClass, events, source, users: using };
}

async function volumeOf(kubectl: Session['kubectl'], name: string): Promise<VolumeObject | undefined> {
  return seenOr(await getObject<VolumeObject>(kubectl, ['persistentvolumes', name]), undefined);
}

/** Where the claim that is copied, or the snapshot, is. */
async function sourceOf(
  kubectl: Session['kubectl'],
  namespace: string,
  { kind = '', name = '' }: { readonly kind?: string; readonly name?: string },
): Promise<DataSource | undefined> {
  const inNamespace = `--namespace=${namespace}`;
  if (!isObjectName(name)) return undefined;
  if (kind === 'PersistentVolumeClaim') {
    const claim = await getObject<ClaimObject>(kubectl, ['persistentvolumeclaims', name, inNamespace]);
    const volumeName = seenOr(claim, undefined)?.spec?.volumeName;
    const volume = volumeName === undefined ? undefined : await volumeOf(kubectl, volumeName);
    return volume === undefined ? undefined : { volume };
  }
  if (kind !== 'VolumeSnapshot') return undefined;
  interface Snapshot {
    readonly status?: { readonly boundVolumeSnapshotContentName?: string };
  }
  const found = await getObject<Snapshot>(kubectl, ['volumesnapshots.snapshot.storage.k8s.io', name, inNamespace]);
  const content = seenOr(found, undefined)?.status?.boundVolumeSnapshotContentName;
  if (content === undefined) return undefined;
  const bound = await getObject<{ readonly metadata: Meta }>(kubectl, [
    'volumesnapshotcontents.snapshot.storage.k8s.io',
    content,
  ]);
  const node = seenOr(bound, undefined)?.metadata.labels?.['snapshot.storage.kubernetes.io/managed-by'];
  return node === undefined ? undefined : { node };
}

type FleetKind = 'devices' | 'pools';

/** The nodes, and what their agents say of these kinds. */
export async function gatherFleet(session: Session, kinds: readonly FleetKind[]): Promise<FleetSight> {
  const { kubectl } = session;
  const [nodes, berthNodes, capacities, asked] = await Promise.all([
    listObjects<NodeObject>(kubectl, ['nodes']),
    listObjects<BerthNodeObject>(kubectl, ['berthnodes.berth.dev']),
    listObjects<CapacityObject>(kubectl, ['csistoragecapacities.storage.k8s.io', '--all-namespaces']),
    askFleet(session, kinds),
  ]);
  return { nodes, berthNodes, capacities, ...asked };
}

async function askFleet(
  session: Session,
  kinds: readonly FleetKind[],
): Promise<Pick<FleetSight, 'devices' | 'pools' | 'agentsUnseen'>> {
  if (kinds.length === 0) return { devices: [], pools: [], agentsUnseen: '' };
  let agents: readonly Agent[];
  try {
    agents = await chooseAgents(session, {});
  } catch (error) {
    return { devices: [], pools: [], agentsUnseen: messageOf(error) };
  }
  const ask = async <T>(kind: FleetKind): Promise<readonly Told<T>[]> =>
    kinds.includes(kind) ? await askAgents<T>(session.kubectl, agents, ['get', kind, '-o', 'json']) : [];
  const [devices, pools] = await Promise.all([
    ask<{ readonly items?: never[] }>('devices'),
    ask<{ readonly items?: never[] }>('pools'),
  ]);
  const refused = [...devices, ...pools].map((told) => ('error' in told ? told.error : ''));
  const all = refused.every((error) => error.startsWith('you may not')) ? (refused[0] ?? '') : '';
  return { devices: withAbsent(devices), pools: withAbsent(pools), agentsUnseen: all };
}

/** A node without the plugin has nothing of it, which is an answer. */
function withAbsent<T extends { readonly items?: never[] }>(told: readonly Told<T>[]): readonly Told<T>[] {
  return told.map((each) =>
    'error' in each && /the section for it is not configured/.test(each.error)
      ? { node: each.node, answer: { items: [] } as unknown as T }
      : each,
  );
}

async function eventsAbout(
  { kubectl }: Pick<Session, 'kubectl'>,
  kind: string,
  namespace: string,
  name: string,
): Promise<Seen<readonly EventObject[]>> {
  const fields = `--field-selector=involvedObject.kind=${kind},involvedObject.name=${name}`;
  return await listObjects<EventObject>(kubectl, ['events', `--namespace=${namespace}`, fields]);
}
