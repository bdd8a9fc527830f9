/** What cluster tests have in common: the cluster, a namespace of their own, and waiting for a condition by asking again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import { useCluster } from '../../cluster/cluster.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { eventsOf, inPod, isSettled, kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { clusterName } from './setup.ts';

export const busybox = 'docker.io/library/busybox:1.37';

/** Main program of test pods: runs until it is told to stop, and then stops at once. */
export const stay = ['sh', '-c', "trap 'exit 0' TERM; sleep 2147483647 & wait"];

export interface Scene {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** Applies objects (as JSON) in the namespace. */
  apply(...objects: readonly object[]): Promise<void>;
  remove(kind: string, ...names: readonly string[]): Promise<void>;
  pod(name: string): Promise<Pod>;
  /** Waits until the pod is ready and returns it. */
  ready(name: string): Promise<Pod>;
  /** Runs a shell line in a pod; returns its output (both streams, trimmed) and exit code. */
  inside(name: string, command: string): Promise<{ readonly text: string; readonly code: number }>;
  /** Waits for an event about an object whose message matches, and returns the message. */
  event(kind: string, name: string, pattern: RegExp): Promise<string>;
}

/** Makes the namespace before the file's tests and removes it, and all in it, after them. */
export function useScene(namespace: string): Scene {
  const cluster = useCluster(clusterName);
  const inNamespace = ['-n', namespace];
  beforeAll(async () => {
    await kubectl(cluster, ['create', 'namespace', namespace]);
  });
  afterAll(async () => {
    const users = 'deployments,statefulsets,daemonsets,jobs,pods,volumegroupsnapshots,volumesnapshots';
    for (const kinds of [users, 'persistentvolumeclaims']) {
      await kubectl(cluster, ['delete', kinds, ...inNamespace, '--all', '--wait', '--timeout=120s']);
    }
    // Nothing of Berth's is in it any more, and its own controller waits five seconds before it looks.
    await kubectl(cluster, ['delete', 'namespace', namespace, '--wait=false']);
  });
  const pod = async (name: string): Promise<Pod> => {
    const found = (await listPods(cluster, namespace)).find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`there is no pod ${namespace}/${name}`);
    return found;
  };
  return {
    cluster,
    namespace,
    apply: async (...objects) => {
      const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
      await kubectl(cluster, ['apply', ...inNamespace, '-f', '-'], { stdin });
    },
    remove: async (kind, ...names) => {
      await kubectl(cluster, ['delete', kind, ...inNamespace, ...names, '--wait', '--timeout=60s']);
    },
    pod,
    ready: (name) =>
      eventually(`pod ${name} to be ready`, 90, async () => {
        const found = await pod(name);
        return isSettled(found) ? found : undefined;
      }),
    inside: async (name, command) => {
      const { stdout, stderr, code } = await inPod(cluster, await pod(name), ['sh', '-c', command]);
      return { text: (stdout + stderr).trim(), code };
    },
    event: (kind, name, pattern) =>
      eventually(`an event of ${kind} ${name} like ${pattern.source}`, 60, async () => {
        const events = await eventsOf(cluster, kind, namespace, name);
        return events.find(({ message }) => pattern.test(message))?.message;
      }),
  };
}

/** Asks again until the answer is not undefined; the last failure is the reason when time is up. */
export async function eventually<T>(what: string, seconds: number, ask: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + seconds * 1000;
  let last: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    // What is waited for lies in the API server or on another node; there is nothing here to be woken by.
    await sleep(200);
  } while (performance.now() < end);
  const why = last instanceof Error ? `; the last time: ${last.message}` : '';
  throw new Error(`waited ${seconds} s for ${what}${why}`, { cause: last });
}

export interface PodManifest {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

/** A pod on a node (default: any) that stays, with device limits and claims as asked. */
export function podManifest(
  name: string,
  options: {
    readonly node?: string;
    readonly limits?: Readonly<Record<string, number>>;
    /** Claim name by mount path. */
    readonly claims?: Readonly<Record<string, string>>;
    readonly command?: readonly string[];
    readonly image?: string;
  } = {},
): PodManifest {
  const claims = Object.entries(options.claims ?? {});
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      ...(options.node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': options.node } }),
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'main',
          image: options.image ?? busybox,
          imagePullPolicy: 'IfNotPresent',
          command: options.command ?? stay,
          resources: { limits: options.limits ?? {} },
          volumeMounts: claims.map(([mountPath, claim]) => ({ name: claim, mountPath })),
        },
      ],
      volumes: claims.map(([, claimName]) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
    },
  };
}

/** A claim of a class with a size such as `64Mi`; `more` goes into its spec. */
export function claimManifest(name: string, storageClassName: string, storage: string, more: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage } }, ...more },
  };
}
