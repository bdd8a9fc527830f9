/** What a BerthNode says of a node, made of what its services show. Pure: views in, status out, bounded whatever comes in. */
import type { AddressPoolView, AttachmentView, RouteView } from '../../cni/views.ts';
import type { IllVolumeView, StoragePoolView } from '../../csi/views.ts';
import type { DeviceView } from '../../deviceplugin/views.ts';
import type { RegistrationView } from '../../kubelet/registrationview.ts';
import type { Finding } from '../doctor/finding.ts';
import type { ServiceState } from '../health.ts';
import type { Plugin } from '../part.ts';

/** What was asked of the agent's parts. */
export interface NodeViews {
  /** The plugins that are configured, each with why it does not serve. */
  readonly services: readonly ServiceState[];
  readonly pools: readonly (AddressPoolView | StoragePoolView)[];
  readonly attachments: readonly Pick<AttachmentView, 'namespace' | 'pod' | 'podUID'>[];
  readonly routes: readonly Pick<RouteView, 'node' | 'way' | 'reason'>[];
  readonly devices: readonly Pick<DeviceView, 'resource' | 'id' | 'health' | 'reason' | 'replicas' | 'holders'>[];
  readonly illVolumes: readonly IllVolumeView[];
  readonly registrations: readonly Pick<RegistrationView, 'name' | 'state' | 'reason'>[];
  /** Of several parts, which ask some of the same. */
  readonly findings: readonly Pick<Finding, 'id' | 'severity' | 'message' | 'fix'>[];
}

/** As `metav1.Condition`, without the time, which whoever writes it knows. */
export interface NodeCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** `status` of a BerthNode (daemonset/crds/berthnodes.yaml), but for the times of its conditions. */
export interface NodeStatus {
  readonly version: string;
  readonly conditions: readonly NodeCondition[];
  readonly network?: NetworkStatus;
  readonly devices?: DevicesStatus;
  readonly storage?: StorageStatus;
  /** Of each resource and of the CSI driver with the kubelet. */
  readonly registrations: NodeViews['registrations'];
  readonly doctor: DoctorStatus;
}

interface NetworkStatus {
  readonly attachments: number;
  readonly ranges: readonly { readonly range: string; readonly size: number; readonly used: number }[];
  readonly routes: { readonly direct: number; readonly tunnel: number; readonly none: number };
}

interface DevicesStatus {
  /** `3/4`: healthy devices of all. */
  readonly healthy: string;
  readonly resources: readonly {
    readonly name: string;
    readonly devices: number;
    readonly healthy: number;
    readonly used: number;
    readonly capacity: number;
  }[];
}

interface StorageStatus {
  /** Of all pools together, a Kubernetes quantity in steps of a hundredth of the pool. */
  readonly available: string;
  readonly volumes: number;
  readonly snapshots: number;
  readonly pools: readonly {
    readonly name: string;
    readonly engine: string;
    readonly size: string;
    readonly available: string;
    readonly volumes: number;
    readonly snapshots: number;
    readonly reason: string;
  }[];
}

interface DoctorStatus {
  /** `well`, or `1 failure, 2 warnings`. */
  readonly summary: string;
  readonly findings: readonly {
    readonly id: string;
    readonly severity: 'Failure' | 'Warning';
    readonly message: string;
    readonly fix: string;
  }[];
}

/** A node with more than these has an object that stays small; `berth get` on the node shows all. */
const mostEntries = 64;
const longestText = 512;

const titles: Readonly<Record<Plugin, string>> = { network: 'Network', devices: 'Devices', storage: 'Storage' };

export function nodeStatusOf(views: NodeViews, version: string): NodeStatus {
  const states = views.services.filter((state): state is ServiceState & { name: Plugin } => state.name in titles);
  const has = (plugin: Plugin): boolean => states.some(({ name }) => name === plugin);
  return {
    version,
    conditions: conditionsOf(states),
    ...(has('network') ? { network: networkStatus(views) } : {}),
    ...(has('devices') ? { devices: devicesStatus(views.devices) } : {}),
    ...(has('storage') ? { storage: storageStatus(views.pools.filter((pool) => pool.kind === 'storage')) } : {}),
    registrations: views.registrations
      .slice(0, mostEntries)
      .map(({ name, state, reason }) => ({ name: short(name), state: short(state), reason: short(reason) })),
    doctor: doctorStatus(views.findings),
  };
}

