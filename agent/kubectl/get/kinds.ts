/** What `kubectl berth get` can be asked for, and what of it belongs to a namespace. Pure. */
import type { AddressPoolView, AttachmentView, RouteView } from '../../../cni/views.ts';
import type { SnapshotView, StoragePoolView, TrashView, VolumeView } from '../../../csi/views.ts';
import type { DeviceView } from '../../../deviceplugin/views.ts';
import type { Kind } from '../../commands/choices.ts';

export const clusterKinds = [
  'devices',
  'volumes',
  'snapshots',
  'attachments',
  'pools',
  'routes',
  'trash',
] as const satisfies readonly Kind[];
export type ClusterKind = (typeof clusterKinds)[number];

interface KindOfThing {
  readonly singular: string;
  /** Its namespace; undefined for what belongs to a node, empty where nobody told. */
  readonly namespaceOf: (item: unknown) => string | undefined;
  /** The names by which it can be asked for; the first is its own. */
  readonly namesOf: (item: unknown) => readonly [string, ...string[]];
}

const ofNode = (): undefined => undefined;

/** The namespace of `namespace/name`. */
function before(claim: string): string {
  return claim.split('/')[0] ?? '';
}

/** As it is asked for by people: the claim with and without its namespace. */
function claimNames(claim: string): readonly string[] {
  return claim === '' ? [] : [claim, claim.slice(claim.indexOf('/') + 1)];
}

export const kindsOfThings: Readonly<Record<ClusterKind, KindOfThing>> = {
  devices: {
    singular: 'device',
    namespaceOf: ofNode,
    namesOf: (item) => {
      const { resource, id, nodes } = item as DeviceView;
      return [`${resource}/${id}`, resource, id, ...nodes];
    },
  },
  volumes: {
    singular: 'volume',
    namespaceOf: (item) => before((item as VolumeView).claim),
    namesOf: (item) => {
      const { id, name, claim } = item as VolumeView;
      return [id, name, ...claimNames(claim)];
    },
  },
  snapshots: {
    singular: 'snapshot',
    namespaceOf: (item) => before((item as SnapshotView).claim),
    namesOf: (item) => {
      const { id, name, claim } = item as SnapshotView;
      return [id, name, ...claimNames(claim)];
    },
  },
  attachments: {
    singular: 'attachment',
    namespaceOf: (item) => (item as AttachmentView).namespace,
    namesOf: (item) => {
      const { namespace, pod, containerID } = item as AttachmentView;
      return [`${namespace}/${pod}`, pod, containerID];
    },
  },
  pools: {
    singular: 'pool',
    namespaceOf: ofNode,
    namesOf: (item) => {
      const pool = item as AddressPoolView | StoragePoolView;
      return pool.kind === 'storage' ? [pool.name, pool.id] : [pool.range];
    },
  },
  routes: {
    singular: 'route',
    namespaceOf: ofNode,
    namesOf: (item) => {
      const { node, range } = item as RouteView;
      return [`${node}/${range}`, node, range];
    },
  },
  trash: {
    singular: 'trash',
    namespaceOf: (item) => before((item as TrashView).claim),
    namesOf: (item) => {
      const { id, name, claim } = item as TrashView;
      return [id, name, ...claimNames(claim)];
    },
  },
};

/** Something of a node. */
export interface OfNode {
  readonly node: string;
  readonly item: unknown;
}

/** Those of the namespace (all, when it is undefined) and of this name (any, when it is undefined). */
export function chosen(
  kind: ClusterKind,
  things: readonly OfNode[],
  namespace: string | undefined,
  name: string | undefined,
): readonly OfNode[] {
  const { namespaceOf, namesOf } = kindsOfThings[kind];
  return things.filter(({ item }) => {
    const own = namespaceOf(item);
    const here = namespace === undefined || own === undefined || own === namespace;
    return here && (name === undefined || namesOf(item).includes(name));
  });
}

/** Whether anything of the kind is in a namespace. */
export function isNamespaced(kind: ClusterKind): boolean {
  return kindsOfThings[kind].namespaceOf !== ofNode;
}
