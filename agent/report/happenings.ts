/**
 * What the cluster is told in events: a plugin that stops serving, a configuration that cannot be used, a device that gets ill under a
 * pod, a volume that does under its claim. Pure: two looks in, what happened between them out. What the kubelet tells of each failed call is left to it.
 */
import type { NodeCondition, NodeViews } from './nodestatus.ts';

/** What an event is about, as an `ObjectReference`. */
interface Regarding {
  readonly kind: 'Node' | 'Pod' | 'PersistentVolumeClaim';
  readonly name: string;
  readonly namespace?: string;
  /** `kubectl describe` finds an event by it. */
  readonly uid?: string;
}

/** Every word that `reason` can be; docs/berthnode.md tells when. */
export const reasons = [
  'NotReady',
  'Ready',
  'ConfigUnusable',
  'ConfigUsable',
  'PoolUnhealthy',
  'PoolHealthy',
  'DeviceUnhealthy',
  'DeviceHealthy',
  'VolumeUnhealthy',
  'VolumeHealthy',
] as const;

export interface Happening {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** What happened, a word for programs. */
  readonly reason: (typeof reasons)[number];
  /** What Berth was about, a word for programs. */
  readonly action: 'Serve' | 'ReadConfig' | 'WatchDevice' | 'WatchStorage';
  /** A sentence for people. */
  readonly note: string;
}

/** What was seen at one time. */
export interface Sight {
  readonly views: NodeViews;
  readonly conditions: readonly NodeCondition[];
}

/** Of what is ill at the first look is told as well: the agent may have been away when it happened. */
export function happeningsOf(nodeName: string, before: Sight | undefined, after: Sight): readonly Happening[] {
  const node: Regarding = { kind: 'Node', name: nodeName, uid: nodeName };
  return [
    ...changes(before?.conditions.flatMap(plugin), after.conditions.flatMap(plugin)).map(({ key, now }): Happening =>
      now === undefined
        ? { ...aboutPlugins(node), type: 'Normal', reason: 'Ready', note: `the ${key} plugin serves again` }
        : {
            ...aboutPlugins(node),
            type: 'Warning',
            reason: 'NotReady',
            note: `the ${key} plugin does not serve: ${now}`,
          },
    ),
    ...withoutUnseen(changes(before && configs(before.views), configs(after.views)), (id) =>
      after.views.findings.some((finding) => finding.id === id && finding.severity === 'pass'),
    ).map(({ now }): Happening => ({
      ...{ regarding: node, action: 'ReadConfig' },
      ...(now === undefined
        ? { type: 'Normal', reason: 'ConfigUsable', note: 'the configuration can be used again' }
        : { type: 'Warning', reason: 'ConfigUnusable', note: now }),
    })),
    ...withoutUnseen(changes(before && pools(before.views), pools(after.views)), (name) =>
      after.views.pools.some((pool) => pool.kind === 'storage' && pool.name === name),
    ).map(({ key, now }): Happening => ({
      ...{ regarding: node, action: 'WatchStorage' },
      ...(now === undefined
        ? { type: 'Normal', reason: 'PoolHealthy', note: `the pool "${key}" is well again` }
        : { type: 'Warning', reason: 'PoolUnhealthy', note: `the pool "${key}" is not well: ${now}` }),
    })),
    ...ofDevices(before?.views, after.views),
    ...ofVolumes(before?.views, after.views),
  ];
}

function aboutPlugins(node: Regarding): Pick<Happening, 'regarding' | 'action'> {
  return { regarding: node, action: 'Serve' };
}

/** What is wrong, by what it is wrong with. */
type Ills = readonly (readonly [key: string, ill: string])[];

/** What has got ill or ill in another way, and what is not any more (`now` is undefined). */
function changes(
  before: Ills = [],
  after: Ills,
): readonly { readonly key: string; readonly now: string | undefined }[] {
  const [was, is] = [new Map(before), new Map(after)];
  return [
    ...after.filter(([key, ill]) => was.get(key) !== ill).map(([key, now]) => ({ key, now })),
    ...before.filter(([key]) => !is.has(key)).map(([key]) => ({ key, now: undefined })),
  ];
}