/** One for each plugin, and `Ready` before them, which `kubectl get` shows. */
function conditionsOf(states: readonly (ServiceState & { name: Plugin })[]): readonly NodeCondition[] {
  const each = states.map(({ name, reason }): NodeCondition => {
    const type = `${titles[name]}Ready`;
    return reason === undefined
      ? { type, status: 'True', reason: 'Serving', message: `the ${name} plugin serves` }
      : { type, status: 'False', reason: `${titles[name]}NotReady`, message: short(reason) };
  });
  const [broken, ...others] = each.filter(({ status }) => status === 'False');
  const more = others.length === 0 ? '' : `; also ${others.map(({ reason }) => reason).join(', ')}`;
  const ready: NodeCondition =
    broken === undefined
      ? { type: 'Ready', status: 'True', reason: 'Serving', message: 'every plugin serves' }
      : { type: 'Ready', status: 'False', reason: broken.reason, message: short(`${broken.message}${more}`) };
  return [ready, ...each];
}

function networkStatus({ attachments, pools, routes }: NodeViews): NetworkStatus {
  const ways = { direct: 0, tunnel: 0, none: 0 };
  for (const { way } of routes) ways[way]++;
  return {
    attachments: attachments.length,
    ranges: pools
      .filter((pool) => pool.kind === 'addresses')
      .slice(0, mostEntries)
      .map(({ range, size, used }) => ({ range, size, used })),
    routes: ways,
  };
}

function devicesStatus(devices: NodeViews['devices']): DevicesStatus {
  const byResource = Map.groupBy(devices, ({ resource }) => resource);
  const resources = [...byResource].map(([name, units]) => {
    const healthy = units.filter(({ health }) => health === 'Healthy').length;
    const used = units.reduce((sum, { holders }) => sum + holders.length, 0);
    const capacity = units.reduce((sum, { replicas }) => sum + replicas, 0);
    return { name: short(name), devices: units.length, healthy, used, capacity };
  });
  const healthy = resources.reduce((sum, resource) => sum + resource.healthy, 0);
  return { healthy: `${healthy}/${devices.length}`, resources: resources.slice(0, mostEntries) };
}

function storageStatus(pools: readonly StoragePoolView[]): StorageStatus {
  const sum = (of: (pool: StoragePoolView) => number): number => pools.reduce((all, pool) => all + of(pool), 0);
  return {
    available: quantityOf(sum(availableOf)),
    volumes: sum(({ volumes }) => volumes),
    snapshots: sum(({ snapshots }) => snapshots),
    pools: pools.slice(0, mostEntries).map((pool) => ({
      name: pool.name,
      engine: pool.engine,
      size: quantityOf(pool.size ?? 0),
      available: quantityOf(availableOf(pool)),
      volumes: pool.volumes,
      snapshots: pool.snapshots,
      reason: short(pool.reason),
    })),
  };
}

function doctorStatus(findings: NodeViews['findings']): DoctorStatus {
  const of = (severity: 'failure' | 'warning'): ReadonlyMap<string, NodeViews['findings'][number]> =>
    new Map(findings.filter((each) => each.severity === severity).map((each) => [each.id, each]));
  const failures = of('failure');
  const warnings = [...of('warning').values()].filter(({ id }) => !failures.has(id));
  const counts = [
    { count: failures.size, word: 'failure' },
    { count: warnings.length, word: 'warning' },
  ].flatMap(({ count, word }) => (count === 0 ? [] : [`${count} ${word}${count === 1 ? '' : 's'}`]));
  return {
    summary: counts.length === 0 ? 'well' : counts.join(', '),
    findings: [...failures.values(), ...warnings]
      .slice(0, mostEntries / 2)
      .map(({ id, severity, message, fix = '' }) => ({
        id,
        severity: severity === 'failure' ? 'Failure' : 'Warning',
        message: short(message),
        fix: short(fix),
      })),
  };
}

/** In steps of a hundredth of the pool: others write beside us, and not every byte of theirs is news for the API server. */
function availableOf({ size, available }: StoragePoolView): number {
  const step = Math.max(2 ** 20, Math.floor((size ?? 0) / 100));
  return Math.floor((available ?? 0) / step) * step;
}

function quantityOf(bytes: number): string {
  return bytes < 2 ** 20 ? '0' : `${Math.floor(bytes / 2 ** 20)}Mi`;
}

/** Text that others brought, on one line and not too long. */
function short(text: string): string {
  // Control characters would move the terminal of whoever looks.
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length <= longestText ? line : `${line.slice(0, longestText - 1)}…`;
}
