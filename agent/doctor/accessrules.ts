/**
 * What the service account has to be allowed: daemonset/rbac.yaml in the order in which it stands there, for the doctor to ask the
 * API server about. A test holds the two equal.
 */

export interface AccessRule {
  readonly group: string;
  /** With its subresource: `nodes/status`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Only the objects of these names. */
  readonly names?: readonly string[];
  /** Only in the agent's own namespace. */
  readonly namespaced?: true;
  /** Who asks: the agent, or a sidecar of the plugin `storage`. */
  readonly who: 'agent' | 'csi-provisioner' | 'csi-snapshotter' | 'csi-resizer';
}

const rule =
  (who: AccessRule['who'], more: Pick<AccessRule, 'namespaced' | 'names'> = {}) =>
  (group: string, resource: string, ...verbs: readonly string[]): AccessRule => ({
    group,
    resource,
    verbs,
    who,
    ...more,
  });

const agent = rule('agent');
const provisioner = rule('csi-provisioner');
const snapshotter = rule('csi-snapshotter');
const resizer = rule('csi-resizer');
const [snapshots, groups] = ['snapshot.storage.k8s.io', 'groupsnapshot.storage.k8s.io'];

export const accessRules: readonly AccessRule[] = [
  agent('', 'nodes', 'get', 'list', 'watch'),
  agent('', 'nodes/status', 'patch'),
  agent('berth.dev', 'berthnodes', 'get', 'create', 'patch'),
  agent('berth.dev', 'berthnodes/status', 'patch'),
  agent('events.k8s.io', 'events', 'create'),
  provisioner('', 'persistentvolumes', 'get', 'list', 'watch', 'create', 'patch', 'delete'),
  provisioner('', 'persistentvolumeclaims', 'list', 'watch', 'update'),
  provisioner('storage.k8s.io', 'storageclasses', 'list', 'watch'),
  provisioner('storage.k8s.io', 'volumeattributesclasses', 'get'),
  provisioner(snapshots, 'volumesnapshots', 'get', 'list', 'watch', 'update'),
  provisioner(snapshots, 'volumesnapshotcontents', 'get'),
  provisioner('', 'events', 'create', 'patch'),
  rule('csi-provisioner', { namespaced: true })(
    'storage.k8s.io',
    'csistoragecapacities',
    'list',
    'watch',
    'create',
    'update',
    'delete',
  ),
  rule('csi-provisioner', { namespaced: true })('', 'pods', 'get'),
  snapshotter(snapshots, 'volumesnapshotcontents', 'get', 'list', 'watch', 'patch'),
  snapshotter(snapshots, 'volumesnapshotcontents/status', 'update', 'patch'),
  snapshotter(snapshots, 'volumesnapshotclasses', 'list', 'watch'),
  snapshotter(groups, 'volumegroupsnapshotcontents', 'get', 'list', 'watch', 'patch'),
  snapshotter(groups, 'volumegroupsnapshotcontents/status', 'update', 'patch'),
  snapshotter(groups, 'volumegroupsnapshotclasses', 'list', 'watch'),
  snapshotter('', 'events', 'create', 'patch'),
  resizer('', 'persistentvolumes', 'list', 'watch', 'patch'),
  resizer('', 'persistentvolumeclaims', 'list', 'watch'),
  resizer('', 'persistentvolumeclaims/status', 'patch'),
  resizer('storage.k8s.io', 'volumeattributesclasses', 'list', 'watch'),
  resizer('', 'events', 'create', 'patch'),
  rule('csi-resizer', { namespaced: true })('coordination.k8s.io', 'leases', 'create'),
  rule('csi-resizer', { namespaced: true, names: ['external-resizer-csi-berth-dev'] })(
    'coordination.k8s.io',
    'leases',
    'get',
    'update',
  ),
];