/** Without recoveries of what cannot be seen: a part of the agent that does not answer shows nothing ill. */
function withoutUnseen(all: ReturnType<typeof changes>, isSeen: (key: string) => boolean): ReturnType<typeof changes> {
  return all.filter(({ key, now }) => now !== undefined || isSeen(key));
}

function plugin({ type, status, message }: NodeCondition): Ills {
  return type === 'Ready' || status !== 'False' ? [] : [[type.replace(/Ready$/, '').toLowerCase(), message]];
}

/** That changes wait for a restart is no event: during an upgrade it is so on every node for a while. */
function configs({ findings }: NodeViews): Ills {
  const ill = findings.find(({ id, severity }) => id === 'agent.config-file' && severity === 'failure');
  return ill === undefined ? [] : [[ill.id, ill.message]];
}

function pools({ pools: all }: NodeViews): Ills {
  return all.flatMap((pool): Ills => (pool.kind === 'storage' && pool.reason !== '' ? [[pool.name, pool.reason]] : []));
}

/** Told to each pod that holds the device; nobody else is concerned. */
function ofDevices(before: NodeViews | undefined, after: NodeViews): readonly Happening[] {
  const ills = (views: NodeViews): Ills =>
    views.devices.flatMap((unit): Ills => {
      if (unit.health === 'Healthy') return [];
      return unit.holders.map(({ namespace, pod }) => [
        JSON.stringify([namespace, pod, unit.resource, unit.id]),
        unit.reason,
      ]);
    });
  return changes(before && ills(before), ills(after)).flatMap(({ key, now }): readonly Happening[] => {
    const [namespace = '', pod = '', resource = '', id = ''] = JSON.parse(key) as readonly string[];
    const unit = after.devices.find((each) => each.resource === resource && each.id === id);
    const holds = unit?.holders.some((holder) => holder.namespace === namespace && holder.pod === pod) === true;
    // The pod has ended, and the device is no matter of its any more.
    if (now === undefined && (!holds || unit.health !== 'Healthy')) return [];
    const uid = after.attachments.find((each) => each.namespace === namespace && each.pod === pod)?.podUID ?? '';
    const regarding: Regarding = { kind: 'Pod', name: pod, namespace, ...(uid === '' ? {} : { uid }) };
    const about = { regarding, action: 'WatchDevice' } as const;
    return now === undefined
      ? [
          {
            ...about,
            type: 'Normal',
            reason: 'DeviceHealthy',
            note: `its device ${id} of ${resource} is healthy again`,
          },
        ]
      : [
          {
            ...about,
            type: 'Warning',
            reason: 'DeviceUnhealthy',
            note: `its device ${id} of ${resource} is ill: ${now}`,
          },
        ];
  });
}

function ofVolumes(before: NodeViews | undefined, after: NodeViews): readonly Happening[] {
  const ills = ({ illVolumes }: NodeViews): Ills =>
    illVolumes
      .filter(({ claim }) => claim.includes('/'))
      .map(({ claim, name, reasons }) => [JSON.stringify([claim, name]), reasons.join(', ')]);
  const answers = after.pools.some((pool) => pool.kind === 'storage' && pool.size !== null);
  return withoutUnseen(changes(before && ills(before), ills(after)), () => answers).map(({ key, now }): Happening => {
    const [claim = '', volume = ''] = JSON.parse(key) as readonly string[];
    const [namespace = '', name = ''] = claim.split('/');
    // csi-provisioner calls a claim's volume pvc-UID.
    const uid = /^pvc-([0-9a-f-]{36})$/.exec(volume)?.[1];
    const regarding: Regarding = {
      kind: 'PersistentVolumeClaim',
      name,
      namespace,
      ...(uid === undefined ? {} : { uid }),
    };
    const about = { regarding, action: 'WatchStorage' } as const;
    return now === undefined
      ? { ...about, type: 'Normal', reason: 'VolumeHealthy', note: 'its volume is well again' }
      : { ...about, type: 'Warning', reason: 'VolumeUnhealthy', note: `its volume is not well: ${now}` };
  });
}
