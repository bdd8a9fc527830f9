/** The kinds of objects that Berth brings into a cluster, how those of Berth are told, and how they go away. Pure. */
import type { Meta } from '../objects.ts';

export interface Leftover {
  /** `persistentvolume/pvc-1`, `node/node-1`. */
  readonly what: string;
  readonly text: string;
  readonly remedy: string;
}

export interface NamedObject {
  readonly metadata: Meta;
  readonly provisioner?: string;
  readonly driver?: string;
  readonly driverName?: string;
  readonly spec?: {
    readonly csi?: { readonly driver?: string };
    readonly claimRef?: { readonly namespace?: string; readonly name?: string };
    readonly driver?: string;
    readonly drivers?: readonly { readonly name?: string }[];
  };
}

export interface Sort {
  /** As kubectl names it, with its group. */
  readonly kind: string;
  readonly scope: readonly string[];
  readonly isOurs: (object: NamedObject) => boolean;
  /** With the name in place of NAME, and the namespace in place of SPACE. */
  readonly remedy: string;
}

const driver = 'csi.berth.dev';
const labelled = ({ metadata }: NamedObject): boolean => metadata.labels?.['app.kubernetes.io/name'] === 'berth';
const named =
  (pattern: RegExp) =>
  (object: NamedObject): boolean =>
    pattern.test(object.metadata.name);
const removeIt = (kind: string): string => `kubectl delete ${kind} NAME`;

function cluster(kind: string, isOurs: Sort['isOurs'], remedy = removeIt(kind)): Sort {
  return { kind, scope: [], isOurs, remedy };
}

/** Those with the users' data first. */
export const sorts: readonly Sort[] = [
  cluster(
    'persistentvolumes',
    ({ spec }) => spec?.csi?.driver === driver,
    'delete its claim while Berth is installed; without Berth: kubectl delete pv NAME (the data stays in the pool of its node)',
  ),
  cluster(
    'volumesnapshotcontents.snapshot.storage.k8s.io',
    ({ spec }) => spec?.driver === driver,
    'delete its VolumeSnapshot while Berth is installed',
  ),
  cluster(
    'volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io',
    ({ spec }) => spec?.driver === driver,
    'delete its VolumeGroupSnapshot while Berth is installed',
  ),
  cluster('volumesnapshotclasses.snapshot.storage.k8s.io', (object) => object.driver === driver),
  cluster('volumegroupsnapshotclasses.groupsnapshot.storage.k8s.io', (object) => object.driver === driver),
  cluster('volumeattributesclasses.storage.k8s.io', ({ driverName }) => driverName === driver),
  cluster('storageclasses.storage.k8s.io', ({ provisioner }) => provisioner === driver),
  cluster('csidrivers.storage.k8s.io', named(/^csi\.berth\.dev$/)),
  cluster(
    'csinodes.storage.k8s.io',
    ({ spec }) => spec?.drivers?.some(({ name }) => name === driver) === true,
    'the kubelet takes csi.berth.dev off when its socket is gone: rm -rf /var/lib/kubelet/plugins/csi.berth.dev on the node',
  ),
  {
    kind: 'csistoragecapacities.storage.k8s.io',
    scope: ['--all-namespaces'],
    isOurs: ({ metadata }) => metadata.labels?.['csi.storage.k8s.io/drivername'] === driver,
    remedy: 'kubectl delete csistoragecapacity -n SPACE NAME',
  },
  cluster('berthnodes.berth.dev', () => true),
  cluster('customresourcedefinitions.apiextensions.k8s.io', named(/\.berth\.dev$/)),
  cluster('validatingadmissionpolicies.admissionregistration.k8s.io', labelled),
  cluster('validatingadmissionpolicybindings.admissionregistration.k8s.io', labelled),
  cluster('mutatingadmissionpolicies.admissionregistration.k8s.io', labelled),
  cluster('mutatingadmissionpolicybindings.admissionregistration.k8s.io', labelled),
  cluster('clusterroles.rbac.authorization.k8s.io', labelled),
  cluster('clusterrolebindings.rbac.authorization.k8s.io', labelled),
  {
    kind: 'daemonsets.apps',
    scope: ['--all-namespaces'],
    isOurs: (object) => labelled(object) || object.metadata.name === 'berth-uninstall',
    remedy: 'kubectl delete daemonset -n SPACE NAME',
  },
  cluster('namespaces', named(/^berth-(system|uninstall)$/)),
];

export function shownSort({ kind, remedy }: Sort, { metadata, spec }: NamedObject): Leftover {
  const { name, namespace = '' } = metadata;
  const singular = kind.replace(/\..*$/, '').replace(/ies$|(?<=ss)es$|s$/, (end) => (end === 'ies' ? 'y' : ''));
  const claim =
    spec?.claimRef === undefined ? '' : ` of the claim ${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`;
  return {
    what: `${singular}/${name}`,
    text: namespace === '' ? claim.trim() : `in ${namespace}`,
    remedy: remedy.replaceAll('NAME', name).replaceAll('SPACE', namespace),
  };
}
